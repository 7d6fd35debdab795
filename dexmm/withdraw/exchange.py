"""The exchange's part of an exit: nothing rests, nothing is short or long, and it is seen to be so.

    cancel       every order of ours, in every book of the market
    close        the perpetual, reduce-only, on a ladder of prices
    sell         only with ``--convert``: the spot base, in slices, on the same ladder
    prove        one more look: nothing of ours rests, no fate is unknown, no position is open

It runs beside the chain's part and neither waits for the other: an exchange that is down costs a
sentence and exit code 5, not a minute in the pool. Coins stay on the exchange; no key that trades
should be able to move them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Protocol, TypeVar

from dexmm.config.schema import Config
from dexmm.errors import DexmmError, Transient
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import CancelAll, CexStep, Outcome, PlaceOrder
from dexmm.model.venue import Book, Instrument, Side, VenueView
from dexmm.protocols import Cex, KeepsLooks
from dexmm.withdraw.report import Leg, Place

PAUSES = (0.5, 1, 2, 4)  # seconds between tries that lead nowhere; then it is given up
LADDER_BP = (Decimal(20), Decimal(100), Decimal(300))  # beyond the best price
MOST_ORDERS = 40  # on one rung, before it is plain that the book does not fill
BP = Decimal("0.0001")
ZERO = Decimal(0)

T = TypeVar("T")


class Means(Protocol):
    """What of the world around a withdraw this part touches."""

    def exchange(self) -> Cex | None:
        """The exchange, None where none is configured, ``Transient`` when it does not answer."""

    def sleep(self, seconds: float) -> None: ...

    def tell(self, line: str) -> None: ...


@dataclass(slots=True)
class ExchangeExit:
    means: Means
    config: Config
    dry_run: bool
    sell: bool
    view: VenueView | None = None
    proved: bool = False
    rest: Decimal = ZERO  # of the perpetual, too small to be closed and told so
    legs: list[Leg] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Everything, or as far as it gets; never raises for what the exchange does."""
        try:
            cex = self._patiently(self.means.exchange)
            if cex is None:
                return
            if self.dry_run:
                self._rehearse(cex)
                return
            self._cancel(cex)
            self._close(cex)
            if self.sell:
                self._sell(cex)
            self._prove(cex)
        except DexmmError as error:
            self.unfinished.append(
                f"the exchange: {error.message}; orders and perpetual there may be as they were"
            )

    def places(self) -> tuple[Place, ...]:
        """The exchange's lines of "what is where"."""
        if self.view is None:
            return ()
        view = self.view
        base, quote = view.balance(view.spot.base), view.balance(view.spot.quote)
        ours = sum(order.ours for order in view.resting)
        note = f"{ours} order{'' if ours == 1 else 's'} resting" if ours else "no orders"
        places = [Place(where=view.exchange, base=base.total, quote=quote.total, note=note)]
        if view.position is not None:
            places.append(
                Place(
                    where="perpetual",
                    base=view.position.base,
                    quote=view.position.margin,
                    note="margin and position" if view.position.base else "margin",
                )
            )
        return tuple(places)

    def words(self) -> str:
        """What the last look showed: orders, perpetual, and what is there."""
        view = self.view
        if view is None:
            return ""
        theirs = sum(not order.ours for order in view.resting)
        others = f" ({theirs} of others, left alone)" if theirs else ""
        perpetual = "" if view.position is None else f", the perpetual is {view.position.base:f}"
        coins = " and ".join(
            f"{view.balance(coin).total:f} {coin}" for coin in (view.spot.base, view.spot.quote)
        )
        return (
            f"{view.exchange} shows no order of ours{others}{perpetual}, no order of unknown fate, "
            f"and {coins}"
        )

    # the legs

    def _cancel(self, cex: Cex) -> None:
        def once() -> None:
            outcome = self._send(cex, "cancel every order on the exchange", CancelAll())
            if outcome.status != "done":
                raise Transient(_why(outcome))

        self._patiently(once)

    def _close(self, cex: Cex) -> None:
        for beyond_bp in LADDER_BP:
            for _ in range(MOST_ORDERS):
                view = self._look(cex)
                held, at, book = view.position, view.perpetual, view.perpetual_book
                if held is None or not held.base:
                    return
                if at is None or book is None:
                    raise Transient("the perpetual's book cannot be read")
                side = Side.BUY if held.base < 0 else Side.SELL
                amount = _floor(abs(held.base), at.amount_step)
                if amount < at.amount_min:
                    self.rest = held.base
                    self.withheld.append(f"a perpetual of {held.base:f} is too small to be closed")
                    return
                step = _order(at, book, side, amount, beyond_bp, reduce_only=True)
                what = f"close the perpetual: {side} {amount:f} {at.symbol} at {step.price:f}"
                if not self._filled(self._send(cex, what, step)):
                    break
        left = self._look(cex).position
        if left is not None and left.base:
            raise Transient(f"the perpetual's last {left.base:f} finds nobody to trade with")

    def _sell(self, cex: Cex) -> None:
        for beyond_bp in LADDER_BP:
            for _ in range(MOST_ORDERS):
                view = self._look(cex)
                at, book = view.spot, view.spot_book
                free = _floor(view.balance(at.base).free, at.amount_step)
                amount = min(free, _floor(self.config.hedge.max_order_base, at.amount_step))
                if amount <= 0 or amount < at.amount_min:
                    return
                step = _order(at, book, Side.SELL, amount, beyond_bp, reduce_only=False)
                if amount * step.price < at.cost_min:
                    return
                what = f"sell {amount:f} {at.symbol} at {step.price:f}"
                if not self._filled(self._send(cex, what, step)):
                    break
        view = self._look(cex)
        left = view.balance(view.spot.base).free
        self.withheld.append(f"{left:f} {view.spot.base} on the exchange is not sold: no buyers")

    def _prove(self, cex: Cex) -> None:
        if isinstance(cex, KeepsLooks):
            cex.forget_looks()
        view = self._look(cex)
        ours = [order.client_id for order in view.resting if order.ours]
        if ours:
            self.unfinished.append(f"{len(ours)} order(s) still rest on the exchange")
        if view.pending:
            self.unfinished.append(f"the fate of {len(view.pending)} order(s) is not known yet")
        held = Decimal(0) if view.position is None else view.position.base
        flat = not held
        if not flat and held != self.rest:
            self.unfinished.append(
                f"the perpetual is {held:f} again: something else trades in this account, stop it"
            )
        self.proved = flat and not ours and not view.pending

    def _rehearse(self, cex: Cex) -> None:
        view = self._look(cex)
        planned = [f"cancel {sum(o.ours for o in view.resting)} order(s) on the exchange"]
        if view.position is not None and view.position.base:
            planned.append(f"close the perpetual of {view.position.base:f}")
        if self.sell:
            base = view.balance(view.spot.base)
            planned.append(f"sell {base.total:f} {base.coin} on the exchange")
        for what in planned:
            outcome = Outcome(step="exchange", status="skipped", detail="planned, not sent")
            self._keep(what, outcome)

    # the means

    def _look(self, cex: Cex) -> VenueView:
        self.view = self._patiently(cex.observe)
        return self.view

    def _send(self, cex: Cex, what: str, step: CexStep) -> Outcome:
        self.means.tell(what)
        try:
            outcome = cex.send(step)
        except Transient as error:
            outcome = Outcome(step=step.kind, status="pending", detail=error.message)
        self._keep(what, outcome)
        return outcome

    def _filled(self, outcome: Outcome) -> bool:
        """Whether the same rung is worth another order; an unknown fate is looked at first."""
        if outcome.status == "pending":
            self.means.sleep(PAUSES[0])
            return True
        return outcome.order is not None and outcome.order.filled > 0

    def _keep(self, what: str, outcome: Outcome) -> None:
        self.legs.append(Leg(what=what, outcome=outcome, collected_base=ZERO, collected_quote=ZERO))

    def _patiently(self, ask: Callable[[], T]) -> T:
        for pause in PAUSES:
            try:
                return ask()
            except Transient as error:
                self.means.tell(f"{error.message}; asking again in {pause} s")
                self.means.sleep(pause)
        return ask()


def _order(
    at: Instrument,
    book: Book,
    side: Side,
    amount: Decimal,
    beyond_bp: Decimal,
    *,
    reduce_only: bool,
) -> PlaceOrder:
    levels = book.asks if side is Side.BUY else book.bids
    if not levels:
        raise Transient(f"nobody {'sells' if side is Side.BUY else 'buys'} {at.symbol} now")
    away = beyond_bp * BP * (1 if side is Side.BUY else -1)
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    steps = (levels[0].price * (1 + away) / at.price_step).to_integral_value(rounding)
    return PlaceOrder(
        symbol=at.symbol,
        side=side,
        order=OrderKind.IOC,
        purpose=Purpose.EXIT,
        amount=amount,
        price=steps * at.price_step,
        reduce_only=reduce_only,
    )


def _floor(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(ROUND_FLOOR) * step


def _why(outcome: Outcome) -> str:
    return outcome.detail or (outcome.refusal.detail if outcome.refusal else outcome.status)
