"""``dexmm log``: what a journal says was done, refused, paid and filled, on any terminal."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from report.report_scene import START, Recorder
from rich.console import Console
from strategy.builders import BASE, POOL, WALLET, a_config
from strategy.venue_builders import Street, both

from dexmm.cli import log, main
from dexmm.config.schema import Config, load_config
from dexmm.errors import BadInput
from dexmm.model.decision import Refusal, State
from dexmm.model.entry import Entry
from dexmm.paper_exchange.engine.settings import Opening
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.journal import SqlJournal
from dexmm.wiring.live import market_of

OLD = Path(__file__).parents[1] / "store" / "journals" / "schema-1.sqlite.gz"
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
OLD_CONFIG = (
    CONFIG.replace(WALLET, "0x59e36A317d7a2500edB220eDD7f9b10130EAec8F").replace(
        POOL, "0x7Cb85f75e61226060453a997a7733F76707Df337"
    )
    + f"""
[exchange]
api_key = "{Opening().api_key}"
perpetual_id = "binanceusdm"
perpetual_symbol = "PAXG/USDT:USDT"
"""
)
GAS_CAP = Refusal(rule="gas_cap", detail="gas costs 90 gwei and at most 40 may be paid")
CALENDAR = Refusal(rule="calendar", detail="the base's own market is closed")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "dexmm.toml"
    path.write_text(CONFIG)
    return path


def a_journal(settings: Config) -> SqlJournal:
    return SqlJournal(
        open_database(journal_url(settings), durable=False),
        market_of(settings, WALLET),
        HaltFlag(settings.state_dir),
    )


def of_pool(entry: Entry) -> Entry:
    """As a market without an exchange has it."""
    chain = replace(entry.snapshot.chain, other_positions=0)
    return replace(entry, snapshot=replace(entry.snapshot, chain=chain, venue=None))


def refusing(entry: Entry, refusal: Refusal, *, withheld: bool) -> Entry:
    decision = replace(entry.decision, refusals=(refusal,), withheld=withheld)
    return replace(entry, decision=decision)


@pytest.fixture
def recorded(config: Path) -> Path:
    """A deposit, three turns that gas held back, two at a weekend, a re-range a day later."""
    recorder = Recorder(both(a_config(), Street()))
    for seconds in (60, 60, 60, 60, 60, 60, 86_400):
        recorder.turn(seconds)
        recorder.earn(10**14, 500_000)
    entries = [of_pool(entry) for entry in recorder.entries]
    burned = (replace(o, gas_used=500_000, gas_price=10**9) for o in entries[0].outcomes)
    entries[0] = replace(entries[0], outcomes=tuple(burned))
    for number in (1, 2, 3):
        entries[number] = refusing(entries[number], GAS_CAP, withheld=True)
    for number in (4, 5):
        entries[number] = refusing(entries[number], CALENDAR, withheld=False)
    settings = load_config(config, {})
    journal = a_journal(settings)
    for entry in entries:
        journal.record(entry, settings)
    return config


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main.run(["log", "--json", *map(str, arguments)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_actions_refusals_gas_and_fills_are_told(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--since", START)
    assert (found["turns"], found["first_turn"], found["last_turn"]) == (7, 1, 7)
    deposit = next(action for action in found["actions"] if action["kind"] == "deposit")
    assert (deposit["turn"], deposit["trigger"], deposit["status"]) == (1, "start", "mined")
    assert deposit["said"].startswith("liquidity moved into ")
    assert found["gas_wei"] == str(sum(int(action["gas_wei"]) for action in found["actions"]))
    gas, calendar = found["refusals"]
    assert (gas["rule"], gas["turns"], gas["withheld"]) == ("gas_cap", 3, True)
    assert (gas["began"], gas["ended"]) == (START + 120, START + 240)
    assert (calendar["rule"], calendar["turns"], calendar["withheld"]) == ("calendar", 2, False)
    assert found["pool"]["pool"] == 6  # looks that found fees grown
    assert Decimal(found["pool"]["pool_fees"]) > 0
    assert (found["nothing"], found["passed_over"]) == ("", [])
    assert len(found["outages"]) == 1  # the day without a turn


def test_people_read_it_in_order_with_dates(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["log", "--since", str(START)]) == 0
    out = capsys.readouterr().out
    events = [line.split()[2] for line in out.splitlines() if line.startswith("20")]
    assert events == ["done", "refused", "guard", "gap", "done"]
    began = datetime.fromtimestamp(START + 120, UTC)
    assert f"{began:%Y-%m-%d %H:%M}  refused  gas_cap: {GAS_CAP.detail} (until " in out
    assert ", 3 turns)" in out
    assert "refused  gas_cap in 3 turns" in out
    assert "guards   calendar in 2 turns" in out


def test_hours_are_reckoned_from_a_sandbox_s_last_turn(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "--since", "1h")["turns"] == 1
    assert told(capsys)["turns"] == 2  # 24 hours: the last turn of the day before as well
    assert told(capsys, "--since", "2d", "--until", START + 300)["turns"] == 5
    assert main.run(["log", "--since", str(START + 10**6)]) == 2
    assert "is after the last turn, which is of 20" in capsys.readouterr().err


def test_on_mainnet_they_are_reckoned_from_now(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEXMM_NETWORK__NAME", "mainnet")
    found = told(capsys, "--since", "yesterday")
    assert found.keys() == told(capsys, "--since", START).keys()  # and the same of an empty one
    assert found["turns"] == 0
    assert "no turn is on record from " in found["nothing"]
    assert (found["actions"], found["refusals"], found["fills"]) == ([], [], [])
    assert main.run(["log"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("no turn is on record from ")
    assert "the last of 20" in out
    assert main.run(["log", "--since", "2999-01-01"]) == 2
    assert "is in the future" in capsys.readouterr().err


def test_no_journal_yet_is_an_answer(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["log"]) == 0
    assert "there is no journal in " in capsys.readouterr().out
    empty = told(capsys)
    assert (empty["turns"], empty["nav_end"]) == (0, None)
    assert not (config.parent / ".dexmm").exists()


def test_several_markets_are_told_one_after_another(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = CONFIG.replace("[market]", '[[market]]\nname = "one"')
    other = '\n[[market]]\nname = "two"\npool = "0x' + "22" * 20 + f'"\nbase = "{BASE}"\n'
    config.write_text(one + other + "price_low = 1000\nprice_high = 9000\n")
    found = told(capsys)
    assert [market["market"] for market in found["markets"]] == ["one", "two"]
    assert told(capsys, "--market", "two")["market"] == "two"
    assert main.run(["log"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert [line.partition(":")[0] for line in lines] == ["one", "two"]
    assert main.run(["log", "--market", "three"]) == 2


@pytest.fixture
def old(config: Path) -> Path:
    """The journal of an earlier version."""
    config.write_text(OLD_CONFIG.replace(f'api_key = "{Opening().api_key}"\n', ""))
    folder = config.parent / ".dexmm"
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(gzip.decompress(OLD.read_bytes()))
    return config


def test_a_journal_of_an_earlier_version_is_read(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEXMM_EXCHANGE__API_KEY", Opening().api_key)
    monkeypatch.setenv("DEXMM_EXCHANGE__SECRET", Opening().secret)
    found = told(capsys, "--since", "2024-01-01")
    assert found["turns"] == 6
    assert len(found["fills"]) > 3
    assert {fill["purpose"] for fill in found["fills"]} == {"quote"}
    assert main.run(["log", "--since", "2024-01-01"]) == 0
    out = capsys.readouterr().out
    assert out.count("  filled  ") == len(found["fills"])
    third = found["fills"][2]["created_at"]
    cut = told(capsys, "--since", "2024-01-01", "--until", third)
    assert [fill["created_at"] for fill in cut["fills"]] == [
        fill["created_at"] for fill in found["fills"] if fill["created_at"] <= third
    ]


def test_an_order_that_filled_after_its_turn_is_told_as_it_ended(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
    from dexmm.model.steps import Outcome
    from dexmm.model.venue import Side
    from dexmm.report.activity import Collector

    recorder = Recorder(both(a_config(), Street()))
    entry = of_pool(recorder.turn())
    order = OrderIntent(
        client_id="x",
        account="a",
        symbol="PAXG/USDT",
        side=Side.SELL,
        kind=OrderKind.POST_ONLY,
        purpose=Purpose.HEDGE,
        amount=Decimal("0.5000"),
        price=Decimal("4000.00"),
        reduce_only=False,
        created_at=entry.at,
        status=OrderStatus.OPEN,
    )
    entry = replace(entry, outcomes=(Outcome(step="place_order", status="done", order=order),))
    ended = replace(order, status=OrderStatus.CLOSED, filled=Decimal("0.5"), cost=Decimal(2000))
    collector = Collector()
    collector(entry)
    track = replace(recorder.track(), orders=(ended,))
    (done,) = collector.activity(track, "market", "sandbox").actions
    assert done.said == "hedge sell 0.5 PAXG/USDT at 4000: filled 0.5 at 4000.00"
    assert done.order == ended


def test_a_halt_is_told_once_with_its_reason(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the turn that halts, what it leaves for the next one says why."""
    settings = load_config(recorded, {})
    journal = a_journal(settings)
    last = journal.last()
    assert last is not None
    why = "NAV 50010 is 41 bp below its peak"
    stopped = replace(last.decision, state=State.HALTED, reason="halted: only withdraw acts")
    left = replace(last.memory, halted=why)
    journal.record(
        replace(last, at=last.at + 60, decision=stopped, memory=left, steps=(), outcomes=()),
        settings,
    )
    journal.resume(last.at + 90, why, last.memory)
    assert told(capsys, "--since", "2d")["states"][-1]["reason"] == why
    assert main.run(["log", "--since", "2d"]) == 0
    out = capsys.readouterr().out
    assert out.count(why) == 2  # the halt, and the resume after it
    assert f"  HALTED    {why}" in out or f"  HALTED   {why}" in out
    assert "resumed  by hand, after: " in out


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_nothing_is_cut_off_at_any_width(
    recorded: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=width, force_terminal=True, no_color=True, highlight=False)
    monkeypatch.setattr(log, "console", lambda: screen)
    assert main.run(["log", "--since", str(START)]) == 0
    text = out.getvalue().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    found = told(capsys, "--since", START)
    words = " ".join(text.split())
    assert f"{Decimal(found['gas_quote']):.2f} USDT" in words


def test_a_terminal_shows_the_newest_and_says_how_many_there_are(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=100, force_terminal=True, no_color=True, highlight=False)
    monkeypatch.setattr(log, "console", lambda: screen)
    assert main.run(["log", "--since", str(START), "--lines", "2"]) == 0
    assert "the newest 2 of 5 events; --lines 0 shows them all" in out.getvalue()
    assert "gas_cap: " not in out.getvalue()


NOW = int(datetime(2026, 11, 27, 17, 30, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("yesterday", "2026-11-26T00:00+00:00"),
        ("Today", "2026-11-27T00:00+00:00"),
        ("now", "2026-11-27T17:30+00:00"),
        ("24h", "2026-11-26T17:30+00:00"),
        ("90m", "2026-11-27T16:00+00:00"),
        ("30 s", "2026-11-27T17:29:30+00:00"),
        ("7d", "2026-11-20T17:30+00:00"),
        ("2w", "2026-11-13T17:30+00:00"),
        ("2026-11-26", "2026-11-26T00:00+00:00"),
        ("2026-11-26T14:05", "2026-11-26T14:05+00:00"),
        ("2026-11-26T14:05:00+02:00", "2026-11-26T12:05+00:00"),
        ("2026-11-26T14:05Z", "2026-11-26T14:05+00:00"),
        ("1795712768", "2026-11-26T17:06:08+00:00"),
    ],
)
def test_moments_are_read_as_people_write_them(text: str, moment: str) -> None:
    wanted = int(datetime.fromisoformat(moment).timestamp())
    assert log.moment_of(text, NOW, "--since") == wanted


@pytest.mark.parametrize("text", ["", "24x", "h", "-3h", "tomorrow", "2026-13-01", "٣"])
def test_what_is_no_moment_is_one_sentence(text: str) -> None:
    with pytest.raises(BadInput, match="is no time: write yesterday"):
        log.moment_of(text, NOW, "--since")
