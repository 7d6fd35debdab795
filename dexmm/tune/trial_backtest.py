"""What a search backtests: the live code over the part of the history that it is asked about.

A part is a whole run of its own, from a fresh wallet at the target share, as going live then
would have been. Nothing after the part is read: not its prices, not its gas, not its events. Of
what came before it, recorded events leave the state of the pool, and candles leave nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

from dexmm.backtest.event_world import EventScenario, begun_with, run_scenario
from dexmm.backtest.market_expectation import facts_of
from dexmm.backtest.run import Scenario
from dexmm.backtest.workers import Watch
from dexmm.config.schema import Config
from dexmm.history.packed_candles import PackedPath, packed
from dexmm.performance.metrics import Figures
from dexmm.sim.replay.event_replay import cut
from dexmm.strategy.rebalance.feasibility import judge
from dexmm.tune.walk_forward import Stretch

UNTOLD = {"path", "history", "config", "source", "decided"}  # of a scenario: named by other means


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """``scenario`` is the whole history, with the configuration as it is."""

    scenario: Scenario

    @property
    def whole(self) -> Stretch:
        if isinstance(self.scenario, EventScenario):
            history = self.scenario.history
            return Stretch(since=history.opened_at, until=history.ends_at + 1)
        path = self._path
        return Stretch(since=path.start, until=path.at(len(path)))

    @property
    def step_seconds(self) -> int:
        """Between two turns, whatever a search makes of it."""
        interval = self.scenario.config.loop.interval_seconds
        if isinstance(self.scenario, EventScenario):
            return interval
        return max(interval, self._path.interval_seconds)

    @property
    def _path(self) -> PackedPath:
        return packed(self.scenario.path)

    def figures(self, config: Config, part: Stretch, watch: Watch) -> Figures:
        """What a search evaluates."""
        return run_scenario(self._in(config, part), watch).figures

    def problems(self, config: Config, part: Stretch) -> tuple[str, ...]:
        """What the judge has against a configuration in that part, before anything is run."""
        return judge(config, facts_of(self._in(config, part))).problems

    def _in(self, config: Config, part: Stretch) -> Scenario:
        if isinstance(self.scenario, EventScenario):
            history = self.scenario.history
            since = None if part.since == history.opened_at else part.since
            history = cut(history, since, part.until - 1)
            found: Scenario = replace(self.scenario, config=config, history=history)
        else:
            path = self._path.between(part.since, part.until)
            found = replace(self.scenario, config=config, path=path)
        return begun_with(found, self.scenario.start)

    def digest(self) -> str:
        """Names the history by its content, wherever it was read from."""
        if isinstance(self.scenario, EventScenario):
            history = self.scenario.history
            return _hash(repr(history.opening), repr(list(history.events)))
        path = self._path
        columns = (path.open_units, path.high_units, path.low_units, path.close_units)
        scale = f"{path.start} {path.interval_seconds} {path.price_decimals}"
        return _hash(scale, *(column.tobytes() for column in columns))

    def market(self) -> str:
        """Names the market and every assumption of cost and flow."""
        return _hash(
            *(
                f"{field.name}={getattr(self.scenario, field.name)!r}"
                for field in fields(self.scenario)
                if field.name not in UNTOLD
            )
        )


def _hash(*parts: str | bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode() if isinstance(part, str) else part)
        found.update(b"\0")
    return found.hexdigest()[:16]
