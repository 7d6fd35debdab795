"""The answer to ``eth_getLogs``, from the bytes that a node sent to the columns of a file.

A node is believed in nothing: the answer must be whole, to our question, of one pool, of known
events only, each with all its words, in the order of the chain, inside the range that was asked
for, and final. Anything else is one ``NodeError``, and nothing is kept of the answer.

Decoding takes a few microseconds a log because values are never Python objects: the texts of a
field are joined, turned from hexadecimal at once, and become columns as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from dexmm.chain.rpc.parsing import quantity
from dexmm.chain.rpc.refusals import RpcError, Unanswered, about, error_parts, first_line
from dexmm.errors import NodeError
from dexmm.fetch.pool.abi_words import (
    WORD,
    Builder,
    Column,
    Malformed,
    Words,
    column,
    limbs,
    picked,
    read,
    unhex,
    unhex_digits,
    unhex_lists,
)
from dexmm.fetch.pool.event_schema import EVENTS, KINDS, SCHEMA, Event, Fields

NUMBER_LIMIT = 1 << 32  # of a block or a time: seconds until 2106
LOGS_LIMIT = 1 << 31  # of a block's logs
MOST_DIGITS = 8  # of such a number
_FRAME = 4  # quotes and 0x
VALUES = SCHEMA.names[5:]  # what topics and data say


NULL = msgspec.Raw(b"null")


class Log(msgspec.Struct, gc=False, rename="camel"):
    """What is needed of a log. ``Raw`` is the JSON text itself, quotes included."""

    address: str
    topics: msgspec.Raw
    data: msgspec.Raw
    block_number: msgspec.Raw
    transaction_hash: msgspec.Raw
    log_index: str
    block_timestamp: msgspec.Raw = NULL
    removed: bool = False


class NoResult(NodeError):
    """The node answered with neither logs nor a refusal: ``null``, or a field less."""


class _Answer(msgspec.Struct):
    id: int | str | None = None
    result: list[Log] | None = None
    error: msgspec.Raw = NULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The question that an answer is held against; ``node`` is named in what is wrong with it."""

    request_id: int
    pool: str
    from_block: int
    to_block: int
    node: str


_DECODER = msgspec.json.Decoder(_Answer)
_HEADS = np.frombuffer(bytes.fromhex("".join(event.topic[2:] for event in EVENTS)), ">u8")
_SIGNATURES = _HEADS.reshape(len(EVENTS), 4)
_TOPICS = np.array([1 + len(event.indexed) for event in EVENTS])


def decode_logs(body: bytes, asked: Asked) -> pa.RecordBatch:
    """The logs of one answer as rows of ``SCHEMA``, without those marked as removed: a
    reorganisation took them out of the chain.

    Raises ``RpcError`` when the node refused, ``NoResult`` when it answered with nothing at all,
    ``NodeError`` when the answer cannot be true.
    """
    try:
        answer = _DECODER.decode(body)
        if answer.error == NULL and answer.result is not None and _ours(answer, asked):
            return _rows(answer.result, asked)
    except (msgspec.DecodeError, UnicodeDecodeError, Malformed) as error:
        raise NodeError(
            f"{asked.node} answered eth_getLogs with something that is not one: {error}"
        ) from None
    raise _refusal(answer, asked)


def _ours(answer: _Answer, asked: Asked) -> bool:
    """Some nodes send ids back as text."""
    return answer.id in (asked.request_id, str(asked.request_id))


def _refusal(answer: _Answer, asked: Asked) -> NodeError:
    if answer.error == NULL:
        if answer.result is None and (answer.id is None or _ours(answer, asked)):
            return NoResult(f"{asked.node} answered eth_getLogs without a result")
        return NodeError(f"{asked.node} answered another request than ours, or without a result")
    code, message = error_parts(msgspec.json.decode(answer.error))
    said = first_line(message)
    if code is None:
        words = f": {said}" if said else ""
        said_so = f"{asked.node} answered with an error that is not one{words}"
        return Unanswered(said_so, about(0, message), message)
    refused = f"{asked.node} refused: {said or 'no reason given'} (code {code})"
    return RpcError(refused, code, about=about(code, message))


def _rows(logs: list[Log], asked: Asked) -> pa.RecordBatch:
    if True in [log.removed for log in logs]:  # half the time of any()
        logs = [log for log in logs if not log.removed]
    if not logs:
        return pa.RecordBatch.from_pylist([], schema=SCHEMA)
    _demand_ours(logs, asked.pool.lower())
    blocks = quantities([log.block_number for log in logs], "a block number")
    indices = numbers([log.log_index for log in logs], "a log's index")
    _demand_order(blocks, indices, asked)
    hashes = unhex([log.transaction_hash for log in logs], WORD)
    kinds, columns = _values(logs)
    made = {
        "block_number": column(pa.int64(), blocks),
        "block_timestamp": _timestamps(logs, blocks),
        "tx_hash": column(pa.binary(WORD), hashes),
        "log_index": column(pa.int32(), indices.astype(np.int32)),
        "kind": pa.DictionaryArray.from_arrays(column(pa.int8(), kinds), pa.array(KINDS)),
        **{name: builder.finish() for name, builder in columns.items()},
    }
    return pa.RecordBatch.from_arrays([made[name] for name in SCHEMA.names], schema=SCHEMA)


def _demand_ours(logs: list[Log], pool: str) -> None:
    addresses = [log.address for log in logs]
    if addresses.count(pool) != len(addresses):  # a node may write it with its checksum
        foreign = {address.lower() for address in addresses} - {pool}
        if foreign:
            raise Malformed(f"a log of {min(foreign)[:42]!r}, which is not the pool")


def _demand_order(blocks: Column, indices: Column, asked: Asked) -> None:
    if blocks.min() < asked.from_block or blocks.max() > asked.to_block:
        raise Malformed(f"a log outside the blocks {asked.from_block} to {asked.to_block}")
    if indices.max() >= LOGS_LIMIT:
        raise Malformed("a log's index that no block has")
    places = blocks * LOGS_LIMIT + indices
    wrong = np.flatnonzero(places[1:] <= places[:-1])
    if len(wrong):
        at = int(wrong[0]) + 1
        how = "twice" if places[at] == places[at - 1] else "out of order"
        raise Malformed(f"log {indices[at]} of block {blocks[at]} {how}")


def _values(logs: list[Log]) -> tuple[Column, dict[str, Builder]]:
    """Which event each log is, and everything that topics and data say."""
    texts = [log.data for log in logs]
    kinds = np.empty(len(logs), np.int8)
    columns = {name: Builder(SCHEMA.field(name).type, len(logs)) for name in VALUES}
    for alike, topics in unhex_lists([log.topics for log in logs]):
        kinds[alike] = _kinds(topics)
        for number in np.unique(kinds[alike]).tolist():
            its = kinds[alike] == number
            rows, event = alike[its], EVENTS[number]
            words = unhex(picked(texts, rows), WORD * len(event.data))
            _fill(columns, rows, event, event.indexed, topics[its][:, 1:])
            _fill(columns, rows, event, event.data, limbs(words))
    return kinds, columns


def _kinds(topics: Words) -> Column:
    """Each log's place in ``EVENTS``, by its first topic."""
    if topics.shape[1] == 0:
        raise Malformed("a log without a topic")
    kinds = np.zeros(len(topics), np.int8)
    for number, signature in enumerate(_SIGNATURES):
        kinds[topics[:, 0, 0] == signature[0]] = number
    if (topics[:, 0] != _SIGNATURES[kinds]).any():
        raise Malformed("a log of an event that was not asked for")
    if (_TOPICS[kinds] != topics.shape[1]).any():
        raise Malformed("a log with a topic too few or too many")
    return kinds


def _fill(
    columns: dict[str, Builder], rows: Column, event: Event, fields: Fields, words: Words
) -> None:
    for at, (name, kind) in enumerate(fields):
        try:
            columns[name].fill(rows, read(kind, words[:, at]))
        except Malformed as error:
            raise Malformed(f"{error} as {name} of a {event.kind}") from None


def _timestamps(logs: list[Log], blocks: Column) -> pa.Array:
    """Seconds, where the node tells them beside the log; they never go back."""
    texts = [log.block_timestamp for log in logs]
    times = _alike(b"".join(texts), len(texts))
    rows = np.arange(len(texts))
    if times is None:
        listed = _listed(texts, str | None, "a block's time")
        told = [text for text in listed if text is not None]
        if not told:
            return pa.nulls(len(logs), pa.int64())
        times = numbers(told, "a block's time")
        rows = np.flatnonzero([text is not None for text in listed])
    demand_time(blocks[rows], times)
    builder = Builder(pa.int64(), len(logs))
    builder.fill(rows, times)
    return builder.finish()


def demand_time(blocks: Column, times: Column) -> None:
    """One time a block, and never an earlier one after it. Raises ``Malformed``."""
    same = blocks[1:] == blocks[:-1]
    passed = times[1:] - times[:-1]
    wrong = np.flatnonzero((passed < 0) | (same & (passed != 0)))
    if len(wrong):
        raise Malformed(f"block {blocks[wrong[0] + 1]} at a time that cannot be its own")


def quantities(texts: Sequence[msgspec.Raw], what: str) -> Column:
    """JSON texts of numbers, as integers. Raises ``Malformed``."""
    values = _alike(b"".join(texts), len(texts))
    return numbers(_listed(texts, str, what), what) if values is None else values


def _alike(joined: bytes, count: int) -> Column | None:
    """The numbers in texts of one length, all at once; None when they differ or are none."""
    width, rest = divmod(len(joined), count)
    if rest or not _FRAME < width <= _FRAME + MOST_DIGITS:
        return None
    digits = unhex_digits(np.frombuffer(joined, np.uint8).reshape(count, width))
    if digits is None or (digits.shape[1] > 1 and not digits[:, 0].all()):
        return None
    values: Column = digits.astype(np.int64) @ (1 << 4 * np.arange(width - _FRAME)[::-1])
    return values if values.max() < NUMBER_LIMIT else None


def _listed(texts: Sequence[msgspec.Raw], kind: Any, what: str) -> list[Any]:
    try:
        listed: list[Any] = msgspec.json.decode(b"[" + b",".join(texts) + b"]", type=list[kind])
    except msgspec.DecodeError:
        raise Malformed(f"{what} that is not a number") from None
    return listed


def numbers(texts: Sequence[str], what: str) -> Column:
    """Quantities as integers, each different text parsed once. Raises ``Malformed``."""
    different = list(dict.fromkeys(texts))
    try:
        values = [int(text, 16) for text in different]
        if list(map(hex, values)) != different or min(values) < 0:
            values = [quantity(text, what) for text in different]
    except (ValueError, NodeError):
        raise Malformed(f"{what} that is not a number") from None
    if max(values) >= NUMBER_LIMIT:
        raise Malformed(f"{what} that is out of all proportion")
    if len(different) == len(texts):
        return np.array(values, np.int64)
    known = dict(zip(different, values, strict=True))
    return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))
