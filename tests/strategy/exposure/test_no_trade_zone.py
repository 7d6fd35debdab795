"""The no-trade zone around the target share."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import a_config
from strategy.venue_builders import Both, Street, both, exchange_config, placed

from dexmm.errors import BadInput
from dexmm.model.decision import Trigger
from dexmm.model.order import Purpose
from dexmm.model.venue import Side

D = Decimal


def zoned(base: str, quote: str, **hedge: object) -> Both:
    """Everything on the exchange, at 4000, and nothing that could be deployed."""
    config = exchange_config(
        hedge={"to": "zone", **hedge}, strategy={"min_position_quote": D(10**9)}
    )
    return both(config, Street(base=D(base), quote=D(quote)), base=D(0), quote=D(0))


def settle(stage: Both, turns: int = 40) -> list[Side]:
    sides = []
    for _ in range(turns):
        _, steps = stage.turn()
        sides += [order.side for order in placed(steps) if order.purpose is Purpose.HEDGE]
    return sides


# (3 * 0.00115 / (2 gamma) * (0.35 * 0.65)^2)^(1/3): the taker's 10 bp and 1.25 bp of half a
# spread, rounded up to half a basis point.
@pytest.mark.parametrize(("gamma", "half"), [("5", "0.02614"), ("1", "0.04470"), ("40", "0.01307")])
def test_it_trades_to_the_edge_that_was_left_and_not_to_the_target(gamma: str, half: str) -> None:
    for base, quote, side, sign in (
        ("10.5", "58_000", Side.SELL, 1),
        ("7", "72_000", Side.BUY, -1),
    ):
        stage = zoned(base, quote.replace("_", ""), risk_aversion=D(gamma))
        first, _ = stage.turn()
        assert first.trigger is Trigger.ZONE
        assert set(settle(stage)) <= {side}
        end = stage.decide()
        assert end.share == pytest.approx(D("0.35") + sign * D(half), abs=D("0.0002"))
        assert not end.withheld


@settings(max_examples=40, deadline=None, derandomize=True)
@given(share=st.decimals(min_value="0.21", max_value="0.49", places=3))
def test_inside_nothing_is_done_and_outside_it_never_oscillates(share: Decimal) -> None:
    base = share * 100_000 / 4000
    stage = zoned(str(base), str(100_000 * (1 - share)))
    sides = settle(stage, 20)
    if abs(share - D("0.35")) < D("0.026"):
        assert sides == []
    assert len(set(sides)) <= 1
    assert settle(stage, 5) == []
    assert abs(stage.decide().share - D("0.35")) <= max(abs(share - D("0.35")), D("0.0262")) + D(
        "0.0002"
    )


def test_a_trade_begins_only_where_it_is_worth_an_order() -> None:
    """A quarter of half the width, 0.65 % of the NAV; then it goes on to the edge itself."""
    at = D("0.35") + D("0.02614")
    little, enough = at + D("0.005"), at + D("0.007")
    assert settle(zoned(str(little * 25), str((1 - little) * 100_000)), 3) == []
    stage = zoned(str(enough * 25), str((1 - enough) * 100_000))
    assert settle(stage, 3) == [Side.SELL]
    assert stage.decide().share == pytest.approx(at, abs=D("0.0002"))


def test_a_configured_width_and_the_older_ways_are_kept() -> None:
    stage = zoned("10.5", "58000", zone="0.01")
    settle(stage)
    assert stage.decide().share == pytest.approx(D("0.36"), abs=D("0.0002"))
    for way in ("target", "bound"):
        assert settle(zoned("10.5", "58000", to=way), 3) == []  # inside the band


def test_too_little_there_is_no_refusal_inside_the_band() -> None:
    """The rest is carried: the ranges and the next look have it."""
    config = exchange_config(hedge={"to": "zone"}, strategy={"min_position_quote": D(10**9)})
    stage = both(config, Street(base=D("0.001"), quote=D(10)), base=D("10.5"), quote=D(58_000))
    decision, steps = stage.turn()
    assert (steps, decision.withheld) == ((), False)
    assert decision.carried_base > 0
    assert "hedge_capacity" not in {refusal.rule for refusal in decision.refusals}


@pytest.mark.parametrize("width", ["0", "-0.1", "1.5", "wide", "nan", True])
def test_a_width_that_is_none_is_one_sentence(width: object) -> None:
    with pytest.raises(BadInput, match=r'hedge\.zone must be "auto" or a share'):
        a_config(hedge={"zone": width})


def test_the_stop_loss_does_not_let_the_zone_buy_and_lowers_it_afterwards() -> None:
    stage = zoned("8.75", "65000")
    settle(stage, 2)
    stage.price(D(3700))
    assert Side.BUY not in settle(stage, 30)
    assert stage.memory.stop_loss_waits
    assert stage.decide().share == pytest.approx(D("0.30"), abs=D("0.015"))
