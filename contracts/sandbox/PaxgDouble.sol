// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {PaxgStorage} from "./PaxgStorage.sol";

/// Behaves as the first implementation of PAXG does: a fee in millionths comes out of what the
/// receiver gets, every transfer emits a second event to the fee recipient even when the fee is
/// zero, a freeze counts for sender, receiver and spender, and every allowance is consumed, the
/// maximum included. Roles are as on mainnet; the sandbox acts through them by impersonation.
contract PaxgDouble is PaxgStorage {
    uint8 public constant feeDecimals = 6;
    uint256 public constant feeParts = 1e6;

    event AddressFrozen(address indexed addr);
    event AddressUnfrozen(address indexed addr);
    event FrozenAddressWiped(address indexed addr);
    event SupplyIncreased(address indexed to, uint256 value);
    event SupplyDecreased(address indexed from, uint256 value);
    event FeeCollected(address indexed from, address indexed to, uint256 value);
    event FeeRateSet(uint256 indexed oldFeeRate, uint256 indexed newFeeRate);

    modifier whenNotPaused() {
        require(!paused, "whenNotPaused");
        _;
    }

    modifier onlyRole(address role) {
        require(msg.sender == role || msg.sender == owner, "wrong role");
        _;
    }

    /// Gives every role to one account, once.
    function initialize(address everyRole) external {
        require(!initialized, "already initialized");
        initialized = true;
        owner = everyRole;
        assetProtectionRole = everyRole;
        supplyController = everyRole;
        feeController_ = everyRole;
        feeRecipient_ = everyRole;
    }

    function feeRate() external view returns (uint256) {
        return feeRate_;
    }

    function feeController() external view returns (address) {
        return feeController_;
    }

    function feeRecipient() external view returns (address) {
        return feeRecipient_;
    }

    /// Rounds down: the receiver gains the fraction.
    function getFeeFor(uint256 value) public view returns (uint256) {
        return value * feeRate_ / feeParts;
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
        require(value <= balances[from], "insufficient funds");
        require(value <= allowed[from][msg.sender], "insufficient allowance");
        allowed[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external whenNotPaused returns (bool) {
        require(!frozen[spender] && !frozen[msg.sender], "address frozen");
        allowed[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function pause() external onlyRole(owner) {
        require(!paused, "already paused");
        paused = true;
        emit Pause();
    }

    function unpause() external onlyRole(owner) {
        require(paused, "already unpaused");
        paused = false;
        emit Unpause();
    }

    function freeze(address account) external onlyRole(assetProtectionRole) {
        require(!frozen[account], "address already frozen");
        frozen[account] = true;
        emit AddressFrozen(account);
    }

    function unfreeze(address account) external onlyRole(assetProtectionRole) {
        require(frozen[account], "address already unfrozen");
        frozen[account] = false;
        emit AddressUnfrozen(account);
    }

    function wipeFrozenAddress(address account) external onlyRole(assetProtectionRole) {
        require(frozen[account], "address is not frozen");
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

    function setFeeRate(uint256 newFeeRate) external {
        require(msg.sender == feeController_, "only FeeController");
        require(newFeeRate <= feeParts, "cannot set fee rate above 100%");
        emit FeeRateSet(feeRate_, newFeeRate);
        feeRate_ = newFeeRate;
    }

    function setFeeRecipient(address newFeeRecipient) external {
        require(msg.sender == feeController_, "only FeeController");
        require(newFeeRecipient != address(0), "cannot set fee recipient to address zero");
        feeRecipient_ = newFeeRecipient;
    }

    function _requireFree(address to, address from, address spender) private view {
        require(to != address(0), "cannot transfer to address zero");
        require(!frozen[to] && !frozen[from] && !frozen[spender], "address frozen");
    }

    function _move(address from, address to, uint256 value) private {
        require(value <= balances[from], "insufficient funds");
        uint256 fee = getFeeFor(value);
        balances[from] -= value;
        balances[to] += value - fee;
        emit Transfer(from, to, value - fee);
        emit Transfer(from, feeRecipient_, fee);
        if (fee > 0) {
            balances[feeRecipient_] += fee;
            emit FeeCollected(from, feeRecipient_, fee);
        }
    }
}
