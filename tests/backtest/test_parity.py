"""One recorded sandbox run, again in memory: the same integers and the same decisions.

The sandbox runs the product against the real bytecode on Anvil. The simulator then lives through
the same seeds with the same configuration. Every turn's snapshot (pool, fee growth, positions,
fees due, wallet, in flight), decision, steps and outcomes must be equal. What no simulator can
know is taken from the record: transaction hashes and the gas that each step took.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dexmm.backtest.memory_journal import MemoryJournal
from dexmm.backtest.recorder import Recorder
from dexmm.backtest.run import Scenario, open_world
from dexmm.config.schema import Config, load_config
from dexmm.engine.turn import turn
from dexmm.model.entry import Entry
from dexmm.model.steps import ChainStep
from dexmm.performance.attribution import Source, attribute
from dexmm.sandbox.run import Options, Progress, Result, run_sandbox
from dexmm.sim.agents.price_process import PricePath, generate
from dexmm.sim.candle_world import CandleWorld
from dexmm.sim.chain.dry_run import Purse
from dexmm.wiring.journal_access import open_journal

pytestmark = pytest.mark.anvil

TURNS, SEED, INTERVAL = 160, 2, 1800

# Tight edges and no waiting, so that every kind of step is taken several times.
RESTLESS = (
    "strategy.edge_min_bp=60",
    "strategy.edge_max_bp=150",
    "strategy.edge_sigmas=0.5",
    "strategy.dwell_seconds=60",
    "strategy.economic_gate=false",
    "guards.closed_weekly=",
)
# What the record alone can tell.
UNKNOWABLE = (".tx_hash", ".intent_id", ".id")


class NobodyWatches:
    def opened(self, config: Config, path: PricePath, options: Options) -> None: ...

    def turned(self, progress: Progress) -> None: ...

    def skipped(self, number: int, reason: str) -> None:
        raise AssertionError(f"turn {number} was skipped: {reason}")

    def closed(self) -> None: ...


class Recorded:
    """A sandbox run's journal and its own closing figures."""

    def __init__(self, folder: Path, strategy: str) -> None:
        options = Options(
            turns=TURNS,
            seed=SEED,
            exchange=False,
            state_dir=folder,
            interval_seconds=INTERVAL,
            strategy=strategy,
            settings=RESTLESS,
        )
        self.result: Result = run_sandbox(options, NobodyWatches())
        self.config = load_config(folder / "dexmm.toml")
        journal = open_journal(self.config)
        assert journal is not None
        self.entries = tuple(journal.entries(0))

    def world(self) -> CandleWorld:
        """The simulator before the first candle, told what it cannot know."""
        first = self.entries[0].snapshot.chain
        scenario = Scenario(
            path=generate(SEED, TURNS, interval_seconds=INTERVAL),
            config=self.config,
            market=first.market,
            flow="busy",
            seed=SEED,
            every_turn=True,
        )
        world = open_world(scenario)
        gas = self._gas()

        def gas_of(step: ChainStep) -> int:
            return gas[step.kind][0]

        def spend(step: ChainStep) -> None:
            gas[step.kind].pop(0)

        self.spend = spend
        chain, told = world.chain, first.references[0]
        chain.terms = replace(
            chain.terms,
            gas_of=gas_of,
            wallet=first.wallet.address,
            guards0=first.guards0,
            guards1=first.guards1,
        )
        assert told.price is not None
        chain.tell(told.price, told.updated_at)
        world.street.feeds[0].said_at = told.updated_at
        return world

    def _gas(self) -> dict[str, list[int]]:
        used: dict[str, list[int]] = {}
        for entry in self.entries:
            for step, outcome in zip(entry.steps, entry.outcomes, strict=False):
                used.setdefault(step.kind, []).append(outcome.gas_used)
        return used


@pytest.fixture(scope="module", params=["budget", "recentre", "single", "passive"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"), request.param)


def test_every_turn_is_the_same_to_the_integer(recorded: Recorded) -> None:
    world, journal = recorded.world(), MemoryJournal()
    chain = world.chain
    recorder = Recorder(chain.market)
    blocks_before: int | None = None
    for entry in recorded.entries:
        assert world.advance()
        if blocks_before is None:
            # The chain on Anvil had other blocks before: pools made, traders funded.
            blocks_before = entry.snapshot.chain.block.number - chain.block.number
            chain.renumber(entry.snapshot.chain.block.number)
        tally = chain.tally
        again = turn(chain, journal, recorded.config, lambda: chain.timestamp)
        recorder.saw(again, world.fair_price, tally)
        for step, outcome in zip(again.steps, again.outcomes, strict=False):
            if outcome.status == "mined":
                recorded.spend(step)
        assert list(differences(entry, again)) == [], f"turn {entry.id}"
    recorder.ended(chain.observe(), None, world.fair_price, chain.tally)
    summary = recorded.result.summary
    assert summary.reranges >= 1
    assert summary.fees_base > 0
    # The accounts agree with what the chain's own events say, read apart from the product.
    accounts = attribute(recorder.marks)
    assert recorder.marks[-1].base == base_of(recorder) + recorder.marks[0].base
    fees = [flow for mark in recorder.marks for flow in mark.flows if flow.source is Source.FEES]
    assert sum((flow.base for flow in fees), Decimal(0)) == summary.fees_base
    assert sum((flow.quote for flow in fees), Decimal(0)) == summary.fees_quote
    assert -accounts.part(Source.GAS).total == summary.gas_quote


def test_a_difference_would_be_seen(recorded: Recorded) -> None:
    entry = recorded.entries[-1]
    pool = replace(entry.snapshot.chain.pool, fee_growth_global0_x128=1)
    view = replace(entry.snapshot.chain, pool=pool)
    other = replace(entry, snapshot=replace(entry.snapshot, chain=view))
    assert [where for where, _, _ in differences(entry, other)] == [
        ".snapshot.chain.pool.fee_growth_global0_x128"
    ]


def test_a_purse_is_filled_as_the_sandbox_fills_it(recorded: Recorded) -> None:
    first = recorded.entries[0].snapshot.chain.wallet
    purse: Purse = recorded.world().chain.purse
    assert (purse.amount0, purse.amount1, purse.eth) == (first.amount0, first.amount1, first.eth)


def base_of(recorder: Recorder) -> Decimal:
    return sum((flow.base for mark in recorder.marks for flow in mark.flows), Decimal(0))


def differences(one: Entry, other: Entry) -> Iterator[tuple[str, Any, Any]]:
    """Every field in which two entries differ, by its path."""
    for where, a, b in _differences(one, other, ""):
        if not where.endswith(UNKNOWABLE):
            yield where, a, b


def _differences(one: Any, other: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if is_dataclass(one) and type(one) is type(other):
        for each in fields(one):
            name = f"{where}.{each.name}"
            yield from _differences(getattr(one, each.name), getattr(other, each.name), name)
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _differences(a, b, f"{where}[{index}]")
    elif one != other:
        yield where, one, other
