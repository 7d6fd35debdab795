// SPDX-License-Identifier: MIT
pragma solidity =0.7.6;

import '@uniswap/v3-core/contracts/libraries/FullMath.sol';
import '@uniswap/v3-core/contracts/libraries/LiquidityMath.sol';
import '@uniswap/v3-core/contracts/libraries/SqrtPriceMath.sol';
import '@uniswap/v3-core/contracts/libraries/SwapMath.sol';
import '@uniswap/v3-core/contracts/libraries/Tick.sol';
import '@uniswap/v3-core/contracts/libraries/TickBitmap.sol';
import '@uniswap/v3-core/contracts/libraries/TickMath.sol';
import '@uniswap/v3-periphery/contracts/libraries/LiquidityAmounts.sol';
import '@uniswap/v3-periphery/contracts/libraries/OracleLibrary.sol';

/// @notice The libraries of the contracts, callable. Also stands for a pool's `observe`.
contract LibraryHarness {
    using TickBitmap for mapping(int16 => uint256);

    mapping(int16 => uint256) private bitmap;
    int56[2] private tickCumulatives;
    uint160[2] private secondsPerLiquidity;

    function mulDiv(uint256 a, uint256 b, uint256 c) external pure returns (uint256) {
        return FullMath.mulDiv(a, b, c);
    }

    function mulDivRoundingUp(uint256 a, uint256 b, uint256 c) external pure returns (uint256) {
        return FullMath.mulDivRoundingUp(a, b, c);
    }

    function addDelta(uint128 x, int128 y) external pure returns (uint128) {
        return LiquidityMath.addDelta(x, y);
    }

    function getSqrtRatioAtTick(int24 tick) external pure returns (uint160) {
        return TickMath.getSqrtRatioAtTick(tick);
    }

    function getTickAtSqrtRatio(uint160 price) external pure returns (int24) {
        return TickMath.getTickAtSqrtRatio(price);
    }

    function getNextSqrtPriceFromAmount0RoundingUp(uint160 price, uint128 liquidity, uint256 amount, bool add)
        external
        pure
        returns (uint160)
    {
        return SqrtPriceMath.getNextSqrtPriceFromAmount0RoundingUp(price, liquidity, amount, add);
    }

    function getNextSqrtPriceFromAmount1RoundingDown(uint160 price, uint128 liquidity, uint256 amount, bool add)
        external
        pure
        returns (uint160)
    {
        return SqrtPriceMath.getNextSqrtPriceFromAmount1RoundingDown(price, liquidity, amount, add);
    }

    function getNextSqrtPriceFromInput(uint160 price, uint128 liquidity, uint256 amount, bool zeroForOne)
        external
        pure
        returns (uint160)
    {
        return SqrtPriceMath.getNextSqrtPriceFromInput(price, liquidity, amount, zeroForOne);
    }

    function getNextSqrtPriceFromOutput(uint160 price, uint128 liquidity, uint256 amount, bool zeroForOne)
        external
        pure
        returns (uint160)
    {
        return SqrtPriceMath.getNextSqrtPriceFromOutput(price, liquidity, amount, zeroForOne);
    }

    function getAmount0Delta(uint160 a, uint160 b, uint128 liquidity, bool roundUp) external pure returns (uint256) {
        return SqrtPriceMath.getAmount0Delta(a, b, liquidity, roundUp);
    }

    function getAmount1Delta(uint160 a, uint160 b, uint128 liquidity, bool roundUp) external pure returns (uint256) {
        return SqrtPriceMath.getAmount1Delta(a, b, liquidity, roundUp);
    }

    function getAmount0DeltaSigned(uint160 a, uint160 b, int128 liquidity) external pure returns (int256) {
        return SqrtPriceMath.getAmount0Delta(a, b, liquidity);
    }

    function getAmount1DeltaSigned(uint160 a, uint160 b, int128 liquidity) external pure returns (int256) {
        return SqrtPriceMath.getAmount1Delta(a, b, liquidity);
    }

    function computeSwapStep(uint160 current, uint160 target, uint128 liquidity, int256 amount, uint24 fee)
        external
        pure
        returns (uint160, uint256, uint256, uint256)
    {
        return SwapMath.computeSwapStep(current, target, liquidity, amount, fee);
    }

    function tickSpacingToMaxLiquidityPerTick(int24 tickSpacing) external pure returns (uint128) {
        return Tick.tickSpacingToMaxLiquidityPerTick(tickSpacing);
    }

    function getLiquidityForAmounts(uint160 price, uint160 a, uint160 b, uint256 amount0, uint256 amount1)
        external
        pure
        returns (uint128)
    {
        return LiquidityAmounts.getLiquidityForAmounts(price, a, b, amount0, amount1);
    }

    function getAmountsForLiquidity(uint160 price, uint160 a, uint160 b, uint128 liquidity)
        external
        pure
        returns (uint256, uint256)
    {
        return LiquidityAmounts.getAmountsForLiquidity(price, a, b, liquidity);
    }

    function setWord(int16 position, uint256 word) external {
        bitmap[position] = word;
    }

    function nextInitializedTickWithinOneWord(int24 tick, int24 tickSpacing, bool lte)
        external
        view
        returns (int24, bool)
    {
        return bitmap.nextInitializedTickWithinOneWord(tick, tickSpacing, lte);
    }

    function setObservations(int56[2] calldata ticks, uint160[2] calldata liquidity) external {
        tickCumulatives = ticks;
        secondsPerLiquidity = liquidity;
    }

    function observe(uint32[] calldata) external view returns (int56[] memory ticks, uint160[] memory liquidity) {
        ticks = new int56[](2);
        liquidity = new uint160[](2);
        for (uint256 i = 0; i < 2; i++) (ticks[i], liquidity[i]) = (tickCumulatives[i], secondsPerLiquidity[i]);
    }

    function consult(uint32 secondsAgo) external view returns (int24, uint128) {
        return OracleLibrary.consult(address(this), secondsAgo);
    }
}
