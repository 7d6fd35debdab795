"""A live journal as a track: consecutive turns compared, and every difference given its source.

What one turn looked at, and what became of its steps, must explain what the next one looks at.
Whatever does not is ``Source.UNEXPLAINED``: shown, never spread over the other sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent, Purpose
from dexmm.performance.attribution import Flow, Mark, Source, merged
from dexmm.performance.order_statistics import trading
from dexmm.performance.pool_volume import left_to_liquidity
from dexmm.performance.rebalanced import market_cost
from dexmm.performance.track.chain_flows import chain_flows
from dexmm.performance.track.entry_facts import (
    Sketcher,
    actions,
    begins_leg,
    gas_quote,
    halted,
    paired,
    quoted,
)
from dexmm.performance.track.exchange_flows import Ledger, exchange_flows
from dexmm.performance.track.holdings import Amounts, Holdings, holdings
from dexmm.performance.track.track import Action, Quoted, Track, TrackPoint
from dexmm.strategy.context.memory_update import Observation, capital_flow
from dexmm.strategy.exposure.exchange_inventory import venue_flow
from dexmm.strategy.exposure.inventory import inventory
from dexmm.strategy.ranges.held_ranges import Holding
from dexmm.units import EXACT, PRICE

ZERO = Decimal(0)
PIPS = Decimal(1_000_000)
SHOWN = 10  # of turns that cannot be read


def from_journal(
    entries: Iterable[Entry],
    orders: Iterable[OrderIntent],
    config: Config,
    *,
    name: str = "",
    source: str = "the journal",
    began: int = 0,
    ended: int = 0,
    errors: tuple[str, ...] = (),
    seen: Callable[[Entry], None] | None = None,
    unreadable: Callable[[], tuple[int, ...]] = tuple,
) -> Track:
    """``entries`` oldest first, ``orders`` of the account. ``seen`` is called with every entry.

    ``unreadable`` is asked at the end: the turns that were passed over among them.

    ``began`` and ``ended`` are the stretch that was asked for; 0: from the first turn, to the last.
    Raises ``BadInput`` when there is no entry, ``Halt`` when the accounts do not close.
    """
    log = {order.client_id: order for order in orders}
    teller = _Teller(config=config, log=log, ledger=Ledger(log))
    for entry in entries:
        teller.tell(entry)
        if seen is not None:
            seen(entry)
    if teller.last is None:
        raise BadInput("no turn is on record in that time")
    teller.missing = unreadable()
    return teller.track(name, source, began, ended, errors)


@dataclass(slots=True)
class _Teller:
    config: Config
    log: Mapping[str, OrderIntent]
    ledger: Ledger
    sketcher: Sketcher = field(default_factory=Sketcher)
    points: list[TrackPoint] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    quoted: list[Quoted] = field(default_factory=list)
    fingerprints: dict[str, int] = field(default_factory=dict)
    first: Entry | None = None
    last: Entry | None = None
    held: Holdings | None = None  # at `last`
    gas: Decimal = ZERO  # quote, so far
    elsewhere: Decimal = ZERO  # quote: exchange fees in coins outside the accounts, so far
    leg: int = 0
    missing: tuple[int, ...] = ()  # turns on record that cannot be read

    def tell(self, entry: Entry) -> None:
        now = holdings(entry.snapshot, entry.decision.fair_price)
        flows: tuple[Flow, ...] = ()
        if self.last is None or self.held is None:
            self.first = entry
            self.ledger.open_at(entry)
        else:
            flows = self._flows(self.last, entry, self.held, now)
            self._acted(self.last, flows)
        self._mark(entry, now, flows)
        if (rests := quoted(entry, self.log)) is not None:
            self.quoted.append(rests)
        self.fingerprints[entry.config] = self.fingerprints.get(entry.config, 0) + 1
        self.last, self.held = entry, now

    def track(
        self, name: str, source: str, began: int, ended: int, errors: tuple[str, ...]
    ) -> Track:
        """Everything told so far."""
        first, last = self.first, self.last
        assert first is not None and last is not None  # noqa: S101, PT018 - told one at least
        self._acted(last, ())
        market, settings = last.snapshot.chain.market, self.config.strategy
        log = [o for o in self.log.values() if o.created_at >= _exchange_time(first)]
        quotes = any(order.purpose is Purpose.QUOTE for order in log)
        return Track(
            name=name or "report",
            source=source,
            base=market.base.symbol,
            quote=market.quote.symbol,
            band_low=settings.band_low,
            band_high=settings.band_high,
            target=settings.target,
            interval_seconds=self.config.loop.interval_seconds,
            points=tuple(self.points),
            marks=tuple(self.marks),
            actions=tuple(sorted([*self.actions, *self._fills(log)], key=lambda a: a.at)),
            orders=tuple(log),
            errors=errors,
            halted=halted(last),
            assumptions=tuple(self._assumptions(log)),
            facts=self._facts(first, last),
            quoted=tuple(self.quoted) if quotes or self.config.quotes.enabled else (),
            fee_rate=_fee_rate(last),
            rebalancing_cost=market_cost(market.fee_pips),
            began=began,
            ended=ended,
        )

    def _flows(
        self, before: Entry, after: Entry, then: Holdings, now: Holdings
    ) -> tuple[Flow, ...]:
        here, there = _deposits(after, self.config)
        with localcontext(EXACT):
            fills = self.ledger.between(then, now, after)
            self.elsewhere += sum((fill.elsewhere for fill in fills), ZERO)
            return merged(
                [
                    *chain_flows(before, after, here),
                    *exchange_flows(fills, (then, now), (before, after), there),
                    Flow(source=Source.GAS, quote=-gas_quote(before, before.outcomes)),
                ]
            )

    def _mark(self, entry: Entry, now: Holdings, flows: tuple[Flow, ...]) -> None:
        price, total = entry.decision.fair_price, now.total
        with localcontext(EXACT):
            self.gas += sum((f.quote for f in flows if f.source is Source.GAS), ZERO)
            quote = total.quote + self.gas - self.elsewhere
        with localcontext(PRICE):
            nav = total.base * price + total.quote
            share = total.base * price / nav if nav else ZERO
        self.points.append(self.sketcher.point(entry, share, nav))
        self.marks.append(
            Mark(
                at=entry.at,
                fair_price=price,
                base=total.base,
                quote=quote,
                flows=flows,
                leg=self.leg,
            )
        )

    def _acted(self, entry: Entry, flows: tuple[Flow, ...]) -> None:
        """What ``entry`` began, now that it is known what it brought; later marks are of its leg.

        Called before the next mark is made: a re-range's cost belongs to the leg it begins.
        """
        gained = sum((f.base for f in flows if f.source is Source.SWAP), ZERO)
        self.actions += actions(entry, self.leg, self.log, gained)
        self.leg += sum(begins_leg(step, outcome) for step, outcome in paired(entry))

    def _fills(self, log: Iterable[OrderIntent]) -> Iterable[Action]:
        """Quotes that were filled. A quote's value is what it was filled for."""
        market = self.config.exchange.symbol if self.config.exchange is not None else ""
        for order in log:
            if order.purpose is Purpose.QUOTE and order.filled and order.symbol == market:
                yield Action(
                    at=order.created_at,
                    kind="quote",
                    status="done",
                    reason=f"{order.side} {order.filled:f} at {order.price:f}",
                    turnover_quote=order.cost,
                )

    def _assumptions(self, log: Iterable[OrderIntent]) -> Iterable[str]:
        yield (
            "Everything is valued at the fair price that the turns decided with: the median of the "
            "pool's average, the exchange and the triangle, as far as they are configured."
        )
        yield (
            "Gas is what the turns' transactions burned, at the price of ether they saw; a "
            "withdraw or a transaction by hand is not among them."
        )
        if self.config.exchange is not None:
            yield "Fills, fees and their times are the order log's, held against the balances."
        if self.last is not None:
            yield from _third_coins(log, self.last.snapshot.chain.market)
        if self.missing:
            shown = ", ".join(str(turn) for turn in self.missing[:SHOWN])
            more = f" and {left} more" if (left := len(self.missing) - SHOWN) > 0 else ""
            yield (
                f"Turns that cannot be read are passed over: {shown}{more}. What they did and the "
                "gas that they burned are not told; what they moved counts as unexplained."
            )
        if len(self.fingerprints) > 1:
            yield (
                f"The configuration changed: {len(self.fingerprints)} of them decided these turns; "
                "band and target are shown as they are set now."
            )

    def _facts(self, first: Entry, last: Entry) -> dict[str, str]:
        view = last.snapshot.chain
        facts = {
            "network": self.config.network.name,
            "market": f"{view.market.base.symbol}/{view.market.quote.symbol}",
            "strategy": self.config.strategy.name,
            "configuration": last.config,
            "first turn": f"{first.id} at {_moment(first.at)}",
            "last turn": f"{last.id} at {_moment(last.at)}",
        }
        if self.config.market.has_pool:
            facts["pool"] = view.market.pool
            facts["wallet"] = view.wallet.address
            facts["blocks"] = f"{first.snapshot.chain.block.number} to {view.block.number}"
        if last.snapshot.venue is not None:
            facts["exchange"] = last.snapshot.venue.exchange
        return facts


def _third_coins(log: Iterable[OrderIntent], market: Market) -> Iterable[str]:
    """How fees in a coin outside the accounts are counted, and which of them could not be."""
    found, own = trading(log), (market.base.symbol, market.quote.symbol)
    for coin, amount, value in found.fees_valued:
        if coin not in own:
            yield (
                f"Exchange fees of {amount:f} {coin} are counted at {value:.2f} {own[1]}: by the "
                f"exchange's own price of {coin} in {own[1]} when each was told."
            )
    for coin, amount in found.fees_unvalued:
        if coin not in own:
            yield (
                f"Exchange fees of {amount:f} {coin} have no known price (the exchange has no "
                f"{coin}/{own[1]}, or did not answer): they are MISSING from every net figure here."
            )


def _deposits(entry: Entry, config: Config) -> tuple[Amounts, bool]:
    """What the product itself took for a deposit: to the wallet, and whether one there."""
    snapshot, price = entry.snapshot, entry.decision.fair_price
    seen = Observation(
        snapshot,
        config,
        inventory(snapshot.chain, price, snapshot.venue),
        Holding.of(snapshot.chain, snapshot.memory),
    )
    with localcontext(EXACT):
        both = capital_flow(seen, snapshot.memory)
        there = venue_flow(snapshot.venue, snapshot.memory, price, seen.inventory.nav)
        return Amounts(both[0] - there[0], both[1] - there[1]), any(there)


def _fee_rate(entry: Entry) -> Decimal:
    view = entry.snapshot.chain
    kept = left_to_liquidity(view.pool.fee_protocol, zero_for_one=True)
    return PRICE.multiply(PRICE.divide(Decimal(view.market.fee_pips), PIPS), kept)


def _exchange_time(entry: Entry) -> int:
    venue = entry.snapshot.venue
    return venue.at // 1000 if venue is not None else entry.at


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
