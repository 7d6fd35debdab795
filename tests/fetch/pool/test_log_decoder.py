"""Decoding a node's answer: equal to eth_abi to the integer, and nothing impossible is let in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.chain.rpc.client import RpcError
from dexmm.errors import NodeError
from dexmm.fetch.pool.abi_words import integers
from dexmm.fetch.pool.event_schema import EVENTS, SCHEMA, Event, Word
from dexmm.fetch.pool.log_decoder import Asked, decode_logs
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK

POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
ASKED = Asked(request_id=7, pool=POOL, from_block=100, to_block=10**8, node="a node")
Json = dict[str, Any]


def dice_of(seed: object) -> random.Random:
    return random.Random(repr(seed))  # noqa: S311 - repeatable, not secret


def value_of(kind: Word, dice: random.Random) -> Any:
    """One that the word can hold, its limits more often than not."""
    limits: dict[Word, tuple[int, int]] = {
        Word.TICK: (MIN_TICK, MAX_TICK),
        Word.SIGNED: (-(2**251), 2**251 - 1),
        Word.UINT256: (0, 2**251 - 1),
        Word.UINT160: (0, 2**160 - 1),
        Word.UINT128: (0, 2**128 - 1),
    }
    if kind is Word.ADDRESS:
        return "0x" + dice.choice([bytes(20), b"\xff" * 20, dice.randbytes(20)]).hex()
    low, high = limits[kind]
    return dice.choice([low, high, 0, dice.randint(low, high), dice.randint(low, high) >> 100])


def a_log(event: Event, dice: random.Random, block: int, index: int) -> tuple[Json, Json]:
    """The log as geth writes it, and its row as Python has it."""
    fields = {name: (kind, value_of(kind, dice)) for name, kind in event.indexed + event.data}
    words = {name: encode([kind.value], [value]).hex() for name, (kind, value) in fields.items()}
    tx_hash = dice.randbytes(32).hex()
    log = {
        "address": POOL.lower(),
        "topics": [event.topic, *("0x" + words[name] for name, _ in event.indexed)],
        "data": "0x" + "".join(words[name] for name, _ in event.data),
        "blockNumber": hex(block),
        "transactionHash": "0x" + tx_hash,
        "transactionIndex": "0x0",
        "blockHash": "0x" + dice.randbytes(32).hex(),
        "blockTimestamp": hex(1_700_000_000 + 12 * block),
        "logIndex": hex(index),
        "removed": False,
    }
    row = {
        "block_number": block,
        "block_timestamp": 1_700_000_000 + 12 * block,
        "tx_hash": bytes.fromhex(tx_hash),
        "log_index": index,
        "kind": event.kind,
        **{
            name: bytes.fromhex(value[2:]) if kind is Word.ADDRESS else value
            for name, (kind, value) in fields.items()
        },
    }
    return log, {name: row.get(name) for name in SCHEMA.names}


def some_logs(seed: int, count: int) -> tuple[list[Json], list[Json]]:
    dice = dice_of(seed)
    block, index, made = 100, 0, []
    for _ in range(count):
        if dice.random() < 0.5:
            block, index = block + dice.choice([1, 2, 300, 70_000]), 0
        index += dice.choice([1, 3, 200])
        made.append(a_log(dice.choice(EVENTS), dice, block, index))
    return [log for log, _ in made], [row for _, row in made]


def an_answer(logs: object, **more: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "result": logs, **more}).encode()


def rows(body: bytes) -> list[Json]:
    """What was decoded, as Python objects made without the code under test."""
    batch = decode_logs(body, ASKED)
    batch.validate(full=True)
    assert batch.schema.equals(SCHEMA)
    return [
        {k: int(v) if hasattr(v, "scaleb") else v for k, v in r.items()} for r in batch.to_pylist()
    ]


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_every_kind_comes_out_as_it_went_in(seed: int, count: int) -> None:
    logs, wanted = some_logs(seed, count)
    assert rows(an_answer(logs)) == wanted


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_answer_of_one_kind(event: Event) -> None:
    dice = dice_of(event.kind)
    made = [a_log(event, dice, 100 + i, i) for i in range(20)]
    assert rows(an_answer([log for log, _ in made])) == [row for _, row in made]


def test_spaces_and_capital_digits_change_nothing() -> None:
    logs, wanted = some_logs(3, 12)
    spaced = json.dumps({"id": 7, "result": logs}, indent=3).encode()
    assert rows(spaced) == wanted
    loud = [
        {
            **log,
            "address": POOL,
            "data": "0x" + log["data"][2:].upper(),
            "topics": ["0x" + topic[2:].upper() for topic in log["topics"]],
            "blockNumber": "0x" + log["blockNumber"][2:].upper(),
        }
        for log in logs
    ]
    assert rows(an_answer(loud)) == wanted


def test_times_that_are_not_told_are_null() -> None:
    logs, wanted = some_logs(4, 12)
    for number, log in enumerate(logs):
        if number % 3 == 0:
            del log["blockTimestamp"]
        elif number % 3 == 1:
            log["blockTimestamp"] = None
    told = [row["block_timestamp"] for row in rows(an_answer(logs))]
    assert told == [row["block_timestamp"] if i % 3 == 2 else None for i, row in enumerate(wanted)]
    for log in logs:
        log.pop("blockTimestamp", None)
    assert decode_logs(an_answer(logs), ASKED).column("block_timestamp").null_count == 12


def test_logs_that_a_reorganisation_removed_are_left_out() -> None:
    logs, wanted = some_logs(6, 12)
    for at in (0, 5, 11):
        logs[at]["removed"] = True
    kept = [row for at, row in enumerate(wanted) if at not in (0, 5, 11)]
    assert rows(an_answer(logs)) == kept
    assert rows(an_answer([{**log, "removed": True} for log in logs])) == []


def test_no_logs_are_no_rows() -> None:
    assert decode_logs(an_answer([]), ASKED).num_rows == 0


def test_integers_read_a_column_without_decimals() -> None:
    logs, wanted = some_logs(5, 25)
    batch = decode_logs(an_answer(logs), ASKED)
    for name in ("amount0", "sqrt_price_x96", "amount"):
        assert integers(batch.column(name)) == [row[name] or 0 for row in wanted]
        assert integers(batch.slice(7).column(name)) == [row[name] or 0 for row in wanted[7:]]


def test_a_refusal_is_told_with_its_code() -> None:
    refused = json.dumps({"id": 7, "error": {"code": -32005, "message": "too many\nresults"}})
    with pytest.raises(RpcError, match=r"a node refused: too many \(code -32005\)"):
        decode_logs(refused.encode(), ASKED)
    with pytest.raises(NodeError, match="an error that is not one"):
        decode_logs(b'{"id": 7, "error": "no"}', ASKED)


SWAP = EVENTS[0]
Change = Callable[[list[Json]], object]


def changed(log: Json, **values: object) -> Json:
    return {**log, **values}


IMPOSSIBLE: dict[str, tuple[Change, str]] = {
    "a word missing": (lambda g: [changed(g[0], data=g[0]["data"][:-64])], "values of 160 bytes"),
    "a word too many": (lambda g: [changed(g[0], data=g[0]["data"] + "0" * 64)], "160 bytes"),
    "half a byte": (lambda g: [changed(g[0], data=g[0]["data"][:-1])], "160 bytes"),
    "half a byte moved": (
        lambda g: [
            changed(g[0], data=g[0]["data"][:-1]),
            changed(g[1], data=g[1]["data"] + "0"),
        ],
        "not 0x and 160 bytes",
    ),
    "no hex": (lambda g: [changed(g[0], data=g[0]["data"][:-1] + "g")], "not hexadecimal"),
    "a space in hex": (lambda g: [changed(g[0], data=g[0]["data"][:-1] + " ")], "hexadecimal"),
    "no 0x": (lambda g: [changed(g[0], data="00" + g[0]["data"][2:])], "not 0x"),
    "data is null": (lambda g: [changed(g[0], data=None)], "160 bytes"),
    "a foreign address": (lambda g: [changed(g[0], address="0x" + "11" * 20)], "not the pool"),
    "a foreign topic": (
        lambda g: [changed(g[0], topics=["0x" + "22" * 32, *g[0]["topics"][1:]])],
        "not asked for",
    ),
    "a topic almost ours": (
        lambda g: [changed(g[0], topics=[g[0]["topics"][0][:-1] + "0", *g[0]["topics"][1:]])],
        "not asked for",
    ),
    "no topic": (lambda g: [changed(g[0], topics=[])], "without a topic"),
    "a topic missing": (lambda g: [changed(g[0], topics=g[0]["topics"][:-1])], "too few"),
    "a short topic": (
        lambda g: [changed(g[0], topics=[*g[0]["topics"][:-1], "0x12"])],
        "not 0x and 32 bytes",
    ),
    "a topic is a number": (
        lambda g: [changed(g[0], topics=[*g[0]["topics"][:-1], 12])],
        "not 0x and 32 bytes",
    ),
    "topics are text": (lambda g: [changed(g[0], topics="0x")], "not a list"),
    "a topic shifted": (
        lambda g: [
            g[0],
            changed(
                g[1], topics=[g[1]["topics"][0] + "0", g[1]["topics"][1][:-1], *g[1]["topics"][2:]]
            ),
        ],
        "not 0x and 32 bytes",
    ),
    "twice": (lambda g: [g[0], g[0]], "twice"),
    "out of order": (lambda g: [g[1], g[0]], "out of order"),
    "before the range": (lambda g: [changed(g[0], blockNumber="0x10")], "outside the blocks"),
    "after the range": (lambda g: [changed(g[0], blockNumber="0xfffffff")], "outside the blocks"),
    "a block in decimals": (lambda g: [changed(g[0], blockNumber="17")], "not a number"),
    "a block as a number": (lambda g: [changed(g[0], blockNumber=1000)], "not a number"),
    "a block with a zero before it": (
        lambda g: [changed(g[0], blockNumber="0x0100")],
        "not a number",
    ),
    "a negative block": (lambda g: [changed(g[0], blockNumber="-0x64")], "not a number"),
    "a block of many digits": (
        lambda g: [changed(g[0], blockNumber="0x" + "f" * 20)],
        "proportion",
    ),
    "an index with an underscore": (lambda g: [changed(g[0], logIndex="0x1_0")], "not a number"),
    "a negative index": (lambda g: [changed(g[0], logIndex="-0x1")], "not a number"),
    "an index beyond all blocks": (lambda g: [changed(g[0], logIndex="0x80000000")], "no block"),
    "a short hash": (lambda g: [changed(g[0], transactionHash="0x12")], "values of 32 bytes"),
    "time goes back": (
        lambda g: [g[0], changed(g[1], blockTimestamp="0x1")],
        "time that cannot be",
    ),
    "two times of one block": (
        lambda g: [g[0], changed(g[1], blockNumber=g[0]["blockNumber"], logIndex="0xffff")],
        "time that cannot be",
    ),
    "a field missing": (lambda g: [{k: v for k, v in g[0].items() if k != "data"}], "data"),
    "logs are none": (lambda g: ["log"], "Expected `object`"),
    "no list": (lambda g: {"logs": g}, "result"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_be_is_one_clear_error(what: str) -> None:
    dice = dice_of(1)
    logs = [a_log(SWAP, dice, 100 + i, i)[0] for i in range(3)]
    change, said = IMPOSSIBLE[what]
    assert len(rows(an_answer(logs))) == 3
    with pytest.raises(NodeError, match=said) as caught:
        decode_logs(an_answer(change(logs)), ASKED)
    assert not isinstance(caught.value, RpcError)
    assert caught.value.message.startswith("a node answered")


def with_word(at: int, word: bytes) -> Json:
    log = a_log(SWAP, dice_of(1), 100, 0)[0]
    data = bytes.fromhex(log["data"][2:])
    return {**log, "data": "0x" + (data[: 32 * at] + word + data[32 * at + 32 :]).hex()}


@pytest.mark.parametrize(
    ("at", "number", "said"),
    [
        (0, 2**251, "amount0 of a swap"),
        (1, -(2**251) - 1, "amount1 of a swap"),
        (2, 2**160, "beyond 160 bits as sqrt_price_x96"),
        (2, 2**200, "beyond 160 bits as sqrt_price_x96"),
        (3, 2**128, "beyond 128 bits as liquidity"),
        (4, MAX_TICK + 1, "tick"),
        (4, MIN_TICK - 1, "tick"),
        (4, 2**24 - 1, "tick"),
        (4, 2**64 + 5, "tick"),
        (4, 2**255, "tick"),
    ],
)
def test_a_word_that_its_type_cannot_hold(at: int, number: int, said: str) -> None:
    word = (number % 2**256).to_bytes(32, "big")
    with pytest.raises(NodeError, match=said):
        decode_logs(an_answer([with_word(at, word)]), ASKED)


def test_an_address_of_more_than_twenty_bytes() -> None:
    log = a_log(SWAP, dice_of(1), 100, 0)[0]
    log["topics"][1] = "0x" + "0" * 23 + "1" + "0" * 40
    with pytest.raises(NodeError, match="more than 20 bytes as sender of a swap"):
        decode_logs(an_answer([log]), ASKED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b"\xff\xfe",
        an_answer([])[:-1],
        an_answer(some_logs(1, 3)[0])[:-40],
        an_answer(None),
        b'{"id": 8, "result": []}',
        b'{"result": []}',
        b'{"id": 7}',
    ],
)
def test_nonsense_is_a_node_error(body: bytes) -> None:
    with pytest.raises(NodeError, match=r"^a node answered"):
        decode_logs(body, ASKED)
