"""One journal entry as a point of a track, and as the actions it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent, Purpose
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Outcome, PlaceOrder, Rerange, Step, Swap
from dexmm.model.venue import VenueView
from dexmm.performance.entry_text import price_range
from dexmm.performance.track.track import Action, Quoted, RangeShown, TrackPoint
from dexmm.strategy.risk.liquidation import liquidation_distance
from dexmm.units import EXACT, PRICE, to_decimal

ZERO = Decimal(0)
ETHER = 18
# Of quotes only the fills are told (``exchange_flows``): they come and go every few seconds.
ROUTINE = {"cancel_order", "amend_order", "cancel_all"}

Ticks = tuple[int, int]


def paired(entry: Entry) -> Iterator[tuple[Step | None, Outcome]]:
    """Every outcome beside the step it is of: a step that never began has none."""
    waiting = list(entry.steps)
    for outcome in entry.outcomes:
        at = next((i for i, step in enumerate(waiting) if step.kind == outcome.step), None)
        if at is None:
            yield None, outcome
        else:
            yield waiting[at], outcome
            del waiting[: at + 1]


def gas_quote(entry: Entry, outcomes: tuple[Outcome, ...]) -> Decimal:
    """What these outcomes burned, at the turn's price of ether."""
    wei = sum(outcome.gas_used * outcome.gas_price for outcome in outcomes)
    return EXACT.multiply(to_decimal(wei, ETHER), entry.snapshot.chain.eth_price)


@dataclass(slots=True)
class Sketcher:
    """Turns entries into points, and remembers prices of ticks and which range had which role."""

    roles: dict[Ticks, str] = field(default_factory=dict)
    edges: dict[Ticks, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def point(
        self, entry: Entry, share: Decimal, nav: Decimal, fair_price: Decimal | None = None
    ) -> TrackPoint:
        """``fair_price`` is what ranges are valued at: the decision's, unless one knows better."""
        decision = entry.decision
        for target in decision.targets:
            self.roles[target.tick_lower, target.tick_upper] = target.role.value
        simulated = tuple([o.refusal for o in entry.outcomes if o.refusal is not None])
        price = decision.fair_price if fair_price is None else fair_price
        view = entry.snapshot.chain
        return TrackPoint(
            at=entry.at,
            fair_price=price,
            pool_price=view.market.price(view.pool.sqrt_price_x96),
            share=share,
            nav=nav,
            in_range=_in_range(view),
            ranges=self._ranges(view, price),
            state=decision.state.value,
            refusals=decision.refusals + simulated,
            withheld=decision.withheld or bool(simulated),
            liquidation_distance=liquidation_distance(entry.snapshot.venue),
        )

    def look(
        self, view: ChainView, fair_price: Decimal, share: Decimal, nav: Decimal, state: str
    ) -> TrackPoint:
        """A look at the chain with nothing decided."""
        return TrackPoint(
            at=view.block.timestamp,
            fair_price=fair_price,
            pool_price=view.market.price(view.pool.sqrt_price_x96),
            share=share,
            nav=nav,
            in_range=_in_range(view),
            ranges=self._ranges(view, fair_price),
            state=state,
        )

    def _ranges(self, view: ChainView, price: Decimal) -> tuple[RangeShown, ...]:
        market, shown, multiply, add = view.market, [], PRICE.multiply, PRICE.add
        for position in view.positions:
            if not position.liquidity:
                continue
            ticks = (position.tick_lower, position.tick_upper)
            low, high = self._prices(market, ticks)
            base, quote = market.base_quote(position.amount0, position.amount1)
            value = add(multiply(base, price), quote)
            shown.append(
                RangeShown(low=low, high=high, value=value, role=self.roles.get(ticks, ""))
            )
        return tuple(shown)

    def _prices(self, market: Market, ticks: Ticks) -> tuple[Decimal, Decimal]:
        if ticks not in self.edges:
            self.edges[ticks] = price_range(market, *ticks)
        return self.edges[ticks]


def _in_range(view: ChainView) -> bool:
    tick = view.pool.tick
    return any(position.in_range(tick) and position.liquidity for position in view.positions)


def actions(
    entry: Entry,
    leg: int,
    log: Mapping[str, OrderIntent],
    gained: Decimal,
    fair_price: Decimal | None = None,
) -> Iterator[Action]:
    """Steps that were begun. ``leg`` is the one running when the turn looked; a re-range that is
    mined begins the next. ``gained`` is the base that own swaps of this turn brought, and
    ``fair_price`` what is counted at: the decision's, unless one knows better."""
    price = entry.decision.fair_price if fair_price is None else fair_price
    for step, outcome in paired(entry):
        if outcome.step in ROUTINE or _is_quote(outcome):
            continue
        order = outcome.order and log.get(outcome.order.client_id, outcome.order)
        if begins_leg(step, outcome):
            leg += 1
        turned_over = abs(gained) if isinstance(step, Swap) else order.filled if order else ZERO
        yield Action(
            at=entry.at,
            kind=kind_of(step, outcome),
            status=outcome.status,
            reason=entry.decision.reason,
            trigger=entry.decision.trigger.value if entry.decision.trigger else "",
            leg=leg,
            gas_quote=gas_quote(entry, (outcome,)),
            turnover_quote=PRICE.multiply(turned_over, price),
            tx_hash=outcome.tx_hash,
            entry_id=entry.id,
        )


def begins_leg(step: Step | None, outcome: Outcome) -> bool:
    """Whether liquidity was moved. A settled transaction that minted was a late re-range."""
    moved = isinstance(step, Rerange) or (outcome.step == "settle" and bool(outcome.minted))
    return moved and outcome.status == "mined"


def quoted(entry: Entry, log: Mapping[str, OrderIntent]) -> Quoted | None:
    """What rested in the spot book of ours to make a market; None without an exchange."""
    venue = entry.snapshot.venue
    if venue is None:
        return None
    bids = list(_resting(venue, "buy", log))
    asks = list(_resting(venue, "sell", log))
    return Quoted(
        at=entry.at,
        bid=max((price for price, _ in bids), default=None),
        ask=min((price for price, _ in asks), default=None),
        bid_base=sum((amount for _, amount in bids), ZERO),
        ask_base=sum((amount for _, amount in asks), ZERO),
        bid_quote=sum((price * amount for price, amount in bids), ZERO),
        ask_quote=sum((price * amount for price, amount in asks), ZERO),
    )


def halted(entry: Entry) -> str:
    """Why this turn stood still; empty when it did not."""
    if entry.decision.state is not State.HALTED:
        return ""
    before = entry.snapshot.halted or entry.snapshot.memory.halted
    return before or entry.memory.halted or entry.decision.reason


def _resting(
    venue: VenueView, side: str, log: Mapping[str, OrderIntent]
) -> Iterator[tuple[Decimal, Decimal]]:
    for order in venue.resting:
        known = log.get(order.client_id)
        quote = order.ours and (known is None or known.purpose is Purpose.QUOTE)
        if quote and order.side == side and order.symbol == venue.spot.symbol:
            yield order.price, order.amount - order.filled


def _is_quote(outcome: Outcome) -> bool:
    return outcome.order is not None and outcome.order.purpose is Purpose.QUOTE


def kind_of(step: Step | None, outcome: Outcome) -> str:
    """A first deposit takes nothing out, and an exit puts nothing in: neither is a re-range."""
    match step:
        case Rerange(removals=()):
            return "deposit"
        case Rerange(mints=()):
            return "exit"
        case PlaceOrder():
            return step.purpose.value
        case _:
            return outcome.step
