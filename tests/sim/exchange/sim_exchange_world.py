"""A simulated exchange with a hand on its clock, and what must always hold of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal, Inexact, localcontext

from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import Outcome, PlaceOrder
from dexmm.model.venue import Side, VenueView
from dexmm.performance.attribution import Attribution, Flow, Mark, Source, attribute
from dexmm.sim.exchange.cash_flows import VenueFlow
from dexmm.sim.exchange.cost_model import Depth, MarketTerms, VenueCosts
from dexmm.sim.exchange.exchange import PriceAt, SimExchange, VenueOpening, VenueSymbols
from dexmm.strategy.exposure.exchange_inventory import held_there
from dexmm.units import EXACT

D = Decimal
SPOT, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"
CROSS, COIN = "PAXG/BTC", "BTC/USDT"
SYMBOLS = VenueSymbols(spot=SPOT, perpetual=PERPETUAL, triangle=(CROSS, COIN))
RICH = VenueOpening(coins={"PAXG": D(5), "USDT": D(30_000), "BTC": D("0.2")}, margin=D(10_000))
START = 1_750_075_200
BUY, SELL = Side.BUY, Side.SELL
SIGN = {BUY: 1, SELL: -1}
REST = OrderKind.POST_ONLY
FLAT = Depth(half_spread_bp=D(1), spacing_bp=D(1), levels=5, first=D(1), growth=D(0))
EVEN = VenueCosts(
    spot=MarketTerms(depth=FLAT),
    perpetual=replace(VenueCosts().perpetual, depth=FLAT),
    perpetual_basis_bp=D(0),
    latency_ms=0,
)


@dataclass
class Stage:
    """An exchange at a price; ``price`` lets a minute pass."""

    costs: VenueCosts = field(default_factory=lambda: VenueCosts(latency_ms=0))
    symbols: VenueSymbols = SYMBOLS
    opening: VenueOpening = RICH
    now: int = START
    flows: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sim = SimExchange(self.costs, self.symbols, self.opening, lambda: self.now)
        self.sim.pass_price(self.now * 1000, D(4000))
        self.opened = self.held()
        self._mark(())

    def price(self, fair: Decimal | int | str, seconds: int = 60, then: str = "") -> None:
        self.now += seconds
        coming = PriceAt(at_ms=(self.now + 60) * 1000, fair=D(then)) if then else None
        self.sim.pass_price(self.now * 1000, D(fair), coming)

    def place(
        self,
        side: Side,
        amount: str,
        price: str,
        kind: OrderKind = OrderKind.IOC,
        purpose: Purpose = Purpose.HEDGE,
        *,
        symbol: str = SPOT,
        reduce_only: bool = False,
    ) -> Outcome:
        return self.sim.send(
            PlaceOrder(
                symbol=symbol,
                side=side,
                order=kind,
                purpose=purpose,
                amount=D(amount),
                price=D(price),
                reduce_only=reduce_only,
            )
        )

    def order(self, outcome: Outcome) -> OrderIntent:
        """As it stands now."""
        assert outcome.order is not None
        return next(o for o in self.sim.orders if o.client_id == outcome.order.client_id)

    def held(self) -> tuple[Decimal, Decimal]:
        """Base and quote as decisions count them, at the fair price; nothing may round."""
        with localcontext(EXACT) as context:
            context.traps[Inexact] = True
            held = held_there(self.sim.observe(), self.sim.fair_price)
            return (
                held.spot_base + held.perpetual_base,
                held.spot_quote + held.perpetual_quote,
            )

    # What must always hold

    def close_the_books(self) -> None:
        """The flows since the opening are the change of what is held."""
        base, quote = self.opened
        flows = self.sim.take_flows()
        self._mark(flows)
        for flow in flows:
            before = self.flows.get(flow.kind, (D(0), D(0)))
            self.flows[flow.kind] = before[0] + flow.base, before[1] + flow.quote
        with localcontext(EXACT):
            for moved in self.flows.values():
                base, quote = base + moved[0], quote + moved[1]
            assert self.held() == (base, quote)

    def _mark(self, flows: tuple[VenueFlow, ...]) -> None:
        base, quote = self.held()
        self.marks.append(
            Mark(
                at=self.now,
                fair_price=self.sim.fair_price,
                base=base,
                quote=quote,
                flows=tuple(
                    Flow(source=Source(flow.kind), base=flow.base, quote=flow.quote)
                    for flow in flows
                ),
            )
        )

    def attribute(self) -> Attribution:
        """Where every change of net worth came from; raises where that is not known."""
        return attribute(self.marks)

    def be_solvent(self) -> VenueView:
        view = self.sim.observe()
        for balance in view.balances:
            assert 0 <= balance.free <= balance.total
        if view.position is not None:
            assert view.position.margin + view.position.unrealised >= 0
        return view

    def keep_limits(self) -> None:
        """No fill beyond a limit; what was only to rest never paid a taker's fee."""
        for order in self.sim.orders:
            assert 0 <= order.filled <= order.amount
            at_limit = order.price * order.filled
            if order.side is Side.BUY:
                assert order.cost <= at_limit
            else:
                assert order.cost > at_limit - D("0.0000001")  # each level rounds down to 1e-8
            if order.kind is OrderKind.POST_ONLY:
                assert abs(order.cost - at_limit) < D("0.0000001")
            if order.status is OrderStatus.REJECTED:
                assert not order.filled
        assert len({order.client_id for order in self.sim.orders}) == len(self.sim.orders)

    def conserve(self) -> None:
        """Spot balances follow from the orders' own figures, fees included."""
        coins = dict(self.opening.coins)
        for order in self.sim.orders:
            if ":" in order.symbol:
                continue
            base, quote = order.symbol.split("/")
            sign = SIGN[order.side]
            coins[base] = coins.get(base, D(0)) + sign * order.filled - order.fee_base
            coins[quote] = coins.get(quote, D(0)) - sign * order.cost - order.fee_quote
        held = {balance.coin: balance.total for balance in self.sim.observe().balances}
        assert held == {coin: total for coin, total in coins.items() if total}

    def show_sound_books(self) -> None:
        view = self.sim.observe()
        for book in (view.spot_book, view.perpetual_book):
            assert book is not None
            assert book.at == self.now * 1000
            if book.bids and book.asks:
                assert book.bids[0].price < book.asks[0].price
            assert list(book.bids) == sorted(book.bids, key=lambda level: -level.price)
            assert list(book.asks) == sorted(book.asks, key=lambda level: level.price)
            assert all(level.amount > 0 for level in (*book.bids, *book.asks))
