"""A decision is a target, not an order: what we should hold, and what we refuse to do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

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
    STOP_LOSS = "stop_loss"
    STRATEGY = "strategy"  # the configuration asks for other ranges than those held


class Role(StrEnum):
    BASE = "base"  # both sides of the price
    LIMIT = "limit"  # one side of the price: what is left of the larger budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A guard that bites: which, and the facts in one sentence."""

    rule: str
    detail: str


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
