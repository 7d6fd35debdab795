"""What is searched unless a file says it: the settings that decide in a strategy. Pure.

A strategy that measures what a pool pays is decided by how it measures and how long it waits; the
others by where their edges are and how long they stay. Where an exchange is there, its hedges and
quotes are searched as well. Values that follow from the configuration stand around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.strategy.ranges.strategies import STRATEGIES

EDGES = """\
"strategy.edge_sigmas" = { low = "0.5", high = "4", step = "0.25" }
"strategy.edge_min_bp" = { choices = [50, 100, 150, 200, 300, 400, 600] }
"strategy.dwell_seconds" = { choices = [0, 900, 1800, 3600, 7200, 14400] }
"strategy.sigma_halflife_hours" = { choices = [6, 12, 24, 48, 72] }
"strategy.max_age_hours" = { choices = [72, 168, 336, 672] }
"strategy.regime_ratio" = { choices = ["1.5", 2, 3, 4] }
"""
MEASURED = """\
"strategy.pay_halflife_hours" = { choices = [336, 672, 1344, 2016, 4032] }
"strategy.pay_measure_hours" = { choices = [6, 12, 24, 48] }
"strategy.pay_horizon_hours" = { choices = [168, 336, 504, 1008] }
"strategy.pay_dwell_hours" = { choices = [0, 1, 3, 6, 12] }
"strategy.edge_min_bp" = { choices = [50, 100, 150, 200, 300, 400, 600] }
"strategy.edge_max_bp" = { choices = [800, 1000, 1500, 2500] }
"strategy.sigma_halflife_hours" = { choices = [6, 12, 24, 48, 72] }
"strategy.dwell_seconds" = { choices = [0, 900, 1800, 3600, 7200, 14400] }
"""
AVELLANEDA = """\
"strategy.risk_aversion" = { choices = [0, "0.25", "0.5", "0.75", 1] }
"""
HEDGE = """\
"hedge.to" = { choices = ["zone", "target", "bound"] }
"hedge.risk_aversion" = { choices = [1, 2, 5, 10, 20] }
"hedge.style" = { choices = ["cheapest", "ioc", "post_only"] }
"""
GOALS = """
[objectives]
rebalanced_bp_per_day = "maximise"

[constraints]
time_in_band = ">= 0.95"
"""

DEFAULT = f"[space]\n{EDGES}{GOALS}"
TIMES = tuple(map(Decimal, ("0.5", "0.75", "1", "1.5", "2", "3")))  # of the configured spread


def default_text(config: Config, *, exchange: bool = False) -> str:
    """The default space of this configuration, as a file has it.

    ``exchange``: there is one to hedge and quote on. Raises ``BadInput`` for a strategy in which
    there is nothing to search.
    """
    name = config.strategy.name
    definition = STRATEGIES[name]
    searched = HEDGE if exchange and config.hedge.enabled else ""
    if exchange and config.quotes.enabled:
        searched += _quotes(config)
    if definition.needs_pay:
        searched = MEASURED + searched
    elif definition.most_ranges:
        searched = EDGES + (AVELLANEDA if name == "avellaneda" else "") + searched
    if not searched:
        raise BadInput(
            f"the strategy {name} provides no liquidity, so none of its settings decides anything: "
            "name another --strategy, or say in --space what is to be searched"
        )
    return f"[space]\n{searched}{GOALS}"


def _quotes(config: Config) -> str:
    spreads = [config.quotes.half_spread * times for times in TIMES]
    sigmas = sorted(
        {Decimal(0), Decimal(1), Decimal("1.75"), Decimal(3), config.quotes.spread_sigmas}
    )
    return (
        f'"quotes.half_spread" = {{ choices = [{_listed(spreads)}] }}\n'
        f'"quotes.spread_sigmas" = {{ choices = [{_listed(sigmas)}] }}\n'
    )


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(f'"{value.normalize():f}"' for value in values)
