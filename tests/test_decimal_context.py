"""One arithmetic, whoever asks, in whichever context, and however deep."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dexmm.decimal_context import log_of, once, precise
from dexmm.units import EXACT, PRICE

THIRD = PRICE.divide(Decimal(1), Decimal(3))


@precise
def third() -> Decimal:
    return Decimal(1) / 3


@precise
def outer() -> tuple[Decimal, Decimal]:
    first = third()
    with localcontext(EXACT):
        inside_of_another = third()
    assert Decimal(1) / 3 == THIRD  # the inner one has left this one as it was
    return first, inside_of_another


class Kept:
    def __init__(self) -> None:
        self.asked = 0

    @once
    def third(self) -> Decimal:
        self.asked += 1
        return Decimal(1) / 3


def test_nested_verbs_compute_alike_and_leave_the_callers_context() -> None:
    with localcontext() as caller:
        caller.prec = 5
        assert outer() == (THIRD, THIRD)
        assert getcontext() is caller
        assert Decimal(1) / 3 == Decimal("0.33333")


def test_an_error_leaves_the_callers_context_too() -> None:
    @precise
    def fails() -> Decimal:
        return Decimal(1) / 0

    before = getcontext()
    with pytest.raises(ZeroDivisionError):
        fails()
    assert getcontext() is before


def test_another_thread_computes_alike() -> None:
    with ThreadPoolExecutor(max_workers=1) as beside:

        @precise
        def asks_beside() -> Decimal:
            return beside.submit(third).result()

        assert asks_beside() == THIRD


def test_what_is_worked_out_once_does_not_depend_on_who_asked_first() -> None:
    kept = Kept()
    with localcontext() as caller:
        caller.prec = 5
        assert kept.third == THIRD
    assert (kept.third, kept.asked) == (THIRD, 1)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.decimals("0.95", "1.05", places=49))
@example(Decimal(1))
@example(Decimal("1.02020202020202020202020202020202020202020202020202"))
@example(Decimal(1) + Decimal("1e-49"))
@example(Decimal(1) - Decimal("1e-49"))
@example(Decimal("1.0001"))
def test_a_quick_logarithm_is_the_library_s_to_the_last_digit(ratio: Decimal) -> None:
    assert str(log_of(ratio)) == str(ratio.ln(PRICE))
