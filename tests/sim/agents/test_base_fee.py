"""What gas costs in a world: today's range, rare spikes, and nothing for blocks nobody looks at."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from statistics import median

import pytest

from dexmm.sim.agents.base_fee import GWEI, MEAN_GWEI, BaseFee, base_fee


def walked(seed: int, blocks: int) -> list[int]:
    fee = BaseFee(seed)
    return [fee.next_wei() for _ in range(blocks)]


def test_the_range_of_today_with_rare_spikes() -> None:
    found = [wei / GWEI for seed in range(3) for wei in walked(seed, 12_000)]
    assert 0.05 <= min(found) < 0.07
    assert median(found) == pytest.approx(0.2, rel=0.1)
    assert 10 < max(found) <= 50
    assert 0.001 < sum(fee > 1 for fee in found) / len(found) < 0.02
    tip = 0.1
    assert sum(found) / len(found) + tip == pytest.approx(float(MEAN_GWEI), rel=0.4)


def test_a_spike_moves_no_faster_than_the_protocol_lets_it() -> None:
    found = walked(1, 12_000)
    high = [(one, other) for one, other in pairwise(found) if one > 2 * GWEI]
    assert high
    assert all(8 / 9 - 1e-6 <= other / one <= 1.125 + 1e-6 for one, other in high)


def test_a_block_has_its_fee_whoever_looks() -> None:
    everywhere, fee = walked(7, 3000), BaseFee(7)
    for number in range(3000):
        fee.pass_block()
        if number % 777 == 0:
            assert fee.wei == everywhere[number]
    assert walked(8, 100) != everywhere[:100]


def test_a_fee_that_was_asked_for_stands_still() -> None:
    fee = base_fee(1, Decimal("0.3"))
    assert {fee.next_wei() for _ in range(10)} == {3 * GWEI // 10}
    assert base_fee(1).next_wei() == BaseFee(1).next_wei()
