"""The HALT flag: a file, so that neither a corrupt nor a locked database can hide it.

Its presence means that nothing but withdraw may act; its text says why. It is written to a
temporary name, synced and renamed, and so is either whole or absent after a power cut.

The state folder may be on a disk that is full, read-only or broken at the very moment when a halt
must be stored. Then the flag is stored at a second place, which every dexmm with the same state
folder on this machine looks at as well:

    <state_dir>/HALT                         its own place; empty where a full disk takes no text
    ~/.local/state/dexmm/halts/HALT-<key>    of the user (``XDG_STATE_HOME``)
    /dev/shm/dexmm-HALT-<key>                in memory: gone when the machine restarts

``<key>`` names the state folder. Anybody may write into the last folder, so a flag there counts
only when it belongs to this user, to the state folder's owner or to root.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dexmm.errors import Transient, unwritable

# A flag that exists but cannot be read still halts: the safe side of a doubt.
UNREADABLE = "the HALT flag is set, but its reason cannot be read"
NO_REASON = "no reason was given"
MEMORY = Path("/dev/shm")  # noqa: S108 - see above for who may write there
MOST_BYTES = 1 << 16  # of a reason


class HaltNotStored(Transient):
    """No place took the flag: nothing keeps a loop or cron from acting."""


class HaltFlag:
    """The flag of one state folder. ``elsewhere`` are the further places, first the best."""

    def __init__(self, state_dir: Path, elsewhere: Sequence[Path] | None = None) -> None:
        self.path = state_dir / "HALT"
        self._elsewhere = tuple(further_places(state_dir) if elsewhere is None else elsewhere)

    def reason(self) -> str:
        """Why nothing may act; empty when it may."""
        said = [text for place in self._places if (text := self._read(place))]
        told = [text for text in dict.fromkeys(said) if text != NO_REASON]
        return "; ".join(told) or (NO_REASON if said else "")

    def where(self) -> tuple[Path, ...]:
        """Every place at which the flag is seen to be set."""
        return tuple(p for p in self._places if _is_there(p) and self._counts(p))

    def set(self, reason: str) -> None:
        """Durable on return, at its own place or at another one: see ``where``.

        Raises ``HaltNotStored`` when no place took it and none has it from before.
        """
        try:
            self._write(self.path, reason)
        except OSError as error:
            why = error.strerror or type(error).__name__
        else:
            self._forget_elsewhere()
            return
        # A full disk often has room for a name when it has none for a text.
        with contextlib.suppress(OSError):
            _create_empty(self.path)
        for place in self._elsewhere:
            with contextlib.suppress(OSError):
                self._write(place, reason)
                break
        if not self.where():
            raise HaltNotStored(
                f"HALT ({reason}) could not be stored: {self.path}: {why}, and at no other place "
                "either; free its disk or make its folder writable, then `dexmm halt`; until then "
                "stop every loop and cron by hand"
            )

    def clear(self) -> None:
        """Lift it at every place.

        Raises when one remains, which still halts: ``Transient`` where a disk is read-only or
        rights are missing, ``BadInput`` otherwise.
        """
        failed: tuple[Path, OSError] | None = None
        for place in self._places:
            try:
                if self._counts(place):
                    place.unlink(missing_ok=True)
                    if place.parent.is_dir():
                        _sync_folder(place.parent)
            except NotADirectoryError:
                continue
            except OSError as error:
                failed = failed or (place, error)
        if failed is not None:
            advice = "remove it by hand: it still halts"
            raise unwritable(f"cannot remove {failed[0]}", failed[1], advice)

    @property
    def _places(self) -> tuple[Path, ...]:
        return (self.path, *self._elsewhere)

    def _read(self, place: Path) -> str:
        try:
            if not self._counts(place):
                return ""
            with place.open(encoding="utf-8") as file:
                return file.read(MOST_BYTES).strip() or NO_REASON
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            # Of its own place any doubt halts; elsewhere only what is seen to be there.
            return UNREADABLE if place == self.path or _is_there(place) else ""

    def _counts(self, place: Path) -> bool:
        """Whether a flag there is to be believed: not one that a stranger may have put there."""
        if place == self.path:
            return True
        try:
            found = place.lstat()
            if not place.parent.stat().st_mode & stat.S_IWOTH:
                return True
        except OSError:
            return False
        ours = {os.geteuid(), 0}
        with contextlib.suppress(OSError):
            ours.add(self.path.parent.stat().st_uid)
        return stat.S_ISREG(found.st_mode) and found.st_uid in ours

    def _forget_elsewhere(self) -> None:
        """Its own place says all there is to say."""
        for place in self._elsewhere:
            if _is_there(place) and self._counts(place):
                with contextlib.suppress(OSError):
                    place.unlink()

    def _write(self, place: Path, reason: str) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".HALT-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                os.fchmod(handle, 0o644)  # another user's loop over the same folder must read it
                file.write(reason + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(place)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        _sync_folder(place.parent)


def further_places(state_dir: Path) -> tuple[Path, ...]:
    """Where the flag of ``state_dir`` is stored when the folder itself takes nothing."""
    whole = os.path.realpath(state_dir)
    key = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    places = []
    with contextlib.suppress(RuntimeError):  # a user without a home
        home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        places.append(Path(home) / "dexmm" / "halts" / f"HALT-{key}")
    if MEMORY.is_dir():
        places.append(MEMORY / f"dexmm-HALT-{key}")
    return tuple(places)


def _create_empty(place: Path) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_folder(place.parent)


def _is_there(place: Path) -> bool:
    try:
        place.lstat()
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
