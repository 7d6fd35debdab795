"""Plain data for the exchange's side: a venue as one look shows it, and one that fills orders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from strategy.builders import START, World, a_config

from dexmm.config.schema import Config
from dexmm.model.decision import Decision
from dexmm.model.memory import Memory
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import (
    AmendOrder,
    CancelOrder,
    CexStep,
    Outcome,
    PlaceOrder,
    SetLeverage,
    Step,
)
from dexmm.model.venue import (
    Balance,
    Book,
    Instrument,
    Level,
    PendingOrder,
    Perpetual,
    RestingOrder,
    Side,
    VenueView,
)
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember

D = Decimal
SPOT, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"
CROSS, COIN = "PAXG/BTC", "BTC/USDT"
EXCHANGE = {"id": "binance", "symbol": SPOT, "triangle": f"{CROSS},{COIN}"}


def exchange_config(**sections: dict[str, object]) -> Config:
    """``a_config`` with an exchange; hedges take, and only for the band, unless a test says so."""
    exchange = {**EXCHANGE, **sections.pop("exchange", {})}
    hedge = {"style": "ioc", "to": "target", **sections.pop("hedge", {})}
    return a_config(exchange=exchange, hedge=hedge, **sections)


def an_instrument(symbol: str = SPOT, **changes: object) -> Instrument:
    base, quote = symbol.split(":")[0].split("/")
    known = Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        contract=":" in symbol,
        price_step=D("0.01") if quote == "USDT" else D("0.00001"),
        amount_step=D("0.0001") if base == "PAXG" else D("0.00001"),
        amount_min=D("0.0001") if base == "PAXG" else D("0.00001"),
        cost_min=D(5) if quote == "USDT" else D("0.0001"),
        maker_fee=D("0.001"),
        taker_fee=D("0.001"),
        tradable=True,
    )
    return replace(known, **changes)


def a_book(
    mid: Decimal,
    symbol: str = SPOT,
    *,
    half: Decimal = Decimal("0.5"),
    depth: Decimal = Decimal(50),
    levels: int = 3,
    at: int = START * 1000,
) -> Book:
    """``levels`` of ``depth`` each, ``half`` from the mid and from one another."""
    return Book(
        symbol=symbol,
        bids=tuple(Level(price=mid - half * n, amount=depth) for n in range(1, levels + 1)),
        asks=tuple(Level(price=mid + half * n, amount=depth) for n in range(1, levels + 1)),
        at=at,
    )


@dataclass
class Street:
    """One account on an exchange that fills what takes, at its book, and rests what waits."""

    price: Decimal = Decimal(4000)
    base: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    half: Decimal = Decimal("0.5")
    depth: Decimal = Decimal(50)
    now: int = START
    book_age: int = 0
    spot: Instrument = field(default_factory=an_instrument)
    perpetual: Instrument | None = None
    short: Decimal = Decimal(0)
    entry: Decimal = Decimal(4000)
    margin: Decimal = Decimal(0)
    leverage: Decimal = Decimal(1)
    resting: list[RestingOrder] = field(default_factory=list)
    pending: tuple[PendingOrder, ...] = ()
    sent: int = 0
    cancelled: int = 0
    amends: bool = False
    amended: int = 0
    fee_in_base: bool = False  # a buyer pays in what he receives
    fee_in_bnb: bool = False  # whoever takes pays in a coin that nobody counts
    fees_outside: Decimal = Decimal(0)  # what that was worth
    teller: str = ""
    fill_part: Decimal = Decimal(1)
    lag: bool = False  # balances do not show fills yet
    refuse: bool = False
    triangle: tuple[Instrument, ...] = ()
    triangle_books: tuple[Book, ...] | None = None
    orders: list[OrderIntent] = field(default_factory=list)
    shown: tuple[Decimal, Decimal, Decimal] | None = None

    def locked(self, side: Side) -> Decimal:
        return sum(
            (
                (o.amount - o.filled) * (o.price if side is Side.BUY else 1)
                for o in self.resting
                if o.side is side
            ),
            D(0),
        )

    def view(self) -> VenueView:
        base, quote, short = self.base, self.quote, self.short
        if self.lag and self.shown is not None:
            base, quote, short = self.shown
        self.shown = (base, quote, short)
        at = self.now * 1000
        perpetual = self.perpetual
        coins = a_book(D(40_000), COIN, half=D(1), at=at)
        cross = a_book(self.price / 40_000, CROSS, half=D("0.00001"), at=at)
        return VenueView(
            exchange="binance",
            at=at,
            spot=self.spot,
            perpetual=perpetual,
            balances=(
                Balance(coin="PAXG", free=base - self.locked(Side.SELL), total=base),
                Balance(coin="USDT", free=quote - self.locked(Side.BUY), total=quote),
            ),
            spot_book=self.book(SPOT),
            perpetual_book=self.book(PERPETUAL) if perpetual else None,
            position=Perpetual(
                base=-short,
                entry_price=self.entry,
                mark_price=self.price,
                unrealised=-short * (self.price - self.entry),
                margin=self.margin,
                leverage=self.leverage,
                funding_rate=D(0),
                funding_at=at,
            )
            if perpetual
            else None,
            triangle_books=(cross, coins) if self.triangle_books is None else self.triangle_books,
            resting=tuple(self.resting),
            pending=self.pending,
            triangle=self.triangle,
            recent_sent=self.sent,
            recent_cancelled=self.cancelled,
            amends=self.amends,
            fees_outside=self.fees_outside,
            fees_teller=self.teller,
        )

    def book(self, symbol: str) -> Book:
        return a_book(
            self.price,
            symbol,
            half=self.half,
            depth=self.depth,
            at=(self.now - self.book_age) * 1000,
        )

    def send(self, step: CexStep) -> Outcome:
        if isinstance(step, SetLeverage):
            self.leverage = step.leverage
            return Outcome(step=step.kind, status="done")
        if isinstance(step, CancelOrder):
            self.cancelled += 1
            self.resting = [o for o in self.resting if o.client_id != step.client_id]
            return Outcome(step=step.kind, status="done")
        if isinstance(step, AmendOrder):
            return self.amend(step)
        assert isinstance(step, PlaceOrder)
        return self.place(step)

    def amend(self, step: AmendOrder) -> Outcome:
        assert self.amends
        assert step.price % self.spot.price_step == 0
        self.amended += 1
        (order,) = [o for o in self.resting if o.client_id == step.client_id]
        book = self.book(order.symbol)
        facing = [o.price for o in self.resting if o.side is not order.side]
        if order.side is Side.BUY:
            assert step.price < min([book.asks[0].price, *facing])
        else:
            assert step.price > max([book.bids[0].price, *facing])
        self.resting[self.resting.index(order)] = replace(order, price=step.price)
        assert self.locked(Side.SELL) <= self.base
        assert self.locked(Side.BUY) <= self.quote
        return Outcome(step=step.kind, status="done")

    def place(self, step: PlaceOrder) -> Outcome:
        self.sent += 1
        instrument = self.perpetual if step.symbol == PERPETUAL else self.spot
        assert instrument is not None
        assert step.amount % instrument.amount_step == 0
        assert step.price % instrument.price_step == 0
        assert step.amount >= instrument.amount_min
        assert step.amount * step.price >= instrument.cost_min
        order = OrderIntent(
            client_id=f"dx-{self.sent}",
            account="binance",
            symbol=step.symbol,
            side=step.side,
            kind=step.order,
            purpose=step.purpose,
            amount=step.amount,
            price=step.price,
            reduce_only=step.reduce_only,
            created_at=self.now,
        )
        if self.refuse:
            order = replace(order, status=OrderStatus.REJECTED)
            self.orders.append(order)
            return Outcome(step="place_order", status="failed", order=order)
        if step.order is OrderKind.POST_ONLY:
            return self._rest(order)
        return self._take(order, instrument)

    def _rest(self, order: OrderIntent) -> Outcome:
        book = self.book(order.symbol)
        if order.side is Side.BUY:
            assert order.price < book.asks[0].price
        else:
            assert order.price > book.bids[0].price
        for other in self.resting:
            if other.side is not order.side:
                bid, ask = sorted(
                    ((order.side, order.price), (other.side, other.price)), key=lambda p: p[0]
                )
                assert bid[1] < ask[1]
        self.resting.append(
            RestingOrder(
                client_id=order.client_id,
                exchange_id=order.client_id,
                symbol=order.symbol,
                side=order.side,
                price=order.price,
                amount=order.amount,
                filled=D(0),
                at=self.now * 1000,
                ours=True,
            )
        )
        assert self.locked(Side.SELL) <= self.base
        assert self.locked(Side.BUY) <= self.quote
        order = replace(order, status=OrderStatus.OPEN)
        self.orders.append(order)
        return Outcome(step="place_order", status="done", order=order)

    def _take(self, order: OrderIntent, instrument: Instrument) -> Outcome:
        book = self.book(order.symbol)
        levels = book.asks if order.side is Side.BUY else book.bids
        filled = cost = D(0)
        for level in levels:
            inside = (
                level.price <= order.price if order.side is Side.BUY else level.price >= order.price
            )
            if inside:
                part = min(level.amount, order.amount * self.fill_part - filled)
                filled, cost = filled + part, cost + part * level.price
        fee = cost * instrument.taker_fee
        fee_base = D(0)
        if self.fee_in_base and order.side is Side.BUY and not instrument.contract:
            fee_base, fee = filled * instrument.taker_fee, D(0)
        in_bnb: tuple[tuple[str, Decimal, Decimal], ...] = ()
        if self.fee_in_bnb:
            self.fees_outside += fee
            in_bnb, fee = (("BNB", fee / 600, fee),), D(0)
        order = replace(
            order,
            status=OrderStatus.CLOSED,
            filled=filled,
            cost=cost,
            fee_base=fee_base,
            fee_quote=fee,
            fee_other=tuple((coin, amount) for coin, amount, _ in in_bnb),
            fee_valued=in_bnb,
        )
        self._settle(order, instrument)
        self.orders.append(order)
        return Outcome(step="place_order", status="done", order=order)

    def _settle(self, order: OrderIntent, instrument: Instrument) -> None:
        if not instrument.contract:
            sign = 1 if order.side is Side.BUY else -1
            self.base += sign * order.filled - order.fee_base
            self.quote -= sign * order.cost + order.fee_quote
            assert self.base >= 0
            assert self.quote >= 0
            return
        price = order.cost / order.filled if order.filled else self.price
        self.margin -= order.fee_quote
        if order.side is Side.SELL:
            total = self.short + order.filled
            self.entry = (self.entry * self.short + price * order.filled) / total
            self.short = total
            equity = self.margin - self.short * (self.price - self.entry)
            assert self.short * self.price <= equity * 2
        else:
            assert order.reduce_only
            assert order.filled <= self.short
            self.margin += order.filled * (self.entry - price)
            self.short -= order.filled


@dataclass
class Both:
    """A wallet in a pool and an account on an exchange, turned together."""

    config: Config
    world: World
    street: Street
    memory: Memory = field(default_factory=Memory)
    outcomes: tuple[Outcome, ...] = ()

    def snapshot(self) -> Snapshot:
        self.street.now = self.world.now
        self.world.memory = self.memory
        return replace(self.world.snapshot(), venue=self.street.view())

    def decide(self) -> Decision:
        return decide(self.snapshot(), self.config)

    def turn(self, seconds: int = 60) -> tuple[Decision, tuple[Step, ...]]:
        """Time passes, then a whole turn; what an exchange refuses ends its steps."""
        self.world.pass_time(seconds)
        snapshot = self.snapshot()
        decision = decide(snapshot, self.config)
        steps = plan(snapshot, decision, self.config)
        outcomes: list[Outcome] = []
        dead = False
        for step in steps:
            there = step.kind in {"place_order", "cancel_order", "cancel_all", "set_leverage"}
            if there and not dead:
                outcomes.append(self.street.send(step))
                dead = outcomes[-1].status != "done"
            elif not there:
                outcomes.append(self.world.apply(step))
        self.outcomes = tuple(outcomes)
        self.memory = remember(snapshot, decision, self.outcomes, self.config)
        return decision, steps

    def price(self, price: Decimal) -> None:
        self.world.price = self.street.price = price


def both(config: Config | None = None, street: Street | None = None, **world: object) -> Both:
    config = config or exchange_config()
    return Both(config, World(config, **world), street or Street())


def placed(steps: tuple[Step, ...], purpose: Purpose | None = None) -> list[PlaceOrder]:
    return [
        step
        for step in steps
        if isinstance(step, PlaceOrder) and (purpose is None or step.purpose is purpose)
    ]
