"""History in folds: settings are chosen on one part and scored on the next, which they never saw.

    |-------- train 1 --------|-gap-|- test 1 -|
    |-------------- train 2 ---------------|-gap-|- test 2 -|
    |--------------------- train 3 ---------------------|-gap-|- test 3 -|
    |---------------------------- the final choice ---------------------------|

The history is cut into one more block than there are folds. Fold ``k`` trains on all blocks before
block ``k`` (or, rolling, on the one before it) and tests on block ``k`` without its beginning: the
gap, an embargo as long as the strategy remembers. What a run learnt of volatility at the end of
its training still holds a little later, so scores right after it would not be of unseen history.

The configuration to go live with is chosen on the newest training part there is, which has no test;
what to expect of it is what the same way of choosing earned in the folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

from dexmm.config.schema import Config
from dexmm.decimal_context import DAY, HOUR
from dexmm.errors import BadInput
from dexmm.tune.search_space import Space, setting

MOST_FOLDS = 50
LEAST_STEPS = 48  # of history in a part: shorter, and no range has had the time to be moved
REMEMBERED = ("strategy.sigma_halflife_hours", "strategy.horizon_hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a history, in seconds: ``since`` is in it, ``until`` is not."""

    since: int
    until: int

    @property
    def days(self) -> Decimal:
        return Decimal(self.until - self.since) / DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """``test`` is None for the final choice, whose test is the future."""

    name: str
    train: Stretch
    test: Stretch | None


def embargo_seconds(config: Config, space: Space) -> int:
    """As long as any configuration of the space remembers, rounded up to an hour.

    The longest half-life of the volatility estimate and the longest horizon of the edges. What a
    pool pays is remembered for weeks, but every part begins without a memory of it.
    """
    searched = {p.name: p.values for p in space.parameters}
    hours = [
        Decimal(str(value))
        for name in REMEMBERED
        for value in searched.get(name, (setting(config, name),))
    ]
    return int(max(hours).to_integral_value(ROUND_CEILING)) * HOUR


def fold(
    whole: Stretch, step_seconds: int, count: int, embargo: int, *, rolling: bool = False
) -> tuple[Fold, ...]:
    """``count`` folds and the final choice. Every bound is a whole number of steps from the start.

    Raises ``BadInput`` when a part is too short to say anything.
    """
    if not 1 <= count <= MOST_FOLDS:
        raise BadInput(f"there can be 1 to {MOST_FOLDS} folds, not {count}")
    steps = (whole.until - whole.since) // step_seconds
    cuts = [whole.since + steps * k // (count + 1) * step_seconds for k in range(count + 2)]
    gap = -(-embargo // step_seconds) * step_seconds
    shortest = min(b - a for a, b in pairwise(cuts))
    if shortest - gap < LEAST_STEPS * step_seconds:
        raise BadInput(
            f"{whole.days:.1f} days in {count + 1} blocks leave no room to test: a block of "
            f"{Decimal(shortest) / DAY:.1f} days must hold the {Decimal(gap) / DAY:.1f} days that "
            f"the strategy remembers and {LEAST_STEPS} steps more; take a longer history, fewer "
            "--folds, or a shorter strategy.horizon_hours"
        )
    folds = [
        Fold(
            name=f"fold {k}",
            train=Stretch(since=cuts[k - 1] if rolling else cuts[0], until=cuts[k]),
            test=Stretch(since=cuts[k] + gap, until=cuts[k + 1]),
        )
        for k in range(1, count + 1)
    ]
    final = Stretch(since=cuts[count] if rolling else cuts[0], until=cuts[count + 1])
    return (*folds, Fold(name="final", train=final, test=None))
