"""Small worlds for tests of backtests."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from dexmm.backtest.run import PAXG, PAXG_USDT, Scenario, paxg_usdt_market
from dexmm.config.schema import Config, parse_config
from dexmm.sim.agents.price_process import PricePath

FEED = "0x9944D86CEB9160aF5C5feB251FD671923323f8C3"

# Tight edges and no waiting: several re-ranges a day.
RESTLESS: dict[str, dict[str, Any]] = {
    "strategy": {
        "edge_min_bp": 60,
        "edge_max_bp": 150,
        "edge_sigmas": "0.5",
        "dwell_seconds": 60,
        "economic_gate": False,
    },
    "guards": {"closed_weekly": ()},
}


def a_config(interval: int, name: str = "budget", **sections: dict[str, Any]) -> Config:
    settings: dict[str, dict[str, Any]] = {
        "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:8545"},
        "market": {
            "pool": PAXG_USDT,
            "base": PAXG,
            "price_low": Decimal(1000),
            "price_high": Decimal(20000),
            "reference_feed": FEED,
        },
        "loop": {"interval_seconds": interval},
        "strategy": {"name": name},
    }
    for section, values in sections.items():
        settings[section] = {**settings.get(section, {}), **values}
    return parse_config(settings, Path(), source="test")


def a_scenario(
    path: PricePath, strategy: str = "budget", *, restless: bool = False, **changes: Any
) -> Scenario:
    sections = RESTLESS if restless else {}
    config = a_config(path.interval_seconds, strategy, **sections)
    return Scenario(path=path, config=config, market=paxg_usdt_market(config), **changes)
