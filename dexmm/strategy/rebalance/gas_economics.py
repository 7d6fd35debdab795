"""Whether an action is worth its gas.

    cost      gas of the action, in quote; a re-range swaps nothing, so there is no slippage in it
    income    fees measured per second with a range around the price, times the range's expected
              life: a driftless Brownian motion leaves (-d_bid, d_ask) after d_bid d_ask / sigma^2,
              and after ``max_age_hours`` it is moved anyway
    risk      1/2 risk_aversion sigma^2 T (share - target)^2 NAV: the certainty equivalent of being
              off target for the T (``max_age_hours``) that passes before age would move the range

An action passes when cost <= income + risk. Four things stand outside that comparison:

- what restores a promise (a share outside its band, a stop-loss) is never held back, nor is the
  taking out of a range that has restored one where the pool pays for none;
- what has no income to be measured against (a first deposit, a range of age, another strategy,
  less than a day of earning so far) passes unless its gas exceeds ``max_gas_bp`` of NAV;
- what another size would earn has been held against its gas already (``strategy/pay/trigger.py``);
- nothing passes whose gas exceeds ``max_gas_bp`` of NAV, unless it restores a promise.

So on a pool too thin to pay, the range waits out of range until its age moves it: once in
``max_age_hours``, not once an edge.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config.schema import Config, Strategy
from dexmm.decimal_context import BP, DAY, HOUR, LN_TICK
from dexmm.model.decision import Refusal, TargetPosition, Trigger
from dexmm.model.snapshot import ChainView
from dexmm.strategy.context.context import Look
from dexmm.strategy.context.market_limits import ETHER, GWEI
from dexmm.strategy.context.memory_update import outside_band
from dexmm.strategy.ranges.liquidity_diff import Difference
from dexmm.strategy.ranges.range_edges import distance
from dexmm.units import sum_text

# Gas on the real bytecode: decrease + collect + burn + mint in one multicall takes 536k.
GAS_BASE = 30_000
GAS_MINT = 340_000
GAS_INCREASE = 210_000
GAS_BURN = 190_000
GAS_DECREASE = 180_000
GAS_SWAP = 160_000
GAS_APPROVAL = 50_000
GAS_ORACLE_SLOT = 22_500
TYPICAL_GAS = GAS_BASE + 2 * GAS_BURN + 2 * GAS_MINT

NEAR_STEPS = 3  # grid steps within which held ticks may be kept
UNPROVEN = {Trigger.START, Trigger.AGE, Trigger.STRATEGY}
RESTORING = {Trigger.BAND, Trigger.STOP_LOSS}


def gas_of(change: Difference) -> int:
    """Gas of one re-range, with the two approvals that it may need."""
    if not change:
        return 0
    less = sum(GAS_BURN if part.burn else GAS_DECREASE for part in change.less)
    more = sum(GAS_MINT if part.token_id is None else GAS_INCREASE for part in change.more)
    return GAS_BASE + less + more + (2 * GAS_APPROVAL if change.more else 0)


def gas_price(view: ChainView, config: Config) -> int:
    """What a unit of gas is expected to cost now, in wei."""
    return view.block.base_fee_wei + int(config.gas.tip_gwei * GWEI)


def in_quote(view: ChainView, wei: int | Decimal) -> Decimal:
    return wei * view.eth_price / ETHER


def fees_per_day(seen: Look) -> Decimal | None:
    """Measured income per day in range, in quote; None before a day of it was seen."""
    if seen.known.earning_seconds < DAY:
        return None
    income = seen.known.fees_base * seen.fair + seen.known.fees_quote
    return income * DAY / seen.known.earning_seconds


def life_days(to_bid: Decimal, to_ask: Decimal, sigma: Decimal, settings: Strategy) -> Decimal:
    """Expected days until a driftless price leaves edges at these log distances, or age calls."""
    oldest = settings.max_age_hours * HOUR / DAY
    return min(to_bid * to_ask / (sigma * sigma) / DAY, oldest) if sigma else oldest


def near_rungs(seen: Look) -> int:
    """How far a new edge may be from a held one for the held one to be kept.

    Keeping saves a burn and a mint for an increase. It costs the income of being off centre:
    about the shift over the edge distance of what the range earns in its life. Nothing is known
    to be lost before income has been measured.
    """
    furthest = NEAR_STEPS * seen.ladder.spacing
    away = distance(seen.sigma, seen.settings, seen.view.market.fee_pips)
    income = fees_per_day(seen)
    life = life_days(away, away, seen.sigma, seen.settings)
    if not income:
        return furthest
    saved = in_quote(
        seen.view, (GAS_BURN + GAS_MINT - GAS_INCREASE) * gas_price(seen.view, seen.config)
    )
    return min(furthest, int(saved / (income * life) * away / LN_TICK))


def refuse_uneconomic(
    seen: Look, trigger: Trigger, change: Difference, targets: tuple[TargetPosition, ...]
) -> Refusal | None:
    """The economic gate: see the top of this file."""
    if not seen.settings.economic_gate or trigger in RESTORING:
        return None
    if outside_band(seen.inventory.share, seen.settings, seen.settings.band_tolerance):
        return None
    if seen.limits.definition.needs_pay and not targets:
        return None  # what has done its work would only undo it
    cost = in_quote(seen.view, gas_of(change) * gas_price(seen.view, seen.config))
    symbol = seen.view.market.quote.symbol
    most = seen.settings.max_gas_bp * seen.inventory.nav / BP
    if cost > most:
        return Refusal(
            rule="economic_gate",
            detail=f"gas would cost {sum_text(cost)} {symbol}, more than "
            f"{seen.settings.max_gas_bp} bp (strategy.max_gas_bp) of the "
            f"{sum_text(seen.inventory.nav)} {symbol} there are: wait for cheaper gas or add "
            "capital",
        )
    income = fees_per_day(seen)
    if trigger is Trigger.INVENTORY and income is None:
        income = Decimal(0)  # the exchange can still bring it back without gas
    if trigger in UNPROVEN or trigger is Trigger.PAY or income is None:
        return None
    life = expected_life(seen, targets)
    gain = income * life + risk_removed(seen)
    if cost <= gain:
        return None
    return Refusal(
        rule="economic_gate",
        detail=f"gas would cost {sum_text(cost)} {symbol}, but at {sum_text(income)} {symbol} of "
        f"fees a day a range that lasts {life:.1f} days is worth {sum_text(gain)} {symbol}",
    )


def expected_life(seen: Look, targets: tuple[TargetPosition, ...]) -> Decimal:
    """Days until the price is expected to leave the widest of ``targets``.

    A range on one side of the price has no inner edge: its width stands in for it.
    """
    if not targets:
        return Decimal(0)
    bids, asks = zip(*(seen.ladder.rungs(t.tick_lower, t.tick_upper) for t in targets), strict=True)
    bid, ask = min(bids), max(asks)
    here = seen.ladder.floor(seen.view.pool.sqrt_price_x96)
    below, above = here - bid, ask - here
    width = ask - bid
    to_bid, to_ask = (below if below > 0 else width), (above if above > 0 else width)
    return life_days(to_bid * LN_TICK, to_ask * LN_TICK, seen.sigma, seen.settings)


def risk_removed(seen: Look) -> Decimal:
    """In quote: what being off target until age would move the range is worth avoiding."""
    settings = seen.settings
    off = seen.inventory.share - settings.target
    variance = seen.sigma * seen.sigma * settings.max_age_hours * HOUR
    return settings.risk_aversion * variance * off * off * seen.inventory.nav / 2
