"""What words mean, without a chain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexmm.chain.observe.chain_view import mean_tick
from dexmm.chain.rpc.abi import Answer, array, padded, sequence, word, words
from dexmm.chain.rpc.receipts import Receipt
from dexmm.chain.send.intent_status import judged
from dexmm.model.intent import Attempt, Intent, IntentStatus

INT56 = 2**56


def wrapped(value: int) -> int:
    return (value + INT56 // 2) % INT56 - INT56 // 2


@given(
    st.integers(-(2**55), 2**55 - 1),
    st.integers(-887_272, 887_272),
    st.integers(0, 59),
    st.integers(60, 10**6),
)
def test_the_mean_tick_is_floored_and_survives_the_wrap(
    start: int, tick: int, rest: int, seconds: int
) -> None:
    end = wrapped(start + tick * seconds + rest)
    assert mean_tick((start, end), seconds) == tick


def test_a_negative_mean_goes_down() -> None:
    assert mean_tick((0, -7), 2) == -4
    assert mean_tick((), 1800) is None


@given(st.integers(-(2**255), 2**256 - 1))
def test_a_word_and_back(value: int) -> None:
    answer = Answer(word(value), "a test")
    assert answer.uint(0) == value % 2**256
    if value < 2**255:
        assert answer.sint(0, 256) == value


@given(st.lists(st.binary(max_size=100), max_size=5), st.lists(st.integers(0, 2**64), max_size=4))
def test_dynamic_arrays_are_as_the_abi_has_them(items: list[bytes], numbers: list[int]) -> None:
    from eth_abi import encode

    assert words(32) + sequence([padded(item) for item in items]) == encode(["bytes[]"], [items])
    assert words(32) + array(numbers) == encode(["uint256[]"], [numbers])
    answer = Answer(encode(["bytes[]"], [items]), "a test")
    at = answer.at(0)
    found = [answer.bytes_at(answer.at(at + 1 + i, at + 1)) for i in range(answer.count(at, 1))]
    assert found == items


def attempt(name: str, cancels: bool = False) -> Attempt:
    return Attempt(
        tx_hash=name,
        raw_transaction="0x",
        max_fee_per_gas=1,
        max_priority_fee_per_gas=1,
        created_at=0,
        block=1,
        cancels=cancels,
    )


def receipt(name: str, block: int, succeeded: bool = True) -> Receipt:
    return Receipt(tx_hash=name, block=block, succeeded=succeeded, gas_used=5, gas_price=7, logs=())


INTENT = Intent(
    id="x",
    wallet="w",
    chain_id=1,
    nonce=0,
    step="rerange",
    is_exit=False,
    created_at=0,
    attempts=(attempt("a"), attempt("b", cancels=True)),
)


def test_an_intent_is_what_its_receipts_say() -> None:
    assert judged(INTENT, {"a": None, "b": None}, 10, 2) == INTENT
    mined = judged(INTENT, {"a": receipt("a", 9), "b": None}, 10, 2)
    assert (mined.status, mined.tx_hash, mined.block) == (IntentStatus.MINED, "a", 9)
    assert (mined.gas_used, mined.gas_price) == (5, 7)
    deep = judged(mined, {"a": receipt("a", 9)}, 11, 2)
    assert deep.status is IntentStatus.CONFIRMED
    assert judged(mined, {"a": receipt("a", 9, False)}, 11, 2).status is IntentStatus.REVERTED
    assert judged(mined, {"b": receipt("b", 9)}, 11, 2).status is IntentStatus.CANCELLED
    assert judged(mined, {"a": None, "b": None}, 11, 2) == INTENT, "a reorganisation dropped it"
