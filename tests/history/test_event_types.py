"""Events in columns, wide integers, and the record of a day."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim.replay.history_scene import life, write_logs

from dexmm.errors import BadInput
from dexmm.history.event_types import EventHistory
from dexmm.history.wide_ints import Wide
from dexmm.sim.replay.pool_events import read_events

GOLDEN = "wbtc_weth_3000_blocks_16944668_16951788.json.gz"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> EventHistory:
    return read_events(write_logs(tmp_path_factory.mktemp("logs"), life(1, 40).rows))


@given(st.lists(st.integers(-(2**255), 2**255 - 1)), st.data())
def test_wide_integers_come_back(values: list[int], data: st.DataObject) -> None:
    column = Wide.of(values)
    assert [column[i] for i in range(len(column))] == values
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(values))] * 2)))
    assert column.span(first, last) == values[first:last]
    assert column[first:last].span(0, last - first) == values[first:last]
    for index in (-1, len(values)):
        with pytest.raises(IndexError):
            column[index]


@pytest.mark.parametrize(("value", "width"), [(0, 1), (127, 1), (128, 2), (-128, 2), (2**95, 13)])
def test_a_wide_column_is_no_wider_than_it_needs(value: int, width: int) -> None:
    assert Wide.of([0, value]).width == width


def test_events_are_a_sequence_that_is_cut_like_a_list(history: EventHistory) -> None:
    events, objects = history.events, list(history.events)
    assert [events[i] for i in range(len(events))] == objects
    for first, last in ((0, 10), (5, 45), (30, len(objects)), (7, 7)):
        assert list(events[first:last]) == objects[first:last]
    assert events.limits
    for index in (-1, len(objects)):
        with pytest.raises(IndexError):
            events[index]
    with pytest.raises(IndexError):
        events[0:10:2]


def test_events_take_little_room(history: EventHistory) -> None:
    events = history.events
    wide = (
        events.inputs,
        events.amounts0,
        events.amounts1,
        events.sqrt_prices,
        events.liquidities,
    )
    assert sum(column.width for column in wide) < 5 * 20


def record(shared_data: Path, change: Callable[[dict[str, Any]], object], folder: Path) -> Path:
    day = json.loads(gzip.decompress((shared_data / "univ3" / GOLDEN).read_bytes()))
    change(day)
    file = folder / "day.json"
    file.write_text(json.dumps(day))
    return file


@pytest.mark.data
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda day: day.pop("before"), "not a whole record of pool events: it lacks 'before'"),
        (lambda day: day["events"].clear(), "holds no event"),
        (lambda day: day["events"][3].update(method="FLASH"), "unknown kind 'FLASH'"),
        (lambda day: day["events"][3].update(amount0="abc"), "not a record of pool events"),
        (lambda day: day["events"].pop(100), "in block .*, log .*, .*missing"),
        (lambda day: day["events"].insert(9, day["events"][30]), "comes after"),
        (lambda day: day["events"][0].update(sqrtPriceX96="5"), "does not reach"),
        (lambda day: day["events"][0].update(amountSpecified="5"), "does not reach"),
    ],
)
def test_a_bad_record_of_a_day_is_one_clear_line(
    shared_data: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read_events(record(shared_data, change, tmp_path))
    assert "\n" not in caught.value.message


def test_files_that_are_no_events(tmp_path: Path) -> None:
    file = tmp_path / "day.json"
    file.write_text('{"events": [')
    with pytest.raises(BadInput, match="not JSON, or is cut short"):
        read_events(file)
    file.write_text("[1, 2]")
    with pytest.raises(BadInput, match="is a list, and not a pool's state"):
        read_events(file)
    file.write_bytes(gzip.compress(b"{}" * 1000)[:20])
    with pytest.raises(BadInput, match="truncated or damaged gzip"):
        read_events(file)
    with pytest.raises(BadInput, match="no event file"):
        read_events(tmp_path / "absent.parquet")
    (tmp_path / "events.txt").write_text("x")
    with pytest.raises(BadInput, match=r"must end with .json, .json.gz or .parquet"):
        read_events(tmp_path / "events.txt")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", '{"data": {"swaps": [{"amount0": "0.1"}]}}', "is a subgraph's answer"),
        ("a.json", '{"data": {"mints": [], "burns": []}}', "is a subgraph's answer"),
        ("a.json", '{"errors": [{"message": "behind"}]}', "is a subgraph's error"),
        ("a.json", '{"execution_id": "1", "result": {"rows": []}}', "is an answer of Dune"),
        ("a.json", '{"jsonrpc": "2.0", "id": 1, "result": []}', "undecoded logs"),
        ("a.json", '{"status": "1", "message": "OK", "result": []}', "undecoded logs"),
        ("a.json", '[{"address": "0x1", "topics": []}]', "undecoded logs"),
        ("a.json", "[[1735689600000, 1, 2, 3, 4, 5]]", "holds candles, which --prices reads"),
        ("a.json", "7", "is not a pool's state with the events after it"),
        ("a.json", '{"x": 1}', "is not a pool's state .before. with the events"),
        ("a.csv", "evt_block_number,amount0\n1,2\n", "is a table, as Dune and others export"),
        ("a.csv.gz", "x", "is a table"),
    ],
)
def test_what_others_answer_about_a_pool_is_named_with_what_to_do(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        read_events(tmp_path / name)
    assert "`dexmm fetch swaps --pool ADDRESS --from-block N -o swaps.parquet`" in str(caught.value)
    assert "Error" not in caught.value.message
    assert "\n" not in caught.value.message
