"""Several markets in one file: each is a whole configuration of its own.

A file has one ``[market]``, or a list of ``[[market]]``. Everything outside the list is shared;
a market of the list may carry sections of its own (``[market.strategy]``), whose settings win
over the shared ones. So a turn, its journal line and its fingerprint never know of other markets:
only the wallet, the exchange account, the lease and the HALT flag are the same for all.

    [[market]]                  [[market]]
    name = "usdt"               name = "usdc"
    pool = "0x7Cb8..."          pool = "0x5aE1..."
    base = "0x4580..."          base = "0x4580..."
    budget = 60000              budget = 40000
    [market.exchange]           [market.strategy]
    symbol = "PAXG/USDT"        band_high = 0.45

How the shared wallet, account and margin are divided between them is in ``strategy.portions``; of
two exchange accounts each is its own market's alone. Markets that share a
base share one exposure, so each one's target must lie inside the band of every other: otherwise
one would buy for ever what the other sells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

from dexmm.config.schema import SECTIONS, Config, Exchange, parse_config
from dexmm.config.sources import Settings, read_settings
from dexmm.errors import BadInput

SHARED = frozenset({"network", "wallet", "loop", "market", "metrics"})  # never a market's own


def load_markets(path: Path, environment: Mapping[str, str] | None = None) -> tuple[Config, ...]:
    """Every market of a configuration file, in its order; at least one.

    Raises ``BadInput`` as ``load_config``, and when the markets contradict each other.
    """
    settings = read_settings(path, environment, SECTIONS)
    listed = settings.values.get("market")
    if not isinstance(listed, list):
        config = parse_config(settings.values, path.parent, str(path), settings.overrides)
        return (_with_limit(config, Decimal(1)),)
    if not listed:
        raise BadInput(f"{path}: market is empty: write a [[market]] for each pool")
    configs = tuple(
        _one(settings, table, number, path) for number, table in enumerate(listed, start=1)
    )
    _refuse_contradictions(configs, path)
    total = sum((config.market.weight for config in configs), Decimal(0))
    parts = [config.market.weight / total for config in configs]
    return tuple(
        _with_gas(_with_limit(config, part), part, table)
        for config, part, table in zip(configs, parts, listed, strict=True)
    )


def choose(configs: Sequence[Config], name: str | None, path: Path) -> Config:
    """The market of that name; without a name there must be only one. Raises ``BadInput``."""
    names = [config.market.name for config in configs]
    if name is None and len(configs) > 1:
        raise BadInput(f"{path} has several markets: say --market {' or '.join(names)}")
    for config in configs:
        if name in (None, config.market.name):
            return config
    raise BadInput(f"{path} has no market {name!r}: choose {' or '.join(names)}")


def _one(settings: Settings, table: object, number: int, path: Path) -> Config:
    where = f"{path}, [[market]] {number}"
    if not isinstance(table, dict):
        raise BadInput(f"{where} must be a table of settings")
    own = {key: value for key, value in table.items() if key in SECTIONS}
    for section, value in own.items():
        if section in SHARED or not isinstance(value, dict):
            raise BadInput(f"{where}: {section} is shared by all markets and cannot be its own")
    values: dict[str, Any] = dict(settings.values)
    for section, value in own.items():
        shared = values.get(section, {})
        values[section] = {**shared, **value} if isinstance(shared, dict) else shared
    market = {key: value for key, value in table.items() if key not in own}
    values["market"] = {"name": f"market{number}", **market}
    return parse_config(values, path.parent, where, settings.overrides)


def _with_limit(config: Config, part: Decimal) -> Config:
    """The wallet's capital limit as this market's budget, by weight."""
    limit = config.wallet.capital_limit
    if limit is None:
        return config
    budget = min(config.market.budget or limit * part, limit * part)
    market = config.market.model_copy(update={"budget": budget})
    return config.model_copy(update={"market": market})


def _with_gas(config: Config, part: Decimal, table: Mapping[str, Any]) -> Config:
    """The wallet's gas of a day by weight: each market counts what itself has spent.

    One that a market states for itself (``[market.gas]``) is its own, whole.
    """
    if "daily_budget_eth" in table.get("gas", {}):
        return config
    gas = config.gas.model_copy(update={"daily_budget_eth": config.gas.daily_budget_eth * part})
    return config.model_copy(update={"gas": gas})


def _account(exchange: Exchange) -> tuple[str, str]:
    """Exchange and key: markets with other ones trade in accounts of their own."""
    key = exchange.api_key
    return exchange.id, key.get_secret_value() if key is not None else ""


def _refuse_twice(path: Path, what: str, found: Sequence[str]) -> None:
    twice = [value for value, count in Counter(found).items() if count > 1 and value]
    if twice:
        raise BadInput(f"{path}: two markets have the {what} {twice[0]}: give each its own")


def _base_of(config: Config) -> tuple[str, ...]:
    """What a market holds a share of: its token, or its account's coin where it has no pool."""
    if config.market.has_pool or config.exchange is None:
        return (config.market.base,)
    return (*_account(config.exchange), config.exchange.symbol.partition("/")[0])


def _refuse_two_locks(configs: tuple[Config, ...], path: Path) -> None:
    """One process writes at a time: to a wallet by the wallet's lock, without pools by that of the
    exchange account. Markets of one file share one lock, so they must be under the same."""
    poolless = [config for config in configs if not config.market.has_pool]
    if not poolless:
        return
    if others := [config.market.name for config in configs if config.market.has_pool]:
        raise BadInput(
            f"{path}: {poolless[0].market.name} has no pool and {others[0]} has one: the one is "
            "guarded by its exchange account's lock and the other by its wallet's, so they do not "
            "run together. Quote in the market that has the pool, or write a file for each, in a "
            "folder of its own with an exchange account of its own"
        )
    accounts = {_account(config.exchange) for config in poolless if config.exchange is not None}
    if len(accounts) > 1:
        names = " and ".join(config.market.name for config in poolless)
        raise BadInput(
            f"{path}: {names} have no pool and different exchange accounts: each account has a "
            "lock of its own. Write a file for each, in a folder of its own"
        )


def _refuse_contradictions(configs: tuple[Config, ...], path: Path) -> None:
    _refuse_two_locks(configs, path)
    for what, found in (
        ("name", [config.market.name for config in configs]),
        ("pool", [config.market.pool for config in configs if config.market.has_pool]),
    ):
        _refuse_twice(path, what, found)
    for what, traded in (
        ("exchange symbol", [(_account(e), e.symbol) for c in configs if (e := c.exchange)]),
        (
            "perpetual",
            [
                (_account(e), e.perpetual_symbol)
                for c in configs
                if (e := c.exchange) and e.perpetual_symbol
            ],
        ),
    ):
        for account in dict.fromkeys(account for account, _ in traded):
            _refuse_twice(path, what, [symbol for its, symbol in traded if its == account])
    for one, other in permutations(configs, 2):
        band = other.strategy
        if _base_of(one) != _base_of(other):
            continue
        if not band.band_low < one.strategy.target < band.band_high:
            raise BadInput(
                f"{path}: the target {one.strategy.target} of {one.market.name} lies outside the "
                f"band {band.band_low} to {band.band_high} of {other.market.name}: they share one "
                "wallet, and one would sell what the other buys"
            )
