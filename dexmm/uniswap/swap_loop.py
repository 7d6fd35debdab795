"""The loop of a swap, one function for each direction.

Step for step what ``compute_swap_step`` and the contract's loop compute, written out for speed:
nested divisions with the same rounding are one division by the product
(``ceil(ceil(x / a) / b) == ceil(x / (a * b))``, and the same for floor), and whatever the
bounds of the price rule out is not asked. In particular none of these can happen between
MIN_SQRT_RATIO and MAX_SQRT_RATIO with liquidity below 2**128: an amount beyond 192 bits, a price
past its target, an output beyond what a stretch of prices holds.

An exact input reaches the target when what is left of it, less the fee, covers the amount in;
that is the same as covering the amount in and its fee, which are at hand:
``floor(r * k / d) >= a`` exactly when ``r >= ceil(a * d / k)``, and that is
``a + ceil(a * (d - k) / k)``.

``ceil(a / b)`` is ``(a - 1) // b + 1`` throughout: right for ``a == 0`` too, since ``//`` floors.

Crossing from one initialized tick to the next takes the same amounts each time until somebody
mints or burns, so the table remembers them (``falls`` and ``rises``) as they are first met.
Nothing else in the table is written here: what was crossed is returned, and the pool commits it.
"""

from __future__ import annotations

from dexmm.uniswap.liquidity_math import add_delta
from dexmm.uniswap.tick_math import get_tick_at_sqrt_ratio
from dexmm.uniswap.tick_table import TickTable

_FEE_DENOMINATOR = 1_000_000
_MAX_UINT256 = (1 << 256) - 1
_MAX_UINT128 = (1 << 128) - 1


SwapEnd = tuple[int, int, int, int, int, int, int, list[int], int]
"""Where a swap ended, nothing being committed yet:

0 the square-root price, 1 the tick, 2 the liquidity in range,
3 the fee growth of the input token, not yet reduced modulo 2**256,
4 the protocol fee, 5 what remains of the specified amount and 6 the other amount (both without
sign), 7 the input token's fee growth as each initialized tick was crossed, in order,
8 the table's place of the greatest initialized tick at or below the tick.

A plain tuple: a named one costs a twentieth of a swap.
"""


def swap_zero_for_one(
    table: TickTable,
    price: int,
    tick: int,
    liquidity: int,
    growth: int,
    exact_in: bool,
    remaining: int,
    limit: int,
    fee_pips: int,
    fee_protocol: int,
) -> SwapEnd:
    """Sell token0: the price falls until the amount or the limit is reached."""
    ticks = table.ticks
    sqrt_ratios = table.sqrt_ratios
    liquidity_net = table.liquidity_net
    falls = table.falls
    below = table.below
    edge = tick - tick % table.word_span
    kept = _FEE_DENOMINATOR - fee_pips
    reserves = liquidity << 96
    calculated = 0
    protocol_fee = 0
    growths: list[int] = []
    while remaining and price != limit:
        stop = ticks[below]
        known = falls[below]
        if (
            known is not None
            and known[0] == price
            and known[1] >= limit
            and remaining >= (known[2] if exact_in else known[3])
        ):
            _, after, spent, bought, grown, share = known
            stop_price = after
        else:
            if stop >= edge:
                stop_price = sqrt_ratios[below]
            else:
                stop = edge
                stop_price = table.stop_price(edge)
            target = stop_price if stop_price > limit else limit  # noqa: FURB136 - max() is a call
            gap = price - target
            if exact_in:
                amount_in = (reserves * gap - 1) // (price * target) + 1
                fee = (amount_in * fee_pips - 1) // kept + 1
                spent = amount_in + fee
                reached = remaining >= spent
                if reached:
                    after = target
                else:
                    budget = remaining * kept // _FEE_DENOMINATOR
                    denominator = reserves + budget * price
                    if denominator <= _MAX_UINT256:
                        after = (reserves * price - 1) // denominator + 1
                    else:
                        after = (reserves - 1) // (reserves // price + budget) + 1
                    gap = price - after
                    fee = remaining - (reserves * gap - 1) // (price * after) - 1
                    spent = remaining
                bought = liquidity * gap >> 96
            else:
                bought = liquidity * gap >> 96
                reached = remaining >= bought
                if reached:
                    after = target
                else:
                    after = price - ((remaining << 96) - 1) // liquidity - 1
                    gap = price - after
                    bought = liquidity * gap >> 96
                    if bought > remaining:
                        bought = remaining
                amount_in = (reserves * gap - 1) // (price * after) + 1
                fee = (amount_in * fee_pips - 1) // kept + 1
                spent = amount_in + fee
            share = fee // fee_protocol if fee_protocol else 0
            grown = ((fee - share) << 128) // liquidity if liquidity else 0
            if reached and target == sqrt_ratios[below] and price == sqrt_ratios[below + 1]:
                falls[below] = (price, target, spent, bought, grown, share)
        if exact_in:
            remaining -= spent
            calculated += bought
        else:
            remaining -= bought
            calculated += spent
        protocol_fee += share
        growth += grown
        if after == stop_price:
            if stop == ticks[below]:
                growths.append(growth)
                liquidity -= liquidity_net[below]
                if not 0 <= liquidity <= _MAX_UINT128:
                    add_delta(liquidity + liquidity_net[below], -liquidity_net[below])
                reserves = liquidity << 96
                below -= 1
            tick = stop - 1
            if stop == edge:
                edge -= table.word_span
        elif after != price:
            tick = get_tick_at_sqrt_ratio(after)
        price = after
    protocol_fee &= _MAX_UINT128
    return price, tick, liquidity, growth, protocol_fee, remaining, calculated, growths, below


def swap_one_for_zero(
    table: TickTable,
    price: int,
    tick: int,
    liquidity: int,
    growth: int,
    exact_in: bool,
    remaining: int,
    limit: int,
    fee_pips: int,
    fee_protocol: int,
) -> SwapEnd:
    """Sell token1: the price rises until the amount or the limit is reached."""
    ticks = table.ticks
    sqrt_ratios = table.sqrt_ratios
    liquidity_net = table.liquidity_net
    rises = table.rises
    above = table.below + 1
    edge = (tick // table.tick_spacing + 1 | 0xFF) * table.tick_spacing
    kept = _FEE_DENOMINATOR - fee_pips
    reserves = liquidity << 96
    calculated = 0
    protocol_fee = 0
    growths: list[int] = []
    while remaining and price != limit:
        stop = ticks[above]
        known = rises[above]
        if (
            known is not None
            and known[0] == price
            and known[1] <= limit
            and remaining >= (known[2] if exact_in else known[3])
        ):
            _, after, spent, bought, grown, share = known
            stop_price = after
        else:
            if stop <= edge:
                stop_price = sqrt_ratios[above]
            else:
                stop = edge
                stop_price = table.stop_price(edge)
            target = stop_price if stop_price < limit else limit  # noqa: FURB136 - min() is a call
            gap = target - price
            if exact_in:
                amount_in = (liquidity * gap - 1 >> 96) + 1
                fee = (amount_in * fee_pips - 1) // kept + 1
                spent = amount_in + fee
                reached = remaining >= spent
                if reached:
                    after = target
                else:
                    gap = ((remaining * kept // _FEE_DENOMINATOR) << 96) // liquidity
                    after = price + gap
                    fee = remaining - (liquidity * gap - 1 >> 96) - 1
                    spent = remaining
                bought = reserves * gap // (price * after)
            else:
                bought = reserves * gap // (price * target)
                reached = remaining >= bought
                if reached:
                    after = target
                else:
                    after = (reserves * price - 1) // (reserves - remaining * price) + 1
                    gap = after - price
                    bought = reserves * gap // (price * after)
                    if bought > remaining:
                        bought = remaining
                amount_in = (liquidity * gap - 1 >> 96) + 1
                fee = (amount_in * fee_pips - 1) // kept + 1
                spent = amount_in + fee
            share = fee // fee_protocol if fee_protocol else 0
            grown = ((fee - share) << 128) // liquidity if liquidity else 0
            if reached and target == sqrt_ratios[above] and price == sqrt_ratios[above - 1]:
                rises[above] = (price, target, spent, bought, grown, share)
        if exact_in:
            remaining -= spent
            calculated += bought
        else:
            remaining -= bought
            calculated += spent
        protocol_fee += share
        growth += grown
        if after == stop_price:
            if stop == ticks[above]:
                growths.append(growth)
                liquidity += liquidity_net[above]
                if not 0 <= liquidity <= _MAX_UINT128:
                    add_delta(liquidity - liquidity_net[above], liquidity_net[above])
                reserves = liquidity << 96
                above += 1
            tick = stop
            if stop == edge:
                edge += table.word_span
        elif after != price:
            tick = get_tick_at_sqrt_ratio(after)
        price = after
    protocol_fee &= _MAX_UINT128
    return price, tick, liquidity, growth, protocol_fee, remaining, calculated, growths, above - 1
