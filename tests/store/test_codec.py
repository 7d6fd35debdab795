"""Every noun survives the journal, whatever its numbers."""

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dexmm.errors import BadInput
from dexmm.model.decision import Decision, Refusal
from dexmm.model.entry import Entry
from dexmm.model.intent import Attempt, InFlight, Intent
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import (
    Allowance,
    Approve,
    Outcome,
    RaiseCardinality,
    Rerange,
    Settle,
    Swap,
    Transfer,
)
from dexmm.store import codec

uint256 = st.integers(0, 2**256 - 1)


@pytest.mark.parametrize(
    "kind", [Intent, Memory, Decision, Rerange, Swap, Outcome, ChainView, InFlight, Refusal]
)
def test_every_noun_returns_as_it_was(kind: type) -> None:
    @given(st.from_type(kind))
    def returns(noun: object) -> None:
        assert codec.load(kind, codec.dump(noun)) == noun

    returns()


# A whole entry takes long to draw, longer on a busy machine: that is no fault of the codec.
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(st.from_type(Entry))
def test_an_entry_returns_as_it_was(entry: Entry) -> None:
    assert codec.load(Entry, codec.dump(entry)) == entry


@given(uint256)
def test_big_integers_are_text(number: int) -> None:
    body = json.loads(codec.dump(Allowance(token="t", spender="s", amount=number, current=0)))
    assert isinstance(body["amount"], str if number > 2**53 else int)
    assert int(body["amount"]) == number


def test_decimals_keep_every_digit() -> None:
    digits = "4012.345678901234567890123456789012345678901234567890"
    body = codec.dump(Memory(last_price=Decimal(digits)))
    assert f'"{digits}"' in body


def test_a_line_that_is_not_the_noun_says_where() -> None:
    with pytest.raises(BadInput, match="max_fee_per_gas"):
        codec.load(Attempt, '{"tx_hash": "0x", "raw_transaction": "0x", "max_fee_per_gas": "x"}')


def test_steps_keep_their_kind() -> None:
    entry_steps = (
        Approve(allowances=()),
        Settle(intent_id="i", action="wait"),
        Transfer(token=None, to="0x", amount=1),
        RaiseCardinality(observation_cardinality_next=2),
    )
    for step in entry_steps:
        assert json.loads(codec.dump(step))["kind"] == step.kind
