"""Every configured node asked by itself: what one node says alone proves little about the chain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from dexmm.chain.identity import IDENTITY, require_identity
from dexmm.chain.parallel import side_by_side
from dexmm.chain.rpc.client import OTHERS_SECONDS, Request, Rpc, expect
from dexmm.chain.rpc.parsing import mapping, quantity
from dexmm.config.schema import Config
from dexmm.errors import Halt, Transient
from dexmm.model.nodes import NodeFailure, NodeHead

T = TypeVar("T")

LAG_BLOCKS = 2  # blocks do not reach all nodes at once: one behind is not late
log = logging.getLogger("dexmm.chain")

NEWEST: Request = ("eth_getBlockByNumber", ["latest", False])


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that answers and is of the configured network; ``rpc`` asks it and no other."""

    rpc: Rpc
    head: NodeHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Every configured node is in one of the two, in the configured order."""

    usable: tuple[Node, ...]
    failures: tuple[NodeFailure, ...]


def ask_nodes(rpc: Rpc, config: Config, *, late_seconds: float | None = None) -> Nodes:
    """The newest block of every node, asked side by side: one request each, bounded by
    ``network.timeout_seconds``; ``late_seconds`` as ``each`` has it. Raises nothing: what fails is
    told under ``failures``."""
    return _nodes(each(rpc.nodes(), lambda node: _node(node, config), late_seconds=late_seconds))


def node_heads(rpc: Rpc, config: Config) -> list[Node | NodeFailure]:
    """The same, one answer for each of ``rpc.nodes()`` in its order."""
    return each(rpc.nodes(), lambda node: _node(node, config))


def prefer_newest(rpc: Rpc, config: Config) -> None:
    """Make the node with the newest block current, unless the current one is about as new.

    Nodes that answer much later than a good one are not waited for. Raises ``Halt`` when nodes
    answer and all are of another network; one that answers nothing may come up later.
    """
    asks = [partial(_node, node, config) for node in rpc.nodes(current_first=True)]
    found = side_by_side(asks, lambda answer: isinstance(answer, Node), OTHERS_SECONDS)
    usable = [answer for answer in found if isinstance(answer, Node)]
    foreign = [answer for answer in found if isinstance(answer, Halt)]
    if not usable:
        if foreign:
            raise foreign[0]
        return  # reading will say why
    best = max(usable, key=lambda node: node.head.number)
    if found[0] is not best and best.head.number - _number(found[0]) >= LAG_BLOCKS:
        if isinstance(found[0], Node):
            log.warning(
                "%s is %d blocks behind %s, which is asked first",
                found[0].head.name,
                best.head.number - found[0].head.number,
                best.head.name,
            )
        rpc.prefer(best.rpc)


def each(
    nodes: Sequence[Rpc], ask: Callable[[Rpc], T], *, late_seconds: float | None = None
) -> list[T | NodeFailure]:
    """``ask`` of every node side by side; a node that fails, or halts, is a ``NodeFailure``.

    With ``late_seconds``, so is one that answers so much later than the first that answered.
    """
    if not nodes:
        return []
    patient = late_seconds is None
    found = side_by_side(
        [partial(ask, node) for node in nodes],
        lambda answer: not patient and not isinstance(answer, Transient | Halt),
        late_seconds or 0,
    )
    return [
        NodeFailure(name=node.name, reason=answer.message)
        if isinstance(answer, Transient | Halt)
        else answer
        for node, answer in zip(nodes, found, strict=True)
    ]


def _nodes(answers: Sequence[Node | NodeFailure]) -> Nodes:
    return Nodes(
        usable=tuple(answer for answer in answers if isinstance(answer, Node)),
        failures=tuple(answer for answer in answers if isinstance(answer, NodeFailure)),
    )


def _node(node: Rpc, config: Config) -> Node:
    return Node(rpc=node, head=node.identified(lambda plain: _head(plain, config)))


def _number(answer: Node | Transient | Halt) -> int:
    return answer.head.number if isinstance(answer, Node) else -LAG_BLOCKS


def _head(node: Rpc, config: Config) -> NodeHead:
    answers = node.batch([*IDENTITY, NEWEST])
    chain_id = require_identity(node, answers, config)
    block = mapping(expect(answers[2]), "the newest block")
    return NodeHead(
        name=node.name,
        number=quantity(block.get("number"), "a block's number"),
        timestamp=quantity(block.get("timestamp"), "a block's time"),
        chain_id=chain_id,
    )
