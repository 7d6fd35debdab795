"""The emergency exit: everything out of the pool, proved on chain, whatever else is broken.

    HALT         the flag is set before anything else, so that a loop yields before its next leg
    pre-empt     the wallet's lease is taken; a holder that hangs is passed by, the nonce decides
    take out     decrease, collect and burn every position that the chain shows, batch first
    settle       what of ours still waits to be mined is cancelled: a mint would undo the rest
    convert      only if asked: the base is sold for quote, on a ladder of prices
    transfer     only if asked: both tokens go to one address; the ether stays, for gas
    exchange     meanwhile: orders cancelled, the perpetual closed (``exchange.py``)
    prove        one more look: no liquidity, nothing owed, nothing of ours still to be mined

Like a turn, it is the difference between what is held and what is wanted, found anew before
every leg: killed anywhere, it is simply run again. Nothing here trusts the journal.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.errors import BadInput, Busy, Transient
from dexmm.model.gas import (
    LEAST_PERCENT,
    TIGHT_PERCENT,
    TRANSACTION_GAS_CAP,
    USED_PERCENT,
    ether,
    gwei,
    limit,
)
from dexmm.model.holdings import Position
from dexmm.model.market import Token
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Allowance, Approve, ChainStep, Outcome, Settle, Transfer
from dexmm.strategy.exposure.fair_price import fair_price
from dexmm.units import price_text
from dexmm.withdraw.exchange import ExchangeExit
from dexmm.withdraw.plan import (
    NOTHING,
    SALE_BP,
    Ladder,
    Rung,
    base_in_wallet,
    by_value,
    describe_exit,
    exit_step,
    gas_value,
    sale_step,
    shown,
    shown_value,
    slices,
    value_of,
    why_not_sold,
)
from dexmm.withdraw.proof import Proof, position_name, weigh
from dexmm.withdraw.report import (
    NOT_HALTED,
    WALLET,
    Halted,
    Left,
    Report,
    Trapped,
    trapped_in_position,
    trapped_in_wallet,
    unfinished_on,
)
from dexmm.withdraw.steps import GAS_LIMIT, NOT_WORTH, Fruitless, Legs, World

HALT_REASON = "withdraw was run"
LEASE_TIMEOUTS = 3  # of network.timeout_seconds: how long a loop may take to yield
BLOCK_SECONDS = 13  # how long a confirmation may take
MOST_SETTLED = 20  # transactions cancelled before it is plain that somebody keeps sending
MOST_RISEN = 2  # times that one more shows where one of unknown origin was replaced
MOST_PROOFS = 10  # looks at every node until all that keep up agree
LEAST_GAS = 100_000  # taking out a position never uses less: what is worth less is not tried
WORTH_LESS = "that is worth less than the gas"
MOST_TRANSFERS = 3  # of one token: one that says it moved and did not must not be paid for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for beyond getting out of the pool."""

    dry_run: bool = False
    convert: bool = False
    everything: bool = False  # also what is worth less than the gas that takes it out
    to: str | None = None


def withdraw(world: World, request: Request, config: Config) -> Report:
    """Get everything out, and say what is where.

    Raises only what no exit can work without: ``BadInput`` (a key that does not open), ``Halt``
    (the node is another network than configured). Everything else is in the report.
    """
    going = _Exit(world, request, config, Legs(world, config, request.dry_run))
    there = ExchangeExit(world, config, request.dry_run, sell=request.convert)
    with ExitStack() as held, ThreadPoolExecutor(max_workers=1) as beside:
        if not request.dry_run:
            going.pre_empt(held)
        exchange = beside.submit(there.run)
        if config.market.has_pool:
            going.run()
        try:
            exchange.result()
        except Exception as error:  # noqa: BLE001 - the chain's part is told whatever happens here
            there.unfinished.append(f"the exchange: unexpected {type(error).__name__}")
        halted = going.read_halt()  # while the lease is held: nobody can have lifted it meanwhile
    return replace(with_exchange(going.report(), there), halted=halted)


def with_exchange(report: Report, there: ExchangeExit) -> Report:
    """One report of both parts."""
    return replace(
        report,
        legs=(*report.legs, *there.legs),
        withheld=(*report.withheld, *there.withheld),
        unfinished=(*report.unfinished, *there.unfinished),
        elsewhere=there.places(),
        seen_there=there.words(),
        flat=there.proved if there.config.exchange is not None else None,
    )


@dataclass(slots=True)
class _Exit:
    """The phases, in order, and what they leave for the report."""

    world: World
    request: Request
    config: Config
    legs: Legs
    ladder: Ladder = field(default_factory=Ladder)
    rehearsed: dict[int, Rung] = field(default_factory=dict)  # what a dry run found to work
    left: dict[int, Left] = field(default_factory=dict)  # by token id: not worth its gas
    had: tuple[int, int] | None = None  # base and quote at the address, before any was sent there
    sold: bool = False  # it came to the sale
    read_back: list[str] = field(default_factory=list)
    settled: int = 0
    unknown_to: int = -1  # the pending nonce when one of unknown origin was last replaced
    risen: int = 0  # times that it was higher the next time
    proved: bool = False
    proof: Proof | None = None
    trapped: list[Trapped] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def pre_empt(self, held: ExitStack) -> None:
        """HALT first: a loop that runs looks at it before its next leg and while it waits."""
        try:
            self.world.set_halt(HALT_REASON)
        except Transient as error:
            self.warn(f"{error.message}; going on without it")
        else:
            halted = self.world.halted()
            if halted.reason and not halted.at_its_place:
                self.warn(f"the state folder takes no HALT: it is kept at {halted.places[0]}")
        try:
            seconds = LEASE_TIMEOUTS * self.config.network.timeout_seconds
            held.enter_context(self.world.lease(seconds))
        except (Busy, BadInput, Transient) as error:
            self.warn(f"{error.message}; going on without the lease: the nonce decides")

    def read_halt(self) -> Halted:
        """HALT as it is. Where no place took it, it is tried once more: much has passed."""
        halted = self.world.halted()
        if not halted.reason and not self.request.dry_run:
            with suppress(Transient):
                self.world.set_halt(HALT_REASON)
            halted = self.world.halted()
            if not halted.reason:
                self.warn(NOT_HALTED)
        return halted

    def run(self) -> None:
        try:
            self.legs.connect()
            self.take_out()
            if self.ladder.unpaid and (self.request.convert or self.request.to is not None):
                self.unfinished.append(
                    "nothing is sold or sent on: the ether in the wallet is for what is in the pool"
                )
            else:
                self.pass_on()
            self.prove()
        except Transient as error:
            self.unfinished.append(error.message)
            self.legs.glance()

    def pass_on(self) -> None:
        """What was asked for beyond getting out of the pool."""
        if self.request.convert:
            self.convert()
        if self.request.to is not None:
            self.transfer(self.request.to)

    def report(self) -> Report:
        view = self.legs.view
        if view is not None:
            named = {(item.where, item.token) for item in self.trapped}
            stuck = trapped_in_wallet(view)
            self.trapped += [item for item in stuck if (item.where, item.token) not in named]
        return Report(
            dry_run=self.request.dry_run,
            legs=tuple(self.legs.done),
            trapped=tuple(self.trapped),
            withheld=tuple(self.withheld),
            unfinished=tuple(dict.fromkeys(self.unfinished)),
            warnings=tuple(self.warnings),
            view=view,
            proved=self.proved,
            proof=self.proof,
            read_back=tuple(self.read_back),
            left=() if view is None else tuple(self.left_of(view).values()),
            pool=self.config.market.has_pool,
        )

    def take_out(self) -> None:
        self.trapped = []
        while True:
            view = self.legs.look()
            left = [p for p in view.positions if p.token_id not in self.rehearsed]
            small = [p for p in left if self.is_small(view, p)]
            choice = self.ladder.next(by_value((p for p in left if p not in small), view))
            if choice is not None:
                self.climb(view, *choice)
            elif (one := self.next_small(view, small)) is not None:
                self.take_small(view, one)
            elif not self.settle(view):
                break
        told = self.ladder.postponed | self.ladder.unpaid.keys() | self.left_of(view).keys()
        for position in view.positions:
            if position.token_id not in told:
                rung = self.rehearsed.get(position.token_id, NOTHING)
                why = self.ladder.refused.get(position.token_id, "")
                self.trapped += trapped_in_position(view, position, rung, why)

    def is_small(self, view: ChainView, position: Position) -> bool:
        """Dust by the configuration's own word; anybody may mint that to the wallet."""
        least = self.config.strategy.min_position_quote
        return not self.request.everything and value_of(view, position) < least

    def left_of(self, view: ChainView) -> dict[int, Left]:
        """What was left in the pool, is there still, and is still as small."""
        small = {p.token_id for p in view.positions if self.is_small(view, p)}
        return {token_id: left for token_id, left in self.left.items() if token_id in small}

    def next_small(self, view: ChainView, small: list[Position]) -> Position | None:
        """The largest that may be worth its gas; the others are left."""
        least = gas_value(view, LEAST_GAS, self.legs.price)
        for position in by_value(small, view):
            if position.token_id in self.left:
                continue
            if self.ladder.unpaid:
                self.leave(view, position, LEAST_GAS, "the ether is for what is worth more")
            elif value_of(view, position) < least:
                self.leave(view, position, LEAST_GAS, WORTH_LESS)
            else:
                return position
        return None

    def take_small(self, view: ChainView, position: Position) -> None:
        """Take it out if it is worth its gas by the node's estimate. It never fails the exit."""
        choice = self.ladder.next((position,))
        if choice is None:
            self.leave(view, position, LEAST_GAS, "it was taken out and is there again")
            return
        rung, one = choice
        step = exit_step(rung, one, view, self.config)
        what = describe_exit(rung, one, view.market)
        try:
            done, outcome = self.legs.try_once(what, step, worth=value_of(view, position))
        except Transient as error:
            self.leave(view, position, self.legs.estimate, error.message)
            return
        if done == "done":
            self.ladder.passed(rung, one)
            if self.request.dry_run:
                self.rehearsed[position.token_id] = rung
        elif done != "again":
            reason = outcome.refusal.rule if outcome.refusal else ""
            why = WORTH_LESS if reason == NOT_WORTH else outcome.detail
            self.leave(view, position, self.legs.estimate, why)

    def leave(self, view: ChainView, position: Position, gas: int, why: str) -> None:
        """``gas`` is what taking it out needs, or the least that any needs."""
        used = max(gas * USED_PERCENT // 100, LEAST_GAS)
        self.left[position.token_id] = Left(
            where=position_name(position.token_id),
            token_id=position.token_id,
            worth=value_of(view, position),
            gas_cost=gas_value(view, used, self.legs.price),
            reason=why,
        )

    def climb(self, view: ChainView, rung: Rung, positions: tuple[Position, ...]) -> None:
        """Try one rung, and remember what came of it."""
        step = exit_step(rung, positions, view, self.config)
        what = describe_exit(rung, positions, view.market)
        try:
            done, outcome = self.legs.try_once(what, step, may_shrink=len(positions) > 1)
        except Fruitless as error:
            # The others may still get out; this one is for the next withdraw.
            self.ladder.postpone(positions)
            self.unfinished.append(f"{what}: {error.message}")
            return
        if done == "done":
            self.ladder.passed(rung, positions)
            if self.request.dry_run:
                self.rehearsed |= {position.token_id: rung for position in positions}
        elif done == "refused":
            self.ladder.failed(rung, positions, outcome.detail)
        elif done == "short":
            self.split(view, positions, outcome)

    def split(self, view: ChainView, positions: tuple[Position, ...], outcome: Outcome) -> None:
        """Less at once, or for less: sized by what the node estimated, halved where it did not."""
        gas, count = self.legs.estimate, len(positions)
        if outcome.refusal is not None and outcome.refusal.rule == GAS_LIMIT:
            most = TRANSACTION_GAS_CAP * 100 // LEAST_PERCENT
            if count == 1:  # nothing smaller to try; the others may still get out
                self.ladder.postpone(positions)
                self.unfinished.append(
                    f"{position_name(positions[0].token_id)}: {outcome.detail}; name another node"
                )
                return
            self.ladder.too_much(positions, count * most // gas if gas else count // 2)
        else:
            reserved = limit(gas, TIGHT_PERCENT)
            most = view.wallet.eth // self.legs.price if self.legs.price else 0
            self.ladder.too_dear(positions, count * most // reserved, reserved)

    def unpaid(self, view: ChainView) -> list[str]:
        """What stays in for want of ether, each position and the sum."""
        gas = {
            p.token_id: self.ladder.unpaid[p.token_id]
            for p in view.positions
            if p.token_id in self.ladder.unpaid
        }
        if not gas:
            return []
        price, symbol = self.legs.price, view.market.quote.symbol
        has = view.wallet.eth - self.legs.rehearsed_wei
        worth = {p.token_id: shown_value(view, p) for p in view.positions}
        lines = [
            f"position #{token_id}, worth {worth[token_id]} {symbol}, is still in the pool: it "
            f"needs {ether(each * price)} ({each} gas at {gwei(price)} gwei)"
            for token_id, each in gas.items()
        ]
        # What one uses is gone for the next; what the last one reserves has to be there as well.
        used = [each * USED_PERCENT // TIGHT_PERCENT for each in gas.values()]
        total = (sum(used) + max(g - u for g, u in zip(gas.values(), used, strict=True))) * price
        return [
            *lines,
            f"the wallet has {ether(has)}{' left' if self.request.dry_run else ''}, and all that "
            f"is left needs {ether(total)} at "
            f"{gwei(price)} gwei: send {ether(max(total - has, 0))} for gas to "
            f"{view.wallet.address}, or try again when gas costs less",
        ]

    def can_pay_now(self, view: ChainView) -> bool:
        """Whether the wallet pays for any position that there was no ether for; those are tried
        again."""
        payable = [
            token_id
            for token_id, gas in self.ladder.unpaid.items()
            if gas * self.legs.price <= view.wallet.eth
        ]
        for token_id in payable:
            del self.ladder.unpaid[token_id]
        return bool(payable)

    def settle(self, view: ChainView) -> bool:
        """Cancel what still waits to be mined. Returns whether another look is needed.

        An exit takes the lowest open nonce; this is for those behind it, and for a wallet that
        has nothing in the pool yet. What no journal knows of is replaced by nothing, sent to
        ourselves: in rescue the chain outbids whatever it finds.
        """
        waiting = [flight for flight in view.in_flight if not flight.mined]
        wallet = view.wallet
        if self.ladder.unpaid and any(flight.is_exit for flight in waiting):
            return False  # it offers all that the wallet has, and may still be mined
        if self.request.dry_run or (not waiting and wallet.pending_nonce <= wallet.nonce):
            return False
        self.settled += 1
        if not waiting:
            self.risen += wallet.pending_nonce > self.unknown_to >= 0
            self.unknown_to = wallet.pending_nonce
        if self.settled > MOST_SETTLED or self.risen > MOST_RISEN:
            raise Transient(
                "after each transaction that was replaced the node shows one more of this wallet: "
                "stop whatever sends with it, or ask another node, and run it again"
            )
        if waiting:
            flight = waiting[0]
            step: ChainStep = Settle(intent_id=flight.intent_id, action="cancel")
            self.legs.try_once(f"cancel {flight.step} at nonce {flight.nonce}", step)
        else:
            step = Transfer(token=None, to=wallet.address, amount=0)
            self.legs.try_once(f"replace the unknown transaction at nonce {wallet.nonce}", step)
        return True

    def convert(self) -> None:
        """Sell the base for quote: in smaller slices, and then at a lower price, as it must be."""
        self.sold = not self.request.dry_run
        view = self.legs.look()
        base, whole = base_in_wallet(view)
        if reason := why_not_sold(view):
            self.withheld.append(f"{base.symbol} is not sold: {reason}")
            return
        if self.request.dry_run:
            worst = f"never more than {SALE_BP[-1]} bp below {price_text(fair_price(view))}"
            self.legs.plan(
                "swap", f"sell all {base.symbol} for {view.market.quote.symbol}, {worst}"
            )
            return
        if whole and not self.allowed(view, base, whole):
            return
        for below_bp in SALE_BP:
            for most in slices(view, whole, self.config):
                if self.sell(most, below_bp):
                    return
        left = shown(base_in_wallet(self.legs.look())[1], base)
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
            done, outcome = self.legs.try_once(what, Approve(allowances=(allowance,)))
            if done == "refused":
                self.withheld.append(f"{base.symbol} is not sold: {outcome.detail}")
            if done != "again":
                return done == "done"
            self.legs.look()

    def sell(self, most: int, below_bp: Decimal) -> bool:
        """Sell slice after slice at one price. True when nothing is left that is worth a unit."""
        while True:
            view = self.legs.look()
            base, left = base_in_wallet(view)
            fair = fair_price(view)
            if left == 0:
                return True
            step = sale_step(view, min(left, most), below_bp)
            if step.amount_out_minimum == 0:
                return True
            sold = shown(step.amount_in, base)
            done, _ = self.legs.try_once(
                f"sell {sold}, at most {below_bp} bp below {price_text(fair)}", step
            )
            if done == "refused":
                return False

    def transfer(self, to: str) -> None:
        """Everything that the wallet holds of both tokens."""
        market = self.legs.look().market
        if self.request.dry_run:
            self.legs.plan(
                "transfer", f"send all {market.base.symbol} and {market.quote.symbol} to {to}"
            )
            return
        self.had = self.legs.holds(to)
        for token in (market.base, market.quote):
            for _ in range(MOST_TRANSFERS):
                if (amount := self.held(token.address)) == 0:
                    break
                step = Transfer(token=token.address, to=to, amount=amount)
                done, outcome = self.legs.try_once(f"send {shown(amount, token)} to {to}", step)
                if done == "refused":
                    self.withheld.append(
                        f"{shown(amount, token)} stays in the wallet: {outcome.detail}"
                    )
                    break

    def tell_what_is_there(self, view: ChainView) -> None:
        """What the sale and the transfers came to, as it is now, not as it was sent."""
        market, block = view.market, view.block.number
        units = (view.wallet.amount0, view.wallet.amount1)
        held = units if market.base_is_token0 else units[::-1]
        tokens = (market.base, market.quote)
        in_wallet = [shown(amount, token) for amount, token in zip(held, tokens, strict=True)]
        if self.sold and self.had is None:
            self.read_back.append(f"at block {block} the wallet holds {' and '.join(in_wallet)}")
        if self.had is None or self.request.to is None:
            return
        there = self.legs.holds(self.request.to)
        more = [now - before for now, before in zip(there, self.had, strict=True)]
        at_address, arrived = (
            " and ".join(
                shown(amount, token) for amount, token in zip(amounts, tokens, strict=True)
            )
            for amounts in (there, more)
        )
        self.read_back.append(
            f"at block {block} the wallet holds {' and '.join(in_wallet)}; {self.request.to} holds "
            f"{at_address}, {arrived} more than before"
        )
        stuck = {item.token for item in trapped_in_wallet(view)}
        for amount, token in zip(held, tokens, strict=True):
            told = token.symbol in stuck or any(token.symbol in line for line in self.withheld)
            if amount and not told:
                self.unfinished.append(f"{shown(amount, token)} is still in the wallet")

    def held(self, token: str) -> int:
        view = self.legs.look()
        wallet = view.wallet
        return wallet.amount0 if token == view.market.token0.address else wallet.amount1

    def prove(self) -> None:
        """No liquidity, nothing owed, nothing of ours still to be mined: seen, not inferred, at a
        block that is fresh, and by every node that answers."""
        for _ in range(MOST_PROOFS):
            view = self.await_depth()
            self.proof = proof = self.weigh(view)
            if self.request.dry_run:
                break
            if proof.denial is None:
                if not self.can_pay_now(view):
                    break
                self.take_out()  # the base fee has fallen meanwhile
                continue
            if proof.denial.behind:
                self.world.sleep(1)  # it will have the block in a moment
                continue
            self.legs.prefer(proof.denial.node)
            self.take_out()
        if proof.doubt:
            self.unfinished.append(proof.doubt)
        # What was refused may have come out meanwhile, as where a node was behind.
        there = {WALLET, *(position_name(position.token_id) for position in view.positions)}
        self.trapped = [item for item in self.trapped if item.where in there]
        self.unfinished += self.unpaid(view)
        self.tell_what_is_there(view)
        if self.request.dry_run:
            return
        left = self.left_of(view)
        silent = {position_name(token_id) for token_id in (*self.ladder.unpaid, *left)}
        explained = {item.where for item in self.trapped} | silent
        self.unfinished += unfinished_on(view, explained)
        if proof.denial is not None:
            self.unfinished.append(
                f"not every node agrees that nothing is left: {proof.denial.what}"
            )
        gone = all(position.token_id in left for position in view.positions)
        self.proved = gone and not self.unfinished

    def weigh(self, view: ChainView) -> Proof:
        nodes = self.legs.survey()
        return weigh(
            nodes,
            view,
            now=self.world.now(),
            most_seconds=self.config.guards.max_block_age_seconds,
            explained={item.where for item in self.trapped}
            | {item.where for item in self.left_of(view).values()},
        )

    def await_depth(self) -> ChainView:
        """A look when all of ours is deep enough to be final, or as deep as patience allows."""
        view = self.legs.look()
        seconds = 0 if self.request.dry_run else BLOCK_SECONDS * self.config.network.confirmations
        while view.in_flight and seconds > 0:
            self.world.sleep(1)
            seconds -= 1
            view = self.legs.look()
        return view

    def warn(self, line: str) -> None:
        self.warnings.append(line)
        self.world.warn(line)
