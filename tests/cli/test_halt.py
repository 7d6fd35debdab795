"""Halting is durable and says why; resuming needs a person, and the wallet to itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from dexmm.cli import main
from dexmm.cli.common import load
from dexmm.config.template import configuration
from dexmm.store.flags import HaltFlag
from dexmm.store.lease import WalletLease, lock_folder
from dexmm.wiring.journal_access import open_journal

pytestmark = pytest.mark.anvil


def flag(account: Any) -> HaltFlag:
    return HaltFlag(Path(account.config).parent / ".dexmm")


def test_halt_keeps_the_first_reason_until_another_is_given(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("halt") == 0
    assert flag(account).reason() == "halted by hand"
    assert account.dexmm("halt", "--reason", "the pool looks odd") == 0
    assert account.dexmm("halt") == 0
    assert flag(account).reason() == "the pool looks odd"
    capsys.readouterr()
    assert account.dexmm("halt", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"halted": "the pool looks odd", "before": "the pool looks odd"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("the pool looks odd",), "the pool looks odd"),
        (("the", "pool", "looks", "odd"), "the pool looks odd"),
        (("--reason", "the pool", "looks", "odd"), "the pool looks odd"),
        (("oops", "--reason"), "oops"),
        (("--reason",), "halted by hand"),
        (("--because", "it", "-fell"), "--because it -fell"),
        (("--", "--json"), "--json"),
        (("",), "halted by hand"),
        (("two\nlines",), "two lines"),
    ],
)
def test_no_word_keeps_halt_from_being_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    config = tmp_path / "dexmm.toml"
    config.write_text(configuration("mainnet"), encoding="utf-8")
    assert main.run(["halt", "--config", str(config), *words]) == 0
    said = capsys.readouterr()
    assert (tmp_path / ".dexmm" / "HALT").read_text() == reason + "\n"
    assert said.out == f"halted: {reason}\n"
    assert "stays there; `dexmm withdraw` gets it out" in said.err
    assert ("is no option of halt" in said.err) == ("--because" in words or "--" in words)


def test_halt_needs_no_node(account: Any) -> None:
    account.override(NETWORK__RPC_URLS="http://127.0.0.1:1")
    assert account.dexmm("halt") == 0
    assert flag(account).reason()


def test_nothing_acts_while_halted_and_everything_after_resume(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    anvil = account.deployment.anvil
    assert account.dexmm("halt", "--reason", "a look") == 0
    assert account.dexmm("run", "--once") == 4
    assert int(anvil.rpc("eth_getTransactionCount", [account.address, "pending"]), 16) == 0
    assert account.dexmm("resume", "--yes") == 0
    assert "halted: a look" in capsys.readouterr().out
    assert flag(account).reason() == ""
    assert account.dexmm("run", "--once") == 0
    assert int(anvil.rpc("eth_getTransactionCount", [account.address, "latest"]), 16) > 0


def test_resume_without_a_person_or_yes_stays_halted(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("halt") == 0
    assert account.dexmm("resume") == 2
    assert "repeat with --yes" in capsys.readouterr().err
    assert flag(account).reason()


def test_a_person_may_say_no(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert account.dexmm("halt") == 0
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda _question: False)
    assert account.dexmm("resume") == 4
    assert flag(account).reason()


def test_nothing_halted_is_nothing_to_do(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert account.dexmm("resume", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"halted": None, "before": []}


def test_a_withdraw_in_progress_is_never_resumed_into(
    account: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dexmm.cli.resume.LEASE_SECONDS", 0.1)
    assert account.dexmm("halt") == 0
    config = load(account.config)
    with WalletLease(lock_folder(config), 1, account.address).held():
        assert account.dexmm("resume", "--yes") == 6
    assert "another dexmm process" in capsys.readouterr().err
    assert flag(account).reason()


def test_a_drawdown_that_tripped_is_lifted_and_measured_anew(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("run", "--once") == 0
    account.deployment.anvil.mine(10, 300)
    # Half of the gold falls in price: well below the peak, and past the limit.
    account.override(GUARDS__MAX_DRAWDOWN_BP=1)
    journal = open_journal(load(account.config))
    assert journal is not None
    from dataclasses import replace

    memory = journal.memory()
    assert memory.peak_nav is not None
    journal.resume(0, "a higher peak", replace(memory, peak_nav=memory.peak_nav * 2))
    assert account.dexmm("run", "--once") == 4
    assert journal.memory().halted
    account.override(GUARDS__MAX_DRAWDOWN_BP=1500)
    assert account.dexmm("run", "--once") == 4  # it stays
    capsys.readouterr()
    assert account.dexmm("resume", "--yes") == 0
    assert "below its peak" in capsys.readouterr().out
    assert journal.memory().halted == ""
    assert account.dexmm("run", "--once") == 0


def test_a_broken_journal_does_not_keep_the_flag_up(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("halt") == 0
    (account.config.parent / ".dexmm" / "journal.sqlite").write_bytes(b"junk" * 1000)
    assert account.dexmm("resume", "--yes") == 0
    assert "is damaged" in capsys.readouterr().err
    assert flag(account).reason() == ""
