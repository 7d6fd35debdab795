"""Is it worth it? What the configuration is expected to cost, and whether the market pays that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import DAY
from dexmm.health.check import Check, fail, ok, warn
from dexmm.model.snapshot import Snapshot
from dexmm.performance.entry_text import digits
from dexmm.performance.pool_statistics import Trade, pay_of_trade
from dexmm.performance.pool_volume import Flow
from dexmm.strategy.exposure.volatility import annual
from dexmm.strategy.pay.pool_pay import best_liquidity
from dexmm.strategy.rebalance.feasibility import Judgement, MarketFacts, judge, market_facts


def settings(config: Config) -> Iterator[Check]:
    """The configuration judged by itself, without a market."""
    judgement = judge(config)
    yield from (fail("settings", problem) for problem in judgement.problems)
    yield from (warn("settings", note) for note in judgement.notes)


def worth(snapshot: Snapshot, config: Config, flow: Flow | None, nav: Decimal) -> Iterator[Check]:
    """The configuration judged in its market, with the trade that was measured there.

    ``nav`` is the inventory to judge it with, in quote. Says nothing of one with nothing in it.
    """
    if nav < config.strategy.min_position_quote:
        return
    volume = flow.per_day(flow.volume) if flow is not None and flow.seconds else None
    trade = flow.trade if flow is not None and flow.swaps else None
    facts = _as_measured(replace(market_facts(snapshot, config, volume), nav=nav), trade)
    judgement = judge(config, facts)
    symbol = snapshot.chain.market.quote.symbol
    yield ok("edges", _edges(judgement, symbol))
    if trade is not None:
        yield _pay_ratio(trade, facts)
    yield _pays(judgement, symbol)
    yield from (fail("economics", problem) for problem in judgement.problems)


def _as_measured(facts: MarketFacts, trade: Trade | None) -> MarketFacts:
    """With the volatility of the swaps that were measured, once they span a day.

    One measure for all that is said: what others pay and what arbitrage takes are of one time.
    """
    if trade is None or trade.sigma is None or trade.seconds < DAY:
        return facts
    return replace(facts, sigma=trade.sigma)


def _edges(judgement: Judgement, symbol: str) -> str:
    return (
        f"{judgement.to_bid_bp:.0f} bp below and {judgement.to_ask_bp:.0f} bp above the price, "
        f"expected to be reached {_per_day(judgement.hits_per_day)}; gas for that is "
        f"{digits(judgement.gas_per_day or Decimal(0), 2)} {symbol} a day"
    )


def _pay_ratio(trade: Trade, facts: MarketFacts) -> Check:
    """What others pay a unit of liquidity against what arbitrage costs it, as in `dexmm scout`."""
    sigma = facts.sigma
    pay = pay_of_trade(trade, facts.market, facts.sqrt_price_x96, facts.fee_kept, sigma)
    line = (
        f"{digits(pay.ratio, 2)}: others' fees over what arbitrage costs a unit of liquidity, at "
        f"{digits(annual(sigma) * 100, 1)} % a year of volatility"
    )
    if pay.ratio > 1:
        best = best_liquidity(pay.others * trade.liquidity, trade.liquidity, pay.lvr_after)
        much = digits(best / trade.liquidity, 2) if trade.liquidity and best.is_finite() else "?"
        return ok("pay ratio", f"{line}; most is earned with {much} of the liquidity there")
    return warn("pay ratio", line, "below 1 it pays no liquidity; `dexmm scout` compares pools")


def _pays(judgement: Judgement, symbol: str) -> Check:
    """One honest sentence."""
    gas = digits(judgement.gas_per_day or Decimal(0), 2)
    arbitrage = digits(judgement.arbitrage_per_day or Decimal(0), 2)
    needed = digits(judgement.break_even_per_day or Decimal(0), 2)
    costs = f"{needed} {symbol} a day ({gas} gas, {arbitrage} lost to arbitrage)"
    if judgement.income_per_day is None:
        return warn("worth it", f"nobody knows: it costs {costs}, and the trade is unmeasured")
    income = digits(judgement.income_per_day, 2)
    deployed = digits(judgement.deployed or Decimal(0), 0)
    line = (
        f"at the trade measured above, {deployed} {symbol} in the pool would earn {income} "
        f"{symbol} a day of fees and cost {costs}"
    )
    if judgement.pays:
        return ok("worth it", f"yes: {line}")
    if judgement.income_per_day >= (judgement.gas_per_day or Decimal(0)):
        advice = "it pays its gas, not the arbitrage; wider edges lose less, or do not run it"
    else:
        advice = "it does not even pay its gas: wider edges, another pool, or do not run it"
    return warn("worth it", f"no: {line}", advice)


def _per_day(number: Decimal) -> str:
    if number >= 1:
        return f"{digits(number, 1)} times a day"
    return f"once in {digits(1 / number, 1)} days" if number else "never"
