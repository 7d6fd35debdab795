"""The parts of an unfinished fetch: a folder beside the output, a file for each range of blocks.

    history.parquet.parts/
        range.json                                what is being fetched; any other fetch is refused
        000000017000000-000000017001999.arrow     the logs of these blocks, all of them

A part appears under its name only when it is whole, so whoever ends the process loses no more
than the answer in hand. In the end the parts must cover the range, each block once; then they
become one Parquet file whose bytes do not depend on how the range was divided.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from dexmm.errors import BadInput, unusable
from dexmm.fetch.atomic_output import alone, whole
from dexmm.fetch.pool.event_schema import SCHEMA

ROWS_A_GROUP = 1 << 15
_NAME = re.compile(r"(\d{15})-(\d{15})\.arrow")
_REPEATING = ["kind", "sender", "owner", "recipient", "tick_lower", "tick_upper"]
_COUNTING = dict.fromkeys(("block_number", "block_timestamp", "log_index"), "DELTA_BINARY_PACKED")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Blocks, both ends included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a folder of parts is about. ``anchor`` is the hash of the last block."""

    chain_id: int
    pool: str
    from_block: int
    to_block: int
    anchor: str
    timestamps: bool

    @property
    def span(self) -> Span:
        return Span(self.from_block, self.to_block)


def folder_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.parts")


def read_wanted(output: Path) -> Wanted | None:
    """What an earlier fetch to the same output has begun; None when there is none."""
    path = folder_of(output) / "range.json"
    try:
        return Wanted(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise BadInput(f"{path} cannot be read: remove {path.parent} and begin anew") from None


def discard(output: Path) -> None:
    """Remove the parts; also those of a fetch that was ended just after it wrote its output."""
    if folder_of(output).is_dir():
        shutil.rmtree(folder_of(output))


class Parts:
    """``with Parts.of(output, wanted) as parts: ...``; ``Busy`` while another fetch has them."""

    def __init__(self, output: Path, wanted: Wanted) -> None:
        self.output, self.wanted = output, wanted
        self.folder = folder_of(output)

    @classmethod
    @contextmanager
    def of(cls, output: Path, wanted: Wanted) -> Iterator[Parts]:
        parts = cls(output, wanted)
        try:
            parts.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise unusable(f"cannot make {parts.folder}", error, "choose another -o") from None
        with alone(parts.folder, output):
            begun = read_wanted(output)
            if begun is None:
                with whole(parts.folder / "range.json") as path:
                    path.write_text(json.dumps(asdict(wanted)), encoding="utf-8")
            elif begun != wanted:
                raise _another(begun, wanted, output)
            yield parts

    def spans(self) -> list[Span]:
        """The ranges that are there, in order. A part that is damaged is removed."""
        return sorted(self.rows())

    def rows(self) -> dict[Span, int]:
        """The ranges that are there, and how many logs each has. A damaged part is removed."""
        found = {}
        for path in self.folder.iterdir():
            if (name := _NAME.fullmatch(path.name)) is None:
                continue
            if (rows := _rows_of(path)) is None:
                path.unlink()
            else:
                found[Span(int(name[1]), int(name[2]))] = rows
        return found

    def missing(self) -> list[Span]:
        """The ranges that are still to be asked for, in order.

        Raises ``BadInput`` when parts overlap or lie outside: somebody else put them there.
        """
        gaps, next_block = [], self.wanted.from_block
        for span in self.spans():
            if span.first < next_block or span.last > self.wanted.to_block:
                raise BadInput(
                    f"{self.folder} holds blocks {span.first} to {span.last} twice or without "
                    "being asked to: remove the folder and begin anew"
                )
            if span.first > next_block:
                gaps.append(Span(next_block, span.first - 1))
            next_block = span.last + 1
        if next_block <= self.wanted.to_block:
            gaps.append(Span(next_block, self.wanted.to_block))
        return gaps

    def keep(self, span: Span, logs: pa.RecordBatch) -> None:
        """Store the logs of a range."""
        with whole(self._path(span)) as path, pa.ipc.new_file(path, SCHEMA) as file:
            file.write_batch(logs)

    def merge(self, metadata: Mapping[str, str]) -> int:
        """Write the output and remove the parts. Returns how many logs there are."""
        with whole(self.output) as path:
            rows = write_logs(path, self.batches(), metadata)
        discard(self.output)
        return rows

    def drop(self, first: int, last: int) -> None:
        """Forget the parts that have any of these blocks: they will be missing again."""
        for span in self.spans():
            if span.first <= last and span.last >= first:
                self._path(span).unlink()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All logs in the order of the chain, a part at a time."""
        for span in self.spans():
            with pa.memory_map(str(self._path(span))) as source:
                yield pa.ipc.open_file(source).get_batch(0)

    def _path(self, span: Span) -> Path:
        return self.folder / f"{span.first:015}-{span.last:015}.arrow"


def _another(begun: Wanted, wanted: Wanted, output: Path) -> BadInput:
    """Why what was begun is not what is wanted now."""
    folder = folder_of(output)
    if replace(begun, anchor=wanted.anchor) == wanted:
        return BadInput(
            f"{folder} was begun on a chain whose block {begun.to_block} was another: it has been "
            "reorganised since, or the node is of another chain; remove the folder and begin anew"
        )
    times = " with timestamps" if begun.timestamps else " without timestamps"
    return BadInput(
        f"{folder} holds an unfinished fetch of {begun.pool}, blocks {begun.from_block} to "
        f"{begun.to_block}{times}, on chain {begun.chain_id}: continue that one, remove the "
        "folder, or name another --output"
    )


def _rows_of(path: Path) -> int | None:
    """None when the file is not a whole part."""
    try:
        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            whole_part = file.num_record_batches == 1 and file.schema.equals(SCHEMA)
            return file.get_batch(0).num_rows if whole_part else None
    except (pa.ArrowInvalid, OSError):
        return None


def write_logs(path: Path, batches: Iterable[pa.RecordBatch], metadata: Mapping[str, str]) -> int:
    """One Parquet file, whose bytes do not depend on how its rows were divided into batches."""
    schema, rows = SCHEMA.with_metadata(dict(metadata)), 0
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=_REPEATING,
        column_encoding=_COUNTING,
        write_statistics=["block_number", "block_timestamp"],
    ) as writer:
        for group in _groups(batches):
            writer.write_table(group.cast(schema), row_group_size=ROWS_A_GROUP)
            rows += group.num_rows
    return rows


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of ``ROWS_A_GROUP`` rows, the last one shorter."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < ROWS_A_GROUP:
            continue
        table = pa.Table.from_batches(waiting, SCHEMA)
        full = rows - rows % ROWS_A_GROUP
        for start in range(0, full, ROWS_A_GROUP):
            yield table.slice(start, ROWS_A_GROUP).combine_chunks()
        waiting, rows = table.slice(full).to_batches(), rows - full
    if rows:
        yield pa.Table.from_batches(waiting, SCHEMA).combine_chunks()
