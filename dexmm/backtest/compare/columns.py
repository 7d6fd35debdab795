"""What a comparison shows of each contestant, and which of them is best at it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dexmm.backtest.compare.rows import Kind, Row
from dexmm.performance.entry_text import digits
from dexmm.performance.metrics import Figures
from dexmm.performance.number_format import CENTS, places_of

NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``higher`` says which end is the better one; None: neither is.

    What costs is best compared among those who act: who only holds has no gas to save.
    """

    key: str
    heading: str
    value: Callable[[Figures], Decimal]
    told: Callable[[Decimal, int], str]  # given the decimals of money
    meaning: str
    higher: bool | None = True
    of_all: bool = False


def money(value: Decimal, places: int = CENTS) -> str:
    """Signed; a plain dash for nothing at all."""
    if not value:
        return NOTHING
    return ("+" if value > 0 else "−") + digits(abs(value), places)


@dataclass(frozen=True, slots=True)
class Money:
    """How sums in one quote are told."""

    places: int

    @classmethod
    def of(cls, quote: str) -> Money:
        return cls(places_of(quote))

    def signed(self, value: Decimal) -> str:
        return money(value, self.places)

    def said(self, value: Decimal) -> str:
        """In a sentence: nothing is a number too."""
        return self.signed(value) if value else self.plain(value)

    def plain(self, value: Decimal) -> str:
        return digits(value, self.places)

    def large(self, value: Decimal) -> str:
        """Of sums whose cents nobody minds."""
        return digits(value, self.places - CENTS)


def percent(value: Decimal) -> str:
    return f"{value * 100:.1f} %"


def _volume(value: Decimal, places: int) -> str:
    return digits(value, places - CENTS) if value else NOTHING


def _bp(value: Decimal, _places: int) -> str:
    return ("−" if value < 0 else "") + digits(abs(value), 1)


def _signed_bp(value: Decimal, places: int) -> str:
    return ("+" if value > 0 else "") + _bp(value, places) if value else NOTHING


def _efficiency(value: Decimal, _places: int) -> str:
    return digits(value, 2) if value else NOTHING


def _share(value: Decimal, _places: int) -> str:
    return percent(value)


def _part(value: Decimal, _places: int) -> str:
    return f"{value * 100:.2f} %" if value else NOTHING


def _count(value: Decimal, _places: int) -> str:
    return f"{value:.0f}" if value else NOTHING


COLUMNS = (
    Column(
        key="net",
        heading="net",
        value=lambda f: f.net,
        told=money,
        meaning="gained or lost against holding, after every cost, in quote",
        of_all=True,
    ),
    Column(
        key="net_bp",
        heading="net bp",
        value=lambda f: f.net_bp,
        told=_signed_bp,
        meaning="the same, in basis points of the capital",
        of_all=True,
    ),
    Column(
        key="fees",
        heading="fees",
        value=lambda f: f.fees,
        told=money,
        meaning="what the pool paid, the protocol's share already gone",
    ),
    Column(
        key="divergence",
        heading="divergence",
        value=lambda f: f.divergence,
        told=money,
        meaning="the liquidity against having held what it was made of",
    ),
    Column(
        key="loss_versus_rebalancing",
        heading="LVR",
        value=lambda f: f.loss_versus_rebalancing,
        told=money,
        meaning="the part of the divergence that arbitrage took: loss-versus-rebalancing",
    ),
    Column(
        key="gas",
        heading="gas",
        value=lambda f: f.gas,
        told=money,
        meaning="all transactions, in quote",
    ),
    Column(
        key="turnover",
        heading="turnover",
        value=lambda f: f.turnover,
        told=_volume,
        meaning="traded by its own actions, in quote",
        higher=None,
    ),
    Column(
        key="time_in_band",
        heading="in band",
        value=lambda f: f.time_in_band,
        told=_share,
        meaning="share of the time that the inventory's share was inside its band",
        of_all=True,
    ),
    Column(
        key="share_low",
        heading="share min",
        value=lambda f: f.share_low,
        told=_share,
        meaning="of base in the inventory",
        higher=None,
    ),
    Column(
        key="share_mean",
        heading="mean",
        value=lambda f: f.share_mean,
        told=_share,
        meaning="of base in the inventory",
        higher=None,
    ),
    Column(
        key="share_high",
        heading="max",
        value=lambda f: f.share_high,
        told=_share,
        meaning="of base in the inventory",
        higher=None,
    ),
    Column(
        key="max_drawdown_bp",
        heading="drawdown bp",
        value=lambda f: f.max_drawdown_bp,
        told=_bp,
        meaning="the deepest fall of net worth below its peak",
        higher=False,
        of_all=True,
    ),
    Column(
        key="reranges",
        heading="re-ranges",
        value=lambda f: Decimal(f.reranges),
        told=_count,
        meaning="transactions that moved a range",
        higher=None,
    ),
    Column(
        key="capital_efficiency_bp",
        heading="bp a day",
        value=lambda f: f.capital_efficiency_bp,
        told=_efficiency,
        meaning="capital efficiency: fees a day, in basis points of the capital in ranges",
    ),
)


# Beside the net of a row: what it is by the other yardsticks, and how large it was in the pool.
YARDSTICKS = (
    COLUMNS[0],
    Column(
        key="against_rebalanced",
        heading="vs rebalanced",
        value=lambda f: f.against_rebalanced,
        told=money,
        meaning="gained or lost against the inventory rebalanced to its target at market cost, in "
        "quote",
        of_all=True,
    ),
    Column(
        key="skill",
        heading="skill",
        value=lambda f: f.skill or Decimal(0),
        told=money,
        meaning="fees less what arbitrage took, gas and trading costs, in quote: where the price "
        "went is no part of it",
    ),
    Column(
        key="liquidity_share",
        heading="of the pool",
        value=lambda f: f.liquidity_share or Decimal(0),
        told=_part,
        meaning="ours of the pool's liquidity in range, mean over time",
        higher=None,
    ),
)


def best(column: Column, rows: Sequence[Row]) -> frozenset[str]:
    """The names of those that nobody beats in this column; none where all are alike."""
    if column.higher is None:
        return frozenset()
    runners = [row for row in rows if column.of_all or row.kind is not Kind.HOLDING]
    values = {row.name: column.value(row.figures) for row in runners}
    if len(set(values.values())) < 2:
        return frozenset()
    top = max(values.values()) if column.higher else min(values.values())
    return frozenset(name for name, value in values.items() if value == top)


def gas_told(row: Row) -> str:
    """Whether a row pays its gas, for people."""
    return {None: NOTHING, True: "yes", False: "no"}[row.pays_gas]


def at_other_assumptions(row: Row, places: int) -> dict[str, str]:
    """By heading: net (and our part of the pool) at each pay ratio, and at other prices of gas."""
    told = {
        f"pay {at.pay_ratio:f}": f"{money(at.net, places)} ({at.liquidity_share * 100:.1f} %)"
        for at in row.ratios
    }
    return told | {
        f"gas {at.gas}": money(at.net, places) for at in row.gas if at.net != row.figures.net
    }
