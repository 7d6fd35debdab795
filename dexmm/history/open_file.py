"""Opening a history file: what goes wrong with it is one clear sentence.

Gzip is found by its content, the format by the file's name.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from dexmm.errors import BadInput, install

GZIP_MAGIC = b"\x1f\x8b"


def suffix_of(path: Path, known: tuple[str, ...], what: str) -> str:
    """Which of the known endings the file has; ``BadInput`` when none, or when it is absent."""
    with explained(path):
        if not path.exists():
            raise BadInput(f"there is no {what} at {path}: check the path", file=str(path))
    for suffix in known:
        if path.name.lower().endswith(suffix):
            return suffix
    if path.is_dir():
        raise BadInput(f"cannot read {path}: it is a folder", file=str(path))
    raise BadInput(
        f"{path} has a name of no known format: it must end with {', '.join(known[:-1])} "
        f"or {known[-1]}",
        file=str(path),
    )


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """A text file, plain or gzip; reading it further within raises ``BadInput`` alone."""
    with explained(path):
        raw = path.open("rb")
    with raw, explained(path):
        plain = raw.read(2) != GZIP_MAGIC
        raw.seek(0)
        stream = raw if plain else gzip.GzipFile(fileobj=raw)
        yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What reading a text file can raise, as ``BadInput``."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadInput(f"{path} is a truncated or damaged gzip file: fetch it again") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not text: give a file of a known format") from None
    except csv.Error as error:
        raise BadInput(f"{path} is not a table: {error}") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None


@contextmanager
def opened_parquet(path: Path) -> Iterator[Any]:
    """A ``pyarrow.parquet.ParquetFile``; reading it further within raises ``BadInput`` alone."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise BadInput(f"reading Parquet needs the backtest extra: {install('backtest')}") from None
    with explained(path):
        raw = path.open("rb")
    with raw:
        try:
            with parquet.ParquetFile(raw) as opened:
                yield opened
        except (arrow.ArrowException, OSError):
            raise BadInput(
                f"{path} is a truncated or damaged Parquet file: fetch it again"
            ) from None


def row_fault(path: Path | str, number: int, what: str) -> BadInput:
    """A fault of one row; the header of a text file is row 1."""
    return BadInput(f"{path} row {number} {what}", file=str(path), row=number)


def column_places(header: list[str] | None, names: tuple[str, ...], path: Path) -> dict[str, int]:
    """Where each of these columns stands in a header, whatever else it names."""
    if not header:
        raise BadInput(f"{path} is empty: it must hold a header and rows")
    found = [name.strip().lower() for name in header]
    if missing := [name for name in names if name.lower() not in found]:
        raise BadInput(
            f"{path} row 1 lacks the columns {', '.join(missing)}: the header must name "
            f"{','.join(names)}"
        )
    return {name: found.index(name.lower()) for name in names}
