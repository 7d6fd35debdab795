"""One arithmetic for every decision.

Decimal's context belongs to the thread, so the same snapshot could be decided differently in two
places. Every public verb of this package runs in the context below; its logarithm and exponential
are correctly rounded, so that a recorded turn decides alike on every machine. That a float's are
not is why there is none here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from dexmm.units import PRICE

P = ParamSpec("P")
R = TypeVar("R")

ONE = Decimal(1)
BP = Decimal(10_000)
PIPS = Decimal(1_000_000)  # what a pool's fee is counted in
LN_2 = PRICE.ln(Decimal(2))
LN_TICK = PRICE.ln(Decimal("1.0001"))  # of price, per tick
YEAR = Decimal(365 * 86_400)
HOUR = 3600
DAY = 86_400


def precise(function: Callable[P, R]) -> Callable[P, R]:
    """Run with ``units.PRICE``: 50 significant digits, whatever the caller's context is."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(PRICE):
            return function(*args, **kwargs)

    return run


def remaining(seconds: int, halflife_seconds: Decimal) -> Decimal:
    """What is left of one after ``seconds`` of exponential decay."""
    return (-LN_2 * seconds / halflife_seconds).exp()
