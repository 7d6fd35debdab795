"""What a person sees: the frame in a real terminal of a given size, and the lines of the log."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dexmm.config.schema import load_config
from dexmm.config.template import configuration
from dexmm.model.decision import Refusal, Trigger
from dexmm.model.entry import Entry
from dexmm.sandbox.event_feed import Narrator, Tone
from dexmm.sandbox.live_view import LiveScreen
from dexmm.sandbox.run import Options
from dexmm.sim.agents.price_process import generate
from dexmm.wiring.journal_access import open_journal

pytestmark = pytest.mark.anvil

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def start(columns: int, rows: int, *arguments: str) -> tuple[int, int]:
    """``dexmm sandbox`` in a terminal of its own: its pid, and the terminal's other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        # The child inherits the size that the parent sets before the first byte is read.
        # The environment as Python sees it: the library behind line editing puts the size of the
        # parent's terminal into that of the process itself.
        command = [sys.executable, "-m", "dexmm.cli.main", "sandbox", *arguments]
        os.execve(sys.executable, command, dict(os.environ))  # noqa: S606 - fixed arguments
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return pid, terminal


def read_all(terminal: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces).decode()


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_frame_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    pid, terminal = start(columns, 30, "--turns", "5")
    shown = read_all(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    last = _ANSI.sub("", shown[shown.rindex("╭─ dexmm sandbox") :])
    lines = last.replace("\r", "").split("\n")
    assert max(map(len, lines)) <= columns
    frame = lines[: next(n for n, line in enumerate(lines) if line.startswith("start "))]
    assert len(frame) <= 30
    text = "\n".join(lines)
    parts = ("turn 5/5", "fair", "share", "┣", "┫", "base", "log", "liquidity moved", "against")
    for part in parts:
        assert part in text
    assert re.search(r"[0-9.]…|… *[0-9]", text) is None  # no amount is cut
    assert re.search(r"gas \d\.\d{5} ETH", text)
    assert "0 untracked" in text


def test_closing_the_terminal_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pid, terminal = start(80, 24, "--turns", "20000", "--state-dir", str(folder))
    while not (folder / "state" / "journal.sqlite").exists():
        os.read(terminal, 65_536)
    node = json.loads((folder / "chain.json").read_text())["pid"]
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (129, -1)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(node, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the node outlived the terminal")


class Torn(SystemExit):
    """What a signal's handler raises, wherever the program is."""


@pytest.mark.parametrize("at", ["push_render_hook", "show_cursor", "set_live", "pop_render_hook"])
def test_a_frame_that_a_signal_tore_is_closed_without_a_word(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half begun or half ended: what comes after is cleaning up, which must not fail."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    screen = LiveScreen(console)

    def torn(*_: object) -> None:
        raise Torn(129)

    path = generate(7, 3, interval_seconds=60)
    (tmp_path / "dexmm.toml").write_text(configuration("sandbox"), encoding="utf-8")
    config = load_config(tmp_path / "dexmm.toml", {})
    with monkeypatch.context() as patched:
        patched.setattr(console, at, torn)
        with suppress(Torn):
            screen.opened(config, path, Options())
            screen._live.stop()  # type: ignore[union-attr]  # it is open
    screen.closed()
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().rfind("\x1b[?25h") >= console.file.getvalue().rfind("\x1b[?25l")


@pytest.fixture(scope="module")
def quiet_entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """A turn of a real run in which nothing was done."""
    folder = tmp_path_factory.mktemp("narrated") / "run"
    command = ["-m", "dexmm.cli.main", "sandbox", "--turns", "4", "--state-dir", str(folder)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True, timeout=120)
    journal = open_journal(load_config(folder / "dexmm.toml", {}))
    assert journal is not None
    entry = journal.last()
    assert entry is not None
    assert not entry.outcomes
    return entry


def biting(entry: Entry, rule: str, *, withheld: bool) -> Entry:
    decision = replace(
        entry.decision,
        refusals=(Refusal(rule=rule, detail="because"),),
        withheld=withheld,
        trigger=Trigger.EDGE if withheld else None,
    )
    return replace(entry, decision=decision)


def test_a_guard_is_told_when_it_begins_and_when_it_ends(quiet_entry: Entry) -> None:
    free = replace(quiet_entry, decision=replace(quiet_entry.decision, refusals=()))
    narrator = Narrator()
    assert narrator.lines(free) == []
    (line,) = narrator.lines(biting(free, "twap", withheld=False))
    assert (line.tone, line.text) == (Tone.NOTE, "guard twap bites: because")
    assert narrator.lines(biting(free, "twap", withheld=False)) == []
    assert [line.text for line in narrator.lines(free)] == ["guard twap has let go"]


def test_an_action_held_back_is_told_once_while_nothing_changes(quiet_entry: Entry) -> None:
    narrator = Narrator()
    wanted, refused = narrator.lines(biting(quiet_entry, "twap", withheld=True))
    assert wanted.text.startswith("edge: ")
    assert (refused.tone, refused.text) == (Tone.REFUSED, "refused by twap: because")
    assert narrator.lines(biting(quiet_entry, "twap", withheld=True)) == []
    texts = [line.text for line in narrator.lines(biting(quiet_entry, "gas_cap", withheld=True))]
    assert "refused by gas_cap: because" in texts
    assert "guard twap has let go" in texts
