"""Files that are whole or absent: what a fetch writes, and that only one fetch writes it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dexmm.errors import BadInput, Busy, unusable


def demand_writable(output: Path) -> None:
    """Raises ``BadInput`` when the file could not be written there in the end."""
    folder = output.parent
    if output.is_dir():
        raise BadInput(f"{output} is a folder: name the file to write")
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}: make it, or name another --output")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        raise BadInput(f"{folder} is not writable: name another --output") from None


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A name to write to that becomes ``target`` at the end, durably, unless something raises."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise unusable(f"cannot write {target}", error, "choose another --output") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def alone(place: Path, output: Path) -> Iterator[None]:
    """Hold ``place``, a folder or a file that exists, against other fetches. Raises ``Busy``.

    The kernel's lock, which ends with the process however it ends.
    """
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Busy(f"another `dexmm fetch` is writing {output}: wait for it to finish") from None
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
