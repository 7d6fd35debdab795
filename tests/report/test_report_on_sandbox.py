"""The journal of a real run: the chain's own events and the exchange's balances agree with it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from report.report_scene import total

from dexmm.cex.exchange import account_name
from dexmm.cli import main
from dexmm.config.schema import Config, load_config
from dexmm.performance.attribution import Source, attribute
from dexmm.performance.track.journal_track import from_journal
from dexmm.performance.track.track import Track
from dexmm.sandbox.run import Options, Screen, run_sandbox
from dexmm.sandbox.summary import Summary
from dexmm.units import EXACT
from dexmm.wiring.journal_access import borrowed_orders, open_journal

pytestmark = pytest.mark.anvil

D = Decimal
TURNS = 3
DUST = D("0.000001")  # quote: an average entry price or a fee in proportion never ends


class Unwatched(Screen):
    def opened(self, *_: Any) -> None: ...

    def turned(self, *_: Any) -> None: ...

    def skipped(self, number: int, reason: str) -> None:
        raise AssertionError(f"turn {number} was skipped: {reason}")

    def closed(self) -> None: ...


@dataclass(frozen=True)
class Recorded:
    summary: Summary
    config: Config
    path: Path

    def track(self) -> Track:
        journal = open_journal(self.config)
        assert journal is not None
        assert self.config.exchange is not None
        orders = borrowed_orders(self.config).orders_since(account_name(self.config.exchange), 0)
        return from_journal(journal.entries(), orders, self.config)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Turns four hours apart, quoted on a paper exchange: re-ranges, fills, fees in both coins."""
    folder = tmp_path_factory.mktemp("run") / "sandbox"
    options = Options(
        turns=TURNS,
        interval_seconds=14_400,
        seed=5,
        quotes=True,
        settings=("strategy.max_age_hours=4",),  # so that each turn has a re-range due
        state_dir=folder,
    )
    found = run_sandbox(options, Unwatched())
    path = folder / "dexmm.toml"
    return Recorded(summary=found.summary, config=load_config(path, {}), path=path)


def test_fees_are_what_the_chains_own_events_say(recorded: Recorded) -> None:
    """The position manager's events may say a unit more than the pool pays out, each time."""
    track = recorded.track()
    base, quote = total(track, Source.FEES)
    told = recorded.summary
    assert told.reranges > 0
    units = 4 * (told.reranges + 1)
    assert abs(told.fees_base - base) <= D(units).scaleb(-18)
    assert abs(told.fees_quote - quote) <= D(units).scaleb(-6)


def test_nothing_is_left_unexplained(recorded: Recorded) -> None:
    track = recorded.track()
    base, quote = total(track, Source.UNEXPLAINED)
    assert abs(base) < D("1e-15")
    assert abs(quote) < DUST
    assert total(track, Source.CAPITAL) == (0, 0)
    assert total(track, Source.QUOTE) != (0, 0)
    assert abs(attribute(track.marks).part(Source.EXCHANGE_FEE).total) > 1


def test_points_are_what_the_turns_decided_with(recorded: Recorded) -> None:
    journal = open_journal(recorded.config)
    assert journal is not None
    for entry, point in zip(journal.entries(), recorded.track().points, strict=True):
        assert abs(entry.decision.nav - point.nav) < D("1e-30")
        assert abs(entry.decision.share - point.share) < D("1e-30")


def test_gas_is_what_left_the_wallet(recorded: Recorded) -> None:
    """All but the last turn's, whose cost no turn has looked back on yet."""
    track = recorded.track()
    last = track.marks[-1].at
    spent = sum(a.gas_quote for a in track.actions)
    assert spent == recorded.summary.gas_quote
    late = sum(a.gas_quote for a in track.actions if a.at == last)
    assert total(track, Source.GAS) == (0, late - spent)


def dexmm(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main.run(["report", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_writes_a_page_beside_a_writer(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loop that holds a write transaction open is not disturbed, and does not disturb."""
    page = tmp_path / "page.html"
    database = sqlite3.connect(recorded.config.state_dir / "journal.sqlite", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        code, out, err = dexmm(capsys, "--config", recorded.path, "-o", page)
    finally:
        database.execute("ROLLBACK")
        database.close()
    assert (code, err) == (0, "")
    assert f"wrote {page}" in out
    assert "USDT" in out
    assert page.read_text("utf-8").count('class="plot"') == 4


def test_the_command_answers_in_json(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = dexmm(capsys, "--config", recorded.path, "--json", "--trial", "--evidence")
    assert code == 3
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found["page"] is None
    assert found["figures"]["turns"] == TURNS
    assert found["trial"]["passed"] is False
    criteria = {c["what"]: c for c in found["trial"]["criteria"]}
    assert "not enough data" in criteria["observed long enough"]["note"]
    assert found["evidence"]["orders"]["sent"] > 0
    told = found["attribution"]
    with localcontext(EXACT):
        parts = sum(D(part["total"]) for part in told["parts"].values())
        assert parts + D(told["holding"]) == D(told["change"])


def test_evidence_alone_tells_nothing_of_what_is_held(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "evidence.html"
    arguments = ("--config", recorded.path, "--evidence", "--json", "-o", page)
    code, out, _ = dexmm(capsys, *arguments)
    assert code in {0, 3}
    assert set(json.loads(out)) == {"evidence", "page", "page_bytes"}
    text = page.read_text("utf-8").split("<script>")[0]
    for private in ("holding", "Net worth", "net worth", recorded.summary.strategy, "0x"):
        assert private not in text
    assert "Depth" in text


def test_a_stretch_is_reported_alone(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [point.at for point in recorded.track().points]
    arguments = ("--since", times[1], "--until", times[1])
    _, out, _ = dexmm(capsys, "--config", recorded.path, "--json", *arguments)
    assert json.loads(out)["figures"]["turns"] == 1
