"""What the simulated exchange assumes, all of it, and how that reads in a report.

The defaults are those of the sandbox's paper exchange: Binance's PAXG markets, for an account
without volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.errors import BadInput
from dexmm.model.venue import Instrument
from dexmm.sim.exchange.rounding import UNIT, plain

ZERO, ONE = Decimal(0), Decimal(1)
MOST_LEVERAGE = 2
NO_LIMIT = 10**12
HOURS_A_YEAR = 365 * 24


def _require(what: str, value: Decimal, low: int | Decimal, high: int | Decimal = NO_LIMIT) -> None:
    if not (value.is_finite() and low <= value <= high):
        most = f" and at most {high}" if high != NO_LIMIT else ""
        raise BadInput(f"{what} must be at least {plain(Decimal(low))}{most}, not {value}")


def _in_bp(part: Decimal) -> str:
    return plain(part * 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Everybody else's orders around the fair price, on each side."""

    half_spread_bp: Decimal = ONE  # from the fair price to the best level
    spacing_bp: Decimal = ONE  # from one level to the next, of the fair price
    levels: int = 10
    first: Decimal = Decimal("0.5")  # base at the best level
    growth: Decimal = Decimal("0.25")  # each further level adds this part of the first

    def __post_init__(self) -> None:
        _require("a book's half spread in bp", self.half_spread_bp, 0)
        _require("the spacing of a book's levels in bp", self.spacing_bp, 0)
        _require("the growth of a book's levels", self.growth, 0)
        _require("the number of a book's levels", Decimal(self.levels), 1)

    def sentence(self, what: str) -> str:
        more = f", and {plain(self.growth * 100)} % of it more at each further one"
        return (
            f"The {what} book has {self.levels} levels a side: the first "
            f"{plain(self.half_spread_bp)} bp from the fair price, the others "
            f"{plain(self.spacing_bp)} bp apart; {plain(self.first)} base at the first"
            f"{more if self.growth else ' and at each further one'}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """How one symbol is traded. Fees are parts of the notional; 0.001 is 10 bp."""

    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    price_step: Decimal = Decimal("0.01")
    amount_step: Decimal = Decimal("0.0001")
    amount_min: Decimal = Decimal("0.0001")
    cost_min: Decimal = Decimal(5)  # quote
    amount_max: Decimal | None = Decimal(9000)  # of one order; None: no limit
    cost_max: Decimal | None = Decimal(9_000_000)  # quote
    depth: Depth = Depth()

    def __post_init__(self) -> None:
        for what, fee in (("maker", self.maker_fee), ("taker", self.taker_fee)):
            _require(f"a {what} fee (10 bp is 0.001)", fee, 0, Decimal("0.1"))
        _require("a price step", self.price_step, UNIT)
        _require("an amount step", self.amount_step, UNIT)
        _require("the amount at a book's first level", self.depth.first, self.amount_step)
        _require("the smallest amount of an order", self.amount_min, 0)
        _require("the smallest cost of an order", self.cost_min, 0)
        if self.amount_max is not None:
            _require("the largest amount of an order", self.amount_max, self.amount_min)
        if self.cost_max is not None:
            _require("the largest cost of an order", self.cost_max, self.cost_min)

    def instrument(self, symbol: str) -> Instrument:
        """``symbol`` is ccxt's unified name; a perpetual's ends in the coin that settles it."""
        base, _, quote = symbol.partition(":")[0].partition("/")
        if not base or not quote:
            raise BadInput(f"{symbol} is no symbol: write it as PAXG/USDT or PAXG/USDT:USDT")
        return Instrument(
            symbol=symbol,
            base=base,
            quote=quote,
            contract=":" in symbol,
            price_step=self.price_step,
            amount_step=self.amount_step,
            amount_min=self.amount_min,
            cost_min=self.cost_min,
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            tradable=True,
            amount_max=self.amount_max,
            cost_max=self.cost_max,
        )

    def sentence(self, what: str) -> str:
        return (
            f"{what} fees are {_in_bp(self.maker_fee)} bp for a maker and "
            f"{_in_bp(self.taker_fee)} bp for a taker; prices are in steps of "
            f"{plain(self.price_step)}, amounts in steps of {plain(self.amount_step)} and at least "
            f"{plain(self.cost_min)} quote{self._at_most()} an order."
        )

    def _at_most(self) -> str:
        limits = ((self.amount_max, "base"), (self.cost_max, "quote"))
        stated = [f"{plain(limit)} {what}" for limit, what in limits if limit is not None]
        return f" and at most {' and '.join(stated)}" if stated else ""


SPOT = MarketTerms()
PERPETUAL = MarketTerms(
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
    amount_step=Decimal("0.001"),
    amount_min=Decimal("0.001"),
    amount_max=Decimal(1000),
    cost_max=None,
    depth=Depth(half_spread_bp=Decimal("0.5"), first=ONE),
)
CROSS = MarketTerms(
    price_step=Decimal("0.00001"),
    cost_min=Decimal("0.0001"),
    cost_max=Decimal(100),
    depth=Depth(half_spread_bp=Decimal(4), spacing_bp=Decimal(3), first=Decimal("0.3")),
)
COIN = MarketTerms(
    amount_step=Decimal("0.00001"),
    amount_min=Decimal("0.00001"),
    depth=Depth(half_spread_bp=Decimal("0.1"), spacing_bp=Decimal("0.5"), first=Decimal("0.2")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueCosts:
    """Every assumption about the exchange in one place."""

    spot: MarketTerms = SPOT
    perpetual: MarketTerms = PERPETUAL
    cross: MarketTerms = CROSS  # the triangle's base/coin
    coin: MarketTerms = COIN  # the triangle's coin/quote
    coin_price: Decimal = Decimal(100_000)  # quote per coin; it stands still
    recovery: Decimal = ONE  # of what we took from a level, back at the next price
    latency_ms: int = 100  # from sending anything until it meets the book
    perpetual_basis_bp: Decimal = Decimal("-4.7")  # the perpetual minus the fair price
    funding_rate: Decimal = Decimal("0.0000114")  # of the notional; positive: longs pay
    funding_hours: int = 4
    leverage: int = 1  # of the perpetual account until it is set
    maintenance: Decimal = Decimal("0.01")  # of the notional; below it a position is taken over
    liquidation_fee: Decimal = Decimal("0.0125")  # of what is then closed

    def __post_init__(self) -> None:
        _require("the part of the book that recovers", self.recovery, 0, 1)
        _require("the coin's price", self.coin_price, UNIT)
        _require("the latency in ms", Decimal(self.latency_ms), 0)
        _require("the basis in bp", self.perpetual_basis_bp, -5000, 5000)
        _require("the funding rate", self.funding_rate, -1, 1)
        _require("the hours between two fundings", Decimal(self.funding_hours), 1)
        _require("leverage", Decimal(self.leverage), 1, MOST_LEVERAGE)
        _require("the maintenance margin", self.maintenance, 0, 1)
        _require("the liquidation fee", self.liquidation_fee, 0, 1)

    def sentences(self, *, perpetual: bool = True, triangle: bool = True) -> tuple[str, ...]:
        """The assumptions in plain words, without those about what is not configured."""
        return (
            self.spot.sentence("Spot"),
            self.spot.depth.sentence("spot"),
            *self._of_fills(),
            *(self._of_perpetual() if perpetual else ()),
            *(self._of_triangle() if triangle else ()),
        )

    def _of_fills(self) -> tuple[str, ...]:
        back = "all" if self.recovery == 1 else f"{plain(self.recovery * 100)} %"
        return (
            f"What an order takes out of the book leaves a hole until the price moves: {back} of "
            "it is back at the next price.",
            f"An order meets the price that holds {self.latency_ms} ms after it was sent, on the "
            "straight way to the next price of the history; so does each one after it.",
            "A resting order is filled by the moving price alone: whole once the other side's best "
            "price is beyond it, and at exactly its price by what is offered there. No other "
            "takers come, and nobody stands before it in the queue.",
        )

    def _of_perpetual(self) -> tuple[str, ...]:
        yearly = self.funding_rate * HOURS_A_YEAR / self.funding_hours * 100
        side = "above" if self.perpetual_basis_bp >= 0 else "below"
        return (
            self.perpetual.sentence("Perpetual"),
            self.perpetual.depth.sentence("perpetual"),
            f"The perpetual trades {plain(abs(self.perpetual_basis_bp))} bp {side} the fair price. "
            f"Every {self.funding_hours} hours longs pay shorts {plain(self.funding_rate * 100)} % "
            f"({yearly:.2f} % a year).",
            f"A perpetual position whose margin falls below {plain(self.maintenance * 100)} % of "
            f"its worth is closed by the exchange for a fee of "
            f"{plain(self.liquidation_fee * 100)} %; leverage is at most {MOST_LEVERAGE}.",
        )

    def _of_triangle(self) -> tuple[str, ...]:
        return (
            self.cross.sentence("In the triangle's cross market"),
            self.coin.sentence("In the triangle's coin market"),
            f"The triangle's coin stands still at {plain(self.coin_price)} quote, and its cross "
            "market follows the fair price: it offers no profit of its own.",
        )
