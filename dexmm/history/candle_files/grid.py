"""The grid that candles stand on: their step, summer time, what is missing.

The step of a file is its most frequent one, so one odd row is the odd one and not the measure of
all others. Candles of two hours and more that a place's summer time moves by an hour, twice a
year, stand where they would without it: a day is a day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dexmm.errors import BadInput
from dexmm.history.candle import LONGEST_GAP_SECONDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAY = 86_400
_HOUR = 3600
_LEAST_RUN = 5  # candles an hour off that are summer time, and not odd rows
_DAYS_OFF = 10  # of a market of daily candles: a holiday beside a weekend is no wrong file
_FEW = 20  # one candle in so many may be an odd one
_MONTH = range(28 * DAY, 31 * DAY + 1)

Fault = Callable[[int, str], BadInput]  # of the candle with that place in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """``seconds`` on one grid; ``missing`` after each candle, 0 where the next one follows."""

    seconds: NDArray[np.int64]
    step: int
    missing: NDArray[np.int64]
    summer_time: bool


def refuse_disorder(seconds: NDArray[np.int64], fault: Fault) -> None:
    """``BadInput`` for the first that does not come after the one before."""
    import numpy as np

    wrong = np.diff(seconds) <= 0
    if not wrong.any():
        return
    i = int(wrong.argmax()) + 1
    if seconds[i] == seconds[i - 1]:
        raise fault(i, "repeats the timestamp of the row before: remove one of them")
    stands_out = i + 1 < len(seconds) and seconds[i + 1] < seconds[i - 1]
    if stands_out and (i < 2 or seconds[i] > seconds[i - 2]):
        raise fault(i - 1, "is newer than the rows after it: mend its time, or sort the file")
    raise fault(i, "is older than the row before: sort the file by timestamp_ms")


def most_frequent_step(seconds: NDArray[np.int64]) -> int:
    """Of times in order, at least two; the shorter one of two that are equally frequent.

    Where many stand between its places, and all on those of the shortest step, it is the
    shortest: a thin market's file, with more gaps than neighbours.
    """
    import numpy as np

    steps, counts = np.unique(np.diff(seconds), return_counts=True)
    step, shortest = int(steps[counts.argmax()]), int(steps[0])
    if step == shortest or (steps % shortest).any():
        return step
    phases = np.unique(seconds % step, return_counts=True)[1]
    between = int(phases.sum() - phases.max())
    return shortest if between > max(1, len(seconds) // _FEW) else step


def grid_of(seconds: NDArray[np.int64], source: str, fault: Fault) -> Grid:
    """Raises ``BadInput`` for candles off the grid, and for a gap that is none of a market's."""
    import numpy as np

    if len(seconds) < 2:
        raise BadInput(
            f"{source} needs at least two candles and holds {len(seconds)}: choose another file",
            file=source,
        )
    step = most_frequent_step(seconds)
    seconds, summer_time = _without_summer_time(seconds, step)
    _refuse_odd(seconds, step, source, fault)
    steps = np.diff(seconds)
    longest = max(LONGEST_GAP_SECONDS, _DAYS_OFF * step if step >= DAY else 0)
    if (steps > longest).any():
        i = int((steps > longest).argmax())
        raise fault(
            i + 1,
            f"follows a gap of {int(steps[i]) // _HOUR} hours: fill it, or cut the file there",
        )
    return Grid(
        seconds=seconds,
        step=step,
        missing=np.append(steps // step - 1, 0),
        summer_time=summer_time,
    )


def _refuse_odd(seconds: NDArray[np.int64], step: int, source: str, fault: Fault) -> None:
    import numpy as np

    phases = seconds % step
    found, counts = np.unique(phases, return_counts=True)
    if len(found) == 1:
        return
    steps = np.diff(seconds)
    if step in _MONTH and all(int(each) in _MONTH for each in np.unique(steps)):
        raise BadInput(
            f"{source} holds candles of months, which differ in length: take days or weeks",
            file=source,
        )
    usual = found[counts.argmax()]
    odd = int((phases != usual).argmax())
    if odd == 0 and phases[1] != usual:  # more than one: the change is what is odd
        odd = int((phases == usual).argmax())
    if odd == 0:
        raise fault(
            0,
            f"comes {int(steps[0])} s before the row after it, in a file of {step} s candles: "
            "remove it or resample the file",
        )
    raise fault(
        odd,
        f"comes {int(steps[odd - 1])} s after the row before, in a file of {step} s candles: "
        "remove it or resample the file",
    )


def _without_summer_time(seconds: NDArray[np.int64], step: int) -> tuple[NDArray[np.int64], bool]:
    """Those that stand an hour beside the others for weeks, where the others are."""
    import numpy as np

    if step < 2 * _HOUR:
        return seconds, False
    phases = seconds % step
    found, counts = np.unique(phases, return_counts=True)
    if len(found) != 2:
        return seconds, False
    usual = found[counts.argmax()]
    beside = (phases - usual + step // 2) % step - step // 2
    moved = beside != 0
    if not (np.abs(beside[moved]) == _HOUR).all():
        return seconds, False
    edges = np.flatnonzero(np.diff(np.concatenate(([False], moved, [False])).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        inside = first > 0 and last < len(seconds)
        if last - first < _LEAST_RUN and (inside or last - first == 1):
            return seconds, False
    aligned = seconds - beside
    if (np.diff(aligned) <= 0).any():
        return seconds, False
    return aligned, True
