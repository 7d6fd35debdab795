"""What a turn remembers of the turns before it. Derived, never the truth: a lost memory costs
statistics and timers, not money."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from dexmm.model.venue import Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPosition:
    """An NFT as the last turn saw it."""

    token_id: int
    liquidity: int
    sqrt_price_x96: int  # the pool's when this NFT was first seen
    fees0: int  # uncollected
    fees1: int


@dataclass(frozen=True, kw_only=True)  # without slots: a turn copies it a handful of times
class Memory:
    """Everything ``decide`` needs that one look at the chain cannot show.

    The journal keeps the memory that each turn left behind; the next turn's snapshot carries it,
    so that a decision depends on its snapshot alone.
    """

    # volatility: an exponentially weighted mean of squared log returns per second
    variance_per_second: Decimal = ZERO
    variance_seconds: int = 0  # how much history the mean has seen
    last_price: Decimal | None = None
    last_time: int | None = None

    # the last look at the chain
    seen_at: int | None = None  # timestamp, seconds
    seen: tuple[SeenPosition, ...] = ()
    nonce: int | None = None  # the wallet's: what appears while it stands still is not our doing
    placed: tuple[int, ...] = ()  # NFTs that our own transactions minted, newest last
    strangers: tuple[int, ...] = ()  # NFTs of the wallet that are not ours
    implementation0: str | None = None  # behind token0's proxy, when it was first seen
    implementation1: str | None = None
    waiting_intent: str = ""  # the oldest of our transactions that is not mined yet
    waiting_block: int = 0  # the block at which it was first seen waiting

    # timers (timestamps, seconds)
    edge_since: int | None = None  # the price has been beyond an edge since
    band_since: int | None = None  # the share has been outside its band since
    last_action_at: int | None = None
    last_rerange_at: int | None = None
    sigma_at_rerange: Decimal | None = None  # per square root of a second

    # capital
    peak_nav: Decimal | None = None  # in quote; moves with deposits and withdrawals
    peak_against_hold: Decimal | None = None  # best NAV / hold value
    hold_base: Decimal | None = None  # the inventory that was never traded
    hold_quote: Decimal | None = None
    fees_outside: Decimal = ZERO  # quote, paid in other coins since the peaks began: NAV lacks it
    fees_told: Decimal = ZERO  # of what ``fees_teller`` has told, counted so far
    fees_teller: str = ""
    reference_price: Decimal | None = None  # the stop-loss measures from here
    wallet_amount0: int | None = None  # idle balance left by the last turn; None: just acted
    wallet_amount1: int | None = None
    capital_moved: bool = False  # a deposit or withdrawal that no action has answered yet

    # stop-loss
    reducing: bool = False  # it sells
    last_slice_at: int | None = None
    stop_loss_waits: bool = False  # its part is sold, and the fall is not over
    stop_loss_goal: Decimal | None = None  # base that is left once its part is sold
    stop_loss_distance: Decimal | None = None  # the fall at which it began, of the reference
    stop_loss_offers: int = 0  # ranges that offered its part in the pool, in this fall
    stop_loss_ranges: tuple[int, ...] = ()  # NFTs of all of them
    stop_loss_offered: Decimal = ZERO  # base in the newest of them, when it was last looked at
    reference_sigma: Decimal | None = None  # volatility at the reference, per root of a second

    # income and cost
    fees_base: Decimal = ZERO  # collected and uncollected since `fees_since`
    fees_quote: Decimal = ZERO
    fees_since: int | None = None
    earning_seconds: int = 0  # of the time since then, spent with a range around the price
    open_fees_base: Decimal = ZERO  # uncollected when the last turn looked
    open_fees_quote: Decimal = ZERO
    gas_day: int = 0  # day number (UTC) of `gas_spent_today`
    gas_spent_today: int = 0  # wei
    gas_spent: int = 0  # wei, ever

    # what the pool pays: sums over time, of which half is forgotten in a half-life
    fee_growth: tuple[int, int] | None = None  # of both tokens, per liquidity, at the last sample
    fee_growth_at: int | None = None  # timestamp, seconds
    pool_paid: Decimal = ZERO  # to all liquidity in range, smallest units of quote
    pool_liquidity: Decimal = ZERO  # in range, times seconds
    pool_seconds: Decimal = ZERO
    pool_gas: Decimal = ZERO  # root of the base fee in wei, times seconds
    recent_paid: Decimal = ZERO  # the same over the last hours, without what was paid at once
    recent_liquidity: Decimal = ZERO
    recent_seconds: Decimal = ZERO
    pool_variance: Decimal = ZERO  # of the log price a second, over the same time
    pool_variance_error: Decimal = ZERO  # of it: sum of the squares of what it is the sum of
    pool_sample_seconds: Decimal = ZERO  # between two samples of it, mean
    recent_variance: Decimal = ZERO  # over the last hours, without the largest moves
    recent_variance_most: Decimal = ZERO  # with them
    pool_variance_seconds: int = 0  # how much history both have seen
    pool_price: Decimal | None = None  # at the last sample of them; quote per base
    pool_price_at: int | None = None  # timestamp, seconds; of journals until now
    pool_price_there: bool = False  # it is the middle of the exchange's book, not the pool's
    pay_since: int | None = None  # another liquidity than that held has been worth its gas since

    # the exchange
    venue_base: Decimal | None = None  # there at the last look, perpetual position included
    venue_quote: Decimal | None = None  # there at the last look; a perpetual at its entry price
    traded_base: Decimal = ZERO  # net, there, since the ranges held were placed; no deposits
    traded_quote: Decimal = ZERO
    hedged_base: Decimal = ZERO  # the part of that which hedges to the zone have traded
    hedged_quote: Decimal = ZERO
    quoted_base: Decimal = ZERO  # the venue's own count of what quotes have traded, as last seen
    quoted_quote: Decimal = ZERO
    quoted_epoch: int = 0  # when that count began (timestamp, seconds); 0: there was none
    promise_since: int | None = None  # those trades have put the ranges' promise in doubt since
    unsettled_base: Decimal = ZERO  # net base that the last turn's orders filled there
    unsettled_at: int | None = None
    hedging: Side | None = None  # a hedge that began and has not reached its goal
    hedge_order: str = ""  # client id of the hedge that rests in the book
    maker_failed: bool = False  # the last one rested in vain: the next slice takes
    last_hedge_at: int | None = None
    carried_base: Decimal = ZERO  # to sell (positive) or buy, too little for the exchange yet
    deleveraging: bool = False  # a perpetual beyond its bounds is being closed in part
    slice_left: Decimal = ZERO  # base of the stop-loss's slice that is still to be sold there
    orders_refused: int = 0  # in a row
    order_refused_at: int | None = None
    triangle_base: Decimal = ZERO  # what a triangle that filled in part has left behind
    triangle_coin: Decimal = ZERO

    # guards that trip once and stay
    halted: str = ""  # why; empty is not halted


_NAMES = frozenset(each.name for each in fields(Memory))


def evolve(memory: Memory, **changes: Any) -> Memory:
    """As ``dataclasses.replace``, in a fraction of the time: a turn does this over and over."""
    if not _NAMES.issuperset(changes):
        raise TypeError(f"Memory has no {', '.join(sorted(changes.keys() - _NAMES))}")
    if type(memory) is _Draft:
        memory.__dict__.update(changes)
        return memory
    twin = object.__new__(Memory)
    state = twin.__dict__
    state.update(memory.__dict__)
    state.update(changes)
    return twin


class _Draft(Memory):
    """A memory that nobody but its maker has: ``evolve`` changes it in place."""


def draft(memory: Memory) -> Memory:
    """A copy that ``evolve`` changes in place, until it is ``settled``: a turn copies once."""
    twin = object.__new__(_Draft)
    twin.__dict__.update(memory.__dict__)
    return twin


def settled(memory: Memory) -> Memory:
    """What a draft has become: a memory like any other, that never changes again."""
    object.__setattr__(memory, "__class__", Memory)
    return memory
