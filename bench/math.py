"""TickMath in dexmm against the textbook translation of the contract, on the same inputs.

The textbook is the Solidity read aloud: a chain of twenty conditional multiplications, and a
binary logarithm squared fourteen times. The inputs are seeded, distinct, and uniform over all
ticks (prices: over each tick). Every answer is compared.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import random
from collections.abc import Callable, Sequence
from typing import Any

from bench._harness import arguments, finish, side_by_side
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)

TARGETS = {"get_sqrt_ratio_at_tick": (1000.0, 1.7), "get_tick_at_sqrt_ratio": (500.0, 8.0)}
FACTORS = (
    (0x2, 0xFFF97272373D413259A46990580E213A),
    (0x4, 0xFFF2E50F5F656932EF12357CF3C7FDCC),
    (0x8, 0xFFE5CACA7E10E4E61C3624EAA0941CD0),
    (0x10, 0xFFCB9843D60F6159C9DB58835C926644),
    (0x20, 0xFF973B41FA98C081472E6896DFB254C0),
    (0x40, 0xFF2EA16466C96A3843EC78B326B52861),
    (0x80, 0xFE5DEE046A99A2A811C461F1969C3053),
    (0x100, 0xFCBE86C7900A88AEDCFFC83B479AA3A4),
    (0x200, 0xF987A7253AC413176F2B074CF7815E54),
    (0x400, 0xF3392B0822B70005940C7A398E4B70F3),
    (0x800, 0xE7159475A2C29B7443B29C7FA6E889D9),
    (0x1000, 0xD097F3BDFD2022B8845AD8F792AA5825),
    (0x2000, 0xA9F746462D870FDF8A65DC1F90E061E5),
    (0x4000, 0x70D869A156D2A1B890BB3DF62BAF32F7),
    (0x8000, 0x31BE135F97D08FD981231505542FCFA6),
    (0x10000, 0x9AA508B5B7A84E1C677DE54F3E99BC9),
    (0x20000, 0x5D6AF8DEDB81196699C329225EE604),
    (0x40000, 0x2216E584F5FA1EA926041BEDFE98),
    (0x80000, 0x48A170391F7DC42444E8FA2),
)


def textbook_sqrt_ratio(tick: int) -> int:
    """``getSqrtRatioAtTick``, line by line."""
    abs_tick = abs(tick)
    if abs_tick > MAX_TICK:
        raise ValueError("T")
    ratio = 0xFFFCB933BD6FAD37AA2D162D1A594001 if abs_tick & 0x1 else 1 << 128
    for bit, factor in FACTORS:
        if abs_tick & bit:
            ratio = (ratio * factor) >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return (ratio >> 32) + (1 if ratio % (1 << 32) else 0)


def textbook_tick(sqrt_price_x96: int) -> int:
    """``getTickAtSqrtRatio``, line by line."""
    if not MIN_SQRT_RATIO <= sqrt_price_x96 < MAX_SQRT_RATIO:
        raise ValueError("R")
    ratio = sqrt_price_x96 << 32
    r, msb = ratio, 0
    for shift in (7, 6, 5, 4, 3, 2, 1):
        f = (1 << shift) if r > (1 << (1 << shift)) - 1 else 0
        msb |= f
        r >>= f
    msb |= 1 if r > 1 else 0
    r = ratio >> (msb - 127) if msb >= 128 else ratio << (127 - msb)
    log_2 = (msb - 128) << 64
    for shift in range(63, 49, -1):
        r = (r * r) >> 127
        f = r >> 128
        log_2 |= f << shift
        r >>= f
    log_sqrt10001 = log_2 * 255738958999603826347141
    low = (log_sqrt10001 - 3402992956809132418596140100660247210) >> 128
    high = (log_sqrt10001 + 291339464771989622907027621153398088495) >> 128
    if low == high:
        return low
    return high if textbook_sqrt_ratio(high) <= sqrt_price_x96 else low


def each(function: Callable[[int], Any], values: Sequence[int]) -> Callable[[], None]:
    def run() -> None:
        for value in values:
            function(value)

    return run


def inputs(seed: int, count: int) -> tuple[list[int], list[int]]:
    """Distinct ticks, and one price somewhere within each."""
    rng = random.Random(seed)
    ticks = rng.sample(range(MIN_TICK, MAX_TICK), count)
    prices = [
        rng.randrange(textbook_sqrt_ratio(tick), textbook_sqrt_ratio(tick + 1)) for tick in ticks
    ]
    return ticks, prices


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="of each kind (default 10,000)")
    parser.add_argument("--rounds", type=int, default=31, help="of which the median is taken")
    parser.add_argument("--every-tick", action="store_true", help="compare all ticks first (~10 s)")
    options = parser.parse_args()
    ticks, prices = inputs(options.seed, options.inputs)
    results: dict[str, Any] = {"inputs": options.inputs, "rounds": options.rounds}
    failures: list[str] = []
    for name, ours, textbook, values in (
        ("get_sqrt_ratio_at_tick", get_sqrt_ratio_at_tick, textbook_sqrt_ratio, ticks),
        ("get_tick_at_sqrt_ratio", get_tick_at_sqrt_ratio, textbook_tick, prices),
    ):
        sides = {"dexmm": each(ours, values), "textbook": each(textbook, values)}
        seconds = side_by_side(sides, len(values), options.rounds)
        differences = sum(ours(value) != textbook(value) for value in values)
        nanoseconds = {side: 1e9 * time for side, time in seconds.items()}
        ratio = nanoseconds["textbook"] / nanoseconds["dexmm"]
        most, least = TARGETS[name]
        results |= {f"{name}: {side} ns (median)": ns for side, ns in nanoseconds.items()}
        results |= {f"{name}: ratio to textbook": ratio, f"{name}: differences": differences}
        if differences:
            failures.append(f"{name} differs")
        if nanoseconds["dexmm"] > most:
            failures.append(f"{name} {nanoseconds['dexmm']:.0f} ns, wanted {most:.0f}")
        if ratio < least:
            failures.append(f"{name} {ratio:.1f} times, wanted {least}")
    if options.every_tick:
        wrong = count_wrong_ticks()
        results["ticks whose ratio or boundary differs, of all"] = wrong
        failures += ["every tick"] if wrong else []
    return finish(results, failures, options.json)


def count_wrong_ticks() -> int:
    """Both functions at every tick: its ratio, that price, and the price just below."""
    wrong = 0
    for tick in range(MIN_TICK, MAX_TICK + 1):
        ratio = textbook_sqrt_ratio(tick)
        right = get_sqrt_ratio_at_tick(tick) == ratio
        if tick < MAX_TICK:
            right = right and get_tick_at_sqrt_ratio(ratio) == textbook_tick(ratio) == tick
        if tick > MIN_TICK:
            right = right and get_tick_at_sqrt_ratio(ratio - 1) == textbook_tick(ratio - 1)
        wrong += not right
    return wrong


if __name__ == "__main__":
    sys.exit(main())
