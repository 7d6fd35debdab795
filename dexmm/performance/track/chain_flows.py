"""What happened on chain between two turns, by source, from their snapshots and outcomes. Pure.

Positions that nobody touched earned what their uncollected fees grew by, and their principal
changed by what the price did. Those that a re-range of ours replaced are told by its outcome:

    fees        collected - principal at the transaction - uncollected before
    liquidity   principal at the transaction - principal before

The principal at the transaction follows from the price it was mined at. That is the snapshot's
wherever the minted amounts say so to the unit; else it is solved from an amount minted, to within
a few units. Without any mint to solve from, fees are taken as uncollected before, and the few
seconds between look and transaction count as liquidity's.

What the wallet gained beyond all that is a deposit, as far as the product itself took it for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import localcontext
from typing import NamedTuple

from dexmm.decimal_context import BP
from dexmm.model.entry import Entry
from dexmm.model.holdings import Position
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Minted, Outcome, Step, Swap
from dexmm.performance.attribution import Flow, Source
from dexmm.performance.track.entry_facts import paired
from dexmm.performance.track.holdings import Amounts, on_chain
from dexmm.strategy.exposure.exchange_inventory import FLOW_BP
from dexmm.uniswap.liquidity_amounts import (
    get_amounts_for_liquidity,
    get_amounts_for_liquidity_rounding_up,
)
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import EXACT, Q96

OURS = {"rerange", "settle"}


class Units(NamedTuple):
    """Smallest units of token0 and token1."""

    amount0: int = 0
    amount1: int = 0

    def plus(self, other: Units) -> Units:
        return Units(self.amount0 + other.amount0, self.amount1 + other.amount1)

    def less(self, other: Units) -> Units:
        return Units(self.amount0 - other.amount0, self.amount1 - other.amount1)


NONE = Units()


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Changes from one snapshot to the next, in units; all of them sum to the whole change."""

    fees: Units
    liquidity: Units
    swap: Units
    rest: Units


def chain_flows(before: Entry, after: Entry, deposited: Amounts) -> Iterator[Flow]:
    """``deposited`` is what the product itself took for a deposit to the wallet (or negative)."""
    market = after.snapshot.chain.market
    found = _between(before, after)
    for source, units in (
        (Source.FEES, found.fees),
        (Source.LIQUIDITY, found.liquidity),
        (Source.SWAP, found.swap),
    ):
        base, quote = market.base_quote(*units)
        yield Flow(source=source, base=base, quote=quote)
    left = Amounts(*market.base_quote(*found.rest)).less(deposited)
    yield Flow(source=Source.CAPITAL, base=deposited.base, quote=deposited.quote)
    yield Flow(source=Source.UNEXPLAINED, base=left.base, quote=left.quote)


def _between(before: Entry, after: Entry) -> Between:
    then, now = before.snapshot.chain, after.snapshot.chain
    whole = _held(now).less(_held(then))
    moved = _moved(then, now)
    mined = [(step, outcome) for step, outcome in paired(before) if outcome.status == "mined"]
    told = [o for _, o in mined if o.step in OURS and (o.minted or o.collected0 or o.collected1)]
    if moved:
        fees, liquidity = _changed(before, after, moved, told, whole)
    else:
        fees, liquidity = _undisturbed(then, now, moved)
    left = whole.less(fees).less(liquidity)
    # A transaction settled late that moved no position was a swap.
    swap = left if told and not moved else _swapped(mined, left)
    return Between(fees=fees, liquidity=liquidity, swap=swap, rest=left.less(swap))


def _held(view: ChainView) -> Units:
    wallet = Units(view.wallet.amount0, view.wallet.amount1)
    for position in view.positions:
        wallet = wallet.plus(_principal(position)).plus(_fees(position))
    return wallet


def _moved(then: ChainView, now: ChainView) -> set[int]:
    """Every NFT that is new, gone, or of another liquidity."""
    old = {(p.token_id, p.liquidity) for p in then.positions}
    new = {(p.token_id, p.liquidity) for p in now.positions}
    return {token_id for token_id, _ in old ^ new}


def _undisturbed(then: ChainView, now: ChainView, moved: set[int]) -> tuple[Units, Units]:
    """Fees and liquidity of the positions that nobody touched."""
    old = {p.token_id: p for p in then.positions}
    fees = liquidity = NONE
    for position in now.positions:
        if position.token_id not in moved:
            known = old[position.token_id]
            fees = fees.plus(_fees(position).less(_fees(known)))
            liquidity = liquidity.plus(_principal(position).less(_principal(known)))
    return fees, liquidity


def _changed(
    before: Entry, after: Entry, moved: set[int], told: list[Outcome], whole: Units
) -> tuple[Units, Units]:
    """Fees and liquidity where positions came, went or changed."""
    then, now = before.snapshot.chain, after.snapshot.chain
    fees, liquidity = _undisturbed(then, now, moved)
    old = [p for p in then.positions if p.token_id in moved]
    new = [p for p in now.positions if p.token_id in moved]
    if not told:
        known = {p.token_id for p in old}
        fees = fees.plus(_sum(_fees(p) for p in new if p.token_id not in known))
        left = whole.less(fees)
        return fees, left if _traded(before, after, left) else liquidity
    minted = tuple(m for o in told for m in o.minted)
    collected = _sum(Units(o.collected0, o.collected1) for o in told)
    removed = _removed(old, new, minted)
    uncollected = _sum(_fees(p) for p, _ in removed)
    gathered = _gathered(then, removed, minted, collected, uncollected)
    gone = {p.token_id for p, _ in removed}
    kept = _sum(_fees(p) for p in old if p.token_id not in gone)
    fees = fees.plus(gathered).less(uncollected).less(kept).plus(_sum(_fees(p) for p in new))
    principal = collected.less(gathered).less(_sum(Units(m.amount0, m.amount1) for m in minted))
    change = _sum(_principal(p) for p in new).less(_sum(_principal(p) for p in old))
    return fees, liquidity.plus(principal).plus(change)


def _traded(before: Entry, after: Entry, left: Units) -> bool:
    """Positions changed and no outcome says how: whether nothing came in or went out with it.

    One token for the other at about the price is what a late re-range or an exit of ours leaves
    of the time between; a deposit has no other side.
    """
    view, price = after.snapshot.chain, after.decision.fair_price
    base, quote = view.market.base_quote(*left)
    held = on_chain(before.snapshot.chain)
    with localcontext(EXACT):
        net = abs(base * price + quote)
        gross = abs(base) * price + abs(quote)
        return net * 2 <= gross or net * BP <= FLOW_BP * (held.base * price + held.quote)


def _removed(
    old: list[Position], new: list[Position], minted: tuple[Minted, ...]
) -> list[tuple[Position, int]]:
    """What liquidity was taken out of which NFT."""
    added: dict[int, int] = {}
    for mint in minted:
        added[mint.token_id] = added.get(mint.token_id, 0) + mint.liquidity
    left = {p.token_id: int(p.liquidity) for p in new}
    found = [(p, p.liquidity + added.get(p.token_id, 0) - left.get(p.token_id, 0)) for p in old]
    return [(position, liquidity) for position, liquidity in found if liquidity > 0]


def _gathered(
    then: ChainView,
    removed: list[tuple[Position, int]],
    minted: tuple[Minted, ...],
    collected: Units,
    uncollected: Units,
) -> Units:
    """Of what was collected, what is beyond principal; never less than was due before."""
    price = _price_of(then, minted)
    if price is None or not removed:
        return uncollected
    principal = _sum(
        Units(*get_amounts_for_liquidity(price, *_edges(position), liquidity))
        for position, liquidity in removed
    )
    return Units(*map(max, collected.less(principal), uncollected))


def _price_of(then: ChainView, minted: tuple[Minted, ...]) -> int | None:
    """The square-root price at which these were minted; None when they do not tell."""
    looked = then.pool.sqrt_price_x96
    if minted and all(_fits(looked, mint) for mint in minted):
        return looked
    inside = [mint for mint in minted if mint.amount0 and mint.amount1]
    if not inside:
        return None
    largest = max(inside, key=lambda mint: mint.liquidity)
    lower, _ = _edges(largest)
    return lower + (largest.amount1 * Q96) // largest.liquidity


def _fits(price: int, mint: Minted) -> bool:
    amounts = get_amounts_for_liquidity_rounding_up(price, *_edges(mint), mint.liquidity)
    return tuple(amounts) == (mint.amount0, mint.amount1)


def _swapped(mined: list[tuple[Step | None, Outcome]], left: Units) -> Units:
    """Of our own swaps. A price limit may have left some of the input where it was."""
    found = NONE
    for step, outcome in mined:
        if isinstance(step, Swap):
            out = Units(outcome.collected0, outcome.collected1)
            spent = left.less(found).less(out)[0 if step.zero_for_one else 1]
            paid = -min(max(-spent, 0), step.amount_in)
            found = found.plus(out).plus(Units(paid, 0) if step.zero_for_one else Units(0, paid))
    return found


def _principal(position: Position) -> Units:
    return Units(position.amount0, position.amount1)


def _fees(position: Position) -> Units:
    return Units(position.fees0, position.fees1)


def _edges(shape: Position | Minted) -> tuple[int, int]:
    return get_sqrt_ratio_at_tick(shape.tick_lower), get_sqrt_ratio_at_tick(shape.tick_upper)


def _sum(all_: Iterable[Units]) -> Units:
    total = NONE
    for units in all_:
        total = total.plus(units)
    return total
