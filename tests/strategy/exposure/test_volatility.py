from decimal import Decimal

import pytest
from strategy.builders import START, a_config

from dexmm.decimal_context import YEAR, precise
from dexmm.model.memory import Memory
from dexmm.strategy.exposure.volatility import annual, sample, sigma

SETTINGS = a_config().strategy
DAY = 86_400


@precise
def after(returns: list[tuple[int, str]]) -> tuple[Decimal, int]:
    """Variance and history after prices that each move by a factor, so many seconds apart."""
    price, now, memory = Decimal(4000), START, Memory()
    for seconds, factor in [(0, "1"), *returns]:
        price, now = price * Decimal(factor), now + seconds
        seen = sample(memory, price, now, SETTINGS)
        memory = Memory(
            variance_per_second=seen.per_second,
            variance_seconds=seen.seconds,
            last_price=seen.last_price,
            last_time=seen.last_time,
        )
    return memory.variance_per_second, memory.variance_seconds


def test_the_prior_stands_alone_until_something_was_seen() -> None:
    assert float(annual(sigma(Decimal(0), 0, SETTINGS))) == pytest.approx(0.16)


def test_after_a_half_life_the_prior_is_gone() -> None:
    assert sigma(Decimal(0), DAY, SETTINGS) == 0
    assert sigma(Decimal(0), DAY // 2, SETTINGS) > 0


def test_the_first_half_life_is_a_plain_average() -> None:
    moves = [(3600, "1.01"), (3600, "1"), (3600, "1")]
    variance, seconds = after(moves)
    assert seconds == 3 * 3600
    assert float(variance) == pytest.approx(0.00995033**2 / (3 * 3600), rel=1e-5)


def test_a_known_volatility_is_found() -> None:
    step = 0.30 / (365 * 24) ** 0.5
    up, down = str(1 + step), str(1 / (1 + step))
    variance, seconds = after([(3600, up if i % 2 else down) for i in range(24 * 10)])
    assert float(annual(sigma(variance, seconds, SETTINGS))) == pytest.approx(0.30, rel=0.01)


def test_a_weekends_jump_counts_for_the_seconds_it_took() -> None:
    over_a_weekend, _ = after([(50 * 3600, "1.02")])
    in_an_hour, _ = after([(3600, "1.02")])
    assert over_a_weekend * 50 == pytest.approx(in_an_hour)


def test_prices_close_in_time_are_not_compared() -> None:
    bounce = [(60, "1.001" if i % 2 else "0.999000999") for i in range(28)]
    assert after(bounce) == (0, 0)


def test_old_moves_are_forgotten_by_half_in_a_half_life() -> None:
    first = [(3600, "1.01" if i % 2 else "0.990099") for i in range(24 * 20)]
    busy, _ = after(first)
    calm, _ = after(first + [(3600, "1")] * 24)
    assert float(calm / busy) == pytest.approx(0.5, rel=0.001)


def test_annual_is_the_square_root_of_a_years_variance() -> None:
    assert annual(Decimal(1) / YEAR.sqrt()) == pytest.approx(1)
