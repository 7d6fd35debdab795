"""Histories in columns: the same candles from every format, or one clear line."""

from __future__ import annotations

import csv
import gzip
import pickle
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS, Candle, PricePath
from dexmm.history.packed_candles import PackedPath, read_path
from dexmm.sim.agents.price_process import generate, read_candles

T0 = 1_751_629_800_000
NUMBERS = CANDLE_COLUMNS[1:]
DECIMAL = arrow.decimal128(38, 12)


def candle(minute: int, *prices: str, volume: str = "1.5") -> Candle:
    opened, high, low, close = map(Decimal, prices)
    return Candle(
        at=T0 // 1000 + 60 * minute,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=Decimal(volume),
    )


CANDLES = (
    candle(0, "4000", "4001.5", "3999", "4001.25", volume="0"),
    candle(1, "4001.25", "4001.25", "4001.25", "4001.25", volume="0.00000001"),
    candle(2, "4001.2", "4010", "4001.125", "4009.999", volume="123456.5"),
)


def path_of(*candles: Candle) -> PricePath:
    return PricePath(source="candles", interval_seconds=60, candles=candles)


def write_csv(folder: Path, candles: tuple[Candle, ...], name: str = "candles.csv.gz") -> Path:
    rows = ([str(c.at * 1000), *(f"{getattr(c, n):f}" for n in NUMBERS)] for c in candles)
    lines = map(",".join, [CANDLE_COLUMNS, *rows])
    text = ("\n".join(lines) + "\n").encode()
    file = folder / name
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return file


def write_parquet(
    folder: Path, candles: tuple[Candle, ...], kind: Any = DECIMAL, **columns: Any
) -> Path:
    made = {"timestamp_ms": arrow.array([c.at * 1000 for c in candles], arrow.int64())}
    for name in NUMBERS:
        values = [getattr(c, name) for c in candles]
        if kind == arrow.float64():
            values = [float(value) for value in values]
        made[name] = arrow.array(values, kind)
    file = folder / "candles.parquet"
    parquet.write_table(arrow.table(made | columns), file, row_group_size=2)
    return file


def test_every_format_gives_the_same_candles(tmp_path: Path) -> None:
    files = [
        write_csv(tmp_path, CANDLES),
        write_csv(tmp_path, CANDLES, "candles.csv"),
        write_parquet(tmp_path, CANDLES),
    ]
    for file in files:
        path = read_path(file)
        assert tuple(path) == CANDLES == read_path(file).unpacked().candles
        assert (path.interval_seconds, path.filled, len(path)) == (60, 0, 3)
        assert (path.price_decimals, path.volume_decimals) == (3, 8)
        assert path.source == str(file)
    doubles = read_path(write_parquet(tmp_path, CANDLES, arrow.float64()))
    assert tuple(doubles) == CANDLES


def test_a_price_path_is_packed_and_unpacked(tmp_path: Path) -> None:
    path = generate(3, 400)
    packed = PackedPath.of(path)
    assert packed.unpacked() == path
    assert packed.price_decimals == 2
    holed = (*CANDLES, candle(6, "1", "1", "1", "1"))
    filled = read_candles(write_csv(tmp_path, holed))
    assert filled.filled == 3
    assert PackedPath.of(filled).unpacked() == filled
    assert PackedPath.of(filled) == read_path(Path(filled.source))
    assert pickle.loads(pickle.dumps(packed)) == packed  # noqa: S301 - our own bytes


prices = st.decimals("0.00000001", "999999", places=8)


@st.composite
def any_candle(draw: st.DrawFn, minute: int) -> Candle:
    four = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    opened, close = draw(st.permutations(four[1:3]))
    volume = draw(st.decimals(0, 10**9, places=8))
    return candle(minute, *map(str, (opened, four[3], four[0], close)), volume=str(volume))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_nothing_is_lost_on_the_way_through_a_file(tmp_path: Path, data: st.DataObject) -> None:
    # Minutes are the most frequent step, whatever is missing.
    minutes = sorted(data.draw(st.sets(st.integers(7, 60), min_size=1, max_size=5)) | {*range(7)})
    candles = tuple(data.draw(any_candle(minute)) for minute in minutes)
    for file in (write_csv(tmp_path, candles), write_parquet(tmp_path, candles)):
        path = read_path(file)
        assert tuple(c for c in path if not c.filled) == candles
        assert len(path) == minutes[-1] + 1
        assert path.filled == len(path) - len(minutes)
        for before, after in zip(path, list(path)[1:], strict=False):
            assert after.at == before.at + 60
            if after.filled:
                still = dict.fromkeys(("open", "high", "low", "close"), before.close)
                assert after == Candle(at=after.at, **still, filled=True)


def test_columns_are_views_of_integers(tmp_path: Path) -> None:
    path = read_path(write_parquet(tmp_path, CANDLES))
    assert path.closes.tolist() == [4_001_250, 4_001_250, 4_009_999]
    assert path.times.tolist() == [c.at for c in CANDLES]
    for view, units in (
        (path.opens, path.open_units),
        (path.highs, path.high_units),
        (path.lows, path.low_units),
        (path.closes, path.close_units),
        (path.volumes, path.volume_units),
    ):
        assert np.shares_memory(view, np.frombuffer(units, np.int64))
        assert view.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1


def test_a_year_of_minutes_is_below_30_megabytes() -> None:
    path = PackedPath.of(generate(1, 2000, interval_seconds=60))
    held = (path.open_units, path.high_units, path.low_units, path.close_units, path.volume_units)
    whole = sum(len(units) * units.itemsize for units in held) + len(path.filled_marks)
    assert whole / len(path) * 525_600 < 30_000_000


def test_parts_of_a_path() -> None:
    path = PackedPath.of(generate(1, 10))
    start = path.start
    assert list(path.first(4)) == list(path)[:4]
    assert list(path.between(since=start + 1, until=start + 901)) == list(path)[1:4]
    assert list(path.between(since=start - 5000)) == list(path)
    assert list(path.between(until=start + 300)) == list(path)[:1]
    assert path.between(since=start + 600).between(until=start + 900).start == start + 600
    with pytest.raises(BadInput, match="at most --turns 10"):
        path.first(11)
    for period in ({"since": start + 3000}, {"until": start}, {"since": 9 * start}):
        with pytest.raises(BadInput, match="no candle in the period"):
            path.between(**period)
    for index in (-1, 10):
        with pytest.raises(IndexError):
            path.candle(index)


def text_file(folder: Path, *rows: str) -> Path:
    file = folder / "candles.csv"
    file.write_text("\n".join([",".join(CANDLE_COLUMNS), *rows]) + "\n")
    return file


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("2025-07-04T13:50:00+02:00", "must be seconds, milliseconds, .*, or a date and time"),
        (str(T0 + 1), "not on a whole second"),
        (str(T0)[:-1], "must be seconds, milliseconds"),
        (f"{T0}0", "must be seconds, milliseconds"),
        ("1.75163E+12", "a spreadsheet has rounded it"),
        ("07/04/2025 11:50", "write the year first"),
        ("-5", "must be seconds, milliseconds"),
        ("", "must be seconds, milliseconds"),
    ],
)
def test_a_time_that_cannot_be_one_of_this_file_is_named(
    tmp_path: Path, when: str, says: str
) -> None:
    file = text_file(tmp_path, f"{T0 - 60_000},1,1,1,1,1", f"{when},1,1,1,1,1")
    with pytest.raises(BadInput, match=says) as caught:
        read_path(file)
    assert f"{file} row 3 " in caught.value.message


def test_numbers_with_more_digits_than_a_column_holds_are_refused(tmp_path: Path) -> None:
    later = f"{T0 + 60_000},1,1,1,1,1"
    many = text_file(tmp_path, later.replace(str(T0 + 60_000), str(T0)), f"{later[:14]}1,1,1,1,1")
    assert len(read_path(many)) == 2
    for value in ("1234567890123456789", "1.2345678901234567891"):
        row = f"{T0},{value},{value},{value},{value},1"
        with pytest.raises(BadInput, match=r"row 2 .*more than 18 digits"):
            read_path(text_file(tmp_path, row, later))
    together = f"{T0},12345678901234,12345678901234,0.00000000001,12345678901234,1"
    with pytest.raises(BadInput, match="together need more than 18 digits"):
        read_path(text_file(tmp_path, together, later))


def test_scientific_notation_and_trailing_zeros_are_numbers_too(tmp_path: Path) -> None:
    rows = [f"{T0},1.2E-5,0.00001300,1e-5,1.25e-05,0", f"{T0 + 60_000},1,1,1,1.000,2E3"]
    path = read_path(text_file(tmp_path, *rows))
    assert path.price_decimals == 7
    assert path.candle(0).close == Decimal("0.0000125")
    assert path.candle(1).volume == 2000


def test_only_volumes_are_rounded_and_only_beyond_eight_places(tmp_path: Path) -> None:
    volume = repr(0.1 + 0.2 + 1e-11)
    rows = [f"{T0},1,1,1,0.123456789012,{volume}", f"{T0 + 60_000},1,1,1,1,0.000000025"]
    rows[0] = rows[0].replace("1,1,1,0.", "1,1,0.1,0.", 1)
    path = read_path(text_file(tmp_path, *rows))
    assert path.candle(0).close == Decimal("0.123456789012")
    assert path.candle(0).volume == Decimal("0.30000000")
    assert path.candle(1).volume == Decimal("0.00000002")


# Files that are not what they should be


def test_names_of_no_known_format(tmp_path: Path) -> None:
    for name in ("candles.xlsx", "candles", "candles.csv.sha256"):
        (tmp_path / name).write_text("x")
        with pytest.raises(BadInput, match=r"must end with .csv, .csv.gz or .parquet"):
            read_path(tmp_path / name)
    for name in ("absent.parquet", "absent.csv"):
        with pytest.raises(BadInput, match="no candle file at"):
            read_path(tmp_path / name)
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    with pytest.raises(BadInput, match="cannot read"):
        read_path(folder)


def test_a_truncated_or_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path, CANDLES).read_bytes()
    file = tmp_path / "cut.parquet"
    flipped = bytearray(whole)
    flipped[8:40] = bytes(32)
    for content in (b"", whole[:4], whole[: len(whole) // 2], whole[:-1], bytes(flipped), b"x,y\n"):
        file.write_bytes(content)
        with pytest.raises(BadInput, match="truncated or damaged Parquet file"):
            read_path(file)


def test_parquet_of_other_columns_or_types_is_refused(tmp_path: Path) -> None:
    other = write_parquet(tmp_path, CANDLES)
    parquet.write_table(parquet.read_table(other).drop_columns(["low", "volume"]), other)
    with pytest.raises(BadInput, match="lacks the columns low: "):
        read_path(other)
    column = arrow.array([True] * 3, arrow.bool_())
    for name in ("low", "volume"):
        with pytest.raises(BadInput, match=f"{name} of type bool: it must be a number"):
            read_path(write_parquet(tmp_path, CANDLES, **{name: column}))
    with pytest.raises(BadInput, match="timestamp_ms of type bool: it must be seconds"):
        read_path(write_parquet(tmp_path, CANDLES, timestamp_ms=column))


@pytest.mark.parametrize(
    ("columns", "row", "says"),
    [
        ({"low": [Decimal(1), None, Decimal(1)]}, 2, "no low"),
        ({"timestamp_ms": [T0, None, T0 + 60_000]}, 2, "no timestamp_ms"),
        ({"timestamp_ms": [T0, T0, T0 + 60_000]}, 2, "repeats the timestamp"),
        ({"timestamp_ms": [T0, T0 + 60_000, T0 + 30_000]}, 3, "older than the row before"),
        ({"timestamp_ms": [T0 // 10, T0, T0 + 60_000]}, 1, "must be seconds, milliseconds"),
        ({"close": [Decimal(4000), Decimal(0), Decimal(1)]}, 2, "not above zero"),
        ({"low": [Decimal(4000), Decimal(-4), Decimal(1)]}, 2, "not above zero"),
        ({"volume": [0.5, float("nan"), 1.0]}, 2, "finite number"),
        ({"volume": [0.5, 1.0, -1.0]}, 3, "negative volume"),
    ],
)
def test_a_bad_row_of_parquet_is_named(
    tmp_path: Path, columns: dict[str, list[Any]], row: int, says: str
) -> None:
    kinds = {"timestamp_ms": arrow.int64(), "volume": arrow.float64()}
    made = {n: arrow.array(v, kinds.get(n, DECIMAL)) for n, v in columns.items()}
    file = write_parquet(tmp_path, CANDLES, **made)
    with pytest.raises(BadInput, match=says) as caught:
        read_path(file)
    assert f"{file} row {row} " in caught.value.message


def test_without_the_extra_parquet_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_parquet(tmp_path, CANDLES)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        BadInput, match=r"needs the backtest extra: .* -m pip install .*\[backtest\]"
    ):
        read_path(file)


@pytest.mark.data
def test_real_candles_are_what_the_file_says(shared_data: Path) -> None:
    file = shared_data / "prices" / "PAXGUSDT_spot_1m_2022-11-08.csv.gz"
    with gzip.open(file, "rt") as text:
        rows = list(csv.DictReader(text))
    for row, found in zip(rows, read_path(file), strict=True):
        assert found.at * 1000 == int(row["timestamp_ms"])
        assert all(getattr(found, name) == Decimal(row[name]) for name in NUMBERS)
