"""A history whose best settings are known, for searches that take no time."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from dexmm.config.schema import Config, parse_config
from dexmm.performance.metrics import Figures
from dexmm.tune.search_space import Space
from dexmm.tune.space_file import parse_space
from dexmm.tune.storage import Storage
from dexmm.tune.study import Search, identity
from dexmm.tune.tune import Standing
from dexmm.tune.walk_forward import Stretch, fold

D = Decimal
DAY = 86_400
MONDAY = 1_790_208_000

SPACE = """
[space]
"strategy.edge_sigmas" = { low = "0.5", high = "4", step = "0.25" }
"strategy.dwell_seconds" = { choices = [0, 900, 3600, 14400] }
[constraints]
time_in_band = ">= 0.9"
"""


def config_for(root: Path = Path(), **sections: dict[str, object]) -> Config:
    settings: dict[str, object] = {
        "network": {"name": "mainnet", "rpc_urls": ["http://127.0.0.1:8545"]},
        "market": {
            "pool": "0x7Cb85f75e61226060453a997a7733F76707Df337",
            "base": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
            "price_low": 1000,
            "price_high": 10_000,
        },
    }
    return parse_config({**settings, **sections}, root, "test")


def figures_of(**given: object) -> Figures:
    """A month that was neither good nor bad; ``given`` says what is different."""
    zeros = {field.name: D(0) for field in dataclasses.fields(Figures) if field.type == "Decimal"}
    known: dict[str, object] = {
        **zeros,
        "name": "budget",
        "days": D(30),
        "turns": 43_200,
        "start": D(50_000),
        "end": D(50_000),
        "time_in_band": D(1),
        "time_in_range": D(1),
        "share_low": D("0.25"),
        "share_mean": D("0.35"),
        "share_high": D("0.45"),
        "deployed": D("0.3"),
        "reranges": 10,
        "halted": "",
    }
    return Figures(**{**known, **given})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Each day has its best ``edge_sigmas``; away from it, net falls with the square."""

    best: tuple[Decimal, ...]  # by day since MONDAY; the last one goes on for ever
    seconds: float = 0.0  # that a backtest takes
    log: Path | None = None  # a line for each backtest
    halts_above: int = 100  # edge_sigmas
    kills: Path | None = None  # once: the process that runs a backtest while this is not there
    stops_at: int = 0  # the backtest in which somebody presses Ctrl-C, counted by the log

    def __call__(self, config: Config, part: Stretch, watch: Callable[[int, int], None]) -> Figures:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(
                    f"{part.since} {part.until} {config.strategy.edge_sigmas} "
                    f"{config.strategy.dwell_seconds}\n"
                )
            if len(self.log.read_text().splitlines()) == self.stops_at:
                raise KeyboardInterrupt
        if self.kills is not None and not self.kills.exists():
            self.kills.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for step in range(10):
            time.sleep(self.seconds / 10)
            watch(step + 1, 10)
        sigmas = config.strategy.edge_sigmas
        days = range((part.since - MONDAY) // DAY, (part.until - MONDAY) // DAY)
        net = sum((-((sigmas - self._best(day)) ** 2) for day in days), D(0))
        return figures_of(
            days=part.days,
            net=net * 5,
            fees=D(10) / sigmas,
            max_drawdown_hold_bp=D(10) / sigmas,
            time_in_band=D(1) - D(config.strategy.dwell_seconds) / 100_000,
            halted="too wide" if sigmas > self.halts_above else "",
        )

    def _best(self, day: int) -> Decimal:
        return self.best[min(day, len(self.best) - 1)]


def anything_goes(config: Config, part: Stretch) -> tuple[str, ...]:
    return ()


class Quiet:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.seen: list[Standing] = []
        self.was_closed = False

    def opened(self, search: Search, standing: Standing) -> None:
        self.seen.append(standing)

    def stands(self, standing: Standing) -> None:
        self.seen.append(standing)

    def scoring(self, done: int, planned: int) -> None:
        pass

    def closed(self) -> None:
        self.was_closed = True


def space_for(config: Config, text: str = SPACE) -> Space:
    return parse_space(text, config, "space.toml")


def search_for(
    url: str,
    evaluate: Landscape,
    *,
    trials: int = 12,
    name: str = "gold",
    folds: int = 3,
    days: int = 40,
    text: str = SPACE,
    config: Config | None = None,
    heartbeat: int = 20,
    seed: int = 1,
) -> Search:
    config = config or config_for()
    space = space_for(config, text)
    whole = Stretch(since=MONDAY, until=MONDAY + days * DAY)
    return Search(
        name=name,
        storage=Storage(url=url, heartbeat_seconds=heartbeat),
        config=config,
        space=space,
        folds=fold(whole, 3600, folds, 72 * 3600),
        evaluate=evaluate,
        judge=anything_goes,
        trials=trials,
        seed=seed,
    )


def what(search: Search, history: str = "prices") -> dict[str, str]:
    return identity(search, history, "market")


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'tune.sqlite'}"
