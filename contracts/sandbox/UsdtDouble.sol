// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// What a deprecated USDT forwards to.
interface IUpgradedUsdt {
    function transferByLegacy(address from, address to, uint256 value) external;
    function transferFromByLegacy(address sender, address from, address to, uint256 value) external;
    function approveByLegacy(address from, address spender, uint256 value) external;
    function balanceOf(address account) external view returns (uint256);
    function allowance(address account, address spender) external view returns (uint256);
}

/// Behaves as USDT does: transfer, transferFrom and approve return nothing, a non-zero approval
/// over a non-zero one reverts, a fee below 20 bp (capped) can be switched on, the blacklist is
/// looked up for the sender only, a pause does not stop approve, and the maximum allowance is
/// infinite. State lies in mainnet's slots: balances in 2, allowances in 5.
contract UsdtDouble {
    address public owner;
    uint256 internal _totalSupply;
    mapping(address => uint256) internal balances;
    uint256 public basisPointsRate;
    uint256 public maximumFee;
    mapping(address => mapping(address => uint256)) internal allowed;
    mapping(address => bool) public isBlackListed;
    string public name;
    string public symbol;
    uint256 public decimals;
    address public upgradedAddress;
    bool public deprecated;
    bool public paused;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Pause();
    event Unpause();
    event AddedBlackList(address user);
    event RemovedBlackList(address user);
    event DestroyedBlackFunds(address blackListedUser, uint256 balance);
    event Issue(uint256 amount);
    event Redeem(uint256 amount);
    event Deprecate(address newAddress);
    event Params(uint256 feeBasisPoints, uint256 maxFee);

    modifier onlyOwner() {
        require(msg.sender == owner);
        _;
    }

    modifier whenNotPaused() {
        require(!paused);
        _;
    }

    constructor(uint256 supply, string memory name_, string memory symbol_, uint256 decimals_) {
        owner = msg.sender;
        _totalSupply = supply;
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
        balances[msg.sender] = supply;
    }

    function totalSupply() external view returns (uint256) {
        return _totalSupply;
    }

    function balanceOf(address account) external view returns (uint256) {
        if (deprecated) return IUpgradedUsdt(upgradedAddress).balanceOf(account);
        return balances[account];
    }

    function allowance(address account, address spender) external view returns (uint256) {
        if (deprecated) return IUpgradedUsdt(upgradedAddress).allowance(account, spender);
        return allowed[account][spender];
    }

    function transfer(address to, uint256 value) external whenNotPaused {
        require(!isBlackListed[msg.sender]);
        if (deprecated) {
            return IUpgradedUsdt(upgradedAddress).transferByLegacy(msg.sender, to, value);
        }
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external whenNotPaused {
        require(!isBlackListed[from]);
        if (deprecated) {
            return
                IUpgradedUsdt(upgradedAddress).transferFromByLegacy(msg.sender, from, to, value);
        }
        if (allowed[from][msg.sender] < type(uint256).max) allowed[from][msg.sender] -= value;
        _move(from, to, value);
    }

    function approve(address spender, uint256 value) external {
        if (deprecated) {
            return IUpgradedUsdt(upgradedAddress).approveByLegacy(msg.sender, spender, value);
        }
        require(value == 0 || allowed[msg.sender][spender] == 0);
        allowed[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function setParams(uint256 newBasisPoints, uint256 newMaxFee) external onlyOwner {
        require(newBasisPoints < 20);
        require(newMaxFee < 50);
        basisPointsRate = newBasisPoints;
        maximumFee = newMaxFee * 10 ** decimals;
        emit Params(basisPointsRate, maximumFee);
    }

    function pause() external onlyOwner whenNotPaused {
        paused = true;
        emit Pause();
    }

    function unpause() external onlyOwner {
        require(paused);
        paused = false;
        emit Unpause();
    }

    function getBlackListStatus(address user) external view returns (bool) {
        return isBlackListed[user];
    }

    function addBlackList(address user) external onlyOwner {
        isBlackListed[user] = true;
        emit AddedBlackList(user);
    }

    function removeBlackList(address user) external onlyOwner {
        isBlackListed[user] = false;
        emit RemovedBlackList(user);
    }

    function destroyBlackFunds(address user) external onlyOwner {
        require(isBlackListed[user]);
        uint256 value = balances[user];
        balances[user] = 0;
        _totalSupply -= value;
        emit DestroyedBlackFunds(user, value);
    }

    function issue(uint256 amount) external onlyOwner {
        balances[owner] += amount;
        _totalSupply += amount;
        emit Issue(amount);
    }

    function redeem(uint256 amount) external onlyOwner {
        balances[owner] -= amount;
        _totalSupply -= amount;
        emit Redeem(amount);
    }

    function deprecate(address newAddress) external onlyOwner {
        deprecated = true;
        upgradedAddress = newAddress;
        emit Deprecate(newAddress);
    }

    /// The fee rounds down: the receiver gains the fraction.
    function _move(address from, address to, uint256 value) private {
        uint256 fee = value * basisPointsRate / 10000;
        if (fee > maximumFee) fee = maximumFee;
        balances[from] -= value;
        balances[to] += value - fee;
        if (fee > 0) {
            balances[owner] += fee;
            emit Transfer(from, owner, fee);
        }
        emit Transfer(from, to, value - fee);
    }
}
