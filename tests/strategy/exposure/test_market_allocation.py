"""What each of several markets may count of one wallet, one account and one margin."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import World
from strategy.exposure.test_order_ownership import DOLLAR, GOLD, an_order, trader
from strategy.venue_builders import PERPETUAL, Street, an_instrument

from dexmm.model.order import OrderIntent
from dexmm.model.venue import Balance, RestingOrder, Side, VenueView
from dexmm.strategy.exposure.inventory import inventory
from dexmm.strategy.exposure.market_allocation import Member, portion
from dexmm.strategy.exposure.order_ownership import Trader

D = Decimal
SILVER = trader(
    "silver", "XAUT/USDT", perpetual_id="binanceusdm", perpetual_symbol="XAUT/USDT:USDT"
)
QUOTED_IN_USDC = trader(
    "usdc", "XAUT/USDC", perpetual_id="binanceusdm", perpetual_symbol="XAUT/USDC:USDC"
)


def members(*traders: Trader) -> list[Member]:
    return [
        Member(config=t.config, account=t.account, view=World(config=t.config).view())
        for t in traders
    ]


def venue(*orders: RestingOrder, margin: str = "0", **coins: tuple[str, str]) -> VenueView:
    """``coins``: free and total of each."""
    street = Street(margin=D(margin), perpetual=an_instrument(PERPETUAL))
    balances = tuple(
        Balance(coin=coin, free=D(free), total=D(total)) for coin, (free, total) in coins.items()
    )
    return replace(street.view(), balances=balances, resting=orders)


def its(
    traders: tuple[Trader, ...], number: int, seen: VenueView, *orders: OrderIntent
) -> VenueView:
    there = portion(members(*traders), number, seen, orders)[1]
    assert there is not None
    return there


def test_a_triangle_moves_its_own_markets_gold_and_nobody_elses() -> None:
    """A round through PAXG/BTC that kept half a gold: it is all the gold market's."""
    both = (GOLD, DOLLAR)
    before = venue(PAXG=("4", "4"), USDT=("9000", "9000"), BTC=("0", "0"))
    assert [its(both, n, before).balance("PAXG").total for n in (0, 1)] == [D(2), D(2)]
    legs = (
        an_order("PAXG/USDT", filled=D(1), cost=D(4000)),
        an_order("PAXG/BTC", Side.SELL, filled=D("0.5"), cost=D("0.02")),
    )
    after = venue(PAXG=("4.5", "4.5"), USDT=("5000", "5000"), BTC=("0.02", "0.02"))
    gold, dollar = (its(both, n, after, *legs) for n in (0, 1))
    assert gold.balance("PAXG").total == D("2.5")
    assert dollar.balance("PAXG").total == D(2)  # not a deposit of half of it
    assert gold.balance("USDT").total == D(5000)
    assert gold.balance("BTC").total == D("0.02")


def test_two_triangles_through_one_coin_keep_apart() -> None:
    other = trader("other", "XAUT/USDT", triangle="XAUT/BTC,BTC/USDT")
    leg = an_order("BTC/USDT", filled=D("0.1"), cost=D(10_000), market="other")
    seen = venue(BTC=("0.3", "0.3"), USDT=("10000", "10000"))
    gold, silver = (its((GOLD, other), n, seen, leg) for n in (0, 1))
    assert (gold.balance("BTC").total, silver.balance("BTC").total) == (D("0.1"), D("0.2"))
    assert (gold.balance("USDT").total, silver.balance("USDT").total) == (D(10_000), D(0))


def test_accounts_of_their_own_are_not_divided() -> None:
    elsewhere = trader("dollar", "PAXG/USDC", account="kucoin:2")
    seen = venue(PAXG=("4", "4"))
    assert [its((GOLD, elsewhere), n, seen).balance("PAXG").total for n in (0, 1)] == [D(4), D(4)]


def test_margin_is_divided_by_weight_and_profit_is_its_makers() -> None:
    both = (GOLD, SILVER)
    seen = venue(margin="10000")
    assert [p.margin for n in (0, 1) if (p := its(both, n, seen).position)] == [D(5000), D(5000)]
    won = (
        an_order("XAUT/USDT:USDT", filled=D(1), cost=D(4000)),
        an_order("XAUT/USDT:USDT", Side.SELL, filled=D(1), cost=D(4600), fee_quote=D(10)),
    )
    after = venue(margin="10590")
    parts = [p.margin for n in (0, 1) if (p := its(both, n, after, *won).position)]
    assert parts == [D(5000), D(5590)]


def test_margin_in_another_coin_is_another_margin() -> None:
    seen = venue(margin="10000")
    for number in (0, 1):
        position = its((GOLD, QUOTED_IN_USDC), number, seen).position
        assert position is not None
        assert position.margin == D(10_000)


def a_quote(symbol: str, side: Side, amount: str, price: str) -> RestingOrder:
    return RestingOrder(
        client_id="q",
        exchange_id="1",
        symbol=symbol,
        side=side,
        price=D(price),
        amount=D(amount),
        filled=D(0),
        at=0,
        ours=True,
    )


def test_anothers_resting_orders_lock_its_own_part() -> None:
    """2 of 4 gold are each one's; the other market's ask of 1.5 locks nothing of ours."""
    both = (GOLD, DOLLAR)
    locked = venue(PAXG=("2.5", "4"))
    assert its(both, 0, locked).balance("PAXG").free == D(2)
    own = venue(a_quote("PAXG/USDT", Side.SELL, "1.5", "4100"), PAXG=("2.5", "4"))
    assert its(both, 0, own).balance("PAXG").free == D("0.5")
    # What the others have locked beyond their part is missing in ours.
    beyond = venue(PAXG=("1", "4"))
    assert its(both, 0, beyond).balance("PAXG").free == D(1)


def test_a_budget_caps_margin_as_well() -> None:
    config = GOLD.config.market.model_copy(update={"budget": D(1000)})
    capped = replace(GOLD, config=GOLD.config.model_copy(update={"market": config}))
    seen = venue(margin="10000", USDT=("10000", "10000"))
    view, there = portion(members(capped), 0, seen, ())
    nav = inventory(view, view.market.price(view.pool.sqrt_price_x96), there).nav
    assert D("999.99") < nav <= D(1000)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    total=st.integers(0, 100),
    weights=st.tuples(*[st.integers(1, 9)] * 3),
    traded=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(Side), st.integers(1, 60)), max_size=6
    ),
)
def test_no_unit_is_promised_twice(total, weights, traded) -> None:
    """Three markets in one coin, whatever they traded: parts add up to the balance at most."""
    symbols = ("PAXG/USDT", "PAXG/USDC", "PAXG/BTC")
    three = []
    for symbol, weight in zip(symbols, weights, strict=True):
        one = trader(symbol[5:].lower(), symbol)
        market = one.config.market.model_copy(update={"weight": D(weight)})
        three.append(replace(one, config=one.config.model_copy(update={"market": market})))
    orders = [an_order(symbols[n], side, filled=D(a)) for n, side, a in traded]
    seen = venue(PAXG=(str(total), str(total)))
    parts = [its(tuple(three), n, seen, *orders).balance("PAXG") for n in range(3)]
    assert sum(part.total for part in parts) <= total + D("1e-20")
    assert all(0 <= part.free <= part.total for part in parts)
    if not traded:
        assert abs(sum(part.total for part in parts) - total) < D("1e-20")
