"""Terminals of any width: no amount is cut or broken, and no line is wider than the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from dexmm.cli import backtest, main
from dexmm.cli.common import console

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = str(PROJECT / "docs" / "gold-two-weeks.csv")
WIDTHS = (40, 60, 80, 200)
# A number with its thousands apart, its sign and its decimals; hashes and addresses are no numbers.
NUMBER = re.compile(r"[+−-]?\d{1,3}(?: \d{3})+(?:\.\d+)?(?!\d)|[+−-]?\d+(?:\.\d+)?")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F…]+|\b[0-9a-f]{16,}\b|\S*/\S*")

Shown = Callable[[int], str]


@pytest.fixture
def at_width(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda columns: monkeypatch.setenv("COLUMNS", str(columns))


def numbers(text: str) -> Counter[str]:
    """Every number that stands in one piece on one line."""
    lines = [HEXADECIMAL.sub("#", line) for line in text.splitlines()]
    return Counter(number for line in lines for number in NUMBER.findall(line))


def check(shown: Shown, *, changes: set[str] | None = None) -> None:
    """The same amounts at every width. ``changes`` are words of lines that time changes."""
    texts = {columns: _without(shown(columns), changes or set()) for columns in WIDTHS}
    wide = numbers(texts[max(WIDTHS)])
    assert len(wide) > 5
    for columns, text in texts.items():
        assert "…" not in HEXADECIMAL.sub("", text), columns
        widest = max(text.splitlines(), key=cell_len)
        assert cell_len(widest) <= columns, (columns, widest)
        missing = wide - numbers(text)
        assert not missing, (columns, missing)


def _without(text: str, words: set[str]) -> str:
    return "\n".join(line for line in text.splitlines() if not any(w in line for w in words))


@pytest.mark.anvil
@pytest.mark.parametrize(
    "command", [("status",), ("doctor",), ("withdraw", "--dry-run")], ids=lambda c: c[0]
)
def test_commands_that_look_at_the_chain(
    command: tuple[str, ...], account: Any, at_width: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("run", "--once", "--quiet") == 0
    capfd.readouterr()

    def shown(columns: int) -> str:
        at_width(columns)
        account.dexmm(*command)
        return capfd.readouterr().out

    check(shown, changes={"answers in"})


def test_a_backtest(
    at_width: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dexmm.backtest import terminal_view as module

    kept: list[Any] = []
    whole = module.show
    monkeypatch.setattr(module, "show", lambda _out, *given: kept.extend(given))
    asked = ("--prices", SAMPLE, "--pay-ratio", "1", "--set", "strategy.name=budget")
    tight = ("edge_min_bp=60", "edge_max_bp=100", "edge_sigmas=0.5", "economic_gate=false")
    restless = [word for each in tight for word in ("--set", f"strategy.{each}")]
    assert main.run(["backtest", *asked, *restless]) == 0
    capsys.readouterr()

    def shown(columns: int) -> str:
        at_width(columns)
        whole(console(), *kept)
        return capsys.readouterr().out

    check(shown)
    assert re.search(r"\d+ more: see the page \(-o\)\s+or --json", shown(60))  # ten, and where more


def test_a_comparison(
    at_width: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    whole = backtest._show_comparisons
    monkeypatch.setattr(backtest, "_show_comparisons", lambda *given: kept.extend(given))
    asked = ("--prices", SAMPLE, "--until", "2024-01-03", "--pay-ratio", "1", "--compare")
    assert main.run(["backtest", *asked, "--workers", "1"]) == 0
    capsys.readouterr()

    def shown(columns: int) -> str:
        at_width(columns)
        whole(*kept)
        return capsys.readouterr().out

    check(shown)


def test_a_search(
    at_width: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from dexmm.tune import terminal_view as module

    kept: list[Any] = []
    whole = module.show
    monkeypatch.setattr(module, "show", lambda _out, *given: kept.extend(given))
    monkeypatch.chdir(tmp_path)
    asked = ("--prices", SAMPLE, "--until", "2024-01-08", "--pay-ratio", "1", "--workers", "1")
    budget = ("--set", "strategy.name=budget", "--trials", "2", "--folds", "1")
    assert main.run(["tune", *asked, *budget]) in {0, 3}
    capsys.readouterr()

    def shown(columns: int) -> str:
        at_width(columns)
        whole(console(), *kept)
        return capsys.readouterr().out

    check(shown)
