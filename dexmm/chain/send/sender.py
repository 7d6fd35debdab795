"""A step, made to happen at most once: simulate, ask, store, broadcast, wait."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dexmm.chain.all_nodes import each
from dexmm.chain.observe.chain_view import Header
from dexmm.chain.observe.snapshot_reader import LATEST_BLOCK, parse_header
from dexmm.chain.rpc.abi import ALLOWANCE, APPROVE, Answer
from dexmm.chain.rpc.client import Request, Reverted, Rpc, RpcError, expect
from dexmm.chain.rpc.parsing import data, quantity
from dexmm.chain.rpc.refusals import About
from dexmm.chain.send import outcomes
from dexmm.chain.send.broadcast import Rejection
from dexmm.chain.send.calldata import Call, OneCall, approvals, call_of
from dexmm.chain.send.fees import (
    Fees,
    Limits,
    Offer,
    cap_wei,
    fitted,
    least_fee,
    limits_of,
    quote_fees,
    replacement_fees,
)
from dexmm.chain.send.simulation_result import simulated
from dexmm.chain.send.transactions import Draft, draft_of, highest_fees
from dexmm.chain.send.tx_manager import Heads, Landing, Pilot
from dexmm.config.schema import Config
from dexmm.errors import NodeError
from dexmm.model.decision import Refusal
from dexmm.model.intent import Intent, IntentLog, IntentStatus
from dexmm.model.market import Market
from dexmm.model.steps import (
    Approve,
    ChainStep,
    Outcome,
    Rerange,
    Settle,
    Simulation,
    Swap,
    Transfer,
)

Verdict = Callable[[Simulation], Refusal | None]

APPROVE_GAS = 120_000  # limit: twice what PAXG's proxy takes
APPROVE_GAS_EXPECTED = 60_000
APPROVE_GAS_LEAST = 75_000
MOST_GAS_POSITION = 340_000  # needed to take one out that alone has its ticks, in range
MOST_GAS_CALL = 300_000  # needed by a swap that crosses some ticks; a transfer needs less
MOST_ASKED = 4  # times, for an answer from the newest block
READ_ONLY = Refusal(rule="read_only", detail="this connection only reads: it has no key")
SETTLE_SECONDS = 15  # a little more than a block


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a transaction starts from: the newest block, and of the wallet its nonces and, for an
    exit, its wei."""

    header: Header
    nonce: int
    pending_nonce: int
    balance: int | None


class Sender:
    """Sends one wallet's steps.

    An exit never queues: it is simulated on the newest block and takes the first nonce that is
    not mined, from whatever waits there. In ``rescue`` every step is an exit.
    """

    def __init__(
        self,
        rpc: Rpc,
        pilot: Pilot | None,
        intents: IntentLog,
        market: Market,
        wallet: str,
        config: Config,
        clock: Callable[[], int],
        heads: Heads,
        *,
        rescue: bool,
    ) -> None:
        self._rpc = rpc
        self._pilot = pilot
        self._intents = intents
        self._market = market
        self._wallet = wallet
        self._config = config
        self._clock = clock
        self._heads = heads
        self._rescue = rescue

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        """Simulate ``step``, ask ``verdict``, make it happen and say what became of it.

        Raises ``Transient`` when no node answers before anything was sent.
        """
        match step:
            case Settle():
                return self._settle(step)
            case Approve():
                return self._approve(step, verdict)
            case _:
                return self._one_call(step, verdict)

    def _one_call(self, step: OneCall, verdict: Verdict) -> Outcome:
        call = call_of(step, self._market, self._wallet)
        is_exit = self._rescue or _leaves(step)
        block = "latest" if is_exit else "pending"
        fields = self._fields(call)
        answers, ground = self._at_head(
            [("eth_call", [fields, block]), ("eth_estimateGas", [fields, block])], is_exit=is_exit
        )
        if not is_exit and (obstacle := self._obstacle(step, ground)):
            return obstacle
        fees = self._fees(ground, is_exit=is_exit)
        if isinstance(fees, Refusal):
            return outcomes.refused(step, fees)
        for answer in answers[:2]:
            if isinstance(answer, Reverted):
                return outcomes.failed(step, f"the simulation reverted: {answer.reason}")
        result = simulated(step, data(expect(answers[0]), "the simulation"))
        estimate = answers[1]
        if _above_every_limit(estimate):
            estimate = self._estimated_elsewhere(estimate, ("eth_estimateGas", [fields, block]))
        if refusal := _above_every_limit(estimate):
            return outcomes.refused(step, refusal)
        if is_exit and isinstance(estimate, RpcError) and estimate.about is About.UNABLE:
            gas = _unestimated(step)  # the simulation has passed: getting out does not end here
        else:
            gas = quantity(expect(estimate), "the gas estimate")
        refusal = verdict(
            Simulation(
                step=step,
                collected0=result.collected0,
                collected1=result.collected1,
                minted=result.minted,
                gas=gas,
                max_fee_per_gas=fees.max_fee_per_gas,
            )
        )
        if refusal is not None:
            return outcomes.refused(step, refusal)
        limits = limits_of(gas, tight=_is_cheapest(step))
        if isinstance(limits, Refusal):
            return outcomes.refused(step, limits)
        offer = self._offer(limits, fees, ground, call.value)
        if isinstance(offer, Refusal):
            return outcomes.refused(step, offer)
        draft = self._draft(call, ground.nonce, offer.gas)
        return self._launch(step, [draft], offer.fees, ground, is_exit)

    def _estimated_elsewhere(self, refused: Any, request: Request) -> Any:
        """The cap of what a node estimates is its own: what another one says, or the refusal."""
        others = self._rpc.nodes(current_first=True)[1:]
        found = each(others, lambda node: node.batch([request])[0])
        return next((answer for answer in found if isinstance(answer, str)), refused)

    def _approve(self, step: Approve, verdict: Verdict) -> Outcome:
        """All allowances at consecutive nonces, in one broadcast."""
        answers, ground = self._at_head(self._approval_reads(step), is_exit=self._rescue)
        if not self._rescue and (obstacle := self._obstacle(step, ground)):
            return obstacle
        fees = self._fees(ground, is_exit=self._rescue)
        if isinstance(fees, Refusal):
            return outcomes.refused(step, fees)
        calls: list[Call] = []
        for i, allowance in enumerate(step.allowances):
            if isinstance(answers[2 * i + 1], Reverted):
                reason = answers[2 * i + 1].reason
                return outcomes.failed(step, f"{allowance.token} refuses approvals: {reason}")
            expect(answers[2 * i + 1])
            current = Answer(data(expect(answers[2 * i]), "an allowance"), "an allowance").uint(0)
            calls += approvals(allowance, current)
        if not calls:
            return Outcome(step=step.kind, status="skipped", detail="every allowance is set")
        simulation = Simulation(
            step=step,
            gas=APPROVE_GAS_EXPECTED * len(calls),
            max_fee_per_gas=fees.max_fee_per_gas,
        )
        if (refusal := verdict(simulation)) is not None:
            return outcomes.refused(step, refusal)
        least = APPROVE_GAS_LEAST * len(calls)
        limits = Limits(wanted=APPROVE_GAS * len(calls), least=least, tight=least)
        offer = self._offer(limits, fees, ground, 0)
        if isinstance(offer, Refusal):
            return outcomes.refused(step, offer)
        each = offer.gas // len(calls)
        drafts = [self._draft(c, ground.nonce + i, each) for i, c in enumerate(calls)]
        return self._launch(step, drafts, offer.fees, ground, self._rescue)

    def _approval_reads(self, step: Approve) -> list[Request]:
        """Each allowance as it is, and whether the token lets it be changed at all."""
        return [
            ("eth_call", [self._fields(Call(to=a.token, data=calldata)), "latest"])
            for a in step.allowances
            for calldata in (ALLOWANCE(self._wallet, a.spender), APPROVE(a.spender, 0))
        ]

    def _launch(
        self, step: OneCall | Approve, drafts: Sequence[Draft], fees: Fees, ground: Ground,
        is_exit: bool,
    ) -> Outcome:  # fmt: skip
        """Store all, broadcast all in one request, wait for all."""
        pilot = self._pilot
        if pilot is None:
            return outcomes.refused(step, READ_ONLY)
        intents = [
            pilot.add_attempt(
                self._intent(step.kind, draft.nonce, is_exit), draft, fees, ground.header.number
            )
            for draft in drafts
        ]
        rejections = pilot.broadcast(intents)
        first = rejections[0]
        if is_exit and first is not None and ground.pending_nonce > ground.nonce:
            intents[0], rejections[0] = self._escalate(pilot, intents[0], first, ground)
        taken = list(intents)
        for i, rejection in enumerate(rejections):
            if rejection is not None and rejection.certain:
                # Those behind it wait for a nonce that will not come from us.
                for intent in intents[i:]:
                    pilot.close(intent)
                taken = intents[:i]
                break
        if not taken:
            reason = next(r.message for r in rejections if r is not None)
            return outcomes.failed(step, f"the transaction was not taken: {reason}")
        landing = pilot.wait(
            taken,
            seconds=self._config.loop.receipt_timeout_seconds,
            deadline=step.deadline if isinstance(step, Rerange | Swap) else None,
        )
        outcome = outcomes.landed(step, landing, self._market, self._wallet)
        if len(taken) < len(intents) and outcome.status == "mined":
            return outcomes.failed(step, "not every transaction of the step was taken")
        return outcome

    def _escalate(
        self, pilot: Pilot, intent: Intent, refused: Rejection, ground: Ground
    ) -> tuple[Intent, Rejection | None]:
        """Outbid a transaction that waits at our nonce for a price nobody told us.

        Returns the intent with its further attempts, and the last refusal if all were refused.
        """
        cap = cap_wei(self._config.gas, is_exit=True)
        draft = draft_of(intent.attempts[0])
        if ground.balance is not None:
            cap = min(cap, (ground.balance - draft.call.value) // draft.gas)
        rejection: Rejection | None = refused
        while rejection is not None and rejection.certain:
            offered = highest_fees(intent.attempts)
            fees = Fees(
                min(2 * offered.max_fee_per_gas, cap),
                min(2 * max(offered.max_priority_fee_per_gas, 1), cap),
            )
            if fees == offered:
                break
            intent = pilot.add_attempt(intent, draft, fees, ground.header.number)
            rejection = pilot.broadcast([intent])[0]
        return intent, rejection

    def _settle(self, step: Settle) -> Outcome:
        pilot = self._pilot
        if pilot is None:
            return outcomes.refused(step, READ_ONLY)
        open_intents = self._intents.open_intents(self._wallet, self._config.network.chain_id)
        intent = next((i for i in open_intents if i.id == step.intent_id), None)
        if intent is None:
            return Outcome(step=step.kind, status="skipped", detail="nothing waits any more")
        polled = pilot.poll([intent])
        intent = pilot.update(intent, polled)
        if intent.status is not IntentStatus.OPEN:
            landing = Landing(intents=(intent,), receipts=polled.receipts)
            return outcomes.landed(step, landing, self._market, self._wallet)
        seconds = min(SETTLE_SECONDS, self._config.loop.receipt_timeout_seconds)
        waits = step.action == "wait" or intent.nonce < polled.nonce
        if waits:
            pilot.resend(intent, intent.attempts[-1].tx_hash)
        else:
            cancel = step.action == "cancel" or not pilot.would_succeed(intent)
            bumped = pilot.bump(intent, polled.header, cancel=cancel)
            if isinstance(bumped, Refusal):
                return outcomes.refused(step, bumped)
            intent = bumped
            seconds = self._config.loop.receipt_timeout_seconds
        landing = pilot.wait([intent], seconds=seconds, steering=not waits)
        return outcomes.landed(step, landing, self._market, self._wallet)

    def _fees(self, ground: Ground, *, is_exit: bool) -> Fees | Refusal:
        """For an exit, enough to replace what we know to wait at the nonce."""
        base_fee, gas = ground.header.base_fee_wei, self._config.gas
        if stuck := self._stuck(ground):
            return replacement_fees(stuck, base_fee, gas, is_exit=is_exit)
        return quote_fees(base_fee, gas, is_exit=is_exit)

    def _offer(self, limits: Limits, fees: Fees, ground: Ground, value: int) -> Offer | Refusal:
        """For an exit, what the wallet pays for; for the rest what is wanted, as it is."""
        if ground.balance is None:
            return Offer(limits.wanted, fees)
        least = least_fee(ground.header.base_fee_wei, self._config.gas, self._stuck(ground))
        return fitted(limits, fees, least, ground.balance - value, self._wallet)

    def _stuck(self, ground: Ground) -> Fees | None:
        """The most that any transaction of ours offers that waits at the nonce."""
        stuck = [a for i in self._waiting() if i.nonce == ground.nonce for a in i.attempts]
        return highest_fees(tuple(stuck)) if stuck else None

    def _obstacle(self, step: OneCall | Approve, ground: Ground) -> Outcome | None:
        """Nothing but an exit is sent while anything of this wallet waits."""
        if waiting := [i for i in self._waiting() if i.nonce >= ground.nonce]:
            return outcomes.failed(
                step, f"our own transaction at nonce {waiting[0].nonce} still waits: settle it"
            )
        if ground.pending_nonce > ground.nonce:
            return outcomes.failed(
                step,
                f"a transaction that is not ours waits at nonce {ground.nonce}: is the wallet "
                "used elsewhere?",
            )
        return None

    def _waiting(self) -> list[Intent]:
        stored = self._intents.open_intents(self._wallet, self._config.network.chain_id)
        return [intent for intent in stored if intent.status is IntentStatus.OPEN]

    def _at_head(self, requests: Sequence[Request], *, is_exit: bool) -> tuple[list[Any], Ground]:
        """The answers, and the ground, from a node that has come to the newest block that is known.

        What a late one simulates and counts is of before our last transaction. Several machines
        may stand behind one address, so that the same one is worth asking again.
        """
        asked = [*requests, *self._asked(is_exit)]
        for _ in range(MOST_ASKED):
            answers = self._rpc.batch(asked)
            ground = self._ground(answers[len(requests) :])
            if ground.header.number >= self._heads.newest:
                return answers, ground
            self._rpc.turn_away()
        raise NodeError(
            f"block {self._heads.newest} is there and no node that answers has it: the newest is "
            f"{ground.header.number}"
        )

    def _asked(self, is_exit: bool) -> list[Request]:
        """An exit is fitted to the ether that is there; what earns has its guards."""
        balance: list[Request] = [("eth_getBalance", [self._wallet, "latest"])]
        return [
            LATEST_BLOCK,
            ("eth_getTransactionCount", [self._wallet, "latest"]),
            ("eth_getTransactionCount", [self._wallet, "pending"]),
            *(balance if is_exit else []),
        ]

    def _ground(self, answers: Sequence[Any]) -> Ground:
        return Ground(
            header=parse_header(answers[0]),
            nonce=quantity(expect(answers[1]), "the nonce"),
            pending_nonce=quantity(expect(answers[2]), "the pending nonce"),
            balance=_balance(answers[3]) if len(answers) > 3 else None,
        )

    def _fields(self, call: Call) -> dict[str, str]:
        return {
            "from": self._wallet,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "value": hex(call.value),
        }

    def _draft(self, call: Call, nonce: int, gas: int) -> Draft:
        return Draft(chain_id=self._config.network.chain_id, nonce=nonce, gas=gas, call=call)

    def _intent(self, kind: str, nonce: int, is_exit: bool) -> Intent:
        return Intent(
            id=uuid.uuid4().hex,
            wallet=self._wallet,
            chain_id=self._config.network.chain_id,
            nonce=nonce,
            step=kind,
            is_exit=is_exit,
            created_at=self._clock(),
            attempts=(),
        )


def _balance(answer: Any) -> int | None:
    """None where no node tells: an exit then offers what is wanted, as it is."""
    if isinstance(answer, RpcError) and answer.about is About.UNABLE:
        return None
    return quantity(expect(answer), "the balance")


def _leaves(step: OneCall) -> bool:
    """Takes value out of the market and puts none in."""
    return isinstance(step, Transfer) or (isinstance(step, Rerange) and not step.mints)


def _is_cheapest(step: OneCall) -> bool:
    """Nothing cheaper leads to the same end: no NFT is burned on the way out."""
    if not isinstance(step, Rerange):
        return False
    return not step.mints and not any(removal.burn for removal in step.removals)


def _unestimated(step: OneCall) -> int:
    """What an exit needs at most, where no node estimates."""
    return MOST_GAS_POSITION * len(step.removals) if isinstance(step, Rerange) else MOST_GAS_CALL


def _above_every_limit(answer: object) -> Refusal | None:
    """What a node that holds estimates to the cap of a transaction says of one above it."""
    if not isinstance(answer, RpcError) or isinstance(answer, Reverted) or answer.of_node:
        return None
    said = answer.message.lower()
    if "gas required exceeds" in said or "gas limit" in said or "out of gas" in said:
        return Refusal(rule="gas_limit", detail=f"it needs too much gas: {answer.message}")
    return None
