"""Exact re-simulation of pool events with our positions in the pool.

    python bench/events.py [--events 1000000] [--sample 20000] [--plot FILE] [--json]

The product's own replay (``dexmm/sim/replay/event_replay.py``) over a seeded history of swaps, a
block each, in a pool of 800 initialized ticks with fees, fee growth, the protocol's share and the
oracle on; ten positions of ours join before the first event, and the arbitrageur answers after
every block. On a sample the same swaps, without the arbitrageur, meet the deployed bytecode in
pyrevm, and the whole states are compared; its seconds for a million are extrapolated from that.
Then the cost of fewer events, and of 10 to 10,000 initialized ticks that no swap comes near, each
with the exponent of cost ~ count ** exponent. Only the replay is timed, in seconds of this
process's processor time, so that other programs on the machine do not count; the wall's seconds are
printed beside them.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import gc
import math
import random
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import linear_regression, median
from time import perf_counter, process_time
from typing import Any

from bench._harness import arguments, finish
from dexmm.history.event_types import SWAP_DOWN, SWAP_UP, EventHistory, Events
from dexmm.history.wide_ints import Wide
from dexmm.model.market import Market, Token
from dexmm.sim.replay.event_replay import replay
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

FEE, TICK_SPACING, FEE_PROTOCOL = 500, 10, 4
CENTRE, TICKS = -195_180, 800  # about 3,340 USDT an ounce
LIQUIDITY = 10**16
STEP = LIQUIDITY * get_sqrt_ratio_at_tick(CENTRE) // 2000 >> 96  # token1 from tick to tick
STEPS = 1.1  # of an ordinary swap
GENESIS = 1_700_000_000
OURS = [(CENTRE - 40 * (i + 1), CENTRE + 60 * (i + 1), 10**14 * (i + 1)) for i in range(10)]
FAR_TICKS = (10, 100, 1_000, 10_000)
SECONDS_PER_MILLION = 5.0
LINEAR, FLAT = (0.95, 1.05), (-0.02, 0.02)  # what the fitted exponents may be
ROUNDS = 3
MARKET = Market(
    chain_id=1,
    pool="pool",
    position_manager="manager",
    swap_router="router",
    token0=Token(address="0", symbol="PAXG", decimals=18),
    token1=Token(address="1", symbol="USDT", decimals=6),
    base_is_token0=True,
    fee_pips=FEE,
    tick_spacing=TICK_SPACING,
)


def opening(rng: random.Random, far_ticks: int = 0) -> Pool:
    """800 ticks in a row, each the end of a position, and others too far away to be met."""
    pool = Pool(FEE, TICK_SPACING, GENESIS)
    pool.initialize(get_sqrt_ratio_at_tick(CENTRE) + 12345)
    pool.set_fee_protocol(FEE_PROTOCOL, FEE_PROTOCOL)
    pool.increase_observation_cardinality_next(100)
    for lower, upper, amount in ranges(rng):
        pool.mint("others", lower, upper, amount)
    for i in range(far_ticks // 2):
        lower = CENTRE + TICK_SPACING * (TICKS + 2 * i)
        pool.mint("far", lower, lower + TICK_SPACING, 10**12)
    return pool


def ranges(rng: random.Random) -> list[tuple[int, int, int]]:
    """The positions of the others."""
    first = CENTRE - TICKS // 2 * TICK_SPACING
    grid = [first + i * TICK_SPACING for i in range(TICKS)]
    return [
        (grid[i], grid[-1 - i], rng.randint(10**12, 10**13) if i else LIQUIDITY)
        for i in range(TICKS // 2)
    ]


def history_of(pool: Pool, rng: random.Random, count: int) -> EventHistory:
    """Random swaps in that pool, and what it was after each; one in two gives its output."""
    opened, trial = pool.state(), pool.copy()
    inputs, amounts0, amounts1, prices, liquidities = ([] for _ in range(5))
    kinds, ticks = bytearray(), array("q")
    for i in range(count):
        trial.timestamp = GENESIS + 12 * (i + 1)
        # Beyond the middle half of the ticks every swap leads back.
        away = trial.tick - CENTRE
        down = away > 0 if abs(away) > TICKS * TICK_SPACING // 4 else rng.random() < 0.5
        value = int(STEP * (STEPS - 1) * rng.uniform(0.1, 1.9)) + 1
        exact_in = rng.random() < 0.5
        if down == exact_in:  # the specified token is token0
            value = (value << 192) // trial.sqrt_price_x96**2 + 1
        inputs.append(value if exact_in else -value)
        kinds.append(SWAP_DOWN if down else SWAP_UP)
        amount0, amount1 = trial.swap(down, inputs[-1])
        amounts0.append(amount0)
        amounts1.append(amount1)
        prices.append(trial.sqrt_price_x96)
        liquidities.append(trial.liquidity)
        ticks.append(trial.tick)
    return EventHistory(
        source="bench",
        pool="pool",
        token0=MARKET.token0,
        token1=MARKET.token1,
        opened_at=GENESIS,
        opening=opened,
        events=Events(
            kinds=bytes(kinds),
            blocks=array("q", range(1, count + 1)),
            timestamps=array("q", range(GENESIS + 12, GENESIS + 12 * count + 1, 12)),
            log_indices=array("q", bytes(8 * count)),
            inputs=Wide.of(inputs),
            limits={},
            amounts0=Wide.of(amounts0),
            amounts1=Wide.of(amounts1),
            sqrt_prices=Wide.of(prices),
            liquidities=Wide.of(liquidities),
            ticks=ticks,
            owners=array("q", bytes(8 * count)),
            ticks_lower=array("q", bytes(8 * count)),
            ticks_upper=array("q", bytes(8 * count)),
            names=("",),
        ),
    )


def joined(history: EventHistory) -> Pool:
    """The pool before the first event, with our positions in it."""
    pool = history.opened()
    for lower, upper, amount in OURS:
        pool.mint("ours", lower, upper, amount)
    return pool


Times = dict[int, tuple[float, float]]
"""By count: processor seconds, and the wall's."""


def ended(pool: Pool, history: EventHistory, count: int) -> Pool:
    replay(pool, history, 0, count, arbitrage=True)
    return pool


def timed(sides: Mapping[int, Callable[[], Pool]], run: Callable[[int, Pool], object]) -> Times:
    """Processor and wall seconds of each side, the medians; the sides take turns."""
    taken: dict[int, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, make in sides.items():
            pool = make()
            gc.collect()
            gc.disable()
            wall, processor = perf_counter(), process_time()
            run(name, pool)
            taken[name].append((process_time() - processor, perf_counter() - wall))
            gc.enable()
    return {
        name: (median(cpu for cpu, _ in rows), median(wall for _, wall in rows))
        for name, rows in taken.items()
    }


def exponent(times: Times) -> float:
    """Of cost ~ count ** exponent, by least squares of the logarithms."""
    counts = [math.log(count) for count in times]
    return linear_regression(counts, [math.log(cpu) for cpu, _ in times.values()]).slope


def against_bytecode(history: EventHistory, seed: int, sample: int) -> dict[str, Any]:
    """The first swaps on both sides, ours in the pool and nobody arbitraging."""
    try:
        import pyrevm

        from bench.pool import DEPLOYER, Bytecode, states_differ
    except ImportError:
        return {"pyrevm": "is not installed: pip install pyrevm==0.3.7"}
    bytecode = Bytecode(GENESIS)
    bytecode.initialize(history.opening.sqrt_price_x96)
    bytecode.set_fee_protocol(FEE_PROTOCOL, FEE_PROTOCOL)
    bytecode.grow(100)
    for lower, upper, amount in (*ranges(random.Random(seed)), *OURS):
        bytecode.mint(lower, upper, amount)
    events = history.events
    amounts = events.inputs.span(0, sample)
    calls = [
        bytecode.swap_call(kind == SWAP_DOWN, amount)
        for kind, amount in zip(events.kinds[:sample], amounts, strict=True)
    ]
    blocks = [pyrevm.BlockEnv(timestamp=at, gas_limit=2**63) for at in events.timestamps[:sample]]
    message_call, set_block_env = bytecode.evm.message_call, bytecode.evm.set_block_env
    started = process_time()
    for block, data in zip(blocks, calls, strict=True):
        set_block_env(block)
        message_call(DEPLOYER, bytecode.harness, data)
    theirs = process_time() - started
    pool = joined(history)
    started = process_time()
    replay(pool, history, 0, sample)
    mine = process_time() - started
    return {
        "pyrevm: swaps compared": sample,
        "pyrevm: states differ": states_differ(bytecode, pool),
        "pyrevm: seconds per million (extrapolated)": theirs / sample * 1e6,
        "pyrevm: dexmm on the same swaps, s per million": mine / sample * 1e6,
        "pyrevm: ratio": theirs / mine,
    }


def plot(by_events: Times, by_ticks: Times, events: int, path: Path) -> None:
    """Both curves in one page that needs nothing from outside."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    titles = (
        f"Cost against events: exponent {exponent(by_events):.3f}",
        f"Cost of {events:,} events against unused ticks: exponent {exponent(by_ticks):.3f}",
    )
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles)
    for column, times, what in ((1, by_events, "events"), (2, by_ticks, "unused ticks")):
        figure.add_trace(
            Scatter(
                x=list(times), y=[cpu for cpu, _ in times.values()], mode="lines+markers", name=what
            ),
            row=1,
            col=column,
        )
        figure.update_xaxes(type="log", title=what, row=1, col=column)
    figure.update_yaxes(type="log", title="processor seconds", row=1, col=1)
    figure.update_yaxes(rangemode="tozero", title="processor seconds", row=1, col=2)
    figure.update_layout(title="Replaying pool events with our positions in the pool")
    figure.write_html(path, include_plotlyjs=True)


def by_count(history: EventHistory, events: int) -> Times:
    counts = sorted({max(events // 100, 1), max(events // 10, 1), events})
    return timed(
        dict.fromkeys(counts, lambda: joined(history)),
        lambda count, pool: ended(pool, history, count),
    )


def by_far_ticks(history: EventHistory, seed: int, events: int) -> Times:
    """The same swaps, whatever lies far away; they all end at one price."""

    def pool_with(far_ticks: int) -> Pool:
        pool = opening(random.Random(seed), far_ticks)
        for lower, upper, amount in OURS:
            pool.mint("ours", lower, upper, amount)
        assert len(pool.ticks) == len(joined(history).ticks) + far_ticks
        return pool

    pools = {far: pool_with(far) for far in FAR_TICKS}
    ends = {ended(pool.copy(), history, events).sqrt_price_x96 for pool in pools.values()}
    assert len(ends) == 1
    return timed(
        {far: pool.copy for far, pool in pools.items()},
        lambda _, pool: ended(pool, history, events),
    )


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=20_000, help="of them against pyrevm")
    parser.add_argument("--plot", type=Path, help="write both curves to this HTML file")
    options = parser.parse_args()
    seed, count, few = options.seed, options.events, max(options.events // 10, 1)
    history = history_of(opening(random.Random(seed)), random.Random(seed + 1), count)
    end = history.opened()
    replay(end, history)
    assert end.sqrt_price_x96 == history.events.sqrt_prices[count - 1]
    by_events = by_count(history, count)
    by_ticks = by_far_ticks(history, seed, few)
    compared = against_bytecode(history, seed, min(options.sample, count))
    results: dict[str, Any] = {
        "initialized ticks": len(joined(history).ticks),
        "our positions": len(OURS),
        **{f"{n:,} events: s (wall)": f"{c:.3f} ({w:.3f})" for n, (c, w) in by_events.items()},
        **{f"{n:,} unused ticks: s (wall)": f"{c:.3f} ({w:.3f})" for n, (c, w) in by_ticks.items()},
        "seconds per million events": by_events[count][0] / count * 1e6,
        "exponent by events": exponent(by_events),
        "exponent by unused ticks": exponent(by_ticks),
        **compared,
    }
    if options.plot is not None:
        plot(by_events, by_ticks, few, options.plot)
    return finish(results, missed(results), options.json)


def missed(results: Mapping[str, Any]) -> list[str]:
    """Which targets were not met."""
    failures = []
    if results["seconds per million events"] > SECONDS_PER_MILLION:
        failures.append(f"a million events in more than {SECONDS_PER_MILLION} s")
    for name, (low, high) in (("exponent by events", LINEAR), ("exponent by unused ticks", FLAT)):
        if not low <= results[name] <= high:
            failures.append(f"{name} is {results[name]:.3f}, wanted {low} to {high}")
    if results.get("pyrevm: states differ"):
        failures.append("the state differs from the bytecode's")
    return failures


if __name__ == "__main__":
    sys.exit(main())
