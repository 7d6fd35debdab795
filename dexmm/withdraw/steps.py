"""One leg of a withdraw at a time: look, try it once, say what it means, keep account.

What may pass is waited for, a bounded number of times; what the chain refuses is told to the
caller, who has something smaller to try; what nothing here can mend (gas above the cap, no ether,
a transaction that no block takes) ends the withdraw as ``Transient``, with what a person can do
about it. So it ends in bounded time: one transaction is waited for as long as a turn waits
(``loop.receipt_timeout_seconds``), and only one that is mined is followed by another.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from dexmm.config.schema import Config
from dexmm.errors import Transient
from dexmm.model.decision import Refusal
from dexmm.model.gas import (
    LEAST_PERCENT,
    TIGHT_PERCENT,
    TRANSACTION_GAS_CAP,
    USED_PERCENT,
    limit,
    short_of_ether,
)
from dexmm.model.nodes import NodeViews
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome, Simulation
from dexmm.protocols import Cex, Chain
from dexmm.units import sum_text, to_units_down
from dexmm.withdraw.plan import gas_value, gwei_to_go_beyond
from dexmm.withdraw.report import Halted, Leg

PAUSES = (0.5, 1, 2, 4)  # seconds between tries that lead nowhere; then it is given up
GAS_CAP = "gas_cap"  # the chain's own refusal
GAS_MONEY = "gas_money"  # the chain's own refusals: the wallet cannot pay for it,
GAS_LIMIT = "gas_limit"  # and no transaction may have so much gas
NOT_WORTH = "not_worth_gas"
REHEARSAL = Refusal(rule="dry_run", detail="simulated, not sent")

T = TypeVar("T")
Done = Literal["done", "refused", "short", "again"]  # short: of ether, or of a transaction's gas


class ExitChain(Chain, Protocol):
    """A chain that every configured node can be asked about, one by one."""

    def survey(self, view: ChainView | None) -> NodeViews:
        """What every node shows by itself; raises nothing.

        Without a ``view``, for choosing one, nodes that answer much later than a good one are not
        waited for; beside one, which a proof is held against, each has its whole time. Where there
        is one node alone it is not asked again: ``view``, just seen, is what it shows.
        """

    def holds(self, address: str) -> tuple[int, int]:
        """What an address holds now of token0 and token1, in smallest units. Raises
        ``Transient``."""

    def prefer(self, node: str) -> None:
        """Ask the node of this name first, from now on."""

    def knows(self, tx_hash: str) -> bool:
        """Whether any node has the transaction, waiting or in a block. Raises ``Transient`` when
        none answers."""


class World(Protocol):
    """Everything around the chain that withdraw touches; ``cli`` hands in the real one."""

    def set_halt(self, reason: str) -> None:
        """Durably; ``Transient`` when no place takes it."""

    def halted(self) -> Halted:
        """The HALT flag as it is now, read from where it is kept."""

    def lease(self, timeout_seconds: float) -> AbstractContextManager[None]:
        """The wallet's lease, or ``Busy`` after the timeout."""

    def connect(self) -> ExitChain:
        """The chain, or ``Transient`` when no node answers."""

    def now(self) -> int | None:
        """The time in seconds; None where the chain lives in a time of its own."""

    def exchange(self) -> Cex | None:
        """The exchange, None where none is configured, ``Transient`` when it does not answer."""

    def sleep(self, seconds: float) -> None:
        """Wait, so that the world may change."""

    def tell(self, line: str) -> None:
        """Progress, for the person who is waiting."""

    def warn(self, line: str) -> None:
        """Something that must not be overlooked."""


class Unmined(Transient):
    """A transaction of ours was waited for as long as it may take and is not in a block: nothing
    else can pass its nonce, so nothing else is tried."""


class Fruitless(Transient):
    """The same leg led nowhere too often; another leg may still."""


@dataclass(slots=True)
class Legs:
    """The means of a withdraw. ``view`` is the last look; every leg follows one."""

    world: World
    config: Config
    dry_run: bool
    chain: ExitChain | None = None
    newest: int = 0  # the highest block that is known of: no older one is looked at
    view: ChainView | None = None
    fruitless: int = 0  # tries in a row after which nothing had happened
    estimate: int = 0  # gas that the last leg needs, by the node; 0 where it did not say
    rehearsed_wei: int = 0  # of ether, that the legs of a dry run would have used
    done: list[Leg] = field(default_factory=list)

    def connect(self) -> None:
        self.chain = self._patiently(self.world.connect)
        self._turn_to_newest()

    def look(self) -> ChainView:
        """A fresh look, never at an older block than one that was seen before.

        Raises ``Transient`` when no node answers for long, or none that keeps up.
        """
        self.view = self._patiently(self._observe)
        return self.view

    def survey(self) -> NodeViews:
        """What every node shows now; the last look speaks for a node that is alone."""
        nodes = self._chain().survey(self.view)
        self.newest = max([self.newest, *(seen.view.block.number for seen in nodes.seen)])
        return nodes

    def holds(self, address: str) -> tuple[int, int]:
        """What an address holds now of base and quote, in smallest units."""
        amount0, amount1 = self._patiently(lambda: self._chain().holds(address))
        base_first = self._seen().market.base_is_token0
        return (amount0, amount1) if base_first else (amount1, amount0)

    def prefer(self, node: str) -> None:
        self._chain().prefer(node)

    def _observe(self) -> ChainView:
        view = self._chain().observe()
        if view.block.number < self.newest:
            self._turn_to_newest()
            view = self._chain().observe()
        if view.block.number < self.newest:
            raise Transient(
                f"block {self.newest} is there and no node that answers has it: the newest is "
                f"{view.block.number}"
            )
        self.newest = view.block.number
        return view

    def _turn_to_newest(self) -> None:
        """Of several nodes, the one that has come furthest."""
        nodes = self._chain().survey(None)
        best = max(nodes.seen, key=lambda seen: seen.view.block.number, default=None)
        if best is not None:
            self.newest = max(self.newest, best.view.block.number)
            self.prefer(best.name)

    def glance(self) -> None:
        """One more look if it can be had at once; otherwise the last one stands."""
        if self.chain is not None:
            with suppress(Transient):
                self.view = self._observe()

    def try_once(
        self,
        what: str,
        step: ChainStep,
        *,
        may_shrink: bool = False,
        worth: Decimal | None = None,
    ) -> tuple[Done, Outcome]:
        """Raises ``Transient`` when trying on has become pointless.

        ``may_shrink``: something smaller can do part of this, and may pass where this does not.
        ``worth``: not for more gas than this, in quote.
        """
        simulations: list[Simulation] = []

        def verdict(simulation: Simulation) -> Refusal | None:
            simulations.append(simulation)
            if may_shrink and simulation.gas * LEAST_PERCENT > TRANSACTION_GAS_CAP * 100:
                return Refusal(
                    rule=GAS_LIMIT, detail=f"{simulation.gas} gas is too much for one transaction"
                )
            used = simulation.gas * USED_PERCENT // 100
            cost = gas_value(self._seen(), used, self.price)
            if worth is not None and worth < cost:
                return Refusal(
                    rule=NOT_WORTH,
                    detail=f"worth {sum_text(worth)}, and the gas costs {sum_text(cost)}",
                )
            return self._rehearse(simulation) if self.dry_run else None

        self.world.tell(what)
        try:
            outcome = self._chain().send(step, verdict)
        except Transient as error:
            outcome = Outcome(step=step.kind, status="pending", detail=error.message)
        self._keep(what, outcome, simulations)
        # Behind one address there may be a machine that does not have that block yet.
        self.newest = max(self.newest, outcome.block)
        self.estimate = simulations[-1].gas if simulations else 0
        # The chain asks for a verdict on every simulation that succeeds.
        if outcome.status == "failed" and not simulations and step.kind != "settle":
            return "refused", outcome
        if outcome.status == "pending" and outcome.tx_hash:
            self._hold(what, outcome)
        rule = outcome.refusal.rule if outcome.refusal is not None else ""
        if step.kind == "rerange" and rule in {GAS_MONEY, GAS_LIMIT, NOT_WORTH}:
            return "short", outcome
        try:
            return self._meaning(outcome), outcome
        except Fruitless:
            if not may_shrink:
                raise
            return "refused", outcome

    def _hold(self, what: str, outcome: Outcome) -> None:
        """Raises ``Unmined`` when what was sent still waits; it may have been passed by meanwhile,
        or be mined by now."""
        where = f"as {outcome.tx_hash}"
        with suppress(Transient):
            waiting = [flight for flight in self.look().in_flight if not flight.mined]
            if not waiting:
                return
            where = f"at nonce {waiting[0].nonce}, as {waiting[0].tx_hash or outcome.tx_hash}"
        raise Unmined(
            f"{what}: it waits {where}: {outcome.detail}, and nothing else can pass its nonce; "
            f"{self._whereabouts(outcome.tx_hash)}. Run it again: it goes on at the same nonce, "
            "offers more, and takes nothing out twice"
        )

    def _whereabouts(self, tx_hash: str) -> str:
        try:
            known = self._chain().knows(tx_hash)
        except Transient as error:
            return f"whether a node still has it could not be asked: {error.message}"
        if known:
            return "it is offered to the miners, and no block has it yet"
        return (
            "no node of network.rpc_urls has it any more, though it was sent several times: name "
            "another provider's node there"
        )

    def plan(self, step: str, what: str) -> None:
        """What a dry run cannot simulate: it begins with what is not in the wallet yet."""
        outcome = Outcome(step=step, status="skipped", detail="planned, not simulated")
        self._keep(what, outcome, [])

    def _meaning(self, outcome: Outcome) -> Done:
        if outcome.status in {"mined", "cancelled", "skipped"} or outcome.refusal is REHEARSAL:
            self.fruitless = 0
            return "done"
        if outcome.status == "reverted":
            return "refused"
        if outcome.refusal is not None:
            raise Transient(self._advice(outcome.refusal))
        if self.fruitless == len(PAUSES):
            self.fruitless = 0
            raise Fruitless(outcome.detail)
        self.world.tell(f"{outcome.detail}; looking again")
        self.world.sleep(PAUSES[self.fruitless])
        self.fruitless += 1
        return "again"

    def _patiently(self, ask: Callable[[], T]) -> T:
        """The answer of a read, asked again while it fails for a reason that may pass."""
        for pause in PAUSES:
            try:
                return ask()
            except Transient as error:
                self.world.tell(f"{error.message}; asking again in {pause} s")
                self.world.sleep(pause)
        return ask()

    def _keep(self, what: str, outcome: Outcome, simulations: list[Simulation]) -> None:
        amounts = (outcome.collected0, outcome.collected1)
        if outcome.refusal is REHEARSAL:
            amounts = (simulations[-1].collected0, simulations[-1].collected1)
        base, quote = self._seen().market.base_quote(*amounts)
        self.done.append(
            Leg(what=what, outcome=outcome, collected_base=base, collected_quote=quote)
        )

    @property
    def price(self) -> int:
        """The least that a unit of gas costs in the block last seen, wei."""
        tip = to_units_down(self.config.gas.tip_gwei, 9)
        return self._seen().block.base_fee_wei + tip

    def _rehearse(self, simulation: Simulation) -> Refusal:
        """A dry run: as far as the ether goes, the legs before it counted."""
        wallet, price = self._seen().wallet, self.price
        reserved = limit(simulation.gas, TIGHT_PERCENT)
        left = wallet.eth - self.rehearsed_wei
        if left < reserved * price:
            return Refusal(
                rule=GAS_MONEY, detail=short_of_ether(left, reserved, price, wallet.address)
            )
        self.rehearsed_wei += simulation.gas * USED_PERCENT // 100 * price
        return REHEARSAL

    def _advice(self, refusal: Refusal) -> str:
        if refusal.rule != GAS_CAP:
            return refusal.detail
        enough = gwei_to_go_beyond(self._seen(), self.config)
        return f"{refusal.detail}; wait, or go beyond with --max-gwei {enough}"

    def _seen(self) -> ChainView:
        assert self.view is not None  # noqa: S101 - every leg follows a look
        return self.view

    def _chain(self) -> ExitChain:
        assert self.chain is not None  # noqa: S101 - `connect` comes first
        return self.chain
