"""What a fetch asks of Ethereum nodes: logs, and the few facts about blocks beside them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import requests

from dexmm.chain.rpc.client import Rpc, expect
from dexmm.chain.rpc.endpoint import MOST_BYTES, Endpoint
from dexmm.chain.rpc.parsing import hash32, mapping, quantity
from dexmm.chain.rpc.refusals import About, RpcError, Unanswered
from dexmm.errors import NodeError
from dexmm.fetch.pool.event_schema import EVENTS
from dexmm.fetch.pool.log_decoder import Asked, NoResult, decode_logs
from dexmm.fetch.pool.log_limit import FEWEST, LogLimit
from dexmm.fetch.pool.resumable_parts import Span

HEADERS_AT_ONCE = 100
NO_LIMIT = 1 << 62  # logs in an answer
_NOT_FOR_SIZE = {401, 402, 403, 404, 405, 407, 408, 425, 429, 451}  # HTTP statuses
# Where a refusal has these words a smaller range may do, whatever its code or status is.
_OF_SIZE = re.compile(
    r"\brange|\bresults\b|\blogs\b|\bblocks\b|response size|too (large|wide|big)|time(d )?.?out"
)
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

    @property
    def most_logs(self) -> int:
        """As many logs the current node puts into one answer, for all that has shown."""
        return self._raw.limit(self._raw.endpoints[0]).most or NO_LIMIT

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self._raw.endpoints)

    @property
    def logs_name(self) -> str:
        """The node that is asked for logs, without anything secret."""
        return self._raw.name

    def doubt(self, logs: int) -> None:
        """Its answer of so many logs was not all there is: ask the next node first from now on,
        and believe no answer as long as that of this one."""
        if logs >= FEWEST:
            self._raw.limit(self._raw.endpoints[0]).learn(logs)
        self._raw.turn_away()

    def logs(self, pool: str, span: Span) -> pa.RecordBatch:
        """The pool's logs in a range of blocks, as rows of ``SCHEMA``.

        An answer that may have been cut is held against those to the halves of its range. Raises
        ``TooMuch`` when a smaller range may succeed, ``NodeError`` otherwise.
        """
        found = self._raw.first(lambda endpoint: self._logs_from(endpoint, pool, span))
        if isinstance(found, TooMuch):
            raise found
        return found

    def _logs_from(self, endpoint: Endpoint, pool: str, span: Span) -> pa.RecordBatch | TooMuch:
        try:
            return self._whole(endpoint, pool, span)
        except TooMuch as error:
            return error

    def _whole(self, endpoint: Endpoint, pool: str, span: Span) -> pa.RecordBatch:
        """Logs that are not cut, as far as the logs themselves can show that."""
        logs, limit = self._answer(endpoint, pool, span), self._raw.limit(endpoint)
        count = logs.num_rows
        if limit.reached(count):
            raise _cut(endpoint, count, span)
        if not limit.doubts(count, span) or len(span) == 1:
            return logs
        middle = (span.first + span.last) // 2
        halves = (Span(span.first, middle), Span(middle + 1, span.last))
        parts = [self._whole(endpoint, pool, half) for half in halves]
        if sum(part.num_rows for part in parts) > count:
            limit.learn(count)
            raise _cut(endpoint, count, span)
        if _places(logs) != [place for part in parts for place in _places(part)]:
            raise Unanswered(f"{endpoint.name} answered the same question with different logs")
        return logs

    def _answer(self, endpoint: Endpoint, pool: str, span: Span) -> pa.RecordBatch:
        """A second try where there is no result: of some nodes every other answer is ``null``."""
        try:
            return self._one_answer(endpoint, pool, span)
        except NoResult:
            pass
        try:
            return self._one_answer(endpoint, pool, span)
        except NoResult as error:
            raise TooMuch(error.message) from None

    def _one_answer(self, endpoint: Endpoint, pool: str, span: Span) -> pa.RecordBatch:
        self.requests += 1
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
        except (RpcError, Unanswered) as error:
            said = error.said if isinstance(error, Unanswered) else error.message
            sized = _OF_SIZE.search(said.lower()) is not None
            if not sized and (error.about is About.UNABLE or "status" in error.facts):
                raise  # another node may have the method, or the plan
            # Nodes have a dozen codes for "too many", and rate limits among them.
            raise TooMuch(error.message) from None


def _cut(endpoint: Endpoint, count: int, span: Span) -> NodeError:
    said = f"{endpoint.name} answers with no more than {count:,} logs and does not say so"
    if len(span) > 1:
        return TooMuch(said)
    return NodeError(f"{said}, and block {span.first} may have more: name another node")


def _places(logs: pa.RecordBatch) -> list[tuple[int, int]]:
    blocks, indices = (logs.column(name).to_pylist() for name in ("block_number", "log_index"))
    return list(zip(blocks, indices, strict=True))


class _RawEndpoint(Endpoint):
    """An endpoint that tells apart what a smaller question may cure. Nobody stands beside it: it
    has its whole time for every question, since one that takes long is made smaller."""

    def _exchange(self, body: bytes, seconds: float) -> bytes:
        try:
            return super()._exchange(body, seconds)
        except NodeError as error:
            status = cast("int", error.facts.get("status", 0))
            if status in _NOT_FOR_SIZE or not status:
                raise
            raise TooMuch(error.message) from None

    def _body(
        self, response: requests.Response, deadline: float, seconds: float, most: int = MOST_BYTES
    ) -> bytes:
        try:
            return super()._body(response, deadline, seconds, most)
        except NodeError as error:  # too long, too slow or broken off
            raise TooMuch(error.message) from None

    def _too_slow(self, seconds: float) -> NodeError:
        return TooMuch(super()._too_slow(seconds).message)


class _RawRpc(Rpc):
    def __init__(self, urls: Sequence[str], timeout_seconds: float, proxy: str | None) -> None:
        super().__init__(urls, timeout_seconds, proxy)
        self._endpoints = [_RawEndpoint(url, timeout_seconds, proxy) for url in urls]
        self._configured = tuple(self._endpoints)
        self._limits = {endpoint: LogLimit() for endpoint in self._configured}

    def limit(self, endpoint: Endpoint) -> LogLimit:
        """What is known of how many logs this node puts into one answer."""
        return self._limits[endpoint]


def read_header(answer: Any, number: int) -> Header:
    """Raises ``NodeError`` for anything but this block's header."""
    header = mapping(expect(answer), f"block {number}")
    if quantity(header.get("number"), "a block's number") != number:
        raise NodeError(f"the node answered with another block than {number}")
    return Header(
        hash=hash32(header.get("hash"), "a block's hash"),
        timestamp=quantity(header.get("timestamp"), "a block's time"),
    )
