"""What is kept of a contestant, how rows are ranked, and which of them leads."""

from decimal import Decimal

from backtest.compare_tracks import GATE, track_of

from dexmm.backtest.compare.columns import COLUMNS, best, gas_told, money
from dexmm.backtest.compare.rows import Kind, Row, curve_of, ranked, row_of

HOLD = row_of(track_of("hold", fees=("0", "0")), Kind.HOLDING)
GOOD = row_of(track_of("budget", fees=("30", "30"), gas="10", losses="5"), Kind.STRATEGY)
POOR = row_of(track_of("static", fees=("1", "1"), gas="10", losses="5"), Kind.STATIC)
ROWS = (POOR, HOLD, GOOD)


def column(key: str) -> frozenset[str]:
    return best(next(c for c in COLUMNS if c.key == key), ROWS)


def test_a_row_sums_to_its_net() -> None:
    for row in ROWS:
        assert sum((value for _, value in row.parts), Decimal(0)) == row.figures.net
    assert GOOD.figures.net == 45


def test_the_highest_net_comes_first() -> None:
    assert [row.name for row in ranked(ROWS)] == ["budget", "hold", "static"]


def test_fees_that_cover_gas_pay_it() -> None:
    assert [row.pays_gas for row in ROWS] == [False, None, True]
    assert [gas_told(row) for row in ROWS] == ["no", "–", "yes"]


def test_who_only_holds_does_not_lead_in_costs() -> None:
    assert column("net") == {"budget"}
    assert column("fees") == {"budget"}
    assert column("gas") == frozenset()  # budget and static spent alike: nobody leads
    assert column("turnover") == frozenset()
    assert column("max_drawdown_bp") == {"budget", "hold"}  # fees came before the costs did


def test_holding_leads_where_everybody_loses() -> None:
    found = best(COLUMNS[0], (HOLD, POOR))
    assert found == {"hold"}


def test_refusals_are_counted_by_turn() -> None:
    row = row_of(track_of("budget", fees=("1",), refusals=(GATE, GATE)), Kind.STRATEGY)
    assert [(each.rule, each.turns) for each in row.refused] == [("economic_gate", 2)]


def test_a_curve_starts_at_nothing_and_ends_at_net() -> None:
    curve = GOOD.curve
    assert curve.against_holding == (0, 15, 45)
    assert len(curve.at) == len(curve.share) == 3


def test_a_long_curve_keeps_its_extremes() -> None:
    fees = ["0.01"] * 5_000
    fees[2_345] = "-700"
    curve = curve_of(track_of("long", fees=tuple(fees)), most=100)
    assert len(curve.at) <= 100
    assert min(curve.against_holding) == Decimal("0.01") * 2_345 - 700


def test_money_is_signed() -> None:
    told = [money(Decimal(value)) for value in ("1234.5", "-0.4", "0")]
    assert told == ["+1 234.50", "−0.40", "–"]


def test_every_column_tells_every_row() -> None:
    def cells(row: Row) -> list[str]:
        return [column.told(column.value(row.figures), 2) for column in COLUMNS]

    assert all(all(cells(row)) for row in ROWS)
    assert len({column.key for column in COLUMNS}) == len(COLUMNS)
