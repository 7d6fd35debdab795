"""The HALT flag: a file, so that neither a corrupt nor a locked database can hide it.

Its presence means that nothing but withdraw may act; its text says why. It is written to a
temporary name, synced and renamed, and so is either whole or absent after a power cut.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dexmm.errors import BadInput

# A flag that exists but cannot be read still halts: the safe side of a doubt.
UNREADABLE = "the HALT flag is set, but its reason cannot be read"


class HaltFlag:
    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "HALT"

    def reason(self) -> str:
        """Why nothing may act; empty when it may."""
        try:
            return self.path.read_text(encoding="utf-8").strip() or "no reason was given"
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            return UNREADABLE

    def set(self, reason: str) -> None:
        """Durable on return. ``BadInput`` when the state folder cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".HALT-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(reason + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise BadInput(
                f"cannot write the HALT flag {self.path}: {error.strerror}; "
                "make its folder writable"
            ) from None

    def clear(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
            if self.path.parent.is_dir():
                _sync_folder(self.path.parent)
        except OSError as error:
            raise BadInput(f"cannot remove {self.path}: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
