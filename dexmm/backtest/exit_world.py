"""A backtest's world around the exit that a guard's halt asks for: the exit is the live one.

Nobody trades while it goes on, each of its transactions takes a slot, and nothing that is mined is
dropped again. Its gas and what it moves are in the chain's tally, and so in the accounts.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext

from dexmm.model.nodes import NodeView, NodeViews
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome
from dexmm.protocols import Cex, Verdict
from dexmm.sim.chain.chain import SimChain
from dexmm.withdraw.report import Halted

NODE = "the simulation"
log = logging.getLogger("dexmm.backtest")


class SimExitChain:
    """Implements ``withdraw.steps.ExitChain`` over a chain in memory."""

    def __init__(self, chain: SimChain) -> None:
        self._chain = chain

    def observe(self) -> ChainView:
        return self._chain.observe()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        return self._chain.send(step, verdict)

    def survey(self, view: ChainView | None) -> NodeViews:
        seen = NodeView(name=NODE, view=self.observe() if view is None else view)
        return NodeViews(seen=(seen,), failures=())

    def holds(self, address: str) -> tuple[int, int]:
        """The wallet's own; there is nobody else to send to."""
        return self._chain.purse.amount0, self._chain.purse.amount1

    def prefer(self, node: str) -> None:
        """There is one alone."""

    def knows(self, tx_hash: str) -> bool:
        return True


class SimExitWorld:
    """Implements ``withdraw.steps.World``. ``reason`` is that of the halt."""

    def __init__(self, chain: SimChain, cex: Cex | None, reason: str) -> None:
        self._chain = chain
        self._cex = cex
        self._reason = reason

    def set_halt(self, reason: str) -> None:
        """It is in the run's memory already, and nothing lifts it there."""

    def halted(self) -> Halted:
        return Halted(reason=self._reason, places=("the run's memory",), at_its_place=True)

    def lease(self, timeout_seconds: float) -> AbstractContextManager[None]:
        return nullcontext()

    def connect(self) -> SimExitChain:
        return SimExitChain(self._chain)

    def now(self) -> int | None:
        return None

    def exchange(self) -> Cex | None:
        return self._cex

    def sleep(self, seconds: float) -> None:
        """Time passes with what is sent alone."""

    def tell(self, line: str) -> None:
        log.debug("%s", line)

    def warn(self, line: str) -> None:
        log.debug("%s", line)  # the run itself says that it halted, and what became of it
