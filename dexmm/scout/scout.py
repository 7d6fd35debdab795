"""Which pool of a token pays its liquidity, and what one's own capital would earn there.

For each pool, with the rates of ``strategy/pay/pool_pay.py`` from its own swaps:

    trade        volume and fees to liquidity a day, and how much liquidity stood in range
    pay ratio    other people's fees over what arbitrage really costs a unit of liquidity
    L*           the liquidity of ours that would net most, and what it is worth a day
    net a day    of the ``measured`` strategy's own ranges for a given capital, gas included

Volatility belongs to the pair, not to a pool: it is taken from the pool of each quote that trades
most. Amounts are counted in one money, the first quote in which a pool of the base is open; the
others are converted at the base's price in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.chain.observe.pool_ticks import read_pool
from dexmm.chain.rpc.client import Rpc
from dexmm.config.schema import Config
from dexmm.decimal_context import BP, DAY, LN_TICK, YEAR, precise
from dexmm.errors import DexmmError
from dexmm.model.market import Market
from dexmm.performance.pool_depth import Depth, measure_depth
from dexmm.performance.pool_statistics import Swap, Trade, measure_trade, pay_of_trade
from dexmm.scout.find_pools import Market3, PoolFound, TokenSeen
from dexmm.scout.range_logs import Range
from dexmm.strategy.context.market_limits import ETHER, GWEI
from dexmm.strategy.pay.measurement import Pay
from dexmm.strategy.pay.pool_pay import PoolPay, best_liquidity, break_even_liquidity, worth_of_best
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.feasibility import MarketFacts, at_target, fee_kept, hits_per_day
from dexmm.strategy.rebalance.gas_economics import TYPICAL_GAS

ZERO = Decimal(0)
ONE_PERCENT = 100  # basis points
USUAL_ETHER = Decimal(4000)  # dollars, where nobody tells
SHORT_ORACLE = 1800  # seconds: what the guards average over


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What the strategy would put into a pool of ``capital``, in the money of the scout."""

    deployed: Decimal
    liquidity: int
    to_bid_bp: Decimal
    to_ask_bp: Decimal
    fees_per_day: Decimal  # others' fees that it would earn
    arbitrage_per_day: Decimal
    gas_per_day: Decimal
    net_per_day: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scouted:
    """One pool. Money in the money of the scout unless it says quote; days are of 24 hours."""

    market: Market
    price: Decimal  # quote per base; 0 for a pool that was never opened
    liquidity: int  # in range now
    fee_kept: Decimal  # of the swap fee, by liquidity
    depth: Depth | None
    depth_up: Decimal | None  # what moves the price up by 1 %
    depth_down: Decimal | None
    swaps_per_day: Decimal
    volume_per_day: Decimal
    fees_per_day: Decimal
    mean_liquidity: Decimal
    sigma_annual: Decimal | None
    pay: PoolPay | None
    best_liquidity: Decimal | None
    break_even_liquidity: Decimal | None
    best_worth_per_day: Decimal | None
    placed: Placed | None  # None where nothing would be placed
    gas_per_rerange: Decimal
    oracle_seconds: int
    oracle_slots: int
    warnings: tuple[str, ...]
    verdict: str
    code: str  # the verdict in one word

    @property
    def pay_ratio(self) -> Decimal | None:
        return self.pay.ratio if self.pay is not None else None

    @property
    def net_per_day(self) -> Decimal:
        return self.placed.net_per_day if self.placed is not None else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Scout:
    """All pools, the one that pays most first."""

    base: str
    money: str  # what amounts are counted in
    capital: Decimal
    chain_id: int
    block: int
    span: Range
    eth_price: Decimal
    gas_gwei: Decimal
    pools: tuple[Scouted, ...]
    tokens: tuple[TokenSeen, ...]


@precise
def assess(
    found: Market3,
    swaps: Mapping[str, Sequence[Swap]],
    span: Range,
    config: Config,
    capital: Decimal,
    depths: Mapping[str, Depth],
    *,
    eth_price: Decimal | None = None,
    tip_gwei: Decimal = Decimal("0.1"),
) -> Scout:
    """Everything that follows from what was found and fetched. ``capital`` in the scout's money."""
    trades = {pool.market.pool: _trade(pool, swaps, span) for pool in found.pools}
    money, rates = _rates(found.pools, trades)
    sigmas = _sigmas(found.pools, trades)
    ether = eth_price or found.eth_price or USUAL_ETHER
    gas_price = found.base_fee_wei + int(tip_gwei * GWEI)
    gas = TYPICAL_GAS * gas_price * ether / ETHER
    known = {seen.token.address: seen for seen in found.tokens}
    pools = [
        _scouted(
            pool,
            trades[pool.market.pool],
            sigmas.get(pool.market.quote.address),
            rates.get(pool.market.quote.address, ZERO),
            depths.get(pool.market.pool),
            gas,
            capital,
            config,
            known,
        )
        for pool in found.pools
    ]
    return Scout(
        base=found.tokens[0].token.symbol,
        money=money,
        capital=capital,
        chain_id=found.chain_id,
        block=found.block,
        span=span,
        eth_price=ether,
        gas_gwei=Decimal(gas_price) / GWEI,
        pools=tuple(sorted(pools, key=_rank)),
        tokens=found.tokens,
    )


def measure_depths(rpc: Rpc, pools: Sequence[PoolFound]) -> dict[str, Depth]:
    """Of the pools that have liquidity at their price; one whose ticks cannot be read is left
    out."""
    found = {}
    for pool in pools:
        if not pool.sqrt_price_x96 or not pool.liquidity:
            continue
        try:
            state, _ = read_pool(rpc, pool.market)
            price = pool.market.price(state.sqrt_price_x96)
            found[pool.market.pool] = measure_depth(state, pool.market, price, ONE_PERCENT)
        except DexmmError:
            continue
    return found


def _rank(pool: Scouted) -> tuple[Decimal, Decimal, Decimal, str]:
    return (
        -pool.net_per_day,
        -(pool.pay_ratio or ZERO),
        -pool.volume_per_day,
        pool.market.pool,
    )


def _trade(pool: PoolFound, swaps: Mapping[str, Sequence[Swap]], span: Range) -> Trade | None:
    seen = swaps.get(pool.market.pool, ())
    if span.end <= span.start or not span.blocks:
        return None
    return measure_trade(
        seen, pool.market, pool.fee_protocol, start=span.start, end=span.end, blocks=span.blocks
    )


def _rates(
    pools: Sequence[PoolFound], trades: Mapping[str, Trade | None]
) -> tuple[str, dict[str, Decimal]]:
    """The money of the scout, and what a quote is worth in it, by the quote's address.

    Each quote's price of the base is that of its pool with the most trade, then liquidity.
    """
    prices: dict[str, tuple[tuple[Decimal, int], Decimal, str]] = {}
    for pool in pools:
        if not pool.sqrt_price_x96 or not pool.liquidity:
            continue
        market, trade = pool.market, trades[pool.market.pool]
        weight = (trade.volume if trade is not None else ZERO, pool.liquidity)
        price = market.price(pool.sqrt_price_x96)
        held = prices.get(market.quote.address)
        if held is None or weight > held[0]:
            prices[market.quote.address] = (weight, price, market.quote.symbol)
    if not prices:
        return "", {}
    first = next(p.market.quote.address for p in pools if p.market.quote.address in prices)
    _, base, money = prices[first]
    return money, {quote: base / price for quote, (_, price, _) in prices.items()}


def _sigmas(pools: Sequence[PoolFound], trades: Mapping[str, Trade | None]) -> dict[str, Decimal]:
    """Of each quote, from the pool that trades most among those that showed any."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for pool in pools:
        trade, quote = trades[pool.market.pool], pool.market.quote.address
        if trade is None or trade.sigma is None:
            continue
        if quote not in found or trade.volume > found[quote][0]:
            found[quote] = (trade.volume, trade.sigma)
    return {quote: sigma for quote, (_, sigma) in found.items()}


def _scouted(
    pool: PoolFound,
    trade: Trade | None,
    sigma: Decimal | None,
    rate: Decimal,
    depth: Depth | None,
    gas: Decimal,
    capital: Decimal,
    config: Config,
    known: Mapping[str, TokenSeen],
) -> Scouted:
    market = pool.market
    price = market.price(pool.sqrt_price_x96) if pool.sqrt_price_x96 else ZERO
    kept = fee_kept(pool.fee_protocol)
    pay: PoolPay | None = None
    best = end = worth = None
    placed: Placed | None = None
    if trade is not None and trade.swaps and sigma is not None and trade.liquidity:
        pay = pay_of_trade(trade, market, pool.sqrt_price_x96, kept, sigma)
        fees = pay.others * trade.liquidity
        best = best_liquidity(fees, trade.liquidity, pay.lvr_after)
        end = break_even_liquidity(fees, trade.liquidity, pay.lvr_after)
        worth = (worth_of_best(fees, trade.liquidity, pay.lvr_after) * DAY * rate).scaleb(
            -market.quote.decimals
        )
        if rate and pool.liquidity:
            placed = _placed(pool, trade, pay, sigma, rate, gas, capital, config)
    warnings = tuple(_warnings(pool, known))
    code, verdict = _verdict(pool, trade, sigma, pay, best, placed)
    return Scouted(
        market=market,
        price=price,
        liquidity=pool.liquidity,
        fee_kept=kept,
        depth=depth,
        depth_up=depth.quote_up * rate if depth is not None else None,
        depth_down=depth.base_down * price * rate if depth is not None else None,
        swaps_per_day=trade.per_day(trade.swaps) if trade is not None else ZERO,
        volume_per_day=trade.per_day(trade.volume) * rate if trade is not None else ZERO,
        fees_per_day=trade.per_day(trade.fees) * rate if trade is not None else ZERO,
        mean_liquidity=trade.liquidity if trade is not None else ZERO,
        sigma_annual=sigma * YEAR.sqrt() if sigma is not None else None,
        pay=pay,
        best_liquidity=best,
        break_even_liquidity=end,
        best_worth_per_day=worth,
        placed=placed,
        gas_per_rerange=gas,
        oracle_seconds=pool.oracle_seconds,
        oracle_slots=pool.oracle_slots,
        warnings=warnings,
        verdict=verdict,
        code=code,
    )


def _placed(
    pool: PoolFound,
    trade: Trade,
    pay: PoolPay,
    sigma: Decimal,
    rate: Decimal,
    gas: Decimal,
    capital: Decimal,
    config: Config,
) -> Placed | None:
    """The ranges that ``measured`` would make of the capital; None where it stands aside."""
    market = pool.market
    decimals = market.quote.decimals
    facts = MarketFacts(
        market=market,
        sqrt_price_x96=pool.sqrt_price_x96,
        fee_kept=fee_kept(pool.fee_protocol),
        pool_liquidity=pool.liquidity,
        sigma=sigma,
        nav=capital / rate,
        gas_per_rerange=gas / rate,
    )
    others = Pay(
        fees=max(pay.others, ZERO) * trade.liquidity, others=trade.liquidity, cost=pay.lvr_after
    )
    here = replace(at_target(config, facts), pay=others)
    ranges = STRATEGIES["measured"].shape(here)
    if not ranges:
        return None
    liquidity = max(r.liquidity for r in ranges)
    position = 2 * here.s.ln()
    to_bid = position - min(r.bid for r in ranges) * LN_TICK
    to_ask = max(r.ask for r in ranges) * LN_TICK - position
    deployed = sum((here.value(r.bid, r.ask, Decimal(r.liquidity)) for r in ranges), ZERO)
    part = liquidity / (liquidity + others.others)
    earned = (others.fees * part * DAY).scaleb(-decimals) * rate
    lost = (others.cost * liquidity * DAY).scaleb(-decimals) * rate
    moving = hits_per_day(sigma, to_bid, to_ask) * gas
    return Placed(
        deployed=deployed.scaleb(-decimals) * rate,
        liquidity=liquidity,
        to_bid_bp=to_bid * BP,
        to_ask_bp=to_ask * BP,
        fees_per_day=earned,
        arbitrage_per_day=lost,
        gas_per_day=moving,
        net_per_day=earned - lost - moving,
    )


def _warnings(pool: PoolFound, known: Mapping[str, TokenSeen]) -> list[str]:
    found = [f"{symbol}'s issuer has barred this pool" for symbol in pool.frozen]
    for token in (pool.market.base, pool.market.quote):
        seen = known[token.address]
        if seen.paused:
            found.append(f"{token.symbol} is paused")
        if seen.transfer_fee:
            found.append(f"{token.symbol} takes a fee on transfers")
        if seen.deprecated:
            found.append(f"{token.symbol} was deprecated")
    if pool.sqrt_price_x96 and pool.oracle_seconds < SHORT_ORACLE:
        found.append(
            f"its oracle reaches back {pool.oracle_seconds} s ({pool.oracle_slots} slots): the "
            "guards would refuse until slots are paid for"
        )
    return found


def _verdict(
    pool: PoolFound,
    trade: Trade | None,
    sigma: Decimal | None,
    pay: PoolPay | None,
    best: Decimal | None,
    placed: Placed | None,
) -> tuple[str, str]:
    if pool.frozen:
        return "barred", "not usable: a token's issuer has barred the pool"
    if not pool.sqrt_price_x96:
        return "unopened", "was never opened: it has no price"
    if not pool.liquidity:
        return "empty", "nobody provides at its price"
    if trade is None or not trade.swaps:
        return "silent", "nobody traded"
    if pay is None or sigma is None:
        return "unknown", "too little trade to know its volatility: look over more --days"
    ratio = pay.ratio
    if not best:
        return "loses", (
            f"does not pay: others' fees are {ratio:.2f} of what arbitrage costs; stand aside"
        )
    if placed is None or placed.net_per_day <= 0:
        return "gas", (
            f"pays its liquidity ({ratio:.2f} of what arbitrage costs), but not the gas of "
            "following the price with this capital"
        )
    return "pays", f"pays: others' fees are {ratio:.2f} of what arbitrage costs"
