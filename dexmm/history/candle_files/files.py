"""Which files are meant by what somebody named, and their bytes.

One file, several, folders (with what lies in folders below), a pattern in quotes, and archives
with any number of files in them. What lies beside candles in a folder, such as checksums, is
passed over; a file that is named itself must have a name of a known format. Gzip is found by its
content, the format by the file's name.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dexmm.errors import BadInput
from dexmm.history.open_file import GZIP_MAGIC, explained

_KINDS = {
    ".csv": "text",
    ".txt": "text",
    ".tsv": "text",
    ".json": "document",
    ".jsonl": "document",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".ftr": "feather",
    ".arrow": "feather",
}
_PACKED = (".gz", "gz")  # candles.csv.gz, and freqtrade's jsongz
ENDINGS = ".csv, .csv.gz or .parquet, .json, .feather, or .zip with such files in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of candles, perhaps within an archive."""

    label: str
    kind: str  # text, document, parquet or feather
    packed: str  # "zip", "gzip" or nothing
    read: Callable[[], bytes]


def files(named: Sequence[Path]) -> list[File]:
    """Every file that is meant, in order. Raises ``BadInput`` where one cannot be read."""
    found: dict[str, File] = {}
    for path in named:
        for file in _of(path):
            found.setdefault(file.label, file)
    return list(found.values())


def _of(path: Path) -> Iterator[File]:
    with explained(path):
        if not path.exists():
            matching = _matching(path)
            if not matching:
                raise BadInput(f"there is no candle file at {path}: check the path", file=str(path))
            for each in matching:
                yield from _of(each)
            return
        folder = path.is_dir()
    if folder:
        yield from _in_folder(path)
    elif path.name.lower().endswith(".zip"):
        yield from _in_archive(path)
    else:
        kind = _kind(path.name)
        if kind is None:
            raise BadInput(
                f"{path} has a name of no known format: it must end with {ENDINGS}",
                file=str(path),
            )
        yield _plain(path, kind)


def _matching(path: Path) -> list[Path]:
    """What a pattern that no shell has expanded names."""
    if not any(sign in path.name for sign in "*?["):
        return []
    return sorted(each for each in path.parent.glob(path.name) if not each.name.startswith("."))


def _in_folder(folder: Path) -> Iterator[File]:
    with explained(folder):
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
    known = [
        path
        for path in inside
        if not path.name.startswith(".")
        and (path.name.lower().endswith(".zip") or _kind(path.name) is not None)
    ]
    if not known:
        raise BadInput(
            f"cannot read {folder}: it is a folder without a candle file, which ends with "
            f"{ENDINGS}",
            file=str(folder),
        )
    for path in known:
        yield from _of(path)


def _in_archive(path: Path) -> Iterator[File]:
    with explained(path):
        try:
            with zipfile.ZipFile(path) as archive:
                names = [
                    info.filename
                    for info in archive.infolist()
                    if not info.is_dir()
                    and not info.filename.startswith("__MACOSX")
                    and _kind(info.filename) is not None
                ]
        except zipfile.BadZipFile:
            raise _damaged(path) from None
    if not names:
        raise BadInput(
            f"{path} is an archive without a candle file, which ends with {ENDINGS}",
            file=str(path),
        )
    for name in names:
        yield File(
            label=str(path) if len(names) == 1 else f"{path}:{name}",
            kind=_kind(name) or "text",
            packed="zip",
            read=lambda name=name: _member(path, name),  # type: ignore[misc]  # bound at once
        )


def _member(path: Path, name: str) -> bytes:
    with explained(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return _unpacked(archive.read(name))
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise _damaged(path) from None
        except (RuntimeError, NotImplementedError):
            raise BadInput(
                f"{path} is encrypted, or packed in a way that cannot be read here: unpack it",
                file=str(path),
            ) from None


def _plain(path: Path, kind: str) -> File:
    def read() -> bytes:
        with explained(path):
            return _unpacked(path.read_bytes())

    gz = path.name.lower().endswith(_PACKED)
    return File(label=str(path), kind=kind, packed="gzip" if gz else "", read=read)


def _unpacked(raw: bytes) -> bytes:
    return gzip.decompress(raw) if raw.startswith(GZIP_MAGIC) else raw


def _kind(name: str) -> str | None:
    lower = name.lower()
    for packed in _PACKED:
        lower = lower.removesuffix(packed)
    return _KINDS.get(Path(lower).suffix)


def _damaged(path: Path) -> BadInput:
    return BadInput(f"{path} is a truncated or damaged archive: fetch it again", file=str(path))
