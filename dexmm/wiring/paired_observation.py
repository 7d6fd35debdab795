"""Chain and exchange of one world where neither can be read without the other.

A turn asks both side by side. Whoever comes first reads both; the other takes its half of that
reading. A half is given out once, and not when it has aged or something was sent since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dexmm.model.snapshot import ChainView
from dexmm.model.steps import CexStep, ChainStep, Outcome
from dexmm.model.venue import VenueView
from dexmm.protocols import Cex, Chain, KeepsRules, Verdict

FRESH_SECONDS = 2.0  # of the other half: both are asked for in the same moment


@dataclass(slots=True)
class _Reading:
    at: float
    chain: ChainView | None
    venue: VenueView | None


class Pair:
    """Reads both with ``read``, and hands out halves."""

    def __init__(self, read: Callable[[], tuple[ChainView, VenueView | None]]) -> None:
        self._read = read
        self._reading: _Reading | None = None
        self._lock = threading.Lock()

    def chain_half(self) -> ChainView:
        with self._lock:
            reading = self._fresh()
            if reading is None or reading.chain is None:
                reading = self._anew()
            view, reading.chain = reading.chain, None
            assert view is not None  # noqa: S101 - a new reading has both halves
            return view

    def venue_half(self) -> VenueView:
        with self._lock:
            reading = self._fresh()
            if reading is None or reading.venue is None:
                reading = self._anew()
            venue, reading.venue = reading.venue, None
            assert venue is not None  # noqa: S101 - only a world with an exchange asks for it
            return venue

    def forget(self) -> None:
        """Something was sent: no half of an earlier reading is true any more."""
        with self._lock:
            self._reading = None

    def _fresh(self) -> _Reading | None:
        reading = self._reading
        return reading if reading and time.monotonic() - reading.at <= FRESH_SECONDS else None

    def _anew(self) -> _Reading:
        self._reading = None  # a reading that fails leaves none
        chain, venue = self._read()
        self._reading = _Reading(time.monotonic(), chain, venue)
        return self._reading


class PairedChain:
    """Implements ``protocols.Chain`` over one half."""

    def __init__(self, pair: Pair, chain: Chain) -> None:
        self._pair = pair
        self._chain = chain

    def observe(self) -> ChainView:
        return self._pair.chain_half()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        self._pair.forget()
        return self._chain.send(step, verdict)


class PairedCex:
    """Implements ``protocols.Cex`` over the other half."""

    def __init__(self, pair: Pair, cex: Cex) -> None:
        self._pair = pair
        self._cex = cex

    def observe(self) -> VenueView:
        return self._pair.venue_half()

    def send(self, step: CexStep) -> Outcome:
        self._pair.forget()
        return self._cex.send(step)

    def doubt_rules(self) -> None:
        if isinstance(self._cex, KeepsRules):
            self._cex.doubt_rules()
