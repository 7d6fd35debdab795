"""Writes down what a backtest's turns saw and did: the track, and accounts that close.

Every flow is measured where it happens, apart from the inventory it must explain: principal by
what mints and burns moved and by what positions hold, fees by what is uncollected and what
``collect`` paid beyond principal, swaps and gas by the chain's own tally, the exchange by its own
flows. That the flows add up to the change of the inventory is asserted for every turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.model.decision import Refusal
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Outcome, PlaceOrder, Rerange, Step, Swap
from dexmm.model.venue import VenueView
from dexmm.ops.accounting import Flow, Mark, Source, merged
from dexmm.ops.track import Action, RangeShown, TrackPoint
from dexmm.sim.trial import Tally
from dexmm.strategy.inventory import inventory
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import EXACT, to_decimal

ZERO = Decimal(0)
ETHER_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class _Standing:
    """Smallest units of token0 and token1, summed over the positions."""

    principal: tuple[int, int]
    fees: tuple[int, int]
    tally: Tally


class Recorder:
    """One run's points, marks and actions. Feed it every turn, in order, and the end."""

    def __init__(self, market: Market) -> None:
        self.points: list[TrackPoint] = []
        self.marks: list[Mark] = []
        self.actions: list[Action] = []
        self._market = market
        self._before: _Standing | None = None
        self._leg = 0
        self._gas = ZERO  # paid so far, in quote
        self._prices: dict[int, Decimal] = {}

    def saw(
        self,
        entry: Entry,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow] = (),
    ) -> None:
        """A turn. ``tally`` stood so when the turn looked; ``elsewhere`` are the flows on the
        exchange since the turn before looked."""
        self._mark(entry.snapshot.chain, entry.snapshot.venue, fair_price, tally, elsewhere)
        self._point(entry, fair_price)
        self._act(entry, fair_price)

    def ended(
        self,
        view: ChainView,
        venue: VenueView | None,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow] = (),
    ) -> None:
        """The last look, with nothing decided: what the last turn's actions came to."""
        self._mark(view, venue, fair_price, tally, elsewhere)
        last = self.points[-1]
        self.points.append(
            self._seen(view, venue, fair_price, state=last.state, refusals=(), withheld=False)
        )

    def _mark(
        self,
        view: ChainView,
        venue: VenueView | None,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow],
    ) -> None:
        now = _standing(view, tally)
        gas = ZERO
        if self._before is not None:
            spent = tally.gas_wei - self._before.tally.gas_wei
            gas = EXACT.multiply(to_decimal(spent, ETHER_DECIMALS), view.eth_price)
            self._gas = EXACT.add(self._gas, gas)
        with localcontext(EXACT):
            held = inventory(view, fair_price, venue)
            base, quote = held.base_total, held.quote_total - self._gas
            flows = () if self._before is None else self._flows(self._before, now, gas, elsewhere)
        self.marks.append(
            Mark(
                at=view.block.timestamp,
                fair_price=fair_price,
                base=base,
                quote=quote,
                flows=flows,
                leg=self._leg,
            )
        )
        self._before = now

    def _flows(
        self, before: _Standing, now: _Standing, gas: Decimal, elsewhere: Iterable[Flow]
    ) -> tuple[Flow, ...]:
        then, tally = before.tally, now.tally
        minted = (tally.minted0 - then.minted0, tally.minted1 - then.minted1)
        burnt = (tally.burnt0 - then.burnt0, tally.burnt1 - then.burnt1)
        collected = (tally.collected0 - then.collected0, tally.collected1 - then.collected1)
        swapped = (tally.swapped0 - then.swapped0, tally.swapped1 - then.swapped1)
        sent = (then.sent0 - tally.sent0, then.sent1 - tally.sent1)
        liquidity = [
            after - old - put_in + out
            for old, after, put_in, out in zip(
                before.principal, now.principal, minted, burnt, strict=True
            )
        ]
        fees = [
            after - old + paid - out
            for old, after, paid, out in zip(before.fees, now.fees, collected, burnt, strict=True)
        ]
        return merged(
            (
                self._flow(Source.LIQUIDITY, *liquidity),
                self._flow(Source.FEES, *fees),
                self._flow(Source.SWAP, *swapped),
                self._flow(Source.CAPITAL, *sent),
                Flow(source=Source.GAS, quote=-gas),
                *elsewhere,
            )
        )

    def _flow(self, source: Source, amount0: int, amount1: int) -> Flow:
        base, quote = self._market.base_quote(amount0, amount1)
        return Flow(source=source, base=base, quote=quote)

    def _point(self, entry: Entry, fair_price: Decimal) -> None:
        decision = entry.decision
        simulated = tuple(o.refusal for o in entry.outcomes if o.refusal is not None)
        self.points.append(
            self._seen(
                entry.snapshot.chain,
                entry.snapshot.venue,
                fair_price,
                state=decision.state.value,
                refusals=decision.refusals + simulated,
                withheld=decision.withheld or bool(simulated),
            )
        )

    def _seen(
        self,
        view: ChainView,
        venue: VenueView | None,
        fair_price: Decimal,
        *,
        state: str,
        refusals: tuple[Refusal, ...],
        withheld: bool,
    ) -> TrackPoint:
        held = inventory(view, fair_price, venue)
        return TrackPoint(
            at=view.block.timestamp,
            fair_price=fair_price,
            pool_price=self._market.price(view.pool.sqrt_price_x96),
            share=held.share,
            nav=held.nav,
            in_range=any(p.liquidity and p.in_range(view.pool.tick) for p in view.positions),
            ranges=self._ranges(view, fair_price),
            state=state,
            refusals=refusals,
            withheld=withheld,
        )

    def _ranges(self, view: ChainView, fair_price: Decimal) -> tuple[RangeShown, ...]:
        shown = []
        for position in view.positions:
            if not position.liquidity:
                continue
            edges = sorted((self._price(position.tick_lower), self._price(position.tick_upper)))
            base, quote = self._market.base_quote(position.amount0, position.amount1)
            shown.append(RangeShown(low=edges[0], high=edges[1], value=base * fair_price + quote))
        return tuple(shown)

    def _price(self, tick: int) -> Decimal:
        price = self._prices.get(tick)
        if price is None:
            price = self._prices[tick] = self._market.price(get_sqrt_ratio_at_tick(tick))
        return price

    def _act(self, entry: Entry, fair_price: Decimal) -> None:
        decision, view = entry.decision, entry.snapshot.chain
        for step, outcome in zip(entry.steps, entry.outcomes, strict=False):
            if isinstance(step, Rerange) and outcome.status == "mined":
                self._leg += 1
            gas = to_decimal(outcome.gas_used * outcome.gas_price, ETHER_DECIMALS) * view.eth_price
            self.actions.append(
                Action(
                    at=entry.at,
                    kind=kind_of(step),
                    status=outcome.status,
                    reason=decision.reason,
                    trigger=decision.trigger.value if decision.trigger is not None else "",
                    leg=self._leg,
                    gas_quote=gas,
                    turnover_quote=self._turnover(step, outcome, fair_price),
                    tx_hash=outcome.tx_hash,
                    entry_id=entry.id,
                )
            )

    def _turnover(self, step: Step, outcome: Outcome, fair_price: Decimal) -> Decimal:
        if isinstance(step, PlaceOrder):
            return outcome.order.filled * fair_price if outcome.order is not None else ZERO
        if not isinstance(step, Swap) or outcome.status != "mined":
            return ZERO
        base_in = step.zero_for_one == self._market.base_is_token0
        amount = step.amount_in if base_in else outcome.collected0 + outcome.collected1
        return to_decimal(amount, self._market.base.decimals) * fair_price


def kind_of(step: Step) -> str:
    """A step's kind to people: a first deposit takes nothing out, an exit puts nothing in."""
    if isinstance(step, Rerange):
        if not step.removals:
            return "deposit"
        return "rerange" if step.mints else "exit"
    if isinstance(step, PlaceOrder):
        return step.purpose.value
    return step.kind


def _standing(view: ChainView, tally: Tally) -> _Standing:
    positions = view.positions
    return _Standing(
        (sum(p.amount0 for p in positions), sum(p.amount1 for p in positions)),
        (sum(p.fees0 for p in positions), sum(p.fees1 for p in positions)),
        tally,
    )
