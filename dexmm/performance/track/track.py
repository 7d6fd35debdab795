"""The way of a run, backtested or live, as plain data: what reports and comparisons are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent
from dexmm.performance.attribution import Mark
from dexmm.units import bp


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeShown:
    """A held range as people see it: prices are quote per base, ``low < high``."""

    low: Decimal
    high: Decimal
    value: Decimal  # principal, in quote
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """What one turn saw; money in quote at the fair price."""

    at: int  # timestamp, seconds
    fair_price: Decimal
    pool_price: Decimal
    share: Decimal  # of base in the whole inventory, 0 to 1
    nav: Decimal  # gas not taken off
    in_range: bool  # some position surrounds the price
    ranges: tuple[RangeShown, ...]
    state: str  # ACTIVE, REDUCING, HALTED
    refusals: tuple[Refusal, ...] = ()
    withheld: bool = False  # a guard held back a wanted action
    # of a perpetual position, as a fraction of the mark price; None: nothing can be liquidated
    liquidation_distance: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step that was begun, beside the decision and its reason."""

    at: int
    kind: str  # deposit, rerange, exit, swap, approve, raise_cardinality, hedge, quote, ...
    status: str  # as in Outcome
    reason: str  # the decision's
    trigger: str = ""
    leg: int = 0  # of the attribution: the stretch that this action began
    gas_quote: Decimal = Decimal(0)
    turnover_quote: Decimal = Decimal(0)  # base traded by it, at the fair price
    tx_hash: str = ""
    entry_id: int = 0  # in the journal; 0 in a backtest


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What rested of ours in the exchange's spot book when one turn looked."""

    at: int  # timestamp, seconds
    bid: Decimal | None  # the best of ours, quote per base; None: nothing rests on this side
    ask: Decimal | None
    bid_base: Decimal = Decimal(0)  # all that rests
    ask_base: Decimal = Decimal(0)
    bid_quote: Decimal = Decimal(0)
    ask_quote: Decimal = Decimal(0)

    @property
    def spread_bp(self) -> Decimal | None:
        """Of the middle between our two best; None with a side missing."""
        if self.bid is None or self.ask is None:
            return None
        return bp(self.ask - self.bid, (self.ask + self.bid) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """``points`` and ``marks`` are parallel; ``marks`` holds the accounts."""

    name: str
    source: str  # where it comes from, for people: "backtest of FILE", "journal of ..."
    base: str  # symbols
    quote: str
    band_low: Decimal
    band_high: Decimal
    target: Decimal
    interval_seconds: int  # between turns, as configured
    points: tuple[TrackPoint, ...]
    marks: tuple[Mark, ...]
    actions: tuple[Action, ...] = ()
    orders: tuple[OrderIntent, ...] = ()
    skipped_turns: int = 0  # the world could not be seen whole
    errors: tuple[str, ...] = ()  # unhandled, as the log or the journal tells them
    halted: str = ""  # why it ended halted; empty when it did not
    assumptions: tuple[str, ...] = ()  # of cost and flow, in plain sentences
    facts: Mapping[str, str] = field(default_factory=dict)  # seed, file, configuration name ...
    quoted: tuple[Quoted, ...] = ()  # where quotes rest on an exchange: one a turn
    fee_rate: Decimal = Decimal(0)  # of what others swap, what reaches liquidity; 0: unknown
    rebalancing_cost: Decimal = Decimal("0.0006")  # of what is traded, to keep the target share
    liquidity_share: Decimal | None = None  # ours of what is in range, mean over time; 0 to 1
    began: int = 0  # the stretch that was watched, timestamps; 0: as the points have it
    ended: int = 0
