// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {PaxgStorage} from "./PaxgStorage.sol";

/// Behaves as the second implementation of PAXG does: no fee and no fee functions, one Transfer
/// event, custom errors in place of sentences, and an EIP-2612 permit.
contract PaxgDoubleV2 is PaxgStorage {
    bytes32 public constant PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    error ContractPaused();
    error AddressFrozen();
    error AddressNotFrozen();
    error ZeroAddress();
    error InsufficientFunds();
    error InsufficientAllowance();
    error OnlyRole();
    error AlreadyPaused();
    error AlreadyUnPaused();
    error PermitExpired();
    error InvalidSignature();

    event FreezeAddress(address indexed addr);
    event UnfreezeAddress(address indexed addr);
    event FrozenAddressWiped(address indexed addr);
    event SupplyIncreased(address indexed to, uint256 value);
    event SupplyDecreased(address indexed from, uint256 value);

    modifier whenNotPaused() {
        if (paused) revert ContractPaused();
        _;
    }

    modifier onlyRole(address role) {
        if (msg.sender != role && msg.sender != owner) revert OnlyRole();
        _;
    }

    function transfer(address to, uint256 value) external whenNotPaused returns (bool) {
        _requireFree(to, msg.sender, msg.sender);
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value)
        external
        whenNotPaused
        returns (bool)
    {
        _requireFree(to, from, msg.sender);
        if (value > allowed[from][msg.sender]) revert InsufficientAllowance();
        allowed[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external whenNotPaused returns (bool) {
        if (frozen[spender] || frozen[msg.sender]) revert AddressFrozen();
        _approve(msg.sender, spender, value);
        return true;
    }

    function permit(
        address account,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external whenNotPaused {
        if (block.timestamp > deadline) revert PermitExpired();
        if (frozen[spender] || frozen[account]) revert AddressFrozen();
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(PERMIT_TYPEHASH, account, spender, value, nonces[account]++, deadline)
                )
            )
        );
        if (account == address(0) || ecrecover(digest, v, r, s) != account) {
            revert InvalidSignature();
        }
        _approve(account, spender, value);
    }

    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Paxos Gold"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
    }

    function pause() external onlyRole(owner) {
        if (paused) revert AlreadyPaused();
        paused = true;
        emit Pause();
    }

    function unpause() external onlyRole(owner) {
        if (!paused) revert AlreadyUnPaused();
        paused = false;
        emit Unpause();
    }

    function freeze(address account) external onlyRole(assetProtectionRole) {
        frozen[account] = true;
        emit FreezeAddress(account);
    }

    function unfreeze(address account) external onlyRole(assetProtectionRole) {
        frozen[account] = false;
        emit UnfreezeAddress(account);
    }

    function wipeFrozenAddress(address account) external onlyRole(assetProtectionRole) {
        if (!frozen[account]) revert AddressNotFrozen();
        uint256 value = balances[account];
        balances[account] = 0;
        totalSupply -= value;
        emit FrozenAddressWiped(account);
        emit SupplyDecreased(account, value);
        emit Transfer(account, address(0), value);
    }

    function increaseSupply(uint256 value) external onlyRole(supplyController) returns (bool) {
        totalSupply += value;
        balances[supplyController] += value;
        emit SupplyIncreased(supplyController, value);
        emit Transfer(address(0), supplyController, value);
        return true;
    }

    function _requireFree(address to, address from, address spender) private view {
        if (to == address(0)) revert ZeroAddress();
        if (frozen[to] || frozen[from] || frozen[spender]) revert AddressFrozen();
    }

    function _approve(address account, address spender, uint256 value) private {
        allowed[account][spender] = value;
        emit Approval(account, spender, value);
    }

    function _move(address from, address to, uint256 value) private {
        if (value > balances[from]) revert InsufficientFunds();
        balances[from] -= value;
        balances[to] += value;
        emit Transfer(from, to, value);
    }
}
