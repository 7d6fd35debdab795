"""Candle files are read strictly, and the generator moves as gold does."""

from __future__ import annotations

import gzip
import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from dexmm.errors import BadInput
from dexmm.sim.agents.price_process import GENERATOR_START, Candle, Gold, generate, read_candles

HEADER = "timestamp_ms,open,high,low,close,volume"
T0 = 1_751_629_800_000


def write(folder: Path, *lines: str, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def wide(*minutes: int) -> list[str]:
    return [f"{T0 + 60_000 * m},4000,9999,1,{4001 + m},1.5" for m in minutes]


def test_reads_candles_as_decimals_and_seconds(tmp_path: Path) -> None:
    path = read_candles(write(tmp_path, *wide(0, 1, 2)))
    assert (path.interval_seconds, path.filled, len(path.candles)) == (60, 0, 3)
    assert path.candles[1] == Candle(
        at=T0 // 1000 + 60,
        open=Decimal(4000),
        high=Decimal(9999),
        low=Decimal(1),
        close=Decimal(4002),
        volume=Decimal("1.5"),
    )


def test_columns_are_found_by_name_and_gzip_by_content(tmp_path: Path) -> None:
    text = "close,volume,note,timestamp_ms,open,low,high\n"
    text += f"4001,1,x,{T0},4000,3999,4002\n4002,1,y,{T0 + 60_000},4001,4000,4003\n"
    file = tmp_path / "candles.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    assert [c.close for c in read_candles(file).candles] == [4001, 4002]


def test_missing_candles_repeat_the_last_close_and_are_counted(tmp_path: Path) -> None:
    path = read_candles(write(tmp_path, *wide(0, 1, 4)))
    assert [c.at - T0 // 1000 for c in path.candles] == [0, 60, 120, 180, 240]
    assert path.filled == 2
    assert path.candles[3] == Candle(
        at=T0 // 1000 + 180,
        **dict.fromkeys(("open", "high", "low", "close"), Decimal(4002)),
        filled=True,
    )
    assert path.first(3).filled == 1


@pytest.mark.parametrize(
    ("lines", "row", "says"),
    [
        ([*wide(0, 1), "text,1,1,1,1,1"], 4, "must be seconds, milliseconds"),
        ([*wide(0), f"{T0 + 60_000},4000,4oo2,3999,4001,1"], 3, "must be a number"),
        ([*wide(0), f"{T0 + 60_000},4000,nan,3999,4001,1"], 3, "finite"),
        ([*wide(0), f"{T0 + 60_000},4000,4002,0,4001,1"], 3, "not above zero"),
        ([*wide(0), f"{T0 + 60_000},4000,4002,-5,4001,1"], 3, "not above zero"),
        ([*wide(0), f"{T0 + 60_000},4000,3998,3999,4001,1"], 3, "high below"),
        ([*wide(0), f"{T0 + 60_000},4000,4002,4001,4001,1"], 3, "high below"),
        ([*wide(0), f"{T0 + 60_000},4000,4002,3999,4001,-1"], 3, "negative volume"),
        ([*wide(0), f"{T0 + 60_000},4000,4002"], 3, "cut short"),
        ([*wide(0, 1, 1)], 4, "repeats the timestamp"),
        ([*wide(0, 2, 1)], 4, "older than the row before"),
        ([*wide(0, 1), f"{T0 + 150_000},1,1,1,1,1"], None, "resample"),
        ([*wide(0, 1), "", f"{T0 + 30 * 86_400_000},1,1,1,1,1"], 5, "gap of"),
        ([f"{T0 // 10},1,1,1,1,1", *wide(1)], 2, "since 1970 UTC"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, lines: list[str], row: int | None, says: str) -> None:
    file = write(tmp_path, *lines)
    with pytest.raises(BadInput, match=says) as caught:
        read_candles(file)
    message = caught.value.message
    assert str(file) in message
    assert "\n" not in message
    if row is not None:
        assert f"row {row} " in message


def test_a_bad_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no candle file"):
        read_candles(tmp_path / "absent.csv")
    with pytest.raises(BadInput, match="cannot read"):
        read_candles(tmp_path)
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(BadInput, match="is empty"):
        read_candles(empty)
    with pytest.raises(BadInput, match="holds 0"):
        read_candles(write(tmp_path, name="header.csv"))
    with pytest.raises(BadInput, match="holds 1"):
        read_candles(write(tmp_path, *wide(0), name="one.csv"))
    headless = tmp_path / "headless.csv"
    headless.write_text("\n".join(line.rpartition(",")[0].partition(",")[2] for line in wide(0, 1)))
    with pytest.raises(BadInput, match="lacks the columns timestamp_ms, open"):
        read_candles(headless)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(128, 256)))
    with pytest.raises(BadInput, match="not text"):
        read_candles(binary)


def test_a_truncated_or_damaged_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join((HEADER, *wide(*range(500)))).encode())
    for cut in (12, len(whole) // 2, len(whole) - 1):
        file = tmp_path / f"cut{cut}.csv.gz"
        file.write_bytes(whole[:cut])
        with pytest.raises(BadInput, match="truncated or damaged"):
            read_candles(file)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    file = tmp_path / "flipped.csv.gz"
    file.write_bytes(flipped)
    with pytest.raises(BadInput, match="truncated or damaged"):
        read_candles(file)


def test_asking_for_more_turns_than_candles_says_how_many_there_are(tmp_path: Path) -> None:
    path = read_candles(write(tmp_path, *wide(0, 1, 2)))
    with pytest.raises(BadInput, match="at most --turns 3"):
        path.first(4)


def test_a_candle_is_walked_through_both_extremes() -> None:
    prices = {"open": Decimal(10), "high": Decimal(14), "low": Decimal(9)}
    assert Candle(at=0, close=Decimal(12), **prices).waypoints() == (9, 14, 12)
    assert Candle(at=0, close=Decimal("9.5"), **prices).waypoints() == (14, 9, Decimal("9.5"))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "interval", "candles", "filled"),
    [
        ("PAXGUSDT_perp_5m_2025-07_2025-12", 300, 51_840, 0),
        ("PAXGUSDT_spot_1h_2021-04_2023-12", 3600, 24_000, 12),
        ("PAXGUSDT_spot_1m_2022-11-08", 60, 1_000, 0),
        ("BTCUSDT_spot_1m_2022-11-08", 60, 1_000, 0),
    ],
)
def test_real_files(shared_data: Path, name: str, interval: int, candles: int, filled: int) -> None:
    path = read_candles(shared_data / "prices" / f"{name}.csv.gz")
    assert (path.interval_seconds, len(path.candles), path.filled) == (interval, candles, filled)


def test_one_seed_is_one_path() -> None:
    assert generate(7, 50) == generate(7, 50)
    assert generate(7, 50).candles == generate(7, 80).candles[:50]
    assert generate(7, 50) != generate(8, 50)


def test_generated_candles_are_whole_and_joined() -> None:
    path = generate(3, 4 * 2016)
    assert path.candles[0].open == 4000
    for before, after in pairwise(path.candles):
        assert after.at - before.at == 300
        assert after.low <= min(after.open, after.close)
        assert after.high >= max(after.open, after.close)
        if not opens_a_week(after.at):
            assert after.open == before.close


@pytest.mark.parametrize("interval", [60, 300, 1800])
def test_a_candle_reaches_as_far_as_its_walk_does(interval: int) -> None:
    """The mean range of a Brownian motion is sqrt(8 / pi) of its deviation."""
    model = Gold(sigma_annual=0.2, wander=0, jumps_per_year=0, closed_scale=1, weekend_gap_sigma=0)
    path = generate(6, 20_000, interval_seconds=interval, model=model)
    open_part = 1 - 49 / 168  # of a week, which has all of its variance
    deviation = 0.2 * math.sqrt(interval / (365 * 86_400 * open_part))
    ranges = [math.log(candle.high / candle.low) for candle in path.candles]
    assert sum(ranges) / len(ranges) == pytest.approx(math.sqrt(8 / math.pi) * deviation, rel=0.02)


def opens_a_week(at: int) -> bool:
    """Sunday 23:00 UTC; the generator starts on a Monday at 00:00."""
    return (at - GENERATOR_START) % (7 * 86_400) == 6 * 86_400 + 23 * 3600


def test_volatility_is_golds_and_the_weekend_is_still() -> None:
    path = generate(1, 26 * 2016)
    weekend, session = 0.0, 0.0
    for before, after in pairwise(path.candles):
        squared = math.log(after.close / before.close) ** 2
        second = (before.at - GENERATOR_START) % (7 * 86_400)
        if 4 * 86_400 + 22 * 3600 <= second < 6 * 86_400 + 22 * 3600:
            weekend += squared
        else:
            session += squared
    annual = math.sqrt(2 * (weekend + session))
    assert 0.13 < annual < 0.20
    assert weekend < session / 100
    gaps = [
        after.open != before.close
        for before, after in pairwise(path.candles)
        if opens_a_week(after.at)
    ]
    assert len(gaps) == 26
    assert sum(gaps) >= 24
