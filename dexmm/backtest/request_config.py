"""Which configuration decides in a backtest: the live one without its secrets, or a newcomer's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

from dexmm.backtest.compare_columns import ETHERS
from dexmm.backtest.contestants import Live
from dexmm.backtest.run import Scenario
from dexmm.config import CHAINLINK_PAXG_USD, Config, parse_config
from dexmm.errors import BadInput
from dexmm.markets import choose, load_markets
from dexmm.model.market import Market
from dexmm.strategy.judge import judge

NOWHERE = "http://127.0.0.1:1"  # stands for a node in a configuration that will never ask one
NODES = "DEXMM_NETWORK__RPC_URLS"
GOLDS = {"PAXG", "XAUT"}  # whose own market closes at weekends
LEAST_IN_ETHER = Decimal("0.005")
PRICE_DIGITS = Context(prec=8)


def newcomer(market: Market, price: Decimal, interval_seconds: int) -> Config:
    """What ``dexmm init`` would write, for whoever has none yet, in ``market`` at ``price``.

    What the defaults count in dollars is less in number where the quote is an ether.
    """
    settings: dict[str, Any] = {
        "network": {"name": "sandbox", "rpc_urls": [NOWHERE]},
        "market": {
            "pool": market.pool,
            "base": market.base.address,
            "price_low": PRICE_DIGITS.divide(price, Decimal(2)),
            "price_high": PRICE_DIGITS.multiply(price, Decimal(2)),
            "reference_feed": CHAINLINK_PAXG_USD,
        },
        "strategy": {"name": "measured"},
        "loop": {"interval_seconds": interval_seconds},
    }
    if market.quote.symbol in ETHERS:
        settings["strategy"]["min_position_quote"] = LEAST_IN_ETHER
    if market.base.symbol not in GOLDS:
        settings["guards"] = {"closed_weekly": []}
    return parse_config(settings, Path(), "the defaults")


def live(path: Path, market: str | None, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration as it would run, but for its nodes and its secrets.

    Raises ``BadInput`` as the live commands do, and for settings that those refuse to run with.
    """
    given = os.environ if environment is None else environment
    config = choose(load_markets(path, {**given, NODES: NOWHERE}), market, path)
    if not config.market.has_pool:
        raise BadInput(f"{path} has no pool: a backtest needs market.pool and market.base")
    if problems := judge(config).problems:
        raise BadInput("\n".join(f"{path}: {problem}" for problem in problems))
    return without_secrets(config)


def without_secrets(config: Config) -> Config:
    found = config.model_copy(
        update={
            "wallet": config.wallet.model_copy(update={"password": None, "private_key": None}),
            "network": config.network.model_copy(update={"relay_url": None, "proxy": None}),
            "loop": config.loop.model_copy(update={"journal_url": None}),
        }
    )
    if config.exchange is None:
        return found
    bare = {"api_key": None, "secret": None, "password": None, "base_url": None}
    return found.model_copy(update={"exchange": config.exchange.model_copy(update=bare)})


def contestants_of(
    paths: Sequence[Path], market: str | None, scenario: Scenario
) -> tuple[Live, ...]:
    """Other configurations of the scenario's pool, each to be compared with everybody.

    Raises ``BadInput`` for one that is of another pool.
    """
    found = []
    for path in dict.fromkeys(paths):
        config = live(path, market)
        ours = scenario.config.market
        if (config.market.pool.lower(), config.market.base.lower()) != (
            ours.pool.lower(),
            ours.base.lower(),
        ):
            raise BadInput(
                f"{path} is of the pool {config.market.pool}, and the comparison of {ours.pool}: "
                "compare configurations of one pool"
            )
        name = config.strategy.name
        found.append(Live(strategy=name, config=config, label=f"{name} ({path})"))
    return tuple(found)
