"""``dexmm report``: where something is missing or wrong, one sentence; and a journal by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report.report_scene import START, Recorder
from strategy.builders import BASE, POOL, WALLET, a_config
from strategy.venue_builders import Street, both

from dexmm.cli import main
from dexmm.config.schema import load_config
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.journal import SqlJournal
from dexmm.wiring.live import market_of

CONFIG = f"""\
[network]
name = "sandbox"
rpc_urls = ["http://127.0.0.1:1"]

[wallet]
address = "{WALLET}"

[market]
pool = "{POOL}"
base = "{BASE}"
price_low = 1000
price_high = 9000
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "dexmm.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def recorded(config: Path) -> Path:
    """Six turns a minute apart, a few fees, no exchange."""
    settings = load_config(config, {})
    recorder = Recorder(both(a_config(), Street()))
    for _ in range(6):
        recorder.turn()
        recorder.earn(10**14, 500_000)
    journal = SqlJournal(
        open_database(journal_url(settings), durable=False),
        market_of(settings, WALLET),
        HaltFlag(settings.state_dir),
    )
    for entry in recorder.entries:
        chain = replace(entry.snapshot.chain, other_positions=0)
        journal.record(
            replace(entry, snapshot=replace(entry.snapshot, chain=chain, venue=None)), settings
        )
    return config


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main.run(["report", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code, out, err = report(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_the_page_is_written_where_nothing_else_is_said(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = report(capsys)
    assert code == 0
    assert "wrote report.html, " in out
    size = (recorded.parent / "report.html").stat().st_size
    assert f"{size / 1_000_000:.2f} MB" in out


def test_json_writes_a_page_only_where_it_is_told(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = report(capsys, "--json")
    assert json.loads(out)["page"] is None
    assert not (recorded.parent / "report.html").exists()
    _, out, _ = report(capsys, "--json", "-o", "here.html")
    answer = json.loads(out)
    assert (recorded.parent / "here.html").stat().st_size == answer["page_bytes"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--trial"], 3),
        (["--trial", "--min-hours", "0.05", "--min-fills", "3"], 0),
        (["--trial", "--min-hours", "0.05", "--min-fills", "6"], 3),
        (["--evidence"], 3),
    ],
)
def test_a_verdict_is_the_exit_code(
    recorded: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    found, out, _ = report(capsys, *options)
    assert found == code
    assert ("not passed" in out) == bool(code)


def test_errors_in_the_log_do_not_pass(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``loop.py`` writes them: the line, the traceback, the error."""
    log = recorded.parent / "loop.log"
    log.write_text(
        "12:00:00 INFO all is well\n"
        "12:01:00 ERROR a turn failed in a way nobody foresaw\n"
        "Traceback (most recent call last):\n"
        '  File "loop.py", line 1, in run\n'
        "KeyError: 'x'\n"
        "12:02:00 INFO went on\n"
    )
    options = ("--trial", "--min-hours", "0.05", "--min-fills", "3", "--log", log, "--json")
    code, out, _ = report(capsys, *options)
    found = json.loads(out)
    assert code == 3
    assert len(found["errors"]) == 1
    assert found["errors"][0].endswith("KeyError: 'x'")
    failed = [c["what"] for c in found["trial"]["criteria"] if not c["passed"]]
    assert failed == ["unhandled errors"]


def test_the_log_is_searched_for_what_the_loop_says() -> None:
    import dexmm.engine.loop
    from dexmm.performance.logged_errors import UNFORESEEN

    assert f'log.exception("{UNFORESEEN}")' in Path(dexmm.engine.loop.__file__).read_text("utf-8")


def test_silence_before_the_first_turn_of_all_is_no_outage(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = report(capsys, "--json", "--since", START - 100_000)
    assert json.loads(out)["uptime"]["outages"] == []
    _, out, _ = report(capsys, "--json", "--since", START + 150, "--until", START + 5000)
    found = json.loads(out)["uptime"]
    assert (found["began"], found["ended"]) == (START + 150, START + 5000)
    assert len(found["outages"]) == 1


def test_on_mainnet_a_silence_until_now_is_an_outage(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEXMM_NETWORK__NAME", "mainnet")
    _, out, _ = report(capsys, "--json")
    found = json.loads(out)["uptime"]
    assert found["outages"][-1]["ended"] == found["ended"] > START + 86_400


def test_no_journal_yet(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no journal in" in refused(capsys)
    assert not (config.parent / ".dexmm").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--since", START + 10_000], "no turn is on record"),
        (["--until", START - 10], "no turn is on record"),
        (["--since", "4000000000"], "--since 4000000000 is in the future"),
        (["--since", "2025-06-17", "--until", "2025-06-16"], "is after --until 2025-06-16"),
        (["--since", "yesterday"], "--since yesterday is no date"),
        (["--until", "tomorrow"], "--until tomorrow is no date"),
        (["-o", "absent/page.html"], "cannot write absent/page.html: No such file"),
        (["--log", "absent.log"], "cannot read the log absent.log: No such file"),
        (["--min-hours", "many"], "'many' is not a number"),
        (["--min-uptime", "101"], "must be from 0 to 100"),
        (["--min-fills", "-1"], "--min-fills"),
        (["--market", "silver"], "silver"),
    ],
)
def test_bad_input_is_one_sentence(
    recorded: Path, capsys: pytest.CaptureFixture[str], options: list[object], says: str
) -> None:
    assert says in refused(capsys, *options)


def test_a_damaged_journal_says_so(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = recorded.parent / ".dexmm" / "journal.sqlite"
    for file in journal.parent.iterdir():
        file.unlink()
    journal.write_bytes(b"not a database at all" * 100)
    assert "is damaged" in refused(capsys)
