"""Many baselines in several processes are the baselines one by one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from backtest.vectorised.vectorised_exact import OTHERS, market_of

from dexmm.backtest.vectorised.baselines import Baseline, Rule, baseline_figures
from dexmm.backtest.vectorised.sweep import sweep
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath
from dexmm.sim.agents.price_process import generate

MANY = tuple(
    Baseline(rule=rule, name=f"{rule} {edge}", edge_bp=Decimal(edge), gas_gwei=Decimal(gas))
    for rule in Rule
    for edge in (60, 300)
    for gas in (1, 20)
)


@pytest.mark.parametrize("flow", ["none", "busy"])
@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_each_of_them_in_order(flow: str, workers: int) -> None:
    path, market = PackedPath.of(generate(1, 400)), market_of()
    told: list[tuple[int, int]] = []
    found = sweep(
        path,
        market,
        MANY,
        flow=flow,
        pool_liquidity=OTHERS,
        workers=workers,
        watch=lambda done, total: told.append((done, total)),
    )
    assert found == tuple(
        baseline_figures(path, market, one, flow=flow, pool_liquidity=OTHERS) for one in MANY
    )
    assert told[-1] == (len(MANY), len(MANY))
    assert len({figures.net for figures in found}) > len(MANY) // 2


def test_bad_input_in_a_worker_is_one_sentence_here() -> None:
    wrong = Baseline(rule=Rule.STATIC, capital=Decimal(0))
    with pytest.raises(BadInput, match="capital 0"):
        sweep(generate(1, 10), market_of(), [*MANY[:3], wrong], workers=2)


@pytest.mark.parametrize(("baselines", "workers"), [((), 2), (MANY[:1], 0)])
def test_nothing_to_do_is_refused(baselines: tuple[Baseline, ...], workers: int) -> None:
    with pytest.raises(BadInput, match="at least one"):
        sweep(generate(1, 10), market_of(), baselines, workers=workers)
