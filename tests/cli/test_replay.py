"""History decided again comes out as recorded, and what does not is shown field by field."""

import json
from typing import Any

import pytest

from dexmm.cli.replay import timestamp
from dexmm.errors import BadInput

pytestmark = pytest.mark.anvil


def turns(account: Any, number: int) -> None:
    for _ in range(number):
        assert account.dexmm("run", "--once") == 0
        account.deployment.anvil.mine(1, 600)


def answer_of(account: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    code = account.dexmm("replay", "--json", *arguments)
    return code, json.loads(capsys.readouterr().out)


def test_history_is_the_same_with_the_recorded_settings(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    turns(account, 3)
    account.override(STRATEGY__EDGE_MIN_BP=900)  # today's file is another one
    code, answer = answer_of(account, capsys)
    assert (code, answer["turns"], answer["differing_turns"]) == (0, 3, 0)
    assert answer["differences"] == []


def test_other_settings_show_what_they_would_have_changed(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    turns(account, 2)
    account.override(STRATEGY__EDGE_MIN_BP=900)
    code, answer = answer_of(account, capsys, "--config-from", "file")
    assert code == 3
    assert answer["differing_turns"] >= 1
    first = answer["differences"][0]
    assert first["turn"] == 1
    assert first["field"] == "decision.targets"
    assert first["recorded"] != first["now"]
    assert account.dexmm("replay", "--config-from", "file") == 3
    assert "decision.targets:" in capsys.readouterr().out


def test_since_leaves_out_what_came_before(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    turns(account, 3)
    code, answer = answer_of(account, capsys, "--since", "1790007800")
    assert (code, answer["turns"]) == (0, 2)
    assert answer_of(account, capsys, "--since", "2030-01-01")[1]["turns"] == 0


def test_no_journal_is_bad_input(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert account.dexmm("replay") == 2
    assert "nothing has been recorded yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1790007800", 1790007800),
        ("2026-01-31", 1769817600),
        ("2026-01-31T12:00", 1769860800),
        ("2026-01-31T12:00+01:00", 1769857200),
    ],
)
def test_moments(text: str, seconds: int) -> None:
    assert timestamp(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "", "-5", "2026-13-01"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(BadInput, match="is no date"):
        timestamp(text)
