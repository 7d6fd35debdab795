"""A configuration judged: what it would cost, what it needs to earn, and whether it makes sense.

With edges at log distances d_bid and d_ask and volatility sigma, a driftless price is expected to
reach one of them after d_bid d_ask / sigma^2, so

    hits a day    = sigma^2 day / (d_bid d_ask)
    gas a day     = hits a day * gas of a re-range
    arbitrage     = L lambda' a second while in range: what a position of liquidity L loses to those
                    who know the price, their own fees given back (``strategy/pay/pool_pay.py``)
    break even    = gas + arbitrage
    income        = other people's fees F * L / (pool's liquidity + L)

F is the fee that liquidity keeps of the volume, less what arbitrage's own part of it gives back.

L is what the strategy itself would deploy with the inventory at its target share. Without market
facts only the settings are judged, at the configured volatility.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.config.schema import Config, Strategy
from dexmm.decimal_context import BP, DAY, HOUR, LN_TICK, ONE, PIPS, YEAR, precise
from dexmm.model.market import Market
from dexmm.model.snapshot import Snapshot
from dexmm.strategy.context.context import Look, look
from dexmm.strategy.pay.measurement import BLOCK_SECONDS, Pay, protocol_share
from dexmm.strategy.pay.pool_pay import arbitrage_keeps, lvr_after_arbitrage_fees, lvr_rate
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.strategy.ranges.range_edges import distance, in_rungs
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.gas_economics import TYPICAL_GAS, gas_price, in_quote
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO
from dexmm.units import price_text, sum_text

ZERO = Decimal(0)
PIPS_IN_BP = 100
NO_FEE = 0  # where no pool is known: what follows its fee is as near as it may be
LONGEST_HORIZON = 90 * DAY
SHORTEST_HORIZON = HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What a market is like now. Money in quote."""

    market: Market
    sqrt_price_x96: int
    fee_kept: Decimal  # of the swap fee, by liquidity: 1 less the protocol's part
    pool_liquidity: int
    sigma: Decimal  # per square root of a second
    nav: Decimal
    gas_per_rerange: Decimal
    volume_per_day: Decimal | None = None  # measured or stated; None when nobody knows
    arbitraged: bool = False  # the volume holds arbitrage's trades as well, as a chain shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``problems`` are reasons to refuse the configuration; ``notes`` are worth knowing.

    ``passing`` are those of the problems that nobody has to mend: dear gas becomes cheap again.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    to_bid_bp: Decimal  # log distance of the edges
    to_ask_bp: Decimal
    hits_per_day: Decimal
    gas_per_day: Decimal | None = None  # in quote, as all below; None without market facts
    deployed: Decimal | None = None
    arbitrage_per_day: Decimal | None = None
    break_even_per_day: Decimal | None = None  # fees needed
    break_even_bp: Decimal | None = None  # of the capital deployed, a day
    income_per_day: Decimal | None = None  # None when the volume is unknown
    pays: bool | None = None
    passing: tuple[str, ...] = ()


def market_facts(
    snapshot: Snapshot, config: Config, volume_per_day: Decimal | None = None
) -> MarketFacts:
    """The facts as a snapshot shows them, with the volume that somebody measured."""
    return _facts(look(snapshot, config), volume_per_day)


@precise
def _facts(seen: Look, volume_per_day: Decimal | None) -> MarketFacts:
    view = seen.view
    return MarketFacts(
        market=view.market,
        sqrt_price_x96=view.pool.sqrt_price_x96,
        fee_kept=fee_kept(view.pool.fee_protocol),
        pool_liquidity=view.pool.liquidity - _ours_in_range(seen),
        sigma=seen.sigma,
        nav=seen.inventory.nav,
        gas_per_rerange=in_quote(view, TYPICAL_GAS * gas_price(view, seen.config)),
        volume_per_day=volume_per_day,
        arbitraged=True,
    )


def _ours_in_range(seen: Look) -> int:
    tick = seen.view.pool.tick
    return sum(p.liquidity for p in seen.view.positions if p.in_range(tick))


def fee_kept(fee_protocol: int) -> Decimal:
    """Of the swap fee, by liquidity, on average of both directions: slot0's two nibbles."""
    return ONE - protocol_share(fee_protocol)


@precise
def judge(config: Config, facts: MarketFacts | None = None) -> Judgement:
    """Whether a configuration makes sense, for this market or for any."""
    settings = config.strategy
    if facts is None:
        sigma = (settings.sigma_annual**2 / YEAR).sqrt()
        away = distance(sigma, settings, NO_FEE)
        return Judgement(
            problems=tuple(_settings_problems(config, sigma, NO_FEE)),
            notes=tuple(_clamp_notes(sigma, settings, NO_FEE)),
            to_bid_bp=away * BP,
            to_ask_bp=away * BP,
            hits_per_day=hits_per_day(sigma, away, away),
        )
    return _judge_market(config, facts)


def hits_per_day(sigma: Decimal, to_bid: Decimal, to_ask: Decimal) -> Decimal:
    """How often a driftless price is expected to reach an edge."""
    return sigma * sigma * DAY / (to_bid * to_ask)


def _judge_market(config: Config, facts: MarketFacts) -> Judgement:
    settings = config.strategy
    here = at_target(config, facts)
    found = STRATEGIES[settings.name].shape(here)
    to_bid, to_ask = distances(here, found)
    hits = hits_per_day(facts.sigma, to_bid, to_ask) if found else ZERO
    gas = hits * facts.gas_per_rerange
    scale = -facts.market.quote.decimals
    deployed = sum((here.value(r.bid, r.ask, Decimal(r.liquidity)) for r in found), ZERO).scaleb(
        scale
    )
    liquidity = _liquidity_around(here, found)
    arbitrage = (liquidity * _rates(facts, here.s)[1] * DAY).scaleb(scale)
    needed = gas + arbitrage
    income = _income(here, facts, liquidity)
    pays = None if income is None else income >= needed
    passing = tuple(_gas_problems(config, facts, gas))
    problems = [
        *_settings_problems(config, facts.sigma, facts.market.fee_pips),
        *_market_problems(config, facts, deployed),
        *passing,
    ]
    notes = [
        *_clamp_notes(facts.sigma, settings, facts.market.fee_pips),
        *_pay_notes(facts, income, needed),
    ]
    return Judgement(
        problems=tuple(problems),
        notes=tuple(notes),
        to_bid_bp=to_bid * BP,
        to_ask_bp=to_ask * BP,
        hits_per_day=hits,
        gas_per_day=gas,
        deployed=deployed,
        arbitrage_per_day=arbitrage,
        break_even_per_day=needed,
        break_even_bp=needed * BP / deployed if deployed else None,
        income_per_day=income,
        pays=pays,
        passing=passing,
    )


def at_target(config: Config, facts: MarketFacts) -> Situation:
    """The market with the whole inventory idle in the wallet, at the target share."""
    s = Ladder.of(facts.market).root(facts.sqrt_price_x96)
    nav = facts.nav.scaleb(facts.market.quote.decimals)
    here = situation_of(
        config.strategy,
        facts.market,
        facts.sqrt_price_x96,
        (nav * config.strategy.target / (s * s), nav * (1 - config.strategy.target)),
        sigma=facts.sigma,
        fee=facts.market.fee_pips / PIPS,
    )
    return replace(
        here,
        pay=_pay(facts, s),
        gas_quote=facts.gas_per_rerange.scaleb(facts.market.quote.decimals),
    )


def situation_of(
    settings: Strategy,
    market: Market,
    sqrt_price_x96: int,
    held: tuple[Decimal, Decimal],
    *,
    sigma: Decimal,
    fee: Decimal,
) -> Situation:
    """A market with ``held`` (base and quote, smallest units) idle in the wallet, and nothing else.

    ``sigma`` is per square root of a second, ``fee`` a part of what is swapped.
    """
    ladder = Ladder.of(market)
    base, quote = held
    return Situation(
        ladder=ladder,
        settings=settings,
        s=ladder.root(sqrt_price_x96),
        floor=ladder.floor(sqrt_price_x96),
        ceiling=ladder.ceiling(sqrt_price_x96),
        base=base,
        quote=quote,
        sigma=sigma,
        fee=fee,
        wallet_base=base,
        wallet_quote=quote,
    )


@precise
def placed(here: Situation) -> tuple[Range, ...]:
    """What the strategy of the settings would hold there."""
    return STRATEGIES[here.settings.name].shape(here)


def _pay(facts: MarketFacts, s: Decimal) -> Pay | None:
    """What the facts say that the pool pays; None where the volume is unknown."""
    if facts.volume_per_day is None:
        return None
    fee = facts.market.fee_pips / PIPS
    paid = (facts.volume_per_day * fee * facts.fee_kept / DAY).scaleb(facts.market.quote.decimals)
    lvr, cost = _rates(facts, s)
    if facts.arbitraged:  # its own fees come back by the unit of liquidity: see ``pool_pay``
        paid = max(paid - (lvr - cost) * facts.pool_liquidity, ZERO)
    return Pay(fees=paid, others=Decimal(facts.pool_liquidity), cost=cost)


def _rates(facts: MarketFacts, s: Decimal) -> tuple[Decimal, Decimal]:
    """lambda and lambda' of ``pool_pay``: of a unit of liquidity, a second."""
    lvr = lvr_rate(facts.sigma, s)
    keeps = arbitrage_keeps(facts.market.fee_pips / PIPS, facts.sigma, BLOCK_SECONDS)
    return lvr, lvr_after_arbitrage_fees(lvr, keeps, facts.fee_kept)


def distances(here: Situation, found: tuple[Range, ...]) -> tuple[Decimal, Decimal]:
    """From the price to the furthest edges, of log price; as configured where there is none."""
    away = distance(here.sigma, here.settings, here.fee_pips)
    if not found:
        return away, away
    position = 2 * here.s.ln()
    to_bid = position - min(r.bid for r in found) * LN_TICK
    to_ask = max(r.ask for r in found) * LN_TICK - position
    return (to_bid if to_bid > 0 else away), (to_ask if to_ask > 0 else away)


def _liquidity_around(here: Situation, found: tuple[Range, ...]) -> Decimal:
    """What trades at the price, or just beside it: a limit position joins at the next rung."""
    return Decimal(max((r.liquidity for r in found), default=0))


def _income(here: Situation, facts: MarketFacts, liquidity: Decimal) -> Decimal | None:
    """Of other people's fees, in whole quote a day."""
    if here.pay is None:
        return None
    total = facts.pool_liquidity + liquidity
    part = liquidity / total if total else ZERO
    return (here.pay.fees * DAY).scaleb(-facts.market.quote.decimals) * part


def _settings_problems(config: Config, sigma: Decimal, fee_pips: int) -> list[str]:
    settings, guards = config.strategy, config.guards
    horizon = settings.horizon_hours * HOUR
    away = in_rungs(distance(sigma, settings, fee_pips))
    found = []
    if not SHORTEST_HORIZON <= horizon <= LONGEST_HORIZON:
        found.append("strategy.horizon_hours must be from 1 to 2160 (90 days)")
    if settings.dwell_seconds > horizon or settings.min_interval_seconds > horizon:
        found.append(
            "strategy.dwell_seconds and strategy.min_interval_seconds must be within "
            "strategy.horizon_hours: a range would be stale before it may move"
        )
    if settings.max_age_hours * HOUR < settings.min_interval_seconds:
        found.append("strategy.max_age_hours must be longer than strategy.min_interval_seconds")
    if guards.max_move_ticks < away:
        found.append(
            f"guards.max_move_ticks is {guards.max_move_ticks}, but reaching an edge moves the "
            f"range by {away} ticks: every re-range would be refused"
        )
    return found


def _clamp_notes(sigma: Decimal, settings: Strategy, fee_pips: int) -> list[str]:
    wanted = settings.edge_sigmas * sigma * (settings.horizon_hours * HOUR).sqrt() * BP
    if wanted > settings.edge_max_bp:
        return [f"volatility asks for edges at {wanted:.0f} bp, beyond strategy.edge_max_bp"]
    if wanted < (least := settings.edge_min(fee_pips)):
        why = "" if settings.edge_min_bp is not None else f" ({least:f} in this pool)"
        return [f"volatility asks for edges at {wanted:.0f} bp, within strategy.edge_min_bp{why}"]
    return []


def _market_problems(config: Config, facts: MarketFacts, deployed: Decimal) -> list[str]:
    settings, market = config.strategy, facts.market
    symbol = market.quote.symbol
    price = market.price(facts.sqrt_price_x96)
    fee_bp = Decimal(market.fee_pips) / PIPS_IN_BP
    found = []
    if not MIN_SQRT_RATIO < facts.sqrt_price_x96 < MAX_SQRT_RATIO:
        found.append("the pool's price is at the end of what a pool can show")
    if not config.market.price_low <= price <= config.market.price_high:
        found.append(
            f"the price {price_text(price)} is outside market.price_low to market.price_high: "
            "nothing would ever be minted"
        )
    if in_rungs(settings.edge_max_bp / BP) < market.tick_spacing:
        found.append(
            f"strategy.edge_max_bp is nearer than one step of the pool's grid "
            f"({market.tick_spacing} ticks): raise it"
        )
    if settings.edge_min(market.fee_pips) <= fee_bp:
        nearest = "edge_max_bp" if settings.edge_min_bp is None else "edge_min_bp"
        found.append(
            f"strategy.{nearest} is within the pool's fee of {fee_bp} bp: the price would leave "
            "a range before it paid"
        )
    strategy = STRATEGIES[settings.name]
    if strategy.most_ranges and not strategy.needs_pay and deployed < settings.min_position_quote:
        found.append(
            f"of {sum_text(facts.nav)} {symbol} only {sum_text(deployed)} would be deployed, less "
            "than strategy.min_position_quote: add capital"
        )
    return found


def _gas_problems(config: Config, facts: MarketFacts, gas: Decimal) -> list[str]:
    settings, symbol = config.strategy, facts.market.quote.symbol
    found = []
    if gas * BP > settings.max_gas_bp * facts.nav:
        found.append(
            f"gas is expected to cost {sum_text(gas)} {symbol} a day, more than "
            f"{settings.max_gas_bp} bp (strategy.max_gas_bp) of the {sum_text(facts.nav)} {symbol} "
            "there are: widen the edges, add capital, or wait for cheaper gas"
        )
    return found


def _pay_notes(facts: MarketFacts, income: Decimal | None, needed: Decimal) -> list[str]:
    symbol = facts.market.quote.symbol
    if income is None or income >= needed:
        return []
    return [
        f"the market does not pay: it is expected to bring {sum_text(income)} {symbol} of fees a "
        f"day where {sum_text(needed)} are needed for gas and what arbitrage takes"
    ]
