"""Ways to trade a slice, and what each costs, in quote against the fair price P.

    exchange_taker   selling a meets bids: a P - sum(price * amount) + taker fee; buying mirrored.
                     What the book lacks within the limit counts at the limit.
    exchange_maker   resting at the best price of our side: a (P - price) + maker fee, and what
                     waiting costs: 0.4 sigma sqrt(timeout) P a, the mean of a price's run away
                     from us, where it runs that way.
    pool_swap        the pool's own curve at its liquidity L: out = L (s - s') with
                     1/s' = 1/s + in/L, less its fee, plus gas.

A cost may be negative: then trading earns.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config.schema import Hedge
from dexmm.decimal_context import BP, ONE, PIPS
from dexmm.model.venue import Book, Instrument, Side
from dexmm.strategy.context.context import Look
from dexmm.strategy.rebalance.gas_economics import GAS_APPROVAL, GAS_SWAP, gas_price, in_quote
from dexmm.strategy.trading.book_depth import best, walk
from dexmm.strategy.trading.lot_rules import limit_price

TAKER, MAKER, POOL = "exchange_taker", "exchange_maker", "pool_swap"
MEAN_RUN = Decimal("0.4")  # E[max(z, 0)] of a standard normal, 1 / sqrt(2 pi), rounded up
SIGN = {Side.BUY: 1, Side.SELL: -1}


def taker_limit(book: Book, instrument: Instrument, side: Side, settings: Hedge) -> Decimal | None:
    """The worst price taken: ``slippage_bp`` beyond the best one there is."""
    start = best(book, side.other)
    if start is None:
        return None
    return limit_price(instrument, side, start * (1 + SIGN[side] * settings.slippage_bp / BP))


def taker_cost(
    book: Book, instrument: Instrument, side: Side, amount: Decimal, limit: Decimal, fair: Decimal
) -> Decimal:
    met = walk(book, side, amount, limit)
    paid = met.cost + (amount - met.filled) * limit
    return SIGN[side] * (paid - amount * fair) + paid * instrument.taker_fee


def maker_price(book: Book, side: Side) -> Decimal | None:
    """Where a patient order of ``side`` rests: at the best price of its own side."""
    return best(book, side)


def maker_cost(
    instrument: Instrument,
    side: Side,
    amount: Decimal,
    price: Decimal,
    fair: Decimal,
    waiting: Decimal,
) -> Decimal:
    """``waiting`` is sigma * sqrt(timeout), of log price."""
    paid = amount * price
    run = MEAN_RUN * waiting * fair * amount
    return SIGN[side] * (paid - amount * fair) + paid * instrument.maker_fee + run


def waiting_cost(sigma: Decimal, settings: Hedge) -> Decimal:
    return sigma * Decimal(settings.maker_timeout_seconds).sqrt()


def pool_way(seen: Look, side: Side, amount: Decimal) -> tuple[Decimal, Decimal] | None:
    """``(cost, amount in)``, the latter in smallest units of what is put in.

    None where the pool, or the wallet's idle tokens, cannot do it within the slippage.
    """
    market, wallet = seen.view.market, seen.view.wallet
    liquidity, s = Decimal(seen.view.pool.liquidity), seen.s
    kept = 1 - market.fee_pips / PIPS
    step = (1 - seen.config.guards.slippage_bp / BP).sqrt()
    idle_base, idle_quote = seen.ladder.base_quote(wallet.amount0, wallet.amount1)
    units = amount.scaleb(market.base.decimals)
    if side is Side.SELL:
        after = ONE / (ONE / s + units * kept / liquidity) if liquidity else None
        if after is None or units > idle_base or after < s * step:
            return None
        paid, put_in = (liquidity * (s - after)).scaleb(-market.quote.decimals), units
    else:
        left = ONE / s - units / liquidity if liquidity else ONE
        if not liquidity or left <= 0 or ONE / left > s / step:
            return None
        into = liquidity * (ONE / left - s) / kept
        if into > idle_quote:
            return None
        paid, put_in = into.scaleb(-market.quote.decimals), into
    gas = in_quote(seen.view, (GAS_SWAP + GAS_APPROVAL) * gas_price(seen.view, seen.config))
    return SIGN[side] * (paid - amount * seen.fair) + gas, put_in
