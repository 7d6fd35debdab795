"""How old a book is: as old as the answer, however long its prices have stood."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import BOOK, NOBODY_TAKES, PERPETUAL, D, Trader

from dexmm.cex.ccxt_session import Answered
from dexmm.cex.order_books import demand_sound, parse_best, parse_book, read_book
from dexmm.errors import Transient
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.paper_exchange import PaperExchange

QUIET_SECONDS = 600  # far beyond the 30 s that are trusted
LEGS = ("PAXG/BTC", "BTC/USDT")
FUTURES_BOOK = "GET /fapi/v1/depth"


class Time:
    """One time for the runner and the exchange, moved by hand."""

    def __init__(self) -> None:
        self.now = int(time.time())
        self.paper = PaperExchange(NOBODY_TAKES, start_ms=self.now * 1000)

    def __call__(self) -> int:
        return self.now

    def go_on(self, seconds: int) -> None:
        self.now += seconds
        self.paper.advance(self.now * 1000)


@pytest.fixture
def clock() -> Iterator[Time]:
    made = Time()
    with made.paper:
        yield made


def trader_at(clock: Time, root: Path, **exchange: Any) -> Trader:
    made = Trader(root, clock.paper, clock, max_ticker_age_seconds="30", **exchange)  # type: ignore[arg-type]
    made.client.connection.private.now_ms = lambda: clock.now * 1000
    return made


def test_books_that_stand_still_are_as_new_as_their_answers(clock: Time, tmp_path: Path) -> None:
    """Spot, the triangle's legs and the perpetual: nothing has moved for ten minutes."""
    trader = trader_at(
        clock, tmp_path, triangle=LEGS, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL
    )
    first = trader.observe()
    for _ in range(10):  # the perpetual is looked at every tenth time
        clock.go_on(QUIET_SECONDS // 10)
        again = trader.observe()
    assert first.perpetual_book is not None
    assert again.perpetual_book is not None
    for before, now in zip(
        (first.spot_book, *first.triangle_books, first.perpetual_book),
        (again.spot_book, *again.triangle_books, again.perpetual_book),
        strict=True,
    ):
        assert (before.bids, before.asks) == (now.bids, now.asks)
        assert now.at - before.at == QUIET_SECONDS * 1000
        assert now.at <= again.at
    trader.client.close()


def test_an_old_answer_that_says_so_makes_the_venue_absent(clock: Time, tmp_path: Path) -> None:
    """Binance spot states no time: it is the cache before it that does."""
    trader = trader_at(clock, tmp_path)
    trader.arm(BOOK, Effect.STALE, times=3)
    trader.observe()
    clock.go_on(20)
    trader.observe()
    clock.go_on(20)
    with pytest.raises(Transient, match="40 s old"):
        trader.observe()
    clock.paper.set_fair_price("PAXGUSDT", D(4001))
    assert trader.observe().spot_book.mid == D("4001")
    trader.client.close()


def test_an_old_answer_that_states_its_own_time_is_that_old(clock: Time, tmp_path: Path) -> None:
    """Futures state when they answered: a repeated answer is found out by that alone."""
    trader = trader_at(clock, tmp_path, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    lane = trader.client.connection.perpetual
    assert lane is not None
    trader.arm(FUTURES_BOOK, Effect.STALE, times=0)
    assert clock.now * 1000 - read_book(lane, PERPETUAL, clock.now * 1000).at == 0
    clock.go_on(40)
    assert clock.now * 1000 - read_book(lane, PERPETUAL, clock.now * 1000).at == 40_000
    trader.client.close()


def test_a_time_of_the_last_change_is_no_age(clock: Time, tmp_path: Path) -> None:
    """ccxt's timestamp of a futures book is `T`; a trade long ago leaves `E` as it is."""
    trader = trader_at(clock, tmp_path, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    trader.observe()
    lane = trader.client.connection.perpetual
    assert lane is not None
    lane.call("create_order", PERPETUAL, "limit", "buy", 0.01, 4100, {"timeInForce": "IOC"})
    clock.go_on(QUIET_SECONDS)
    answer, answered = lane.read_timed("read", "fetch_order_book", PERPETUAL, 5)
    assert answer["timestamp"] == (clock.now - QUIET_SECONDS) * 1000
    assert answered == Answered(stated_ms=clock.now * 1000, cached_ms=0)
    assert read_book(lane, PERPETUAL, clock.now * 1000).at == clock.now * 1000
    trader.client.close()


def test_ages_where_nothing_and_where_something_is_stated() -> None:
    levels = {"bids": [["3999", "1"]], "asks": [["4001", "1"]]}
    assert parse_book(levels, "PAXG/USDT", 7).at == 7
    assert parse_book({**levels, "timestamp": 5}, "PAXG/USDT", 7).at == 5
    ticker = {"bid": "3999", "bidVolume": "1", "ask": "4001", "askVolume": "1"}
    assert parse_best(ticker, "PAXG/USDT", 7).at == 7
    assert parse_best({**ticker, "timestamp": 5}, "PAXG/USDT", 7).at == 5


def test_a_level_without_an_amount_or_a_price_is_none() -> None:
    book = parse_book(
        {
            "bids": [["4000.5", "0"], ["3999", "1"], ["0", "3"]],
            "asks": [["4000.6", "0.0"], ["4001", "1"]],
        },
        "PAXG/USDT",
        7,
    )
    assert [level.price for level in book.bids] == [3999]
    assert [level.price for level in book.asks] == [4001]
    gone = parse_book({"bids": [["3999", "0"]], "asks": [["4001", "1"]]}, "PAXG/USDT", 7)
    with pytest.raises(Transient, match="empty on one side"):
        demand_sound(gone, 7, 30)
