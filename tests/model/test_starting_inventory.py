"""An inventory as people write it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dexmm.errors import BadInput
from dexmm.model.starting_inventory import Start, start_of

D = Decimal


@pytest.mark.parametrize(
    ("text", "base", "quote"),
    [
        ("5 PAXG + 20000 USDT", "5", "20000"),
        ("20000 usdt+5 paxg", "5", "20000"),
        ("0.125 PAXG", "0.125", "0"),
        ("1e3 USDT", "0", "1000"),
        ("  5   PAXG  ", "5", "0"),
        ("0 PAXG + 1 USDT", "0", "1"),
    ],
)
def test_it_is_read_exactly(text: str, base: str, quote: str) -> None:
    assert start_of(text, "PAXG", "USDT") == Start(base=D(base), quote=D(quote))


@pytest.mark.parametrize(
    "text",
    ["", "5", "PAXG", "5 GOLD", "5 PAXG + 1 PAXG", "-1 PAXG", "nan USDT", "inf PAXG", "5,5 PAXG",
     "5 PAXG 20000 USDT", "1e13 PAXG"],
)  # fmt: skip
def test_what_is_none_is_told_how_to_write_it(text: str) -> None:
    with pytest.raises(BadInput, match=r'is no inventory: write it as "5 PAXG \+ 20000 USDT"'):
        start_of(text, "PAXG", "USDT")


def test_nothing_is_no_beginning() -> None:
    with pytest.raises(BadInput, match="is nothing to begin with"):
        start_of("0 PAXG + 0 USDT", "PAXG", "USDT")


def test_its_worth_is_exact() -> None:
    assert start_of("0.1 PAXG + 0.2 USDT", "PAXG", "USDT").worth(D("4000.1")) == D("400.21")
