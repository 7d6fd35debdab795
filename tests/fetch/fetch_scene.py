"""A pool with some life in it on the local mainnet, a node double before it, and fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from eth_abi.abi import decode
from fetch.fetch_loopback import NodeDouble, node_double

from dexmm.fetch.pool.block_range import Patience
from dexmm.fetch.pool.event_schema import EVENTS, SCHEMA, Word
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_logs import SwapsAsked, SwapsFetched, fetch_swaps
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.sim.replay.log_proof import prove_logs

BRIEF = Patience(attempts=3, first=0.001, longest=0.01)


def nothing_said(done: int, total: int, rows: int) -> None:
    pass


class Scene:
    """A node double before the local mainnet, some life in its pool, and fetches of it."""

    def __init__(self, mainnet: Deployment, node: NodeDouble, folder: Path) -> None:
        self.mainnet, self.node, self.folder = mainnet, node, folder
        self.output = folder / "pool.parquet"
        self.head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
        self.asked = SwapsAsked(
            pool=mainnet.pool, from_block=0, to_block=self.head, output=self.output, confirmations=0
        )

    def fetch(
        self, watch: Callable[[int, int, int], None] = nothing_said, **other: Any
    ) -> SwapsFetched:
        asked = replace(self.asked, **other)
        return fetch_swaps(Node([self.node.url]), asked, watch, BRIEF, prove_logs)

    def receipts(self) -> list[dict[str, Any]]:
        """Every log of the pool as its transaction's receipt tells it, decoded by eth_abi."""
        rpc, rows = self.mainnet.anvil.rpc, []
        for number in range(self.head + 1):
            block = rpc("eth_getBlockByNumber", [hex(number), False])
            for tx_hash in block["transactions"]:
                logs = rpc("eth_getTransactionReceipt", [tx_hash])["logs"]
                rows += [by_the_book(log, block) for log in logs if self._is_ours(log)]
        return rows

    def _is_ours(self, log: dict[str, Any]) -> bool:
        ours = {event.topic for event in EVENTS}
        return log["address"].lower() == self.mainnet.pool.lower() and log["topics"][0] in ours


def by_the_book(log: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    event = next(event for event in EVENTS if event.topic == log["topics"][0])
    words = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"][1:])
    fields = event.indexed + event.data
    values = decode([kind.value for _, kind in fields], words + bytes.fromhex(log["data"][2:]))
    named = {
        name: bytes.fromhex(value[2:]) if kind is Word.ADDRESS else value
        for (name, kind), value in zip(fields, values, strict=True)
    }
    return {
        **dict.fromkeys(SCHEMA.names),
        **named,
        "block_number": int(block["number"], 16),
        "block_timestamp": int(block["timestamp"], 16),
        "tx_hash": bytes.fromhex(log["transactionHash"][2:]),
        "log_index": int(log["logIndex"], 16),
        "kind": event.kind,
    }


def stored(path: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(path).to_pylist()
    return [{k: int(v) if hasattr(v, "scaleb") else v for k, v in row.items()} for row in rows]


def some_life(mainnet: Deployment) -> None:
    """Swaps both ways, one across ticks, one stopped at a price; then a position comes and goes."""
    for number in range(6):
        mainnet.swap(
            zero_for_one=number % 2 == 0, amount_in=10**17 if number % 2 == 0 else 5 * 10**8
        )
    mainnet.swap(zero_for_one=True, amount_in=30 * 10**18)
    mainnet.swap(zero_for_one=False, amount_in=1)
    owner = account("somebody")
    token_id = mainnet.mint_position(owner, -194000, -193000, 10**18, 4000 * 10**6)
    mainnet.swap(zero_for_one=False, amount_in=10**6)
    mainnet.swap(zero_for_one=False, amount_in=70_000 * 10**6)
    for call in (
        encode_call(
            "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))",
            (token_id, 10**12, 0, 0, 2**64 - 1),
        ),
        encode_call(
            "collect((uint256,address,uint128,uint128))",
            (token_id, owner, 2**128 - 1, 2**128 - 1),
        ),
    ):
        mainnet.anvil.send_as(owner, POSITION_MANAGER, call)
    mainnet.swap(zero_for_one=True, amount_in=10**17)


@contextmanager
def a_scene(mainnet: Deployment, folder: Path) -> Iterator[Scene]:
    some_life(mainnet)
    with node_double(mainnet.anvil.url) as node:
        yield Scene(mainnet, node, folder)
