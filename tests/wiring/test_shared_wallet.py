"""Which orders make up a market's books, and what is asked of the log for them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from strategy.builders import World, a_config
from strategy.exposure.test_order_ownership import an_order
from strategy.venue_builders import Street

from dexmm.config.schema import Config
from dexmm.model.order import OrderIntent, OrderStatus
from dexmm.model.venue import Balance, Side, VenueView
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog
from dexmm.wiring.shared_wallet import Seat, SharedWallet, account_of_market, is_divided, orders_of

D = Decimal


def a_market(name: str, symbol: str, **market: object) -> Config:
    return a_config(market={"name": name, **market}, exchange={"symbol": symbol, "api_key": "k"})


ONE, OTHER = a_market("one", "PAXG/USDT"), a_market("other", "PAXG/USDC")
ACCOUNT = account_of_market(ONE)


def stored(client_id: str, symbol: str, at: int, **changes: object) -> OrderIntent:
    return an_order(symbol, client_id=client_id, account=ACCOUNT, created_at=at, **changes)


def test_a_report_has_its_own_markets_orders_alone() -> None:
    orders = (stored("a", "PAXG/USDT", 1), stored("b", "PAXG/USDC", 2), stored("c", "ETH/USDT", 3))
    assert [o.client_id for o in orders_of(ONE, (ONE, OTHER), orders)] == ["a"]
    assert [o.client_id for o in orders_of(OTHER, (ONE, OTHER), orders)] == ["b"]
    assert orders_of(ONE, (ONE,), orders) == orders  # alone, everything is its own


def test_one_market_without_a_budget_is_not_divided() -> None:
    assert not is_divided([ONE])
    assert is_divided([ONE, OTHER])
    assert is_divided([a_market("one", "PAXG/USDT", budget=5)])


class Counted(SqlOrderLog):
    """The log itself, which notes from when on it is asked."""

    def __init__(self, file: Path) -> None:
        super().__init__(open_database(f"sqlite:///{file}", durable=False))
        self.asked: list[int] = []

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        self.asked.append(since)
        return super().orders_since(account, since)


def test_only_orders_that_may_have_changed_are_asked_for_again(tmp_path: Path) -> None:
    log = Counted(tmp_path / "journal.sqlite")
    wallet = SharedWallet([seat(ONE), seat(OTHER)], log)
    for order in (
        stored("a", "PAXG/USDT", 10),
        stored("b", "PAXG/USDT", 20, status=OrderStatus.OPEN, filled=D(0), cost=D(0)),
        stored("c", "PAXG/USDC", 30, filled=D(0), cost=D(0)),
    ):
        log.save_order(order)
    assert gold(wallet) == [D(5), D(4)]
    assert log.asked[:2] == [0, 20]  # b is not final: what it fills must be learnt
    log.save_order(stored("b", "PAXG/USDT", 20, side=Side.SELL))
    assert gold(wallet) == [D("4.5"), D("4.5")]
    assert gold(wallet) == [D("4.5"), D("4.5")]
    assert log.asked[-1] == 30


def seat(config: Config) -> Seat:
    view, venue = World(config=config).view(), Street().view()
    held = replace(venue, balances=(Balance(coin="PAXG", free=D(9), total=D(9)),))

    def look() -> VenueView:
        return held

    return Seat(config=config, account=ACCOUNT, chain=lambda: view, venue=look)


def gold(wallet: SharedWallet) -> list[Decimal]:
    venues = [wallet.look(number)[1] for number in (0, 1)]
    return [venue.balance("PAXG").total for venue in venues if venue is not None]
