"""What the stop-loss costs and saves, on every gold history there is: each half-year its own run.

    python bench/stop_loss.py DATA [--interval SECONDS] [--capital QUOTE]
        [--who STRATEGY] [--only pool|exchange] [--in-pool MODE] [--seed N] [--json]

DATA holds candles of PAXG (``*PAXG*USDT*_perp_*`` and ``*_spot_1h_*`` as CSV), merged to
``--interval``. Each history is run with the defaults and with a stop-loss that never sells,
without an exchange and with one, everything else alike; the difference of the final net worths is
what the stop-loss cost (negative) or saved, in basis points of the capital. Beside the half-years
the fall of March to November 2022, whose loss it must cut. At most 25 bp may be lost in any of
them.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench._harness import arguments, finish
from dexmm.backtest.run import Backtest, Scenario, paxg_usdt_market, run_backtest
from dexmm.config.schema import parse_config
from dexmm.sim.agents.price_process import Candle, PricePath, read_candles
from dexmm.sim.exchange.cost_model import VenueCosts

MOST_BP = 25
CAPITAL = Decimal(50_000)
FALL = ("2022-03-08", "2022-11-04")
NEVER = {"stop_loss_bp": 10_000, "stop_loss_release_bp": 9_999}


def histories(folder: Path, interval: int) -> Iterator[tuple[str, PricePath]]:
    """The half-years of every file of gold, and the fall."""
    files = sorted(folder.glob("*PAXGUSDT_spot_1h_*")) + sorted(folder.glob("*PAXGUSDT_perp_*"))
    for file in files:
        path = merged(read_candles(file), interval)
        halves: dict[str, list[Candle]] = {}
        for candle in path.candles:
            at = datetime.fromtimestamp(candle.at, UTC)
            halves.setdefault(f"{at.year} {'first' if at.month < 7 else 'second'}", []).append(
                candle
            )
        for name, candles in halves.items():
            yield f"{name} half", replace(path, candles=tuple(candles))
        first, last = (int(datetime.fromisoformat(f"{d}T00:00Z").timestamp()) for d in FALL)
        fall = tuple(candle for candle in path.candles if first <= candle.at < last)
        if fall:
            yield f"{FALL[0]} to {FALL[1]}", replace(path, candles=fall)


def merged(path: PricePath, interval: int) -> PricePath:
    """The same history in candles of ``interval`` seconds, where that is longer."""
    if interval <= path.interval_seconds:
        return path
    groups: dict[int, list[Candle]] = {}
    for candle in path.candles:
        groups.setdefault(candle.at // interval * interval, []).append(candle)
    candles = tuple(
        Candle(
            at=at,
            open=group[0].open,
            high=max(c.high for c in group),
            low=min(c.low for c in group),
            close=group[-1].close,
        )
        for at, group in groups.items()
    )
    return replace(path, candles=candles, interval_seconds=interval)


def scenario(
    path: PricePath,
    capital: Decimal,
    *,
    stop_loss: bool,
    exchange: bool,
    who: str = "budget",
    in_pool: str = "band",
    seed: int = 1,
) -> Scenario:
    """The defaults, but for how often they look and for what is asked."""
    settings: dict[str, Any] = {
        "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:1"},
        "market": {
            "pool": "0x7Cb85f75e61226060453a997a7733F76707Df337",
            "base": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
            "price_low": Decimal(500),
            "price_high": Decimal(20_000),
        },
        "loop": {"interval_seconds": path.interval_seconds},
        "strategy": {"name": who},
        "guards": {"stop_loss_in_pool": in_pool, **({} if stop_loss else NEVER)},
    }
    config = parse_config(settings, Path(), "the bench")
    return Scenario(
        path=path,
        config=config,
        market=paxg_usdt_market(config),
        capital=capital,
        exchange=VenueCosts() if exchange else None,
        seed=seed,
    )


def falls_of(found: Backtest) -> int:
    """How often it began to sell."""
    times = [a.at for a in found.track.actions if a.trigger == "stop_loss"]
    times += [o.created_at for o in found.track.orders if o.purpose.value == "slice"]
    times.sort()
    day = 86_400
    return sum(1 for i, at in enumerate(times) if i == 0 or at - times[i - 1] > 7 * day)


def compared(
    name: str, path: PricePath, capital: Decimal, exchange: bool, **asked: Any
) -> dict[str, Any]:
    """One row: money in basis points of the capital. ``asked`` as ``scenario`` takes it."""
    with_it, without = (
        run_backtest(scenario(path, capital, stop_loss=on, exchange=exchange, **asked))
        for on in (True, False)
    )
    unit = capital / 10_000
    saved = (with_it.figures.end - without.figures.end) / unit
    return {
        "history": name,
        "exchange": exchange,
        "falls": falls_of(with_it),
        "saved_bp": round(float(saved), 1),
        "against_holding_bp": round(float(with_it.figures.net / unit), 1),
        "against_holding_without_it_bp": round(float(without.figures.net / unit), 1),
        "holding_bp": round(float(with_it.figures.holding / unit), 1),
        "gas": round(float(with_it.figures.gas), 1),
        "gas_without_it": round(float(without.figures.gas), 1),
        "reranges": with_it.figures.reranges,
        "reranges_without_it": without.figures.reranges,
        "share_mean": round(float(with_it.figures.share_mean), 4),
        "share_mean_without_it": round(float(without.figures.share_mean), 4),
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path, help="folder of candles")
    parser.add_argument("--interval", type=int, default=3600, help="of a candle and of a turn")
    parser.add_argument("--capital", type=Decimal, default=CAPITAL)
    parser.add_argument("--who", default="budget", help="the strategy; measured is a newcomer's")
    parser.add_argument("--only", choices=("pool", "exchange"), help="one of the two")
    parser.add_argument(
        "--in-pool", default="band", choices=("band", "swap", "range"), help="stop_loss_in_pool"
    )
    options = parser.parse_args()
    asked = {"who": options.who, "in_pool": options.in_pool, "seed": options.seed}
    rows = []
    venues = [
        v for v, name in ((False, "pool"), (True, "exchange")) if options.only in (None, name)
    ]
    for name, path in histories(options.data, options.interval):
        for exchange in venues:
            rows.append(compared(name, path, options.capital, exchange, **asked))
            if not options.json:
                show(rows[-1])
    missed = [
        f"{row['history']}, exchange {row['exchange']}: the stop-loss cost {-row['saved_bp']} bp"
        for row in rows
        if row["saved_bp"] < -MOST_BP
    ]
    missed += [
        f"the fall, exchange {row['exchange']}: it saved nothing"
        for row in rows
        if row["history"].startswith(FALL[0]) and row["saved_bp"] <= 0
    ]
    return finish(
        {"rows": rows} if options.json else {"histories": len(rows)}, missed, options.json
    )


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['history']:<26} {'exchange' if row['exchange'] else 'pool':<9}"
        f" falls {row['falls']}  saved {row['saved_bp']:>7.1f} bp"
        f"  against holding {row['against_holding_bp']:>7.1f}"
        f" (without {row['against_holding_without_it_bp']:>7.1f})"
        f"  gas {row['gas']:>7.1f} ({row['gas_without_it']:.1f})"
        f"  re-ranges {row['reranges']} ({row['reranges_without_it']})"
        f"  share {row['share_mean']:.3f} ({row['share_mean_without_it']:.3f})",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
