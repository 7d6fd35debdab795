"""Folders, names and reasons in brackets are shown as they are: they are no markup."""

from __future__ import annotations

import io
import shlex
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from sandbox.test_summary import CHAIN, POINT, RUN

from dexmm.cli import doctor, main, withdraw
from dexmm.cli.common import load
from dexmm.health.check import Diagnosis, fail
from dexmm.health.machine import secrets
from dexmm.sandbox import closing_view
from dexmm.sandbox.summary import summarise
from dexmm.withdraw.report import Halted, Place, Report

BRACKETS = "bots [paxg]/[bold]state[/]"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    for module in (doctor, withdraw):
        monkeypatch.setattr(module, "console", lambda: Console(file=out, width=400))
    return out


def test_withdraw_shows_them(told: io.StringIO) -> None:
    place = Place(where=BRACKETS, base=Decimal(1), quote=Decimal(2), note=BRACKETS)
    report = Report(
        dry_run=False,
        legs=(),
        trapped=(),
        withheld=(f"not to {BRACKETS}",),
        unfinished=(BRACKETS,),
        warnings=(),
        view=None,
        proved=False,
        elsewhere=(place,),
        halted=Halted(reason="why", places=(BRACKETS,), at_its_place=False),
    )
    withdraw._show(report, Path(BRACKETS))
    assert told.getvalue().count(BRACKETS) == 6


def test_doctor_shows_them(told: io.StringIO) -> None:
    doctor._show(Diagnosis((fail(BRACKETS, f"at {BRACKETS}", f"see {BRACKETS}"),)))
    assert told.getvalue().count(BRACKETS) == 3


def test_the_end_of_a_sandbox_shows_them() -> None:
    out = io.StringIO()
    summary = summarise([POINT, POINT], CHAIN, (), RUN)
    result: Any = SimpleNamespace(
        summary=summary.__class__(
            **{
                **{name: getattr(summary, name) for name in summary.__dataclass_fields__},
                "prices": "gold [2024].csv",
            }
        ),
        stopped=BRACKETS,
        halted=BRACKETS,
        kept=None,
    )
    closing_view.show(Console(file=out, width=400), result)
    assert "gold [2024].csv" in out.getvalue()
    assert out.getvalue().count(BRACKETS) == 2


@pytest.mark.parametrize("folder", ["my bots", "it's", "a$b", BRACKETS])
def test_commands_that_are_printed_can_be_pasted_whatever_the_folder_is_called(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command, as a shell would split it, names the one file."""
    config = tmp_path / folder / "dexmm.toml"
    assert main.run(["status", "--config", str(config)]) == 2
    assert _pasted(capsys.readouterr().err, "dexmm init")[-1] == str(config)
    assert main.run(["init", "--config", str(config)]) == 0
    assert _pasted(capsys.readouterr().out, "dexmm doctor")[-1] == str(config)
    halted = Halted(reason="why", places=(str(config),), at_its_place=True)
    words = Report(
        dry_run=False,
        legs=(),
        trapped=(),
        withheld=(),
        unfinished=(),
        warnings=(),
        view=None,
        proved=False,
        halted=halted,
    ).last_words(config)
    assert shlex.split(words[words.index("dexmm resume") :])[-1] == str(config)
    dotenv = config.parent / ".env"
    dotenv.touch(mode=0o644)
    advice = [check.advice for check in secrets(load(config)) if "chmod" in check.advice]
    assert [_pasted(line, "chmod")[-1] for line in advice] == [str(dotenv)]


def _pasted(text: str, command: str) -> list[str]:
    """What stands in backticks and begins with ``command``, split as a shell does."""
    found = [part for part in text.split("`") if part.startswith(command)]
    return shlex.split(found[-1])
