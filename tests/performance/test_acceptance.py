"""Verdicts: each criterion bites on its own number, and nothing passes unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from report.report_scene import START, a_track, point
from strategy.venue_builders import SPOT

from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.venue import Side
from dexmm.performance.acceptance import (
    Criterion,
    EvidenceRules,
    TrialRules,
    Verdict,
    evidence,
    trial,
)
from dexmm.performance.attribution import Flow, Source
from dexmm.performance.fills import filled
from dexmm.performance.number_format import duration, percent, signed
from dexmm.performance.order_statistics import BY_US
from dexmm.performance.quote_presence import presence
from dexmm.performance.refusal_counts import Refused, refused
from dexmm.performance.track.track import Quoted, Track
from dexmm.performance.uptime import Outage, uptime

D = Decimal
HOUR, DAY = 3600, 86_400


def failed(verdict: Verdict) -> set[str]:
    assert verdict.passed == (not verdict.failed)
    return {criterion.what for criterion in verdict.failed}


def notes(verdict: Verdict) -> str:
    return "; ".join(criterion.note for criterion in verdict.failed)


# The trial


def test_a_good_day_passes() -> None:
    verdict = trial(a_track(), TrialRules())
    assert failed(verdict) == set()
    assert verdict.name == "24-hour trial"


def test_a_minute_less_than_a_day_is_not_enough() -> None:
    verdict = trial(a_track(1440), TrialRules())
    assert failed(verdict) == {"observed long enough"}
    assert "not enough data" in notes(verdict)
    assert verdict.failed[0].found == "23.9 hours"


def test_hours_that_were_slept_through_do_not_count() -> None:
    track = a_track()
    kept = (*range(700), *range(800, 1441))
    # What happened in the gap came in by its end, so that the accounts close.
    gap = track.marks[800]
    later = tuple(
        replace(flow, quote=flow.quote * 101) if flow.quote else flow for flow in gap.flows
    )
    marks = [track.marks[n] if n != 800 else replace(gap, flows=later) for n in kept]
    slept = replace(track, points=tuple(track.points[n] for n in kept), marks=tuple(marks))
    verdict = trial(slept, TrialRules())
    assert failed(verdict) == {"observed long enough"}
    assert "outages left out" in notes(verdict)


def without_fees(track: Track) -> Track:
    """The same money, from quotes on an exchange: no turn found pool fees grown."""
    marks = tuple(
        replace(
            mark,
            flows=tuple(
                replace(f, source=Source.QUOTE) if f.source is Source.FEES else f
                for f in mark.flows
            ),
        )
        for mark in track.marks
    )
    return replace(track, marks=marks)


def test_without_fills_nothing_can_be_judged() -> None:
    verdict = trial(without_fees(a_track()), TrialRules())
    assert failed(verdict) == {"fills"}
    assert "not enough data" in notes(verdict)
    assert failed(trial(without_fees(a_track()), TrialRules(fills=0))) == set()


def test_filled_orders_are_fills() -> None:
    orders = tuple(an_order(n) for n in range(20))
    track = replace(without_fees(a_track()), orders=orders)
    assert failed(trial(track, TrialRules())) == set()
    assert failed(trial(replace(track, orders=orders[1:]), TrialRules())) == {"fills"}


@pytest.mark.parametrize(("share", "fails"), [("0.505", False), ("0.5051", True), ("0.19", True)])
def test_one_turn_outside_the_band_is_too_many(share: str, fails: bool) -> None:
    track = a_track()
    points = (*track.points[:-1], replace(track.points[-1], share=D(share)))
    found = failed(trial(replace(track, points=points), TrialRules()))
    assert found == ({"share inside its band"} if fails else set())


def test_a_loss_does_not_pass_nor_does_nothing() -> None:
    track = a_track()
    costly = tuple(replace(mark, flows=(), quote=track.marks[0].quote) for mark in track.marks)
    verdict = trial(replace(track, marks=costly), TrialRules(fills=0))
    assert failed(verdict) == {"net after all costs"}


def test_accounts_that_are_not_explained_are_not_believed() -> None:
    track = a_track()
    marks = tuple(
        replace(mark, flows=tuple(replace(f, source=Source.UNEXPLAINED) for f in mark.flows))
        for mark in track.marks
    )
    verdict = trial(replace(track, marks=marks), TrialRules(fills=0))
    assert failed(verdict) == {"accounts explained"}


def test_errors_and_halts_do_not_pass() -> None:
    assert failed(trial(a_track(errors=("KeyError: 'x'",)), TrialRules())) == {"unhandled errors"}
    assert failed(trial(a_track(halted="drawdown"), TrialRules())) == {"halts"}
    track = a_track()
    once = (replace(track.points[0], state="HALTED"), *track.points[1:])
    assert failed(trial(replace(track, points=once), TrialRules())) == {"halts"}


def test_a_log_that_was_not_searched_is_said() -> None:
    (criterion,) = [
        c for c in trial(a_track(), TrialRules(), log_searched=False).criteria if "error" in c.what
    ]
    assert "not searched" in criterion.note


# Evidence


def an_order(number: int, **changes: object) -> OrderIntent:
    known = OrderIntent(
        client_id=f"q-{number}",
        account="binance",
        symbol=SPOT,
        side=Side.BUY if number % 2 else Side.SELL,
        kind=OrderKind.POST_ONLY,
        purpose=Purpose.QUOTE,
        amount=D("0.1"),
        price=D(4000),
        reduce_only=False,
        created_at=START + number,
        status=OrderStatus.CLOSED,
        filled=D("0.1"),
        cost=D(400),
    )
    return replace(known, **changes)


def quoting(**changes: object) -> Track:
    """A day of two-sided quotes a dollar apart, a tenth of a PAXG on each side; 100 orders."""
    track = a_track()
    looks = tuple(
        Quoted(
            at=p.at,
            bid=D("3999.5"),
            ask=D("4000.5"),
            bid_base=D("0.1"),
            ask_base=D("0.1"),
            bid_quote=D("399.95"),
            ask_quote=D("400.05"),
        )
        for p in track.points
    )
    orders = tuple(an_order(n) for n in range(100))
    return replace(track, **{"quoted": looks, "orders": orders, **changes})


def test_a_day_of_quotes_is_evidence() -> None:
    verdict = evidence(quoting(), EvidenceRules())
    assert failed(verdict) == set()
    seen = presence(quoting())
    assert seen.spread_median_bp == seen.spread_mean_bp == D("2.5")
    assert (seen.two_sided, seen.one_sided, seen.bid_base, seen.ask_quote) == (
        1,
        0,
        D("0.1"),
        D("400.05"),
    )


def test_without_an_exchange_there_is_not_enough_data() -> None:
    verdict = evidence(a_track(), EvidenceRules())
    assert failed(verdict) == {
        "order success",
        "cancel ratio",
        "quoted on both sides",
        "quoted spread",
    }
    assert notes(verdict).count("not enough data") == 4


def test_evidence_values_fees_in_third_coins_and_fails_on_one_without_a_price() -> None:
    bnb = ("BNB", D("0.001"))

    def fees(valued: tuple[tuple[str, Decimal, Decimal], ...]) -> Criterion:
        paid = {"fee_base": D(0), "fee_quote": D(0), "fee_other": (bnb,), "fee_valued": valued}
        verdict = evidence(changed_orders(2, **paid), EvidenceRules())
        (found,) = [c for c in verdict.criteria if c.what == "exchange fees"]
        return found

    rest = sum((an_order(n).fee_quote for n in range(2, 100)), D(0))
    known = fees(((*bnb, D("0.60")),))
    assert (known.passed, known.found) == (True, f"{rest + D('1.2'):.2f} USDT")
    assert known.note == "of which 1.20 USDT paid in BNB"
    unknown = fees(())
    assert (unknown.passed, unknown.found) == (False, f"{rest:.2f} USDT")
    assert "0.002 BNB have no known price" in unknown.note


def changed_orders(count: int, **changes: object) -> Track:
    return quoting(orders=tuple(an_order(n, **(changes if n < count else {})) for n in range(100)))


def only_bids(share: Decimal) -> Track:
    track = quoting()
    cut = int(len(track.quoted) * share)
    looks = tuple(replace(q, ask=None) if n < cut else q for n, q in enumerate(track.quoted))
    return replace(track, quoted=looks)


def interrupted(hours: int) -> Track:
    track = quoting()
    return replace(track, ended=track.points[-1].at + hours * HOUR)


@pytest.mark.parametrize(
    ("enough", "short", "fails"),
    [
        (
            lambda: changed_orders(5, status=OrderStatus.REJECTED, filled=D(0)),
            lambda: changed_orders(6, status=OrderStatus.REJECTED, filled=D(0)),
            "order success",
        ),
        (
            lambda: changed_orders(30, detail=BY_US),
            lambda: changed_orders(31, detail=BY_US),
            "cancel ratio",
        ),
        (lambda: only_bids(D("0.19")), lambda: only_bids(D("0.21")), "quoted on both sides"),
        (lambda: interrupted(1), lambda: interrupted(2), "uptime"),
        (quoting, lambda: replace(quoting(), points=quoting().points[:-1]), "period"),
    ],
)
def test_every_threshold_bites(
    enough: Callable[[], Track], short: Callable[[], Track], fails: str
) -> None:
    assert failed(evidence(enough(), EvidenceRules())) == set()
    assert failed(evidence(short(), EvidenceRules())) == {fails}


def test_a_spread_counts_for_as_long_as_it_was_seen() -> None:
    """Ten seconds at 2.5 bp, then twenty at 5: the mean leans to the longer, the median does not.

    The last look stands for one interval, and no look for more than two.
    """
    narrow = Quoted(at=0, bid=D("3999.5"), ask=D("4000.5"))
    wide = Quoted(at=10, bid=D(3999), ask=D(4001))
    track = replace(a_track(), interval_seconds=10, quoted=(narrow, wide, replace(narrow, at=600)))
    seen = presence(track)
    assert seen.seconds == 10 + 20 + 10
    assert seen.spread_median_bp == D("2.5")
    assert seen.spread_mean_bp == (D("2.5") * 20 + 5 * 20) / 40
    assert (seen.spread_low_bp, seen.spread_high_bp) == (D("2.5"), 5)


# Uptime, fills, refusals, numbers


def at(*seconds: int, **changes: object) -> Track:
    points = tuple(point(START + s) for s in seconds)
    return replace(a_track(2), points=points, **changes)


def test_a_turn_that_waits_for_a_receipt_is_no_outage() -> None:
    found = uptime(at(0, 60, 300, 360))
    assert (found.outages, found.share, found.turns, found.scheduled) == ((), 1, 4, 7)


def test_a_longer_silence_is_one_and_all_but_an_interval_counts() -> None:
    found = uptime(at(0, 60, 60 + HOUR, 120 + HOUR))
    assert found.outages == (
        Outage(began=START + 60, ended=START + 60 + HOUR, down_seconds=HOUR - 60),
    )
    assert found.up_seconds == 180


def test_silence_before_and_after_counts_where_it_was_asked_for() -> None:
    track = at(0, 60, began=START - HOUR, ended=START + 60 + HOUR)
    assert len(uptime(track).outages) == 2
    assert uptime(replace(track, began=0, ended=0)).outages == ()


def test_one_turn_is_no_time_at_all() -> None:
    found = uptime(at(0))
    assert (found.seconds, found.share, found.scheduled) == (0, 0, 1)


def test_fills_and_the_volume_behind_fees() -> None:
    track = replace(a_track(11), fee_rate=D("0.000375"), orders=(an_order(0), an_order(1)))
    found = filled(track)
    assert (found.pool, found.pool_fees, found.exchange, found.quotes) == (10, 10, 2, 2)
    assert found.pool_volume == pytest.approx(D(10) / D("0.000375"))
    assert (found.bought_base, found.sold_base, found.exchange_volume) == (
        D("0.1"),
        D("0.1"),
        800,
    )
    assert filled(a_track(11)).pool_volume is None


def test_fees_in_base_are_fees_too() -> None:
    track = a_track(2)
    flow = Flow(source=Source.FEES, base=D("0.001"))
    last = replace(track.marks[1], flows=(flow,))
    assert filled(replace(track, marks=(track.marks[0], last))).pool_fees == 4


def test_refusals_are_counted_by_turn_with_the_first_reason() -> None:
    def bitten(*rules: str, withheld: bool = False) -> object:
        refusals = tuple(Refusal(rule=rule, detail=f"{rule} {len(rules)}") for rule in rules)
        return point(0, refusals=refusals, withheld=withheld)

    found = refused([bitten("twap"), bitten("twap", "gas_cap", withheld=True), bitten()])
    assert found == (
        Refused(rule="twap", turns=2, withheld=1, explanation="twap 1"),
        Refused(rule="gas_cap", turns=1, withheld=1, explanation="gas_cap 2"),
    )


def test_numbers_flatter_nobody() -> None:
    assert percent(D("0.99999")) == "99.9 %"
    assert percent(D("0.3"), 0) == "30 %"
    assert duration(DAY - 1) == "23.9 hours"
    assert duration(4 * DAY) == "4.0 days"
    assert (duration(59), duration(119), duration(120)) == ("59 seconds", "1 minute", "2 minutes")
    assert (signed(D("-1234.5")), signed(D(2)), signed(D("-0.001"))) == (
        "−1 234.50",
        "+2.00",
        "0.00",
    )
