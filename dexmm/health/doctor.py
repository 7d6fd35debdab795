"""Every prerequisite, in the order in which one depends on another.

Machine, configuration, secrets and state come first and need no node; then the node, the market,
the wallet, the guards, whether it is worth it, and last the plan. What cannot be looked at for
want of something before it is ``skip`` and says so: it is neither left out nor guessed. Without a
key the node is asked all the same, and what needs no node is said without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from dexmm.config.schema import Config
from dexmm.errors import DexmmError, Transient
from dexmm.health import inventory_plan, machine, market, profitability
from dexmm.health.check import Check, Diagnosis, Verdict, fail, failed_by, ok, skip, warn
from dexmm.health.known_markets import known_market
from dexmm.health.status import Eyes
from dexmm.model.snapshot import ChainView
from dexmm.model.starting_inventory import Start, start_of

# Nobody's address, to look at a market with: no key of it can be known.
NOBODY = "0x" + sha256(b"dexmm doctor: nobody").hexdigest()[:40]
NAME_ONE = "name one that answers in network.rpc_urls, or in .env as DEXMM_NETWORK__RPC_URLS"
OF_WALLET = {"gas_reserve"}  # guards that say something of the wallet alone

Load = Callable[[], tuple[Sequence[Config], Config]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a plan is asked for: an inventory as text, and a price where no node tells one."""

    start: str | None = None
    price: Decimal | None = None  # quote per base


def diagnose(load: Load, find_anvil: Callable[[], Path], asked: Asked | None = None) -> Diagnosis:
    """Look at everything; change nothing.

    ``load`` gives every market of the configuration, and the one to look at; what it raises is a
    finding like others. Raises ``BadInput`` for an inventory that is none.
    """
    return Diagnosis(tuple(_checks(load, find_anvil, asked or Asked())))


def _checks(load: Load, find_anvil: Callable[[], Path], asked: Asked) -> Iterator[Check]:
    yield from machine.machine(find_anvil)
    try:
        configs, config = load()
    except DexmmError as error:
        yield failed_by("configuration", error)
        yield skip("the rest", "key, state, node and market are looked at once it can be read")
        return
    yield ok(
        "configuration",
        f"strategy {config.strategy.name} on {config.network.name}, fingerprint "
        f"{config.fingerprint()}",
    )
    yield from profitability.settings(config)
    yield from machine.secrets(config)
    standing = tuple(machine.state(config))
    yield from standing
    yield from _exchange(config)
    if not config.market.has_pool:
        yield ok("pool", "none is configured: quotes on the exchange alone")
        return
    of_nobody = any(check.name == "lock" and check.verdict is Verdict.SKIP for check in standing)
    yield from _market(configs, config, asked, of_nobody=of_nobody)


def _market(
    configs: Sequence[Config], config: Config, asked: Asked, *, of_nobody: bool
) -> Iterator[Check]:
    known = known_market(config)
    start = None
    if asked.start is not None and known is not None:
        start = start_of(asked.start, known.base.symbol, known.quote.symbol)
    told = inventory_plan.without_a_node(config, start, asked.price)
    world = _World(configs, config, asked, of_nobody=of_nobody)
    try:
        yield from world.checks()
    except DexmmError as error:
        advice = NAME_ONE if error.exit_code == Transient.exit_code and world.view is None else ""
        yield fail("node", error.message, advice, error.exit_code)
        yield skip("market", "pool, oracle, depth, trade, tokens, wallet and guards need the node")
    if world.view is not None:
        told = inventory_plan.with_a_node(world.view, world.fair_price, world.start, asked.price)
    yield from inventory_plan.plan(config, told, held=world.held)


def _exchange(config: Config) -> Iterator[Check]:
    """ccxt is imported only where an exchange is configured."""
    if config.exchange is not None:
        from dexmm.health import exchange

        yield from exchange.exchange(config)


class _World:
    """What the node shows, and what is then known for a plan. ``of_nobody``: no wallet is known."""

    def __init__(
        self, configs: Sequence[Config], config: Config, asked: Asked, *, of_nobody: bool
    ) -> None:
        self._nobody = of_nobody
        number = list(configs).index(config)
        self._configs = [_watching(each) for each in configs] if self._nobody else list(configs)
        self._number = number
        self._asked = asked
        self.view: ChainView | None = None
        self.fair_price = Decimal(0)
        self.start: Start | None = None
        self.held = False  # the wallet holds an inventory, which is judged

    def checks(self) -> Iterator[Check]:
        config, number = self._configs[self._number], self._number
        eyes = Eyes(self._configs)
        chain = eyes.chains[number]
        assert chain is not None  # noqa: S101 - it has a pool
        yield from market.node(chain, config)
        sight = eyes.sight(number)
        view, nav = sight.snapshot.chain, sight.decision.nav
        yield market.block(sight, config)
        yield from market.pool(sight)
        yield market.depth(chain, view)
        trade, flow = market.flow(chain, view)
        yield trade
        yield from market.tokens(view)
        yield from market.reference(view)
        if self._nobody:
            yield skip("wallet", "ether, inventory and approvals: nobody's wallet is known")
        else:
            yield from market.wallet(chain, sight, config)
        yield from market.guards(sight, OF_WALLET if self._nobody else set())
        if self._asked.start is not None:
            symbols = view.market.base.symbol, view.market.quote.symbol
            self.start = start_of(self._asked.start, *symbols)
            nav = self.start.worth(sight.decision.fair_price)
        self.view, self.fair_price = view, sight.decision.fair_price
        self.held = self.start is None and nav >= config.strategy.min_position_quote
        yield from profitability.worth(sight.snapshot, config, flow, nav)
        for warning in sight.warnings:
            yield warn("missing", warning)


def _watching(config: Config) -> Config:
    """As for a wallet that holds nothing."""
    wallet = config.wallet.model_copy(
        update={"address": NOBODY, "keystore": None, "private_key": None, "password": None}
    )
    return config.model_copy(update={"wallet": wallet})
