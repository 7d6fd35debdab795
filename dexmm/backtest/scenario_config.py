"""Which configuration decides in a backtest: the live one without its secrets, or a newcomer's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

from dexmm.backtest.compare.contestants import Live
from dexmm.backtest.run import Scenario
from dexmm.config.multi_market import choose, load_markets
from dexmm.config.schema import CHAINLINK_PAXG_USD, SECTIONS, Config, Network, parse_config
from dexmm.config.sources import PREFIX, SECRETS, overrides_in, variables_around
from dexmm.errors import BadInput
from dexmm.model.market import Market
from dexmm.performance.number_format import ETHERS
from dexmm.strategy.rebalance.feasibility import judge

NOWHERE = "http://127.0.0.1:1"  # stands for a node in a configuration that will never ask one
NODES = "DEXMM_NETWORK__RPC_URLS"
UNUSED = {"network", "wallet"}  # sections that nothing in a backtest asks
DECIDING = ("strategy", "guards", "gas", "hedge", "quotes", "triangle")
_ASKED = re.compile(r"([a-z]+)\.([a-z0-9_]+)=(.*\S.*)")
GOLDS = {"PAXG", "XAUT"}  # whose own market closes at weekends
LEAST_IN_ETHER = Decimal("0.005")
PRICE_DIGITS = Context(prec=8)


def newcomer(
    market: Market,
    price: Decimal,
    interval_seconds: int,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """What ``dexmm init`` would write, for whoever has none yet, in ``market`` at ``price``.

    What the defaults count in dollars is less in number where the quote is an ether. Overrides of
    ``environment`` are laid over it, but for wallet, node and secrets, which a backtest has not.
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
    overrides = {}
    for (section, key), (variable, value) in overrides_in(environment or {}, SECTIONS).items():
        if section not in UNUSED and (section, key) not in SECRETS:
            settings.setdefault(section, {})[key] = value
            overrides[section, key] = variable
    return _in_options(lambda: parse_config(settings, Path(), "the defaults", overrides))


def given(path: Path, asked: Sequence[str]) -> dict[str, str]:
    """The environment with ``.env`` under it and ``asked`` (SECTION.KEY=VALUE) over it.

    ``path`` is the configuration, whose folder has the ``.env``. Raises ``BadInput``.
    """
    found = variables_around(path)
    for setting in asked:
        match = _ASKED.fullmatch(setting)
        if match is None or match[1] not in SECTIONS or match[1] in UNUSED:
            sections = ", ".join(name for name in SECTIONS if name not in UNUSED)
            raise BadInput(
                f"--set {setting} is no setting of a backtest: write SECTION.KEY=VALUE, the "
                f"section one of {sections}"
            )
        if (match[1], match[2]) in SECRETS:
            raise BadInput(f"--set {match[1]}.{match[2]} is a secret, which a backtest has not")
        found[f"{PREFIX}{match[1].upper()}__{match[2].upper()}"] = match[3]
    return found


def _in_options(parse: Callable[[], Config]) -> Config:
    """A mistake that names a variable names the option as well, since either may have set it."""
    try:
        return parse()
    except BadInput as error:
        told = re.sub(
            rf"{PREFIX}(\w+?)__(\w+)",
            lambda m: f"{m[0]} (or --set {m[1].lower()}.{m[2].lower()})",
            error.message,
        )
        raise BadInput(told) from None


def live(path: Path, market: str | None, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration as it would run, but for its nodes and its secrets.

    Raises ``BadInput`` as the live commands do, and for settings that those refuse to run with.
    """
    around = os.environ if environment is None else environment
    config = _in_options(
        lambda: choose(load_markets(path, {**around, NODES: NOWHERE}), market, path)
    )
    if not config.market.has_pool:
        raise BadInput(f"{path} has no pool: a backtest needs market.pool and market.base")
    if problems := judge(config).problems:
        raise BadInput("\n".join(f"{path}: {problem}" for problem in problems))
    return without_secrets(config)


def without_secrets(config: Config) -> Config:
    """Fit to be sent to other machines: no key, password or address that may hold one."""
    nowhere = Network.model_validate({"name": "sandbox", "rpc_urls": [NOWHERE]})
    found = config.model_copy(
        update={
            "wallet": config.wallet.model_copy(update={"password": None, "private_key": None}),
            "network": config.network.model_copy(
                update={"rpc_urls": nowhere.rpc_urls, "relay_url": None, "proxy": None}
            ),
            "loop": config.loop.model_copy(update={"journal_url": None}),
        }
    )
    if config.exchange is None:
        return found
    bare = {"api_key": None, "secret": None, "password": None, "base_url": None}
    return found.model_copy(update={"exchange": config.exchange.model_copy(update=bare)})


def decided_by(config: Config, source: str) -> str:
    """Which configuration decides, and in what it is not the defaults: one sentence."""
    differs = []
    for name in DECIDING:
        section, default = getattr(config, name), SECTIONS[name]()
        for key in SECTIONS[name].model_fields:
            value, usual = getattr(section, key), getattr(default, key)
            if value != usual and (name, key) != ("strategy", "name"):
                differs.append(f"{name}.{key} = {_shown(value)} ({_shown(usual)})")
    beside = f"other than the defaults {', '.join(differs)}" if differs else "all else the defaults"
    return f"Decided by {source}: strategy {config.strategy.name}; {beside}."


def _shown(value: object) -> str:
    if value is None:
        return "by the pool's fee"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


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
