"""`dexmm calendar` as it is typed, at moments given to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dexmm.cli import main

pytest.importorskip("pandas_market_calendars", reason="needs dexmm[calendar]")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "dexmm.toml"
    assert main.run(["init", "--config", str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("day", "first"),
    [
        ("2026-12-25", "2026-12-24T18:45/2026-12-27T23:00"),
        ("2026-04-03", "2026-04-02T21:00/2026-04-05T22:00"),
        ("2027-01-01T09:30", "2026-12-31T22:00/2027-01-03T23:00"),
    ],
)
def test_on_a_holiday_the_holiday_itself_is_written(
    config: Path, day: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["calendar", "--config", str(config), "--from", day, "--days", "3"]
    capsys.readouterr()
    assert main.run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["closed_sessions"] == [first]
    assert main.run(asked) == 0
    assert f'    "{first}",\n' in capsys.readouterr().out


def test_a_moment_that_is_none_is_a_usage_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["calendar", "--config", str(config), "--from", "Friday"]) == 2
    assert "Friday" in capsys.readouterr().err
