"""Fills a range of blocks with logs: strides that the node bears, patience where it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from dexmm.chain.rpc.refusals import retry_after
from dexmm.errors import NodeError
from dexmm.fetch.pool.abi_words import Malformed, column
from dexmm.fetch.pool.block_stride import FULL, Stride
from dexmm.fetch.pool.event_schema import SCHEMA
from dexmm.fetch.pool.log_decoder import demand_time
from dexmm.fetch.pool.log_source import Node, TooMuch
from dexmm.fetch.pool.resumable_parts import Parts, Span

Watch = Callable[[int, int, int], None]  # blocks done, blocks in all, logs of the last answer

_TIME = SCHEMA.get_field_index("block_timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often in a row a node may fail, and how long the pauses between are, in seconds."""

    attempts: int = 6
    first: float = 0.2
    longest: float = 10


class RangeFiller:
    def __init__(self, node: Node, parts: Parts, patience: Patience, watch: Watch) -> None:
        self._node, self._parts, self._watch = node, parts, watch
        self._patience = patience
        self._stride = Stride()
        self._limits: set[int] = set()  # of logs in an answer, which have shown
        self._failures = 0  # in a row, such that a smaller question would not have helped
        self._done = self._total = 0  # blocks

    def fill(self) -> None:
        """Fetch and keep every range that is missing.

        Raises ``NodeError`` when the node keeps failing; what was kept by then stays.
        """
        while missing := self._parts.missing():
            self._total = len(self._parts.wanted.span)
            self._done = self._total - sum(map(len, missing))
            self._watch(self._done, self._total, 0)
            for gap in missing:
                first = gap.first
                while first <= gap.last:
                    first = self._step(Span(first, gap.last))
            self._drop_cut()

    def smaller(self, blocks: int) -> None:
        """Ask for a quarter of ``blocks`` at most from now on: so many were answered wrongly."""
        self._stride = Stride(blocks=max(blocks // 4, 1), refused=max(blocks, 2))

    def _drop_cut(self) -> None:
        """Forget answers that were believed before the node's limit had shown in them."""
        limit = self._node.most_logs
        if limit not in self._limits:
            self._limits.add(limit)
            for span, rows in self._parts.rows().items():
                if rows == limit:
                    self._parts.drop(span.first, span.last)

    def _step(self, gap: Span) -> int:
        """Fetch as much as one question may ask; returns the first block after it."""
        retrying = Retrying(
            stop=self._gives_up,
            wait=self._pause,
            retry=retry_if_exception_type(NodeError),
            reraise=True,
        )
        span, logs = retrying(self._ask, gap)
        self._stride = self._stride.answered(logs.num_rows, min(FULL, self._node.most_logs))
        self._failures = 0
        self._parts.keep(span, logs)
        self._done += len(span)
        self._watch(self._done, self._total, logs.num_rows)
        return span.last + 1

    def _ask(self, gap: Span) -> tuple[Span, pa.RecordBatch]:
        span = Span(gap.first, min(gap.last, gap.first + self._stride.blocks - 1))
        try:
            logs = self._node.logs(self._parts.wanted.pool, span)
            return span, self._timed(logs) if self._parts.wanted.timestamps else logs
        except NodeError as error:
            smaller = self._stride.refused_at(len(span)) if isinstance(error, TooMuch) else None
            self._failures += smaller is None
            self._stride = smaller or self._stride
            raise

    def _timed(self, logs: pa.RecordBatch) -> pa.RecordBatch:
        """With the times of blocks that the node did not tell beside their logs."""
        if logs.column(_TIME).null_count == 0:
            return logs
        blocks = logs.column(0).to_numpy()
        different, places = np.unique(blocks, return_inverse=True)
        headers = self._node.headers(different.tolist())
        times = np.array([header.timestamp for header in headers], np.int64)[places]
        try:
            demand_time(blocks, times)
        except Malformed as error:
            raise NodeError(f"{self._node.name} answered with {error}") from None
        return logs.set_column(_TIME, SCHEMA.field(_TIME), column(pa.int64(), times))

    def _gives_up(self, _: RetryCallState) -> bool:
        return self._failures >= self._patience.attempts

    def _pause(self, state: RetryCallState) -> float:
        """Short while smaller questions may help, longer each time when none can, and as long as
        the node asks for within bounds."""
        doubled = self._patience.first * (1 << max(self._failures - 1, 0))
        error = state.outcome.exception() if state.outcome else None
        wait = retry_after(error) if isinstance(error, NodeError) else 0
        return min(max(doubled, wait), self._patience.longest)
