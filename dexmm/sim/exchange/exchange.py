"""An exchange in memory with fees, depth and latency: implements ``protocols.Cex`` for a backtest.

Its price is moved from outside (``pass_price``), and nothing in it is random. What it assumes is
``VenueCosts``; what it answers is what the client of the real exchange would have answered, down to
the words of a refusal.

    a price passes   funding that is due is paid, holes in the books close, resting orders that the
                     price has come to are filled, a position without margin is closed
    a step is sent   it meets the books ``latency_ms`` later. ``coming`` is where the price goes
                     next: nothing that is observed depends on it, only what a step then meets
    observe          the account and the books at the time of the last of these

All sums are exact: what ``take_flows`` tells is the change of the account, to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Literal

from dexmm.errors import BadInput, Transient
from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent, OrderStatus
from dexmm.model.steps import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    CexStep,
    Outcome,
    PlaceOrder,
    SetLeverage,
)
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.sim.agents.price_process import Candle
from dexmm.sim.exchange.background_book import Fill, House
from dexmm.sim.exchange.cash_flows import Flows, VenueFlow
from dexmm.sim.exchange.cost_model import MOST_LEVERAGE, MarketTerms, VenueCosts
from dexmm.sim.exchange.market import Account, VenueMarket
from dexmm.sim.exchange.orders import Orders
from dexmm.sim.exchange.perpetual import PerpetualAccount
from dexmm.sim.exchange.rejections import (
    CANCELED,
    MARGIN_INSUFFICIENT,
    leverage_invalid,
    refuse,
    refuse_amend,
    refuse_leverage,
)
from dexmm.sim.exchange.rounding import BP, UNIT, ZERO
from dexmm.sim.exchange.spot import SpotAccount
from dexmm.units import EXACT, PRICE

HOUR_MS = 3_600_000
DAY_SECONDS = 86_400
COUNTED_SINCE = 1  # one exchange, one count of what quotes have traded


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSymbols:
    """What is traded, by ccxt's names: of ``[exchange]`` in the configuration."""

    exchange: str = "binance"
    spot: str = "PAXG/USDT"
    perpetual: str | None = None
    triangle: tuple[str, ...] = ()  # base/coin and coin/quote, or nothing
    amends: bool = False  # a resting order's price can be changed in place


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOpening:
    """What the account begins with."""

    coins: Mapping[str, Decimal] = field(default_factory=dict)  # whole coins in spot
    margin: Decimal = ZERO  # quote in the derivatives account


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAt:
    at_ms: int
    fair: Decimal  # quote per base


class SimExchange:
    """``clock`` is the runner's, in seconds: what it stamps is never stale."""

    def __init__(
        self,
        costs: VenueCosts,
        symbols: VenueSymbols,
        opening: VenueOpening,
        clock: Callable[[], int],
        *,
        cancel_window_seconds: int = DAY_SECONDS,
        market: str = "",
    ) -> None:
        """``market``: the name of the market that orders are placed for.

        Raises ``BadInput`` for a symbol that is none or a balance below zero.
        """
        for coin, amount in (*opening.coins.items(), ("margin", opening.margin)):
            if not (amount.is_finite() and amount >= 0):
                raise BadInput(f"an account cannot begin with {amount} {coin}")
        self.costs, self.symbols = costs, symbols
        self.liquidations: list[int] = []  # when, milliseconds
        self._clock = clock
        account = f"{symbols.exchange}:simulated"
        self._orders = Orders(account, clock, cancel_window_seconds, market)
        self._flows = Flows()
        with localcontext(EXACT):
            self._open(opening)
        self._passed: PriceAt | None = None
        self._coming: PriceAt | None = None
        self._at_ms = 0
        self._funding_at = 0
        self._told_beyond = ZERO

    def _open(self, opening: VenueOpening) -> None:
        costs, symbols = self.costs, self.symbols
        spot = costs.spot.instrument(symbols.spot)
        self._account = SpotAccount(opening.coins, spot.base, spot.quote, self._flows)
        self._position = PerpetualAccount(opening.margin, costs, self._flows)
        terms = {symbols.spot: costs.spot}
        legs = (costs.cross, costs.coin) if symbols.triangle else ()
        terms |= dict(zip(symbols.triangle, legs, strict=True))
        self._markets = {s: _market(t, s, self._account) for s, t in terms.items()}
        self._account.markets = tuple(self._markets.values())
        if symbols.perpetual is not None:
            market = _market(costs.perpetual, symbols.perpetual, self._position)
            self._markets[symbols.perpetual] = self._position.market = market

    # The world outside

    @property
    def fair_price(self) -> Decimal:
        """The last price that passed; what ``take_flows`` counts at. Raises ``Transient``."""
        return self._seen().fair

    def pass_price(self, at_ms: int, fair: Decimal, coming: PriceAt | None = None) -> None:
        """The fair price of this moment; ``coming`` is the next one, where it is known.

        Raises ``BadInput`` for a price that cannot be and a time that goes back.
        """
        self._require_sane(at_ms, fair, coming)
        with localcontext(EXACT):
            self._fund(at_ms)
            for market in self._markets.values():
                market.house.recover(self.costs.recovery)
            self._passed = PriceAt(at_ms=at_ms, fair=fair)
            self._coming = coming
            self._at_ms = at_ms
            self._move(fair)

    def pass_candle(
        self, candle: Candle, interval_seconds: int, following: Candle | None = None
    ) -> None:
        """The way from a candle's open to its close; ``following`` begins right after it."""
        way = _way(candle, interval_seconds)
        after = _way(following, interval_seconds)[0] if following is not None else None
        for here, coming in zip(way, (*way[1:], after), strict=True):
            self.pass_price(here.at_ms, here.fair, coming)

    def _require_sane(self, at_ms: int, fair: Decimal, coming: PriceAt | None) -> None:
        for price in (fair, *((coming.fair,) if coming else ())):
            if not (price.is_finite() and price > 0):
                raise BadInput(f"{price} cannot be a price: it must be above zero")
        if at_ms < self._at_ms or (coming is not None and coming.at_ms <= at_ms):
            raise BadInput(f"prices must come in the order of their times: {at_ms} does not")

    def _fund(self, at_ms: int) -> None:
        every = self.costs.funding_hours * HOUR_MS
        if not self._funding_at:
            self._funding_at = at_ms - at_ms % every + every
        while self._funding_at <= at_ms:
            self._at_ms = max(self._at_ms, self._funding_at)
            self._funding_at += every
            if self._position.base:
                self._position.fund()
                self._liquidate()

    def _move(self, fair: Decimal) -> None:
        symbols, costs = self.symbols, self.costs
        self._markets[symbols.spot].house.move(fair)
        if symbols.perpetual is not None:
            mark = (fair * (1 + costs.perpetual_basis_bp * BP)).quantize(UNIT)
            self._markets[symbols.perpetual].house.move(mark)
        if symbols.triangle:
            cross, coin = symbols.triangle
            self._markets[cross].house.move(PRICE.divide(fair, costs.coin_price))
            self._markets[coin].house.move(costs.coin_price)
        for market in self._markets.values():
            if market.resting:
                self._orders.fill_reached(market)
        self._liquidate()

    # What a turn does

    @property
    def orders(self) -> list[OrderIntent]:
        """Everything that was ever sent, oldest first, as it stands now."""
        return list(self._orders.stored.values())

    def observe(self) -> VenueView:
        """Raises ``Transient`` before the first price."""
        self._seen()
        with localcontext(EXACT):
            return self._view(self._clock())

    def take_flows(self) -> tuple[VenueFlow, ...]:
        """What has changed base and quote since the last call, valued at ``fair_price``.

        The perpetual's basis (its mark beyond the fair price) is the hedge's profit or loss.
        """
        fair = self.fair_price
        with localcontext(EXACT):
            beyond = self._position.beyond(fair)
            self._flows.add("hedge", quote=beyond - self._told_beyond)
            self._told_beyond = beyond
            return self._flows.take()

    def send(self, step: CexStep) -> Outcome:
        """Raises ``Transient`` before the first price, ``BadInput`` for an unknown symbol."""
        self._seen()
        with localcontext(EXACT):
            match step:
                case PlaceOrder():
                    return self._place(step)
                case CancelOrder():
                    return self._cancel(step)
                case AmendOrder():
                    return self._amend(step)
                case CancelAll():
                    return self._cancel_all(step)
                case SetLeverage():
                    return self._set_leverage(step)

    def _seen(self) -> PriceAt:
        if self._passed is None:
            raise Transient("the simulated exchange has no price yet")
        return self._passed

    def _market_of(self, symbol: str) -> VenueMarket:
        if symbol not in self._markets:
            raise BadInput(f"the simulated exchange does not trade {symbol}")
        return self._markets[symbol]

    def _arrive(self) -> None:
        """Let the time pass that a step is under way: the price may move, and others trade."""
        passed, coming = self._seen(), self._coming
        if coming is None or not self.costs.latency_ms:
            return
        self._at_ms = min(self._at_ms + self.costs.latency_ms, coming.at_ms)
        way = (coming.fair - passed.fair) * (self._at_ms - passed.at_ms)
        self._move((passed.fair + way / (coming.at_ms - passed.at_ms)).quantize(UNIT))

    def _place(self, step: PlaceOrder) -> Outcome:
        market = self._market_of(step.symbol)
        if refusal := refuse(step, market.instrument):
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        self._arrive()
        order = self._orders.place(step, market)
        failed = order.status is OrderStatus.REJECTED
        status: Literal["failed", "done"] = "failed" if failed else "done"
        return Outcome(step=step.kind, status=status, detail=order.detail, order=order)

    def _cancel(self, step: CancelOrder) -> Outcome:
        if not self._orders.is_open(step.client_id):
            detail = f"order {step.client_id} has ended already"
            return Outcome(step=step.kind, status="done", detail=detail)
        ended = self._end(step.client_id)
        return Outcome(step=step.kind, status="done", detail=ended.detail, order=ended)

    def _amend(self, step: AmendOrder) -> Outcome:
        """As on an exchange that amends in place: a price that would take ends the order."""
        if not self._orders.is_open(step.client_id):
            detail = f"order {step.client_id} has ended already"
            return Outcome(step=step.kind, status="done", detail=detail)
        market = self._market_of(step.symbol)
        reason = refuse_amend(self._orders.stored[step.client_id], step.price, market.instrument)
        if reason is None and not self.symbols.amends:
            detail = f"{step.symbol}: the exchange does not amend orders in place"
            reason = Refusal(rule="amend", detail=detail)
        if reason is not None:
            return Outcome(step=step.kind, status="refused", detail=reason.detail, refusal=reason)
        self._arrive()
        order = self._orders.stored[step.client_id]
        if order.status.final:
            detail = f"order {step.client_id} has ended already"
            return Outcome(step=step.kind, status="done", detail=detail, order=order)
        after, why = self._orders.amend(step.client_id, step.price, market)
        status: Literal["failed", "done"] = "failed" if why else "done"
        return Outcome(step=step.kind, status=status, detail=why or after.detail, order=after)

    def _cancel_all(self, step: CancelAll) -> Outcome:
        for client_id in [name for m in self._markets.values() for name in m.resting]:
            if self._orders.is_open(client_id):
                self._end(client_id)
        return Outcome(step=step.kind, status="done")

    def _end(self, client_id: str) -> OrderIntent:
        """Take an order out of its book; it may have been filled before that was heard."""
        self._arrive()
        order = self._orders.stored[client_id]
        if order.status.final:
            return order
        return self._orders.cancel(client_id, self._market_of(order.symbol))

    # The perpetual

    def _set_leverage(self, step: SetLeverage) -> Outcome:
        market, wanted = self._market_of(step.symbol), int(step.leverage)
        if refusal := refuse_leverage(step):
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        self._arrive()
        reason = ""
        if market is not self._position.market or not 1 <= wanted <= MOST_LEVERAGE:
            reason = leverage_invalid(step.leverage)
        elif not self._position.covers(wanted):
            reason = MARGIN_INSUFFICIENT
        else:
            self._position.leverage = wanted
        return Outcome(step=step.kind, status="failed" if reason else "done", detail=reason)

    def _liquidate(self) -> None:
        """Close a position that is out of margin: at the book, and beyond it at the mark."""
        position, market = self._position, self._position.market
        if market is None or not position.base or not position.short_of_margin:
            return
        self.liquidations.append(self._at_ms)
        for order in list(market.resting.values()):
            self._orders.close(market, order, CANCELED)
        side, left = (Side.SELL if position.base > 0 else Side.BUY), abs(position.base)
        fills = list(market.house.take(side, left))
        if left := left - sum((fill.amount for fill in fills), ZERO):
            fills.append(Fill(market.house.fair, left))
        for fill in fills:
            position.trade(side, fill, market.instrument.taker_fee, "hedge")
        position.settle_liquidation(sum((fill.value for fill in fills), ZERO))

    # Looking

    def _view(self, now: int) -> VenueView:
        symbols, markets, at = self.symbols, self._markets, now * 1000
        legs = [markets[leg] for leg in symbols.triangle]
        perpetual = self._position.market
        sent, cancelled = self._orders.counts()
        return VenueView(
            exchange=symbols.exchange,
            at=at,
            spot=markets[symbols.spot].instrument,
            perpetual=perpetual.instrument if perpetual is not None else None,
            balances=self._account.balances(),
            spot_book=markets[symbols.spot].book(at),
            perpetual_book=perpetual.book(at) if perpetual is not None else None,
            position=self._position.shown(self._funding_at) if perpetual is not None else None,
            triangle_books=tuple(leg.best(at) for leg in legs),
            triangle=tuple(leg.instrument for leg in legs),
            resting=tuple(_resting(o) for m in markets.values() for o in m.resting.values()),
            pending=(),
            recent_sent=sent,
            recent_cancelled=cancelled,
            amends=symbols.amends,
            quoted_base=self._orders.quoted[0],
            quoted_quote=self._orders.quoted[1],
            quoted_epoch=COUNTED_SINCE,
        )


def _way(candle: Candle, interval_seconds: int) -> tuple[PriceAt, ...]:
    """The waypoints, evenly in time."""
    points = candle.waypoints()
    every = interval_seconds * 1000 // len(points)
    last = (candle.at + interval_seconds) * 1000
    return tuple(
        PriceAt(at_ms=last - every * left, fair=fair)
        for left, fair in zip(range(len(points) - 1, -1, -1), points, strict=True)
    )


def _market(terms: MarketTerms, symbol: str, account: Account) -> VenueMarket:
    instrument = terms.instrument(symbol)
    return VenueMarket(instrument, House(terms.depth, instrument), account)


def _resting(order: OrderIntent) -> RestingOrder:
    return RestingOrder(
        client_id=order.client_id,
        exchange_id=order.exchange_id,
        symbol=order.symbol,
        side=order.side,
        price=order.price,
        amount=order.amount,
        filled=order.filled,
        at=order.created_at * 1000,
        ours=True,
    )
