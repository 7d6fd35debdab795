"""Tables on narrow terminals: no amount is cut, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dexmm.ops.fitting import fitted

AMOUNT = "24695.123456789012345678"


def drawn(width: int) -> str:
    table = Table(box=None, pad_edge=False)
    table.add_column("where")
    for heading in ("PAXG", "USDT"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    table.add_row("wallet", AMOUNT, "1.5", Text("at [block] 12, which is the newest of all"))
    table.add_row("NFT 1", "", "-7", "")
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False)
    console.print(fitted(table, console))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 200])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    text = drawn(width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    whole = "".join(text.split())
    for amount in (AMOUNT, "1.5", "-7", "[block]"):
        assert amount in whole
    if width >= 40:  # an amount stands in one piece where it has any room
        assert AMOUNT in text


def test_rows_are_records_where_there_is_no_room() -> None:
    assert [line.rstrip() for line in drawn(40).splitlines()] == [
        "wallet",
        "  PAXG  24695.123456789012345678",
        "  USDT  1.5",
        "  note  at [block] 12, which is the",
        "        newest of all",
        "NFT 1",
        "  USDT  -7",
    ]


def test_a_table_that_fits_stays_one() -> None:
    assert drawn(200).splitlines()[0].split() == ["where", "PAXG", "USDT", "note"]
