"""Orders against balances: fills where the balances show them, funding, basis, coins aside."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from report.report_scene import Recorder, total
from strategy.builders import START, a_config
from strategy.venue_builders import PERPETUAL, SPOT, Street, an_instrument, both

from dexmm.config.schema import parse_config
from dexmm.model.entry import Entry
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.venue import Balance, RestingOrder, Side, VenueView
from dexmm.performance.acceptance import TrialRules, trial
from dexmm.performance.attribution import Source, attribute
from dexmm.performance.metrics import figures
from dexmm.performance.track.journal_track import from_journal
from dexmm.performance.track.track import Track
from dexmm.report.track_report import track_page
from dexmm.wiring.exchange_only import chain_at

D = Decimal
NO_POOL = {
    "network": {"name": "sandbox"},
    "market": {"price_low": 1000, "price_high": 9000},
    "exchange": {"id": "binance", "symbol": SPOT},
    "quotes": {"enabled": True},
}


def entries(count: int, **street: object) -> list[Entry]:
    """Turns a minute apart at which nothing happened at all."""
    recorder = Recorder(both(a_config(), Street(base=D(5), quote=D(20_000), **street), quote=D(0)))
    for _ in range(count):
        recorder.turn()
    idle = recorder.entries[0]
    return [
        replace(
            idle,
            id=number,
            at=entry.at,
            steps=(),
            outcomes=(),
            snapshot=replace(idle.snapshot, venue=replace(_venue(entry), at=entry.at * 1000)),
        )
        for number, entry in enumerate(recorder.entries, start=1)
    ]


def _venue(entry: Entry) -> VenueView:
    assert entry.snapshot.venue is not None
    return entry.snapshot.venue


def seeing(entry: Entry, **changes: object) -> Entry:
    return replace(entry, snapshot=replace(entry.snapshot, venue=replace(_venue(entry), **changes)))


def holding(entry: Entry, base: str, quote: str) -> Entry:
    balances = tuple(
        Balance(coin=coin, free=D(amount), total=D(amount))
        for coin, amount in (("PAXG", base), ("USDT", quote))
    )
    return seeing(entry, balances=balances)


def an_order(**changes: object) -> OrderIntent:
    known = OrderIntent(
        client_id="q-1",
        account="binance",
        symbol=SPOT,
        side=Side.BUY,
        kind=OrderKind.POST_ONLY,
        purpose=Purpose.QUOTE,
        amount=D(1),
        price=D(3999),
        reduce_only=False,
        created_at=START + 90,
        status=OrderStatus.CLOSED,
        filled=D(1),
        cost=D(3999),
        fee_quote=D(4),
    )
    return replace(known, **changes)


def resting(order: OrderIntent, filled: str) -> RestingOrder:
    return RestingOrder(
        client_id=order.client_id,
        exchange_id="7",
        symbol=order.symbol,
        side=order.side,
        price=order.price,
        amount=order.amount,
        filled=D(filled),
        at=order.created_at * 1000,
        ours=True,
    )


def told(found: list[Entry], *orders: OrderIntent) -> Track:
    return from_journal(found, orders, a_config())


def test_a_quote_is_booked_as_it_fills() -> None:
    """A quarter by the second look, the rest by the third; fees in proportion."""
    first, second, third = entries(3)
    order = an_order(created_at=START + 61)
    second = seeing(holding(second, "5.25", "18999.25"), resting=(resting(order, "0.25"),))
    third = holding(third, "6", "15997")
    track = told([first, second, third], order)
    flows = [{f.source: (f.base, f.quote) for f in mark.flows} for mark in track.marks]
    assert flows[1] == {
        Source.QUOTE: (D("0.25"), D("-999.75")),
        Source.EXCHANGE_FEE: (0, -1),
    }
    assert flows[2] == {
        Source.QUOTE: (D("0.75"), D("-2999.25")),
        Source.EXCHANGE_FEE: (0, -3),
    }


def test_one_that_rested_before_the_first_look_had_filled_already() -> None:
    first, second = entries(2)
    order = an_order(created_at=START - 500)
    first = seeing(first, resting=(resting(order, "0.75"),))
    second = holding(second, "5.25", "18999.25")
    track = told([first, second], order)
    assert total(track, Source.QUOTE) == (D("0.25"), D("-999.75"))
    assert total(track, Source.UNEXPLAINED) == (0, 0)


def test_one_that_ended_before_the_first_look_is_no_news() -> None:
    track = told(entries(2), an_order(created_at=START - 500))
    assert track.marks[1].flows == ()


@pytest.mark.parametrize("other", [None, an_order(client_id="q-2", side=Side.SELL, price=D(4001))])
def test_a_fill_waits_until_the_balances_show_it(other: OrderIntent | None) -> None:
    first, second, third = entries(3)
    late = an_order(created_at=START + 61)
    shown, orders = (("5", "20000"), [late])
    if other is not None:
        other = replace(other, created_at=START + 61, cost=D(4001))
        shown, orders = (("4", "23997"), [late, other])
    second = holding(second, *shown)
    third = holding(third, str(D(shown[0]) + 1), str(D(shown[1]) - 4003))
    track = told([first, second, third], *orders)
    assert {f.source for f in track.marks[2].flows} == {Source.QUOTE, Source.EXCHANGE_FEE}
    assert total(track, Source.UNEXPLAINED) == (0, 0)


def test_what_no_order_explains_is_shown() -> None:
    first, second = entries(2)
    track = told([first, holding(second, "5", "19987.5")])
    assert total(track, Source.UNEXPLAINED) == (0, D("-12.5"))


def test_a_third_coin_is_outside_the_accounts() -> None:
    """A triangle's legs through another coin, and a fee in it."""
    first, second = entries(2)
    sell = an_order(
        client_id="t-1",
        symbol="PAXG/BTC",
        side=Side.SELL,
        purpose=Purpose.TRIANGLE,
        price=D("0.1"),
        cost=D("0.1"),
        fee_quote=D("0.0001"),
        created_at=START + 61,
    )
    coin = an_order(
        client_id="t-2",
        symbol="BTC/USDT",
        side=Side.SELL,
        purpose=Purpose.TRIANGLE,
        price=D(40_100),
        filled=D("0.0999"),
        cost=D("4005.99"),
        fee_quote=D(0),
        fee_other=(("BNB", D("0.01")),),
        created_at=START + 62,
    )
    track = told([first, holding(second, "4", "24005.99")], sell, coin)
    assert total(track, Source.TRIANGLE) == (-1, D("4005.99"))
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    assert any("0.01 BNB" in line for line in track.assumptions)


BNB = ("BNB", D("0.01"))


def test_a_fee_in_a_third_coin_is_taken_off_as_it_was_valued() -> None:
    """Half of it by the second look, the rest by the third; no balance of the market shows it."""
    first, second, third = entries(3)
    order = an_order(
        created_at=START + 61, fee_quote=D(0), fee_other=(BNB,), fee_valued=((*BNB, D("8.02")),)
    )
    second = seeing(holding(second, "5.5", "18000.5"), resting=(resting(order, "0.5"),))
    track = told([first, second, holding(third, "6", "16001")], order)
    paid = [
        flow.quote
        for mark in track.marks
        for flow in mark.flows
        if flow.source is Source.EXCHANGE_FEE
    ]
    assert paid == [D("-4.01"), D("-4.01")]
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    bought = [mark for mark in track.marks if any(f.source is Source.QUOTE for f in mark.flows)]
    assert bought[-1].quote == 16_001 - D("8.02")
    found = attribute(track.marks)
    free = told([first, second, holding(third, "6", "16001")], replace(order, fee_other=()))
    assert found.against_holding == attribute(free.marks).against_holding  # valued is what counts
    unpaid = replace(order, fee_other=(), fee_valued=())
    without = attribute(told([first, second, holding(third, "6", "16001")], unpaid).marks)
    assert without.against_holding - found.against_holding == D("8.02")
    assert any("0.01 BNB are counted at 8.02 USDT" in line for line in track.assumptions)
    shown = figures(track)
    assert shown.exchange_fees == D("-8.02")


def test_a_fee_without_a_price_is_said_and_no_trial_is_passed_with_it() -> None:
    """As in every journal that an earlier version wrote."""
    first, second = entries(2)
    order = an_order(created_at=START + 61, fee_quote=D(0), fee_other=(BNB,))
    track = told([first, holding(second, "6", "16001")], order)
    assert any("0.01 BNB have no known price" in line for line in track.assumptions)
    net = next(c for c in trial(track, TrialRules()).criteria if c.what == "net after all costs")
    assert not net.passed
    assert "0.01 BNB have no known price" in net.note
    priced = replace(order, fee_valued=((*BNB, D(8)),))
    track = told([first, holding(second, "6", "16001")], priced)
    net = next(c for c in trial(track, TrialRules()).criteria if c.what == "net after all costs")
    assert net.note == ""


def test_a_fee_in_the_markets_own_coin_on_another_symbol_is_in_its_balances() -> None:
    """USDT taken for an order in PAXG/BTC: no third coin, and nothing is counted twice."""
    first, second = entries(2)
    order = an_order(
        symbol="PAXG/BTC",
        side=Side.SELL,
        purpose=Purpose.TRIANGLE,
        price=D("0.1"),
        cost=D("0.1"),
        fee_quote=D(0),
        fee_other=(("USDT", D(4)),),
        fee_valued=(("USDT", D(4), D(4)),),
        created_at=START + 61,
    )
    track = told([first, holding(second, "4", "19996")], order)
    assert total(track, Source.EXCHANGE_FEE) == (0, -4)
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    assert track.marks[-1].quote == 19_996


def perpetual(entry: Entry, **changes: object) -> Entry:
    position = _venue(entry).position
    assert position is not None
    return seeing(entry, position=replace(position, **changes))


def short(count: int) -> list[Entry]:
    """Two sold at 4000 on 8 000 of margin."""
    return entries(
        count, perpetual=an_instrument(PERPETUAL), short=D(2), entry=D(4000), margin=D(8000)
    )


def test_a_mark_that_strays_counts_with_the_hedges() -> None:
    first, second = short(2)
    second = perpetual(second, mark_price=D(4003), unrealised=D(-6))
    track = told([first, second])
    assert total(track, Source.HEDGE) == (0, -6)
    assert total(track, Source.UNEXPLAINED) == (0, 0)


def test_funding_is_told_where_its_time_has_passed() -> None:
    first, second = short(2)
    first = perpetual(first, funding_at=first.at * 1000 + 1)
    second = perpetual(second, margin=D("8000.8"), funding_at=second.at * 1000 + 1)
    track = told([first, second])
    assert total(track, Source.FUNDING) == (0, D("0.8"))
    assert total(track, Source.UNEXPLAINED) == (0, 0)


@pytest.mark.parametrize(("margin", "due"), [("8000.8", False), ("8400", True)])
def test_what_cannot_be_funding_is_not_called_so(margin: str, due: bool) -> None:
    """No funding time has passed, or it is five per cent of the notional."""
    first, second = short(2)
    first = perpetual(first, funding_at=first.at * 1000 + (1 if due else 3_600_000))
    track = told([first, perpetual(second, margin=D(margin))])
    assert total(track, Source.FUNDING) == (0, 0)
    assert total(track, Source.UNEXPLAINED) == (0, D(margin) - 8000)


def test_a_transfer_between_the_accounts_is_nothing() -> None:
    first, second = short(2)
    track = told([first, holding(perpetual(second, margin=D(9000)), "5", "19000")])
    assert track.marks[1].flows == ()


def test_a_perpetual_hedge_trades_base_for_what_it_owes() -> None:
    first, second = short(2)
    order = an_order(
        symbol=PERPETUAL,
        side=Side.SELL,
        purpose=Purpose.HEDGE,
        price=D(3990),
        cost=D(3995),
        fee_quote=D(2),
        created_at=START + 61,
    )
    entry = (D(4000) * 2 + 3995) / 3
    second = perpetual(
        second, base=D(-3), entry_price=entry, margin=D(7998), unrealised=3 * entry - 12_000
    )
    track = told([first, second], order)
    price = first.decision.fair_price
    assert total(track, Source.HEDGE) == (-1, D(3995) - (4000 - price))  # the mark is not fair
    assert total(track, Source.EXCHANGE_FEE) == (0, -2)
    base, quote = total(track, Source.UNEXPLAINED)
    assert base == 0
    assert abs(quote) < D("1e-20")  # the average entry price never ends


def test_without_a_pool_the_exchange_is_all_there_is() -> None:
    config = parse_config(NO_POOL, Path(), source="test")
    first, second = (
        replace(e, snapshot=replace(e.snapshot, chain=chain_at(_venue(e), config)))
        for e in entries(2)
    )
    order = an_order(created_at=START + 61)
    track = from_journal([first, holding(second, "6", "15997")], [order], config)
    assert total(track, Source.QUOTE) == (1, -3999)
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    assert "pool" not in track.facts
    assert track.fee_rate == 0
    assert track_page(track).html().count('class="plot"') == 4
