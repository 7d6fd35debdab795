"""Every prerequisite, in the order in which one depends on another.

Machine, configuration, secrets and state come first and need no node; then the node, the market,
the wallet, the guards, and last whether it is worth it. What cannot be looked at because
something before it failed is left out, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dexmm.config import Config
from dexmm.errors import DexmmError
from dexmm.ops import check_machine, check_market, check_worth
from dexmm.ops.checks import Check, Diagnosis, failed_by, ok, warn
from dexmm.ops.status import Eyes

Load = Callable[[], tuple[Sequence[Config], Config]]


def diagnose(load: Load, find_anvil: Callable[[], Path]) -> Diagnosis:
    """Look at everything; change nothing.

    ``load`` gives every market of the configuration, and the one to look at; what it raises is a
    finding like others.
    """
    return Diagnosis(tuple(_checks(load, find_anvil)))


def _checks(load: Load, find_anvil: Callable[[], Path]) -> Iterator[Check]:
    yield from check_machine.machine(find_anvil)
    try:
        configs, config = load()
    except DexmmError as error:
        yield failed_by("configuration", error)
        return
    yield ok(
        "configuration",
        f"strategy {config.strategy.name} on {config.network.name}, fingerprint "
        f"{config.fingerprint()}",
    )
    yield from check_worth.settings(config)
    yield from check_machine.secrets(config)
    yield from check_machine.state(config)
    yield from _exchange(config)
    try:
        yield from _world(configs, config)
    except DexmmError as error:
        yield failed_by("node", error)


def _exchange(config: Config) -> Iterator[Check]:
    """ccxt is imported only where an exchange is configured."""
    if config.exchange is not None:
        from dexmm.ops import check_exchange

        yield from check_exchange.exchange(config)


def _world(configs: Sequence[Config], config: Config) -> Iterator[Check]:
    if not config.market.has_pool:
        yield ok("pool", "none is configured: quotes on the exchange alone")
        return
    eyes, number = Eyes(configs), list(configs).index(config)
    chain = eyes.chains[number]
    assert chain is not None  # noqa: S101 - it has a pool
    yield from check_market.node(chain, config)
    sight = eyes.sight(number)
    view = sight.snapshot.chain
    yield check_market.block(sight, config)
    yield from check_market.pool(sight)
    yield check_market.depth(chain, view)
    trade, flow = check_market.flow(chain, view)
    yield trade
    yield from check_market.tokens(view)
    yield from check_market.reference(view)
    yield from check_market.wallet(chain, sight, config)
    yield from check_market.guards(sight)
    yield from check_worth.worth(sight.snapshot, config, flow, sight.decision.nav)
    for warning in sight.warnings:
        yield warn("missing", warning)
