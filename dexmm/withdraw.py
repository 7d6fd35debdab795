"""The emergency exit: everything out of the pool, proved on chain, whatever else is broken.

    HALT         the flag is set before anything else, so that a loop yields before its next leg
    pre-empt     the wallet's lease is taken; a holder that hangs is passed by, the nonce decides
    take out     decrease, collect and burn every position that the chain shows, batch first
    settle       what of ours still waits to be mined is cancelled: a mint would undo the rest
    convert      only if asked: the base is sold for quote, on a ladder of prices
    transfer     only if asked: both tokens go to one address; the ether stays, for gas
    prove        one more look: no liquidity, nothing owed, nothing of ours still to be mined

Like a turn, it is the difference between what is held and what is wanted, found anew before
every leg: killed anywhere, it is simply run again. Nothing here trusts the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from dexmm.config import Config
from dexmm.errors import BadInput, Busy, Transient
from dexmm.model.decision import Refusal
from dexmm.model.holdings import Position
from dexmm.model.market import Token
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Allowance, Approve, Outcome, Settle, Simulation, Step, Transfer
from dexmm.strategy.fair import fair_price
from dexmm.turn import Chain
from dexmm.withdraw_plan import (
    SALE_BP,
    Ladder,
    base_in_wallet,
    describe_exit,
    exit_step,
    gwei_to_go_beyond,
    sale_step,
    shown,
    shown_eth,
    slices,
    why_not_sold,
)
from dexmm.withdraw_report import (
    Leg,
    Report,
    Trapped,
    trapped_in_position,
    trapped_in_wallet,
    unfinished_on,
)

HALT_REASON = "withdraw was run"
LEASE_TIMEOUTS = 3  # of network.timeout_seconds: how long a loop may take to yield
PAUSES = (0.5, 1, 2, 4)  # seconds between tries that lead nowhere; then it is given up
BLOCK_SECONDS = 13  # how long a confirmation may take
GAS_CAP = "gas_cap"  # the chain's own refusal
GAS_MONEY = "gas_money"
GAS_LIMIT_PERCENT = 130  # of the estimate: what a transaction reserves
REHEARSAL = Refusal(rule="dry_run", detail="simulated, not sent")

T = TypeVar("T")
Done = Literal["done", "refused", "again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for beyond getting out of the pool."""

    dry_run: bool = False
    convert: bool = False
    to: str | None = None


class World(Protocol):
    """Everything around the chain that withdraw touches; ``cli`` hands in the real one."""

    def set_halt(self, reason: str) -> None:
        """Durably; ``BadInput`` when it cannot be written."""

    def lease(self, timeout_seconds: float) -> AbstractContextManager[None]:
        """The wallet's lease, or ``Busy`` after the timeout."""

    def connect(self) -> Chain:
        """The chain, or ``Transient`` when no node answers."""

    def sleep(self, seconds: float) -> None:
        """Wait, so that the world may change."""

    def tell(self, line: str) -> None:
        """Progress, for the person who is waiting."""

    def warn(self, line: str) -> None:
        """Something that must not be overlooked."""


def withdraw(world: World, request: Request, config: Config) -> Report:
    """Get everything out, and say what is where.

    Raises only what no exit can work without: ``BadInput`` (a key that does not open), ``Halt``
    (the node is another network than configured). Everything else is in the report.
    """
    going = _Exit(world, request, config)
    with ExitStack() as held:
        if not request.dry_run:
            going.pre_empt(held)
        going.run()
    return going.report()


@dataclass(slots=True)
class _Exit:
    world: World
    request: Request
    config: Config
    chain: Chain | None = None
    view: ChainView | None = None
    proved: bool = False
    fruitless: int = 0  # tries in a row after which nothing had happened
    rehearsed: set[int] = field(default_factory=set)  # positions that a dry run has simulated
    legs: list[Leg] = field(default_factory=list)
    trapped: list[Trapped] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def pre_empt(self, held: ExitStack) -> None:
        """HALT first: a loop that runs looks at it before its next leg and while it waits."""
        try:
            self.world.set_halt(HALT_REASON)
        except BadInput as error:
            self.warn(f"{error.message}; going on without it: stop any loop by hand")
        try:
            seconds = LEASE_TIMEOUTS * self.config.network.timeout_seconds
            held.enter_context(self.world.lease(seconds))
        except (Busy, BadInput) as error:
            self.warn(f"{error.message}; going on without the lease: the nonce decides")

    def run(self) -> None:
        try:
            self.chain = self.patiently(self.world.connect)
            self.take_out()
            if self.request.convert:
                self.convert()
            if self.request.to is not None:
                self.transfer(self.request.to)
            self.prove()
        except Transient as error:
            self.unfinished.append(error.message)

    def report(self) -> Report:
        if self.view is not None:
            named = {(item.where, item.token) for item in self.trapped}
            self.trapped += [
                item
                for item in trapped_in_wallet(self.view)
                if (item.where, item.token) not in named
            ]
        return Report(
            dry_run=self.request.dry_run,
            legs=tuple(self.legs),
            trapped=tuple(self.trapped),
            withheld=tuple(self.withheld),
            unfinished=tuple(self.unfinished),
            warnings=tuple(self.warnings),
            view=self.view,
            proved=self.proved,
        )

    # the phases

    def take_out(self) -> None:
        ladder = Ladder()
        while True:
            view = self.look()
            choice = ladder.next(p for p in view.positions if p.token_id not in self.rehearsed)
            if choice is None:
                if self.settle(view):
                    continue
                break
            rung, positions = choice
            step = exit_step(rung, positions, view, self.config)
            what = describe_exit(rung, positions, view.market)
            done, outcome = self.send(what, step, may_shrink=len(positions) > 1)
            if done == "done":
                ladder.passed(rung, positions)
                self.rehearsed |= self.simulated(positions)
            elif done == "refused":
                ladder.failed(rung, positions, outcome.detail)
        if not self.request.dry_run:
            for position in view.positions:
                why = ladder.refused.get(position.token_id, "")
                self.trapped += trapped_in_position(view, position, why)

    def settle(self, view: ChainView) -> bool:
        """Cancel what still waits to be mined. Returns whether another look is needed.

        An exit takes the lowest open nonce; this is for those behind it, and for a wallet that
        has nothing in the pool yet. What no journal knows of is replaced by nothing, sent to
        ourselves: in rescue the chain outbids whatever it finds.
        """
        waiting = [flight for flight in view.in_flight if not flight.mined]
        wallet = view.wallet
        if self.request.dry_run or (not waiting and wallet.pending_nonce <= wallet.nonce):
            return False
        if waiting:
            flight = waiting[0]
            step: Step = Settle(intent_id=flight.intent_id, action="cancel")
            self.send(f"cancel {flight.step} at nonce {flight.nonce}", step)
        else:
            step = Transfer(token=None, to=wallet.address, amount=0)
            self.send(f"replace the unknown transaction at nonce {wallet.nonce}", step)
        return True

    def convert(self) -> None:
        """Sell the base for quote: in smaller slices, and then at a lower price, as it must be."""
        view = self.look()
        base, whole = base_in_wallet(view)
        if reason := why_not_sold(view):
            self.withheld.append(f"{base.symbol} is not sold: {reason}")
            return
        if self.request.dry_run:
            worst = f"never more than {SALE_BP[-1]} bp below {fair_price(view):.2f}"
            self.plan("swap", f"sell all {base.symbol} for {view.market.quote.symbol}, {worst}")
            return
        if whole and not self.allowed(view, base, whole):
            return
        for below_bp in SALE_BP:
            for most in slices(view, whole, self.config):
                if self.sell(most, below_bp):
                    return
        left = shown(base_in_wallet(self.look())[1], base)
        self.withheld.append(
            f"{left} is not sold: the pool pays less than {SALE_BP[-1]} bp below the fair price; "
            "try again later, or sell it elsewhere"
        )

    def allowed(self, view: ChainView, base: Token, amount: int) -> bool:
        """The router may take exactly what is to be sold."""
        router = view.market.swap_router
        allowance = Allowance(token=base.address, spender=router, amount=amount, current=0)
        while True:
            what = f"let the router take {shown(amount, base)}"
            done, outcome = self.send(what, Approve(allowances=(allowance,)))
            if done == "refused":
                self.withheld.append(f"{base.symbol} is not sold: {outcome.detail}")
            if done != "again":
                return done == "done"
            self.look()

    def sell(self, most: int, below_bp: Decimal) -> bool:
        """Sell slice after slice at one price. True when nothing is left that is worth a unit."""
        while True:
            view = self.look()
            base, left = base_in_wallet(view)
            fair = fair_price(view)
            if left == 0:
                return True
            step = sale_step(view, self.config, min(left, most), below_bp)
            if step.amount_out_minimum == 0:
                return True
            sold = shown(step.amount_in, base)
            done, _ = self.send(f"sell {sold}, at most {below_bp} bp below {fair:.2f}", step)
            if done == "refused":
                return False

    def transfer(self, to: str) -> None:
        """Everything that the wallet holds of both tokens."""
        market = self.look().market
        if self.request.dry_run:
            self.plan(
                "transfer", f"send all {market.base.symbol} and {market.quote.symbol} to {to}"
            )
            return
        for token in (market.base, market.quote):
            done: Done = "again"
            while done != "refused" and (amount := self.held(token.address)) > 0:
                step = Transfer(token=token.address, to=to, amount=amount)
                done, outcome = self.send(f"send {shown(amount, token)} to {to}", step)
                if done == "refused":
                    self.withheld.append(
                        f"{shown(amount, token)} stays in the wallet: {outcome.detail}"
                    )

    def held(self, token: str) -> int:
        view = self.look()
        wallet = view.wallet
        return wallet.amount0 if token == view.market.token0.address else wallet.amount1

    def prove(self) -> None:
        """No liquidity, nothing owed, nothing of ours still to be mined: seen, not inferred."""
        view = self.await_depth()
        if self.request.dry_run:
            return
        self.unfinished += unfinished_on(view, tuple(self.trapped))
        self.proved = not view.positions and not self.unfinished

    def await_depth(self) -> ChainView:
        """A look when all of ours is deep enough to be final, or as deep as patience allows."""
        view = self.look()
        seconds = 0 if self.request.dry_run else BLOCK_SECONDS * self.config.network.confirmations
        while view.in_flight and seconds > 0:
            self.world.sleep(1)
            seconds -= 1
            view = self.look()
        return view

    # the means

    def look(self) -> ChainView:
        assert self.chain is not None  # noqa: S101 - `run` connects before anything looks
        self.view = self.patiently(self.chain.observe)
        return self.view

    def patiently(self, ask: Callable[[], T]) -> T:
        """The answer of a read, asked again while it fails for a reason that may pass."""
        for pause in PAUSES:
            try:
                return ask()
            except Transient as error:
                self.world.tell(f"{error.message}; asking again in {pause} s")
                self.world.sleep(pause)
        return ask()

    def send(self, what: str, step: Step, *, may_shrink: bool = False) -> tuple[Done, Outcome]:
        """One leg, once. Raises ``Transient`` when trying on has become pointless.

        ``may_shrink``: a smaller step can do part of this one, and needs less ether for gas.
        """
        assert self.chain is not None  # noqa: S101 - `run` connects before anything is sent
        simulations: list[Simulation] = []

        def verdict(simulation: Simulation) -> Refusal | None:
            simulations.append(simulation)
            return REHEARSAL if self.request.dry_run else self.short_of_gas(simulation)

        self.world.tell(what)
        try:
            outcome = self.chain.send(step, verdict)
        except Transient as error:
            outcome = Outcome(step=step.kind, status="pending", detail=error.message)
        self.legs.append(self.leg(what, outcome, simulations))
        if may_shrink and outcome.refusal is not None and outcome.refusal.rule == GAS_MONEY:
            return "refused", outcome
        # The chain asks for a verdict on every simulation that succeeds.
        reverted = outcome.status == "failed" and not simulations and step.kind != "settle"
        return ("refused" if reverted else self.judge(outcome)), outcome

    def leg(self, what: str, outcome: Outcome, simulations: list[Simulation]) -> Leg:
        amounts = (outcome.collected0, outcome.collected1)
        if outcome.refusal is REHEARSAL:
            amounts = (simulations[-1].collected0, simulations[-1].collected1)
        base, quote = self.seen().market.base_quote(*amounts)
        return Leg(what=what, outcome=outcome, collected_base=base, collected_quote=quote)

    def plan(self, step: str, what: str) -> None:
        """What a dry run cannot simulate: it begins with what is not in the wallet yet."""
        outcome = Outcome(step=step, status="skipped", detail="planned, not simulated")
        self.legs.append(self.leg(what, outcome, []))

    def judge(self, outcome: Outcome) -> Done:
        """What an outcome means for what is tried next."""
        if outcome.status in {"mined", "cancelled", "skipped"} or outcome.refusal is REHEARSAL:
            self.fruitless = 0
            return "done"
        if outcome.status == "reverted":
            return "refused"
        if outcome.refusal is not None:
            raise Transient(self.advice(outcome.refusal))
        if self.fruitless == len(PAUSES):
            raise Transient(outcome.detail)
        self.world.tell(f"{outcome.detail}; looking again")
        self.world.sleep(PAUSES[self.fruitless])
        self.fruitless += 1
        return "again"

    def short_of_gas(self, simulation: Simulation) -> Refusal | None:
        """A node takes nothing that the wallet could not pay for at its highest price."""
        wallet = self.seen().wallet
        most = simulation.gas * GAS_LIMIT_PERCENT // 100 * simulation.max_fee_per_gas
        if wallet.eth >= most:
            return None
        return Refusal(
            rule=GAS_MONEY,
            detail=f"the wallet has {shown_eth(wallet.eth)} and this may cost up to "
            f"{shown_eth(most)}: send ether for gas to {wallet.address}",
        )

    def advice(self, refusal: Refusal) -> str:
        if refusal.rule != GAS_CAP:
            return refusal.detail
        enough = gwei_to_go_beyond(self.seen(), self.config)
        return f"{refusal.detail}; wait, or go beyond with --max-gwei {enough}"

    def seen(self) -> ChainView:
        assert self.view is not None  # noqa: S101 - every leg follows a look
        return self.view

    def simulated(self, positions: tuple[Position, ...]) -> set[int]:
        return {p.token_id for p in positions} if self.request.dry_run else set()

    def warn(self, line: str) -> None:
        self.warnings.append(line)
        self.world.warn(line)
