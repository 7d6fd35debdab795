"""What proves that nothing is left: which block, how old it is, and which nodes say so.

One node that lags shows a wallet as it was, and so nodes are held against the clock and against
each other. A node whose newest block is older than ``guards.max_block_age_seconds`` proves
nothing and denies nothing; every other node that answers must agree, at a block at or beyond the
highest head that any of them has shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dexmm.model.nodes import NodeView, NodeViews
from dexmm.model.snapshot import ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One configured node. ``block`` and ``age_seconds`` are None where it did not answer."""

    node: str  # without anything secret
    block: int | None
    age_seconds: int | None  # of its newest block, by the clock or by the newest of all nodes
    counts: bool
    note: str  # why it does not count; empty when it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A node that counts and shows something that is left."""

    node: str
    what: str
    behind: bool  # it has not come to the block yet at which the others see nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What every configured node says. Nothing is proved while there is a ``doubt``."""

    block: int  # at which the state was read
    age_seconds: int
    witnesses: tuple[Witness, ...]
    doubt: str  # why this proves nothing, whatever was seen; empty when it may
    denial: Denial | None = None

    def lines(self) -> tuple[str, ...]:
        """For people: who says so, and who was not counted."""
        told = [f"{w.node} (block {w.block}, {w.age_seconds} s old)" for w in self.counted]
        left = [f"{w.node} ({w.note})" for w in self.witnesses if not w.counts]
        return (
            *((f"seen by {', '.join(told)}",) if told else ()),
            *((f"not counted: {', '.join(left)}",) if left else ()),
        )

    @property
    def counted(self) -> tuple[Witness, ...]:
        return tuple(witness for witness in self.witnesses if witness.counts)


def weigh(
    nodes: NodeViews,
    view: ChainView,
    *,
    now: int | None,
    most_seconds: int,
    explained: Collection[str] = (),
) -> Proof:
    """Hold what every node shows against ``view``, the last look.

    ``now`` is the clock's time in seconds; None where a chain lives in a time of its own, which is
    then its newest block's. ``explained`` are the names of positions known to be trapped.
    """
    looks = [seen.view.block for seen in nodes.seen]
    clock = max([now or 0, view.block.timestamp, *(block.timestamp for block in looks)])
    head = max((block.number for block in looks), default=view.block.number)
    witnesses = [_witness(seen, clock, head, most_seconds) for seen in nodes.seen]
    counted = [s for s, w in zip(nodes.seen, witnesses, strict=True) if w.counts]
    witnesses += [
        Witness(node=f.name, block=None, age_seconds=None, counts=False, note=f.reason)
        for f in nodes.failures
    ]
    return Proof(
        block=view.block.number,
        age_seconds=clock - view.block.timestamp,
        witnesses=tuple(witnesses),
        doubt=_doubt(view, clock, head, most_seconds, counted),
        denial=next((d for seen in counted if (d := _denial(seen, view, explained))), None),
    )


def _witness(seen: NodeView, clock: int, head: int, most_seconds: int) -> Witness:
    block = seen.view.block
    age, behind = clock - block.timestamp, head - block.number
    note = ""
    if age > most_seconds:
        blocks = f"{behind} blocks behind, " if behind else ""
        note = f"stale: {blocks}its newest block {block.number} is {age} s old"
    return Witness(node=seen.name, block=block.number, age_seconds=age, counts=not note, note=note)


def _doubt(
    view: ChainView, clock: int, head: int, most_seconds: int, counted: Collection[NodeView]
) -> str:
    age = clock - view.block.timestamp
    # Nodes that answer late let the chain go on meanwhile; a look at the head is then as good as
    # the last look of our own, and says itself what is left: as a denial.
    at_head = any(seen.view.block.number >= head for seen in counted)
    if age > most_seconds or not counted:
        return (
            f"cannot prove that nothing is left: block {view.block.number}, the newest that any "
            f"node shows, is {age} s old, more than guards.max_block_age_seconds = {most_seconds}; "
            "add a node that keeps up to network.rpc_urls, or set this machine's clock"
            if view.block.number >= head
            else f"cannot prove that nothing is left: it was read at block {view.block.number}, "
            f"{age} s old, while another node is at {head}"
        )
    if view.block.number < head and not at_head:
        return (
            f"cannot prove that nothing is left: it was read at block {view.block.number}, while "
            f"another node is at {head}"
        )
    return ""


def position_name(token_id: int) -> str:
    return f"position #{token_id}"


def _denial(seen: NodeView, view: ChainView, explained: Collection[str]) -> Denial | None:
    """What the node shows beyond ``view``, which is judged by itself."""
    there, behind = seen.view, seen.view.block.number < view.block.number
    known = {position_name(position.token_id) for position in view.positions} | {*explained}
    names = [position_name(position.token_id) for position in there.positions]
    left = [name for name in names if name not in known]
    if left:
        what = f"still shows {', '.join(left)} in the pool"
    elif there.wallet.pending_nonce > max(there.wallet.nonce, view.wallet.pending_nonce):
        what = f"holds a transaction of the wallet at nonce {there.wallet.pending_nonce - 1}"
    else:
        return None
    return Denial(
        node=seen.name, what=f"{seen.name} (block {there.block.number}) {what}", behind=behind
    )
