"""The way from holding to what was earned against it, in words: the bars of the waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.performance.attribution import Attribution, Source

LABELS = {
    Source.FEES: "pool fees",
    Source.SWAP: "own pool swaps",
    Source.HEDGE: "hedges",
    Source.QUOTE: "quotes",
    Source.TRIANGLE: "triangle",
    Source.EXCHANGE_FEE: "exchange fees",
    Source.FUNDING: "funding",
    Source.GAS: "gas",
    Source.UNEXPLAINED: "unexplained",
}
# A loss first, where it belongs to the fees beside it.
ORDER = (
    Source.FEES,
    Source.LIQUIDITY,
    Source.SWAP,
    Source.HEDGE,
    Source.QUOTE,
    Source.TRIANGLE,
    Source.EXCHANGE_FEE,
    Source.FUNDING,
    Source.GAS,
    Source.UNEXPLAINED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    label: str
    amount: Decimal  # quote
    note: str = ""


def steps(found: Attribution) -> tuple[Step, ...]:
    """They sum to ``found.against_holding`` exactly. Fees, divergence and gas are always there."""
    shown: list[Step] = []
    for source in ORDER:
        part = found.part(source)
        if source is Source.LIQUIDITY:
            shown += [
                Step(label="loss versus rebalancing", amount=part.edge),
                Step(label="liquidity's own exposure", amount=part.timing),
            ]
        elif part.total or source in {Source.FEES, Source.GAS}:
            shown.append(Step(label=LABELS[source], amount=part.total))
    return tuple(shown)
