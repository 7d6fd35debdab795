"""Every configured node asked by itself: what one node says alone proves little about the chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from dexmm.chain.hexes import mapping, quantity
from dexmm.chain.identity import IDENTITY, require_identity
from dexmm.chain.rpc import Request, Rpc, expect
from dexmm.config import Config
from dexmm.errors import Halt, Transient
from dexmm.model.nodes import NodeFailure, NodeHead

T = TypeVar("T")

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


def ask_nodes(rpc: Rpc, config: Config) -> Nodes:
    """The newest block of every node, asked side by side: one request each, bounded by
    ``network.timeout_seconds``. Raises nothing: what fails is told under ``failures``."""
    answers = each(rpc.nodes(), lambda node: Node(rpc=node, head=_head(node, config)))
    return Nodes(
        usable=tuple(answer for answer in answers if isinstance(answer, Node)),
        failures=tuple(answer for answer in answers if isinstance(answer, NodeFailure)),
    )


def each(nodes: Sequence[Rpc], ask: Callable[[Rpc], T]) -> list[T | NodeFailure]:
    """``ask`` of every node side by side; a node that fails, or halts, is a ``NodeFailure``."""

    def one(node: Rpc) -> T | NodeFailure:
        try:
            return ask(node)
        except (Transient, Halt) as error:
            return NodeFailure(name=node.name, reason=error.message)

    if len(nodes) == 1:
        return [one(nodes[0])]
    with ThreadPoolExecutor(max_workers=len(nodes), thread_name_prefix="nodes") as pool:
        return list(pool.map(one, nodes))


def _head(node: Rpc, config: Config) -> NodeHead:
    answers = node.batch([*IDENTITY, NEWEST])
    chain_id = require_identity(node.name, answers, config)
    block = mapping(expect(answers[2]), "the newest block")
    return NodeHead(
        name=node.name,
        number=quantity(block.get("number"), "a block's number"),
        timestamp=quantity(block.get("timestamp"), "a block's time"),
        chain_id=chain_id,
    )
