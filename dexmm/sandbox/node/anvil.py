"""One Anvil node that never outlives the process that started it.

A small supervisor stands between: it starts Anvil and holds the read end of a pipe whose write
end lives only here. However this process ends - an exception, a signal, ``kill -9`` - the pipe
closes and the supervisor ends Anvil; and on Linux the kernel ends Anvil should the supervisor
itself be killed. Nothing here installs a signal handler. ``detach`` is the one way to leave the
node running.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node.artifacts import node_modules, npm_folder
from dexmm.sandbox.node.rpc import Rpc

START_SECONDS = 60.0
STOP_SECONDS = 10.0

# Runs in an interpreter of its own, without site-packages. stdin is the pipe to watch, stdout
# tells Anvil's pid and, by closing, that all is over; Anvil itself writes to stderr only.
_SUPERVISOR = r"""
import ctypes, os, signal, subprocess, sys, threading
if os.fork():
    os._exit(0)
os.setsid()
for ignored in (signal.SIGINT, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_IGN)

def tie_to_parent():
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

anvil = subprocess.Popen(
    sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=tie_to_parent
)
signal.signal(signal.SIGTERM, lambda *_: anvil.terminate())
print(anvil.pid, flush=True)

def watch():
    if os.read(0, 1) == b"d":
        return
    anvil.terminate()
    try:
        anvil.wait(3)
    except subprocess.TimeoutExpired:
        anvil.kill()

threading.Thread(target=watch, daemon=True).start()
sys.exit(anvil.wait() != 0)
"""


@dataclass(frozen=True)
class AnvilOptions:
    """How Anvil is started. ``None`` leaves Anvil's own default; times are in seconds.

    The rules are mainnet's: Anvil's default hardfork is the newest, and ``transaction_gas_cap``
    holds a transaction to 16,777,216 gas (EIP-7825, since Osaka), which Anvil does not by itself.

    Without ``block_time`` every transaction is mined at once, unless ``mining`` is off. A
    ``fork_url`` may carry a key, so it appears in no repr and no error.
    """

    chain_id: int = 1
    port: int = 0
    timestamp: int | None = None
    block_time: int | None = None
    mining: bool = True
    accounts: int = 10
    base_fee: int | None = None
    gas_limit: int | None = None  # of a block
    transaction_gas_cap: bool = True
    fork_url: str | None = None
    fork_block_number: int | None = None
    load_state: Path | None = None
    dump_state: Path | None = None

    def arguments(self) -> list[str]:
        """The command line, without the binary."""
        options: dict[str, object | None] = {
            "--chain-id": self.chain_id,
            "--timestamp": self.timestamp,
            "--block-time": self.block_time,
            "--accounts": self.accounts,
            "--block-base-fee-per-gas": self.base_fee,
            "--gas-limit": self.gas_limit,
            "--fork-url": self.fork_url,
            "--fork-block-number": self.fork_block_number,
            "--load-state": self.load_state,
            "--dump-state": self.dump_state,
        }
        line = ["--host", "127.0.0.1", "--port", str(self.port)]
        for option, value in options.items():
            if value is not None:
                line += [option, str(value)]
        if self.transaction_gas_cap:
            line.append("--enable-tx-gas-limit")
        return line if self.mining else [*line, "--no-mining"]

    def __repr__(self) -> str:
        fork = "None" if self.fork_url is None else "'********'"
        return f"AnvilOptions(chain_id={self.chain_id}, port={self.port}, fork_url={fork})"


def find_anvil() -> Path:
    """The Anvil to run: ``DEXMM_ANVIL``, then the PATH, then the project's ``node_modules``."""
    named = os.environ.get("DEXMM_ANVIL")
    if named:
        if not os.access(named, os.X_OK) or not Path(named).is_file():
            raise BadInput(f"DEXMM_ANVIL names {named}, which is not an executable file.")
        return Path(named)
    on_path = shutil.which("anvil")
    if on_path:
        return Path(on_path)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    # The package's own binary, not npm's wrapper: a wrapper killed hard leaves its child behind.
    binary = node_modules() / f"@foundry-rs/anvil-{sys.platform}-{machine}" / "bin" / "anvil"
    if os.access(binary, os.X_OK):
        return binary
    raise BadInput(
        f"Anvil is missing: run 'npm ci' in {npm_folder()}, install Foundry so that 'anvil' is on "
        "the PATH, or set DEXMM_ANVIL to the binary."
    )


class Anvil(Rpc):
    """A running node; a context manager. ``url`` and ``pid`` say where and who it is."""

    def __init__(self, options: AnvilOptions | None = None, *, binary: Path | None = None) -> None:
        self.options = options or AnvilOptions()
        command = [str(binary or find_anvil()), *self.options.arguments()]
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the node lives
        try:
            self._control, self._life, self.pid = _supervise(command, self._log)
        except BaseException:
            self._log.close()
            raise
        try:
            super().__init__(f"http://127.0.0.1:{self._listening_port()}")
            self.rpc("anvil_setLoggingEnabled", [False])
        except BaseException:
            self._stop()
            raise

    def __repr__(self) -> str:
        return f"Anvil(url={self.url!r}, pid={self.pid})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the node and wait until it is gone. Harmless twice, and after ``detach``."""
        if self._control >= 0:
            self.disconnect()
            self._stop()

    def detach(self) -> None:
        """Let the node live on after this process; ``pid`` is what a person kills later."""
        os.write(self._control, b"d")
        self.disconnect()
        self._release()

    def mine(self, blocks: int = 1, seconds_apart: int | None = None) -> None:
        """Mine empty blocks (or the pending transactions), ``seconds_apart`` from each other."""
        apart = [] if seconds_apart is None else [hex(seconds_apart)]
        self.rpc("anvil_mine", [hex(blocks), *apart])

    def set_time(self, timestamp: int) -> None:
        """The next block carries ``timestamp``; it must be later than the last block's."""
        self.rpc("evm_setNextBlockTimestamp", [hex(timestamp)])

    def set_base_fee(self, wei: int) -> None:
        """The next block's base fee per gas."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", [hex(wei)])

    def set_balance(self, address: str, wei: int) -> None:
        self.rpc("anvil_setBalance", [address, hex(wei)])

    def set_nonce(self, address: str, nonce: int) -> None:
        self.rpc("anvil_setNonce", [address, hex(nonce)])

    def set_code(self, address: str, code: bytes) -> None:
        self.rpc("anvil_setCode", [address, "0x" + code.hex()])

    def set_storage(self, address: str, slot: int, word: int) -> None:
        self.rpc("anvil_setStorageAt", [address, f"0x{slot:064x}", f"0x{word:064x}"])

    def snapshot(self) -> str:
        """Remember the whole state; ``revert`` returns to it, once."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        if self.rpc("evm_revert", [snapshot]) is not True:
            raise NodeError(f"Anvil knows no snapshot {snapshot}.", snapshot=snapshot)

    @contextlib.contextmanager
    def impersonate(self, address: str) -> Iterator[None]:
        """Within, ``eth_sendTransaction`` from ``address`` needs no key."""
        self.rpc("anvil_impersonateAccount", [address])
        try:
            yield
        finally:
            self.rpc("anvil_stopImpersonatingAccount", [address])

    def _listening_port(self) -> int:
        """Anvil says where it listens once it can answer; until then it may also die."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            said = self._said()
            found = re.search(r"Listening on [^\s:]+:(\d+)", said)
            if found:
                return int(found[1])
            if select.select([self._life], [], [], 0.01)[0]:
                raise NodeError(f"Anvil did not start: {_reason(self._said())}")
        raise NodeError(f"Anvil did not answer within {START_SECONDS:.0f} s of its start.")

    def _said(self) -> str:
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        return said.replace(self.options.fork_url, "********") if self.options.fork_url else said

    def _stop(self) -> None:
        """Close the pipe, upon which the supervisor ends Anvil, then itself."""
        life = os.dup(self._life)
        try:
            self._release()
            # Nothing more is ever written to it, so readable means closed: both have ended.
            if not select.select([life], [], [], STOP_SECONDS)[0]:
                raise NodeError(
                    f"Anvil did not stop: end process {self.pid} by hand.", pid=self.pid
                )
        finally:
            os.close(life)

    def _release(self) -> None:
        os.close(self._control)
        os.close(self._life)
        self._control = -1
        self._log.close()


def _supervise(command: Sequence[str], log: IO[bytes]) -> tuple[int, int, int]:
    """Start ``command`` under a supervisor; returns the two pipe ends held here, and its pid."""
    watched, control = os.pipe()
    life, told = os.pipe()
    try:
        launcher = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SUPERVISOR, *command],
            stdin=watched,
            stdout=told,
            stderr=log,
            check=False,
        )
    finally:
        os.close(watched)
        os.close(told)
    line = b""
    while launcher.returncode == 0 and not line.endswith(b"\n"):
        piece = os.read(life, 1)
        if not piece:
            break
        line += piece
    if line.strip().isdigit():
        return control, life, int(line)
    os.close(control)
    os.close(life)
    raise NodeError(f"{command[0]} could not be started: it is not a program for this machine.")


def _reason(said: str) -> str:
    """The last line in which Anvil says what went wrong, without colours and banner."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "no reason")
