"""One contestant's result, small enough to be sent from one process to another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dexmm.backtest.sensitivity import AtGas, AtRatio, at_gas
from dexmm.performance.attribution import Source, attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.metrics import Figures, figures
from dexmm.performance.refusal_counts import Refused, refused
from dexmm.performance.track.track import Track
from dexmm.report.downsample import thinned

CURVE_POINTS = 1_000  # of each curve; more than a screen has across


class Kind(StrEnum):
    STRATEGY = "strategy"  # the live code decides
    STATIC = "static"  # minted once, never moved
    HOLDING = "holding"  # no liquidity at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Parallel columns, thinned for drawing."""

    at: tuple[int, ...]
    against_holding: tuple[Decimal, ...]  # net worth less what holding would be worth
    share: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``parts`` sums to ``figures.net``, exactly."""

    kind: Kind
    figures: Figures
    parts: tuple[tuple[Source, Decimal], ...]
    curve: Curve
    refused: tuple[Refused, ...]
    assumptions: tuple[str, ...]
    skipped_turns: int = 0
    ratios: tuple[AtRatio, ...] = ()  # the same at every pay ratio, its own included
    gas: tuple[AtGas, ...] = ()  # the same decisions with gas at other prices

    @property
    def name(self) -> str:
        return self.figures.name

    @property
    def label(self) -> str:
        """The name, and whether it stopped before the end."""
        return f"{self.name} (halted)" if self.figures.halted else self.name

    @property
    def pays_gas(self) -> bool | None:
        """Whether fees cover gas; None where no gas was spent."""
        return self.figures.fees + self.figures.gas >= 0 if self.figures.gas else None


def row_of(track: Track, kind: Kind) -> Row:
    """``track`` holds at least one point. Raises ``Halt`` when its accounts do not close."""
    found, seen = attribute(track.marks), figures(track)
    return Row(
        kind=kind,
        figures=seen,
        gas=at_gas(seen),
        parts=tuple(
            (source, part.total)
            for source, part in found.parts.items()
            if source is not Source.CAPITAL
        ),
        curve=curve_of(track),
        refused=refused(track.points),
        assumptions=track.assumptions,
        skipped_turns=track.skipped_turns,
    )


def ranked(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The highest net first; equals in the order they were given."""
    return tuple(sorted(rows, key=lambda row: -row.figures.net))


def curve_of(track: Track, most: int = CURVE_POINTS) -> Curve:
    """Net worth against holding, and the share, at no more than ``most`` moments."""
    gained = [worth.against_holding for worth in worths(track.marks)]
    kept = thinned(range(len(gained)), gained.__getitem__, most)
    return Curve(
        at=tuple(track.points[i].at for i in kept),
        against_holding=tuple(gained[i] for i in kept),
        share=tuple(track.points[i].share for i in kept),
    )
