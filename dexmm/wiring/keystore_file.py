"""A keystore on the disk: whole or absent, its owner's alone, and never over another one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dexmm.chain.send.keys import encrypted
from dexmm.errors import BadInput, unusable
from dexmm.fetch.atomic_output import sync_folder

ONLY_OWNER = 0o600


def demand_free(path: Path) -> None:
    """``BadInput`` where a keystore could not be written: asked before any secret is."""
    if path.is_symlink() or path.exists():
        raise BadInput(
            f"{path} is there already, and may hold a key that is nowhere else: name another "
            "--output, or move it away"
        )
    if not path.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {path.parent} to write {path.name} into: make it")


def write_keystore(path: Path, private_key: str, password: str, expected: str | None = None) -> str:
    """Encrypt the key into a new file of mode 0600. Returns its address.

    ``expected`` is the address that it must be of. The file appears at once, whole and durable.
    Raises ``BadInput`` for what is no key, an empty password, or a file that is there.
    """
    demand_free(path)
    text, address = encrypted(private_key, password, expected)
    folder = path.absolute().parent
    try:
        # Files of this kind are 0600 from their first moment on.
        descriptor, unfinished = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), ONLY_OWNER)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)  # fails where somebody was faster: nothing is overwritten
        finally:
            Path(unfinished).unlink(missing_ok=True)
        sync_folder(folder)
    except FileExistsError:
        demand_free(path)
        raise
    except OSError as error:
        raise unusable(f"cannot write {path}", error, "choose another --output") from None
    return address
