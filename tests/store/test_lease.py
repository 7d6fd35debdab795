"""One writer per wallet, released by the kernel however the holder dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dexmm.errors import BadInput, Busy
from dexmm.store.lease import WalletLease

WALLET = "0x" + "Ab" * 20

HOLDER = """
import sys, time
from pathlib import Path
from dexmm.store.lease import WalletLease
with WalletLease(Path(sys.argv[1]), 1, sys.argv[2]).held():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), WALLET], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_writer_is_told_who_holds_it(tmp_path: Path, holder: subprocess.Popen) -> None:
    lease = WalletLease(tmp_path, 1, WALLET.lower())
    with pytest.raises(Busy, match=f"pid {holder.pid}") as caught, lease.held():
        pytest.fail("two writers held one wallet")
    assert caught.value.exit_code == 6
    assert lease.holder() == holder.pid


def test_a_killed_holder_leaves_nothing_behind(tmp_path: Path, holder: subprocess.Popen) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with WalletLease(tmp_path, 1, WALLET).held():
        pass
    assert WalletLease(tmp_path, 1, WALLET).holder() is None


def test_waiting_ends_with_the_holders_turn(tmp_path: Path, holder: subprocess.Popen) -> None:
    started = time.monotonic()
    with pytest.raises(Busy), WalletLease(tmp_path, 1, WALLET).held(timeout_seconds=0.3):
        pytest.fail("two writers held one wallet")
    assert time.monotonic() - started >= 0.3
    holder.terminate()
    with WalletLease(tmp_path, 1, WALLET).held(timeout_seconds=10):
        pass


def test_other_wallets_and_chains_are_other_leases(
    tmp_path: Path, holder: subprocess.Popen
) -> None:
    with WalletLease(tmp_path, 2, WALLET).held(), WalletLease(tmp_path, 1, "0x" + "cd" * 20).held():
        assert holder.poll() is None


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    lease = WalletLease(tmp_path / "file", 1, WALLET)
    with pytest.raises(BadInput, match="make its folder writable"), lease.held():
        pytest.fail("held a lease in a folder that is a file")
