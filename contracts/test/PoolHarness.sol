// SPDX-License-Identifier: MIT
pragma solidity >=0.7.6 <0.9.0;
pragma abicoder v2;

/// @notice A token without limits: anyone can make any amount of it. For proving pool arithmetic.
contract FreeToken {
    mapping(address => uint256) public balanceOf;

    function make(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

interface IPool {
    struct Tick {
        uint128 liquidityGross;
        int128 liquidityNet;
        uint256 feeGrowthOutside0X128;
        uint256 feeGrowthOutside1X128;
        int56 tickCumulativeOutside;
        uint160 secondsPerLiquidityOutsideX128;
        uint32 secondsOutside;
        bool initialized;
    }

    struct Observation {
        uint32 blockTimestamp;
        int56 tickCumulative;
        uint160 secondsPerLiquidityCumulativeX128;
        bool initialized;
    }

    struct Position {
        uint128 liquidity;
        uint256 feeGrowthInside0LastX128;
        uint256 feeGrowthInside1LastX128;
        uint128 tokensOwed0;
        uint128 tokensOwed1;
    }

    struct Slot0 {
        uint160 sqrtPriceX96;
        int24 tick;
        uint16 observationIndex;
        uint16 observationCardinality;
        uint16 observationCardinalityNext;
        uint8 feeProtocol;
        bool unlocked;
    }

    function token0() external view returns (address);
    function token1() external view returns (address);
    function slot0() external view returns (Slot0 memory);
    function liquidity() external view returns (uint128);
    function feeGrowthGlobal0X128() external view returns (uint256);
    function feeGrowthGlobal1X128() external view returns (uint256);
    function protocolFees() external view returns (uint128, uint128);
    function ticks(int24 tick) external view returns (Tick memory);
    function tickBitmap(int16 word) external view returns (uint256);
    function positions(bytes32 key) external view returns (Position memory);
    function observations(uint256 index) external view returns (Observation memory);
    function mint(address, int24, int24, uint128, bytes calldata) external returns (uint256, uint256);
    function swap(address, bool, int256, uint160, bytes calldata) external returns (int256, int256);
    function flash(address, uint256, uint256, bytes calldata) external;
}

/// @notice Acts on a pool and pays what its callbacks ask for, or less, or re-enters it.
/// It owns what it mints; whatever else is asked of the pool goes through `attempt` directly.
contract PoolHarness {
    event Outcome(bool ok, bytes data);

    struct State {
        IPool.Slot0 slot0;
        uint128 liquidity;
        uint256 feeGrowthGlobal0X128;
        uint256 feeGrowthGlobal1X128;
        uint128 protocolFees0;
        uint128 protocolFees1;
        uint256 balance0;
        uint256 balance1;
    }

    /// What a callback leaves unpaid, and whether it first calls the pool again.
    struct Payment {
        uint256 short0;
        uint256 short1;
        uint256 extra0;
        uint256 extra1;
        bool reenter;
    }

    /// @notice Calls, and tells the result whether or not it reverted.
    function attempt(address target, bytes calldata data) external returns (bool ok, bytes memory result) {
        (ok, result) = target.call(data);
        emit Outcome(ok, result);
    }

    function mint(IPool pool, int24 tickLower, int24 tickUpper, uint128 amount, Payment calldata payment)
        external
        returns (uint256, uint256)
    {
        return pool.mint(address(this), tickLower, tickUpper, amount, abi.encode(payment));
    }

    function swap(IPool pool, bool zeroForOne, int256 amount, uint160 limit, Payment calldata payment)
        external
        returns (int256, int256)
    {
        return pool.swap(address(this), zeroForOne, amount, limit, abi.encode(payment));
    }

    function flash(IPool pool, uint256 amount0, uint256 amount1, Payment calldata payment) external {
        pool.flash(address(this), amount0, amount1, abi.encode(payment, amount0, amount1));
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata data) external {
        pay(amount0, amount1, abi.decode(data, (Payment)));
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata data) external {
        pay(amount0 > 0 ? uint256(amount0) : 0, amount1 > 0 ? uint256(amount1) : 0, abi.decode(data, (Payment)));
    }

    function uniswapV3FlashCallback(uint256 fee0, uint256 fee1, bytes calldata data) external {
        (Payment memory payment, uint256 amount0, uint256 amount1) = abi.decode(data, (Payment, uint256, uint256));
        pay(amount0 + fee0, amount1 + fee1, payment);
    }

    function pay(uint256 amount0, uint256 amount1, Payment memory payment) private {
        IPool pool = IPool(msg.sender);
        if (payment.reenter) pool.mint(address(this), -60, 60, 1, "");
        if (amount0 > 0) FreeToken(pool.token0()).make(msg.sender, amount0 - payment.short0 + payment.extra0);
        if (amount1 > 0) FreeToken(pool.token1()).make(msg.sender, amount1 - payment.short1 + payment.extra1);
    }

    function state(IPool pool) external view returns (State memory s) {
        s.slot0 = pool.slot0();
        s.liquidity = pool.liquidity();
        s.feeGrowthGlobal0X128 = pool.feeGrowthGlobal0X128();
        s.feeGrowthGlobal1X128 = pool.feeGrowthGlobal1X128();
        (s.protocolFees0, s.protocolFees1) = pool.protocolFees();
        s.balance0 = FreeToken(pool.token0()).balanceOf(address(pool));
        s.balance1 = FreeToken(pool.token1()).balanceOf(address(pool));
    }

    function ticks(IPool pool, int24[] calldata at) external view returns (IPool.Tick[] memory found) {
        found = new IPool.Tick[](at.length);
        for (uint256 i = 0; i < at.length; i++) found[i] = pool.ticks(at[i]);
    }

    function words(IPool pool, int16[] calldata at) external view returns (uint256[] memory found) {
        found = new uint256[](at.length);
        for (uint256 i = 0; i < at.length; i++) found[i] = pool.tickBitmap(at[i]);
    }

    function observations(IPool pool, uint256 count) external view returns (IPool.Observation[] memory found) {
        found = new IPool.Observation[](count);
        for (uint256 i = 0; i < count; i++) found[i] = pool.observations(i);
    }

    function positions(IPool pool, bytes32[] calldata keys) external view returns (IPool.Position[] memory found) {
        found = new IPool.Position[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) found[i] = pool.positions(keys[i]);
    }
}
