"""Tables on narrow terminals: no amount is cut, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dexmm.terminal.table_fitting import NumbersWhole, fitted

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


SENTENCE = (
    "in the pool 1 234 567.89 USDT would earn 16 686.98 of 24 000 in 2024, on 12 345 678 of them"
)


@pytest.mark.parametrize(
    ("kind", "width"),
    [
        (kind, width)
        for kind, least in (("text", 12), ("markup", 12), ("table", 20))
        for width in range(least, 60)
    ],
)
def test_no_number_is_broken_between_its_thousands(width: int, kind: str) -> None:
    out = io.StringIO()
    console = NumbersWhole(file=out, width=width, highlight=False, color_system=None)
    if kind == "table":
        table = Table(box=None, padding=(0, 1, 0, 0))
        table.add_column("n")
        table.add_column("what it is")
        table.add_row("1", Text(SENTENCE, "red"))
        console.print(fitted(table, console))
    else:
        console.print(Text(SENTENCE, "bold") if kind == "text" else f"[bold]{SENTENCE}[/]")
    lines = out.getvalue().splitlines()
    assert "\ue000" not in out.getvalue()
    assert max(map(len, lines)) <= width
    for number in ("1 234 567.89", "16 686.98", "24 000", "2024,", "12 345 678"):
        assert any(number in line for line in lines), (number, lines)


def test_what_only_looks_like_thousands_may_be_broken() -> None:
    out = io.StringIO()
    NumbersWhole(file=out, width=12).print("on 2024-01 1234 times 5", highlight=False)
    assert out.getvalue().splitlines() == ["on 2024-01 ", "1234 times 5"]


def test_styles_stay_where_they_were() -> None:
    out = io.StringIO()
    text = Text.assemble(("1 000", "red"), " of ", ("2 000", "green"))
    NumbersWhole(file=out, width=40, force_terminal=True, color_system="standard").print(text)
    assert out.getvalue() == "\x1b[31m1 000\x1b[0m of \x1b[32m2 000\x1b[0m\n"
