"""Where a change of net worth came from, closed to the last unit. Pure.

Net worth is the inventory at the fair price less the gas paid so far; the inventory counts every
place (``strategy/exposure/inventory.py``). Between two marks ``k`` and ``k + 1`` the inventory
changes by *flows*, each of one source; the base that a source has brought since the start is
``X_s``. With the fair price ``F``

    change = X_0 (F' - F)                      holding what there was at the start
           + sum over s of   X_s (F' - F)      timing: the price moved while that base was held
                           + (dX_s F' + dY_s)  edge: what its trades paid against the fair price

summed over all intervals, every source's timing and edge together are what its flows are worth at
the last fair price, ``X_s F + Y_s``. So

- fees        are what the pool paid, net of the protocol's share
- divergence  is the liquidity's flows at the last price: its edge is loss-versus-rebalancing,
              realised against the fair price of the moment where that is known (``Flow.edge``: a
              simulation knows it at each trade of others), else at the mark; its timing is the rest
- swaps, hedges and quotes: edge is cost or spread, timing is what the exposure then earned
- gas, exchange fees and funding have no base of their own

Everything is computed in ``units.EXACT`` with inexact results trapped: a sum that does not close
raises, and so does one that had to round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, localcontext
from enum import StrEnum

from dexmm.errors import Halt
from dexmm.units import EXACT

ZERO = Decimal(0)
_UNROUNDED = Context(prec=EXACT.prec, traps=[*EXACT.traps, Inexact])


class Source(StrEnum):
    LIQUIDITY = "liquidity"  # principal of positions: what swaps of others turned into what
    FEES = "fees"  # of the pool, collected or not
    SWAP = "swap"  # our own, in the pool
    HEDGE = "hedge"  # on the exchange, stop-loss slices included
    QUOTE = "quote"  # fills of resting quotes on the exchange
    TRIANGLE = "triangle"
    EXCHANGE_FEE = "exchange_fee"
    FUNDING = "funding"
    GAS = "gas"
    CAPITAL = "capital"  # deposits and withdrawals
    UNEXPLAINED = "unexplained"  # a live journal alone: what it cannot account for


_IN_ORDER = tuple(Source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What one source added to the inventory (negative: took) since the mark before."""

    source: Source
    base: Decimal = ZERO
    quote: Decimal = ZERO
    edge: Decimal | None = None  # quote, against the fair price as it happened; None: at the mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The inventory at one moment, gas already taken from ``quote``; the first has no flows.

    ``leg`` numbers the stretch between two re-ranges that the interval *ending* here belongs to.
    """

    at: int
    fair_price: Decimal
    base: Decimal
    quote: Decimal
    flows: tuple[Flow, ...] = ()
    leg: int = 0

    @property
    def net_worth(self) -> Decimal:
        with localcontext(_UNROUNDED):
            return self.base * self.fair_price + self.quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source's contribution, in quote."""

    timing: Decimal = ZERO
    edge: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return EXACT.add(self.timing, self.edge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """``change == holding + sum(part.total for part in parts.values())``, exactly."""

    start: Decimal  # net worth
    end: Decimal
    holding: Decimal  # what the inventory of the start gained by the price alone
    parts: dict[Source, Part] = field(default_factory=dict)

    @property
    def change(self) -> Decimal:
        return EXACT.subtract(self.end, self.start)

    @property
    def against_holding(self) -> Decimal:
        """Net of every cost, deposits and withdrawals aside."""
        with localcontext(EXACT):
            return self.change - self.holding - self.part(Source.CAPITAL).total

    @property
    def loss_versus_rebalancing(self) -> Decimal:
        """Negative is a loss: what arbitrage took, realised against the fair price."""
        return self.part(Source.LIQUIDITY).edge

    @property
    def divergence(self) -> Decimal:
        """Negative is a loss: the liquidity against having held what it was made of."""
        return self.part(Source.LIQUIDITY).total

    def part(self, source: Source) -> Part:
        return self.parts.get(source, Part())


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stretch between two re-ranges, attributed by itself."""

    number: int
    began: int
    ended: int
    attribution: Attribution


def attribute(marks: Sequence[Mark]) -> Attribution:
    """The change from the first mark to the last, by source.

    Raises ``Halt`` naming the interval when the flows do not explain the inventory.
    """
    with localcontext(_UNROUNDED):
        return _attribute(marks)


def legs(marks: Sequence[Mark]) -> tuple[Leg, ...]:
    """Every stretch between two re-ranges, in order; holding is of what the stretch began with."""
    found: list[Leg] = []
    first = 0
    for last in range(1, len(marks)):
        if last + 1 < len(marks) and marks[last + 1].leg == marks[last].leg:
            continue
        stretch = [_as_first(marks[first]), *marks[first + 1 : last + 1]]
        found.append(
            Leg(
                number=marks[last].leg,
                began=marks[first].at,
                ended=marks[last].at,
                attribution=attribute(stretch),
            )
        )
        first = last
    return tuple(found)


def _as_first(mark: Mark) -> Mark:
    return Mark(at=mark.at, fair_price=mark.fair_price, base=mark.base, quote=mark.quote)


def _attribute(marks: Sequence[Mark]) -> Attribution:
    first, last = marks[0], marks[-1]
    timing = dict.fromkeys(Source, ZERO)
    edge = dict.fromkeys(Source, ZERO)
    brought = dict.fromkeys(Source, ZERO)
    base, quote, price = first.base, first.quote, first.fair_price
    for mark in marks[1:]:
        moved = mark.fair_price - price
        if moved:
            for source, amount in brought.items():
                if amount:
                    timing[source] += amount * moved
        for flow in mark.flows:
            worth = flow.base * mark.fair_price + flow.quote
            realised = worth if flow.edge is None else flow.edge
            edge[flow.source] += realised
            timing[flow.source] += worth - realised
            brought[flow.source] += flow.base
            base, quote = base + flow.base, quote + flow.quote
        price = mark.fair_price
        if (base, quote) != (mark.base, mark.quote):
            raise Halt(
                f"the accounts do not close at {mark.at}: {mark.base - base} base and "
                f"{mark.quote - quote} quote came from nowhere",
                at=mark.at,
                base=mark.base - base,
                quote=mark.quote - quote,
            )
    parts = {
        source: Part(timing=timing[source], edge=edge[source])
        for source in Source
        if timing[source] or edge[source]
    }
    found = Attribution(
        start=first.net_worth,
        end=last.net_worth,
        holding=first.base * (last.fair_price - first.fair_price),
        parts=parts,
    )
    _require_closed(found)
    return found


def _require_closed(found: Attribution) -> None:
    explained = found.holding + sum((part.total for part in found.parts.values()), ZERO)
    if explained != found.end - found.start:
        raise Halt(
            f"the attribution explains {explained} of a change of {found.end - found.start}",
            explained=explained,
            change=found.end - found.start,
        )


def merged(flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """One flow a source, in the order of ``Source``; those that are nothing are left out.

    The edge of a source is known where that of each of its flows is.
    """
    sums: dict[Source, tuple[Decimal, Decimal, Decimal | None]] = {}
    with localcontext(_UNROUNDED):
        for flow in flows:
            base, quote, edge = sums.get(flow.source, (ZERO, ZERO, ZERO))
            edge = None if flow.edge is None or edge is None else edge + flow.edge
            sums[flow.source] = base + flow.base, quote + flow.quote, edge
    return tuple(
        [
            Flow(source=source, base=sums[source][0], quote=sums[source][1], edge=sums[source][2])
            for source in _IN_ORDER
            if source in sums and any(sums[source])
        ]
    )
