"""Every command beside a state folder that takes nothing: a read-only disk, a full one, files of
another user. What passes by itself is exit code 5, or 4 while halted, and names the file."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dexmm.config.template import configuration
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.store.database import JOURNAL

HERE = Path(__file__).resolve().parent
STORED = HERE.parent / "store" / "journals" / "schema-1.sqlite.gz"

# Root may write whatever it likes; without these it is held to a file's rights as others are.
HELD_TO_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]

# In a process of its own, so that what it cannot do is really impossible: the code and the error
# of each command, as JSON.
COMMANDS = """
import contextlib, io, json, os, sys
folder, commands = sys.argv[1], json.loads(sys.argv[2])
from dexmm.cli import main
os.chdir(folder)
told = []
for command in commands:
    if command == "make room":
        os.unlink("state/fill")
        continue
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main.run(command.split())
    told.append([code, out.getvalue() + err.getvalue()])
print(json.dumps(told))
"""

READ_ONLY = "mount --bind state state && mount -o remount,ro,bind state"
FULL = (
    "cp -r state was && mount -t tmpfs -o size=200k tmpfs state && cp was/* state/"
    " && (dd if=/dev/zero of=state/fill bs=4k 2>/dev/null || true)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose node does not exist, and a journal of some turns."""
    (tmp_path / "dexmm.toml").write_text(configuration("sandbox"), encoding="utf-8")
    (tmp_path / ".env").write_text(
        "DEXMM_NETWORK__RPC_URLS=http://127.0.0.1:1\nDEXMM_LOOP__STATE_DIR=state\n"
        f"DEXMM_WALLET__PRIVATE_KEY=0x{'5a' * 32}\n",
        encoding="utf-8",
    )
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / JOURNAL).write_bytes(gzip.decompress(STORED.read_bytes()))
    return tmp_path


def leaving(kilobytes: int) -> str:
    """A state folder on a disk of its own with so much room."""
    return (
        "mount -t tmpfs -o size=2048k tmpfs state"
        f" && dd if=/dev/zero of=state/fill bs=1k count={2048 - kilobytes} 2>/dev/null"
    )


def told(folder: Path, commands: list[str], *, mounts: str = "") -> list[Any]:
    """What each command came to, held to the files' rights, or behind mounts of its own."""
    arguments = [sys.executable, "-c", COMMANDS, str(folder), json.dumps(commands)]
    if not mounts and os.geteuid() == 0:
        arguments = [*HELD_TO_RIGHTS, *arguments]
    if mounts:
        inside = f'cd "{folder}" && {mounts} && exec "$@"'
        arguments = ["unshare", "-rm", "sh", "-c", inside, "sh", *arguments]
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(HERE.parent.parent)}
    environment |= {"XDG_STATE_HOME": str(folder / "elsewhere")}
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def mounting() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not mounting(), reason="this user may mount nothing")


@needs_mounts
@pytest.mark.parametrize(
    ("mounts", "why"),
    [(READ_ONLY, "Read-only file system"), (FULL, "No space left on device")],
    ids=["read-only", "full"],
)
def test_a_disk_that_takes_nothing(folder: Path, mounts: str, why: str) -> None:
    commands = ["run --once", "replay", "halt", "run --once", "resume --yes", "doctor"]
    chosen = ["paper --port 0 --state state/x/paper.sqlite", "sandbox --state-dir state/sandbox"]
    run, replay, halt, halted, resume, doctor, *others = told(
        folder, [*commands, *chosen], mounts=mounts
    )
    assert run[0] == 5, run
    assert JOURNAL in run[1]
    assert doctor[0] == 5, doctor
    assert why in doctor[1].replace("\n", " ")
    assert replay[0] in (0, 3), replay
    assert halt[0] == 0, halt
    assert halted[0] == 4, halted
    assert "halted by hand" in halted[1]
    assert resume[0] == 5, resume
    assert why in resume[1]
    assert str(folder / "state") in resume[1]
    for code, said in others:  # a place that somebody has chosen: another one may be right
        assert code == (5 if mounts == FULL else 2), said
        assert "state/" in said


@pytest.mark.parametrize("what", ["folder", "journal", "unreachable"])
def test_files_that_this_user_may_not_write(folder: Path, what: str) -> None:
    state = folder / "state"
    journal = state / JOURNAL
    named = {"folder": state, "journal": journal, "unreachable": journal}[what]
    journal.chmod(0o666 if what == "folder" else 0o444)
    state.chmod({"folder": 0o555, "journal": 0o777, "unreachable": 0o000}[what])
    try:
        run, resume, halt = told(folder, ["run --once", "resume --yes", "halt"])
    finally:
        state.chmod(0o755)
    assert run[0] == 5, run
    assert f"{named}" in run[1]
    assert "Permission denied" in run[1]
    assert halt[0] == 0, halt
    assert resume[0] in ((0, 5) if what != "unreachable" else (5,)), resume


def test_a_halt_that_cannot_be_lifted_stays(folder: Path) -> None:
    state = folder / "state"
    (state / "HALT").write_text("a look\n", encoding="utf-8")
    for each in state.iterdir():
        each.chmod(0o444)
    state.chmod(0o555)
    try:
        run, resume = told(folder, ["run --once", "resume --yes"])
    finally:
        state.chmod(0o755)
    assert run[0] == 4, run
    assert "a look" in run[1]
    assert resume[0] == 5, resume
    assert str(state) in resume[1]
    assert (state / "HALT").exists()


@needs_mounts
@pytest.mark.anvil
def test_a_disk_that_fills_while_a_turn_sends(account: Any) -> None:
    """Wherever it stops: what was sent is known or found, and nothing is minted twice."""
    anvil, folder = account.deployment.anvil, account.config.parent
    account.override(LOOP__STATE_DIR="state", NETWORK__CONFIRMATIONS=0)
    (folder / "state").mkdir()
    cut_short = []
    for kilobytes in (230, 300):
        before = anvil.snapshot()
        ran, again = told(
            folder, ["run --once", "make room", "run --once"], mounts=leaving(kilobytes)
        )
        cut_short.append(ran[0] == 5 and "journal.sqlite" in ran[1])
        assert ran[0] in (0, 5), ran
        assert again[0] == 0, again
        asked = encode_call("balanceOf(address)", account.address)
        (held,) = decode_answer("uint256", anvil.call(POSITION_MANAGER, asked))
        nonce = int(anvil.rpc("eth_getTransactionCount", [account.address, "pending"]), 16)
        if "settled an open transaction" in again[1]:
            assert held == 0, "that was all there was to do"
        else:
            assert nonce == 3, "two allowances and one mint, once"
            assert held == 2
        anvil.revert(before)
    assert any(cut_short), "none of these is small enough"
