"""What `dexmm scout` found, as columns for people and as facts for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.performance.entry_text import digits
from dexmm.scout.scout import Placed, Scout, Scouted

DAY = 86_400
HOUR = 3600
NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    heading: str
    meaning: str
    told: Callable[[Scouted], str]


def _number(value: Decimal | None, places: int) -> str:
    return NONE if value is None else digits(value, places)


def _signed(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{digits(value, 2)}"


def _placed(pool: Scouted, of: Callable[[Placed], str]) -> str:
    return of(pool.placed) if pool.placed is not None else NONE


COLUMNS = (
    Column(
        heading="net/day",
        meaning="expected of the capital: others' fees less what arbitrage costs and gas; 0 where "
        "standing aside is best",
        told=lambda p: _signed(p.net_per_day),
    ),
    Column(
        heading="pay ratio",
        meaning="others' fees over what arbitrage really costs a unit of liquidity; above 1 it "
        "pays",
        told=lambda p: _number(p.pay_ratio, 2),
    ),
    Column(
        heading="volume/day",
        meaning="what was exchanged, at each swap's own price",
        told=lambda p: digits(p.volume_per_day, 0),
    ),
    Column(
        heading="fees/day",
        meaning="to all of the liquidity in range, arbitrage's included, the protocol's part not",
        told=lambda p: digits(p.fees_per_day, 2),
    ),
    Column(
        heading="swaps/day",
        meaning="of anybody",
        told=lambda p: digits(p.swaps_per_day, 1),
    ),
    Column(
        heading="depth 1 %",
        meaning="what buys until the price is 1 % higher, fees included",
        told=lambda p: _number(p.depth_up, 0),
    ),
    Column(
        heading="LP keeps",
        meaning="of the swap fee; the rest is the protocol's",
        told=lambda p: f"{digits(p.fee_kept * 100, 1)} %",
    ),
    Column(
        heading="volatility",
        meaning="a year, from the pool of this quote that trades most",
        told=lambda p: NONE if p.sigma_annual is None else f"{digits(p.sigma_annual * 100, 1)} %",
    ),
    Column(
        heading="L*/L",
        meaning="the liquidity of ours that would net most, over what stood in range on average",
        told=lambda p: _number(
            p.best_liquidity / p.mean_liquidity
            if p.best_liquidity is not None and p.best_liquidity.is_finite() and p.mean_liquidity
            else None,
            2,
        ),
    ),
    Column(
        heading="worth/day",
        meaning="what L* would net, before gas, however much capital that takes",
        told=lambda p: _number(p.best_worth_per_day, 2),
    ),
    Column(
        heading="deployed",
        meaning="of the capital, by the measured strategy",
        told=lambda p: _placed(p, lambda x: digits(x.deployed, 0)),
    ),
    Column(
        heading="edges",
        meaning="basis points below and above the price",
        told=lambda p: _placed(p, lambda x: f"{x.to_bid_bp:.0f}/{x.to_ask_bp:.0f}"),
    ),
    Column(
        heading="gas",
        meaning="of one re-range",
        told=lambda p: digits(p.gas_per_rerange, 2),
    ),
    Column(
        heading="oracle",
        meaning="how far the pool's oracle reaches back",
        told=lambda p: _span(p.oracle_seconds),
    ),
)


def name_of(pool: Scouted) -> str:
    market = pool.market
    fee = Decimal(market.fee_pips).scaleb(-4).normalize()
    return f"{market.base.symbol}/{market.quote.symbol} {fee:f} %"


def title(scout: Scout) -> str:
    days = Decimal(scout.span.end - scout.span.start) / DAY
    return (
        f"{scout.base}: {len(scout.pools)} pools on chain {scout.chain_id}, {digits(days, 1)} days "
        f"to block {scout.span.last}; amounts in {scout.money or 'no money'}, capital "
        f"{digits(scout.capital, 0)}, gas {digits(scout.gas_gwei, 3)} gwei, ether "
        f"{digits(scout.eth_price, 0)}"
    )


def conclusion(scout: Scout) -> str:
    """The first thing to know, in one sentence."""
    if not scout.pools:
        return f"No pool of {scout.base} exists against these quotes."
    best = scout.pools[0]
    if best.net_per_day > 0:
        return (
            f"{name_of(best)} pays most: {_signed(best.net_per_day)} {scout.money} a day are "
            f"expected of {digits(scout.capital, 0)}."
        )
    return (
        "None pays its liquidity now: holding is best, and `measured` would stand aside in all of "
        "them."
    )


def lines(scout: Scout) -> Iterator[str]:
    """One for each pool, in words, with what else there is to know."""
    for pool in scout.pools:
        warned = "".join(f"; {warning}" for warning in pool.warnings)
        yield f"{name_of(pool)}: {pool.verdict}{warned} ({pool.market.pool})"
    for seen in scout.tokens:
        if not seen.freeze_known:
            yield (
                f"{seen.token.symbol}: no function that tells of a freeze answers, so the guards "
                "could not see one"
            )


def facts(scout: Scout) -> dict[str, object]:
    return {
        "base": scout.base,
        "money": scout.money,
        "capital": scout.capital,
        "chain_id": scout.chain_id,
        "range": {
            "from_block": scout.span.first,
            "to_block": scout.span.last,
            "from": scout.span.start,
            "to": scout.span.end,
        },
        "gas_gwei": scout.gas_gwei,
        "eth_price": scout.eth_price,
        "conclusion": conclusion(scout),
        "pools": [_facts(pool) for pool in scout.pools],
        "tokens": [
            {
                "address": seen.token.address,
                "symbol": seen.token.symbol,
                "paused": seen.paused,
                "transfer_fee": seen.transfer_fee,
                "deprecated": seen.deprecated,
                "freeze_known": seen.freeze_known,
            }
            for seen in scout.tokens
        ],
    }


def _facts(pool: Scouted) -> dict[str, object]:
    market, pay = pool.market, pool.pay
    return {
        "pool": market.pool,
        "name": name_of(pool),
        "base": market.base.symbol,
        "quote": market.quote.symbol,
        "fee_pips": market.fee_pips,
        "tick_spacing": market.tick_spacing,
        "fee_kept": pool.fee_kept,
        "price": pool.price,
        "liquidity": str(pool.liquidity),
        "depth_1_percent": {"up": pool.depth_up, "down": pool.depth_down},
        "swaps_per_day": pool.swaps_per_day,
        "volume_per_day": pool.volume_per_day,
        "fees_per_day": pool.fees_per_day,
        "mean_liquidity": pool.mean_liquidity,
        "sigma_annual": pool.sigma_annual,
        "pay_ratio": _finite(pool.pay_ratio),
        "rates": None
        if pay is None
        else {
            "earned": pay.earned,
            "lvr": pay.lvr,
            "arbitrage_keeps": pay.keeps,
            "lvr_after_arbitrage_fees": pay.lvr_after,
            "others": pay.others,
        },
        "best_liquidity": _finite(pool.best_liquidity),
        "break_even_liquidity": _finite(pool.break_even_liquidity),
        "best_worth_per_day": pool.best_worth_per_day,
        "placed": pool.placed,
        "net_per_day": pool.net_per_day,
        "gas_per_rerange": pool.gas_per_rerange,
        "oracle_seconds": pool.oracle_seconds,
        "oracle_slots": pool.oracle_slots,
        "verdict": pool.verdict,
        "code": pool.code,
        "warnings": pool.warnings,
    }


def _finite(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None


def _span(seconds: int) -> str:
    if seconds >= 2 * DAY:
        return f"{digits(Decimal(seconds) / DAY, 1)} days"
    if seconds >= 2 * HOUR:
        return f"{digits(Decimal(seconds) / HOUR, 1)} h"
    return f"{seconds} s"
