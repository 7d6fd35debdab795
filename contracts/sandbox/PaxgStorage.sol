// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// What both implementations of PAXG keep, in one order, so that an upgrade finds its data.
abstract contract PaxgStorage {
    bool internal initialized;
    mapping(address => uint256) internal balances;
    uint256 public totalSupply;
    mapping(address => mapping(address => uint256)) internal allowed;
    address public owner;
    bool public paused;
    address public assetProtectionRole;
    mapping(address => bool) internal frozen;
    address public supplyController;
    uint256 internal feeRate_;
    address internal feeController_;
    address internal feeRecipient_;
    mapping(address => uint256) public nonces;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Pause();
    event Unpause();

    function name() external pure returns (string memory) {
        return "Paxos Gold";
    }

    function symbol() external pure returns (string memory) {
        return "PAXG";
    }

    function decimals() external pure returns (uint8) {
        return 18;
    }

    function balanceOf(address account) external view returns (uint256) {
        return balances[account];
    }

    function allowance(address account, address spender) external view returns (uint256) {
        return allowed[account][spender];
    }

    function isFrozen(address account) external view returns (bool) {
        return frozen[account];
    }
}
