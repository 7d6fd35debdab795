"""Folders, names and reasons in brackets are shown as they are: they are no markup."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from sandbox.test_summary import CHAIN, POINT, RUN

from dexmm.cli import doctor, withdraw
from dexmm.ops.checks import Diagnosis, fail
from dexmm.sandbox import closing
from dexmm.sandbox.summary import summarise
from dexmm.withdraw_report import Halted, Place, Report

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
    closing.show(Console(file=out, width=400), result)
    assert "gold [2024].csv" in out.getvalue()
    assert out.getvalue().count(BRACKETS) == 2
