"""ccxt's numbers as decimals, and orders as their answers leave them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.cex.orders.order_report import parse_told, with_trades
from dexmm.cex.parsing import down_to_step, maybe, number, on_step, or_zero, plain, record
from dexmm.errors import Transient

D = Decimal
STEPS = st.sampled_from([D("0.0001"), D("0.001"), D("0.01"), D("0.5"), D(1), D("0.00000001")])
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=10)


@pytest.mark.parametrize("bad", [0.1, True, [], "abc", "NaN", "Infinity", {}])
def test_what_is_no_exact_number_is_refused(bad: object) -> None:
    with pytest.raises(Transient):
        maybe(bad, "price")


def test_absence_is_not_zero() -> None:
    assert maybe(None, "price") is None
    assert maybe("", "price") is None
    assert or_zero(None, "fee") == 0
    with pytest.raises(Transient, match="no price"):
        number(None, "price")
    with pytest.raises(Transient, match="as str"):
        record('{"balances":[', "account")


@given(AMOUNTS, STEPS)
def test_down_to_a_step_is_on_it_and_never_more(amount: Decimal, step: Decimal) -> None:
    floored = down_to_step(amount, step)
    assert on_step(floored, step)
    assert 0 <= amount - floored < step


@given(AMOUNTS)
def test_plain_is_the_same_number_without_an_exponent(amount: Decimal) -> None:
    assert D(plain(amount)) == amount
    assert "E" not in plain(amount)
    assert plain(D("1E+3")) == "1000"


def told(**more: Any) -> Any:
    return {"id": "7", "status": "closed", "amount": "10", "filled": "10", "cost": "400", **more}


def test_contracts_become_base() -> None:
    answer = parse_told(told(), D("0.01"))
    assert (answer.amount, answer.filled, answer.cost) == (D("0.1"), D("0.1"), D(400))


@pytest.mark.parametrize("answer", ['{"orderId": 1, "cli', None, {}, {"id": None}, {"id": ""}])
def test_an_order_without_an_id_is_no_answer(answer: object) -> None:
    with pytest.raises(Transient):
        parse_told(answer, D(1))


def test_fees_of_several_coins_are_kept_apart() -> None:
    fees = [
        {"currency": "BNB", "cost": "0.01"},
        {"currency": "PAXG", "cost": "0.0001"},
        {"currency": "BNB", "cost": "0.02"},
    ]
    answer = parse_told(told(fees=fees), D(1))
    assert answer.fees == (("BNB", D("0.03")), ("PAXG", D("0.0001")))
    assert answer.complete


def test_fills_without_fees_are_not_complete() -> None:
    answer = parse_told(told(fees=[]), D(1))
    assert not answer.complete
    assert parse_told(told(filled="0", cost="0"), D(1)).complete


def test_trades_that_lag_behind_their_order_do_not_count() -> None:
    answer = parse_told(told(), D(1))
    half = {"amount": "5", "cost": "200", "fee": {"currency": "USDT", "cost": "0.2"}}
    assert with_trades(answer, [half], D(1)) == answer
    whole = with_trades(answer, [half, half], D(1))
    assert (whole.filled, whole.cost, whole.fees) == (D(10), D(400), (("USDT", D("0.4")),))
