"""What a run amounts to. Pure: points and final facts in, figures out.

Everything is valued at the world's own fair price, which the product never sees, so that it
cannot flatter itself by its idea of one.

* *holding*: the starting inventory, never touched.
* *rebalanced*: the starting share of gold kept at every moment on the fair path, at no cost and
  with no fees: ``V' = V (1 + share (P'/P - 1))`` from one turn to the next. What a perfect,
  free rebalancer would have; the pool's fees must pay for the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dexmm.model.decision import Refusal
from dexmm.model.entry import Entry
from dexmm.model.order import OrderIntent
from dexmm.performance.buy_and_hold import Worth
from dexmm.performance.earned import Earned, earned
from dexmm.performance.order_statistics import Trading, trading
from dexmm.performance.refusal_counts import Refused, refused
from dexmm.performance.track.entry_facts import kind_of, paired
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import ETHER_DECIMALS, PRICE, bp, to_decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPoint:
    """What the summary needs of one turn; money in quote at ``fair_price``."""

    at: int
    fair_price: Decimal
    pool_price: Decimal
    base: Decimal
    quote: Decimal
    share: Decimal
    nav: Decimal
    in_range: bool  # some position surrounds the price
    refusals: tuple[Refusal, ...]
    withheld: bool  # a guard held back a wanted action
    outcomes: tuple[tuple[str, str], ...]  # (what, status) of every step begun
    known: frozenset[int]  # NFTs that the journal entry speaks of: seen or minted
    eth: Decimal = Decimal(0)  # in the wallet, for gas


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the chain says when all is over, read apart from the product's own snapshots."""

    fair_price: Decimal
    base: Decimal
    quote: Decimal
    eth_spent: Decimal
    eth_price: Decimal
    transactions: int  # of the wallet
    fees_base: Decimal  # as received: collected, and due now
    fees_quote: Decimal
    owned: frozenset[int]  # NFTs of the wallet that hold liquidity or are owed something
    observed: frozenset[int]  # NFTs that the product's own snapshot lists
    swaps: int
    noise_base: Decimal  # volume
    arbitrage_base: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of gold in the inventory, seen at the start of each turn."""

    low: Decimal
    mean: Decimal
    high: Decimal
    in_band: Decimal  # share of turns
    first: Decimal
    last: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    strategy: str
    prices: str
    flow: str
    seed: int
    turns: int
    planned_turns: int
    candles_filled: int
    skipped_turns: int  # the world could not be seen whole
    simulated_seconds: int
    start_price: Decimal
    end_price: Decimal

    deposits: int
    reranges: int
    swaps: int  # of the product, in the pool
    transactions: int
    reverted: int
    gas_eth: Decimal
    gas_quote: Decimal

    fees_base: Decimal
    fees_quote: Decimal
    fees_value: Decimal  # both, in quote at the end price
    share: Shares
    band_low: Decimal
    band_high: Decimal
    in_range: Decimal  # share of turns with a range around the price

    nav_start: Decimal
    nav_end: Decimal
    holding_end: Decimal
    rebalanced_end: Decimal
    against_holding: Decimal  # nav_end - holding_end
    against_holding_bp: Decimal
    against_rebalanced: Decimal
    against_rebalanced_bp: Decimal
    after_gas: Decimal  # against holding, less gas

    refusals: tuple[Refused, ...]
    positions_on_chain: int
    positions_tracked: int
    untracked: tuple[int, ...]  # NFTs that the product owns and does not know of

    exchange: Trading
    earned: Earned  # gas taken off

    pool_swaps: int
    noise_base: Decimal
    arbitrage_base: Decimal
    wall_seconds: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the run was asked for, and how far it got."""

    strategy: str
    prices: str
    flow: str
    seed: int
    planned_turns: int
    candles_filled: int
    skipped_turns: int
    band_low: Decimal
    band_high: Decimal
    wall_seconds: Decimal


def turn_point(entry: Entry, fair_price: Decimal) -> TurnPoint:
    view = entry.snapshot.chain
    held = inventory(view, fair_price, entry.snapshot.venue)
    return TurnPoint(
        at=view.block.timestamp,
        fair_price=fair_price,
        pool_price=view.market.price(view.pool.sqrt_price_x96),
        base=held.base_total,
        quote=held.quote_total,
        share=held.share,
        nav=held.nav,
        in_range=any(p.in_range(view.pool.tick) and p.liquidity for p in view.positions),
        refusals=_refusals(entry),
        withheld=entry.decision.withheld or any(o.refusal for o in entry.outcomes),
        outcomes=tuple((kind_of(step, outcome), outcome.status) for step, outcome in paired(entry)),
        known=frozenset(
            [p.token_id for p in (*view.positions, *view.strangers)]
            + [minted.token_id for outcome in entry.outcomes for minted in outcome.minted]
        ),
        eth=to_decimal(view.wallet.eth, ETHER_DECIMALS),
    )


def rebalanced(start: Decimal, share: Decimal, prices: Sequence[Decimal]) -> Decimal:
    """What ``start`` becomes along ``prices`` with ``share`` of it in base at every moment."""
    value = start
    for before, after in pairwise(prices):
        value = PRICE.multiply(value, 1 + share * (PRICE.divide(after, before) - 1))
    return value


def shares(points: Sequence[TurnPoint], band_low: Decimal, band_high: Decimal) -> Shares:
    all_ = [point.share for point in points]
    inside = sum(band_low <= share <= band_high for share in all_)
    return Shares(
        low=min(all_),
        mean=PRICE.divide(sum(all_, Decimal(0)), Decimal(len(all_))),
        high=max(all_),
        in_band=PRICE.divide(Decimal(inside), Decimal(len(all_))),
        first=all_[0],
        last=all_[-1],
    )


def summarise(
    points: Sequence[TurnPoint], chain: Chain, orders: Sequence[OrderIntent], run: Run
) -> Summary:
    """``points`` holds at least one turn; ``orders`` are all that the product ever stored."""
    first = points[0]
    nav_end = chain.base * chain.fair_price + chain.quote
    holding = first.base * chain.fair_price + first.quote
    mix = rebalanced(
        first.nav, first.share, [*(point.fair_price for point in points), chain.fair_price]
    )
    done = Counter(outcome for point in points for outcome in point.outcomes)
    gas_quote = chain.eth_spent * chain.eth_price
    journal = {token_id for point in points for token_id in point.known}
    tracked = chain.owned & chain.observed & journal
    return Summary(
        strategy=run.strategy,
        prices=run.prices,
        flow=run.flow,
        seed=run.seed,
        turns=len(points),
        planned_turns=run.planned_turns,
        candles_filled=run.candles_filled,
        skipped_turns=run.skipped_turns,
        simulated_seconds=points[-1].at - first.at,
        start_price=first.fair_price,
        end_price=chain.fair_price,
        deposits=done["deposit", "mined"],
        reranges=done["rerange", "mined"],
        swaps=done["swap", "mined"],
        transactions=chain.transactions,
        reverted=sum(count for (_, status), count in done.items() if status == "reverted"),
        gas_eth=chain.eth_spent,
        gas_quote=gas_quote,
        fees_base=chain.fees_base,
        fees_quote=chain.fees_quote,
        fees_value=chain.fees_base * chain.fair_price + chain.fees_quote,
        share=shares(points, run.band_low, run.band_high),
        band_low=run.band_low,
        band_high=run.band_high,
        in_range=PRICE.divide(Decimal(sum(p.in_range for p in points)), Decimal(len(points))),
        nav_start=first.nav,
        nav_end=nav_end,
        holding_end=holding,
        rebalanced_end=mix,
        against_holding=nav_end - holding,
        against_holding_bp=bp(nav_end - holding, first.nav),
        against_rebalanced=nav_end - mix,
        against_rebalanced_bp=bp(nav_end - mix, first.nav),
        after_gas=nav_end - holding - gas_quote,
        refusals=refused(points),
        positions_on_chain=len(chain.owned),
        positions_tracked=len(tracked),
        untracked=tuple(sorted(chain.owned - tracked)),
        exchange=trading(orders),
        earned=earned(_worths(points, chain)),
        pool_swaps=chain.swaps,
        noise_base=chain.noise_base,
        arbitrage_base=chain.arbitrage_base,
        wall_seconds=run.wall_seconds,
    )


def _worths(points: Sequence[TurnPoint], chain: Chain) -> list[Worth]:
    """Beside holding, as the turns saw it and as the chain says at the end, gas taken off."""
    first, last = points[0], points[-1]
    looks = [(p.at, p.fair_price, p.nav, first.eth - p.eth) for p in points]
    end = chain.base * chain.fair_price + chain.quote
    looks.append((last.at, chain.fair_price, end, chain.eth_spent))
    return [
        Worth(
            at=at,
            net_worth=nav - spent * chain.eth_price,
            holding=first.base * price + first.quote,
            capital=Decimal(0),
        )
        for at, price, nav, spent in looks
    ]


def _refusals(entry: Entry) -> tuple[Refusal, ...]:
    simulated = tuple(o.refusal for o in entry.outcomes if o.refusal is not None)
    return entry.decision.refusals + simulated
