"""Writes down what a backtest's turns saw and did: the track, and accounts that close.

Every flow is measured where it happens, apart from the inventory it must explain: principal by
what mints and burns moved and by what positions hold, fees by what is uncollected and what
``collect`` paid beyond principal, swaps and gas by the chain's own tally, the exchange by its own
flows. That the flows add up to the change of the inventory is asserted for every turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Outcome, Step, Swap
from dexmm.model.venue import VenueView
from dexmm.performance.attribution import Flow, Mark, Source, merged
from dexmm.performance.track.entry_facts import Sketcher, actions, paired
from dexmm.performance.track.track import Action, TrackPoint
from dexmm.sim.candle_world import Move
from dexmm.sim.chain.dry_run import Tally
from dexmm.strategy.exposure.inventory import Inventory, inventory
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import ETHER_DECIMALS, EXACT, PRICE, Q96, to_decimal

ZERO = Decimal(0)
EDGE_DIGITS = 9


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
        self._watched = ZERO  # seconds
        self._part_seconds = ZERO  # of the liquidity in range, times seconds
        self._sketcher = Sketcher()

    def saw(
        self,
        entry: Entry,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow] = (),
        moves: Sequence[Move] = (),
    ) -> None:
        """A turn. ``tally`` stood so when the turn looked; ``elsewhere`` are the flows on the
        exchange, and ``moves`` those of others in the pool, since the turn before looked."""
        snapshot = entry.snapshot
        held = self._mark(snapshot.chain, snapshot.venue, fair_price, tally, elsewhere, moves)
        with localcontext(PRICE):
            self.points.append(self._sketcher.point(entry, held.share, held.nav, fair_price))
        self._act(entry, fair_price)

    def ended(
        self,
        view: ChainView,
        venue: VenueView | None,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow] = (),
        moves: Sequence[Move] = (),
    ) -> None:
        """The last look, with nothing decided: what the last turn's actions came to."""
        held = self._mark(view, venue, fair_price, tally, elsewhere, moves)
        state = self.points[-1].state
        with localcontext(PRICE):
            self.points.append(self._sketcher.look(view, fair_price, held.share, held.nav, state))

    @property
    def liquidity_share(self) -> Decimal:
        """Ours of the liquidity in range, 0 to 1, mean over time: a look counts since the last."""
        return PRICE.divide(self._part_seconds, self._watched) if self._watched else ZERO

    def _watch_liquidity(self, view: ChainView, since: int) -> None:
        pool, seconds = view.pool, Decimal(view.block.timestamp - since)
        ours = sum([p.liquidity for p in view.positions if p.in_range(pool.tick)])
        self._watched += seconds
        if ours:
            part = PRICE.divide(Decimal(ours), Decimal(pool.liquidity))
            self._part_seconds += PRICE.multiply(part, seconds)

    def _mark(
        self,
        view: ChainView,
        venue: VenueView | None,
        fair_price: Decimal,
        tally: Tally,
        elsewhere: Iterable[Flow],
        moves: Sequence[Move],
    ) -> Inventory:
        now = _standing(view, tally)
        gas = ZERO
        if self._before is not None:
            self._watch_liquidity(view, self.marks[-1].at)
            spent = tally.gas_wei - self._before.tally.gas_wei
            if spent or not self._gas:
                gas = EXACT.multiply(to_decimal(spent, ETHER_DECIMALS), view.eth_price)
                self._gas = EXACT.add(self._gas, gas)
        with localcontext(EXACT):
            held = inventory(view, fair_price, venue)
            base, quote = held.base_total, held.quote_total - self._gas
            flows: tuple[Flow, ...] = ()
            if self._before is not None:
                flows = self._flows(self._before, now, gas, elsewhere, view, moves, fair_price)
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
        return held

    def _flows(
        self,
        before: _Standing,
        now: _Standing,
        gas: Decimal,
        elsewhere: Iterable[Flow],
        view: ChainView,
        moves: Sequence[Move],
        fair_price: Decimal,
    ) -> tuple[Flow, ...]:
        then, tally, elsewhere = before.tally, now.tally, tuple(elsewhere)
        if then is tally and before.principal == now.principal and before.fees == now.fees:
            return with_edge(merged(elsewhere), view, moves, fair_price)  # nothing of ours moved
        if then is tally and not elsewhere:
            return self._moved(before, now, view, moves, fair_price)
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
        flows = merged(
            (
                self._flow(Source.LIQUIDITY, *liquidity),
                self._flow(Source.FEES, *fees),
                self._flow(Source.SWAP, *swapped),
                self._flow(Source.CAPITAL, *sent),
                Flow(source=Source.GAS, quote=-gas),
                *elsewhere,
            )
        )
        return with_edge(flows, view, moves, fair_price)

    def _moved(
        self,
        before: _Standing,
        now: _Standing,
        view: ChainView,
        moves: Sequence[Move],
        fair_price: Decimal,
    ) -> tuple[Flow, ...]:
        """As ``_flows``, where others have traded and nothing else has happened."""
        (old0, old1), (new0, new1) = before.principal, now.principal
        base, quote = self._market.base_quote(new0 - old0, new1 - old1)
        if not base and not quote:
            base = quote = ZERO
        edge = edge_of(base, quote, view, moves, fair_price)
        flows: tuple[Flow, ...] = ()
        if base or quote or edge:
            flows = (Flow(source=Source.LIQUIDITY, base=base, quote=quote, edge=edge),)
        fees = self._flow(Source.FEES, now.fees[0] - before.fees[0], now.fees[1] - before.fees[1])
        return (*flows, fees) if fees.base or fees.quote else flows

    def _flow(self, source: Source, amount0: int, amount1: int) -> Flow:
        base, quote = self._market.base_quote(amount0, amount1)
        return Flow(source=source, base=base, quote=quote)

    def _act(self, entry: Entry, fair_price: Decimal) -> None:
        if not entry.outcomes:
            return
        gained = sum((self._gained(step, outcome) for step, outcome in paired(entry)), ZERO)
        began = list(actions(entry, self._leg, {}, gained, fair_price))
        self.actions += began
        self._leg = began[-1].leg if began else self._leg

    def _gained(self, step: Step | None, outcome: Outcome) -> Decimal:
        """The base that a swap of ours brought; negative: cost."""
        if not isinstance(step, Swap) or outcome.status != "mined":
            return ZERO
        paid = (step.amount_in, 0) if step.zero_for_one else (0, step.amount_in)
        return self._market.base_quote(outcome.collected0 - paid[0], outcome.collected1 - paid[1])[
            0
        ]


def with_edge(
    flows: tuple[Flow, ...], view: ChainView, moves: Sequence[Move], fair_price: Decimal
) -> tuple[Flow, ...]:
    """The flows, what liquidity lost being measured at each of ``moves`` instead of at the end."""
    if len(moves) < 2 or not view.positions:
        return flows
    whole = next((flow for flow in flows if flow.source is Source.LIQUIDITY), None)
    if whole is None:
        whole = Flow(source=Source.LIQUIDITY)
    known = replace(whole, edge=edge_of(whole.base, whole.quote, view, moves, fair_price))
    return merged((known, *(flow for flow in flows if flow.source is not Source.LIQUIDITY)))


def edge_of(
    whole_base: Decimal,
    whole_quote: Decimal,
    view: ChainView,
    moves: Sequence[Move],
    fair_price: Decimal,
) -> Decimal | None:
    """What liquidity's flow gained (negative: lost) against the fair price at each of ``moves``, in
    quote; None where there were none.

    The positions have been the same since the first of them. What the moves do not explain (our
    own swaps, rounding) counts at ``fair_price``. Floats, to ``EDGE_DIGITS`` of a whole quote.
    """
    if len(moves) < 2 or not view.positions:
        return None
    market, decimals = view.market, (view.market.token0.decimals, view.market.token1.decimals)
    one0, one1 = (10.0**places for places in decimals)
    base = quote = edge = 0.0
    first = moves[0][0] / Q96
    steps = [(sqrt_price_x96 / Q96, price) for sqrt_price_x96, price in moves[1:]]
    for position in view.positions:
        low = get_sqrt_ratio_at_tick(position.tick_lower) / Q96
        high = get_sqrt_ratio_at_tick(position.tick_upper) / Q96
        before, liquidity = min(max(first, low), high), position.liquidity
        for root, price in steps:
            here = min(max(root, low), high)
            if here == before:
                continue
            gained0 = liquidity * (1 / here - 1 / before) / one0
            gained1 = liquidity * (here - before) / one1
            before = here
            if not market.base_is_token0:
                gained0, gained1 = gained1, gained0
            base, quote = base + gained0, quote + gained1
            edge += gained0 * price + gained1
    last = float(fair_price)
    edge += (float(whole_base) - base) * last + float(whole_quote) - quote
    return Decimal(repr(round(edge, EDGE_DIGITS)))


def _standing(view: ChainView, tally: Tally) -> _Standing:
    amount0 = amount1 = fees0 = fees1 = 0
    for position in view.positions:
        amount0, amount1 = amount0 + position.amount0, amount1 + position.amount1
        fees0, fees1 = fees0 + position.fees0, fees1 + position.fees1
    return _Standing((amount0, amount1), (fees0, fees1), tally)
