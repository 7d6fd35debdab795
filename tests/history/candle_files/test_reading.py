"""Candle files in the layouts that people have: all are the same candles, or one clear line."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import feather, parquet

from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath, read_path
from dexmm.sim.agents.price_process import generate

T0 = 1_735_689_600  # 2025-01-01 00:00 UTC
STEP = 300
OWN = "timestamp_ms,open,high,low,close,volume"

Row = tuple[int, str, str, str, str, str]


def made(count: int = 24, *, start: int = T0, step: int = STEP, seed: int = 3) -> list[Row]:
    path = generate(seed, count, start_at=start, interval_seconds=step)
    return [
        (c.at, *(f"{p:f}" for p in (c.open, c.high, c.low, c.close)), f"{n % 7}.{n % 10}25")
        for n, c in enumerate(path.candles)
    ]


def iso(at: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def own(rows: Sequence[Row]) -> list[str]:
    return [OWN, *(",".join((str(at * 1000), *numbers)) for at, *numbers in rows)]


def vision(rows: Sequence[Row], per_second: int) -> list[str]:
    """Binance's archive: open time, four prices, volume, close time, quote volume, trades, ..."""
    return [
        f"{at * per_second},{o}000000,{h}000000,{low}000000,{c}000000,{v}00000,"
        f"{(at + STEP) * per_second - 1},9.50000000,12,0.10000000,4.00000000,0"
        for at, o, h, low, c, v in rows
    ]


VISION_NAMES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)

LAYOUTS: dict[str, tuple[Callable[[list[Row]], list[str]], str]] = {
    "own": (own, "times in milliseconds"),
    "own without a header": (lambda rows: own(rows)[1:], "6 columns, no header"),
    "spot archive of 2024": (lambda rows: vision(rows, 1000), "Binance archive, no header"),
    "spot archive of 2025": (lambda rows: vision(rows, 10**6), "times in microseconds"),
    "archive in nanoseconds": (lambda rows: vision(rows, 10**9), "times in nanoseconds"),
    "futures archive": (lambda rows: [VISION_NAMES, *vision(rows, 1000)], "Binance archive"),
    "CryptoDataDownload": (
        lambda rows: [
            "https://www.CryptoDataDownload.com",
            "Unix,Date,Symbol,Open,High,Low,Close,Volume PAXG,Volume USDT,tradecount",
            *(
                f"{at}000,{iso(at, '%Y-%m-%d %H:%M:%S')},PAXGUSDT,{o},{h},{low},{c},{v},77.7,5"
                for at, o, h, low, c, v in reversed(rows)
            ),
        ],
        "CryptoDataDownload, times in milliseconds, newest first",
    ),
    "TradingView, dates": (
        lambda rows: [
            "time,open,high,low,close,Volume,MA #1",
            *(",".join((iso(at), *numbers, "NaN")) for at, *numbers in rows),
        ],
        "CSV, dates;",
    ),
    "TradingView, a zone": (
        lambda rows: [
            "time,open,high,low,close,Volume",
            *(
                ",".join((iso(at + 3600, "%Y-%m-%dT%H:%M:%S+01:00"), *numbers))
                for at, *numbers in rows
            ),
        ],
        "dates;",
    ),
    "TradingView, seconds": (
        lambda rows: [
            "time,open,high,low,close,Volume",
            *(",".join((str(at), *numbers)) for at, *numbers in rows),
        ],
        "times in seconds",
    ),
    "yfinance": (
        lambda rows: [
            "Price,Close,High,Low,Open,Volume",
            "Ticker,PAXG-USD,PAXG-USD,PAXG-USD,PAXG-USD,PAXG-USD",
            "Datetime,,,,,",
            *(
                f"{iso(at, '%Y-%m-%d %H:%M:%S+00:00')},{c},{h},{low},{o},{v}"
                for at, o, h, low, c, v in rows
            ),
        ],
        "yfinance, dates",
    ),
    "Kraken": (
        lambda rows: [",".join((str(at), *numbers, "4")) for at, *numbers in rows],
        "7 columns, no header, times in seconds",
    ),
    "KuCoin": (
        lambda rows: [f"{at},{o},{c},{h},{low},{v},99.5" for at, o, h, low, c, v in reversed(rows)],
        "close before high and low, times in seconds, newest first",
    ),
    "Gate": (
        lambda rows: [f"{at},{v},{c},{h},{low},{o}" for at, o, h, low, c, v in rows],
        "close before high and low",
    ),
    "OKX": (
        lambda rows: [
            "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm",
            *(
                f"PAXG-USDT,{o},{h},{low},{c},{v},1,2,{at}000,1"
                for at, o, h, low, c, v in reversed(rows)
            ),
        ],
        "OKX",
    ),
    "Dukascopy": (
        lambda rows: [
            "Gmt time,Open,High,Low,Close,Volume",
            *(",".join((iso(at, "%d.%m.%Y %H:%M:%S.000"), *numbers)) for at, *numbers in rows),
        ],
        "dates without a zone, taken as UTC",
    ),
    "MetaTrader": (
        lambda rows: [
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<SPREAD>",
            *(
                "\t".join((iso(at, "%Y.%m.%d"), iso(at, "%H:%M:%S"), *numbers, "3"))
                for at, *numbers in rows
            ),
        ],
        "dates without a zone, taken as UTC",
    ),
    "a spreadsheet's": (
        lambda rows: [
            "\ufeffDate;Open;High;Low;Close;Volume",
            *(
                ";".join((iso(at, "%Y-%m-%d %H:%M"), *(n.replace(".", ",") for n in numbers)))
                for at, *numbers in rows
            ),
        ],
        "dates without a zone",
    ),
    "quoted, with thousands": (
        lambda rows: [
            '"Open time","Open","High","Low","Close","Volume"',
            *(
                ",".join(f'"{each}"' for each in (iso(at), *(f"{Decimal(n):,}" for n in numbers)))
                for at, *numbers in rows
            ),
        ],
        "dates",
    ),
    "a pair in every name": (
        lambda rows: [
            "Datetime,Close_PAXG-USD,High_PAXG-USD,Low_PAXG-USD,Open_PAXG-USD,Volume_PAXG-USD",
            *(f"{iso(at)},{c},{h},{low},{o},{v}" for at, o, h, low, c, v in rows),
        ],
        "dates",
    ),
    "an index without a name": (
        lambda rows: [
            ",open,high,low,close,volume",
            *(",".join((iso(at, "%Y-%m-%d %H:%M:%S"), *numbers)) for at, *numbers in rows),
        ],
        "dates without a zone",
    ),
    "whole times with a point": (
        lambda rows: [OWN, *(",".join((f"{at}000.0", *numbers)) for at, *numbers in rows)],
        "times in milliseconds",
    ),
}


def write(file: Path, lines: Sequence[str]) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def zipped(file: Path, members: dict[str, Sequence[str]]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in members.items():
            archive.writestr(name, "\n".join(lines) + "\n")
    return file


def expect(path: PackedPath, rows: Sequence[Row], volume: bool = True) -> None:
    found = [c for c in path if not c.filled]
    assert [c.at for c in found] == [at for at, *_ in rows]
    told = [(c.open, c.high, c.low, c.close) for c in found]
    assert told == [tuple(map(Decimal, row[1:5])) for row in rows]
    if volume:
        assert [c.volume for c in found] == [Decimal(row[5]) for row in rows]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_the_same_candles(tmp_path: Path, name: str) -> None:
    rows = made()
    lay, says = LAYOUTS[name]
    path = read_path(write(tmp_path / "a.csv", lay(rows)))
    expect(path, rows)
    assert says in path.understood
    assert "24 candles of 5 minutes" in path.understood
    assert "2025-01-01 00:00 to 2025-01-01 02:00 UTC, no gaps" in path.understood
    assert "\n" not in path.understood
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert read_path(packed) == path.__class__(
        **{f: getattr(path, f) for f in path.__slots__ if f != "source"}, source=str(packed)
    )


def test_a_file_without_a_volume_is_read_and_says_so(tmp_path: Path) -> None:
    rows = made()
    lines = ["time,open,high,low,close", *(",".join((str(at), *n[:4])) for at, *n in rows)]
    path = read_path(write(tmp_path / "a.csv", lines))
    expect(path, rows, volume=False)
    assert not any(path.volume_units)
    assert "no volume" in path.understood


def test_an_archive_with_one_file_or_several(tmp_path: Path) -> None:
    rows = made(40)
    one = zipped(tmp_path / "PAXGUSDT-5m-2025-01.zip", {"x.csv": vision(rows, 10**6)})
    path = read_path(one)
    expect(path, rows)
    assert path.understood.startswith(
        "PAXGUSDT-5m-2025-01.zip: zip of CSV, Binance archive, no header, times in microseconds; "
    )
    two = zipped(
        tmp_path / "two.zip",
        {
            "a/2024.csv": vision(rows[:20], 1000),
            "a/2025.csv": vision(rows[20:], 10**6),
            "__MACOSX/a/2025.csv": ["x"],
            "a/CHECKSUM": ["0"],
        },
    )
    path = read_path(two)
    expect(path, rows)
    assert "times in milliseconds, times in microseconds" in path.understood


def test_files_and_folders_are_joined_and_equal_overlaps_are_one(tmp_path: Path) -> None:
    rows = made(60)
    folder = tmp_path / "spot" / "monthly"
    folder.mkdir(parents=True)
    zipped(folder / "c-2025-02.zip", {"c.csv": vision(rows[38:], 10**6)})
    zipped(folder / "b-2025-01.zip", {"b.csv": vision(rows[20:40], 1000)})
    (folder / "b-2025-01.zip.CHECKSUM").write_text("0 b-2025-01.zip")
    first = write(tmp_path / "a.csv", own(rows[:20]))
    for named in ((first, tmp_path / "spot"), (tmp_path,), (tmp_path / "spot", first, first)):
        path = read_path(*named)
        expect(path, rows)
        assert path.understood.startswith("3 files (")
        assert "2 twice and equal, no gaps" in path.understood
    pattern = read_path(folder / "*.zip")
    expect(pattern, rows[20:])


def test_overlaps_that_differ_are_named_with_both_rows(tmp_path: Path) -> None:
    rows = made(30)
    first = write(tmp_path / "a.csv", own(rows[:20]))
    at, opened, high, low, _, volume = rows[18]
    other = [rows[17], (at, opened, high, low, opened, volume), *rows[19:]]
    second = write(tmp_path / "b.csv", own(other))
    with pytest.raises(BadInput) as caught:
        read_path(first, second)
    assert caught.value.message == (
        f"{second} row 3 and {first} row 20 hold different candles of 2025-01-01 01:30 UTC (1 such "
        "in all): name files of one market, without one of the two"
    )


def test_files_of_two_steps_are_not_one_history(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", own(made(10)))
    second = write(tmp_path / "b.csv", own(made(10, start=T0 + 86_400, step=3600)))
    with pytest.raises(BadInput, match=r"b.csv holds candles of 1 hour and .*a.csv of 5 minutes"):
        read_path(first, second)


def test_gaps_are_said_and_a_long_one_between_files_is_refused(tmp_path: Path) -> None:
    rows = made(30)
    path = read_path(write(tmp_path / "a.csv", own([*rows[:10], *rows[13:20], *rows[21:]])))
    assert path.filled == 4
    assert path.understood.endswith(
        "2 gaps: 4 candles missing, filled with the last close; the longest of 15 minutes from "
        "2025-01-01 00:50 on"
    )
    later = write(tmp_path / "b.csv", own(made(30, start=T0 + 40 * 86_400)))
    with pytest.raises(BadInput, match=r"b.csv row 2 follows a gap of 957 hours"):
        read_path(tmp_path / "a.csv", later)
    # What is left away by --since and --until does not matter.
    cut = read_path(tmp_path / "a.csv", later, since=T0 + 40 * 86_400 + 600)
    assert cut.at(0) == T0 + 40 * 86_400 + 300 + 300
    assert len(read_path(tmp_path / "a.csv", later, until=T0 + 86_400)) == 30


def test_rows_without_any_price_are_missing_candles(tmp_path: Path) -> None:
    rows = made(12)
    lines = own(rows)
    lines[5] = f"{rows[4][0] * 1000},,,,,"
    lines[6] = f"{rows[5][0] * 1000},NaN,NaN,NaN,NaN,0"
    path = read_path(write(tmp_path / "a.csv", lines))
    expect(path, [*rows[:4], *rows[6:]])
    assert path.filled == 2
    assert "2 rows without prices left out" in path.understood
    lines[9] = lines[9].replace(rows[8][2], "x", 1)
    with pytest.raises(BadInput, match="row 10 has 'x' as"):
        read_path(write(tmp_path / "a.csv", lines))


# JSON, Feather, Parquet


def lists(rows: Sequence[Row], per_second: int = 1000) -> str:
    inner = (f"[{at * per_second},{o},{h},{low},{c},{v}]" for at, o, h, low, c, v in rows)
    return f"[{','.join(inner)}]"


DOCUMENTS: dict[str, Callable[[list[Row]], str]] = {
    "freqtrade": lists,
    "ccxt in microseconds": lambda rows: lists(rows, 10**6),
    "Binance": lambda rows: json.dumps(
        [[at * 1000, *n, at * 1000 + 1, "1", 2, "3", "4", "0"] for at, *n in rows]
    ),
    "OKX": lambda rows: json.dumps(
        {
            "code": "0",
            "msg": "",
            "data": [[f"{at}000", *n, "1", "2", "1"] for at, *n in reversed(rows)],
        }
    ),
    "KuCoin": lambda rows: json.dumps(
        {
            "code": "200000",
            "data": [[str(at), o, c, h, low, v, "9"] for at, o, h, low, c, v in reversed(rows)],
        }
    ),
    "Kraken": lambda rows: json.dumps(
        {
            "error": [],
            "result": {
                "PAXGUSD": [[at, o, h, low, c, c, v, 3] for at, o, h, low, c, v in rows],
                "last": rows[-1][0],
            },
        }
    ),
    "records": lambda rows: json.dumps(
        [
            {"time": iso(at), "open": o, "high": h, "low": low, "close": c, "volume": v}
            for at, o, h, low, c, v in rows
        ]
    ),
    "a record a line": lambda rows: "\n".join(
        json.dumps({"ts": at, "o": o, "h": h, "l": low, "c": c, "v": v})
        for at, o, h, low, c, v in rows
    ),
    "by column": lambda rows: json.dumps(
        {"s": "ok", **{k: [row[i] for row in rows] for i, k in enumerate("tohlcv")}}
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_as_programs_and_exchanges_write_it(tmp_path: Path, name: str) -> None:
    rows = made()
    file = tmp_path / "PAXG_USDT-5m.json"
    file.write_text(DOCUMENTS[name](rows))
    expect(read_path(file), rows)
    packed = tmp_path / "PAXG_USDT-5m.jsongz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    expect(read_path(packed), rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[1735689600000,1,", "is not JSON, or is cut short"),
        ('{"code":"1","msg":"no such"}', "lacks the columns timestamp_ms, open"),
        ('"x"', "holds no candles"),
        ("[]", "holds no candle"),
        ("[[1,2,3]]", "holds no candles"),
        ("[[1735689600000,1,1,1,1,1],[1735689660000,1,1]]", "row 2 ends before its last column"),
        ('[{"time":1,"open":1}]', "lacks the columns high, low, close"),
    ],
)
def test_json_that_holds_no_candles_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        read_path(file)
    assert "\n" not in caught.value.message


def columns(rows: Sequence[Row], kind: Any = None) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume")
    kind = kind or arrow.float64()
    values = zip(*(row[1:] for row in rows), strict=True)
    return {n: arrow.array(map(float, v), kind) for n, v in zip(names, values, strict=True)}


def test_freqtrades_feather_is_read(tmp_path: Path) -> None:
    rows = made()
    date = arrow.array([at * 1000 for at, *_ in rows], arrow.timestamp("ms", "UTC"))
    file = tmp_path / "PAXG_USDT-5m.feather"
    for compression in ("lz4", "uncompressed", "zstd"):
        feather.write_feather(
            arrow.table({"date": date, **columns(rows)}), file, compression=compression
        )
        path = read_path(file)
        expect(path, rows)
        assert "Feather, freqtrade, dates; 24 candles of 5 minutes" in path.understood
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(BadInput, match="truncated or damaged Feather file"):
        read_path(file)


TIMES: dict[str, Callable[[list[int]], Any]] = {
    "seconds": lambda t: arrow.array(t, arrow.int32()),
    "unsigned": lambda t: arrow.array([x * 1000 for x in t], arrow.uint64()),
    "doubles": lambda t: arrow.array([float(x) for x in t], arrow.float64()),
    "microseconds, no zone": lambda t: arrow.array([x * 10**6 for x in t], arrow.timestamp("us")),
    "nanoseconds, Berlin": lambda t: arrow.array(
        [x * 10**9 for x in t], arrow.timestamp("ns", "Europe/Berlin")
    ),
    "text": lambda t: arrow.array([iso(x) for x in t], arrow.string()),
    "large text": lambda t: arrow.array([str(x) for x in t], arrow.large_string()),
    "a dictionary": lambda t: arrow.array([iso(x) for x in t]).dictionary_encode(),
    "decimals": lambda t: arrow.array([Decimal(x) for x in t], arrow.decimal128(20, 0)),
}


@pytest.mark.parametrize("name", TIMES)
def test_parquet_with_times_of_any_type(tmp_path: Path, name: str) -> None:
    rows = made()
    time = TIMES[name]([at for at, *_ in rows])
    parquet.write_table(arrow.table({"Timestamp": time, **columns(rows)}), tmp_path / "a.parquet")
    expect(read_path(tmp_path / "a.parquet"), rows)


def test_parquet_with_numbers_of_any_type(tmp_path: Path) -> None:
    rows = [(at, "4000", "4003", "3990", "4001", "7") for at, *_ in made()]
    time = arrow.array([at for at, *_ in rows])
    kinds = [arrow.int16(), arrow.int64(), arrow.uint64(), arrow.float32(), arrow.float64()]
    kinds += [arrow.decimal128(24, 4), arrow.decimal256(40, 9), arrow.string()]
    for kind in kinds:
        made_of = {n: c.cast(kind) for n, c in columns(rows, arrow.int64()).items()}
        names = {n.title(): c for n, c in made_of.items()}
        parquet.write_table(arrow.table({"Open time": time, **names}), tmp_path / "a.parquet")
        path = read_path(tmp_path / "a.parquet")
        expect(path, rows)
        assert path.price_decimals == 0


def test_a_float_of_32_bits_is_its_shortest_text(tmp_path: Path) -> None:
    rows = [(at, "4000.1", "4003.27", "3990.5", "4001.9", "0.3") for at, *_ in made()]
    time = arrow.array([at for at, *_ in rows])
    table = arrow.table({"time": time, **columns(rows, arrow.float32())})
    parquet.write_table(table, tmp_path / "a.parquet")
    expect(read_path(tmp_path / "a.parquet"), rows)


def test_parquet_of_a_frame_with_tickers_in_its_names(tmp_path: Path) -> None:
    rows = made()
    named = {f"('{n.title()}', 'PAXG-USD')": c for n, c in columns(rows).items()}
    time = arrow.array([at * 1000 for at, *_ in rows], arrow.timestamp("ms", "UTC"))
    parquet.write_table(arrow.table({**named, "Datetime": time}), tmp_path / "a.parquet")
    expect(read_path(tmp_path / "a.parquet"), rows)


def test_files_that_are_not_what_their_name_says(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(BadInput, match="truncated or damaged archive"):
        read_path(tmp_path / "a.zip")
    zipped(tmp_path / "b.zip", {"readme.md": ["x"]})
    with pytest.raises(BadInput, match="archive without a candle file"):
        read_path(tmp_path / "b.zip")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.md").write_text("x")
    with pytest.raises(BadInput, match=r"cannot read .*a folder without a candle file"):
        read_path(empty)
    with pytest.raises(BadInput, match="no candle file at"):
        read_path(tmp_path / "none-*.csv")
    utf16 = tmp_path / "utf16.csv"
    utf16.write_bytes("\n".join(own(made())).encode("utf-16"))
    expect(read_path(utf16), made())


def test_lines_of_different_lengths(tmp_path: Path) -> None:
    rows = made()
    lines = own(rows)
    lines[3] += ",,"
    lines[7] += ",note"
    expect(read_path(write(tmp_path / "a.csv", lines)), rows)
    lines[9] = lines[9].rpartition(",")[0]
    with pytest.raises(BadInput, match="row 10 ends before its last column"):
        read_path(write(tmp_path / "a.csv", lines))


def test_a_pools_events_are_not_prices(tmp_path: Path) -> None:
    names = ("kind", "log_index", "sqrt_price_x96", "block_number")
    parquet.write_table(
        arrow.table({name: arrow.array([1]) for name in names}), tmp_path / "swaps.parquet"
    )
    with pytest.raises(BadInput, match="holds a pool's events: give it with --events"):
        read_path(tmp_path / "swaps.parquet")


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("%Y-%m-%d %I-%p", 3600),  # CryptoDataDownload's hours
        ("%b %d, %Y", 86_400),
        ("%m/%d/%Y", 86_400),
        ("%d/%m/%Y %H:%M", 86_400),
        ("%Y%m%d", 86_400),
        ("%Y/%m/%d %H:%M:%S", 3600),
        ("%Y-%m-%d %H:%M:%S UTC", 3600),
        ("%Y-%m-%dT%H:%M:%S.000000Z", 3600),
        ("%d.%m.%Y %H:%M:%S.000 GMT+0000", 3600),
    ],
)
def test_dates_in_words_and_orders(tmp_path: Path, form: str, step: int) -> None:
    rows = made(30, step=step)
    quoted = ('"' + iso(at, form) + '"' for at, *_ in rows)
    lines = [",".join((when, *numbers)) for when, (_, *numbers) in zip(quoted, rows, strict=True)]
    expect(read_path(write(tmp_path / "a.csv", ["date,open,high,low,close,volume", *lines])), rows)


def test_dates_that_can_be_two_are_refused_where_no_row_tells(tmp_path: Path) -> None:
    rows = made(9, step=86_400)
    lines = [",".join((iso(at, "%m/%d/%Y"), *numbers)) for at, *numbers in rows]
    with pytest.raises(BadInput, match=r"row 2 has '01/01/2025' as date: that can be two dates"):
        read_path(write(tmp_path / "a.csv", ["date,open,high,low,close,volume", *lines]))
