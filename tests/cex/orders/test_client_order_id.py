"""Client ids in every form: the same for the same intent, ours to us and nobody else's."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.cex.orders.client_order_id import LETTERS, Form, client_order_id, is_ours, purpose_of
from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.venue import Side

INTENT = OrderIntent(
    client_id="",
    account="binance:0123abcd",
    symbol="PAXG/USDT",
    side=Side.BUY,
    kind=OrderKind.IOC,
    purpose=Purpose.HEDGE,
    amount=Decimal("0.1"),
    price=Decimal(4000),
    reduce_only=False,
    created_at=1_700_000_000,
)
PATTERNS = {
    Form.TEXT_32: r"dexmm[hqstux][0-9a-f]{26}",
    Form.TEXT_28: r"t-dexmm[hqstux][0-9a-f]{20}",
    Form.TEXT_18: r"dexmm[hqstux][0-9a-f]{12}",
    Form.UUID: r"6465786d-6d[67][0-9a-f]-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
}


def test_ids_of_journals_that_were_written_before() -> None:
    stored = "dexmmh63bffb23afbcc0bee6bda21fdf"
    assert client_order_id(INTENT, 0) == client_order_id(INTENT, 0, Form.TEXT_32)
    assert is_ours(stored)
    assert purpose_of(stored) is Purpose.HEDGE


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("purpose", list(LETTERS))
def test_each_form_is_written_and_recognised(form: Form, purpose: Purpose) -> None:
    intent = replace(INTENT, purpose=purpose)
    name = client_order_id(intent, 0, form)
    assert re.fullmatch(PATTERNS[form], name)
    assert name == client_order_id(intent, 0, form)
    assert name != client_order_id(intent, 1, form)
    assert is_ours(name)
    assert purpose_of(name) is purpose


def test_a_uuid_is_one_of_version_4() -> None:
    found = uuid.UUID(client_order_id(INTENT, 0, Form.UUID))
    assert (found.version, found.variant) == (4, uuid.RFC_4122)


@given(st.text(max_size=40) | st.uuids(version=4).map(str) | st.none())
def test_other_peoples_ids_are_not_ours(name: str | None) -> None:
    assert not is_ours(name)


@pytest.mark.parametrize(
    "name", ["dexmm", "dexmmh", "t-abcdef0123456789abcdef012345", "t-dexmmh", "6465786d-6d68", ""]
)
def test_what_only_begins_like_ours_is_not(name: str) -> None:
    assert not is_ours(name)
