"""demeter over minutes of a pool, run by its own interpreter; prints one JSON object.

    PYTHON bench/_demeter.py minutes.csv TICK_LOWER TICK_UPPER BASE QUOTE

The file is what demeter's own downloader writes for a PAXG/USDT 0.05 % pool: one row a minute with
``timestamp, netAmount0, netAmount1, closeTick, openTick, lowestTick, highestTick, inAmount0,
inAmount1, currentLiquidity``. A static range: BASE and QUOTE are offered at the first minute and
left alone. Timed is the run alone, neither reading nor demeter's statistics columns.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import contextlib
import io
import json
import resource
from decimal import Decimal
from time import perf_counter
from typing import Any


def run(path: str, lower: int, upper: int, base: str, quote: str) -> dict[str, Any]:
    import pandas as pd
    from demeter import Actuator, MarketInfo, Strategy, TokenInfo
    from demeter.uniswap import UniLpMarket, UniV3Pool

    paxg, usdt = TokenInfo("paxg", 18), TokenInfo("usdt", 6)
    info = MarketInfo("pool")
    market = UniLpMarket(info, UniV3Pool(paxg, usdt, 0.05, usdt))
    whole = ["netAmount0", "netAmount1", "inAmount0", "inAmount1", "currentLiquidity"]
    minutes = pd.read_csv(
        path, index_col="timestamp", parse_dates=True, dtype=dict.fromkeys(whole, str)
    )
    for column in whole:
        minutes[column] = minutes[column].map(Decimal)
    for column in ("openTick", "closeTick", "lowestTick", "highestTick"):
        # It divides them as Decimals, which numpy's integers cannot be.
        minutes[column] = minutes[column].astype(object)
    market.add_statistic_column(minutes)
    market.data = minutes

    class Static(Strategy):  # type: ignore[misc]
        def initialize(self) -> None:
            self.broker.markets[info].add_liquidity_by_tick(
                lower, upper, base_max_amount=Decimal(base), quote_max_amount=Decimal(quote)
            )

    actuator = Actuator()
    actuator.broker.add_market(market)
    actuator.broker.set_balance(paxg, Decimal(base))
    actuator.broker.set_balance(usdt, Decimal(quote))
    actuator.strategy = Static()
    actuator.set_price(market.get_price_from_data())
    started = perf_counter()
    actuator.run(print_result=False)
    seconds = perf_counter() - started
    (position,) = market.positions.values()
    last = float(minutes["close"].iloc[-1])
    fees = float(position.pending_amount0) * last + float(position.pending_amount1)
    return {
        "bars": len(minutes),
        "seconds": seconds,
        "fees": fees,
        "liquidity": str(position.liquidity),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> int:
    path, lower, upper, base, quote = sys.argv[1:]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = run(path, int(lower), int(upper), base, quote)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
