"""One arithmetic for every decision.

Decimal's context belongs to the thread, so the same snapshot could be decided differently in two
places. Every public verb of this package runs in the context below; its logarithm and exponential
are correctly rounded, so that a recorded turn decides alike on every machine. That a float's are
not is why there is none here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, getcontext, localcontext, setcontext
from functools import lru_cache, wraps
from typing import Any, Generic, ParamSpec, Self, TypeVar, dataclass_transform, overload

from dexmm.units import PRICE

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ONE = Decimal(1)
BP = Decimal(10_000)
PIPS = Decimal(1_000_000)  # what a pool's fee is counted in
LN_2 = PRICE.ln(Decimal(2))
LN_TICK = PRICE.ln(Decimal("1.0001"))  # of price, per tick
YEAR = Decimal(365 * 86_400)
_WIDE = Context(prec=70)
_NEAR_ONE, _LEFT_OUT, _IN_DOUBT = Decimal("0.01"), Decimal("1e-64"), Decimal("1e-60")
HOUR = 3600
DAY = 86_400


class _Precise(Context):
    """``units.PRICE``, told by its type: who finds it is inside of somebody's ``precise``."""


def precise(function: Callable[P, R]) -> Callable[P, R]:
    """Run with ``units.PRICE``: 50 significant digits, whatever the caller's context is.

    Inside of another one there is nothing to change: only the outermost enters and leaves.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        outside = getcontext()
        if type(outside) is _Precise:
            return function(*args, **kwargs)
        setcontext(_Precise(prec=PRICE.prec, rounding=PRICE.rounding))
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(outside)

    return run


@dataclass_transform(kw_only_default=True, frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A dataclass that nobody changes: the type checker sees to that, and nothing at run time.

    One that is frozen at run time takes three times as long to build; a turn builds many.
    """
    return dataclass(kw_only=True)(cls)


class once(Generic[R]):  # noqa: N801 - used like ``property``
    """A property that is worked out when it is first asked for, and kept: for what never changes.

    Like all else here with 50 significant digits, whoever asks first. ``cached_property`` would
    take a lock each time, and the context it happened to be called in.
    """

    def __init__(self, function: Callable[[Any], R]) -> None:
        self._function, self._elsewhere = function, precise(function)
        self._name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> R: ...
    def __get__(self, instance: object | None, owner: type) -> Self | R:
        if instance is None:
            return self
        inside = type(getcontext()) is _Precise
        found = self._function(instance) if inside else self._elsewhere(instance)
        instance.__dict__[self._name] = found
        return found


def log_of(ratio: Decimal) -> Decimal:
    """The logarithm, to the last of 50 digits as ``Decimal.ln`` rounds it, but near one quickly.

    ln x = 2 (z + z^3 / 3 + z^5 / 5 + ...) with z = (x - 1) / (x + 1), in 70 digits: what is left
    out and what is rounded stay below 1e-62 of it. Where so little could round the other way, and
    for what is not near one, ``Decimal.ln`` answers.
    """
    with localcontext(_WIDE):
        z = (ratio - 1) / (ratio + 1)
        if not z or abs(z) > _NEAR_ONE:
            return ratio.ln(PRICE)
        square, power, total, odd = z * z, z, z, 1
        least = abs(z) * _LEFT_OUT
        while abs(power) > least:
            power, odd = power * square, odd + 2
            total += power / odd
        total += total
        low, high = PRICE.plus(total * (1 - _IN_DOUBT)), PRICE.plus(total * (1 + _IN_DOUBT))
    return low if low == high else ratio.ln(PRICE)


@lru_cache(maxsize=256)  # turns are mostly as far apart as the ones before
@precise
def remaining(seconds: int, halflife_seconds: Decimal) -> Decimal:
    """What is left of one after ``seconds`` of exponential decay."""
    return (-LN_2 * seconds / halflife_seconds).exp()
