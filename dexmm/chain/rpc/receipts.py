"""Receipts, parsed strictly: what a transaction did, by its hash."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.chain.rpc.client import Request, expect
from dexmm.chain.rpc.parsing import address, data, hash32, listing, mapping, quantity
from dexmm.errors import NodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    address: str  # lower case
    topics: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    tx_hash: str
    block: int
    succeeded: bool
    gas_used: int
    gas_price: int  # effective, wei
    logs: tuple[Log, ...]


def receipt_request(tx_hash: str) -> Request:
    return "eth_getTransactionReceipt", [tx_hash]


def parse_receipt(answer: object, tx_hash: str) -> Receipt | None:
    """None while the transaction is in no block. Raises ``NodeError``, ``RpcError``."""
    answer = expect(answer)
    if answer is None:
        return None
    fields = mapping(answer, "a receipt")
    if hash32(fields.get("transactionHash"), "a receipt's hash") != tx_hash.lower():
        raise NodeError("the node answered with another transaction's receipt")
    if fields.get("blockNumber") is None:
        return None  # some nodes show a receipt while the transaction waits
    return Receipt(
        tx_hash=tx_hash,
        block=quantity(fields["blockNumber"], "a receipt's block"),
        succeeded=quantity(fields.get("status"), "a receipt's status") == 1,
        gas_used=quantity(fields.get("gasUsed"), "a receipt's gas"),
        gas_price=quantity(fields.get("effectiveGasPrice"), "a receipt's gas price"),
        logs=tuple(_log(each) for each in listing(fields.get("logs"), "a receipt's logs")),
    )


def _log(answer: object) -> Log:
    fields = mapping(answer, "a log")
    topics = listing(fields.get("topics"), "a log's topics")
    return Log(
        address=address(fields.get("address"), "a log's address"),
        topics=tuple(hash32(topic, "a log's topic") for topic in topics),
        data=data(fields.get("data"), "a log's data"),
    )
