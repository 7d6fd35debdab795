"""Where everything stands now: looked at, never touched, with whatever part of the past is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import NoReturn, TypeVar

from dexmm.chain.client import ChainClient, connect
from dexmm.config.schema import Config
from dexmm.errors import DexmmError
from dexmm.model.decision import Decision
from dexmm.model.entry import Entry
from dexmm.model.holdings import Position
from dexmm.model.intent import IntentLog
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import CexStep
from dexmm.model.venue import RestingOrder, VenueView
from dexmm.store.flags import HaltFlag
from dexmm.strategy.context.own_positions import set_aside, worth
from dexmm.strategy.decide import decide
from dexmm.strategy.exposure.exchange_inventory import held_there
from dexmm.strategy.remember import rewound
from dexmm.strategy.risk.liquidation import (
    leverage_held,
    liquidation_distance,
    liquidation_price,
    maintenance_rate,
)
from dexmm.units import ETHER_DECIMALS, to_decimal
from dexmm.wiring.clock import wall_clock
from dexmm.wiring.exchange_only import without_pool
from dexmm.wiring.journal_access import (
    NoIntents,
    OrdersOnLoan,
    borrowed_orders,
    open_intents,
    open_journal,
)
from dexmm.wiring.shared_wallet import (
    Seat,
    SharedWallet,
    account_of_market,
    refuse_unified_accounts,
)

NO_EXCHANGE = {"base": None, "quote": None, "perpetual": None}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look: what is there now, what would be decided, and what the last turn did."""

    snapshot: Snapshot
    decision: Decision
    last: Entry | None
    warnings: tuple[str, ...]  # what could not be read, and so is missing here


class Eyes:
    """Connections to every market of a configuration that only read.

    Counts as ``run`` does: each market sees its part of the one wallet and the one account. A
    journal that cannot be read is a warning, not an error.
    """

    def __init__(self, configs: Sequence[Config]) -> None:
        """Raises as ``connect``, and ``BadInput`` as ``refuse_unified_accounts``."""
        refuse_unified_accounts(configs)
        self._configs = tuple(configs)
        self._warnings: list[list[str]] = [[] for _ in configs]
        self._orders = self._loan()
        self.chains = tuple(self._chain(number) for number in range(len(configs)))
        self._wallet = SharedWallet([self._seat(n) for n in range(len(configs))], self._orders)

    def sight(self, number: int) -> Sight:
        """One look at one market. Raises as ``observe``; an exchange may be missing from it."""
        config, warnings = self._configs[number], self._warnings[number]
        view, venue = self._wallet.look(number)
        at = view.block.timestamp
        if config.network.name == "mainnet" or not config.market.has_pool:
            at = wall_clock()
        return _sight(config, view, venue, at, warnings)

    def _chain(self, number: int) -> ChainClient | None:
        config = self._configs[number]
        if not config.market.has_pool:
            return None
        nothing: IntentLog = NoIntents()
        log = _forgiving(lambda: open_intents(config), nothing, self._warnings[number])
        return connect(config, log, wall_clock, read_only=True)

    def _loan(self) -> OrdersOnLoan:
        """One for all: what the look of one market learns of an order, all others know."""
        with_exchange = [n for n, c in enumerate(self._configs) if c.exchange is not None]
        if not with_exchange:
            return OrdersOnLoan(None)
        config, warnings = self._configs[with_exchange[0]], self._warnings[with_exchange[0]]
        return _forgiving(lambda: borrowed_orders(config), OrdersOnLoan(None), warnings)

    def _seat(self, number: int) -> Seat:
        config, chain = self._configs[number], self.chains[number]
        account = account_of_market(config)
        if chain is None:
            views, venues = without_pool(_Watched(lambda: self._watch(config)), config)
            return Seat(config=config, account=account, chain=views.observe, venue=venues.observe)
        venue = None
        if config.exchange is not None:
            venue = partial(_forgiving, lambda: self._watch(config), None, self._warnings[number])
        return Seat(config=config, account=account, chain=chain.observe, venue=venue)

    def _watch(self, config: Config) -> VenueView:
        """What the exchange holds for us. Raises as the client's ``observe``."""
        from dexmm.cex.client import open_client

        client = open_client(config, self._orders, wall_clock, watch_only=True)
        try:
            return client.observe()
        finally:
            client.close()


class _Watched:
    """Implements ``protocols.Cex`` for those who only look."""

    def __init__(self, look: Callable[[], VenueView]) -> None:
        self._look = look

    def observe(self) -> VenueView:
        return self._look()

    def send(self, step: CexStep) -> NoReturn:
        raise TypeError("an observer sends nothing")


def look(configs: Sequence[Config]) -> tuple[Sight, ...]:
    """Every market. Read-only: no key, no lock, nothing written. Raises as ``Eyes``."""
    eyes = Eyes(configs)
    return tuple(eyes.sight(number) for number in range(len(configs)))


def _sight(
    config: Config, view: ChainView, venue: VenueView | None, at: int, warnings: list[str]
) -> Sight:
    journal = _forgiving(lambda: open_journal(config), None, warnings)
    memory, last = Memory(), None
    if journal is not None:
        memory = _forgiving(journal.memory, memory, warnings)
        last = _forgiving(journal.last, last, warnings)
        warnings += [str(each) for each in journal.unreadable]
    memory = rewound(memory, view.block.timestamp)
    snapshot = Snapshot(
        chain=set_aside(view, memory, config),
        venue=venue,
        observed_at=at,
        memory=memory,
        halted=HaltFlag(config.state_dir).reason(),
    )
    return Sight(
        snapshot=snapshot,
        decision=decide(snapshot, config),
        last=last,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def facts(sight: Sight, config: Config) -> dict[str, object]:
    """What ``status --json`` answers. Integers of the chain are text, whatever their size."""
    view, decision = sight.snapshot.chain, sight.decision
    market, pool, wallet = view.market, view.pool, view.wallet
    base, quote = market.base_quote(wallet.amount0, wallet.amount1)
    return {
        "network": config.network.name,
        "market": config.market.name,
        "chain_id": market.chain_id,
        "block": view.block.number,
        "block_timestamp": view.block.timestamp,
        "state": decision.state,
        "halted": sight.snapshot.halted or sight.snapshot.memory.halted or None,
        "base": {"symbol": market.base.symbol, "address": market.base.address},
        "quote": {"symbol": market.quote.symbol, "address": market.quote.address},
        "pool": {
            "address": market.pool,
            "fee_pips": market.fee_pips,
            "fee_protocol": pool.fee_protocol,
            "tick": pool.tick,
            "tick_spacing": market.tick_spacing,
            "sqrt_price_x96": str(pool.sqrt_price_x96),
            "price": market.price(pool.sqrt_price_x96),
            "liquidity": str(pool.liquidity),
        },
        "fair_price": decision.fair_price,
        "positions": [_position(position, pool.tick) for position in view.positions],
        "other_positions": view.other_positions,
        "strangers": [
            {**_position(position, pool.tick), "worth": worth(position, view)}
            for position in view.strangers
        ],
        "balances": {
            "wallet": {
                "address": wallet.address,
                "base": base,
                "quote": quote,
                "eth": to_decimal(wallet.eth, ETHER_DECIMALS),
            },
            "exchange": _exchange(sight.snapshot.venue, decision.fair_price),
        },
        "exchange": sight.snapshot.venue.exchange if sight.snapshot.venue else None,
        "perpetual": _perpetual(sight.snapshot.venue),
        "hedges": decision.trades,
        "carried_base": decision.carried_base,
        "quotes": {
            "enabled": config.quotes.enabled,
            "wanted": decision.quotes,
            "resting": [o for o in _resting(sight.snapshot) if o.ours],
            "sent": sight.snapshot.venue.recent_sent if sight.snapshot.venue else 0,
            "cancelled": sight.snapshot.venue.recent_cancelled if sight.snapshot.venue else 0,
        },
        "pending_orders": sight.snapshot.venue.pending if sight.snapshot.venue else (),
        "share": decision.share,
        "nav": decision.nav,
        "strategy": config.strategy.name,
        "trigger": decision.trigger,
        "reason": decision.reason,
        "withheld": decision.withheld,
        "refusals": decision.refusals,
        "in_flight": view.in_flight,
        "last_turn": _turn(sight.last),
        "warnings": sight.warnings,
    }


def _exchange(venue: VenueView | None, price: Decimal) -> dict[str, Decimal | None]:
    """Whole tokens; ``perpetual`` is negative when short."""
    if venue is None:
        return dict(NO_EXCHANGE)
    held = held_there(venue, price)
    return {
        "base": held.spot_base,
        "quote": held.spot_quote,
        "perpetual": held.perpetual_base,
        "margin": venue.position.margin if venue.position is not None else None,
    }


def _perpetual(venue: VenueView | None) -> dict[str, object] | None:
    """The position and how far it is from its liquidation; None where there is no perpetual.

    ``liquidation_distance`` is a fraction of the mark price, ``leverage`` the account's setting
    and ``leverage_held`` the position's value over the money behind it.
    """
    if venue is None or venue.position is None:
        return None
    position = venue.position
    return {
        "symbol": venue.perpetual.symbol if venue.perpetual is not None else None,
        "base": position.base,
        "entry_price": position.entry_price,
        "mark_price": position.mark_price,
        "margin": position.margin,
        "unrealised": position.unrealised,
        "leverage": position.leverage,
        "leverage_held": leverage_held(venue),
        "liquidation_price": liquidation_price(venue),
        "liquidation_stated": position.liquidation_price is not None,
        "liquidation_distance": liquidation_distance(venue),
        "maintenance_rate": maintenance_rate(position),
        "margin_mode": "cross" if position.isolated_margin is None else "isolated",
        "hedge_mode": position.hedge_mode,
        "funding_rate": position.funding_rate,
        "funding_at": position.funding_at,
    }


def _resting(snapshot: Snapshot) -> tuple[RestingOrder, ...]:
    return snapshot.venue.resting if snapshot.venue is not None else ()


def _position(position: Position, tick: int) -> dict[str, object]:
    return {
        "token_id": position.token_id,
        "tick_lower": position.tick_lower,
        "tick_upper": position.tick_upper,
        "liquidity": str(position.liquidity),
        "amount0": str(position.amount0),
        "amount1": str(position.amount1),
        "fees0": str(position.fees0),
        "fees1": str(position.fees1),
        "in_range": position.in_range(tick),
    }


def _turn(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "id": entry.id,
        "at": entry.at,
        "block": entry.snapshot.chain.block.number,
        "state": entry.decision.state,
        "trigger": entry.decision.trigger,
        "reason": entry.decision.reason,
        "withheld": entry.decision.withheld,
        "refusals": entry.decision.refusals,
        "outcomes": entry.outcomes,
    }


def _forgiving(read: Callable[[], T], otherwise: T, warnings: list[str]) -> T:
    try:
        return read()
    except DexmmError as error:
        warnings.append(error.message)
        return otherwise
