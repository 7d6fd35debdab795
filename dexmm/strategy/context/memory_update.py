"""What is known once this turn's observation has been added to what was remembered.

``decide`` works from it and ``remember`` stores it, so that both see the same timers, peaks and
statistics. Time is the chain's: turns may be seconds or hours apart.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from dexmm.config.schema import Config, Strategy
from dexmm.decimal_context import BP, DAY, precise
from dexmm.model.memory import Memory, SeenPosition, draft, evolve, settled
from dexmm.model.snapshot import Snapshot
from dexmm.model.venue import VenueView
from dexmm.strategy.context.trading_hours import closed_window
from dexmm.strategy.exposure import volatility
from dexmm.strategy.exposure.exchange_inventory import amounts_there, venue_flow
from dexmm.strategy.exposure.fair_price import age_of
from dexmm.strategy.exposure.inventory import Inventory
from dexmm.strategy.pay.measurement import look_due, measured
from dexmm.strategy.ranges.held_ranges import HeldRange, Holding
from dexmm.strategy.rebalance.stop_loss import followed, offered
from dexmm.strategy.trading.lot_rules import least_amount

ZERO = Decimal(0)


class Observation:
    """The parts of a snapshot that more than one question needs."""

    def __init__(
        self, snapshot: Snapshot, config: Config, inventory: Inventory, holding: Holding
    ) -> None:
        self.snapshot: Final = snapshot
        self.config: Final = config
        self.inventory: Final = inventory
        self.holding: Final = holding

        chain = snapshot.chain
        self.view: Final = chain
        self.now: Final = chain.block.timestamp  # seconds
        self.settings: Final = config.strategy
        self.fair: Final = inventory.price
        self.ladder: Final = holding.ladder
        self.s: Final = holding.s
        self.held: Final = holding.ranges


def advance(seen: Observation) -> Memory:
    """The memory as it stands with this observation included, and no action yet.

    What does not depend on one another is worked out from the same memory and applied at once.
    """
    memory = draft(seen.snapshot.memory)
    if memory.gas_day != (today := seen.now // DAY):
        memory = evolve(memory, gas_day=today, gas_spent_today=0)
    if seen.snapshot.venue is not None:
        memory = _traded(seen, seen.snapshot.venue, memory)
    news = _positions(seen, memory)
    _capital(seen, memory, news)
    _timers(seen, memory, news)
    memory = _stop_loss(seen, memory)
    _looked(seen, memory, news)
    memory = evolve(memory, **news)
    memory = _price(seen, memory)
    return settled(_waiting(seen, memory))


def _looked(seen: Observation, memory: Memory, news: dict[str, Any]) -> None:
    """What the next look is compared with."""
    view, venue = seen.view, seen.snapshot.venue
    wallet = view.wallet
    news["venue_base"], news["venue_quote"] = amounts_there(venue) if venue else (None, None)
    if venue is not None:
        news.update(_count_of_quotes(venue))
    # What one of our own transactions is still going to change says nothing about deposits.
    still = not view.in_flight or all(flight.mined for flight in view.in_flight)
    news["seen_at"] = seen.now
    news["nonce"] = wallet.nonce
    news["strangers"] = tuple([position.token_id for position in view.strangers])
    news["wallet_amount0"] = wallet.amount0 if still else None
    news["wallet_amount1"] = wallet.amount1 if still else None
    news["implementation0"] = memory.implementation0 or view.guards0.implementation
    news["implementation1"] = memory.implementation1 or view.guards1.implementation


def outside_band(share: Decimal, settings: Strategy, tolerance: Decimal) -> bool:
    """Whether the share is outside its band by more than ``tolerance``."""
    return not settings.band_low - tolerance <= share <= settings.band_high + tolerance


def _positions(seen: Observation, memory: Memory) -> dict[str, Any]:
    """Fee income since the last look, and the NFTs as they are now.

    Uncollected fees only grow; where an NFT shows less than before, it was collected in between
    and all that it shows is new.
    """
    view, last, holding = seen.view, memory.seen_at, seen.holding
    if last is not None and holding.recorded is memory.seen and memory.fees_since is not None:
        return _earned_time(seen, memory)
    pool = view.pool
    before = {old.token_id: old for old in memory.seen}
    earned0 = earned1 = 0
    same = len(before) == len(view.positions)
    now_seen = []
    for position in view.positions:
        liquidity, fees0, fees1 = position.liquidity, position.fees0, position.fees1
        old = before.get(position.token_id)
        if old is None:
            earned0, earned1 = earned0 + fees0, earned1 + fees1
        else:
            earned0 += _grown(fees0, old.fees0)
            earned1 += _grown(fees1, old.fees1)
        if old is None or (fees0, fees1, liquidity) != (old.fees0, old.fees1, old.liquidity):
            old = SeenPosition(
                token_id=position.token_id,
                liquidity=liquidity,
                sqrt_price_x96=old.sqrt_price_x96 if old else pool.sqrt_price_x96,
                fees0=fees0,
                fees1=fees1,
            )
            same = False
        now_seen.append(old)
    news: dict[str, Any] = _earned_time(seen, memory)
    news["seen"] = holding.remembered(memory.seen if same else tuple(now_seen))
    news["open_fees_base"] = seen.inventory.fees_base
    news["open_fees_quote"] = seen.inventory.fees_quote
    if earned0 or earned1 or last is None:
        base, quote = view.market.base_quote(earned0, earned1)
        news["fees_base"] = memory.fees_base + base
        news["fees_quote"] = memory.fees_quote + quote
    if memory.fees_since is None:
        news["fees_since"] = seen.now
    # What the last turn saw mined is no news; anything else new was made by hand, or by a turn
    # that died before it could remember.
    told = last is not None and memory.last_rerange_at == last
    fresh = {p.token_id for p in view.positions} - before.keys()
    if told or not fresh or fresh.issubset(memory.stop_loss_ranges):
        return news
    if last is not None:
        news["last_action_at"] = seen.now
    zero = ("traded_base", "traded_quote", "hedged_base", "hedged_quote")
    return news | {
        "last_rerange_at": seen.now,
        "sigma_at_rerange": None,
        **dict.fromkeys(zero, ZERO),
    }


def _earned_time(seen: Observation, memory: Memory) -> dict[str, Any]:
    """The time since the last look, where liquidity of ours is in range."""
    last = memory.seen_at
    if last is None or seen.now <= last or not seen.holding.earning:
        return {}
    return {"earning_seconds": memory.earning_seconds + seen.now - last}


def _traded(seen: Observation, venue: VenueView, memory: Memory) -> Memory:
    """What orders have moved on the exchange since the ranges held were placed.

    Ranges are placed for the whole inventory as it is then. What the exchange's fills move after
    that is no reason to place others: the exchange can bring it back, without gas.
    """
    if memory.venue_base is None or memory.venue_quote is None:
        return memory
    base, quote = amounts_there(venue)
    flow = venue_flow(venue, memory, seen.fair, seen.inventory.nav)
    more = base - memory.venue_base - flow[0], quote - memory.venue_quote - flow[1]
    # What a hedge to the zone trades answers what the ranges trade: it is no drift that quotes or
    # ranges have to bring back. What quotes have filled in the meantime is, and counts by itself.
    hedged = ZERO, ZERO
    if seen.config.hedge.to == "zone" and (memory.hedging or memory.hedge_order):
        quoted = _quoted(venue, memory)
        hedged = more[0] - quoted[0], more[1] - quoted[1]
    return evolve(
        memory,
        traded_base=memory.traded_base + more[0],
        traded_quote=memory.traded_quote + more[1],
        hedged_base=memory.hedged_base + hedged[0],
        hedged_quote=memory.hedged_quote + hedged[1],
    )


def _quoted(venue: VenueView, memory: Memory) -> tuple[Decimal, Decimal]:
    """Base and quote that fills of quotes have brought in since the last look; none where the
    count is another one than then, as after a restart: quotes do not outlive the loop."""
    if not venue.quoted_epoch or venue.quoted_epoch != memory.quoted_epoch:
        return ZERO, ZERO
    return venue.quoted_base - memory.quoted_base, venue.quoted_quote - memory.quoted_quote


def _count_of_quotes(venue: VenueView) -> dict[str, Decimal | int]:
    return {
        "quoted_base": venue.quoted_base,
        "quoted_quote": venue.quoted_quote,
        "quoted_epoch": venue.quoted_epoch,
    }


def _grown(now: int, before: int) -> int:
    return now - before if now >= before else now


def capital_flow(seen: Observation, memory: Memory) -> tuple[Decimal, Decimal]:
    """What was deposited (or withdrawn, negative) since the last look: base and quote."""
    here = _wallet_flow(seen, memory)
    if seen.snapshot.venue is None and memory.venue_base is None:
        return here
    there = venue_flow(seen.snapshot.venue, memory, seen.fair, seen.inventory.nav)
    return here[0] + there[0], here[1] + there[1]


def _wallet_flow(seen: Observation, memory: Memory) -> tuple[Decimal, Decimal]:
    """Of the wallet.

    An idle balance only changes by our own action or by a deposit. It counts as the latter when
    nothing of ours happened in between and no position changed either. Others can add liquidity
    to ours and mint more to us; they cannot take any out, nor move the wallet's nonce.
    """
    if memory.wallet_amount0 is None or memory.wallet_amount1 is None or seen.view.in_flight:
        return ZERO, ZERO
    held, wallet = seen.view.positions, seen.view.wallet
    then = [(old.token_id, old.liquidity) for old in memory.seen]
    same = seen.holding.recorded is memory.seen
    if not same and then != [(p.token_id, p.liquidity) for p in held]:
        now = {p.token_id: int(p.liquidity) for p in held}
        taken = any(now.get(token_id, 0) < liquidity for token_id, liquidity in then)
        if taken or (dict(then) != now and memory.nonce != wallet.nonce):
            return ZERO, ZERO
    return seen.view.market.base_quote(
        wallet.amount0 - memory.wallet_amount0, wallet.amount1 - memory.wallet_amount1
    )


def _fees_outside(seen: Observation, memory: Memory) -> dict[str, Any]:
    """Fees that a coin outside of the market has paid since the last look.

    What this process has told and is counted is not counted again; what an earlier one told last
    is in the outcomes of its last turn.
    """
    venue = seen.snapshot.venue
    if venue is None or not venue.fees_teller:
        return {}
    teller, told = venue.fees_teller, venue.fees_outside
    if teller == memory.fees_teller and told == memory.fees_told:
        return {}
    more = told - memory.fees_told if teller == memory.fees_teller else told
    return {
        "fees_outside": memory.fees_outside + more,
        "fees_told": told,
        "fees_teller": teller,
    }


def _capital(seen: Observation, memory: Memory, news: dict[str, Any]) -> None:
    """Peaks and the holding they are measured against, moved by deposits and withdrawals.

    A deposit is added to both; a withdrawal scales both, so that taking capital out never looks
    like a loss. Fees that other coins have paid count as if the quote had paid them.
    """
    base, quote = capital_flow(seen, seen.snapshot.memory)
    told = _fees_outside(seen, memory)
    fees = told.get("fees_outside", memory.fees_outside)
    whole, value = seen.inventory.nav, base * seen.fair + quote
    before = whole - value
    if memory.peak_nav is None or memory.hold_base is None or memory.hold_quote is None:
        hold_base, hold_quote = seen.inventory.base_total, seen.inventory.quote_total
        fees, peak = ZERO, whole
    elif value < 0 and before > 0:
        left = max(whole, ZERO) / before
        fees *= left
        hold_base, hold_quote = memory.hold_base * left, memory.hold_quote * left
        peak = memory.peak_nav * left
    else:
        hold_base, hold_quote = memory.hold_base + base, memory.hold_quote + quote
        peak = memory.peak_nav + value
    nav = whole - fees
    holding = hold_base * seen.fair + hold_quote
    ratio = nav / holding if holding > 0 else None
    moved = before > 0 and abs(value) * BP > seen.settings.capital_bp * before
    news.update(told)
    news["fees_outside"] = fees
    news["peak_nav"] = max(peak, nav)
    news["hold_base"], news["hold_quote"] = hold_base, hold_quote
    news["peak_against_hold"] = _highest(memory.peak_against_hold, ratio)
    news["capital_moved"] = memory.capital_moved or moved


def _highest(before: Decimal | None, now: Decimal | None) -> Decimal | None:
    if before is None or now is None:
        return now if before is None else before
    return max(before, now)


def _stop_loss(seen: Observation, memory: Memory) -> Memory:
    return followed(
        memory,
        held=seen.inventory,
        now=seen.now,
        bought=lambda: _bought(seen),
        sigma=lambda: sigma_of(memory, seen.settings),
        free=lambda: _free_base(seen, memory),
        offer=lambda: _offered_base(seen, memory),
        moved=lambda: _ranges_moved(seen, memory),
        offering=lambda: _offer(seen, memory) is not None,
        least=lambda: _least_sale(seen),
        settings=seen.settings,
        guards=seen.config.guards,
    )


def _bought(seen: Observation) -> Decimal:
    """Base that was deposited. What the wallet lost by a transaction of its own is no withdrawal:
    a swap that nobody remembers has sold what it sold.
    """
    before = seen.snapshot.memory
    there = venue_flow(seen.snapshot.venue, before, seen.fair, seen.inventory.nav)[0]
    same = before.nonce is None or before.nonce == seen.view.wallet.nonce
    return there + (_wallet_flow(seen, before)[0] if same else ZERO)


def _free_base(seen: Observation, memory: Memory) -> Decimal:
    """Base outside of the pool's ranges, but for one that offers the stop-loss's part."""
    held = seen.inventory
    return held.base_total - held.principal_base + _offered_base(seen, memory)


def _offer(seen: Observation, memory: Memory) -> HeldRange | None:
    return offered(seen.held, memory, seen.ladder, seen.config.guards)


def _offered_base(seen: Observation, memory: Memory) -> Decimal:
    """Base in the range that offers the stop-loss's part."""
    offer = _offer(seen, memory)
    if offer is None:
        return ZERO
    amount0, amount1 = (sum(getattr(p, n) for p in offer.positions) for n in ("amount0", "amount1"))
    return seen.view.market.base_quote(amount0, amount1)[0]


def _ranges_moved(seen: Observation, memory: Memory) -> bool:
    """Whether liquidity of ranges, but for those that offer the part, has changed."""
    offer = _offer(seen, memory)
    ours = {p.token_id for p in offer.positions} if offer is not None else set()
    ours.update(memory.stop_loss_ranges)
    now = {p.token_id: int(p.liquidity) for p in seen.view.positions if p.token_id not in ours}
    before = {
        p.token_id: p.liquidity
        for p in seen.snapshot.memory.seen
        if p.token_id not in ours and p.liquidity
    }
    return {i: liquidity for i, liquidity in now.items() if liquidity} != before


def _least_sale(seen: Observation) -> Decimal:
    """Base: the smallest order where the exchange has that much, else the smallest position.

    Infinite where the pool is not to sell the part.
    """
    venue = seen.snapshot.venue
    if venue is not None and seen.config.hedge.enabled:
        least = least_amount(venue.spot, seen.fair)
        if venue.balance(venue.spot.base).free >= least:
            return least
    if seen.config.guards.stop_loss_in_pool == "band":
        return Decimal("Infinity")
    return seen.settings.min_position_quote / seen.fair


def _timers(seen: Observation, memory: Memory, news: dict[str, Any]) -> None:
    at_edge = seen.holding.beyond_edge or seen.holding.filled is not None
    share, settings = seen.inventory.share, seen.settings
    since = memory.band_since
    if not outside_band(share, settings, ZERO) or not seen.inventory.nav:
        since = None
    elif since is None and outside_band(share, settings, settings.band_tolerance):
        since = seen.now
    news["edge_since"] = _earlier(memory.edge_since, seen.now) if at_edge else None
    news["band_since"] = since


def _earlier(before: int | None, now: int) -> int:
    return now if before is None else before


def _price(seen: Observation, memory: Memory) -> Memory:
    """Volatility; no sample of a price that stands far from its own average.

    Its clock stands still while the base's own market is closed: a calm weekend is no sign of a
    calm Monday, and the gap at the open belongs to the first hour of trading.
    """
    pool, market = seen.view.pool, seen.view.market
    strayed = strays(pool.tick, pool.mean_tick, seen.config, seen.view.market.fee_pips)
    price = lambda: market.price(pool.sqrt_price_x96)  # noqa: E731 - most turns take no sample
    memory = sampled(memory, price, strayed, seen.now, seen.config)
    if look_due(memory, seen.now, seen.settings):
        memory = _paid(seen, memory, strayed)
    if memory.sigma_at_rerange is None and seen.held:
        return evolve(memory, sigma_at_rerange=sigma_of(memory, seen.settings))
    return memory


def _paid(seen: Observation, memory: Memory, strayed: bool) -> Memory:
    """What the pool has paid and how far the price has moved, the exchange's where there is one.

    Without a price nothing is sampled: the next look that has one sees both, and loses nothing.
    """
    view, venue, exchange = seen.view, seen.snapshot.venue, seen.config.exchange
    there = None
    if venue is not None and exchange is not None:
        fresh = age_of(venue.spot_book, venue) <= exchange.max_ticker_age_seconds
        there = venue.spot_book.mid if fresh else None
        strayed = there is None
    if strayed:
        return memory
    base_fee = view.block.base_fee_wei
    return measured(
        memory, view.pool, view.market, seen.now, seen.s, seen.settings, base_fee, there
    )


@precise
def sampled(
    memory: Memory, price: Callable[[], Decimal], strayed: bool, now: int, config: Config
) -> Memory:
    """The statistics of the pool's price after one look at it; see ``_price``."""
    if memory.last_time is not None and closed_window(now, config.guards.closed_weekly):
        return evolve(memory, last_time=now)
    if strayed or not volatility.due(memory, now, config.strategy):
        return memory
    variance = volatility.sample(memory, price(), now, config.strategy)
    return evolve(
        memory,
        variance_per_second=variance.per_second,
        variance_seconds=variance.seconds,
        last_price=variance.last_price,
        last_time=variance.last_time,
    )


def strays(tick: int, mean_tick: int | None, config: Config, fee_pips: int) -> bool:
    """Whether a price stands so far from its own average that it proves nothing."""
    return mean_tick is not None and abs(tick - mean_tick) > config.guards.twap_max(fee_pips)


def sigma_of(memory: Memory, settings: Strategy) -> Decimal:
    """Volatility per square root of a second, as this memory knows it."""
    return volatility.sigma(memory.variance_per_second, memory.variance_seconds, settings)


def _waiting(seen: Observation, memory: Memory) -> Memory:
    """Since which block the oldest of our transactions has been seen waiting."""
    if not seen.view.in_flight and not memory.waiting_intent:
        return memory
    waiting = sorted((f for f in seen.view.in_flight if not f.mined), key=lambda f: f.nonce)
    if not waiting and not memory.waiting_intent:
        return memory
    if not waiting:
        return evolve(memory, waiting_intent="", waiting_block=0)
    if waiting[0].intent_id == memory.waiting_intent:
        return memory
    since = max(seen.view.block.number - waiting[0].blocks_waiting, 0)
    return evolve(memory, waiting_intent=waiting[0].intent_id, waiting_block=since)
