"""The step is the most frequent one, the odd row is named, and a day is a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dexmm.errors import BadInput
from dexmm.history.packed_candles import read_path

T0 = 1_735_689_600  # 2025-01-01 00:00 UTC


def file_of(folder: Path, times: list[int]) -> Path:
    file = folder / "a.csv"
    lines = ["time,open,high,low,close,volume", *(f"{at},4000,4001,3999,4000,1" for at in times)]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    ("where", "at", "row", "says"),
    [
        (10, 10 * 300 - 150, 12, "comes 150 s after the row before, in a file of 300 s candles"),
        (10, 10 * 300 - 299, 12, "comes 1 s after the row before"),
        (0, -7, 2, "comes 7 s before the row after it"),
        (24, 24 * 300 + 1, 26, "comes 301 s after the row before"),
    ],
)
def test_one_odd_row_is_named_as_the_odd_one(
    tmp_path: Path, where: int, at: int, row: int, says: str
) -> None:
    times = [T0 + 300 * n for n in range(24)]
    times.insert(where, T0 + at)
    with pytest.raises(BadInput, match=says) as caught:
        read_path(file_of(tmp_path, times))
    assert f"a.csv row {row} " in caught.value.message


def test_a_row_that_stands_out_of_its_place_is_named_and_not_its_neighbour(tmp_path: Path) -> None:
    times = [T0 + 300 * n for n in range(24)]
    ahead = [*times[:9], times[9] + 86_400, *times[10:]]
    with pytest.raises(BadInput, match="row 11 is newer than the rows after it"):
        read_path(file_of(tmp_path, ahead))
    behind = [*times[:9], times[9] - 86_400, *times[10:]]
    with pytest.raises(BadInput, match="row 11 is older than the row before"):
        read_path(file_of(tmp_path, behind))


def test_a_thin_market_has_more_gaps_than_neighbours(tmp_path: Path) -> None:
    minutes = [0, 2, 3, 5, 7, 9, 10, 12, 14, 16, 17, 19, 21, 23, 24, 26, 28]
    path = read_path(file_of(tmp_path, [T0 + 60 * n for n in minutes]))
    assert path.interval_seconds == 60
    assert path.filled == 29 - len(minutes)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("days", [1, 7])
def test_daily_candles_across_summer_time_are_days(tmp_path: Path, zone: str, days: int) -> None:
    local = [
        datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)) + timedelta(days=days * n) for n in range(120)
    ]
    times = [int(at.timestamp()) for at in local]
    assert len({after - before for before, after in pairwise(times)}) > 1
    path = read_path(file_of(tmp_path, times))
    assert (path.interval_seconds, path.filled, len(path)) == (86_400 * days, 0, 120)
    assert "an hour of summer time taken out" in path.understood


def test_one_daily_row_an_hour_off_is_odd_and_no_summer_time(tmp_path: Path) -> None:
    times = [T0 + 86_400 * n for n in range(60)]
    times[30] += 3600
    with pytest.raises(BadInput, match="row 32 comes 90000 s after the row before"):
        read_path(file_of(tmp_path, times))


def test_months_differ_in_length(tmp_path: Path) -> None:
    times = [int(datetime(2024, n, 1, tzinfo=UTC).timestamp()) for n in range(1, 13)]
    with pytest.raises(BadInput, match="candles of months, which differ in length"):
        read_path(file_of(tmp_path, times))


def test_holidays_of_a_daily_market_are_gaps(tmp_path: Path) -> None:
    days = [n for n in range(90) if n % 7 not in (5, 6) and n not in (32, 35)]
    path = read_path(file_of(tmp_path, [T0 + 86_400 * n for n in days]))
    assert path.filled == days[-1] + 1 - len(days)
    assert "the longest of 4 days" in path.understood
