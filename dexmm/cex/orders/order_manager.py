"""Orders that happen once.

An intent is stored before anything is sent, and its client order id is what the order is found by
ever after. ``create_order`` is called once. When its answer is missing, broken or odd (a time-out,
a dropped connection, truncated JSON, an order without an id), the exchange is asked for the order
by that id, everywhere it could be. An exchange that takes an order under another id than ours
(cut, or one of its own) would not be able to answer: that is noticed with the first order, which is
then followed by the exchange's id, and no other is placed there. An order that cannot be found has
never been accepted only once the exchange would refuse it as too late and the balances have not
moved as it would have moved them: until then it is *pending*, its worst case counts, and the next
turn asks again.

Amounts and prices must be on the exchange's steps and over its minimums: an order that is not is
refused here, not rounded into something that nobody decided.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal

from dexmm.cex.account_clients import AccountClients
from dexmm.cex.balance_moves import Moves
from dexmm.cex.errors.classify import CallFailed
from dexmm.cex.fee_prices import PriceOf, fee_rate, nothing_known, valued
from dexmm.cex.orders.cancel_ratio import CANCELLED, Tally, was_cancelled
from dexmm.cex.orders.client_order_id import client_order_id
from dexmm.cex.orders.order_report import Told, parse_told, settled
from dexmm.cex.parsing import EXACT, ZERO, on_step, plain
from dexmm.cex.trading_venue import Desk
from dexmm.errors import Halt, Transient
from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent, OrderKind, OrderLog, OrderStatus, Purpose
from dexmm.model.steps import AmendOrder, CancelOrder, Outcome, PlaceOrder
from dexmm.model.venue import Instrument, Side
from dexmm.units import price_text

log = logging.getLogger("dexmm.orders")

SUSPECTED_SECONDS = 120  # for which balances can keep an order alive that cannot be found
NAMELESS = "the exchange does not keep our client ids"
REMEMBERED_SECONDS = 86_400  # for which the last orders tell of the exchange after a restart
RULES_OF_THE_EXCHANGE = {"exchange_step", "exchange_minimum", "exchange_maximum"}
GRACE_MS = 1000  # beyond the window in which the exchange accepts an order: clocks differ
TIMES: dict[OrderKind, dict[str, object]] = {
    OrderKind.IOC: {"timeInForce": "IOC"},
    OrderKind.POST_ONLY: {"postOnly": True},
}


class Orders:
    """Places and cancels for one account and one market."""

    def __init__(
        self,
        account: str,
        desk_of: Callable[[str], Desk],
        log: OrderLog,
        tally: Tally,
        clock: Callable[[], int],
        unexplained: Callable[[OrderIntent], bool],
        market: str = "",
        price_of: PriceOf = nothing_known,
        clients: AccountClients | None = None,
        coins: Collection[str] = (),
    ) -> None:
        """``unexplained``: whether balances have moved as this order, and no other, would have.

        ``market``: the name of the market that every order placed here is for. ``price_of`` a
        coin, in the market's quote: for fees that are paid in a third one. ``clients``: the others
        of this account. ``coins`` are the market's own, whose balances show what they pay.
        """
        self.account = account
        self._price_of = price_of
        self._market = market
        self._clients = AccountClients() if clients is None else clients
        self.others = self._clients.join()
        self._unexplained = unexplained
        self._suspects: set[str] = set()
        # By whether it is a contract: "" where our ids are kept, else why they are not.
        self._names: dict[bool, str] = {}
        self._read_back = False
        self.moves = Moves()
        # What quotes have brought to each coin since then, fees taken off.
        self.quoted: dict[str, Decimal] = {}
        self.quoted_epoch = clock()
        self._coins = frozenset(coins)
        self.fees_outside = Decimal(0)  # quote, that other coins have paid since this began
        self._desk_of = desk_of
        self._log = log
        self._tally = tally
        self._clock = clock

        for order in log.orders_since(account, clock() - REMEMBERED_SECONDS):
            self._learn_fee(order)

    # Placing

    def place(self, step: PlaceOrder) -> Outcome:
        """Raises ``Halt`` for a key that may not trade, ``Transient`` for a log that is locked."""
        desk = self._desk_of(step.symbol)
        instrument = desk.instrument(step.symbol)
        refusal = self._nameless(step, instrument) or refuse(
            step, instrument, post_only=desk.can.post_only
        )
        if refusal:
            if refusal.rule in RULES_OF_THE_EXCHANGE:
                desk.markets.doubt()
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        mode = desk.markets.margin_mode(step.symbol)
        intent = self._intent(step)
        self._log.save_order(intent)
        self._tally.sent()
        try:
            told = self._create(desk, intent, mode)
        except CallFailed as failed:
            return self._failed(desk, intent, failed)
        except Transient as odd:
            return self._look_up(desk, intent, odd.message)
        return self._answered(desk, intent, told)

    def _create(self, desk: Desk, intent: OrderIntent, margin_mode: str) -> Told:
        """Once. A refusal for the time stamp alone is no acceptance, and is sent again in time."""
        symbol, size = intent.symbol, desk.size(intent.symbol)
        params: dict[str, object] = {"clientOrderId": intent.client_id, **TIMES[intent.kind]}
        if intent.reduce_only and desk.instrument(symbol).contract:
            params["reduceOnly"] = True
        if margin_mode:
            params["marginMode"] = margin_mode
        answer = desk.lane.ask(
            "create_order",
            symbol,
            "limit",
            intent.side.value,
            plain(EXACT.divide(intent.amount, size)),
            plain(intent.price),
            params,
        )
        return parse_told(answer, size)

    def _answered(self, desk: Desk, intent: OrderIntent, told: Told) -> Outcome:
        """Complete the answer: an IOC that is not final yet, fills or fees that it left out."""
        unfinished = intent.kind is OrderKind.IOC and not (told.status and told.status.final)
        try:
            if unfinished or told.status is None or told.filled is None:
                told = desk.refetched(told, intent.symbol)
            told = desk.completed(told, intent.symbol)
            if told.client_id is None and not self._keeps_names(intent.symbol):
                told = self._named(desk, intent, told)
        except (CallFailed, Transient):
            known = replace(intent, exchange_id=told.exchange_id, status=OrderStatus.OPEN)
            known = self._watch_name(known, told)
            return self._outcome("place_order", self.record(intent, known))
        return self._outcome("place_order", self.learn(desk, intent, told))

    # Whether the exchange keeps our ids

    def _keeps_names(self, symbol: str) -> bool:
        """Whether an order has been told there under the id that we gave it."""
        return self._names.get(_is_contract(symbol)) == ""

    def _named(self, desk: Desk, intent: OrderIntent, told: Told) -> Told:
        """The same order with the client id that the exchange has for it; once per process.

        An answer to placing an order often has the exchange's id alone. ``client_id`` is "" where
        the exchange tells of the order without one, ``None`` where it does not tell of it yet.
        Raises ``CallFailed``, ``Transient``.
        """
        try:
            found = desk.refetched(told, intent.symbol)
        except CallFailed:  # it may list orders and not be asked for one
            found = told
        if found.client_id is None and (listed := desk.listed(intent, told.exchange_id)):
            found = replace(listed, client_id=listed.client_id or "")
        return replace(told, client_id=found.client_id)

    def _watch_name(self, intent: OrderIntent, told: Told) -> OrderIntent:
        """Remember whether the order is known there by our id; say so in the log if it is not."""
        if told.client_id is None:
            return intent
        place = _is_contract(intent.symbol)
        if told.client_id == intent.client_id:
            self._names.setdefault(place, "")
            return intent
        kept_as = f"under {told.client_id!r}" if told.client_id else "without a client id"
        why = f"{NAMELESS}: {intent.client_id} is kept {kept_as}"
        if not self._names.get(place):
            log.error(
                "%s: %s; it is followed by the exchange's id %s, and no order is placed there "
                "any more: use another exchange, or report this",
                intent.symbol,
                why,
                told.exchange_id,
            )
        self._names[place] = why
        if NAMELESS in intent.detail:
            return intent
        return replace(intent, detail=f"{intent.detail}; {why}" if intent.detail else why)

    def _nameless(self, step: PlaceOrder, instrument: Instrument) -> Refusal | None:
        """Why no order is placed there: one could not be found again if its answer were lost.

        What only reduces a perpetual position cannot happen too often, and is let through.
        """
        place = instrument.contract
        if place not in self._names and not self._read_back:
            self._read_back = True
            since = self._clock() - REMEMBERED_SECONDS
            for order in self._log.orders_since(self.account, since):  # of before a restart
                if NAMELESS in order.detail:
                    told = order.detail[order.detail.index(NAMELESS) :]
                    self._names.setdefault(_is_contract(order.symbol), told)
        why = self._names.get(place)
        if not why or (step.reduce_only and instrument.contract):
            return None
        return Refusal(
            rule="client_order_id",
            detail=f"{step.symbol}: {why}; an order whose answer is lost could not be found again",
        )

    def _failed(self, desk: Desk, intent: OrderIntent, failed: CallFailed) -> Outcome:
        if not failed.fate.happened_not:
            return self._look_up(desk, intent, failed.reason)
        rejected = self.reject(intent, failed.reason)
        if failed.filters:
            desk.markets.invalidate()  # its steps, minimums or status may have changed
        if failed.fate.needs_a_person:
            raise Halt(
                f"the exchange refused an order in {intent.symbol}: {failed.reason}; check the "
                "API key, its permissions, and what this account may trade from here"
            )
        return self._outcome("place_order", rejected)

    def _look_up(self, desk: Desk, intent: OrderIntent, why: str) -> Outcome:
        try:
            outcome = self._outcome("place_order", self.resolve(intent))
        except Transient as error:
            detail = f"{why}; {error.message}"
            return Outcome(step="place_order", status="pending", detail=detail, order=intent)
        if outcome.status != "pending":
            return outcome
        return replace(outcome, detail=f"{why}; {outcome.detail}")

    def _intent(self, step: PlaceOrder) -> OrderIntent:
        now = self._clock()
        form = self._desk_of(step.symbol).can.form
        earlier = [o for o in self._log.orders_since(self.account, now) if o.created_at == now]
        nameless = OrderIntent(
            client_id="",
            account=self.account,
            symbol=step.symbol,
            side=step.side,
            kind=step.order,
            purpose=step.purpose,
            amount=step.amount,
            price=step.price,
            reduce_only=step.reduce_only,
            created_at=now,
            market=self._market,
        )
        return replace(nameless, client_id=client_order_id(nameless, len(earlier), form))

    # What became of an order

    def resolve(self, intent: OrderIntent) -> OrderIntent:
        """Ask the exchange what became of an order, and store it.

        It comes back unchanged while it can still arrive. Raises ``Transient`` when the exchange
        does not answer, ``Halt`` when it does not let us ask.
        """
        desk = self._desk_of(intent.symbol)
        try:
            named = self._keeps_names(intent.symbol)
            told = desk.find(intent, self._known_ids(intent), named=named)
        except CallFailed as failed:
            raise failed.as_error(f"look up order {intent.client_id}") from None
        if told is not None:
            return self.learn(desk, intent, told)
        suspected = self._is_suspected(intent)  # each time: balances move between two looks
        if suspected or not self.too_late(intent):
            return intent
        if intent.exchange_id:  # the exchange had it, and has forgotten it: what we know stays
            forgotten = replace(intent, status=OrderStatus.CLOSED, detail="no longer known")
            return self.record(intent, forgotten)
        return self.reject(intent, "it never reached the exchange")

    def learn(self, desk: Desk, intent: OrderIntent, told: Told) -> OrderIntent:
        """Store what the exchange told about an order of ours.

        A final order whose fees have not been told yet stays open in the log until they have, or
        until nobody can still expect them.
        """
        known = settled(intent, told, desk.instrument(intent.symbol))
        known = valued(self._repriced(self._watch_name(known, told), told), self._price_of)
        if known.status.final and not told.complete and not self.too_late(intent):
            known = replace(known, status=OrderStatus.OPEN)
        return self.record(intent, known)

    def _repriced(self, order: OrderIntent, told: Told) -> OrderIntent:
        """At the price that the exchange tells. A new one that has not come yet stays asked for
        until it would be refused as too late.
        """
        told_price = told.price if told.price is not None and told.price > 0 else None
        if order.kind is not OrderKind.POST_ONLY:
            return order
        if order.amend_price is None:
            if told_price is None or order.status is not OrderStatus.OPEN:
                return order
            return replace(order, price=told_price) if told_price != order.price else order
        if told_price == order.amend_price or order.status.final or self._amend_too_late(order):
            price = order.price if told_price is None else told_price
            return replace(order, price=price, amend_price=None, amend_at=0)
        return order

    def _amend_too_late(self, order: OrderIntent) -> bool:
        window = self._desk_of(order.symbol).can.order_window_ms + GRACE_MS
        return (self._clock() - order.amend_at) * 1000 > window

    def record(self, before: OrderIntent, after: OrderIntent) -> OrderIntent:
        if after != before:
            self._log.save_order(after)
            if after.filled > before.filled:
                log.info("  %s", _fill(before, after))
            instrument = self._desk_of(after.symbol).instrument(after.symbol)
            self._learn_fee(after)
            if after.fee_valued != before.fee_valued:
                coins = self._coins
                self.fees_outside += after.fees_outside(coins) - before.fees_outside(coins)
            self.moves.add(before, after, instrument)
            if after.purpose is Purpose.QUOTE:
                _count(self.quoted, before, after, instrument)
            self._clients.tell(self.others, before, after, instrument)
        return after

    def _learn_fee(self, order: OrderIntent) -> None:
        """What trading there costs, where fees are paid in third coins: the next costs as much."""
        if order.filled > 0 and order.cost > 0 and order.status.final:
            markets = self._desk_of(order.symbol).markets
            maker = order.kind is OrderKind.POST_ONLY
            markets.paid(order.symbol, fee_rate(order), maker=maker)

    def reject(self, intent: OrderIntent, reason: str) -> OrderIntent:
        return self.record(intent, replace(intent, status=OrderStatus.REJECTED, detail=reason))

    def too_late(self, intent: OrderIntent) -> bool:
        """Whether the exchange would refuse the order by now, had it not arrived before."""
        window = self._desk_of(intent.symbol).can.order_window_ms + GRACE_MS
        return (self._clock() - intent.created_at) * 1000 > window

    def _is_suspected(self, intent: OrderIntent) -> bool:
        """The last resort: the exchange denies the order, but the balances may tell of it."""
        if self._clock() - intent.created_at > SUSPECTED_SECONDS:
            return False
        if intent.client_id not in self._suspects and self._unexplained(intent):
            self._suspects.add(intent.client_id)
        return intent.client_id in self._suspects

    def _known_ids(self, intent: OrderIntent) -> frozenset[str]:
        logged = self._log.orders_since(self.account, intent.created_at - 60)
        return frozenset(o.exchange_id for o in logged if o.exchange_id)

    # Amending

    def amend(self, step: AmendOrder) -> Outcome:
        """Change a resting order's price in place, once. The new price is stored before it is
        sent, and afterwards the exchange is asked where the order stands, whatever it answered.

        "done": it rests at the new price, or has ended; "failed": it rests as before; "pending":
        it rests at one of the two. Raises ``Halt`` for a key that may not.
        """
        desk = self._desk_of(step.symbol)
        stored = self._stored(step.client_id)
        if stored is not None and stored.amend_price is not None:
            stored = self.resolve(stored)  # an earlier one, of which nobody knows yet
        if stored is None or stored.status.final:
            detail = f"order {step.client_id} has ended already"
            return Outcome(step=step.kind, status="done", detail=detail)
        if stored.amend_price is not None or stored.status is not OrderStatus.OPEN:
            return self._amended(stored, step, "")
        if refusal := self._refuse_amend(desk, stored, step):
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        asked = replace(stored, amend_price=step.price, amend_at=self._clock())
        self._log.save_order(asked)
        reason = ""
        try:
            desk.amend(stored, step.price)
        except CallFailed as failed:
            reason = failed.reason
            if failed.fate.happened_not:
                asked = self.record(asked, stored)
            if failed.fate.needs_a_person:
                raise failed.as_error(f"amend order {step.client_id}") from None
        try:
            return self._amended(self.resolve(asked), step, reason)
        except Transient as error:
            return self._amended(asked, step, "; ".join(filter(None, (reason, error.message))))

    def _amended(self, order: OrderIntent, step: AmendOrder, reason: str) -> Outcome:
        if order.status.final:
            return Outcome(step=step.kind, status="done", detail=order.detail, order=order)
        if order.amend_price is not None or order.status is not OrderStatus.OPEN:
            unsure = f"order {order.client_id} is not known to rest at its new price yet"
            detail = "; ".join(filter(None, (reason, unsure)))
            return Outcome(step=step.kind, status="pending", detail=detail, order=order)
        if order.price != step.price:
            detail = reason or f"order {order.client_id} stays at {plain(order.price)}"
            return Outcome(step=step.kind, status="failed", detail=detail, order=order)
        return Outcome(step=step.kind, status="done", order=order)

    def _refuse_amend(self, desk: Desk, order: OrderIntent, step: AmendOrder) -> Refusal | None:
        if desk.can.amend is None:
            detail = f"{order.symbol}: the exchange does not amend orders in place"
            return Refusal(rule="amend", detail=detail)
        same = PlaceOrder(
            symbol=order.symbol,
            side=order.side,
            order=order.kind,
            purpose=order.purpose,
            amount=order.amount,
            price=step.price,
            reduce_only=order.reduce_only,
        )
        return refuse(same, desk.instrument(order.symbol), post_only=desk.can.post_only)

    # Cancelling

    def cancel(self, step: CancelOrder) -> Outcome:
        """Fills that came first are counted. Harmless for an order that has ended already."""
        stored = self._stored(step.client_id)
        if stored is None:
            detail = f"order {step.client_id} has ended already"
            return Outcome(step=step.kind, status="done", detail=detail)
        return self._outcome(step.kind, self.end(stored))

    def end(self, intent: OrderIntent) -> OrderIntent:
        """Cancel one order, whatever is known of it; gives what is known afterwards.

        Raises ``Halt`` for a key that may not, ``Transient`` when that cannot be found out.
        """
        desk = self._desk_of(intent.symbol)
        known_id = intent.exchange_id or None
        if not known_id and not desk.can.cancel_by_name:
            found = self.resolve(intent)  # a cancel without any id could mean every order
            return found if found.status.final or not found.exchange_id else self.end(found)
        params = {} if known_id else {"clientOrderId": intent.client_id}
        reason = ""
        try:
            desk.lane.ask("cancel_order", known_id, intent.symbol, params)
            self._tally.cancelled()
            marked = replace(intent, detail=_cancelled(intent.detail))
        except CallFailed as failed:
            if failed.fate.needs_a_person:
                raise failed.as_error(f"cancel order {intent.client_id}") from None
            reason, marked = failed.reason, intent
        after = self.resolve(marked)
        if reason and not after.status.final and after.status is not OrderStatus.INTENDED:
            raise Transient(f"cannot cancel order {intent.client_id}: {reason}")
        return self._unmarked(after)

    def _unmarked(self, order: OrderIntent) -> OrderIntent:
        """Filled whole after all: then it was not cancelled."""
        if was_cancelled(order) and order.filled >= order.amount:
            return self.record(order, replace(order, detail=order.detail[len(CANCELLED) + 2 :]))
        return order

    def _stored(self, client_id: str) -> OrderIntent | None:
        for order in self._log.open_orders(self.account):
            if order.client_id == client_id:
                return order
        return None

    def _outcome(self, step: str, order: OrderIntent) -> Outcome:
        if order.status is OrderStatus.REJECTED:
            return Outcome(step=step, status="failed", detail=order.detail, order=order)
        unsure = order.status is OrderStatus.INTENDED or (
            order.kind is OrderKind.IOC and not order.status.final
        )
        if step == "cancel_order":
            unsure = not order.status.final
        if unsure:
            detail = f"order {order.client_id} is not known to have ended yet"
            return Outcome(step=step, status="pending", detail=detail, order=order)
        return Outcome(step=step, status="done", detail=order.detail, order=order)


def _is_contract(symbol: str) -> bool:
    """By ccxt's unified name: one exchange can keep ids of spot and not of perpetuals."""
    return ":" in symbol


def _cancelled(detail: str) -> str:
    """Keeps what must be known of the exchange after a restart."""
    return f"{CANCELLED}; {detail}" if NAMELESS in detail else CANCELLED


def _count(
    counted: dict[str, Decimal], before: OrderIntent, after: OrderIntent, instrument: Instrument
) -> None:
    """Add what an order has filled, and been charged, since it was last known, to both coins."""
    sign = 1 if after.side is Side.BUY else -1
    for coin, filled, fee in (
        (instrument.base, sign * (after.filled - before.filled), after.fee_base - before.fee_base),
        (instrument.quote, sign * (before.cost - after.cost), after.fee_quote - before.fee_quote),
    ):
        counted[coin] = counted.get(coin, ZERO) + filled - fee


def _fill(before: OrderIntent, after: OrderIntent) -> str:
    """What an order has filled since it was last known, in words."""
    filled, cost = after.filled - before.filled, after.cost - before.cost
    price = f" at {price_text(cost / filled)}" if cost > 0 else ""
    return (
        f"filled {plain(filled)} of {plain(after.amount)} {after.symbol}, {after.purpose} "
        f"{after.side}{price} ({after.client_id})"
    )


def refuse(step: PlaceOrder, instrument: Instrument, *, post_only: bool) -> Refusal | None:
    """Why the exchange would not take this order, as far as its own rules tell."""
    symbol = instrument.symbol
    cost = EXACT.multiply(step.amount, step.price)
    for rule, holds, detail in (
        ("symbol_suspended", instrument.tradable, f"{symbol} is suspended"),
        (
            "post_only",
            step.order is not OrderKind.POST_ONLY or post_only,
            "the exchange has no post-only orders",
        ),
        (
            "exchange_step",
            step.price > 0 and on_step(step.price, instrument.price_step),
            f"price {plain(step.price)} is not on the step {plain(instrument.price_step)}",
        ),
        (
            "exchange_step",
            step.amount > 0 and on_step(step.amount, instrument.amount_step),
            f"amount {plain(step.amount)} is not on the step {plain(instrument.amount_step)}",
        ),
        (
            "exchange_minimum",
            step.amount >= instrument.amount_min,
            f"amount {plain(step.amount)} is below the minimum {plain(instrument.amount_min)}",
        ),
        (
            "exchange_minimum",
            cost >= instrument.cost_min or step.reduce_only,
            f"{plain(cost)} {instrument.quote} is below the minimum {plain(instrument.cost_min)}",
        ),
        (
            "exchange_maximum",
            instrument.amount_max is None or step.amount <= instrument.amount_max,
            f"amount {plain(step.amount)} is above the maximum {_limit(instrument.amount_max)}",
        ),
        (
            "exchange_maximum",
            instrument.cost_max is None or cost <= instrument.cost_max,
            f"{plain(cost)} {instrument.quote} is above the maximum {_limit(instrument.cost_max)}",
        ),
    ):
        if not holds:
            return Refusal(rule=rule, detail=f"{symbol}: {detail}")
    return None


def _limit(limit: Decimal | None) -> str:
    return "" if limit is None else plain(limit)
