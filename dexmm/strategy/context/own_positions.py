"""Which of the wallet's positions are ours. Anyone may mint to any wallet.

A position is ours when one of these holds:

    placed     a transaction of ours minted it: the outcome of its step says so
    held       an earlier turn held it
    worth it   nobody can say where it is from (the journal is lost, a turn died before it could
               record, a person added it), and it is worth at least ``min_position_quote``

One that appears while the wallet's nonce stands still was minted or sent by somebody else, whatever
it is worth: nothing of ours was mined in between. What is not ours is set aside. It counts for no
inventory, no timer and no trigger, no gas is spent on it, and ``dexmm withdraw``, which looks for
every position on chain, still takes it out.

Liquidity that others add to a position of ours is ours: they cannot take it back.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.holdings import Position
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView

MOST_PLACED = 64  # ids remembered; a position that was ever seen is known by that


def set_aside(view: ChainView, memory: Memory, config: Config) -> ChainView:
    """The view with the positions of strangers under ``strangers``, out of ``positions``."""
    known = {old.token_id for old in memory.seen}
    if all(position.token_id in known for position in view.positions):
        return view
    known.update(memory.placed)
    ours: list[Position] = []
    theirs: list[Position] = []
    for position in view.positions:
        mine = position.token_id in known or _unexplained(position, view, memory, config)
        (ours if mine else theirs).append(position)
    if not theirs:
        return view
    return replace(view, positions=tuple(ours), strangers=(*view.strangers, *theirs))


def _unexplained(position: Position, view: ChainView, memory: Memory, config: Config) -> bool:
    """Whether a position that nobody remembers counts as ours."""
    if position.token_id in memory.strangers:
        return False
    if memory.nonce is not None and memory.nonce == view.wallet.nonce:
        return False
    return worth(position, view) >= config.strategy.min_position_quote


@precise
def worth(position: Position, view: ChainView) -> Decimal:
    """Principal and fees in quote, at the pool's price."""
    base, quote = view.market.base_quote(
        position.amount0 + position.fees0, position.amount1 + position.fees1
    )
    return base * view.market.price(view.pool.sqrt_price_x96) + quote
