"""The log of a loop: what a person should look at is a warning, and so is the end of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cli.test_exit_codes import an_entry, ended

from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.performance.turn_log import TurnLog


def told(caplog: pytest.LogCaptureFixture, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    caplog.set_level(logging.INFO, "dexmm.run")
    turns = TurnLog()
    for entry in entries:
        turns.saw(entry)
    return [
        (record.levelname, record.getMessage().strip())
        for record in caplog.records
        if not record.getMessage().startswith("block")
    ]


def test_a_halted_turn_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    entry = an_entry(rules=("halted",))
    told(caplog, [an_entry(), replace(entry, decision=replace(entry.decision, state=State.HALTED))])
    levels = [r.levelname for r in caplog.records if r.getMessage().startswith("block")]
    assert levels == ["INFO", "WARNING"]
    assert caplog.records[-2].getMessage().endswith("HALTED")


def test_a_guard_is_told_when_it_bites_and_when_it_lets_go_at_one_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bites = an_entry(rules=("twap", "calendar", "price_band"))
    assert told(caplog, [bites, bites, an_entry()]) == [
        ("WARNING", "guard twap bites: why"),
        ("INFO", "guard calendar bites: why"),
        ("WARNING", "guard price_band stands until you act: why"),
        ("WARNING", "guard twap has let go"),
        ("INFO", "guard calendar has let go"),
        ("WARNING", "guard price_band has let go"),
    ]


def test_what_was_wanted_and_refused_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    wanted = an_entry(rules=("twap", "economic_gate"), withheld=True)
    lines = told(caplog, [wanted])
    assert ("WARNING", "refused by twap: why") in lines
    assert ("INFO", "refused by economic_gate: why") in lines


def test_steps_that_did_not_happen_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    entry = an_entry(
        ended("rerange", "refused"),
        ended("rerange", "failed", "the node is gone"),
        ended("rerange", "skipped", "HALT was set: a look"),
        ended("rerange", "skipped", "SIGTERM was received"),
        ended("settle", "cancelled"),
    )
    levels = [
        level for level, line in told(caplog, [entry]) if not line.startswith(("start", "edge"))
    ]
    assert levels == ["WARNING", "WARNING", "WARNING", "INFO", "INFO"]
