"""One typed error for each way the contracts revert.

    DexmmError
      +-- Revert                    ``reason`` is the contract's own revert string
            +-- Locked LOK, AlreadyInitialized AI, ...      a require with a reason
            +-- BareRevert                                  a require without one: reason ""
      +-- ImpossibleState       a state to load that no pool can be in

A revert is a fact about the call, not a fault of the runner, so it carries no advice on what to
do next: whoever made the call knows. The facts that broke the rule are in ``facts``.
"""

from __future__ import annotations

from typing import ClassVar

from dexmm.errors import DexmmError


class Revert(DexmmError):
    """The contract would revert; nothing has changed."""

    reason: ClassVar[str] = ""
    rule: ClassVar[str] = "the contract reverts"

    def __init__(self, **facts: object) -> None:
        shown = ", ".join(f"{name}={value}" for name, value in facts.items())
        code = f"{self.reason}: " if self.reason else ""
        super().__init__(f"{code}{self.rule}" + (f" ({shown})" if shown else ""), **facts)


class Locked(Revert):
    reason = "LOK"
    rule = "the pool is locked: it is not initialized, or its own callback re-entered it"


class AlreadyInitialized(Revert):
    reason = "AI"
    rule = "the pool has been initialized already"


class TicksMisordered(Revert):
    reason = "TLU"
    rule = "the lower tick must be below the upper tick"


class TickLowerTooLow(Revert):
    reason = "TLM"
    rule = "the lower tick is below MIN_TICK"


class TickUpperTooHigh(Revert):
    reason = "TUM"
    rule = "the upper tick is above MAX_TICK"


class TickLiquidityExceeded(Revert):
    reason = "LO"
    rule = "a tick would reference more liquidity than the pool allows for one tick"


class LiquidityUnderflow(Revert):
    reason = "LS"
    rule = "more liquidity would be removed than there is"


class LiquidityOverflow(Revert):
    reason = "LA"
    rule = "liquidity would exceed 128 bits"


class NoPosition(Revert):
    reason = "NP"
    rule = "a position without liquidity cannot be poked"


class Mint0Unpaid(Revert):
    reason = "M0"
    rule = "the mint's token0 did not arrive in full"


class Mint1Unpaid(Revert):
    reason = "M1"
    rule = "the mint's token1 did not arrive in full"


class AmountSpecifiedZero(Revert):
    reason = "AS"
    rule = "a swap of nothing"


class PriceLimitOutOfBounds(Revert):
    reason = "SPL"
    rule = "the price limit is on the wrong side of the price, or beyond the allowed prices"


class InputUnpaid(Revert):
    reason = "IIA"
    rule = "the swap's input did not arrive in full"


class FlashWithoutLiquidity(Revert):
    reason = "L"
    rule = "a flash loan needs liquidity in range"


class Flash0Unpaid(Revert):
    reason = "F0"
    rule = "the flash loan's token0 and fee did not come back in full"


class Flash1Unpaid(Revert):
    reason = "F1"
    rule = "the flash loan's token1 and fee did not come back in full"


class ObservationTooOld(Revert):
    reason = "OLD"
    rule = "the oracle does not reach back that far"


class OracleUninitialized(Revert):
    reason = "I"
    rule = "the oracle holds no observation: the pool is not initialized"


class TickOutOfBounds(Revert):
    reason = "T"
    rule = "the tick is outside MIN_TICK..MAX_TICK"


class SqrtPriceOutOfBounds(Revert):
    reason = "R"
    rule = "the square-root price is outside MIN_SQRT_RATIO..MAX_SQRT_RATIO"


class EmptyPeriod(Revert):
    reason = "BP"
    rule = "a mean over no time at all"


class BareRevert(Revert):
    """A require without a reason string, or an invalid operation."""


class ArithmeticOverflow(BareRevert):
    rule = "the number does not fit the contract's type"


class DivisionByZero(BareRevert):
    rule = "division by zero"


class LiquidityZero(BareRevert):
    rule = "a mint of nothing, or a price computed without liquidity"


class SqrtPriceZero(BareRevert):
    rule = "a square-root price of zero"


class OutputExceedsReserves(BareRevert):
    rule = "more output is wanted than the liquidity holds up to the end of prices"


class TickOffGrid(BareRevert):
    rule = "the tick is not a multiple of the pool's tick spacing"


class TickUninitialized(BareRevert):
    rule = "no position references that tick"


class FeeProtocolOutOfBounds(BareRevert):
    rule = "a protocol fee is 0 or one of 4..10"


class ImpossibleState(DexmmError):
    """A pool's state was misread, or is made up."""
