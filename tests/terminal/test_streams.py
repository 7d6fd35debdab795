"""What became of the words never decides how a command ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dexmm.config.template import configuration
from dexmm.store.flags import HaltFlag

FULL = Path("/dev/full")  # every write to it fails: no space left
NODE = "http://127.0.0.1:1"  # nobody listens there

# What a shell does with a command's streams, before it starts it.
CLOSED = "exec >&-"
NOTHING_AT_ALL = "exec <&- >&- 2>&-"
NO_READER = "gone"
NO_SPACE = f"exec >{FULL}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose node does not exist: what needs it ends with exit code 5."""
    (tmp_path / "dexmm.toml").write_text(configuration("sandbox"), encoding="utf-8")
    (tmp_path / ".env").write_text(
        f"DEXMM_NETWORK__RPC_URLS={NODE}\nDEXMM_WALLET__PRIVATE_KEY=0x{'5a' * 32}\n",
        encoding="utf-8",
    )
    return tmp_path


def dexmm(folder: Path, streams: str, *arguments: str) -> tuple[int, str]:
    """Run one command, its streams as ``streams`` says. Returns its exit code and its stderr."""
    command = [sys.executable, "-m", "dexmm.cli.main", *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    script = f'{"" if streams == NO_READER else streams}\nexec "$@"'
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", script, "bash", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=writing if streams == NO_READER else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(Path.cwd())},
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("streams", [CLOSED, NOTHING_AT_ALL, NO_READER, NO_SPACE])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_halt_is_done_and_its_exit_code_says_so(
    folder: Path, streams: str, how: tuple[str, ...]
) -> None:
    code, err = dexmm(folder, streams, "halt", *how)
    assert code == 0, err
    assert HaltFlag(folder / ".dexmm").reason() == "halted by hand"
    assert "Traceback" not in err
    assert "unexpected" not in err
    assert ("No space left" in err) == (streams == NO_SPACE)


@pytest.mark.parametrize(
    ("streams", "arguments", "usual"),
    [
        (NO_READER, ("withdraw", "--json", "-q"), 5),
        (CLOSED, ("status", "--json"), 5),
        (NO_READER, ("resume", "--yes"), 0),
        (CLOSED, ("resume", "--yes"), 0),
        (NO_READER, ("status", "--config", "nowhere.toml", "--json"), 2),
    ],
)
def test_every_command_ends_as_it_would_with_a_reader(
    folder: Path, streams: str, arguments: tuple[str, ...], usual: int
) -> None:
    HaltFlag(folder / ".dexmm").set("a test")
    code, err = dexmm(folder, streams, *arguments)
    assert code == usual, err
    assert "unexpected" not in err
    assert bool(HaltFlag(folder / ".dexmm").reason()) == ("resume" not in arguments)


def test_nobody_can_be_asked_through_a_closed_standard_input(folder: Path) -> None:
    HaltFlag(folder / ".dexmm").set("a test")
    code, err = dexmm(folder, "exec <&-", "resume")
    assert code == 2
    assert "repeat with --yes" in err


def test_a_letter_that_the_terminal_cannot_show_is_no_error(folder: Path) -> None:
    script = "from dexmm.terminal import streams; streams.prepare(); print('\\u2192 done')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"\\u2192 done\n"
