"""The unfinished file of a candle fetch, which the next run goes on with.

    gold.parquet.part         the candles so far, as CSV
    gold.parquet.part.json    what is being fetched, and how much of the part counts

The second is replaced after every page, once the page is on the disk. Whatever the part holds
beyond that is cut off when it is opened again: an interruption costs one page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from dexmm.errors import BadInput, Transient, unusable
from dexmm.fetch.atomic_output import alone, whole
from dexmm.fetch.candles.candle_source import Candle, Page

COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Which candles. ``until_ms`` None goes on to what has closed; ``venue`` names the host."""

    venue: str
    symbol: str
    timeframe: str
    since_ms: int
    until_ms: int | None


def part_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.part")


def state_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.part.json")


class CandlePart:
    """``with CandlePart.of(output, series) as part: ...``; ``Busy`` while another has it."""

    def __init__(self, output: Path, series: Series, file: IO[bytes]) -> None:
        self.series = series
        self.next_ms = series.since_ms
        self._output, self._file = output, file
        self._last_ms: int | None = None

    @classmethod
    @contextmanager
    def of(cls, output: Path, series: Series) -> Iterator[CandlePart]:
        """Begins a part, or goes on with the one that is there.

        Raises ``BadInput`` when that one is of something else.
        """
        path = part_of(output)
        try:
            file = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise unusable(f"cannot write {path}", error, "choose another -o") from None
        with file, alone(path, output):
            part = cls(output, series, file)
            part._resume()
            yield part

    def add(self, page: Page, interval_ms: int) -> None:
        """Keep a page, durably. Raises ``Transient`` for a candle off the others' grid."""
        for candle in page.candles:
            self._demand_on_grid(candle, interval_ms)
            self._file.write((",".join(map(str, candle)) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.next_ms = page.next_ms
        self._note()

    def _demand_on_grid(self, candle: Candle, interval_ms: int) -> None:
        last_ms, self._last_ms = self._last_ms, candle.at_ms
        if last_ms is None:
            return
        passed, off = divmod(candle.at_ms - last_ms, interval_ms)
        if passed < 1 or off:
            raise Transient(
                f"the exchange answered a candle at {candle.at_ms} ms after the one at {last_ms}: "
                "they do not follow each other"
            )

    def _resume(self) -> None:
        state = self._state()
        if state is None:
            self._file.truncate(0)
            self._file.write((",".join(COLUMNS) + "\n").encode())
            self._file.flush()
            self._note()
            return
        if (begun := Series(**state["series"])) != self.series:
            raise BadInput(
                f"{part_of(self._output)} holds an unfinished fetch of {begun.symbol} "
                f"{begun.timeframe} from {begun.venue} since {iso(begun.since_ms)} until "
                f"{iso(begun.until_ms)}: continue that one, remove it and its .json, or name "
                "another --output"
            )
        if self._file.seek(0, os.SEEK_END) < state["bytes"]:
            raise _damaged(self._output)
        self._file.truncate(state["bytes"])
        self._file.seek(state["bytes"])
        self.next_ms, self._last_ms = state["next_ms"], state["last_ms"]

    def _state(self) -> dict[str, Any] | None:
        try:
            state = json.loads(state_of(self._output).read_text(encoding="utf-8"))
            if set(state) != {"series", "bytes", "next_ms", "last_ms"}:
                raise ValueError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise _damaged(self._output) from None
        # Without the part, all that is left is of a fetch that was finished.
        return state if self._file.seek(0, os.SEEK_END) else None

    def _note(self) -> None:
        state = {
            "series": asdict(self.series),
            "bytes": self._file.tell(),
            "next_ms": self.next_ms,
            "last_ms": self._last_ms,
        }
        with whole(state_of(self._output)) as path:
            path.write_text(json.dumps(state), encoding="utf-8")


def discard(output: Path) -> None:
    """Remove the part and what is noted about it."""
    part_of(output).unlink(missing_ok=True)
    state_of(output).unlink(missing_ok=True)


def iso(at_ms: int | None) -> str:
    """UTC, to the second."""
    if at_ms is None:
        return "now"
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _damaged(output: Path) -> BadInput:
    return BadInput(
        f"{part_of(output)} is not as a fetch left it: remove it and its .json, and begin anew"
    )
