"""Standard input and output that never decide how a command ends.

What a command did is done by the time it is told. A standard output that is closed (``>&-``), has
lost its reader (``| head -1``) or stands on a full disk costs the words, not the work, and so not
the work's exit code. A closed descriptor is opened on the null device: otherwise the next file
that is opened, such as the journal, would take its number and be written into.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TextIO, cast

# The reader went away, or there never was one: nobody is there to be told of it.
_NO_READER = frozenset({errno.EPIPE, errno.EBADF, errno.ECONNRESET})

_lost: dict[int, OSError] = {}  # descriptor -> the first error of writing to it


class _Forgiving(io.FileIO):
    """Writes to a descriptor while that works; afterwards what is written is dropped."""

    def write(self, data: object) -> int:
        raw = memoryview(data).cast("B")  # type: ignore[arg-type]  # bytes-like, as FileIO's own
        if self.fileno() in _lost:
            return len(raw)
        try:
            while (written := super().write(raw)) is None:  # a pipe set to non-blocking, full
                select.select([], [self.fileno()], [])
        except OSError as error:
            _lost[self.fileno()] = error
            return len(raw)
        return written


def prepare() -> None:
    """Make the process's three standard streams usable, whatever it was started with."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = _forgiving(sys.stdout, 1, "backslashreplace")
    sys.stderr = _forgiving(sys.stderr, 2, "backslashreplace")


def reader_went_away() -> bool:
    """Whether standard output has lost its reader (``| head``)."""
    return 1 in _lost and _lost[1].errno == errno.EPIPE


def why_answer_is_lost() -> str:
    """Why standard output could not be written where somebody may still expect it; or empty."""
    error = _lost.get(1)
    if error is None or error.errno in _NO_READER:
        return ""
    return error.strerror or type(error).__name__


def _forgiving(stream: TextIO | None, descriptor: int, errors: str) -> TextIO:
    """``stream`` over a descriptor that cannot fail. One that is not the process's own, such as a
    test's, is left as it is."""
    if stream is not None and _descriptor(stream) != descriptor:
        return stream
    raw = _Forgiving(descriptor, "w", closefd=False)
    wrapped = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=errors,
        line_buffering=raw.isatty() or descriptor == 2,
        write_through=descriptor == 2,
    )
    return cast("TextIO", wrapped)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
