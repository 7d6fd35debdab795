"""The sandbox with quotes on its paper exchange against the same without: losses first.

    python bench/quotes_beside_pool.py [--seeds 1,2,3] [--turns 60] [--json]

Both sides of a seed see the same prices and the same traders in the pool. ``net`` is the value
against holding, after gas. What quotes may cost is stated by the exchange and the chain: the fees
of their fills and the gas. A run with quotes that loses more than that beside the same run without
has moved its pool, or was picked off.

Targets: net with quotes at least net without less gas and the exchange's fees, on every seed; no
more re-ranges than without.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
from dataclasses import dataclass
from decimal import Decimal

from bench._harness import finish
from dexmm.config import Config
from dexmm.sandbox.run import Options, Progress, run_sandbox
from dexmm.sandbox.summary import Summary
from dexmm.sim.prices import PricePath

SEEDS = "1,2,3,4,5,6,7,8,9,10"
CENT = Decimal("0.01")


class Nobody:
    """No screen."""

    def opened(self, config: Config, path: PricePath, options: Options) -> None:
        """Not shown."""

    def turned(self, progress: Progress) -> None:
        """Not shown."""

    def skipped(self, number: int, reason: str) -> None:
        """Not shown."""

    def closed(self) -> None:
        """Not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One seed. Money in quote."""

    seed: int
    net: Decimal
    net_without: Decimal
    reranges: int
    reranges_without: int
    gas: Decimal
    fees: Decimal  # of the exchange, each at the last price
    quotes: int
    hedges: int

    @property
    def spare(self) -> Decimal:
        """What is left of gas and fees after the difference; negative: the target is missed."""
        return self.net - self.net_without + self.gas + self.fees


def row(seed: int, turns: int) -> Row:
    without, quoted = (played(seed, turns, quotes=quotes) for quotes in (False, True))
    there = quoted.exchange
    return Row(
        seed=seed,
        net=quoted.after_gas.quantize(CENT),
        net_without=without.after_gas.quantize(CENT),
        reranges=quoted.reranges,
        reranges_without=without.reranges,
        gas=quoted.gas_quote.quantize(CENT),
        fees=(there.fees_quote + there.fees_base * quoted.end_price).quantize(CENT),
        quotes=there.quotes,
        hedges=there.hedges,
    )


def played(seed: int, turns: int, *, quotes: bool) -> Summary:
    return run_sandbox(Options(turns=turns, seed=seed, quotes=quotes), Nobody()).summary


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--seeds", default=SEEDS, help=f"comma-separated ({SEEDS})")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = sorted(
        (row(int(seed), chosen.turns) for seed in chosen.seeds.split(",")),
        key=lambda each: each.spare,
    )
    if not chosen.json:
        table(rows)
    results = {
        "turns": chosen.turns,
        "rows": [told(each) for each in rows],
        "worst_spare": str(rows[0].spare),
        "mean_net": str((sum((r.net for r in rows), Decimal(0)) / len(rows)).quantize(CENT)),
        "mean_net_without": str(
            (sum((r.net_without for r in rows), Decimal(0)) / len(rows)).quantize(CENT)
        ),
    }
    if not chosen.json:
        del results["rows"]
    return finish(results, missed(rows), chosen.json)


def told(each: Row) -> dict[str, str | int]:
    return {
        "seed": each.seed,
        "net": str(each.net),
        "net_without": str(each.net_without),
        "reranges": each.reranges,
        "reranges_without": each.reranges_without,
        "gas": str(each.gas),
        "exchange_fees": str(each.fees),
        "spare": str(each.spare),
        "quotes": each.quotes,
        "hedges": each.hedges,
    }


def table(rows: list[Row]) -> None:
    names = list(told(rows[0]))
    print("  ".join(f"{name:>16}" for name in names))
    for each in rows:
        print("  ".join(f"{value:>16}" for value in told(each).values()))


def missed(rows: list[Row]) -> list[str]:
    return [
        *(
            f"seed {each.seed}: {-each.spare} more than gas and fees were lost"
            for each in rows
            if each.spare < 0
        ),
        *(
            f"seed {each.seed}: {each.reranges} re-ranges instead of {each.reranges_without}"
            for each in rows
            if each.reranges > each.reranges_without
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
