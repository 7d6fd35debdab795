"""A long history is read in columns as candle by candle, to the last digit."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence

import pytest

from dexmm.sim.agents.candle_variance import Candles, read_candles

Columns = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]


def minutes(seed: int, count: int, *, wicks: float, calm: float = 0.1) -> Columns:
    """Steps of a walk as candles: some stand still, a few have far wicks, thin books wide ones."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable history
    opens, highs, lows, closes = (array("q") for _ in range(4))
    price = 4_000_000
    for _ in range(count):
        steps = [round(dice.gauss(0, 400)) for _ in range(5)] if dice.random() > calm else [0]
        way, here = [price], price
        for step in steps:
            here += step
            way.append(here)
        far = 60_000 if dice.random() < 0.001 else 0
        wide = round(abs(dice.gauss(0, wicks))) if len(steps) > 1 else 0
        opens.append(price)
        highs.append(max(way) + wide + far)
        lows.append(min(way) - wide)
        closes.append(here)
        price = here
    return opens, highs, lows, closes


def both(columns: Columns, slots: int, patch: pytest.MonkeyPatch) -> tuple[Candles, Candles]:
    together = read_candles(*columns, slots, 10)
    patch.setattr("dexmm.sim.agents.candle_variance.find_spec", lambda _name: None)
    return together, read_candles(*columns, slots, 10)


@pytest.mark.parametrize(("seed", "slots"), [(1, 5), (2, 25), (3, 300)])
def test_columns_find_what_each_candle_does(
    seed: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, each = both(minutes(seed, 40_000, wicks=0), slots, monkeypatch)
    assert together == each
    assert 10 < len(each.nearer) < 100  # the far wicks alone
    assert together.own.count(0.0) > 1000


def test_and_where_columns_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wicks wider than closes bear out, in the middle of the history and to its end."""
    calm, thin = minutes(4, 20_000, wicks=0), minutes(5, 20_000, wicks=2000)
    columns = tuple(one + other for one, other in zip(calm, thin, strict=True))
    together, each = both(columns, 5, monkeypatch)  # type: ignore[arg-type]
    assert together == each
    assert len(each.nearer) > 5000
