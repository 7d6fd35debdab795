"""One writer per wallet, held from the nonce's read to the receipt.

The kernel's file lock, so that a process that dies in any way releases it at that moment: there
is no stale lock to clean up, and no clock to trust. The file names the holder for people.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dexmm.config.schema import Config
from dexmm.errors import Busy, unusable, unwritable

POLL_SECONDS = 0.05


def lock_folder(config: Config) -> Path:
    """Where this wallet's lock lives.

    On mainnet one place per user, so that two configurations in two folders still exclude each
    other. A sandbox or a fork is a world of its own, and so is its state folder.
    """
    if config.network.name != "mainnet":
        return config.state_dir
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "dexmm" / "locks"


class WalletLease:
    """``with WalletLease(folder, chain_id, wallet).held(): ...`` or ``Busy``."""

    def __init__(self, folder: Path, chain_id: int, wallet: str) -> None:
        self.path = folder / f"wallet-{chain_id}-{wallet.lower()}.lock"

    @contextmanager
    def held(self, timeout_seconds: float = 0) -> Iterator[None]:
        """Hold the lease. Waits up to ``timeout_seconds`` for another holder, then ``Busy``."""
        descriptor = self._open()
        try:
            self._lock(descriptor, timeout_seconds)
            self._sign(descriptor)
            yield
        finally:
            os.close(descriptor)  # releases the lock

    def holder(self) -> int | None:
        """The process that holds the lease now; ``None`` when it is free."""
        if not os.path.exists(self.path):  # noqa: PTH110 - False also where nobody may look
            return None
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._written_pid(descriptor)
        finally:
            os.close(descriptor)
        return None

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # On a read-only disk a lock file that is there can still be locked.
            with suppress(OSError):
                return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            what = f"cannot open the wallet's lock {self.path.absolute()}"
            kind = unwritable if self.path.parent.is_dir() else unusable
            raise kind(what, error, "make its folder writable") from None

    def _lock(self, descriptor: int, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    pid = self._written_pid(descriptor)
                    raise Busy(
                        f"another dexmm process (pid {pid or 'unknown'}) holds this wallet; "
                        "wait for it to finish its turn, or stop it",
                        pid=pid,
                    ) from None
                time.sleep(POLL_SECONDS)
            else:
                return

    def _sign(self, descriptor: int) -> None:
        """Say who holds it. A loop takes its own lease every turn: then the name stands already,
        and writing to a disk is most of what taking a lease costs."""
        if self._written_pid(descriptor) != os.getpid():
            # On a full or read-only disk the lock holds without its name.
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    @staticmethod
    def _written_pid(descriptor: int) -> int | None:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
