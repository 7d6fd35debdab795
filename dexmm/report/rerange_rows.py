"""Every re-range with what the stretch after it earned and cost: the decision beside its result."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.performance.attribution import Leg, Source, legs
from dexmm.performance.track.track import Action, Track
from dexmm.units import EXACT

STARTS = {"deposit", "rerange", "exit", "settle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegShown:
    """Money in quote; losses are negative. The first may have no action: it was under way."""

    number: int
    began: int
    ended: int
    kind: str
    trigger: str
    reason: str
    fees: Decimal
    divergence: Decimal
    loss_versus_rebalancing: Decimal
    gas: Decimal
    swap: Decimal
    exchange: Decimal  # trades, fees and funding there
    unexplained: Decimal
    net: Decimal  # against holding what the stretch began with

    @property
    def seconds(self) -> int:
        return self.ended - self.began


EXCHANGE = (
    Source.HEDGE,
    Source.QUOTE,
    Source.TRIANGLE,
    Source.EXCHANGE_FEE,
    Source.FUNDING,
)


def legs_shown(track: Track) -> list[LegShown]:
    """In order of time. Nets of legs do not sum to the whole's: each holds from its own start."""
    began = {a.leg: a for a in track.actions if a.kind in STARTS and a.status == "mined"}
    return [_shown(leg, began.get(leg.number)) for leg in legs(track.marks)]


def _shown(leg: Leg, action: Action | None) -> LegShown:
    found = leg.attribution
    with localcontext(EXACT):
        exchange = sum((found.part(source).total for source in EXCHANGE), Decimal(0))
    return LegShown(
        number=leg.number,
        began=leg.began,
        ended=leg.ended,
        kind=action.kind if action else "",
        trigger=action.trigger if action else "",
        reason=action.reason if action else "under way when this began",
        fees=found.part(Source.FEES).total,
        divergence=found.divergence,
        loss_versus_rebalancing=found.loss_versus_rebalancing,
        gas=found.part(Source.GAS).total,
        swap=found.part(Source.SWAP).total,
        exchange=exchange,
        unexplained=found.part(Source.UNEXPLAINED).total,
        net=found.against_holding,
    )
