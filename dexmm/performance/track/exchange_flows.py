"""What happened on the exchange between two turns, by source: orders against balances. Pure.

The order log says in the end what every order filled; what had filled when a turn looked is told
by the resting orders it saw. The balances must have moved by exactly that. A fill that they do
not show yet waits for the next turn, as long as leaving it out explains them.

    trades      by the order's purpose, fees apart; a fee in a third coin (an exchange's discount
                coin) is outside the balances of the market, and counted as it was valued when it
                was told
    funding     what the derivatives account moved beyond that, where a funding time has passed
    basis       a perpetual's mark moved otherwise than the fair price: counted with the hedges
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from dexmm.model.entry import Entry
from dexmm.model.order import OrderIntent, Purpose
from dexmm.model.venue import Side, VenueView
from dexmm.performance.attribution import Flow, Source
from dexmm.performance.track.holdings import NOTHING, Amounts, Holdings
from dexmm.units import EXACT, PRICE

ZERO = Decimal(0)
LARGEST_FUNDING = Decimal("0.01")  # of the notional between two looks: beyond, it is no funding
SOURCES = {
    Purpose.HEDGE: Source.HEDGE,
    Purpose.SLICE: Source.HEDGE,
    Purpose.EXIT: Source.HEDGE,
    Purpose.QUOTE: Source.QUOTE,
    Purpose.TRIANGLE: Source.TRIANGLE,
    Purpose.UNWIND: Source.TRIANGLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What one order traded in one interval. ``traded`` is without its fees."""

    order: OrderIntent
    traded: Amounts
    fee: Amounts  # positive: paid
    elsewhere: Decimal = ZERO  # quote; the fee's part in a coin outside the market, as valued

    @property
    def contract(self) -> bool:
        return ":" in self.order.symbol

    @property
    def net(self) -> Amounts:
        return self.traded.less(self.fee)


@dataclass(slots=True)
class _Booked:
    """How much of an order the accounts hold already."""

    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee_base: Decimal = ZERO
    fee_quote: Decimal = ZERO
    third: Amounts = NOTHING  # fees in a coin that is none of its own, but one of the market's
    elsewhere: Decimal = ZERO


@dataclass(slots=True)
class Ledger:
    """Books every order's fills into the interval in which the balances show them."""

    log: Mapping[str, OrderIntent]
    _coins: tuple[str, str] = ("", "")  # that the accounts are kept in
    _waiting: list[OrderIntent] = field(default_factory=list)  # not placed yet; oldest last
    _open: dict[str, _Booked] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting = sorted(self.log.values(), key=lambda o: o.created_at, reverse=True)

    def open_at(self, entry: Entry) -> None:
        """Begin at this turn's look: what had filled before it is in its balances already."""
        self._look(entry.snapshot.venue)
        seen = _seen(entry.snapshot.venue)
        for order in self._placed_by(entry):
            if order.client_id in seen:
                self._open[order.client_id] = self._until(order, seen[order.client_id])

    def between(self, then: Holdings, now: Holdings, after: Entry) -> list[Fill]:
        """The fills that came into the balances by the look of ``after``."""
        self._look(after.snapshot.venue)
        seen = _seen(after.snapshot.venue)
        for order in self._placed_by(after):
            self._open[order.client_id] = _Booked()
        venue = after.snapshot.venue
        if venue is None:
            return []
        told = [fill for each in self._open for fill in self._told(each, seen, venue)]
        moved = Amounts(now.spot.base, now.spot.quote).less(then.spot)
        late = _late([fill for fill in told if not fill.contract], moved)
        for client_id in list(self._open):
            if client_id not in late:
                self._book(client_id, seen)
        return [fill for fill in told if fill.order.client_id not in late]

    def _look(self, venue: VenueView | None) -> None:
        if venue is not None:
            self._coins = (venue.spot.base, venue.spot.quote)

    def _placed_by(self, entry: Entry) -> Iterator[OrderIntent]:
        """Those placed before this turn's look; what the turn itself places comes after it."""
        venue = entry.snapshot.venue
        now = venue.at if venue is not None else entry.at * 1000
        own = {o.order.client_id for o in entry.outcomes if o.order and o.step == "place_order"}
        later = []
        while self._waiting and self._waiting[-1].created_at * 1000 <= now:
            order = self._waiting.pop()
            if order.client_id in own:
                later.append(order)
            else:
                yield order
        self._waiting += reversed(later)

    def _told(
        self, client_id: str, seen: Mapping[str, Decimal], venue: VenueView
    ) -> Iterator[Fill]:
        order, before = self.log[client_id], self._open[client_id]
        now = self._until(order, seen.get(client_id))
        if now == before:
            return
        sign = 1 if order.side is Side.BUY else -1
        with localcontext(EXACT):
            base, quote = sign * (now.filled - before.filled), -sign * (now.cost - before.cost)
            fee = (now.fee_base - before.fee_base, now.fee_quote - before.fee_quote)
            elsewhere = now.elsewhere - before.elsewhere
        yield Fill(
            order=order,
            traded=_in_coins(order, venue, base, quote),
            fee=_in_coins(order, venue, *fee).plus(now.third.less(before.third)),
            elsewhere=elsewhere,
        )

    def _book(self, client_id: str, seen: Mapping[str, Decimal]) -> None:
        if client_id in seen or not self.log[client_id].status.final:
            self._open[client_id] = self._until(self.log[client_id], seen.get(client_id))
        else:
            del self._open[client_id]

    def _until(self, order: OrderIntent, filled: Decimal | None) -> _Booked:
        """An order when ``filled`` of it had filled; None: as it ended.

        One that rests fills at its own price; its fees are in proportion until it ends.
        """
        third, elsewhere = _third_coins(order, self._coins)
        if filled is None or filled >= order.filled:
            return _Booked(
                order.filled, order.cost, order.fee_base, order.fee_quote, third, elsewhere
            )
        part = PRICE.divide(filled, order.filled)
        return _Booked(
            filled,
            EXACT.multiply(filled, order.price),
            PRICE.multiply(order.fee_base, part),
            PRICE.multiply(order.fee_quote, part),
            Amounts(PRICE.multiply(third.base, part), PRICE.multiply(third.quote, part)),
            PRICE.multiply(elsewhere, part),
        )


def exchange_flows(
    fills: Iterable[Fill],
    holdings: tuple[Holdings, Holdings],
    looks: tuple[Entry, Entry],
    deposited: bool,
) -> Iterator[Flow]:
    """``deposited``: whether the product itself took what moved there for a deposit."""
    then, now = holdings
    spot = now.spot.less(then.spot)
    perpetual = EXACT.subtract(now.perpetual, then.perpetual)
    cash = EXACT.subtract(now.cash, then.cash)
    for fill in fills:
        traded, fee = fill.traded, fill.fee
        yield Flow(source=SOURCES[fill.order.purpose], base=traded.base, quote=traded.quote)
        paid = EXACT.add(fee.quote, fill.elsewhere)
        yield Flow(source=Source.EXCHANGE_FEE, base=-fee.base, quote=-paid)
        if fill.contract:
            perpetual = EXACT.subtract(perpetual, fill.net.base)
            cash = EXACT.subtract(cash, fill.net.quote)
        else:
            spot = spot.less(fill.net)
    yield Flow(source=Source.HEDGE, quote=EXACT.subtract(now.basis, then.basis))
    if _is_funding(looks[0].snapshot.venue, looks[1].snapshot.venue, perpetual, cash):
        yield Flow(source=Source.FUNDING, quote=cash)
        cash = ZERO
    rest = spot.plus(Amounts(perpetual, cash))
    source = Source.CAPITAL if deposited else Source.UNEXPLAINED
    yield Flow(source=source, base=rest.base, quote=rest.quote)


def _seen(venue: VenueView | None) -> dict[str, Decimal]:
    """How much of every order that was not final had filled when a turn looked."""
    if venue is None:
        return {}
    resting = {order.client_id: order.filled for order in venue.resting if order.ours}
    return {order.client_id: order.filled for order in venue.pending} | resting


def _third_coins(order: OrderIntent, market: tuple[str, str]) -> tuple[Amounts, Decimal]:
    """Fees in coins that are none of the order's own: in the market's two, and valued elsewhere.

    What is in the market's coins is in its balances; only the rest needs a value.
    """
    coins = dict(order.fee_other)
    inside = Amounts(coins.get(market[0], ZERO), coins.get(market[1], ZERO))
    outside = (value for coin, _, value in order.fee_valued if coin not in market)
    return inside, sum(outside, ZERO)


def _in_coins(order: OrderIntent, venue: VenueView, own: Decimal, other: Decimal) -> Amounts:
    """Amounts of an order's own two coins as base and quote of the market; a third one is none."""
    coins = dict(zip(order.symbol.partition(":")[0].split("/"), (own, other), strict=True))
    return Amounts(coins.get(venue.spot.base, ZERO), coins.get(venue.spot.quote, ZERO))


def _late(fills: list[Fill], moved: Amounts) -> set[str]:
    """The orders whose fills the balances do not show yet."""
    expected = NOTHING
    for fill in fills:
        expected = expected.plus(fill.net)
    if expected == moved:
        return set()
    if moved == NOTHING:
        return {fill.order.client_id for fill in fills}
    missing = expected.less(moved)
    return {next((f.order.client_id for f in fills if f.net == missing), "")} - {""}


def _is_funding(
    then: VenueView | None, now: VenueView | None, perpetual: Decimal, cash: Decimal
) -> bool:
    """Whether cash that no trade explains is funding: its time passed, or is not told, and its
    size is plausible."""
    if then is None or now is None or then.position is None or perpetual or not cash:
        return False
    position = then.position
    due = not position.funding_at or then.at < position.funding_at <= now.at
    return due and abs(cash) <= LARGEST_FUNDING * abs(position.base * position.mark_price)
