"""A decision is a target, not an order: what we should hold, and what we refuse to do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from dexmm.model.order import OrderKind, Purpose
from dexmm.model.venue import Side
from dexmm.units import Liquidity, Tick


class State(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # only what reduces exposure
    HALTED = "HALTED"  # only withdraw


class Trigger(StrEnum):
    """Why the target differs from what is held."""

    START = "start"  # nothing is held yet
    EDGE = "edge"  # the price stayed beyond an edge
    FILLED = "filled"  # the limit position has been converted
    REGIME = "regime"  # volatility is no longer what the range was made for
    AGE = "age"
    CAPITAL = "capital"  # a deposit or a withdrawal
    BAND = "band"  # the share is outside its band
    ZONE = "zone"  # the share is outside its no-trade zone, inside its band
    STOP_LOSS = "stop_loss"
    LIQUIDATION = "liquidation"  # a perpetual position is too near to it, or too large
    INVENTORY = "inventory"  # what was traded on the exchange no longer suits the ranges held
    PAY = "pay"  # the pool pays for another liquidity than that held, or for none
    STRATEGY = "strategy"  # the configuration asks for other ranges than those held


class Role(StrEnum):
    BASE = "base"  # both sides of the price
    LIMIT = "limit"  # one side of the price: what is left of the larger budget


# What bites in the ordinary course of a day. Every other rule is something that a person should
# look at: a price outside its corridor, a book that is stale, a token that is paused.
ROUTINE_RULES = frozenset(
    {
        "calendar",
        "cancel_budget",
        "economic_gate",
        "gas_cap",
        "hedge_in_flight",
        "min_interval",
        "move_cap",
        "pending_order",
        "quote_calendar",
        "quote_inventory",
        "unsettled_balance",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A guard that bites: which, and the facts in one sentence."""

    rule: str
    detail: str

    @property
    def routine(self) -> bool:
        """Whether it is part of an ordinary day: told as information, not as a warning."""
        return self.rule in ROUTINE_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPosition:
    """A range we want liquidity in. Several held NFTs may serve it, or none yet."""

    tick_lower: Tick
    tick_upper: Tick
    liquidity: Liquidity
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSwap:
    """The last resort: sell this much of one token in the pool, and not below ``minimum_out``."""

    zero_for_one: bool
    amount_in: int
    amount_out_minimum: int
    compared: tuple[tuple[str, Decimal], ...] = ()  # each way considered, and its cost in quote


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTrade:
    """Base to buy or sell on the exchange now, one slice of what is missing."""

    symbol: str
    side: Side
    amount: Decimal  # base, on the exchange's step
    limit: Decimal  # quote per base
    order: OrderKind
    purpose: Purpose
    reduce_only: bool
    compared: tuple[tuple[str, Decimal], ...]  # each way considered, and its cost in quote


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetQuote:
    """An order that should rest in the book."""

    symbol: str
    side: Side
    price: Decimal
    amount: Decimal  # base


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """A way round the triangle that pays before fees, and why it was taken or not."""

    direction: Literal["sell_direct", "buy_direct"]  # what it does in the base/quote market
    base: Decimal  # as much as pays, by depth; 0 when nothing does after fees
    gross_bp: Decimal  # at the best prices, before fees
    net_bp: Decimal  # of what is spent: after fees, depth and rounding
    profit: Decimal  # quote
    leg_risk: Decimal  # quote: what undoing the worst partial fill would cost
    taken: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    state: State
    trigger: Trigger | None  # None: what is held is the target
    reason: str  # one sentence for people
    targets: tuple[TargetPosition, ...]
    swap: TargetSwap | None
    observation_cardinality: int  # the oracle size we want; never less than the pool has
    refusals: tuple[Refusal, ...]  # every guard that bites now, wanted action or not
    withheld: bool  # an action was wanted and a guard held it back

    # the figures the decision was made with
    fair_price: Decimal  # quote per base
    share: Decimal  # base value / NAV, 0 to 1
    nav: Decimal  # in quote
    sigma: Decimal  # of log price, per square root of a second

    # the exchange side; empty without one
    trades: tuple[TargetTrade, ...] = ()
    quotes: tuple[TargetQuote, ...] = ()
    carried_base: Decimal = Decimal(0)  # a gap below the exchange's minimum, for a later turn
    below_minimum: bool = False  # the exchange's minimum alone keeps an order from being sent
    spread_bp: Decimal = Decimal(0)  # between the fair price's sources
    opportunities: tuple[Opportunity, ...] = ()
