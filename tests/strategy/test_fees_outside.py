"""Fees that a coin outside of the market has paid: the drawdown guards see them when they are told.

The inventory is the market's own coins, so that BNB which pays for fills is missing from it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.venue_builders import Both, Street, both, exchange_config

from dexmm.model.memory import Memory
from dexmm.wiring.resume import resumed

D = Decimal
ACCOUNT = {"base": D(10), "quote": D(40_000)}


def a_pair(**street: object) -> Both:
    """One that holds a wallet and an account, and trades nothing by itself."""
    config = exchange_config(hedge={"enabled": False}, triangle={"enabled": False})
    pair = both(config, Street(**{**ACCOUNT, "teller": "first", **street}))
    pair.turn()
    return pair


def rules(pair: Both) -> set[str]:
    return {refusal.rule for refusal in pair.decide().refusals}


def test_they_are_added_up_as_they_are_told() -> None:
    pair = a_pair(fees_outside=D(3))
    assert pair.memory.fees_outside == 0, "before the peaks began"
    pair.street.fees_outside += 5
    pair.turn()
    pair.turn()
    assert pair.memory.fees_outside == 5
    pair.street.fees_outside, pair.street.teller = D(2), "second"  # another process, from 0
    pair.turn()
    pair.turn()
    assert pair.memory.fees_outside == 7
    peak, nav = pair.memory.peak_nav, pair.decide().nav
    assert peak is not None
    assert nav <= peak <= nav + D("0.01"), "fees move no peak"


@pytest.mark.parametrize("next_process", [False, True])
def test_what_a_turn_s_own_orders_paid_counts_once(next_process: bool) -> None:
    """It is known when the order is placed; the process may end before it looks again."""
    street = Street(base=D(30), quote=D(1_000), teller="first", fee_in_bnb=True)
    pair = both(exchange_config(), street)
    pair.turn()
    for _ in range(6):
        pair.turn(600)
        if street.fees_outside:
            break
    assert street.fees_outside > 0, "it hedged"
    paid = street.fees_outside
    assert pair.memory.fees_outside == paid
    if next_process:
        street.fees_outside, street.teller = D(0), "second"
    street.fee_in_bnb = False
    pair.turn()
    assert pair.memory.fees_outside == paid


@pytest.mark.parametrize(("rule", "limit"), [("drawdown", 1500), ("drawdown_hold", 800)])
def test_the_guards_count_them(rule: str, limit: int) -> None:
    pair = a_pair()
    nav = pair.decide().nav
    assert nav is not None
    just, most = nav * limit / 10_000, D("0.5")
    pair.street.fees_outside = just - most
    assert rule not in rules(pair)
    pair.street.fees_outside = just + most
    assert rule in rules(pair)
    (detail,) = [r.detail for r in pair.decide().refusals if r.rule == rule]
    assert f"less {just + most:.2f} of fees that other coins have paid" in detail


def test_taking_capital_out_makes_them_no_larger_a_part_of_it() -> None:
    pair = a_pair()
    pair.street.fees_outside = D(1_000)
    pair.turn()
    before = pair.decide()
    fees = pair.memory.fees_outside
    assert before.nav is not None
    pair.street.quote -= 30_000
    pair.turn(3600)
    after = pair.decide()
    assert after.nav is not None
    assert after.nav < before.nav
    part = pair.memory.fees_outside / after.nav
    assert abs(part - fees / before.nav) < D("0.0001")


def test_a_resume_begins_anew() -> None:
    pair = a_pair()
    pair.street.fees_outside = D(50)
    pair.turn()
    pair.memory = resumed(pair.memory)
    pair.turn()
    assert pair.memory.fees_outside == 0
    assert pair.memory.fees_told == 50
    pair.street.fees_outside += 1
    pair.turn()
    assert pair.memory.fees_outside == 1


def test_a_memory_of_before_counts_from_now() -> None:
    old = {
        name: value
        for name, value in Memory().__dict__.items()
        if not name.startswith("fees_") or name in ("fees_base", "fees_quote", "fees_since")
    }
    assert replace(Memory(), **old).fees_outside == 0
