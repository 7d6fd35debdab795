"""``dexmm tune``: what it answers, writes and keeps, and what it refuses before it begins."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dexmm.cli import main
from dexmm.config.schema import load_config
from dexmm.config.template import configuration
from dexmm.sim.agents.price_process import generate

Dexmm = Callable[..., int]
HISTORY = ("--generate", "--turns", 384, "--seed", 3)
QUICK = (*HISTORY, "--folds", 1, "--trials", 2, "--workers", 1)
TWO = '[space]\n"strategy.edge_sigmas" = [1, 2]\n'


@pytest.fixture
def dexmm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dexmm:
    """``dexmm tune`` in a folder with a configuration and a space of two."""
    monkeypatch.chdir(tmp_path)
    text = configuration("mainnet").replace("interval_seconds = 60 ", "interval_seconds = 1800")
    text = text.replace('name = "measured"', 'name = "budget"')  # the space of two is of its edges
    (tmp_path / "dexmm.toml").write_text(text)
    (tmp_path / "space.toml").write_text(TWO)

    def run(*arguments: object) -> int:
        return main.run(["tune", *map(str, arguments)])

    return run


def answered(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("dexmm: ")
    return said


def test_it_answers_writes_and_goes_on(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ("--space", "space.toml")
    assert dexmm(*QUICK, *space, "-o", "tuned.toml", "--page", "tune.html", "--json") == 0
    found = answered(capsys)
    chosen = Decimal(found["settings"]["strategy.edge_sigmas"])
    assert load_config(tmp_path / "tuned.toml", {}).strategy.edge_sigmas == chosen
    assert found["storage"] == "sqlite:///.dexmm/tune.sqlite"
    assert (tmp_path / ".dexmm" / "tune.sqlite").exists()
    assert [fold["trials"] for fold in (*found["folds"], found["final"])] == [2, 2]
    assert found["folds"][0]["test"]["since"] - found["folds"][0]["train"]["until"] >= 72 * 3600
    page = (tmp_path / "tune.html").read_text()
    assert found["verdict"].split(" (")[0] in page
    assert "Assumptions" in page

    assert dexmm(*QUICK, *space) == 0
    said = capsys.readouterr().out
    assert f"4 trials of the study {found['study']}" in said
    assert "4 kept from before" in said
    assert "Fold by fold" in said

    other = dexmm(*QUICK, *space, "--study", found["study"], "--capital", 9000)
    assert (other, "was made with another market" in told(capsys)) == (2, True)


def test_several_histories_at_several_pay_ratios(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, start in ((3, 0), (4, 10)):
        rows = ["timestamp_ms,open,high,low,close,volume"]
        for c in generate(seed, 384, interval_seconds=1800).candles:
            at = (c.at + start * 86_400) * 1000
            rows.append(f"{at},{c.open},{c.high},{c.low},{c.close},1")
        (tmp_path / f"{seed}.csv").write_text("\n".join(rows) + "\n")
    asked = ("3.csv", "4.csv", "--folds", 1, "--trials", 2, "--workers", 1, "--space", "space.toml")
    assert dexmm(*asked, "--pay-ratio", "1,2", "--score", "skill", "--json") == 0
    found = answered(capsys)
    assert found["histories"] == ["3.csv", "4.csv"]
    cells = [(cell["history"], Decimal(cell["pay_ratio"])) for cell in found["cells"]]
    assert cells == [(name, ratio) for name in ("3.csv", "4.csv") for ratio in (1, 2)]
    for cell in found["cells"]:
        for result in (cell["tuned"], cell["as_it_is"]):
            third, same, three = (
                Decimal(result[key]) for key in ("gas_a_third", "score", "gas_three_times")
            )
            assert third >= same >= three
            assert 0 < Decimal(result["liquidity_share"]) < 1
    assert found["objectives"] == ["maximise skill_bp_per_day"]
    assert [score["score"] for score in found["scores"]] == ["rebalanced", "holding", "skill"]
    assert found["evidence"]["of"] == 4
    assert found["recommended"] is None
    assert found["verdict"].startswith(
        "Too little to recommend anything: 1 unseen part of 2.0 days"
    )
    # Finished: the answer comes from the storage, and the terminal says the same.
    assert dexmm(*asked, "--pay-ratio", "1,2", "--score", "skill", "--page", "tune.html") == 0
    said = capsys.readouterr().out
    assert "4 kept from before" in said
    assert "4.csv, pay ratio 2" in said
    page = (tmp_path / "tune.html").read_text()
    for shown in ("fold 1, 4.csv", "4.csv, pay ratio 2", "Decided by dexmm.toml: strategy budget"):
        assert shown in page


def test_nothing_within_the_constraints_ends_with_3(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.toml").write_text(TWO + '[constraints]\ngas_bp_per_day = "<= 0"\n')
    assert dexmm(*QUICK, "--space", "space.toml", "-o", "tuned.toml", "--json") == 3
    found = answered(capsys)
    assert found["settings"] is None
    assert "the nearest failed gas_bp_per_day <= 0" in found["verdict"]
    assert not (tmp_path / "tuned.toml").exists()


def test_the_default_space_is_shown_as_a_file(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm("--show-space") == 0
    shown = capsys.readouterr().out
    (tmp_path / "space.toml").write_text(shown.replace("low =", "lo ="))
    assert dexmm(*QUICK, "--space", "space.toml") == 2
    assert "lo is no key; did you mean low?" in told(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to run over"),
        ((*QUICK, "--space", "none.toml"), "there is no search space at none.toml"),
        ((*HISTORY, "--folds", 4), "leave no room to test"),
        ((*HISTORY, "--folds", 0), "1 to 50 folds"),
        ((*QUICK, "-o", "nowhere/tuned.toml"), "there is no folder nowhere"),
        ((*QUICK, "--page", "nowhere/page.html"), "there is no folder nowhere"),
        ((*QUICK, "--storage", "mysql://u:hunter2secret@h/d"), "cannot use mysql"),
        ((*QUICK, "--storage", "file"), "is not a database URL"),
        ((*QUICK, "--config", "none.toml"), "there is no configuration at none.toml"),
        ((*QUICK, "--trials", 1), "1 is not in the range"),
    ],
)
def test_what_is_refused_before_a_backtest(
    dexmm: Dexmm, arguments: tuple[object, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm(*arguments) == 2
    message = told(capsys)
    assert said in message
    assert "hunter2secret" not in message


def test_a_newcomer_has_no_file_to_edit(
    dexmm: Dexmm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dexmm.toml").unlink()
    assert dexmm(*QUICK, "-o", "tuned.toml") == 2
    assert "write one with `dexmm init` first" in told(capsys)


def test_a_storage_that_does_not_answer_ends_with_5(
    dexmm: Dexmm, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://user:hunter2secret@127.0.0.1:1/tune"
    assert dexmm(*QUICK, "--space", "space.toml", "--storage", url) == 5
    message = told(capsys)
    assert "what was finished is kept" in message
    assert "hunter2secret" not in message


def test_ctrl_c_ends_two_workers_cleanly(dexmm: Dexmm, tmp_path: Path) -> None:
    command = ["tune", *map(str, HISTORY), "--folds", "1", "--trials", "500", "--workers", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "dexmm.cli.main", *command],
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        database = tmp_path / ".dexmm" / "tune.sqlite"
        deadline = time.monotonic() + 60
        while not _finished(database):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "Stopped. What was finished is kept in the study tune-" in errors
    assert "dexmm tune --generate --turns 384" in errors
    assert _finished(database)


def _finished(database: Path) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=10)
    try:
        rows = connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'")
        return int(rows.fetchone()[0])
    except sqlite3.OperationalError:  # its tables are still being made
        return 0
    finally:
        connection.close()
