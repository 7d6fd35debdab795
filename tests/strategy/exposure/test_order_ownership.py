"""Whose an order is, and what the fills of each market have added to coins and margin."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import a_config

from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.venue import Side
from dexmm.strategy.exposure.order_ownership import Owners, Trader, brought, coins_of, symbols_of

D = Decimal
ACCOUNT = "binance:1"


def trader(name: str, symbol: str, *, account: str = ACCOUNT, **exchange: object) -> Trader:
    config = a_config(market={"name": name}, exchange={"symbol": symbol, **exchange})
    return Trader(config=config, account=account)


def an_order(symbol: str, side: Side = Side.BUY, **changes: object) -> OrderIntent:
    known = OrderIntent(
        client_id="a",
        account=ACCOUNT,
        symbol=symbol,
        side=side,
        kind=OrderKind.IOC,
        purpose=Purpose.HEDGE,
        amount=D(1),
        price=D(4000),
        reduce_only=False,
        created_at=1,
        status=OrderStatus.CLOSED,
        filled=D(1),
        cost=D(4000),
    )
    return replace(known, **changes)


GOLD = trader(
    "gold",
    "PAXG/USDT",
    triangle="PAXG/BTC,BTC/USDT",
    perpetual_id="binanceusdm",
    perpetual_symbol="PAXG/USDT:USDT",
)
DOLLAR = trader("dollar", "PAXG/USDC")
OTHER_GOLD = trader("other", "XAUT/USDT", triangle="XAUT/BTC,BTC/USDT")


def test_a_market_trades_its_spot_its_perpetual_and_its_legs() -> None:
    assert GOLD.config.exchange is not None
    assert symbols_of(GOLD.config.exchange) == (
        "PAXG/USDT",
        "PAXG/USDT:USDT",
        "PAXG/BTC",
        "BTC/USDT",
    )
    assert coins_of(GOLD.config.exchange) == {"PAXG", "USDT", "BTC"}


def test_an_order_belongs_to_the_market_that_it_names() -> None:
    owners = Owners([GOLD, OTHER_GOLD])
    assert owners.of(an_order("BTC/USDT", market="gold")) == 0
    assert owners.of(an_order("BTC/USDT", market="other")) == 1
    # Another account's market of the same name is another market.
    assert owners.of(an_order("BTC/USDT", market="other", account="okx:2")) is None


def test_an_order_without_a_market_belongs_to_the_one_that_trades_its_symbol() -> None:
    owners = Owners([GOLD, DOLLAR, OTHER_GOLD])
    for symbol in ("PAXG/USDT", "PAXG/USDT:USDT", "PAXG/BTC"):
        assert owners.of(an_order(symbol)) == 0, symbol
    assert owners.of(an_order("PAXG/USDC")) == 1
    assert owners.of(an_order("XAUT/BTC")) == 2
    assert owners.of(an_order("BTC/USDT")) is None  # a leg of two: nobody's alone
    assert owners.of(an_order("ETH/USDT")) is None
    assert owners.of(an_order("PAXG/USDC", market="gone")) == 1  # renamed since
    # Spot goes before a leg: the market that quotes it has most of its orders.
    assert Owners([GOLD, trader("coin", "BTC/USDT")]).of(an_order("BTC/USDT")) == 1


def test_fills_belong_to_the_market_that_traded() -> None:
    bought = an_order("PAXG/USDT", fee_base=D("0.001"))
    sold = an_order("PAXG/USDC", Side.SELL, fee_quote=D(4))
    by = brought([GOLD, DOLLAR], [bought, sold])
    assert by[0].coins == {"PAXG": D("0.999"), "USDT": D(-4000)}
    assert by[1].coins == {"PAXG": D(-1), "USDC": D(3996)}


def test_a_triangle_leaves_every_leg_in_its_own_markets_books() -> None:
    """Buy gold for quote, sell it for coin, sell the coin: base comes back to where it was."""
    legs = [
        an_order("PAXG/USDT", cost=D(4000), purpose=Purpose.TRIANGLE),
        an_order("PAXG/BTC", Side.SELL, cost=D("0.041"), purpose=Purpose.TRIANGLE),
        an_order("BTC/USDT", Side.SELL, filled=D("0.041"), cost=D(4100), purpose=Purpose.TRIANGLE),
    ]
    by = brought([GOLD, DOLLAR], legs)
    assert by[0].coins == {"PAXG": D(0), "BTC": D("0.000"), "USDT": D(100)}
    assert by[1].coins == {}


def test_a_fee_in_a_third_coin_is_the_payers() -> None:
    order = an_order("PAXG/USDC", fee_other=(("USDT", D(2)), ("BNB", D("0.01"))))
    assert brought([GOLD, DOLLAR], [order])[1].coins == {
        "PAXG": D(1),
        "USDC": D(-4000),
        "USDT": D(-2),
        "BNB": D("-0.01"),
    }


def test_a_perpetual_brings_its_realised_profit_less_fees() -> None:
    swap = "PAXG/USDT:USDT"
    opened = an_order(swap, Side.SELL, filled=D(2), cost=D(8000), fee_quote=D(4))
    half = an_order(swap, filled=D(1), cost=D(3900), fee_quote=D(2))
    turned = an_order(swap, filled=D(3), cost=D(12_300), fee_quote=D(6))  # one closes, two open
    assert brought([GOLD], [opened])[0].margin == {"USDT": D(-4)}
    assert brought([GOLD], [opened, half])[0].margin == {"USDT": D(94)}
    assert brought([GOLD], [opened, half, turned])[0].margin == {"USDT": D(-12)}
    assert brought([GOLD], [opened])[0].coins == {}


fills = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(0, 50), st.integers(3000, 5000)), max_size=12
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(fills=fills, last=st.integers(3000, 5000))
def test_realised_and_unrealised_are_what_all_fills_are_worth(fills, last) -> None:
    """Whatever the order of fills: margin + base * (price - entry) = cash + base * price."""
    swap, base, cash = "PAXG/USDT:USDT", D(0), D(0)
    orders = []
    for side, lots, price in fills:
        amount = D(lots) / 10
        sign = 1 if side is Side.BUY else -1
        base, cash = base + sign * amount, cash - sign * amount * price
        orders.append(an_order(swap, side, filled=amount, cost=amount * price))
    closing = an_order(
        swap, Side.SELL if base > 0 else Side.BUY, filled=abs(base), cost=abs(base) * last
    )
    found = brought([GOLD], [*orders, closing])[0].margin.get("USDT", D(0))
    assert abs(found - (cash + base * last)) < D("1e-30")
