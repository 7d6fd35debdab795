"""The figures of a turn that are worth watching over time: each with its name, unit and meaning.

Names follow Prometheus' conventions: the unit is the last part of the name (a ``ratio`` is 0 to 1),
and a ``_total`` only ever grows while the process lives. A figure that a market does not have (no
exchange, no position) is absent, not 0.

A value leaves here as a binary float, which is all that Prometheus keeps: about 16 digits. Nothing
is decided with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import NO_POOL
from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.model.venue import VenueView
from dexmm.strategy.exposure.exchange_inventory import held_there
from dexmm.strategy.exposure.volatility import annual
from dexmm.strategy.risk.liquidation import leverage_held, liquidation_distance, liquidation_price
from dexmm.units import ETHER_DECIMALS, to_decimal

Value = Decimal | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of each market's newest turn."""

    name: str
    meaning: str
    value: Callable[[Entry], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A figure that has a value for each of the labels that apply now."""

    name: str
    meaning: str
    label: str
    values: Callable[[Entry], dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What happened since the process began, by its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...]


def _pool(value: Callable[[Entry], Value]) -> Callable[[Entry], Value]:
    return lambda entry: None if entry.snapshot.chain.market.pool == NO_POOL else value(entry)


def _venue(value: Callable[[VenueView], Value]) -> Callable[[Entry], Value]:
    def of(entry: Entry) -> Value:
        venue = entry.snapshot.venue
        return None if venue is None else value(venue)

    return of


def _held(name: str) -> Callable[[Entry], Value]:
    """Of the exchange, as turns count it."""

    def of(entry: Entry) -> Value:
        venue = entry.snapshot.venue
        if venue is None:
            return None
        value: Decimal = getattr(held_there(venue, entry.decision.fair_price), name)
        return value

    return of


def _perpetual(name: str) -> Callable[[Entry], Value]:
    def of(entry: Entry) -> Value:
        venue = entry.snapshot.venue
        if venue is None or venue.position is None:
            return None
        value: Decimal = getattr(venue.position, name)
        return value

    return of


def _wallet(entry: Entry, *, quote: bool) -> Decimal:
    market, wallet = entry.snapshot.chain.market, entry.snapshot.chain.wallet
    amounts = market.base_quote(wallet.amount0, wallet.amount1)
    return amounts[1] if quote else amounts[0]


def _in_range(entry: Entry) -> list[int]:
    view = entry.snapshot.chain
    return [int(p.liquidity) for p in view.positions if p.in_range(view.pool.tick)]


def _hold(entry: Entry) -> Decimal | None:
    base, quote = entry.memory.hold_base, entry.memory.hold_quote
    if base is None or quote is None:
        return None
    return base * entry.decision.fair_price + quote


def _ether(wei: int) -> Decimal:
    return to_decimal(wei, ETHER_DECIMALS)


FIGURES = (
    Figure(
        name="dexmm_last_turn_timestamp_seconds",
        meaning="when the newest turn looked at the world, by the runner's clock",
        value=lambda e: e.at,
    ),
    Figure(
        name="dexmm_block_number",
        meaning="the block that the newest turn saw",
        value=_pool(lambda e: e.snapshot.chain.block.number),
    ),
    Figure(
        name="dexmm_block_timestamp_seconds",
        meaning="that block's own time",
        value=_pool(lambda e: e.snapshot.chain.block.timestamp),
    ),
    Figure(
        name="dexmm_withheld",
        meaning="1 while a guard holds back an action that is wanted, else 0",
        value=lambda e: int(e.decision.withheld),
    ),
    Figure(
        name="dexmm_nav_quote",
        meaning="everything of this market, on chain and exchange, in whole quote tokens",
        value=lambda e: e.decision.nav,
    ),
    Figure(
        name="dexmm_nav_peak_quote",
        meaning="the highest NAV so far, moved by deposits and withdrawals; the drawdown guard "
        "measures from it",
        value=lambda e: e.memory.peak_nav,
    ),
    Figure(
        name="dexmm_hold_value_quote",
        meaning="what the inventory would be worth had it never been traded",
        value=_hold,
    ),
    Figure(
        name="dexmm_share_ratio",
        meaning="value of the base over NAV: what the band bounds",
        value=lambda e: e.decision.share,
    ),
    Figure(
        name="dexmm_fair_price_quote",
        meaning="the price that everything is valued at, quote per base",
        value=lambda e: e.decision.fair_price,
    ),
    Figure(
        name="dexmm_pool_price_quote",
        meaning="the pool's own price, quote per base",
        value=_pool(lambda e: e.snapshot.chain.market.price(e.snapshot.chain.pool.sqrt_price_x96)),
    ),
    Figure(
        name="dexmm_volatility_annual_ratio",
        meaning="volatility as measured, of the log price, a year",
        value=lambda e: annual(e.decision.sigma),
    ),
    Figure(
        name="dexmm_positions",
        meaning="NFTs of ours in the pool",
        value=_pool(lambda e: len(e.snapshot.chain.positions)),
    ),
    Figure(
        name="dexmm_positions_in_range",
        meaning="those with the price inside their range",
        value=_pool(lambda e: len(_in_range(e))),
    ),
    Figure(
        name="dexmm_liquidity_in_range",
        meaning="of ours at the pool's price, in the pool's own unit",
        value=_pool(lambda e: sum(_in_range(e))),
    ),
    Figure(
        name="dexmm_pool_liquidity",
        meaning="everybody's at the pool's price, in the pool's own unit",
        value=_pool(lambda e: int(e.snapshot.chain.pool.liquidity)),
    ),
    Figure(
        name="dexmm_fees_base",
        meaning="pool fees in the base since the income was last counted anew, collected or not",
        value=_pool(lambda e: e.memory.fees_base),
    ),
    Figure(
        name="dexmm_fees_quote",
        meaning="the same in the quote",
        value=_pool(lambda e: e.memory.fees_quote),
    ),
    Figure(
        name="dexmm_transactions_in_flight",
        meaning="transactions of ours that are not final yet",
        value=_pool(lambda e: len(e.snapshot.chain.in_flight)),
    ),
    Figure(
        name="dexmm_wallet_base",
        meaning="base tokens in the wallet, not in positions",
        value=_pool(lambda e: _wallet(e, quote=False)),
    ),
    Figure(
        name="dexmm_wallet_quote",
        meaning="quote tokens in the wallet, not in positions",
        value=_pool(lambda e: _wallet(e, quote=True)),
    ),
    Figure(
        name="dexmm_wallet_ether",
        meaning="what pays for gas",
        value=_pool(lambda e: _ether(e.snapshot.chain.wallet.eth)),
    ),
    Figure(
        name="dexmm_gas_spent_ether",
        meaning="spent on gas since the journal began",
        value=_pool(lambda e: _ether(e.memory.gas_spent)),
    ),
    Figure(
        name="dexmm_gas_spent_today_ether",
        meaning="spent on gas since midnight UTC: gas.daily_budget_eth bounds it",
        value=_pool(lambda e: _ether(e.memory.gas_spent_today)),
    ),
    Figure(
        name="dexmm_exchange_base",
        meaning="base on the exchange's spot account",
        value=_held("spot_base"),
    ),
    Figure(
        name="dexmm_exchange_quote",
        meaning="quote on the exchange's spot account",
        value=_held("spot_quote"),
    ),
    Figure(
        name="dexmm_exchange_orders_resting",
        meaning="orders of ours in the book when the newest turn looked",
        value=_venue(lambda v: sum(order.ours for order in v.resting)),
    ),
    Figure(
        name="dexmm_exchange_orders_sent",
        meaning="orders sent within exchange.cancel_window_seconds",
        value=_venue(lambda v: v.recent_sent),
    ),
    Figure(
        name="dexmm_exchange_orders_cancelled",
        meaning="of these, cancelled: exchange.cancel_ratio bounds it",
        value=_venue(lambda v: v.recent_cancelled),
    ),
    Figure(
        name="dexmm_perpetual_base",
        meaning="the perpetual position, in base; below 0 is short",
        value=_perpetual("base"),
    ),
    Figure(
        name="dexmm_perpetual_mark_price_quote",
        meaning="the perpetual's mark price, quote per base",
        value=_perpetual("mark_price"),
    ),
    Figure(
        name="dexmm_perpetual_margin_quote",
        meaning="quote in the derivatives account, without unrealised profit",
        value=_perpetual("margin"),
    ),
    Figure(
        name="dexmm_perpetual_funding_rate_ratio",
        meaning="of the notional, each funding interval; above 0 longs pay",
        value=_perpetual("funding_rate"),
    ),
    Figure(
        name="dexmm_perpetual_leverage_ratio",
        meaning="the position's notional over the money behind it",
        value=_venue(leverage_held),
    ),
    Figure(
        name="dexmm_perpetual_liquidation_price_quote",
        meaning="the mark price at which the exchange takes the position over",
        value=_venue(liquidation_price),
    ),
    Figure(
        name="dexmm_perpetual_liquidation_distance_ratio",
        meaning="how far the mark price is from that, of the mark price; "
        "hedge.liquidation_distance_min bounds it",
        value=_venue(liquidation_distance),
    ),
)

LABELLED = (
    Labelled(
        name="dexmm_state",
        meaning="1 for the state of the newest turn, 0 for the two others",
        label="state",
        values=lambda e: {state.value: int(state is e.decision.state) for state in State},
    ),
    Labelled(
        name="dexmm_refusal",
        meaning="1 for each guard that bites now",
        label="rule",
        values=lambda e: {refusal.rule: 1 for refusal in e.decision.refusals},
    ),
)

TURNS = Counted(
    name="dexmm_turns_total",
    meaning="turns by how they ended, in the words of the exit codes: done, refused, halted, "
    "failed",
    labels=("result",),
)
STEPS = Counted(
    name="dexmm_steps_total",
    meaning="steps by their kind and what became of them",
    labels=("step", "status"),
)
COUNTED = (TURNS, STEPS)
