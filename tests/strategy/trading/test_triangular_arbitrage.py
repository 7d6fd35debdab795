from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.venue_builders import (
    COIN,
    CROSS,
    SPOT,
    Street,
    a_book,
    an_instrument,
    both,
    exchange_config,
    placed,
)

from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import Outcome
from dexmm.model.venue import Book, Instrument, Level, Side, VenueView
from dexmm.strategy.trading.plan_orders import plan_orders
from dexmm.strategy.trading.triangular_arbitrage import (
    leftovers,
    opportunities,
    resized,
    stray_bp,
    unwind,
)

D = Decimal
FREE = {"maker_fee": D(0), "taker_fee": D(0)}
PAIRS = (SPOT, CROSS, COIN)


def config(**triangle: object):
    return exchange_config(
        triangle={"enabled": True, "max_base": D(1), **triangle},
        strategy={"min_position_quote": D(10**9)},
    )


def three(**changes: object) -> tuple[Instrument, ...]:
    return tuple(
        an_instrument(symbol, amount_step=D("0.000001"), amount_min=D("0.00001"), **changes)
        for symbol in PAIRS
    )


def a_venue(direct: str, *, fee: str = "0", depth: str = "50", coin_depth: str = "50") -> VenueView:
    """PAXG at 0.1 BTC of 40,000 USDT is worth 4000; the direct market says ``direct``."""
    spot, cross, coin = three(taker_fee=D(fee), maker_fee=D(fee))
    street = Street(base=D(3), quote=D(22_000), spot=spot, triangle=(cross, coin))
    street.triangle_books = (
        a_book(D("0.1"), CROSS, half=D("0.000001"), depth=D(depth)),
        a_book(D(40_000), COIN, half=D("0.1"), depth=D(coin_depth)),
    )
    venue = street.view()
    return replace(venue, spot_book=a_book(D(direct), half=D("0.1"), depth=D(depth)))


def test_off_by_default() -> None:
    assert opportunities(a_venue("4100"), exchange_config()) == ((), ())


@pytest.mark.parametrize(
    ("direct", "direction", "symbols", "sides"),
    [
        ("4010", "sell_direct", [COIN, CROSS, SPOT], ["buy", "buy", "sell"]),
        ("3990", "buy_direct", [SPOT, CROSS, COIN], ["buy", "sell", "sell"]),
    ],
)
def test_three_taking_legs_in_both_directions(direct, direction, symbols, sides) -> None:
    (found,), trades = opportunities(a_venue(direct), config())
    assert found.direction == direction
    assert found.taken
    assert found.base == D(1)
    assert found.gross_bp == pytest.approx(25, abs=1)
    assert found.net_bp == pytest.approx(25, abs=1)
    assert found.profit == pytest.approx(10, abs=D("0.5"))
    assert [trade.symbol for trade in trades] == symbols
    assert [trade.side for trade in trades] == sides
    assert {trade.order for trade in trades} == {OrderKind.IOC}
    assert {trade.purpose for trade in trades} == {Purpose.TRIANGLE}
    assert dict(trades[0].compared)["leg_risk"] == found.leg_risk


def test_all_three_fees_count() -> None:
    (found,), trades = opportunities(a_venue("4010", fee="0.001"), config())
    assert trades == ()
    assert not found.taken
    assert "after fees no size earns" in found.why
    (found,), trades = opportunities(a_venue("4010", fee="0.0005"), config())
    assert found.taken
    assert found.net_bp == pytest.approx(10, abs=1)


def test_the_leg_risk_is_what_undoing_the_first_leg_would_cost() -> None:
    (found,), _ = opportunities(a_venue("4010", fee="0.0005"), config())
    # About 4000 USDT of BTC: the spread of 0.2 in 40,000 and two fees of 5 bp.
    assert found.leg_risk == pytest.approx(D("4.02"), abs=D("0.05"))


def test_depth_is_walked_only_as_far_as_it_pays() -> None:
    venue = a_venue("4010")
    thin = Book(
        symbol=SPOT,
        bids=(
            Level(price=D(4010), amount=D("0.2")),
            Level(price=D(4005), amount=D("0.3")),
            Level(price=D(4001), amount=D(9)),
        ),
        asks=(Level(price=D(4011), amount=D(9)),),
        at=venue.at,
    )
    (found,), trades = opportunities(replace(venue, spot_book=thin), config())
    assert found.base == pytest.approx(D("0.5"), abs=D("0.0001"))
    assert trades[-1].limit == D(4005)
    (found,), _ = opportunities(a_venue("4010", coin_depth="0.01"), config())
    assert found.base == pytest.approx(D("0.3"), abs=D("0.001"))


def test_it_spends_no_more_than_is_free() -> None:
    venue = a_venue("4010")
    poor = replace(venue, balances=tuple(replace(b, free=D(400)) for b in venue.balances))
    (found,), trades = opportunities(poor, config())
    assert found.base == pytest.approx(D("0.1"), abs=D("0.0001"))
    assert trades[0].amount * trades[0].limit <= 400


@pytest.mark.parametrize("why", ["stale", "empty", "suspended", "held back"])
def test_every_opportunity_is_reported_with_why_it_was_not_taken(why: str) -> None:
    venue, barred = a_venue("4010"), ""
    cross, coin = venue.triangle_books
    if why == "stale":
        venue = replace(venue, triangle_books=(cross, replace(coin, at=coin.at - 40_000)))
    if why == "empty":
        venue = replace(venue, triangle_books=(cross, replace(coin, bids=())))
    if why == "suspended":
        legs = (replace(venue.triangle[0], tradable=False), venue.triangle[1])
        venue = replace(venue, triangle=legs)
    if why == "held back":
        barred = "held back by twap"
    (found,), trades = opportunities(venue, config(), barred)
    assert trades == ()
    assert not found.taken
    assert why in found.why


def test_no_opportunity_where_prices_agree() -> None:
    assert opportunities(a_venue("4000"), config()) == ((), ())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    direct=st.decimals(min_value=3900, max_value=4100, places=2),
    fee=st.decimals(min_value=0, max_value="0.002", places=4),
    depth=st.decimals(min_value="0.001", max_value=5, places=3),
    least=st.integers(1, 50),
)
def test_what_is_taken_always_pays_even_at_the_worst_prices(direct, fee, depth, least) -> None:
    venue = a_venue(str(direct), fee=str(fee), depth=str(depth))
    found, trades = opportunities(venue, config(min_profit_bp=least))
    for each in found:
        assert each.gross_bp > 0
        assert each.taken or each.why
    if not trades:
        return
    first, second, third = trades
    kept = 1 - fee
    held = first.amount * kept
    spent = first.amount * first.limit
    if second.side is Side.BUY:
        assert second.amount * second.limit <= held
        held = second.amount * kept
    else:
        assert second.amount <= held
        held = second.amount * second.limit * kept
    assert third.amount <= held
    received = third.amount * third.limit * kept
    assert received - spent >= spent * least / 10_000
    assert first.amount <= D(1) or first.symbol != SPOT


# Fills


def a_fill(symbol: str, side: Side, filled: str, cost: str, **fees: Decimal) -> OrderIntent:
    return OrderIntent(
        client_id="a",
        account="a",
        symbol=symbol,
        side=side,
        kind=OrderKind.IOC,
        purpose=Purpose.TRIANGLE,
        amount=D(filled),
        price=D(1),
        reduce_only=False,
        created_at=0,
        status=OrderStatus.CLOSED,
        filled=D(filled),
        cost=D(cost),
        **fees,
    )


def done(order: OrderIntent) -> Outcome:
    return Outcome(step="place_order", status="done", order=order)


def test_a_leg_is_no_larger_than_what_the_one_before_it_brought() -> None:
    venue = a_venue("4010")
    _, trades = opportunities(venue, config())
    first, second, third = placed(plan_orders(venue, trades, (), config()))
    assert resized(first, (), venue) == first
    half = a_fill(COIN, Side.BUY, "0.05", "2000")
    smaller = resized(second, (done(half),), venue)
    assert smaller is not None
    assert smaller.amount == pytest.approx(second.amount / 2, abs=D("0.00001"))
    paid_in_base = a_fill(CROSS, Side.BUY, "0.5", "0.05", fee_base=D("0.0005"))
    last = resized(third, (done(half), done(paid_in_base)), venue)
    assert last is not None
    assert last.amount == D("0.4995")
    nothing = a_fill(COIN, Side.BUY, "0", "0")
    assert resized(second, (done(nothing),), venue) is None


def test_a_fee_in_a_third_coin_takes_nothing_from_the_next_leg() -> None:
    venue = a_venue("4010")
    _, trades = opportunities(venue, config())
    third = placed(plan_orders(venue, trades, (), config()))[2]
    paid_in_bnb = replace(a_fill(CROSS, Side.BUY, "0.5", "0.05"), fee_other=(("BNB", D("0.001")),))
    last = resized(third, (done(paid_in_bnb),), venue)
    assert last is not None
    assert last.amount == D("0.5")


def test_what_a_partial_left_is_sold() -> None:
    exchange = config().exchange
    assert exchange is not None
    coin_only = (a_fill(COIN, Side.BUY, "0.1", "4000", fee_base=D("0.0001")),)
    assert leftovers(coin_only, exchange) == (0, D("0.0999"))
    two = (*coin_only, a_fill(CROSS, Side.BUY, "0.9", "0.09", fee_base=D("0.0009")))
    base, coin = leftovers(two, exchange)
    assert (base, coin) == (D("0.8991"), D("0.0099"))
    venue = a_venue("4010")
    first, second = unwind(base, coin, venue, config())
    assert (first.symbol, first.side, first.amount) == (COIN, Side.SELL, D("0.0099"))
    assert (second.symbol, second.side, second.amount) == (SPOT, Side.SELL, D("0.8991"))
    assert {first.purpose, second.purpose} == {Purpose.UNWIND}
    whole = (*two, a_fill(SPOT, Side.SELL, "0.8991", "3600"))
    assert leftovers(whole, exchange)[0] == 0
    assert unwind(D(0), D("0.0000001"), venue, config()) == ()


def test_a_turn_takes_the_legs_and_the_next_one_undoes_a_partial() -> None:
    settings_ = config()
    spot, cross, coin = three(**FREE)
    street = Street(base=D(3), quote=D(22_000), spot=spot, triangle=(cross, coin))
    street.triangle_books = (
        a_book(D("0.1"), CROSS, half=D("0.000001")),
        a_book(D(40_000), COIN, half=D("0.1")),
    )
    stage = both(settings_, street, base=D(0), quote=D(0), price=D(4010))
    street.price = D(4010)
    decision = stage.decide()
    assert [found.taken for found in decision.opportunities] == [True]
    assert [trade.symbol for trade in decision.trades] == [COIN, CROSS, SPOT]
    stage.memory = replace(stage.memory, triangle_coin=D("0.05"))
    decision = stage.decide()
    assert [trade.purpose for trade in decision.trades] == [Purpose.UNWIND]
    assert [found.why for found in decision.opportunities] == ["the last one is being undone"]


# The night of 2022-11-08, minute by minute


def minutes(folder: Path, pair: str) -> dict[int, Decimal]:
    name = f"{pair}_spot_1m_2022-11-08.csv.gz"
    with gzip.open(folder / "prices" / name, "rt") as text:
        return {int(row["timestamp_ms"]): D(row["close"]) for row in csv.DictReader(text)}


@pytest.mark.data
def test_the_night_of_the_collapse(shared_data: Path) -> None:
    closes = [minutes(shared_data, pair) for pair in ("PAXGUSDT", "PAXGBTC", "BTCUSDT")]
    common = sorted(set(closes[0]) & set(closes[1]) & set(closes[2]))
    strays = [stray_bp(*(close[at] for close in closes)) for at in common]
    assert round(min(strays)) == -36
    assert round(max(strays)) == 45
    assert sum(abs(stray) > 10 for stray in strays) / len(strays) == pytest.approx(0.336, abs=0.001)
    counted = {"0": [0, 0], "0.001": [0, 0]}
    for fee, (spot, cross, coin) in (
        (fee, three(taker_fee=D(fee), maker_fee=D(fee))) for fee in counted
    ):
        for at in common:
            venue = _at(at, [close[at] for close in closes], (spot, cross, coin))
            found, trades = opportunities(venue, config())
            assert all(each.taken or each.why for each in found)
            counted[fee][0] += len(found)
            counted[fee][1] += bool(trades)
    # Without fees most strays pay; with 10 bp a leg only those beyond 30 bp.
    assert counted["0"][0] == counted["0.001"][0] > 900
    assert counted["0"][1] > 400
    assert counted["0.001"][1] == sum(abs(stray) > 35 for stray in strays)
    print(f"{len(common)} minutes: without fees and with 10 bp a leg, seen and taken: {counted}")


def _at(at: int, closes: list[Decimal], instruments: tuple[Instrument, ...]) -> VenueView:
    """The last prices as books of one level without a spread."""
    spot, cross, coin = instruments
    direct, through, of_coin = closes
    street = Street(price=direct, base=D(9), quote=D(9_000), spot=spot, triangle=(cross, coin))
    venue = street.view()

    def book(symbol: str, price: Decimal) -> Book:
        tiny = price / 10**9
        return a_book(price, symbol, half=tiny, levels=1, at=venue.at)

    return replace(
        venue,
        spot_book=book(SPOT, direct),
        triangle_books=(book(CROSS, through), book(COIN, of_coin)),
    )
