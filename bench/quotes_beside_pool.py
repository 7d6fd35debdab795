"""The sandbox with quotes on its paper exchange against the same without: losses first.

    python bench/quotes_beside_pool.py [--seeds 1,2,3] [--turns 60] [--json]

Both sides of a seed see the same prices, the same traders in the pool and the same takers on the
exchange, whose draws do not depend on what the product does. ``net`` is the value against holding,
after gas. What quotes may cost is stated by the exchange and the chain: the fees of their fills and
the gas. A run with quotes that loses more than that beside the same run without has moved its pool,
or was picked off.

The difference is taken apart, exactly, into what each fill says of itself (base b bought at p, the
fair price m then, m' at the next look at the quotes, P at the end; sums over all fills with quotes
less those without):

    earned       b (m - p)     the spread, where it was earned; negative for what took
    adverse      b (m' - m)    what the price did before anybody could look again
    inventory    b (P - m')    what it did afterwards: the inventory differs, and the price moved
    fees         of the exchange, those in base at P
    pool         what is left: 0 where quotes have not moved the pool, nor anybody's draws

Targets: net with quotes at least net without less gas and the exchange's fees, on every seed; no
more re-ranges than without; the pool's part the same.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from bench._harness import finish
from dexmm.config.schema import Config
from dexmm.model.order import Purpose
from dexmm.sandbox.exchange_feed import QUOTE_STEPS
from dexmm.sandbox.exchange_fills import Fill
from dexmm.sandbox.run import Options, Progress, Result, run_sandbox
from dexmm.sim.agents.price_process import PricePath
from dexmm.sim.agents.price_walk import walk_of
from dexmm.units import EXACT

SEEDS = "1,2,3,4,5,6,7,8,9,10"
CENT = Decimal("0.01")
ZERO = Decimal(0)


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
class Parts:
    """What fills have come to, in quote; fees are positive."""

    earned: Decimal
    adverse: Decimal
    inventory: Decimal
    fees: Decimal

    @property
    def total(self) -> Decimal:
        return self.earned + self.adverse + self.inventory - self.fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One seed. Money in quote; ``quoted`` and ``hedged`` are differences to the run without."""

    seed: int
    net: Decimal
    net_without: Decimal
    reranges: int
    reranges_without: int
    gas: Decimal
    fees: Decimal  # of the exchange, each at the last price
    quoted: Parts
    hedged: Parts
    pool: Decimal
    quotes: int
    quoted_base: Decimal  # bought and sold by them
    hedges: int
    hedges_without: int

    @property
    def spare(self) -> Decimal:
        """What is left of gas and fees after the difference; negative: the target is missed."""
        return self.net - self.net_without + self.gas + self.fees


def row(seed: int, turns: int) -> Row:
    without, quoted = (played(seed, turns, quotes=quotes) for quotes in (False, True))
    with localcontext(EXACT):
        return compared(seed, without, quoted)


def compared(seed: int, without: Result, quoted: Result) -> Row:
    one, other = without.summary, quoted.summary
    by_quotes = parts(quoted, (fill for fill in quoted.fills if fill.purpose is Purpose.QUOTE))
    rest = parts(quoted, (fill for fill in quoted.fills if fill.purpose is not Purpose.QUOTE))
    before = parts(without, without.fills)
    by_hedges = Parts(
        earned=rest.earned - before.earned,
        adverse=rest.adverse - before.adverse,
        inventory=rest.inventory - before.inventory,
        fees=rest.fees - before.fees,
    )
    net, net_without = other.after_gas, one.after_gas
    return Row(
        seed=seed,
        net=net,
        net_without=net_without,
        reranges=other.reranges,
        reranges_without=one.reranges,
        gas=other.gas_quote,
        fees=by_quotes.fees + rest.fees,
        quoted=by_quotes,
        hedged=by_hedges,
        pool=net - net_without - by_quotes.total - by_hedges.total,
        quotes=other.exchange.quotes,
        quoted_base=other.exchange.quoted_base,
        hedges=other.exchange.hedges,
        hedges_without=one.exchange.hedges,
    )


def parts(result: Result, fills: Iterable[Fill]) -> Parts:
    """Exact sums over fills, each against the prices of this run's own walk."""
    end = result.summary.end_price
    earned = adverse = inventory = fees = ZERO
    for fill in fills:
        looked = fair_at_next_look(result.path, result.summary.seed, fill)
        earned += fill.earned()
        adverse += fill.moved(looked)
        inventory += fill.moved(end) - fill.moved(looked)
        fees += fill.fee(end)
    return Parts(earned=earned, adverse=adverse, inventory=inventory, fees=fees)


def fair_at_next_look(path: PricePath, seed: int, fill: Fill) -> Decimal:
    """The fair price when the quotes are looked at next; its own where that is at once."""
    first, length_ms = path.candles[0].at * 1000, path.interval_seconds * 1000
    number, into_ms = divmod(fill.at_ms - first, length_ms)
    if not into_ms or fill.contract:  # a turn's own order; a perpetual's price is its own
        return fill.fair
    walk = walk_of(path, seed)
    slot = -(-into_ms * walk.slots // length_ms)
    looks = (walk.slots * step // QUOTE_STEPS for step in range(1, QUOTE_STEPS + 1))
    seen = next(look for look in looks if look >= slot)
    return Decimal(walk.prices(number)[seen - 1]).scaleb(-walk.decimals).quantize(CENT)


def played(seed: int, turns: int, *, quotes: bool) -> Result:
    return run_sandbox(Options(turns=turns, seed=seed, quotes=quotes, takers=True), Nobody())


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\\n", 1)[0])
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
        "seeds": len(rows),
        "rows": [told(each) for each in rows],
        "worst_spare": cents(rows[0].spare),
        "mean_spare": mean(each.spare for each in rows),
        "mean_net": mean(each.net for each in rows),
        "mean_net_without": mean(each.net_without for each in rows),
    }
    if not chosen.json:
        del results["rows"]
    return finish(results, missed(rows), chosen.json)


def mean(values: Iterable[Decimal]) -> str:
    found = list(values)
    return cents(sum(found, ZERO) / len(found))


def cents(value: Decimal) -> str:
    return str(value.quantize(CENT))


def told(each: Row) -> dict[str, str | int]:
    return {
        "seed": each.seed,
        "net": cents(each.net),
        "net_without": cents(each.net_without),
        "spare": cents(each.spare),
        "gas": cents(each.gas),
        "exchange_fees": cents(each.fees),
        "reranges": each.reranges,
        "reranges_without": each.reranges_without,
        **{f"quotes_{name}": value for name, value in shown(each.quoted).items()},
        **{f"hedges_{name}": value for name, value in shown(each.hedged).items()},
        "pool": cents(each.pool),
        "quotes": each.quotes,
        "quoted_base": str(each.quoted_base.normalize()),
        "hedges": each.hedges,
        "hedges_without": each.hedges_without,
    }


def shown(found: Parts) -> dict[str, str]:
    return {
        "earned": cents(found.earned),
        "adverse": cents(found.adverse),
        "inventory": cents(found.inventory),
        "fees": cents(found.fees),
    }


def table(rows: list[Row]) -> None:
    names = list(told(rows[0]))
    print("  ".join(f"{name:>16}" for name in names))
    for each in rows:
        print("  ".join(f"{value:>16}" for value in told(each).values()))


def missed(rows: list[Row]) -> list[str]:
    return [
        *(
            f"seed {each.seed}: {cents(-each.spare)} more than gas and fees were lost"
            for each in rows
            if each.spare < 0
        ),
        *(
            f"seed {each.seed}: {each.reranges} re-ranges instead of {each.reranges_without}"
            for each in rows
            if each.reranges > each.reranges_without
        ),
        *(
            f"seed {each.seed}: the pool's part differs by {cents(each.pool)}"
            for each in rows
            if abs(each.pool) >= CENT
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
