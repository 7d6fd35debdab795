"""A backtest in the terminal: nothing is cut off at any width, and long tables end in ten rows."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from dexmm.backtest import terminal_view as shown
from dexmm.backtest.event_world import run_scenario
from dexmm.backtest.run import Backtest
from dexmm.backtest.scenario_request import Request, scenario_of
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import earned
from dexmm.report.earned_shown import lines
from dexmm.report.rerange_rows import legs_shown


@pytest.fixture(scope="module")
def run() -> Backtest:
    return run_scenario(scenario_of(Request(generated=True, turns=120, strategy="budget")))


def drawn(run: Backtest, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, no_color=True, highlight=False)
    shown.show(console, run, ("a piece of advice",), Decimal("1.5"))
    return out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_nothing_is_cut_off_and_no_line_is_wider(run: Backtest, width: int) -> None:
    text = drawn(run, width)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for leg in legs_shown(run.track):
        for amount in (leg.fees, leg.divergence, leg.gas, leg.net):
            assert shown.Money.of("USDT").signed(amount) in text
    words = " ".join(text.split())
    for name, value in lines(earned(worths(run.track.marks)), "USDT"):
        assert f"{name.strip()} {value}" in words
    assert drawn(run, 200).count("divergence") >= 2  # as a table: its heading


def test_of_many_re_ranges_ten_are_shown_and_where_the_rest_is(
    run: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg = next(leg for leg in legs_shown(run.track) if leg.kind)
    many = tuple(replace(leg, number=number, reason=f"why {number}.") for number in range(40))
    monkeypatch.setattr(shown, "legs_shown", lambda _track: many)
    for width in (40, 200):
        text = drawn(run, width)
        assert "why 9." in text
        assert "why 10." not in text
        assert "30 more: see the page" in " ".join(text.split())
