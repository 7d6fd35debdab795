"""How a range is divided: by what a node bears, and into parts that cover it once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.errors import BadInput
from dexmm.fetch.pool.block_stride import MOST, Stride
from dexmm.fetch.pool.event_schema import SCHEMA
from dexmm.fetch.pool.resumable_parts import Parts, Span, Wanted


@given(st.integers(1, 2 * MOST), st.lists(st.integers(0, 30_000), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_strides_stay_near_what_a_node_bears(bears: int, answers: list[int]) -> None:
    stride, refusals = Stride(), 0
    for logs in answers:
        while stride.blocks > bears:
            smaller = stride.refused_at(stride.blocks)
            assert smaller is not None
            assert smaller.blocks == stride.blocks // 2
            stride, refusals = smaller, refusals + 1
        grown = stride.answered(logs)
        assert stride.blocks <= grown.blocks <= min(2 * stride.blocks, MOST)
        stride = grown
    assert refusals <= 12 + len(answers)


def test_a_stride_grows_back_and_one_block_cannot_shrink() -> None:
    assert Stride(blocks=1).refused_at(1) is None
    stride = Stride().refused_at(2000)
    for _ in range(60):
        assert stride is not None
        stride = stride.answered(10)
    assert stride is not None
    assert stride.blocks > MOST * 9 // 10
    assert Stride(blocks=500).answered(9000).blocks == 500  # full enough


def test_parts_that_overlap_are_refused(tmp_path: Path) -> None:
    wanted = Wanted(
        chain_id=1, pool="0x", from_block=10, to_block=30, anchor="0x", timestamps=False
    )
    nothing = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    with Parts.of(tmp_path / "x.parquet", wanted) as parts:
        parts.keep(Span(15, 20), nothing)
        assert parts.missing() == [Span(10, 14), Span(21, 30)]
        parts.keep(Span(10, 14), nothing)
        parts.keep(Span(20, 30), nothing)
        with pytest.raises(BadInput, match="twice or without being asked to"):
            parts.missing()
        parts.drop(20, 20)
        assert parts.missing() == [Span(15, 30)]
        parts.keep(Span(15, 30), nothing)
        assert parts.merge({}) == 0
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 0
