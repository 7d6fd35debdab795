"""One path, sampled as exchanges sample it, is one result."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

import pytest

from dexmm.backtest.run import run_backtest
from dexmm.performance.metrics import Figures
from tests.backtest.scenes import a_scenario
from tests.sim.agents.test_price_walk import brownian, candles_of

D = Decimal
TURN = 14_400  # seconds between two turns, whatever the candles are
MINUTES = (1, 5, 15, 60, 240)


@lru_cache(maxsize=10)
def passive(minutes: int, flow: str) -> Figures:
    """``--strategy passive`` with ranges that the price never leaves, turns at the same times."""
    path = candles_of(brownian(0.2, 60), minutes)
    scenario = a_scenario(path, "passive", flow=flow, fee_protocol=0, gas_gwei=D("0.05"))
    strategy = scenario.config.strategy.model_copy(
        update={"edge_min_bp": D(3_000), "edge_max_bp": D(3_001), "max_age_hours": D(10**6)}
    )
    loop = scenario.config.loop.model_copy(update={"interval_seconds": TURN})
    guards = scenario.config.guards.model_copy(update={"closed_weekly": ()})
    config = scenario.config.model_copy(
        update={"strategy": strategy, "loop": loop, "guards": guards}
    )
    return run_backtest(replace(scenario, config=config)).figures


@pytest.mark.parametrize("flow", ["none", "real"])
@pytest.mark.parametrize("minutes", MINUTES[1:])
def test_fees_and_losses_do_not_depend_on_the_candles(minutes: int, flow: str) -> None:
    found, finest = passive(minutes, flow), passive(MINUTES[0], flow)
    assert finest.fees > 0 > finest.loss_versus_rebalancing
    assert found.reranges == finest.reranges == 0
    for name in ("fees", "loss_versus_rebalancing", "net"):
        assert getattr(found, name) == pytest.approx(getattr(finest, name), rel=D("0.05")), name
