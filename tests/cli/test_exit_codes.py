"""What a turn's ending tells cron and systemd; ``docs/exit-codes.md`` says it to people."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from strategy.builders import World, a_config

from dexmm.cli.main import COMMANDS, run
from dexmm.engine.loop import DONE, FAILED, HALTED, REFUSED, exit_code, keep_halted, standing, worst
from dexmm.model.decision import Refusal, State
from dexmm.model.entry import Entry
from dexmm.model.market import Reference
from dexmm.model.steps import Outcome

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = (PROJECT / "docs" / "exit-codes.md").read_text("utf-8")


def an_entry(*outcomes: Outcome, rules: tuple[str, ...] = (), **decision: Any) -> Entry:
    world = World(a_config())
    snapshot = world.snapshot()
    refusals = tuple(Refusal(rule=rule, detail="why") for rule in rules)
    return Entry(
        id=1,
        at=snapshot.observed_at,
        config="",
        snapshot=snapshot,
        decision=replace(world.decide(), refusals=refusals, **{"withheld": False, **decision}),
        steps=(),
        outcomes=outcomes,
        memory=world.memory,
    )


def ended(step: str, status: Any, detail: str = "") -> Outcome:
    refusal = Refusal(rule="nav_conserved", detail="why") if status == "refused" else None
    return Outcome(step=step, status=status, detail=detail, refusal=refusal)


MINED = ended("rerange", "mined")

TURNS = {
    "nothing to do": (an_entry(), DONE),
    "a range was moved": (an_entry(ended("approve", "mined"), MINED), DONE),
    "an allowance was there already": (
        an_entry(ended("approve", "skipped", "every allowance is set"), MINED),
        DONE,
    ),
    "an order was placed": (an_entry(ended("place_order", "done")), DONE),
    "a stale transaction was taken back": (an_entry(ended("settle", "cancelled")), DONE),
    "a guard bites, nothing is wanted": (an_entry(rules=("calendar",)), DONE),
    "a guard that passes holds something back": (
        an_entry(rules=("calendar",), withheld=True),
        REFUSED,
    ),
    "the simulation was refused": (an_entry(ended("rerange", "refused")), REFUSED),
    "outside the corridor, nothing wanted": (an_entry(rules=("price_band",)), REFUSED),
    "too little ether for the exit": (an_entry(rules=("gas_reserve",)), REFUSED),
    "the trusted code was replaced": (an_entry(rules=("token_implementation",)), REFUSED),
    "a transaction waits": (an_entry(ended("rerange", "pending")), FAILED),
    "an open one still waits": (an_entry(ended("settle", "pending")), FAILED),
    "an order of unknown fate": (an_entry(ended("place_order", "pending")), FAILED),
    "it reverted": (an_entry(ended("rerange", "reverted")), FAILED),
    "it was not taken": (an_entry(ended("rerange", "failed")), FAILED),
    "pending beside a refusal": (
        an_entry(ended("rerange", "pending"), rules=("calendar",), withheld=True),
        FAILED,
    ),
    "asked to stop half-way": (
        an_entry(ended("approve", "mined"), ended("rerange", "skipped", "SIGTERM was received")),
        FAILED,
    ),
    "a stale node holds it back": (an_entry(rules=("stale_block",), withheld=True), FAILED),
    "a stale node, nothing wanted of what it shows": (an_entry(rules=("stale_block",)), FAILED),
    "a stale node and a passing guard, nothing wanted": (
        an_entry(rules=("stale_block", "calendar")),
        FAILED,
    ),
    "a stale node and one that only a person lifts": (
        an_entry(rules=("stale_block", "price_band")),
        REFUSED,
    ),
    "a stale node and a guard": (
        an_entry(rules=("stale_block", "gas_cap"), withheld=True),
        REFUSED,
    ),
    "halted": (an_entry(state=State.HALTED, rules=("halted",)), HALTED),
    "halted beside a failure": (
        an_entry(ended("settle", "failed"), state=State.HALTED),
        HALTED,
    ),
    "halted half-way": (
        an_entry(ended("approve", "mined"), ended("rerange", "skipped", "HALT was set: by hand")),
        HALTED,
    ),
}


@pytest.mark.parametrize("situation", TURNS)
def test_each_ending_of_a_turn_has_its_code(situation: str) -> None:
    entry, code = TURNS[situation]
    assert exit_code(entry) == code


@pytest.mark.parametrize("price", [None, 4_000])
def test_only_a_feed_without_a_price_stands_until_a_person_acts(price: Any) -> None:
    feed = Reference(
        name="chainlink", price=price, updated_at=0, heartbeat_seconds=1, problem="it is none"
    )
    entry = an_entry(rules=("reference",))
    chain = replace(entry.snapshot.chain, references=(feed,))
    entry = replace(entry, snapshot=replace(entry.snapshot, chain=chain))
    assert [refusal.rule for refusal in standing(entry)] == (["reference"] if price is None else [])
    assert exit_code(entry) == (REFUSED if price is None else DONE)


def test_a_guard_that_trips_and_stays_sets_the_flag_once() -> None:
    set_to: list[str] = []

    class Flag:
        def set(self, reason: str) -> None:
            set_to.append(reason)

    class Place:
        flag = Flag()

    entry = an_entry(state=State.HALTED)
    tripped = replace(entry, memory=replace(entry.memory, halted="drawdown"))
    keep_halted(Place(), tripped)  # type: ignore[arg-type]
    known = replace(tripped, snapshot=replace(tripped.snapshot, halted="drawdown"))
    keep_halted(Place(), known)  # type: ignore[arg-type]
    keep_halted(Place(), entry)  # type: ignore[arg-type]
    assert set_to == ["drawdown"]


def test_of_several_markets_the_worst_counts() -> None:
    assert worst([DONE, REFUSED, FAILED, HALTED]) == HALTED
    assert worst([DONE, REFUSED, FAILED]) == FAILED
    assert worst([REFUSED, DONE]) == REFUSED
    assert worst([DONE]) == worst([]) == DONE


def test_the_service_of_the_readme_restarts_for_all_that_passes() -> None:
    """A code that stays needs a person; every other one brings the service back."""
    rows = re.findall(r"^\| (\d) \|[^|]*\| (\w*) *\|", DOCUMENT, re.MULTILINE)
    stays = {int(code) for code, passes in rows if passes == "no"}
    assert stays == {2, 4}
    readme = (PROJECT / "README.md").read_text("utf-8")
    for text in (DOCUMENT, readme):
        found = re.search(r"^ *RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
        assert found is not None
        assert {int(code) for code in found[1].split()} == stays
        assert "Restart=on-failure" in text


def test_every_command_is_in_the_document() -> None:
    assert {name for name in COMMANDS if f"`{name}" not in DOCUMENT.replace("dexmm ", "")} == set()


def test_every_test_that_the_document_of_trust_names_is_there() -> None:
    text = (PROJECT / "docs" / "trust.md").read_text("utf-8")
    for file, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text):
        source = (PROJECT / "tests" / file).read_text("utf-8")
        assert not name or f"def {name}(" in source, (file, name)


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, FAILED), (errno.EBADMSG, 1)])
def test_a_full_disk_is_no_defect_wherever_it_is_noticed(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_path: Path) -> None:
        raise OSError(number, "no room")

    monkeypatch.setattr("dexmm.cli.halt.load_all", full)
    assert run(["halt"]) == code
    assert ("make room" in capsys.readouterr().err) is (code == FAILED)
