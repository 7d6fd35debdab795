"""Whatever happens on the exchange, money only moves: nothing is made, nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.paper_exchange.engine.accounts import Position
from dexmm.paper_exchange.engine.background_book import Flow, Shape
from dexmm.paper_exchange.engine.change_set import Changes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.order_filters import check_perpetual, check_spot
from dexmm.paper_exchange.engine.orders import Ask, SelfTrade, Side, Status, TimeInForce, Type
from dexmm.paper_exchange.engine.rounding import ZERO, ceil_unit, floor_unit
from dexmm.paper_exchange.engine.settings import Opening, PaperSettings
from dexmm.paper_exchange.engine.symbol_rules import Kind
from dexmm.paper_exchange.exchange import Exchange

D = Decimal
START = 1_790_000_000_000
SYMBOLS = ["PAXGUSDT", "PAXGBTC", "PAXGUSDC", "BTCUSDT"]
FUNDS = {"PAXG": D(5), "USDT": D(20_000), "USDC": D(9000), "BTC": D("0.3"), "BNB": D("0.05")}
TWO = PaperSettings(
    accounts=(
        Opening(name="one", api_key="k" * 64, secret="s1", spot=FUNDS, margin=D(2000)),
        Opening(
            name="two",
            api_key="l" * 64,
            secret="s2",
            spot=FUNDS,
            margin=D(500),
            pays_fees_in_bnb=True,
        ),
    ),
    shapes={},
    shape=Shape(levels=3, depth=D("0.7"), half_spread_bp=D(3), step_bp=D(5)),
    flows={},
    flow=Flow(per_hour=D(40), mean_quantity=D("0.3")),
)


def an_act(dice: random.Random) -> dict[str, Any]:
    """Anything that an account, the market or time may do next; most of it is sensible."""
    what = dice.choices(["place", "cancel", "move", "settings"], [12, 2, 4, 1])[0]
    who = dice.choice(["one", "two"])
    match what:
        case "place":
            return {
                "do": what,
                "who": who,
                "perpetual": dice.random() < 0.4,
                "symbol": dice.choice(SYMBOLS),
                "side": dice.choice(list(Side)),
                "type": dice.choice(list(Type)),
                "tif": dice.choice(list(TimeInForce)),
                "away_bp": dice.randint(-40, 40),
                "quantity": D(dice.randint(20, 15_000)) / 10_000,
                "in_quote": dice.random() < 0.5,
                "self_trade": dice.choice(list(SelfTrade)),
                "reduce_only": dice.random() < 0.3,
                "cap": dice.choice([None, None, None, None, D("0.4")]),
            }
        case "cancel":
            return {"do": what, "which": dice.randrange(50)}
        case "move":
            return {
                "do": what,
                "symbol": dice.choice(["PAXGUSDT", "BTCUSDT"]),
                "bp": dice.choice([dice.randint(-20, 20), dice.randint(-900, 900)]),
                "seconds": dice.choice([0, 5, 600, 15_000]),
            }
    return {
        "do": "leverage",
        "who": who,
        "leverage": dice.choice([1, 10, 75]),
        "isolated": dice.random() < 0.5,
    }


def perform(exchange: Exchange, act: dict[str, Any], number: int) -> None:
    match act["do"]:
        case "place":
            place(exchange, act, number)
        case "cancel":
            waiting = [(m, o) for m in exchange.markets.values() for o in m.open.values()]
            if waiting:
                market, order = waiting[act["which"] % len(waiting)]
                with exchange.visit():
                    exchange.desk(market).cancel(order)
        case "move":
            price = exchange.price_of(act["symbol"]) * (1 + D(act["bp"]) / 10_000)
            at_ms = exchange.clock.now_ms() + act["seconds"] * 1000
            exchange.set_fair_price(act["symbol"], price.quantize(D("0.01")), at_ms)
        case "leverage":
            futures = exchange.ledger.accounts[act["who"]].futures
            futures.leverage["PAXGUSDT"] = act["leverage"]
            if not futures.position("PAXGUSDT").amount:
                futures.isolated = {"PAXGUSDT"} if act["isolated"] else set()


def place(exchange: Exchange, act: dict[str, Any], number: int) -> None:
    kind = Kind.PERPETUAL if act["perpetual"] else Kind.SPOT
    market = exchange.market(kind, "PAXGUSDT" if act["perpetual"] else act["symbol"])
    rules, at_market = market.rules, act["type"] is Type.MARKET
    price = market.fair * (1 + D(act["away_bp"]) / 10_000) // rules.tick_size * rules.tick_size
    quantity = act["quantity"] // rules.step_size * rules.step_size
    in_quote = at_market and act["in_quote"] and not act["perpetual"]
    limit = act["type"] is Type.LIMIT
    ask = Ask(
        symbol=rules.symbol,
        side=act["side"],
        type=act["type"],
        client_order_id=f"n{number}",
        time_in_force=act["tif"] if limit else TimeInForce.GTC,
        price=ZERO if at_market else price,
        quantity=ZERO if in_quote else quantity,
        quote_quantity=floor_unit(quantity * market.fair) if in_quote else ZERO,
        self_trade=act["self_trade"],
        reduce_only=act["perpetual"] and act["reduce_only"],
    )
    cap = None if act["cap"] is None else act["cap"] * quantity // rules.step_size * rules.step_size
    with exchange.visit():
        try:
            (check_perpetual if act["perpetual"] else check_spot)(ask, market, act["who"])
            exchange.desk(market).place(act["who"], ask, fill_cap=cap)
        except Refused:
            pass


def assert_sound(exchange: Exchange) -> None:
    assert exchange.ledger.imbalance() == {}
    assert exchange.ledger.open_interest() == {}
    for account in exchange.ledger.accounts.values():
        locked: dict[str, Decimal] = {}
        for market in exchange.spot.values():
            for order in market.open_of(account.name):
                buys = order.side is Side.BUY
                asset = market.rules.quote if buys else market.rules.base
                holds = ceil_unit(order.price * order.remaining) if buys else order.remaining
                assert order.locked == holds
                locked[asset] = locked.get(asset, ZERO) + holds
        for asset in account.assets():
            assert account.free_of(asset) >= 0
            assert account.locked_of(asset) == locked.get(asset, ZERO)
    for market in exchange.markets.values():
        for order in market.open.values():
            assert order.status.is_open
            assert order in market.book
            assert 0 <= order.executed < order.ask.quantity


def watch(exchange: Exchange, met: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what is written to the state, so that the test can say what it met."""
    write = exchange.state.write

    def counted(changes: Changes, *rest: Any) -> None:
        met.update(f"{key.split(':')[0]} {o.status}" for key, o in changes.orders.values())
        met.update(f"{'maker' if t.is_maker else 'taker'} {t.fee_asset}" for _, t in changes.trades)
        met.update(income.kind for income in changes.incomes)
        write(changes, *rest)

    monkeypatch.setattr(exchange.state, "write", counted)


def test_money_only_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    met: Counter[str] = Counter()
    for seed in range(16):
        dice = random.Random(seed)  # noqa: S311 - a repeatable history
        exchange = Exchange(replace(TWO, seed=seed), start_ms=START)
        watch(exchange, met, monkeypatch)
        for number in range(120):
            perform(exchange, an_act(dice), number)
            assert_sound(exchange)
        exchange.close()
    assert set(met) >= {
        *(f"{kind} {status}" for kind in Kind for status in Status),
        *(f"taker {asset}" for asset in ("PAXG", "USDT", "USDC", "BTC", "BNB")),
        *(f"maker {asset}" for asset in ("PAXG", "USDT")),
        *("REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR"),
    }


def test_the_proof_sees_a_cent_too_much() -> None:
    exchange = Exchange(TWO, start_ms=START)
    exchange.ledger.accounts["one"].add("USDT", D("0.00000001"))
    assert exchange.ledger.imbalance() == {"USDT": D("0.00000001")}
    exchange.ledger.accounts["one"].futures.position("PAXGUSDT").amount += D("0.001")
    assert exchange.ledger.open_interest() == {"PAXGUSDT": D("0.001")}
    exchange.close()


fills = st.tuples(
    st.sampled_from(Side),
    st.integers(1, 5000).map(lambda n: D(n) / 1000),
    st.integers(300_000, 500_000).map(lambda n: D(n) / 100),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(fills, max_size=30))
def test_a_position_pays_exactly_what_was_paid(drawn: list[tuple[Side, Decimal, Decimal]]) -> None:
    position, realised, paid = Position(), ZERO, ZERO
    for side, quantity, price in drawn:
        value = floor_unit(quantity * price)
        realised += position.fill(side, quantity, value)
        paid += side.sign * value
        assert realised - position.cost == -paid
        assert position.cost * position.amount >= 0
        assert position.amount != 0 or position.cost == 0


def test_a_position_that_turns_over_starts_at_the_new_price() -> None:
    position = Position()
    assert position.fill(Side.BUY, D(1), D(4000)) == 0
    assert position.fill(Side.SELL, D(3), D(12_300)) == 100
    assert (position.amount, position.cost, position.entry_price) == (-2, -8200, 4100)
    assert position.profit(D(4000)) == 200


def test_one_seed_is_one_history() -> None:
    def history(seed: int) -> list[tuple[Decimal, Decimal]]:
        exchange = Exchange(replace(TWO, seed=seed), start_ms=START)
        for minute in range(30):
            exchange.advance(START + minute * 60_000)
        prints = exchange.spot["PAXGUSDT"].tape.prints
        exchange.close()
        return [(p.price, p.quantity) for p in prints]

    assert history(1) == history(1)
    assert len(history(1)) > 20
    assert history(1) != history(2)
