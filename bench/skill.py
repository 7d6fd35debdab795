"""Skill: what a strategy earns that is its own, on every gold history there is.

    python bench/skill.py DATA [--only TEXT] [--ratio R ...] [--venue pool|exchange]
                          [--who NAME ...] [--brute] [--interval SECONDS] [--workers N]
                          [--cache FILE] [--json]

    skill = fees - LVR - gas - trading costs

in basis points of the capital: fees and costs against the fair price at each turn, and
loss-versus-rebalancing against that of each trade of others. Where the price went is no part of it;
``net`` holds that too, against holding. Each half-year of every file of DATA
(``*PAXGUSDT_spot_1h_*``, ``*PAXGUSDT_perp_*``) is a run of its own with 50,000 USDT beside the thin
pool's flow, at pay ratios of 0.7, 1 and 1.4, in the pool alone and with an exchange, decided by the
configuration that a newcomer has.

``--brute`` searches the best fixed liquidity and width in the same simulator: every pair of
``PARTS`` and ``WIDTHS``, decided by the live code with its band, moved where the price leaves it
and never because of what it pays. ``--who`` adds other strategies and baselines of ``backtest
--compare``; ``all`` is every one of them. ``--cache`` keeps each run's row, one JSON object a line:
what is there is not run again.

Targets: at 0.7 no history below -10 bp; at 1 not negative but for the gas; at 1.4 positive and at
least half of the brute force's; with an exchange net no more than 25 bp below the lower of holding
and rebalanced; the share inside the band for 99 % of the time.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from bench._harness import arguments, finish
from bench.stop_loss import merged
from dexmm.backtest.compare.contestants import FIELD, Live, Static
from dexmm.backtest.compare.play import play
from dexmm.backtest.run import Scenario, liquidity_of_others, run_backtest
from dexmm.backtest.scenario_config import newcomer
from dexmm.backtest.scenario_market import PAXG_USDT_MARKET
from dexmm.config.schema import Config
from dexmm.decimal_context import BP
from dexmm.history.packed_candles import PackedPath, packed
from dexmm.performance.attribution import Attribution, Source, attribute
from dexmm.performance.metrics import Figures, figures
from dexmm.performance.track.track import Track
from dexmm.sim.agents.price_process import Candle, PricePath, read_candles
from dexmm.sim.agents.price_walk import walk_of
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.strategy.ranges.range_edges import place
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies import STRATEGIES, Definition
from dexmm.strategy.ranges.strategies.budget import fill
from dexmm.strategy.ranges.strategies.measured import sized

CAPITAL = Decimal(50_000)
RATIOS = ("0.7", "1", "1.4")
VENUES = ("pool", "exchange")
PARTS = ("0.02", "0.05", "0.1", "0.2", "0.4", "0.8")  # of the others' liquidity
WIDTHS = (300, 800, 1500)  # basis points to each edge
LEAST_BP, BELOW_BP, TIME_IN_BAND, PART_OF_BEST = -10.0, -25.0, 0.99, 0.5
OURS, NOBODY, REBALANCED = "measured", "hold", "rebalanced"
FIXED = "fixed"
COSTS = (Source.SWAP, Source.HEDGE, Source.QUOTE, Source.TRIANGLE, Source.EXCHANGE_FEE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: ``who`` is a contestant's name, or ``fixed PART WIDTH``."""

    history: str
    ratio: str
    venue: str
    who: str

    @property
    def key(self) -> str:
        return f"{self.history} | {self.ratio} | {self.venue} | {self.who}"


@cache
def histories(folder: Path, interval: int) -> dict[str, PackedPath]:
    """The half-years of every file of gold, by name."""
    found = {}
    for pattern in ("*PAXGUSDT_spot_1h_*", "*PAXGUSDT_perp_*"):
        for file in sorted(folder.glob(pattern)):
            path = merged(read_candles(file), interval)
            halves: dict[str, list[Candle]] = {}
            for candle in path.candles:
                at = datetime.fromtimestamp(candle.at, UTC)
                halves.setdefault(f"{at.year} H{1 if at.month < 7 else 2}", []).append(candle)
            for name, candles in halves.items():
                half: PricePath = replace(path, candles=tuple(candles))
                found[name] = packed(half)
    return found


def scenario(job: Job, path: PackedPath) -> Scenario:
    config = newcomer(PAXG_USDT_MARKET, path.candle(0).open, path.interval_seconds)
    return Scenario(
        path=path,
        config=config,
        market=PAXG_USDT_MARKET,
        capital=CAPITAL,
        pay_ratio=Decimal(job.ratio),
        exchange=VenueCosts() if job.venue == "exchange" else None,
    )


def run(job: Job, path: PackedPath) -> dict[str, Any]:
    """Its row; money in basis points of the capital."""
    asked = scenario(job, path)
    if job.who.startswith(FIXED):
        track = fixed(asked, *job.who.split()[1:])
    else:
        who = {contestant.name: contestant for contestant in FIELD}[job.who]
        track = play(asked, who, lambda _done, _total: None)
    return {**asdict(job), **row(track)}


def fixed(asked: Scenario, part: str, width_bp: str) -> Track:
    """A part of the others' liquidity at a fixed distance, or what the band allows of it.

    The live code runs it in the place of ``budget``, in this process alone, without what would
    move it but the price and its band.
    """
    most = liquidity_of_others(asked, walk_of(asked.path, asked.seed)) * Decimal(part)
    away = Decimal(width_bp) / BP

    def shape(situation: Situation) -> tuple[Range, ...]:
        return sized(fill(situation, *place(situation, away, away)), most)

    budget = STRATEGIES["budget"]
    STRATEGIES["budget"] = Definition(shape=shape, most_ranges=2, keeps_band=True)
    try:
        return run_backtest(replace(asked, config=unmoved(asked.config))).track
    finally:
        STRATEGIES["budget"] = budget


def unmoved(config: Config) -> Config:
    """As ``budget``, moved by the price alone, without a stop-loss."""
    strategy = config.strategy.model_copy(
        update={
            "name": "budget",
            "economic_gate": False,
            "max_age_hours": Decimal(24 * 365),
            "regime_ratio": Decimal(1000),
        }
    )
    guards = config.guards.model_copy(
        update={"stop_loss_bp": Decimal(10_000), "stop_loss_release_bp": Decimal(9_999)}
    )
    return config.model_copy(update={"strategy": strategy, "guards": guards})


def row(track: Track) -> dict[str, Any]:
    found, seen = attribute(track.marks), figures(track)
    return {
        "skill": in_bp(skill(found), found),
        "net": in_bp(found.against_holding, found),
        "fees": in_bp(found.part(Source.FEES).edge, found),
        "lvr": in_bp(found.loss_versus_rebalancing, found),
        "gas": in_bp(found.part(Source.GAS).total, found),
        "costs": in_bp(costs(found), found),
        "holding": in_bp(found.holding, found),
        **shown(seen),
    }


def shown(seen: Figures) -> dict[str, Any]:
    return {
        "reranges": seen.reranges,
        "in_band": round(float(seen.time_in_band), 4),
        "in_range": round(float(seen.time_in_range), 4),
        "share_low": round(float(seen.share_low), 4),
        "share_mean": round(float(seen.share_mean), 4),
        "share_high": round(float(seen.share_high), 4),
        "halted": seen.halted,
    }


def skill(found: Attribution) -> Decimal:
    """Fees less loss-versus-rebalancing, gas and the cost of trading, in quote."""
    liquidity = found.part(Source.FEES).edge + found.loss_versus_rebalancing
    return liquidity + found.part(Source.GAS).total + costs(found)


def costs(found: Attribution) -> Decimal:
    """What trading elsewhere cost (negative) or brought against the fair price, in quote."""
    return sum((found.part(source).edge for source in COSTS), Decimal(0))


def in_bp(quote: Decimal, found: Attribution) -> float:
    return round(float(quote / found.start * BP), 2)


def jobs_of(names: Sequence[str], options: Any) -> Iterator[Job]:
    peers = [c.name for c in FIELD if isinstance(c, Live | Static)]
    who = dict.fromkeys((OURS, *(peers if "all" in options.who else options.who)))
    for history in names:
        yield Job(history=history, ratio=RATIOS[1], venue=VENUES[0], who=REBALANCED)
        for ratio in options.ratio:
            for venue in options.venue:
                for name in who:
                    if venue == VENUES[0] or STRATEGIES.get(name) is not None:
                        yield Job(history=history, ratio=ratio, venue=venue, who=name)
            if options.brute and ratio == RATIOS[2]:
                for part in PARTS:
                    for width in WIDTHS:
                        name = f"{FIXED} {part} {width}"
                        yield Job(history=history, ratio=ratio, venue=VENUES[0], who=name)


def best_fixed(rows: Sequence[dict[str, Any]], history: str, ratio: str) -> dict[str, Any] | None:
    """The row of the best fixed liquidity and width; None where there was no search."""
    tried = [
        r
        for r in rows
        if r["history"] == history and r["ratio"] == ratio and r["who"].startswith(FIXED)
    ]
    return max(tried, key=lambda r: r["skill"]) if tried else None


def missed(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Which targets, in words."""
    found = []
    rebalanced = {r["history"]: r["net"] for r in rows if r["who"] == REBALANCED}
    for r in rows:
        if r["who"] != OURS:
            continue
        where = f"{r['history']}, {r['ratio']}, {r['venue']}"
        if r["ratio"] == "0.7" and r["skill"] < LEAST_BP:
            found.append(f"{where}: skill {r['skill']} bp is below {LEAST_BP}")
        if r["ratio"] == "1" and r["skill"] - r["gas"] < 0:
            found.append(f"{where}: skill {r['skill']} bp is negative beyond its gas {r['gas']}")
        if r["ratio"] == "1.4":
            best = best_fixed(rows, r["history"], r["ratio"])
            least = 0.0 if best is None else max(0.0, best["skill"] * PART_OF_BEST)
            if r["skill"] <= least:
                found.append(f"{where}: skill {r['skill']} bp is not above {least:.2f}")
        least = min(0.0, rebalanced[r["history"]]) + BELOW_BP
        if r["venue"] == "exchange" and r["net"] < least:
            found.append(f"{where}: net {r['net']} bp is below {least:.2f}")
        if r["in_band"] < TIME_IN_BAND:
            found.append(f"{where}: inside the band {r['in_band']:.1%} of the time")
    return found


def begin(folder: Path, interval: int) -> None:
    histories(folder, interval)


def work(folder: Path, interval: int, job: Job) -> dict[str, Any]:
    return run(job, histories(folder, interval)[job.history])


def run_all(jobs: Sequence[Job], options: Any) -> list[dict[str, Any]]:
    """Rows in the order of ``jobs``; those in the cache are taken from there."""
    known: dict[str, dict[str, Any]] = {}
    if options.cache is not None and options.cache.exists():
        for line in options.cache.read_text().splitlines():
            one = json.loads(line)
            known[Job(**{n: one[n] for n in ("history", "ratio", "venue", "who")}).key] = one
    due = [job for job in jobs if job.key not in known]
    with ProcessPoolExecutor(
        max(options.workers, 1),
        multiprocessing.get_context("spawn"),
        initializer=begin,
        initargs=(options.data, options.interval),
    ) as pool:
        running = {pool.submit(work, options.data, options.interval, job): job for job in due}
        for done in as_completed(running):
            one = done.result()
            known[running[done].key] = one
            if options.cache is not None:
                with options.cache.open("a") as opened:
                    opened.write(json.dumps(one) + "\n")
            if not options.json:
                print(line_of(one), flush=True)
    return [known[job.key] for job in jobs]


def line_of(r: dict[str, Any]) -> str:
    return (
        f"{r['history']:<8} {r['ratio']:>4} {r['venue']:<9}{r['who']:<16}"
        f" skill {r['skill']:>8.2f}  net {r['net']:>8.2f}  fees {r['fees']:>7.2f}"
        f"  LVR {r['lvr']:>8.2f}  gas {r['gas']:>7.2f}  costs {r['costs']:>7.2f}"
        f"  re-ranges {r['reranges']:>3}  share {r['share_low']:.2f} {r['share_mean']:.2f}"
        f" {r['share_high']:.2f}  in band {r['in_band']:>6.1%}"
        + (f"  halted: {r['halted']}" if r["halted"] else "")
    )


def tables(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Ours, the losses first, then what each other one's histories came to."""
    rebalanced = {r["history"]: r["net"] for r in rows if r["who"] == REBALANCED}
    yield (
        "| history | pay ratio | beside | skill | fees | LVR | gas | trading | net | rebalanced "
        "| in band | best fixed |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for r in sorted((r for r in rows if r["who"] == OURS), key=lambda r: float(r["skill"])):
        best = best_fixed(rows, r["history"], r["ratio"])
        told = "" if best is None else f"{best['skill']:+.1f} ({best['who'].removeprefix(FIXED)} )"
        yield (
            f"| {r['history']} | {r['ratio']} | {r['venue']} | {r['skill']:+.1f} | {r['fees']:.1f} "
            f"| {r['lvr']:.1f} | {r['gas']:.1f} | {r['costs']:+.1f} | {r['net']:+.1f} "
            f"| {rebalanced[r['history']]:+.1f} | {r['in_band']:.1%} | {told} |"
        )
    yield ""
    yield "| who | beside | pay ratio | worst skill | mean skill | worst net | mean net |"
    yield "|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for r in rows:
        if r["who"] != REBALANCED and not r["who"].startswith(FIXED):
            groups.setdefault((r["who"], r["venue"], r["ratio"]), []).append(r)
    for (name, venue, ratio), own in sorted(
        groups.items(), key=lambda g: min(r["skill"] for r in g[1])
    ):
        skills, nets = [r["skill"] for r in own], [r["net"] for r in own]
        yield (
            f"| {name} | {venue} | {ratio} | {min(skills):+.1f} | {sum(skills) / len(own):+.1f} "
            f"| {min(nets):+.1f} | {sum(nets) / len(own):+.1f} |"
        )


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path, help="folder of candles")
    parser.add_argument("--only", default="", help="histories whose name holds this")
    parser.add_argument("--ratio", nargs="+", choices=RATIOS, default=RATIOS)
    parser.add_argument("--venue", nargs="+", choices=VENUES, default=VENUES)
    parser.add_argument("--who", nargs="+", default=["budget"], help="beside ours; all for all")
    parser.add_argument("--brute", action="store_true", help="search fixed liquidity and width")
    parser.add_argument("--interval", type=int, default=300, help="least, of a candle and a turn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="rows that have been run")
    options = parser.parse_args()
    names = [name for name in histories(options.data, options.interval) if options.only in name]
    rows = run_all(list(jobs_of(names, options)), options)
    if not options.json:
        print("\n" + "\n".join(tables(rows)) + "\n")
    results = {"rows": rows} if options.json else {"runs": len(rows)}
    return finish(results, missed(rows), options.json)


if __name__ == "__main__":
    sys.exit(main())
