"""Candles through ccxt's own classes from the paper exchange on loopback."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cex.cex_world import NOBODY_TAKES
from fetch.candle_exchange import CandleExchange, candle_exchange
from hypothesis import given
from hypothesis import strategies as st

from dexmm.config.schema import Exchange
from dexmm.errors import BadInput, Busy, Transient
from dexmm.fetch.candles import candle_source
from dexmm.fetch.candles.candle_file import Gap, gaps
from dexmm.fetch.candles.candle_part import COLUMNS, CandlePart, Series, part_of, state_of
from dexmm.fetch.candles.candle_source import Candle, Page, Venue, checked
from dexmm.fetch.candles.download import CandlesAsked, CandlesFetched, fetch_candles, venue_name
from dexmm.history.packed_candles import read_path
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sim.agents.price_process import read_candles

MINUTE = 60_000
KLINES = "GET /api/v3/klines"
MINUTES = 50  # that the paper exchange has traded: its clock must stay within an hour of ours


def nothing_said(done: int, total: int, rows: int) -> None:
    pass


class Scene:
    """A paper exchange with an hour of history, four minutes of it missing, and fetches of it."""

    def __init__(self, paper: PaperExchange, start_ms: int, folder: Path) -> None:
        self.paper, self.start_ms = paper, start_ms
        self.end_ms = start_ms + MINUTES * MINUTE
        self.settings = Exchange.model_validate({"id": "binance", "base_url": paper.url})
        self.asked = CandlesAsked(
            symbol="PAXG/USDT",
            timeframe="1m",
            since_ms=start_ms,
            until_ms=None,
            output=folder / "gold.csv",
        )

    def fetch(self, watch: Any = nothing_said, **other: Any) -> CandlesFetched:
        return fetch_candles(self.settings, replace(self.asked, **other), watch)

    def said(self) -> list[list[str]]:
        """The whole history as the exchange itself has it: text, the open candle aside."""
        with self.paper.exchange.visit():
            market = self.paper.exchange.spot["PAXGUSDT"]
            bars = market.tape.bars(MINUTE, 0, 1 << 60, 10_000)
            rows = [(b.at_ms, b.open, b.high, b.low, b.close, b.volume) for b in bars]
        return [[str(at), *(f"{n:.8f}" for n in ns)] for at, *ns in rows if at < self.end_ms]

    def fail(self, effect: Effect, **more: Any) -> None:
        self.paper.add_fault(FaultRule(endpoint=KLINES, effect=effect, **more))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(candle_source, "MOST_A_PAGE", 11)
    monkeypatch.setattr(candle_source, "PAUSE_SECONDS", 0.01)
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms // MINUTE * MINUTE - (MINUTES + 5) * MINUTE
    with PaperExchange(NOBODY_TAKES, start_ms=start_ms) as paper:
        for minute in range(MINUTES + 1):
            if not 20 <= minute < 24:
                price = Decimal("4000.10") + minute % 7
                paper.set_fair_price("PAXGUSDT", price, start_ms + minute * MINUTE + 5_000)
        yield Scene(paper, start_ms, tmp_path)


def read_csv(path: Path) -> list[list[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    return rows


def test_what_is_stored_is_what_the_exchange_said(scene: Scene) -> None:
    said: list[tuple[int, int, int]] = []
    fetched = scene.fetch(lambda *each: said.append(each))
    rows = read_csv(scene.asked.output)
    assert rows == scene.said()
    assert len(rows) == fetched.contents.rows == MINUTES - 4
    assert fetched.contents.gaps == (Gap(at_ms=scene.start_ms + 20 * MINUTE, candles=4),)
    assert rows[-1][0] == str(scene.end_ms - MINUTE)  # the open candle is not there
    assert sum(rows for _, _, rows in said) == len(rows)
    assert said[-1][0] == said[-1][1]
    assert sorted(p.name for p in scene.asked.output.parent.iterdir()) == ["gold.csv"]
    assert len(read_candles(scene.asked.output).candles) == MINUTES


@pytest.mark.parametrize("name", ["gold.csv.gz", "gold.parquet"])
def test_every_format_holds_the_same(scene: Scene, name: str) -> None:
    output = scene.asked.output.with_name(name)
    scene.fetch(output=output)
    if name.endswith(".gz"):
        assert read_csv(output) == scene.said()
        return
    table = pq.read_table(output)
    assert table.schema.field("open").type.scale == 8
    rows = [
        [format(v, "d" if isinstance(v, int) else "f") for v in row.values()]
        for row in table.to_pylist()
    ]
    assert rows == scene.said()
    path = read_path(output)
    assert (len(path), path.filled) == (MINUTES, 4)
    told = table.schema.metadata
    assert told[b"dexmm.symbol"] == b"PAXG/USDT"
    assert told[b"dexmm.exchange"].startswith(b"binance at 127.0.0.1:")


def test_a_range_of_a_longer_timeframe(scene: Scene) -> None:
    since = scene.start_ms // (5 * MINUTE) * 5 * MINUTE + 10 * MINUTE
    fetched = scene.fetch(timeframe="5m", since_ms=since, until_ms=since + 15 * MINUTE)
    rows = read_csv(scene.asked.output)
    assert [int(row[0]) for row in rows] == [since, since + 5 * MINUTE, since + 10 * MINUTE]
    assert fetched.contents.gaps == ()
    assert fetched.until_ms == since + 15 * MINUTE


def test_a_history_that_begins_later_is_a_gap(scene: Scene) -> None:
    fetched = scene.fetch(since_ms=scene.start_ms - 30 * MINUTE)
    assert fetched.contents.gaps[0] == Gap(at_ms=scene.start_ms - 30 * MINUTE, candles=30)
    assert read_csv(scene.asked.output) == scene.said()


def test_an_interrupted_fetch_loses_at_most_a_page(scene: Scene) -> None:
    class Cut(Exception):
        pass

    def cut(done: int, total: int, rows: int) -> None:
        if done > total // 2:
            raise Cut

    with pytest.raises(Cut):
        scene.fetch(cut)
    output = scene.asked.output
    assert not output.exists()
    noted = json.loads(state_of(output).read_text())
    with part_of(output).open("ab") as file:
        file.write(b"17000000")  # a page that was being written
    scene.fail(Effect.SERVER_ERROR, nth=1, times=1)
    firsts: list[int] = []
    scene.fetch(lambda done, total, rows: firsts.append(done))
    assert firsts[0] == noted["next_ms"] - scene.start_ms > 0
    assert read_csv(output) == scene.said()


def test_a_part_of_something_else_is_refused(scene: Scene) -> None:
    output = scene.asked.output
    scene.fail(Effect.SERVER_ERROR, nth=3, times=0, status=503)
    with pytest.raises(Transient):
        scene.fetch()
    scene.paper.clear_faults()
    kept = part_of(output).read_bytes()
    assert kept.count(b"\n") > 10
    for other in (
        {"symbol": "BTC/USDT"},
        {"timeframe": "3m"},
        {"since_ms": scene.start_ms - MINUTE},
        {"until_ms": scene.end_ms - MINUTE},
    ):
        with pytest.raises(BadInput, match=r"unfinished fetch of PAXG/USDT 1m .* remove it"):
            scene.fetch(**other)
    assert part_of(output).read_bytes() == kept
    part_of(output).write_bytes(kept[:-30])
    with pytest.raises(BadInput, match="not as a fetch left it"):
        scene.fetch()
    part_of(output).write_bytes(kept)
    state_of(output).write_text("{}")
    with pytest.raises(BadInput, match="not as a fetch left it"):
        scene.fetch()


def test_two_fetches_do_not_write_the_same_part(scene: Scene) -> None:
    series = Series(
        venue=venue_name(scene.settings),
        symbol="PAXG/USDT",
        timeframe="1m",
        since_ms=scene.start_ms,
        until_ms=None,
    )
    with CandlePart.of(scene.asked.output, series), pytest.raises(Busy):
        scene.fetch()


def test_a_finished_file_is_never_overwritten(scene: Scene) -> None:
    until = scene.end_ms - MINUTE
    parquet = scene.asked.output.with_suffix(".parquet")
    first = scene.fetch(output=parquet, until_ms=until)
    stamp = parquet.stat().st_mtime_ns
    again = scene.fetch(output=parquet, until_ms=until)
    assert (again.contents.rows, again.contents.gaps) == (
        first.contents.rows,
        first.contents.gaps,
    )
    for other in ({"until_ms": until - MINUTE}, {"symbol": "BTC/USDT", "until_ms": until}, {}):
        with pytest.raises(BadInput, match="not exactly what is asked for"):
            scene.fetch(output=parquet, **other)
    assert parquet.stat().st_mtime_ns == stamp
    scene.fetch()
    with pytest.raises(BadInput, match="exists: remove it"):
        scene.fetch()


@pytest.mark.parametrize("effect", [Effect.SERVER_ERROR, Effect.DROP, Effect.TRUNCATE])
def test_what_passes_is_asked_again(scene: Scene, effect: Effect) -> None:
    scene.fail(effect, nth=2, times=2)
    assert scene.fetch().contents.rows == MINUTES - 4


def test_a_rate_limit_is_waited_for(scene: Scene) -> None:
    scene.fail(Effect.RATE_LIMIT, nth=2, times=1, seconds=Decimal(1))
    started = time.monotonic()
    assert scene.fetch().contents.rows == MINUTES - 4
    assert time.monotonic() - started >= 1


def test_a_ban_is_not_waited_for(scene: Scene) -> None:
    scene.fail(Effect.RATE_LIMIT, nth=1, times=0, seconds=Decimal(3600), status=418)
    started = time.monotonic()
    with pytest.raises(Transient):
        scene.fetch()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"symbol": "PAXG/USD"}, "does not trade 'PAXG/USD': did you mean PAXG/USDT"),
        ({"symbol": ""}, "does not trade"),
        ({"timeframe": "7m"}, "has no candles of '7m'"),
        ({"timeframe": "1M"}, "months and years differ"),
        ({"timeframe": ""}, "has no candles of ''"),
        ({"since_ms": 2**42}, "--since .* is in the future"),
        ({"until_ms": 2**42}, "--until .* is in the future"),
        ({"until_ms": 1}, "exchange them"),
        ({"output": Path("/proc/gold.csv")}, "not writable"),
        ({"output": Path("/nowhere/gold.csv")}, "there is no folder"),
        ({"output": Path("gold.txt")}, "must end in"),
    ],
)
def test_bad_input_is_one_clear_error(scene: Scene, other: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        scene.fetch(**other)
    assert list(scene.asked.output.parent.iterdir()) == []


def test_a_time_without_candles_leaves_nothing_behind(scene: Scene) -> None:
    until = scene.start_ms - 5 * MINUTE
    with pytest.raises(BadInput, match="has no candle of PAXG/USDT in that time"):
        scene.fetch(since_ms=until - 25 * MINUTE, until_ms=until)
    assert list(scene.asked.output.parent.iterdir()) == []
    with pytest.raises(BadInput, match="no candle of 1m has closed since"):
        scene.fetch(since_ms=scene.end_ms + MINUTE)


def test_an_exchange_that_does_not_exist(scene: Scene) -> None:
    scene.settings = Exchange(id="binanse")
    with pytest.raises(BadInput, match=r"no exchange 'binanse': did you mean binance\?"):
        scene.fetch()


def test_no_key_is_ever_handed_over(scene: Scene) -> None:
    keys = {"api_key": "k" * 40, "secret": "s" * 40, "password": "p" * 9}
    with_keys = Exchange.model_validate({"id": "binance", "base_url": scene.paper.url, **keys})
    exchange = Venue(with_keys, "PAXG/USDT", "1m")._lane.exchange
    assert [exchange.apiKey, exchange.secret, exchange.password] == [None] * 3


def test_the_real_exchange_is_asked_no_faster_than_it_allows() -> None:
    exchange = candle_source.make(Exchange(id="binance"), "binance", contract=False)
    assert exchange.enableRateLimit is True


# What exchanges answer


def now_minutes() -> int:
    return time.time_ns() // 1_000_000 // MINUTE * MINUTE


def fetch_from(double: CandleExchange, folder: Path, hours: float) -> CandlesFetched:
    return fetch_candles(
        Exchange.model_validate({"id": double.kind, "base_url": double.url}),
        CandlesAsked(
            symbol=double.symbol,
            timeframe="1m",
            since_ms=now_minutes() - int(hours * 60) * MINUTE,
            until_ms=now_minutes(),
            output=folder / "gold.csv",
        ),
        nothing_said,
    )


@pytest.mark.parametrize(
    ("kind", "cap", "thin"),
    [("kucoin", 90, False), ("kucoin", 1500, True), ("okx", 30, True), ("okx", 100, False)],
)
def test_newest_first_and_less_than_a_page_loses_nothing(
    tmp_path: Path, kind: str, cap: int, thin: bool
) -> None:
    with candle_exchange(kind, cap, thin=thin) as double:
        fetched = fetch_from(double, tmp_path, hours=20 if cap < 100 else 40)
    times = [int(row[0]) for row in read_csv(tmp_path / "gold.csv")]
    start, end = fetched.series.since_ms, fetched.until_ms
    assert times == [at for at in range(start, end, MINUTE) if double.traded(at)]
    assert fetched.contents.missing == (end - start) // MINUTE - len(times)


def test_an_exchange_that_serves_only_its_newest_is_told_at_once(tmp_path: Path) -> None:
    with candle_exchange("kraken", 720) as double:
        with pytest.raises(BadInput, match=r"kraken serves only its newest 7[12]\d candles of 1m"):
            fetch_from(double, tmp_path, hours=200)
        assert double.asked <= 4
        assert list(tmp_path.iterdir()) == []
        # What it serves is fetched as from anybody else.
        assert fetch_from(double, tmp_path, hours=5).contents.rows == 300


def test_few_newest_are_known_by_days_that_reach_further(tmp_path: Path) -> None:
    with candle_exchange("kraken", 60) as double:  # fewer than the 720 that ccxt knows of
        with pytest.raises(BadInput, match=r"serves only its newest \d\d candles of 1m, from 2"):
            fetch_from(double, tmp_path, hours=200)
        assert double.asked <= 5


def test_a_symbol_listed_this_week_is_no_exchange_that_forgets(tmp_path: Path) -> None:
    listed = now_minutes() - 90 * MINUTE
    with candle_exchange("kucoin", 1500, listed_ms=listed) as double:
        fetched = fetch_from(double, tmp_path, hours=48)
    assert fetched.contents.rows == 90
    assert fetched.contents.gaps == (Gap(at_ms=fetched.series.since_ms, candles=48 * 60 - 90),)


class NewestFirst(Venue):
    """An exchange that has everything, and answers a long range with its newest candles."""

    def __init__(
        self, count: int, page: int, *, hears_until: bool = True, said: int | None = None
    ) -> None:
        self.interval_ms, self._cap = 10, page
        self._limit = self._page = said or page
        self._newest_first = False
        self._times = [10 * i for i in range(count)]
        self._hears_until = hears_until
        self.asked = 0

    def now_ms(self) -> int:
        return 1 << 60  # long after: whatever is missing is no matter of the newest alone

    def _read(self, since_ms: int, last_ms: int | None) -> list[Candle]:
        heard = last_ms if last_ms is not None and self._hears_until else 1 << 60
        self.asked += 1
        found = [at for at in self._times if since_ms <= at <= heard][-self._cap :]
        return [Candle(at, "1", "1", "1", "1", "1") for at in found]


def pages(venue: Venue, since_ms: int, until_ms: int) -> list[int]:
    times: list[int] = []
    while since_ms < until_ms:
        page = venue.page(since_ms, until_ms)
        assert page.next_ms > since_ms
        times += [candle.at_ms for candle in page.candles]
        since_ms = page.next_ms
    return times


def test_the_oldest_of_a_long_range_are_not_lost() -> None:
    assert pages(NewestFirst(100, 7), 0, 1000) == list(range(0, 1000, 10))
    kept = pages(NewestFirst(100, 7, hears_until=False), 0, 1000)
    assert kept == sorted(set(kept))
    assert kept[-7:] == list(range(930, 1000, 10))


@pytest.mark.parametrize(("cap", "said"), [(7, 7), (7, 20), (3, 100), (99, 100)])
def test_an_exchange_that_answers_less_than_ccxt_says_loses_nothing(cap: int, said: int) -> None:
    venue = NewestFirst(400, cap, said=said)
    assert pages(venue, 0, 4000) == list(range(0, 4000, 10))
    assert venue.asked <= 400 // cap + said // cap + 6  # what it gives is learnt at the first gap
    thin = NewestFirst(400, cap, said=said)
    thin._times = [at for at in thin._times if at % 70 and at % 30]
    assert pages(thin, 0, 4000) == thin._times


A_ROW = [60_000, "10", "12", "9", "11", "0.5"]


def row(**changes: object) -> list[object]:
    names = dict(zip(COLUMNS, range(6), strict=True))
    made: list[object] = list(A_ROW)
    for name, value in changes.items():
        made[names[name]] = value
    return made


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(), row()], "twice"),
        ([row(), row(timestamp_ms=0)], "twice"),
        ([row(), row(timestamp_ms=90_000)], "no whole number of candles"),
        ([row(open="nan")], "not finite"),
        ([row(close="text")], "not a number"),
        ([row(volume=None)], "not a number"),
        ([row(low="0")], "not above zero"),
        ([row(volume="-1")], "negative volume"),
        ([row(high="10.5")], "a high below"),
        ([row(low="10.5")], "a high below"),
    ],
)
def test_a_candle_that_cannot_be_is_refused(rows: list[list[object]], said: str) -> None:
    assert checked([A_ROW], MINUTE) == [Candle._make(A_ROW)]
    with pytest.raises(Transient, match=said):
        checked(rows, MINUTE)


def test_pages_that_do_not_follow_each_other_are_refused(tmp_path: Path) -> None:
    series = Series(venue="v", symbol="s", timeframe="1m", since_ms=0, until_ms=None)
    first = Page(candles=(Candle._make(A_ROW),), next_ms=120_000)
    with CandlePart.of(tmp_path / "x.csv", series) as part:
        part.add(first, MINUTE)
        for at_ms in (60_000, 0, 130_000):
            page = Page(candles=(Candle._make(row(timestamp_ms=at_ms)),), next_ms=200_000)
            with pytest.raises(Transient, match="do not follow each other"):
                part.add(page, MINUTE)


@given(st.sets(st.integers(0, 60)), st.integers(0, 9), st.integers(1, 10))
def test_gaps_and_candles_are_the_whole_range(there: set[int], since: int, interval: int) -> None:
    times = [since + interval * at for at in sorted(there)]
    end = since + interval * 61
    found = list(gaps(iter(times), interval, since, end))
    missing = [gap.at_ms + interval * i for gap in found for i in range(gap.candles)]
    assert sorted(times + missing) == (list(range(since, end, interval)) if times else [])
