"""What a run amounts to, from points made by hand: every figure can be checked on paper."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dexmm.model.decision import Refusal
from dexmm.sandbox.summary import Chain, Run, TurnPoint, rebalanced, refused, shares, summarise

D = Decimal
POINT = TurnPoint(
    at=1_000,
    fair_price=D(4000),
    pool_price=D(4001),
    base=D(1),
    quote=D(6000),
    share=D("0.4"),
    nav=D(10_000),
    in_range=True,
    refusals=(),
    withheld=False,
    outcomes=(),
    known=frozenset(),
)
CHAIN = Chain(
    fair_price=D(5000),
    base=D("0.9"),
    quote=D(6700),
    eth_spent=D("0.01"),
    eth_price=D(4000),
    transactions=3,
    fees_base=D("0.02"),
    fees_quote=D(50),
    owned=frozenset({7}),
    observed=frozenset({7}),
    swaps=12,
    noise_base=D(3),
    arbitrage_base=D(2),
)
RUN = Run(
    strategy="budget",
    prices="by hand",
    flow="busy",
    seed=1,
    planned_turns=4,
    candles_filled=0,
    skipped_turns=0,
    band_low=D("0.2"),
    band_high=D("0.5"),
    wall_seconds=D("1.5"),
)


def bitten(*rules: str, withheld: bool = False) -> TurnPoint:
    refusals = tuple(Refusal(rule=rule, detail=f"why {rule}") for rule in rules)
    return replace(POINT, refusals=refusals, withheld=withheld)


def test_against_holding_and_against_rebalancing() -> None:
    points = [POINT, replace(POINT, at=1_300, fair_price=D(5000), known=frozenset({7}))]
    summary = summarise(points, CHAIN, (), RUN)
    assert summary.nav_start == 10_000
    assert summary.nav_end == D("0.9") * 5000 + 6700 == 11_200
    assert summary.holding_end == 5000 + 6000 == 11_000
    assert summary.against_holding == 200
    assert summary.against_holding_bp == 200
    assert summary.after_gas == 200 - 40
    # 40 % of the money saw +25 %
    assert summary.rebalanced_end == 11_000
    assert summary.fees_value == D("0.02") * 5000 + 50
    assert (summary.gas_eth, summary.gas_quote) == (D("0.01"), 40)
    assert summary.simulated_seconds == 300


def test_what_was_earned_has_the_gas_taken_off_month_by_month() -> None:
    """10,000 at the start; gas of 0.004 ether in January, of 0.01 in all, an ether at 4,000."""
    day = 86_400
    points = [
        replace(POINT, at=29 * day, eth=D(1)),
        replace(POINT, at=31 * day, eth=D("0.996"), nav=D(10_100)),
        replace(POINT, at=33 * day, eth=D("0.99"), fair_price=D(5000), nav=D(11_100)),
    ]
    found = summarise(points, CHAIN, (), RUN).earned
    whole = found.whole
    assert (whole.start, whole.end) == (10_000, 11_200 - 40)
    assert (whole.gain, whole.price, whole.making) == (1160, 1000, 160)
    january, february = found.months
    assert (january.name, january.gain, january.price) == ("1970-01", 100 - 16, 0)
    assert (february.name, february.gain, february.making) == ("1970-02", 1160 - 84, 160 - 84)


def test_rebalancing_loses_to_holding_in_a_round_trip_only_by_volatility() -> None:
    # 10,000 at 50 %: +25 % makes 11,250; back down is -20 % on half of it.
    prices = [D(4000), D(5000), D(4000)]
    assert rebalanced(D(10_000), D("0.5"), prices) == D(11_250) * D("0.9") == 10_125
    assert rebalanced(D(10_000), D(0), prices) == 10_000
    assert rebalanced(D(10_000), D(1), prices) == 10_000
    assert rebalanced(D(10_000), D("0.5"), prices[:1]) == 10_000


def test_shares_count_turns_inside_the_closed_band() -> None:
    values = ["0.19", "0.20", "0.35", "0.50", "0.51"]
    found = shares([replace(POINT, share=D(v)) for v in values], D("0.20"), D("0.50"))
    assert (found.low, found.mean, found.high) == (D("0.19"), D("0.35"), D("0.51"))
    assert (found.in_band, found.first, found.last) == (D("0.6"), D("0.19"), D("0.51"))


def test_refusals_are_counted_by_turn_with_the_first_reason() -> None:
    points = [
        bitten("twap"),
        bitten("twap", "gas_cap", withheld=True),
        bitten("twap", "twap"),
        POINT,
    ]
    found = {entry.rule: entry for entry in refused(points)}
    assert [entry.rule for entry in refused(points)] == ["twap", "gas_cap"]
    assert (found["twap"].turns, found["twap"].withheld) == (3, 1)
    assert (found["gas_cap"].turns, found["gas_cap"].withheld) == (1, 1)
    assert found["twap"].explanation == "why twap"


def test_actions_are_counted_by_what_became_of_them() -> None:
    points = [
        replace(POINT, outcomes=(("approve", "mined"), ("deposit", "mined"))),
        replace(POINT, outcomes=(("rerange", "mined"),)),
        replace(POINT, outcomes=(("rerange", "reverted"),)),
        replace(POINT, outcomes=(("rerange", "refused"),)),
        replace(POINT, outcomes=(("swap", "mined"),)),
    ]
    summary = summarise(points, CHAIN, (), RUN)
    assert (summary.deposits, summary.reranges, summary.swaps, summary.reverted) == (1, 1, 1, 1)
    assert (summary.turns, summary.planned_turns, summary.transactions) == (5, 4, 3)


@pytest.mark.parametrize(
    ("owned", "observed", "journal", "untracked"),
    [
        ({7}, {7}, {7}, ()),
        ({7}, {7, 6}, {6, 7}, ()),
        ({7, 9}, {7}, {7, 9}, (9,)),  # the product does not see it
        ({7, 9}, {7, 9}, {7}, (9,)),  # it came from no turn
        (set(), set(), {7}, ()),
    ],
)
def test_a_position_is_tracked_when_both_snapshot_and_journal_know_it(
    owned: set[int], observed: set[int], journal: set[int], untracked: tuple[int, ...]
) -> None:
    chain = replace(CHAIN, owned=frozenset(owned), observed=frozenset(observed))
    summary = summarise([replace(POINT, known=frozenset(journal))], chain, (), RUN)
    assert summary.untracked == untracked
    assert summary.positions_on_chain == len(owned)
    assert summary.positions_tracked == len(owned) - len(untracked)
