"""Errors that nobody foresaw: a turn that ended so is in no journal, but in the loop's log."""

from __future__ import annotations

from pathlib import Path

from dexmm.errors import BadInput

UNFORESEEN = "a turn failed in a way nobody foresaw"  # as ``loop.py`` says it


def unforeseen(path: Path) -> tuple[str, ...]:
    """Every such line with the error it ends in, oldest first. Raises ``BadInput``."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadInput(f"cannot read the log {path}: {error.strerror}") from None
    return tuple(
        f"{line.strip()}: {_cause(lines[number + 1 :])}"
        for number, line in enumerate(lines)
        if UNFORESEEN in line
    )


def _cause(after: list[str]) -> str:
    """The last line of the traceback that follows: the first that is neither indented nor blank."""
    for line in after:
        if line.strip() and not line.startswith((" ", "Traceback")):
            return line.strip()
    return "no cause was logged"
