// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Behaves as the newer code of Tether does, which XAUt runs behind an EIP-1967 proxy: transfer,
/// transferFrom and approve return a bool, the blocked list is `isBlocked`, looked up for the
/// caller and the sender but never for the receiver, nothing goes to the token itself, an approval
/// may replace another, and an infinite allowance is not used up. There is no pause and no fee,
/// and none of the older names (`isBlackListed`, `paused`, `basisPointsRate`) answers.
contract XautDouble {
    bool private _initialized;
    address public owner;
    string public name;
    string public symbol;
    uint8 public decimals;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public isBlocked;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event BlockPlaced(address indexed user);
    event BlockReleased(address indexed user);
    event DestroyedBlockedFunds(address indexed user, uint256 amount);
    event Mint(address indexed destination, uint256 amount);

    modifier onlyOwner() {
        require(msg.sender == owner, "Ownable: caller is not the owner");
        _;
    }

    modifier onlyNotBlocked() {
        require(!isBlocked[msg.sender], "Blocked: transfers are blocked for user");
        _;
    }

    function initialize(address owner_, string calldata name_, string calldata symbol_, uint8 places)
        external
    {
        require(!_initialized, "Initializable: contract is already initialized");
        _initialized = true;
        owner = owner_;
        name = name_;
        symbol = symbol_;
        decimals = places;
    }

    function transfer(address to, uint256 value) external onlyNotBlocked returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value)
        external
        onlyNotBlocked
        returns (bool)
    {
        require(!isBlocked[from], "Blocked: transfers are blocked for user");
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            require(allowed >= value, "ERC20: insufficient allowance");
            allowance[from][msg.sender] = allowed - value;
        }
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function mint(address destination, uint256 amount) external onlyOwner {
        totalSupply += amount;
        balanceOf[destination] += amount;
        emit Transfer(address(0), destination, amount);
        emit Mint(destination, amount);
    }

    function addToBlockedList(address user) external onlyOwner {
        isBlocked[user] = true;
        emit BlockPlaced(user);
    }

    function removeFromBlockedList(address user) external onlyOwner {
        isBlocked[user] = false;
        emit BlockReleased(user);
    }

    function destroyBlockedFunds(address user) external onlyOwner {
        require(isBlocked[user], "user is not blocked");
        uint256 held = balanceOf[user];
        balanceOf[user] = 0;
        totalSupply -= held;
        emit Transfer(user, address(0), held);
        emit DestroyedBlockedFunds(user, held);
    }

    function _move(address from, address to, uint256 value) private {
        require(to != address(this), "ERC20: transfer to the contract address");
        require(to != address(0), "ERC20: transfer to the zero address");
        require(balanceOf[from] >= value, "ERC20: transfer amount exceeds balance");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
