"""What the log of a running loop says of each turn, and how loudly.

A line is a warning when a person should look: nothing acts (HALTED), something that was wanted was
refused or failed, a guard bites that no ordinary day brings. What was told as a warning ends as
one, so that whoever reads warnings alone is not left with half of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from dexmm.engine.loop import standing
from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.performance.entry_text import graded_events, headline

log = logging.getLogger("dexmm.run")


@dataclass(slots=True)
class TurnLog:
    """Tells every turn of one or several markets; what bites on is told once, not every turn."""

    _told: dict[str, dict[str, int]] = field(default_factory=dict)  # market -> rule -> level

    def saw(self, entry: Entry) -> None:
        """Log one turn."""
        told = self._told.setdefault(_market_of(entry), {})
        halted = entry.decision.state is State.HALTED
        log.log(logging.WARNING if halted else logging.INFO, "%s", headline(entry))
        for line, serious in graded_events(entry):
            log.log(logging.WARNING if serious else logging.INFO, "  %s", line)
        for_you = {refusal.rule for refusal in standing(entry)}
        bites: dict[str, int] = {}
        for refusal in entry.decision.refusals:
            rule = refusal.rule
            level = logging.INFO if refusal.routine else logging.WARNING
            bites[rule] = told.get(rule, logging.WARNING if rule in for_you else level)
            if rule in told:
                continue
            if rule in for_you:
                log.warning("  guard %s stands until you act: %s", rule, refusal.detail)
            elif not entry.decision.withheld:
                log.log(level, "  guard %s bites: %s", rule, refusal.detail)
        for rule, level in told.items():
            if rule not in bites:
                log.log(level, "  guard %s has let go", rule)
        self._told[_market_of(entry)] = bites


def _market_of(entry: Entry) -> str:
    """What a turn's market is told apart by: its pool, or its symbol where it has none."""
    market = entry.snapshot.chain.market
    return f"{market.pool} {market.base.symbol}/{market.quote.symbol}"
