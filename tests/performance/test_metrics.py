"""A track in one row, by hand: every figure can be checked on paper."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.report_scene import START, a_track, point

from dexmm.performance.attribution import Flow, Mark, Source
from dexmm.performance.metrics import drawdown_bp, figures
from dexmm.performance.track.track import Action, RangeShown, Track

D = Decimal
DAY = 86_400


def two_days(**changes: object) -> Track:
    """10 000 at the start; 30 of fees, 10 of gas, and a deposit of 5 000 in between."""
    brought = (
        (),
        (
            Flow(source=Source.FEES, quote=D(30)),
            Flow(source=Source.GAS, quote=D(-10)),
            Flow(source=Source.CAPITAL, quote=D(5000)),
        ),
        (Flow(source=Source.LIQUIDITY, base=D("0.5"), quote=D(-1990)),),
    )
    held = ((D(1), D(6000)), (D(1), D(11_020)), (D("1.5"), D(9030)))
    prices = (D(4000), D(4000), D(3960))
    marks = tuple(
        Mark(at=START + n * DAY, fair_price=price, base=base, quote=quote, flows=flows)
        for n, (price, (base, quote), flows) in enumerate(zip(prices, held, brought, strict=True))
    )
    wide = RangeShown(low=D(3800), high=D(4200), value=D(3000), role="base")
    points = (
        point(START, share=D("0.4"), ranges=(wide,)),
        point(START + DAY, share=D("0.26"), ranges=(wide,)),
        point(START + 2 * DAY, share=D("0.51"), in_range=False),
    )
    return replace(a_track(3), marks=marks, points=points, **changes)


def test_money_time_and_shares() -> None:
    found = figures(two_days())
    assert (found.days, found.turns) == (2, 3)
    assert (found.start, found.end) == (10_000, 14_970)
    assert found.holding == -40
    assert (found.fees, found.gas) == (30, -10)
    # bought half at 3980 and marked it at 3960
    assert (found.divergence, found.loss_versus_rebalancing) == (-10, -10)
    assert found.net == 10
    assert found.net_bp == 10
    assert (found.share_low, found.share_high) == (D("0.26"), D("0.51"))
    assert found.share_mean == pytest.approx(D("0.39"))
    assert found.time_in_band == found.time_in_range == pytest.approx(D(2) / 3)
    assert found.deployed == pytest.approx(D(2000) / ((10_000 + 10_020 + 9_970) / D(3)))
    assert found.capital_efficiency_bp == pytest.approx(D(30) / 2 / 2000 * 10_000)


def test_a_deposit_is_no_recovery_and_no_drawdown() -> None:
    found = figures(two_days())
    assert found.max_drawdown_bp == pytest.approx(D(50) / 10_020 * 10_000)
    # 1.002 times holding at best, 9 970 of 9 960 at the end
    best, last = D(10_020) / 10_000, D(9_970) / 9_960
    assert found.max_drawdown_hold_bp == pytest.approx((best - last) / best * 10_000)


def test_actions_count_when_they_were_mined() -> None:
    actions = [
        Action(at=START, kind=kind, status=status, reason="", turnover_quote=D(turnover))
        for kind, status, turnover in (
            ("deposit", "mined", 0),
            ("rerange", "mined", 0),
            ("rerange", "reverted", 0),
            ("hedge", "done", 700),
            ("quote", "done", 300),
        )
    ]
    found = figures(two_days(actions=tuple(actions)))
    assert (found.reranges, found.turnover) == (1, 1000)


def test_exchange_sources_have_their_own_figures() -> None:
    sources = {
        Source.SWAP: -1,
        Source.HEDGE: 2,
        Source.TRIANGLE: 3,
        Source.QUOTE: 5,
        Source.EXCHANGE_FEE: -7,
        Source.FUNDING: 11,
    }
    flows = tuple(Flow(source=source, quote=D(value)) for source, value in sources.items())
    first = Mark(at=START, fair_price=D(4000), base=D(1), quote=D(0))
    second = replace(first, at=START + DAY, quote=D(sum(sources.values())), flows=flows)
    found = figures(replace(a_track(2), marks=(first, second)))
    assert (found.swap_cost, found.hedge, found.quoting) == (-1, 5, 5)
    assert (found.exchange_fees, found.funding, found.net) == (-7, 11, 13)


def test_one_turn_has_figures_too() -> None:
    found = figures(a_track(1))
    assert (found.days, found.net, found.capital_efficiency_bp) == (0, 0, 0)


@given(st.lists(st.integers(1, 10**6).map(D), min_size=1, max_size=30))
def test_the_drawdown_is_the_deepest_of_all_pairs(values: list[Decimal]) -> None:
    falls = [
        (high - low) * 10_000 / high
        for at, high in enumerate(values)
        for low in values[at:]
        if low <= high
    ]
    assert drawdown_bp(values) == pytest.approx(max(falls))
