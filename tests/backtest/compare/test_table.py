"""The comparison in a terminal of any width."""

import io

import pytest
from backtest.compare_tracks import track_of
from rich.console import Console

from dexmm.backtest.compare.rows import Kind, row_of
from dexmm.backtest.compare.table import comparison

ROWS = (
    row_of(track_of("hold", fees=("0", "0")), Kind.HOLDING),
    row_of(track_of("budget", fees=("30", "30"), gas="10", losses="5"), Kind.STRATEGY),
    row_of(track_of("static ±2 %", fees=("1", "1"), gas="10", losses="5"), Kind.STATIC),
)


def printed(width: int, *, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    console.print(comparison(ROWS, console, "USDT"))
    return out.getvalue()


def test_a_pipe_gets_one_table_sorted_by_net_with_the_best_marked() -> None:
    lines = printed(200, terminal=False).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["budget", "hold", "static ±2 %"]
    assert "+45.00*" in lines[1]
    assert lines[1].rstrip().endswith("yes")
    assert lines[3].rstrip().endswith("no")


@pytest.mark.parametrize(("width", "tables"), [(80, 3), (100, 2), (160, 1)])
def test_nothing_is_cut_on_a_terminal(width: int, tables: int) -> None:
    text = printed(width, terminal=True)
    assert "…" not in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert text.count("budget") == tables
    for heading in ("net", "turnover", "drawdown bp", "pays gas"):
        assert text.count(heading) == 1 + (heading == "net")  # "net bp" is another


@pytest.mark.parametrize("width", [16, 24, 40, 60])
def test_nothing_is_cut_where_not_even_one_column_has_room(width: int) -> None:
    text = printed(width, terminal=True)
    assert "…" not in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "+45.00" in text
