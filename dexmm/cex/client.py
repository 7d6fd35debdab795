"""The exchange seen from one account: implements ``protocols.Cex``.

What one look asks for, and when:

====================  =============================  ==============================================
request               lane                           when
====================  =============================  ==============================================
account               private                        always
book, 20 levels       public                         always
best prices           public                         with a triangle: one for both symbols (two
                                                     where the exchange has no such request)
open orders           private                        the first time; every tenth look; an order
                                                     whose fate is unknown; the account has moved
                                                     while an order of ours rests, or had moved at
                                                     the last look by what no fill explained
position, margin,     perpetual                      the first time; every tenth look; a position
funding, its book                                    or an order in it; spot base below one slice
and open orders                                      of the hedge, when the perpetual is next
dead-man's switch     private                        where it exists, while an order of ours rests
symbols and fees      each                           the first time; every hour; after an order was
                                                     refused for its steps, its minimums or the
                                                     symbol's status; every minute while an order
                                                     is not sent for them (every five where a rest
                                                     of a hedge waits for a smaller minimum); every
                                                     half minute while a symbol is suspended
price of a coin       public                         a fee in a third coin was told, once a minute
====================  =============================  ==============================================

So the steady state (nothing open, or quotes resting untouched) is two requests over two
connections at once. A look is whole or ``Transient``: a stale, empty or crossed book, a balance
that has not caught up with our own fills, any answer that is not whole. Between two polls a flat
perpetual account is the one that was last seen; it changes by our own orders alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from dexmm.cex.account_clients import AccountClients
from dexmm.cex.balance_reconciliation import Looks
from dexmm.cex.balances import read_balances
from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed, NotOffered
from dexmm.cex.exchange import Connection, connect_exchange
from dexmm.cex.fee_prices import FeePrices
from dexmm.cex.instruments import KEPT_CARRIED_SECONDS, Markets
from dexmm.cex.order_books import demand_sound, read_best, read_book
from dexmm.cex.orders.cancel_ratio import Tally
from dexmm.cex.orders.order_manager import Orders
from dexmm.cex.orders.reconciliation import Reconciler, rests
from dexmm.cex.parsing import ZERO, plain
from dexmm.cex.perpetual import SwapWatch
from dexmm.cex.trading_venue import Desk
from dexmm.config.schema import Config, Exchange
from dexmm.errors import BadInput, Transient
from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent, OrderLog
from dexmm.model.steps import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    CexStep,
    Outcome,
    PlaceOrder,
    SetLeverage,
)
from dexmm.model.venue import Balance, Book, Instrument, Perpetual, Side, VenueView

RECONCILE_EVERY = 10  # looks
SWITCH_SECONDS = 120  # of the dead-man's switch; the longest that OKX allows
READERS = 2  # beside the private lane, which the caller's own thread serves


def open_client(
    config: Config,
    log: OrderLog,
    clock: Callable[[], int] = lambda: int(time.time()),
    *,
    watch_only: bool = False,
    clients: dict[str, AccountClients] | None = None,
) -> ExchangeClient:
    """The client of ``[exchange]``. Asks nothing of the exchange yet.

    ``clock`` is the runner's, in seconds: in a sandbox it is the simulated one. With
    ``watch_only`` looking changes nothing on the exchange: for whoever looks while another
    process trades. ``clients`` are those of this process by account, and this one joins them.
    Raises ``BadInput`` for an exchange that ccxt does not know or that cannot do what is
    configured.
    """
    settings = config.exchange
    if settings is None:
        raise BadInput("the configuration has no [exchange] section")
    connection = connect_exchange(settings, proxy=config.network.proxy_url)
    if missing := connection.missing(quotes=config.quotes.enabled):
        raise BadInput(f"{'; '.join(missing)}: use another exchange")
    beside = AccountClients()
    if clients is not None:
        beside = clients.setdefault(connection.account, beside)
    return ExchangeClient(
        settings,
        connection,
        log,
        clock,
        clients=beside,
        slice_base=config.hedge.max_order_base,
        quote_base=config.quotes.size_base if config.quotes.enabled else None,
        watch_only=watch_only,
        market=config.market.name,
    )


class ExchangeClient:
    def __init__(
        self,
        settings: Exchange,
        connection: Connection,
        log: OrderLog,
        clock: Callable[[], int],
        *,
        clients: AccountClients,
        slice_base: Decimal,
        quote_base: Decimal | None = None,
        watch_only: bool = False,
        market: str = "",
    ) -> None:
        """``slice_base``: spot base below it brings the perpetual into view.

        ``quote_base``: the base that a quote is meant to have; None where nothing is quoted.

        ``market``: the name of the market that orders are placed for.
        """
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._slice_base = slice_base
        self._quote_base = quote_base
        self._watch_only = watch_only
        self._spot = Desk(
            connection.private,
            Markets(connection.private, (connection.public,), clock),
            connection.can,
        )
        self._coins = frozenset(settings.symbol.split("/"))
        self._desks = dict.fromkeys((settings.symbol, *settings.triangle), self._spot)
        perpetual = _perpetual_desk(connection, clock)
        if perpetual is not None and settings.perpetual_symbol is not None:
            self._desks[settings.perpetual_symbol] = perpetual
        window = settings.cancel_window_seconds
        if window not in clients.tallies:
            clients.tallies[window] = Tally(log, connection.account, window, clock)
        self._tally = clients.tallies[window]
        self._orders = Orders(
            connection.account,
            self._desk_of,
            log,
            self._tally,
            clock,
            self._unexplained,
            market,
            FeePrices(connection.public, settings.symbol.partition("/")[2], clock),
            clients,
            self._coins,
        )
        self._teller = uuid.uuid4().hex[:12]
        self._reconciler = Reconciler(
            self._orders, self._desk_of, log, self.symbols, clock, watch_only=watch_only
        )
        self._swap = self._watch(perpetual)
        self._looks = Looks()
        self._count = 0  # of whole looks
        self._has_seen = False
        self._base_free: Decimal | None = None
        self._switch_set = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="exchange")

    def __repr__(self) -> str:
        return f"ExchangeClient({self.connection.account})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Where orders of ours may rest."""
        return tuple(self._desks)

    def close(self) -> None:
        self._readers.shutdown(wait=False)
        for lane in self.connection.lanes():
            lane.exchange.session.close()

    # Observing

    def observe(self) -> VenueView:
        """One whole look. Raises ``Transient``, ``Halt`` for keys, ``BadInput`` for symbols."""
        with self._offered_before():
            seen = self._observe()
            self._has_seen = True
            return seen

    @contextmanager
    def _offered_before(self) -> Iterator[None]:
        """What the exchange has answered once is no mistake in the configuration: that it does not
        offer it any more is ``Transient``."""
        try:
            yield
        except NotOffered as error:
            if not self._has_seen:
                raise
            raise Transient(f"{error.message} if this lasts: it did answer before") from None

    def _observe(self) -> VenueView:
        self._load_markets()
        every = self._count % RECONCILE_EVERY == 0
        books = self._readers.submit(self._read_books)
        beside = self._swap_beside() if every or self._swap_is_near() else None
        try:
            balances = self._read_account(every=every)
        finally:
            _finish(books, beside)
        book, triangle = books.result()
        self._doubt_minimums(book)
        self._base_free = _free(balances, self._spot.instrument(self._settings.symbol).base)
        if beside is None and self._swap_is_near():
            beside = self._swap_beside()
        swap = beside.result() if beside is not None else None
        if swap is not None and self._swap is not None:
            swap = swap[0], self._swap.counted_once(self.connection.private, swap[1])
        self._settle(balances, swap[1] if swap is not None else None)
        self._arm_switch()
        self._count += 1
        return self._view(balances, book, triangle, swap[0] if swap is not None else None)

    def _load_markets(self) -> None:
        desks = list(dict.fromkeys(self._desks.values()))
        real = not self._settings.is_paper  # that one may live in a time of its own
        for desk in desks:
            if real and not desk.markets.fresh:
                _synchronise(desk.lane)
            desk.markets.load()
        for symbol, desk in self._desks.items():
            desk.instrument(symbol)
        skew = self.connection.private.skew_ms
        self.connection.public.exchange.options["timeDifference"] = skew

    def _read_account(self, *, every: bool) -> tuple[Balance, ...]:
        """Balances, after whatever has to be known about orders for them to make sense."""
        lane = self.connection.private
        mine = [symbol for symbol in self.symbols if self._desk_of(symbol) is self._spot]
        unsure = [symbol for symbol in mine if every or self._is_unsure(symbol)]
        for symbol in unsure:
            self._reconciler.reconcile(symbol)
        balances = read_balances(lane, self._coins)
        self._looks.demand_coins(_amounts(balances), self._clock())
        resting = [s for s in mine if s not in unsure and self._reconciler.stored(s)]
        if resting and self._looks.moved(_amounts(balances)):
            for symbol in resting:
                self._reconciler.reconcile(symbol)
            balances = read_balances(lane, self._coins)
        if self._looks.lagging(_amounts(balances), self._orders.moves, self._orders.others):
            balances = read_balances(lane, self._coins)
        return balances

    def _is_unsure(self, symbol: str) -> bool:
        stored = self._reconciler.stored(symbol)
        if stored and self._looks.unsettled:
            return True
        return any(not rests(order) for order in stored)

    def _read_books(self) -> tuple[Book, tuple[Book, ...]]:
        lane, now = self.connection.public, self._now_ms()
        book = read_book(lane, self._settings.symbol, now)
        demand_sound(book, now, self._settings.max_ticker_age_seconds)
        legs = self._settings.triangle
        if not legs:
            return book, ()
        if self.connection.can.best_prices:
            return book, read_best(lane, legs, now)
        return book, tuple(read_book(lane, leg, now) for leg in legs)

    def _doubt_minimums(self, book: Book) -> None:
        """A quote too small for the exchange is never sent, and so never tells of new minimums."""
        spot, size, mid = self._spot.instrument(self._settings.symbol), self._quote_base, book.mid
        if size is not None and mid is not None and size < least_of(spot, mid):
            self._spot.markets.doubt()

    def forget_looks(self) -> None:
        """What proves something is what was read now: the next look is as the first."""
        self._count = 0

    def doubt_rules(self) -> None:
        """A strategy held an order back for a minimum: asked again after some minutes at most."""
        for desk in dict.fromkeys(self._desks.values()):
            desk.markets.doubt(KEPT_CARRIED_SECONDS)

    def _swap_is_near(self) -> bool:
        moves = self._orders.moves
        return self._swap is not None and self._swap.is_near(
            self._base_free, self._slice_base, moves
        )

    def _swap_beside(self) -> Future[tuple[Book, Perpetual]] | None:
        if self._swap is None:
            return None
        every = self._count % RECONCILE_EVERY == 0
        return self._readers.submit(self._swap.look, reconcile=every)

    def _settle(self, balances: tuple[Balance, ...], seen: Perpetual | None) -> None:
        """Raises ``Transient`` while balances are those of before our own fills."""
        amounts = _amounts(balances)
        if self._swap is not None and (position := seen or self._swap.position):
            amounts[self._swap.symbol] = position.base
            self._looks.demand_position(self._swap.symbol, position.base, self._orders.moves)
        if late := self._looks.lagging(amounts, self._orders.moves, self._orders.others):
            self._looks.demand_patience(late, self._clock())
        waiting = any(self._reconciler.stored(symbol) for symbol in self.symbols)
        self._looks.accept(
            amounts,
            self._orders.moves,
            self._clock(),
            orders_open=waiting,
            others=self._orders.others,
        )
        if self._swap is not None and seen is not None:
            self._swap.position = seen

    def _unexplained(self, order: OrderIntent) -> bool:
        """Whether spot balances have moved in this order's direction, and no further than it."""
        instrument = self._desk_of(order.symbol).instrument(order.symbol)
        if instrument.contract:
            return False
        held = _amounts(read_balances(self.connection.private, self._coins)).get(
            instrument.base, ZERO
        )
        moved = self._looks.unexplained(
            instrument.base, held, self._orders.moves, self._orders.others
        )
        towards = moved if order.side is Side.BUY else -moved
        return 0 < towards <= order.amount

    def _view(
        self,
        balances: tuple[Balance, ...],
        book: Book,
        triangle: tuple[Book, ...],
        swap_book: Book | None,
    ) -> VenueView:
        standing, swap = self._reconciler.standing(), self._swap
        sent, cancelled = self._tally.counts()
        spot = self._spot.instrument(self._settings.symbol)
        return VenueView(
            exchange=self.connection.id,
            at=self._now_ms(),
            spot=spot,
            perpetual=swap.desk.instrument(swap.symbol) if swap is not None else None,
            balances=balances,
            spot_book=book,
            perpetual_book=swap_book,
            position=swap.position if swap is not None else None,
            triangle_books=triangle,
            triangle=tuple(self._spot.instrument(leg) for leg in self._settings.triangle),
            resting=standing.resting,
            pending=standing.pending,
            recent_sent=sent,
            recent_cancelled=cancelled,
            amends=self._spot.can.amend is not None,
            quoted_base=self._orders.quoted.get(spot.base, ZERO),
            quoted_quote=self._orders.quoted.get(spot.quote, ZERO),
            quoted_epoch=self._orders.quoted_epoch,
            fees_outside=self._orders.fees_outside,
            fees_teller=self._teller,
        )

    def _watch(self, desk: Desk | None) -> SwapWatch | None:
        settings = self._settings
        if desk is None or settings.perpetual_symbol is None:
            return None
        return SwapWatch(desk, settings.perpetual_symbol, self._reconciler, self._now_ms)

    def _now_ms(self) -> int:
        """The exchange's time by the runner's clock."""
        return self._clock() * 1000 - self.connection.private.skew_ms

    def _desk_of(self, symbol: str) -> Desk:
        return self._desks.get(symbol, self._spot)

    # Acting

    def send(self, step: CexStep) -> Outcome:
        """Make ``step`` happen at most once. Raises ``Transient``, ``Halt``."""
        with self._offered_before():
            return self._send(step)

    def _send(self, step: CexStep) -> Outcome:
        match step:
            case PlaceOrder():
                return self._place(step)
            case CancelOrder():
                return self._orders.cancel(step)
            case AmendOrder():
                return self._orders.amend(step)
            case CancelAll():
                return self._cancel_all(step)
            case SetLeverage():
                return self._set_leverage(step)

    def _place(self, step: PlaceOrder) -> Outcome:
        outcome = self._orders.place(step)
        refused = outcome.status == "failed"
        if refused and self._swap is not None and step.symbol == self._swap.symbol:
            self._swap.doubt_mode()
        return outcome

    def _cancel_all(self, step: CancelAll) -> Outcome:
        """Each order of ours by itself, so that a person's own orders stay; then look again.

        Nothing of ours rests after it, so the dead-man's switch is disarmed as well: it knows no
        owner, and would take out what a person places next.
        """
        failures: list[str] = []
        for symbol in self.symbols:
            try:
                self._reconciler.reconcile(symbol)
                for order in self._reconciler.stored(symbol):
                    self._orders.end(order)
            except (Transient, NotOffered) as error:
                failures.append(f"{symbol}: {error.message}")
        left = [o.client_id for s in self.symbols for o in self._reconciler.stored(s)]
        failures += [f"order {name} is not known to have ended" for name in left]
        if not left:
            try:
                self._set_switch(wanted=False)
            except Transient as error:
                failures.append(error.message)
        if not failures:
            return Outcome(step=step.kind, status="done")
        return Outcome(
            step=step.kind, status="pending" if left else "failed", detail="; ".join(failures)
        )

    def _set_leverage(self, step: SetLeverage) -> Outcome:
        """A leverage that is not whole is refused, not rounded into one nobody counted with."""
        desk = self._desk_of(step.symbol)
        desk.markets.load()
        whole = int(step.leverage)
        if whole != step.leverage:
            refusal = Refusal(
                rule="leverage_step",
                detail=f"{step.symbol}: leverage {plain(step.leverage)} is not a whole number",
            )
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        try:
            desk.lane.ask("set_leverage", whole, step.symbol)
        except CallFailed as failed:
            if failed.fate.needs_a_person:
                raise failed.as_error("set the leverage") from None
            return Outcome(step=step.kind, status="failed", detail=failed.reason)
        finally:
            if self._swap is not None:
                self._swap.forget_leverage()
        return Outcome(step=step.kind, status="done")

    def _arm_switch(self) -> None:
        """Have the exchange cancel everything when we fall silent, while something of ours rests.

        Not while a person's orders rest too: the switch knows no owner.
        """
        if self._watch_only or not self.connection.can.dead_mans_switch:
            return
        ours = any(order.ours for order in self._reconciler.standing().resting)
        self._set_switch(wanted=ours and not self._reconciler.has_foreign)

    def _set_switch(self, *, wanted: bool) -> None:
        """Arm it anew, or disarm what is armed; nothing is asked where it is off already."""
        if not wanted and not self._switch_set:
            return
        self.connection.private.read(
            f"{'arm' if wanted else 'disarm'} the dead-man's switch",
            "cancel_all_orders_after",
            SWITCH_SECONDS * 1000 if wanted else 0,
        )
        self._switch_set = wanted


def _perpetual_desk(connection: Connection, clock: Callable[[], int]) -> Desk | None:
    lane, can = connection.perpetual, connection.perpetual_can
    return None if lane is None or can is None else Desk(lane, Markets(lane, (), clock), can)


def _synchronise(lane: Lane) -> None:
    try:
        lane.synchronise()
    except CallFailed as failed:
        raise failed.as_error("read the exchange's clock") from None


def least_of(instrument: Instrument, price: Decimal) -> Decimal:
    """The smallest amount of one order at ``price``, base; not rounded to the step."""
    return max(instrument.amount_min, instrument.amount_step, instrument.cost_min / price)


def _finish(*beside: Future[Any] | None) -> None:
    """Wait for what was begun; a failure of its own is seen when its result is asked for."""
    wait([future for future in beside if future is not None])


def _amounts(balances: tuple[Balance, ...]) -> dict[str, Decimal]:
    return {balance.coin: balance.total for balance in balances}


def _free(balances: tuple[Balance, ...], coin: str) -> Decimal:
    return sum((balance.free for balance in balances if balance.coin == coin), ZERO)
