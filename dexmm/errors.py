"""What can go wrong, named by what the runner does next.

    DexmmError
      +-- BadInput      a person must correct a file, a flag or an address      exit 2
      +-- Transient     skip this turn; the next one may see a healthy world    exit 5
      |     +-- NodeError       the node did not answer, or answered nonsense
      +-- Halt          stop acting until a person has looked                   exit 4
      +-- Busy          another process holds the wallet                        exit 6

A guard that holds back an action is not an error: it is a ``Refusal`` in the journal (exit 3).
Every error carries its facts as keyword arguments, so that a log line or an alert can show them
without parsing a sentence. None of them ever carries a key, a password or an RPC URL's path.
"""

from __future__ import annotations

import errno
import shlex
import sys
from pathlib import Path
from typing import ClassVar

# Files fail so while a disk is full, a device stumbles or too much is open: nothing to correct.
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class DexmmError(Exception):
    """An error with one clear sentence and the facts behind it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class BadInput(DexmmError):
    """The configuration, a flag, a file or an address is wrong; the message says how to mend it."""

    exit_code = 2


class Halt(DexmmError):
    """Nothing but withdraw may act until a person has looked."""

    exit_code = 4


class Transient(DexmmError):
    """This turn cannot be whole; skip it."""

    exit_code = 5


class NodeError(Transient):
    """A node that did not answer, or whose answer cannot be true."""


class Busy(DexmmError):
    """Another process holds the wallet."""

    exit_code = 6


# A file of one's own that was there before fails so while its disk is mounted read-only or its
# rights are wrong. What runs goes on by itself when that is mended: nothing is to be configured.
WITHDRAWN = {errno.EROFS, errno.EACCES, errno.EPERM}


def passes(error: OSError) -> bool:
    """Whether what a file failed with passes without anybody correcting what is configured."""
    return error.errno in PASSING


def unusable(what: str, error: OSError, advice: str) -> BadInput | Transient:
    """What to raise for a file that failed: ``what`` is the sentence without its reason.

    ``Transient`` (exit 5) for what passes, as a full disk; ``BadInput`` (exit 2) with ``advice``
    otherwise.
    """
    line = f"{what}: {error.strerror or error}"
    if passes(error):
        return Transient(f"{line}; make room, then try again")
    return BadInput(f"{line}; {advice}")


def unwritable(what: str, error: OSError, advice: str) -> BadInput | Transient:
    """As ``unusable``, for a file or folder of the product's own state, which is the right one:
    a read-only disk and missing rights are ``Transient`` too, with ``advice``."""
    if error.errno in WITHDRAWN:
        return Transient(f"{what}: {error.strerror or error}; {advice}")
    return unusable(what, error, advice)


def install(extra: str) -> str:
    """What to type for an optional part of the product: dexmm is in no index, only in a checkout.

    The environment that runs now is named, and the checkout where it runs from one.
    """
    home = Path(__file__).resolve().parents[1]
    known = home if (home / "pyproject.toml").is_file() else Path("/path/to/dexmm")
    words = (sys.executable, "-m", "pip", "install", f"{known}[{extra}]")
    return " ".join(map(shlex.quote, words))
