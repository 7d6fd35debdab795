"""What a fetch asks of Ethereum nodes: logs, and the few facts about blocks beside them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import requests

from dexmm.chain.endpoint import MOST_BYTES, Endpoint
from dexmm.chain.hexes import hash32, mapping, quantity
from dexmm.chain.refusals import About, RpcError, Unanswered
from dexmm.chain.rpc import Rpc, expect
from dexmm.errors import NodeError
from dexmm.ops.fetch_events import EVENTS
from dexmm.ops.fetch_logs import Asked, decode_logs
from dexmm.ops.fetch_parts import Span

HEADERS_AT_ONCE = 100
_NOT_FOR_SIZE = {401, 402, 403, 404, 405, 407, 408, 425, 429, 451}  # HTTP statuses
_TOPICS = [event.topic for event in EVENTS]


class TooMuch(NodeError):
    """The question is too large for the node or the line, or may be: a smaller one may do."""


@dataclass(frozen=True, slots=True)
class Header:
    hash: str
    timestamp: int  # seconds


class Node:
    """One or several nodes of one chain; the next is asked when one fails."""

    def __init__(
        self, urls: Sequence[str], timeout_seconds: float = 10, proxy: str | None = None
    ) -> None:
        """``proxy`` is ``network.proxy``."""
        self.rpc = Rpc(urls, timeout_seconds, proxy)
        self.requests = 0  # for logs
        self._raw = _RawRpc(urls, timeout_seconds, proxy)
        self._ids = itertools.count(1)

    @property
    def name(self) -> str:
        """The current node, without anything secret."""
        return self.rpc.name

    def chain_id(self) -> int:
        return quantity(self.rpc.call("eth_chainId"), "the chain id")

    def head(self) -> int:
        """The newest block's number."""
        return quantity(self.rpc.call("eth_blockNumber"), "its newest block")

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Of these blocks, several in a request."""
        found: list[Header] = []
        for at in range(0, len(numbers), HEADERS_AT_ONCE):
            page = numbers[at : at + HEADERS_AT_ONCE]
            answers = self.rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in page])
            found += [read_header(a, n) for a, n in zip(answers, page, strict=True)]
        return found

    def logs(self, pool: str, span: Span) -> pa.RecordBatch:
        """The pool's logs in a range of blocks, as rows of ``SCHEMA``.

        Raises ``TooMuch`` when a smaller range may succeed, ``NodeError`` otherwise.
        """
        self.requests += 1
        found = self._raw.first(lambda endpoint: self._logs_from(endpoint, pool, span))
        if isinstance(found, TooMuch):
            raise found
        return found

    def _logs_from(self, endpoint: Endpoint, pool: str, span: Span) -> pa.RecordBatch | TooMuch:
        number = next(self._ids)
        asked = Asked(
            request_id=number,
            pool=pool,
            from_block=span.first,
            to_block=span.last,
            node=endpoint.name,
        )
        where = {"fromBlock": hex(span.first), "toBlock": hex(span.last)}
        which = {"address": pool, "topics": [_TOPICS], **where}
        request = {"jsonrpc": "2.0", "id": number, "method": "eth_getLogs", "params": [which]}
        try:
            return decode_logs(endpoint.raw(request), asked)
        except TooMuch as error:
            return error
        except (RpcError, Unanswered) as error:
            if error.about is About.UNABLE or "status" in error.facts:
                raise  # another node may have the method, or the plan
            # Nodes have a dozen codes for "too many", and rate limits among them.
            return TooMuch(error.message)


class _RawEndpoint(Endpoint):
    """An endpoint that tells apart what a smaller question may cure."""

    def _exchange(self, body: bytes) -> bytes:
        try:
            return super()._exchange(body)
        except NodeError as error:
            status = cast("int", error.facts.get("status", 0))
            if status in _NOT_FOR_SIZE or not status:
                raise
            raise TooMuch(error.message) from None

    def _body(self, response: requests.Response, deadline: float, most: int = MOST_BYTES) -> bytes:
        try:
            return super()._body(response, deadline, most)
        except NodeError as error:  # too long, too slow or broken off
            raise TooMuch(error.message) from None

    def _too_slow(self) -> NodeError:
        return TooMuch(super()._too_slow().message)


class _RawRpc(Rpc):
    def __init__(self, urls: Sequence[str], timeout_seconds: float, proxy: str | None) -> None:
        super().__init__(urls, timeout_seconds, proxy)
        self._endpoints = [_RawEndpoint(url, timeout_seconds, proxy) for url in urls]
        self._configured = tuple(self._endpoints)


def read_header(answer: Any, number: int) -> Header:
    """Raises ``NodeError`` for anything but this block's header."""
    header = mapping(expect(answer), f"block {number}")
    if quantity(header.get("number"), "a block's number") != number:
        raise NodeError(f"the node answered with another block than {number}")
    return Header(
        hash=hash32(header.get("hash"), "a block's hash"),
        timestamp=quantity(header.get("timestamp"), "a block's time"),
    )
