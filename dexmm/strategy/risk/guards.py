"""The guards, as a checklist. Each is a few lines, fails closed, and says what to do.

    guard                 bites when                                              blocks
    --------------------  ------------------------------------------------------  ------
    halted                the HALT flag is set, or a guard tripped and stays      ALL
    market                the snapshot is of another pool, base or chain          ALL
    stale_block           the node's newest block is too old                      ALL
    unknown_transaction   the wallet waits on a transaction the journal lost      ALL
    drawdown              NAV is too far below its peak            (HALT, stays)  ALL
    drawdown_hold         NAV is too far behind holding            (HALT, stays)  ALL
    token_paused          a token cannot move                                     ALL
    token_frozen          wallet, pool or position manager is barred              ENTRY, pool: ALL
    token_fee             a token takes a fee on transfer                         ENTRY
    token_deprecated      a token was replaced by its issuer                      ENTRY
    token_implementation  the code behind a proxy is not the trusted one          ENTRY
    price_band            the price is outside the configured corridor            ENTRY
    pool_liquidity        nothing trades at this price and nothing confirms it    ENTRY
    oracle_history        the pool's oracle does not reach back far enough        ENTRY
    twap                  the price is far from its own average                   ENTRY
    reference             a feed is silent, stale, or far from the pool           ENTRY
    calendar              the base's own market is closed                         following
                          an event is on                                          ENTRY
    stop_loss             the price fell too far below its reference              see below
    gas_cap               gas is dearer than the class of action may pay          ENTRY or ALL
    gas_budget            the day's gas would be overspent                        ENTRY
    gas_reserve           too little ether would be left for an exit              ENTRY
    min_interval          the last action was a moment ago                        ENTRY

    on a wanted action alone (``action_guards.py``): move_cap, economic_gate
    on a simulated one (``nav_conservation.py``): nav_conserved, gas_budget
    in every transaction (``strategy/ranges/slippage_bounds.py``): minimum amounts of each leg

ENTRY: no new liquidity; what reduces exposure still passes. ALL: only withdraw acts, which asks
no guard here. Following: no range moves because the price did (triggers EDGE, FILLED, REGIME and
AGE); everything else passes. What bites is reported in every decision, wanted action or not.

The stop-loss sells ``stop_loss_share`` of the base once in a fall, down to the share half-way
between the target and the band's low edge at most. Armed, it sells when the price is
``stop_loss_bp``, or ``stop_loss_sigmas`` of what it moves in ``stop_loss_horizon_hours`` if that
is more, below its reference: state REDUCING, in which nothing that is new buys. Sold, it waits:
ranges and hedges work on, around a band that is lower by the part sold, so that none of them buys
it back. Released near the reference or at a new high, it is armed again and the target is the
configured one. ``strategy/rebalance/stop_loss.py`` has the formulas and the states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from dexmm.decimal_context import BP
from dexmm.model.decision import Refusal
from dexmm.model.market import Reference, Token, TokenGuards
from dexmm.model.snapshot import Snapshot
from dexmm.strategy.context.context import Look
from dexmm.strategy.context.market_limits import ETHER, GWEI
from dexmm.strategy.exposure.fair_price import fresh
from dexmm.strategy.rebalance.gas_economics import TYPICAL_GAS
from dexmm.strategy.rebalance.stop_loss import fall_of, holds, release_of
from dexmm.strategy.risk.nav_conservation import refuse_simulation
from dexmm.units import bp, price_text

__all__ = ["Bite", "Blocks", "biting", "for_a_person", "refuse_simulation"]

SLOT_SECONDS = 12


class Blocks(Enum):
    NOTHING = "it is reported, and shapes the target by itself"
    FOLLOWING = "no range moves because the price did"
    ENTRY = "no new liquidity"
    TRADING = "no new order on the exchange"
    ALL = "no action but withdraw"


@dataclass(frozen=True, slots=True)
class Bite:
    refusal: Refusal
    blocks: Blocks


Bites = tuple[Bite, ...]
Guard = Callable[[Look], Iterable[Bite]]
Quiet = Callable[[Look], bool]
NONE: Bites = ()

# No time that passes lifts these: a file must be corrected, ether sent, or an issuer asked.
FOR_A_PERSON = {
    "market",
    "token_frozen",
    "token_deprecated",
    "token_implementation",
    "price_band",
    "gas_reserve",
}


def biting(seen: Look) -> tuple[Bite, ...]:
    """Every guard that bites now."""
    found: list[Bite] = []
    for quiet, guards in GUARDS:
        if quiet is None or not quiet(seen):
            for guard in guards:
                found += guard(seen)
    return tuple(found)


def for_a_person(snapshot: Snapshot, refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """Those of ``refusals`` that stay until a person acts, whatever is wanted meanwhile.

    A feed that gives no price at all is one of them, a late or a disagreeing one is not.
    """
    broken = any(reference.price is None for reference in snapshot.chain.references)
    return tuple(
        refusal
        for refusal in refusals
        if refusal.rule in FOR_A_PERSON or (refusal.rule == "reference" and broken)
    )


def entry(rule: str, detail: str) -> Bite:
    return Bite(Refusal(rule=rule, detail=detail), Blocks.ENTRY)


def everything(rule: str, detail: str) -> Bite:
    return Bite(Refusal(rule=rule, detail=detail), Blocks.ALL)


# The wallet and the world it stands in


def _world_is_quiet(seen: Look) -> bool:
    snapshot, wallet = seen.snapshot, seen.view.wallet
    return (
        not snapshot.halted
        and not snapshot.memory.halted
        and seen.limits.same_market
        and snapshot.observed_at - seen.now <= seen.config.guards.max_block_age_seconds
        and wallet.pending_nonce <= wallet.nonce
    )


def halted(seen: Look) -> Bites:
    reasons = (seen.snapshot.halted, seen.snapshot.memory.halted)
    if not any(reasons):
        return NONE
    return tuple(
        everything("halted", f"{reason}; look into it, then run `dexmm resume`")
        for reason in filter(None, reasons)
    )


def market(seen: Look) -> Bites:
    if seen.limits.same_market:
        return NONE
    here, wanted = seen.view.market, seen.config.market
    is_ = (here.pool, here.base.address, here.position_manager, here.chain_id)
    should = (wanted.pool, wanted.base, wanted.position_manager, seen.config.network.chain_id)
    names = ("pool", "base token", "position manager", "chain id")
    return tuple(
        everything("market", f"the {name} is {one}, but {other} is configured")
        for name, one, other in zip(names, is_, should, strict=True)
        if one != other
    )


def stale_block(seen: Look) -> Bites:
    age, most = seen.snapshot.observed_at - seen.now, seen.config.guards.max_block_age_seconds
    if age <= most:
        return NONE
    return (
        everything(
            "stale_block",
            f"the node's newest block is {age} s old, more than {most} s: the node or this "
            "machine's clock is behind",
        ),
    )


def unknown_transaction(seen: Look) -> Bites:
    wallet = seen.view.wallet
    waiting = wallet.pending_nonce - wallet.nonce
    known = sum([not flight.mined for flight in seen.view.in_flight])
    if waiting <= known:
        return NONE
    return (
        everything(
            "unknown_transaction",
            f"{waiting - known} transaction(s) of this wallet are waiting that the journal does "
            "not know: let them be mined, or replace them from where they were sent",
        ),
    )


# Losses


def drawdown(seen: Look) -> Bites:
    peak, most = seen.known.peak_nav, seen.config.guards.max_drawdown_bp
    nav = seen.inventory.nav - seen.known.fees_outside
    if not peak or (lost := (peak - nav) * BP / peak) <= most:
        return NONE
    return (
        everything(
            "drawdown",
            f"NAV {nav:.2f}{_less_fees(seen)} is {lost:.0f} bp below its peak {peak:.2f}, more "
            f"than {most} bp",
        ),
    )


def drawdown_hold(seen: Look) -> Bites:
    known, most = seen.known, seen.config.guards.max_drawdown_hold_bp
    if known.hold_base is None or known.hold_quote is None or not known.peak_against_hold:
        return NONE
    holding = known.hold_base * seen.fair + known.hold_quote
    if holding <= 0:
        return NONE
    ratio = (seen.inventory.nav - known.fees_outside) / holding
    best = known.peak_against_hold
    if (lost := (best - ratio) * BP / best) <= most:
        return NONE
    return (
        everything(
            "drawdown_hold",
            f"NAV{_less_fees(seen)} is {ratio:.4f} of what holding would be worth, {lost:.0f} bp "
            f"below its best {best:.4f}, more than {most} bp",
        ),
    )


def _less_fees(seen: Look) -> str:
    paid = seen.known.fees_outside
    return f" (less {paid:.2f} of fees that other coins have paid)" if paid else ""


def stop_loss(seen: Look) -> Bites:
    known, guards = seen.known, seen.config.guards
    if not holds(known) or not known.reference_price:
        return NONE
    distance = known.stop_loss_distance or guards.stop_loss_bp / BP
    near = release_of(distance, guards) * BP
    part = f"{guards.stop_loss_share * 100:.0f} % of the {seen.view.market.base.symbol}"
    doing = f"selling {part}, once" if known.reducing else f"{part} is sold and not bought back"
    return (
        Bite(
            Refusal(
                rule="stop_loss",
                detail=f"the price {price_text(seen.fair)} is "
                f"{fall_of(known, seen.fair) * BP:.0f} bp below its reference "
                f"{price_text(known.reference_price)}: {doing} until it is within {near:.0f} bp",
            ),
            Blocks.NOTHING,
        ),
    )


# The tokens


def tokens(seen: Look) -> Iterator[tuple[Token, TokenGuards, str | None]]:
    view, past = seen.view, seen.snapshot.memory
    yield view.market.token0, view.guards0, past.implementation0
    yield view.market.token1, view.guards1, past.implementation1


def _tokens_are_quiet(seen: Look) -> bool:
    return not _on(seen.view.guards0) and not _on(seen.view.guards1)


def _on(switches: TokenGuards) -> bool:
    return bool(
        switches.paused
        or switches.frozen
        or switches.transfer_fee
        or switches.deprecated
        or switches.implementation
    )


def token_paused(seen: Look) -> Iterator[Bite]:
    for token, switches, _ in tokens(seen):
        if switches.paused:
            yield everything("token_paused", f"{token.symbol} is paused by its issuer: wait")


def token_frozen(seen: Look) -> Iterator[Bite]:
    for token, switches, _ in tokens(seen):
        for who in switches.frozen:
            bite = everything if who == "pool" else entry
            name = who.replace("_", " ")
            yield bite(
                "token_frozen", f"{token.symbol}'s issuer has barred the {name} from sending"
            )


def token_fee(seen: Look) -> Iterator[Bite]:
    for token, switches, _ in tokens(seen):
        if switches.transfer_fee:
            yield entry(
                "token_fee",
                f"{token.symbol} takes a fee on transfers ({switches.transfer_fee} in its own "
                "unit), with which the pool cannot mint",
            )


def token_deprecated(seen: Look) -> Iterator[Bite]:
    for token, switches, _ in tokens(seen):
        if switches.deprecated:
            yield entry("token_deprecated", f"{token.symbol} was deprecated by its issuer")


def token_implementation(seen: Look) -> Iterator[Bite]:
    trusted = seen.config.guards.token_implementations
    for token, switches, first in tokens(seen):
        code = switches.implementation
        accepted = trusted or ((first,) if first else ())
        if code and accepted and code not in accepted:
            yield entry(
                "token_implementation",
                f"the code behind {token.symbol} is now {code}: read it, then add it to "
                "guards.token_implementations",
            )


# The price


def _price_is_quiet(seen: Look) -> bool:
    pool, market_ = seen.view.pool, seen.config.market
    return (
        market_.price_low <= seen.pool_price <= market_.price_high
        and pool.liquidity > 0
        and pool.mean_tick is not None
        and abs(pool.tick - pool.mean_tick) <= seen.limits.twap_max
        and (market_.reference_feed is None or bool(seen.view.references))
        and not any(_doubt(source, seen) for source in seen.view.references)
    )


def price_band(seen: Look) -> Bites:
    price, market_ = seen.pool_price, seen.config.market
    if market_.price_low <= price <= market_.price_high:
        return NONE
    return (
        entry(
            "price_band",
            f"the price {price_text(price)} is outside the corridor {market_.price_low} to "
            f"{market_.price_high} (market.price_low, market.price_high)",
        ),
    )


def pool_liquidity(seen: Look) -> Bites:
    if seen.view.pool.liquidity or _confirmed(seen):
        return NONE
    return (
        entry(
            "pool_liquidity",
            "the pool has no liquidity at its price and no reference confirms it: anyone can set "
            "it for nothing",
        ),
    )


def _confirmed(seen: Look) -> bool:
    return any(not _doubt(reference, seen) for reference in seen.view.references)


def oracle_history(seen: Look) -> Bites:
    pool = seen.view.pool
    if pool.mean_tick is not None:
        return NONE
    slots = pool.twap_seconds // SLOT_SECONDS
    back = max(seen.now - pool.oldest_observation, 0)
    configured = seen.config.guards.observation_cardinality
    advice = (
        "wait until it has filled"
        if pool.observation_cardinality_next >= max(configured, 1) and configured
        else f"set guards.observation_cardinality to {slots} to pay for slots, or shorten "
        "guards.twap_seconds"
    )
    return (
        entry(
            "oracle_history",
            f"the pool's oracle has {pool.observation_cardinality} of "
            f"{pool.observation_cardinality_next} slots and reaches back {back} s of the "
            f"{pool.twap_seconds} s asked for: {advice}",
        ),
    )


def twap(seen: Look) -> Bites:
    pool, most = seen.view.pool, seen.limits.twap_max
    if pool.mean_tick is None or (off := abs(pool.tick - pool.mean_tick)) <= most:
        return NONE
    return (
        entry(
            "twap",
            f"tick {pool.tick} is {off} ticks from its {pool.twap_seconds} s mean "
            f"{pool.mean_tick}, more than {most}",
        ),
    )


def reference(seen: Look) -> Bites:
    if not seen.view.references:
        if seen.config.market.reference_feed is None:
            return NONE
        return (entry("reference", "the configured reference feed was not read"),)
    doubts = [_doubt(source, seen) for source in seen.view.references]
    return tuple([entry("reference", doubt) for doubt in doubts if doubt])


def _doubt(source: Reference, seen: Look) -> str:
    """Why a reference does not confirm the pool's price; empty when it does."""
    if source.price is None:
        return f"{source.name} gives no price: {source.problem or 'no reason given'}"
    if not fresh(source, seen.view):
        age = seen.now - source.updated_at
        return f"{source.name} is {age} s old, more than {source.heartbeat_seconds} s"
    price, most = seen.pool_price, seen.limits.reference_max
    off = bp(abs(price - source.price), source.price)
    if off > most:
        return (
            f"the pool's price {price_text(price)} is {off:.0f} bp from {source.name} "
            f"{price_text(source.price)}, more than {most} bp"
        )
    return ""


def calendar(seen: Look) -> Bites:
    found = NONE
    window, event = seen.limits.calendar(seen.now)
    if window:
        detail = f"the base's own market is closed ({window} UTC): ranges stay where they are"
        found = (Bite(Refusal(rule="calendar", detail=detail), Blocks.FOLLOWING),)
    if event:
        found += (entry("calendar", f"an event is on ({event} UTC): no new liquidity"),)
    return found


# Gas and pace


def _gas_is_quiet(seen: Look) -> bool:
    price, limits = seen.gas_price, seen.limits
    next_ = TYPICAL_GAS * price
    return (
        price <= limits.dear_gas
        and seen.known.gas_spent_today + next_ <= limits.gas_budget
        and seen.view.wallet.eth - next_ > limits.gas_reserve
    )


def gas_cap(seen: Look) -> Bites:
    gwei, gas = Decimal(seen.gas_price) / GWEI, seen.config.gas
    if gwei > gas.max_exit_gwei:
        return (everything("gas_cap", f"gas is {gwei:.1f} gwei, over {gas.max_exit_gwei} gwei"),)
    if gwei > gas.max_gwei:
        return (entry("gas_cap", f"gas is {gwei:.1f} gwei, over {gas.max_gwei} gwei: wait"),)
    return NONE


def gas_budget(seen: Look) -> Bites:
    budget = seen.config.gas.daily_budget_eth
    spent = seen.known.gas_spent_today
    next_ = TYPICAL_GAS * seen.gas_price
    if spent + next_ <= seen.limits.gas_budget:
        return NONE
    return (
        entry(
            "gas_budget",
            f"{spent / ETHER:.5f} ETH of gas was spent today and a re-range takes about "
            f"{next_ / ETHER:.5f}, over the day's {budget} ETH (gas.daily_budget_eth)",
        ),
    )


def gas_reserve(seen: Look) -> Bites:
    reserve = seen.config.gas.reserve_eth
    next_ = TYPICAL_GAS * seen.gas_price
    if seen.view.wallet.eth - next_ >= reserve * ETHER:
        return NONE
    return (
        entry(
            "gas_reserve",
            f"the wallet has {seen.view.wallet.eth / ETHER:.5f} ETH and a re-range takes about "
            f"{next_ / ETHER:.5f}: less than {reserve} ETH (gas.reserve_eth) would be left for "
            "an exit; send it ether",
        ),
    )


def min_interval(seen: Look) -> Bites:
    last, least = seen.known.last_action_at, seen.settings.min_interval_seconds
    if last is None or seen.now - last >= least:
        return NONE
    detail = f"the last action was {seen.now - last} s ago, under {least} s"
    return (entry("min_interval", detail),)


# Each group is asked only where one of its guards could bite; without a test of that, always.
GUARDS: tuple[tuple[Quiet | None, tuple[Guard, ...]], ...] = (
    (_world_is_quiet, (halted, market, stale_block, unknown_transaction)),
    (None, (drawdown, drawdown_hold)),
    (
        _tokens_are_quiet,
        (token_paused, token_frozen, token_fee, token_deprecated, token_implementation),
    ),
    (_price_is_quiet, (price_band, pool_liquidity, oracle_history, twap, reference)),
    (None, (calendar, stop_loss)),
    (_gas_is_quiet, (gas_cap, gas_budget, gas_reserve)),
    (None, (min_interval,)),
)
