"""Acting again after a halt: what is forgiven, and what is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dexmm.model.memory import Memory


def resumed(memory: Memory) -> Memory:
    """``memory`` without its latched halt; drawdowns are measured from the next turn on.

    Timers, volatility, income and the stop-loss stay: a person has accepted a loss, and has said
    nothing about where the price is.
    """
    return replace(
        memory,
        halted="",
        peak_nav=None,
        peak_against_hold=None,
        hold_base=None,
        hold_quote=None,
        fees_outside=Decimal(0),
    )
