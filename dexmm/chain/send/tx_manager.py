"""Keeps our own transactions moving until they land: receipts, replacement, cancellation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

from dexmm.chain.all_nodes import each
from dexmm.chain.observe.chain_view import Header
from dexmm.chain.observe.snapshot_reader import LATEST_BLOCK, parse_header
from dexmm.chain.rpc.client import Request, Reverted, Rpc, RpcError, expect
from dexmm.chain.rpc.parsing import quantity
from dexmm.chain.rpc.receipts import parse_receipt, receipt_request
from dexmm.chain.send.broadcast import Broadcaster, Rejection
from dexmm.chain.send.fees import Fees, affordable, replacement_fees
from dexmm.chain.send.intent_status import Receipts, hashes, judged
from dexmm.chain.send.keys import Key
from dexmm.chain.send.transactions import Draft, cancellation, draft_of, highest_fees, sign
from dexmm.config.schema import Config
from dexmm.errors import Halt, NodeError
from dexmm.model.decision import Refusal
from dexmm.model.intent import Intent, IntentLog, IntentStatus
from dexmm.model.nodes import NodeFailure

FIRST_PAUSE = 0.01  # between looks at receipts, seconds; each pause is twice the one before
LONGEST_PAUSE = 2.0
RESEND_SECONDS = 15  # without a receipt, a little more than a block: some node may have lost it
PASSED_BY = 5  # looks in a row at which our nonce is mined and no receipt is ours


@dataclass(slots=True)
class Heads:
    """What is known of the chain from any of its nodes: the newest block that one has shown."""

    newest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """One look at how our transactions fare."""

    header: Header
    nonce: int
    receipts: Receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """Where the intents stand when waiting ended. ``ended`` says why while some are open."""

    intents: tuple[Intent, ...]
    receipts: Receipts
    ended: str = ""

    @property
    def open(self) -> bool:
        return any(intent.status is IntentStatus.OPEN for intent in self.intents)


class Pilot:
    """Acts on intents of one wallet. Every attempt is stored before it is broadcast."""

    def __init__(
        self,
        rpc: Rpc,
        broadcaster: Broadcaster,
        intents: IntentLog,
        key: Key,
        config: Config,
        clock: Callable[[], int],
        stop: Callable[[], str],
        heads: Heads,
    ) -> None:
        self._rpc = rpc
        self._broadcaster = broadcaster
        self._intents = intents
        self._key = key
        self._config = config
        self._clock = clock
        self._stop = stop
        self._heads = heads

    def add_attempt(self, intent: Intent, draft: Draft, fees: Fees, head: int) -> Intent:
        """Sign one more attempt and store it, durably; nothing is sent yet."""
        attempt = sign(draft, fees, self._key, created_at=self._clock(), block=head)
        intent = intent.with_attempt(attempt)
        self._intents.save(intent)
        return intent

    def broadcast(
        self, intents: Sequence[Intent], *, public: bool = False
    ) -> list[Rejection | None]:
        """Send the newest attempt of each, in one request."""
        return self._broadcaster.send(
            [intent.attempts[-1] for intent in intents],
            is_exit=all(intent.is_exit for intent in intents),
            public=public,
        )

    def close(self, intent: Intent) -> Intent:
        """An intent that no node took: the next transaction takes its nonce."""
        intent = replace(intent, status=IntentStatus.SUPERSEDED)
        self._intents.save(intent)
        return intent

    def resend(self, intent: Intent, tx_hash: str) -> None:
        """Broadcast an attempt's very same bytes again, if any node does not have them."""
        attempt = next(a for a in intent.attempts if a.tx_hash == tx_hash)
        if not self._broadcaster.is_everywhere(attempt):
            self._broadcaster.send([attempt], is_exit=intent.is_exit)

    def bump(self, intent: Intent, header: Header, *, cancel: bool) -> Intent | Refusal:
        """Replace what waits at the intent's nonce: the same transaction for more, or an empty one.

        A cancellation protects, so its fee is capped as an exit's is. What the wallet cannot pay
        for is not offered: ``gas_money`` when that is the bump alone.
        """
        kept = next((a for a in reversed(intent.attempts) if not a.cancels), None)
        draft = cancellation(intent) if cancel or kept is None else draft_of(kept)
        stuck = highest_fees(intent.attempts)
        fees = replacement_fees(
            stuck, header.base_fee_wei, self._config.gas, is_exit=intent.is_exit or cancel
        )
        if isinstance(fees, Fees):
            (answer,) = self._rpc.batch([("eth_getBalance", [intent.wallet, "latest"])])
            balance = quantity(expect(answer), "the balance") - draft.call.value
            fees = affordable(fees, stuck, draft.gas, balance, intent.wallet)
        if isinstance(fees, Refusal):
            return fees
        intent = self.add_attempt(intent, draft, fees, header.number)
        self.broadcast([intent], public=intent.is_exit)
        return intent

    def would_succeed(self, intent: Intent) -> bool:
        """What the intent means to do would not revert on the newest block."""
        kept = next((a for a in reversed(intent.attempts) if not a.cancels), None)
        if kept is None:
            return False
        call = draft_of(kept).call
        fields = {"from": intent.wallet, "to": call.to, "data": "0x" + call.data.hex()}
        answer = self._rpc.batch([("eth_call", [{**fields, "value": hex(call.value)}, "latest"])])
        return not isinstance(answer[0], Reverted)

    def poll(self, intents: Sequence[Intent], node: Rpc | None = None) -> Polled:
        """One request: the newest block, the nonce, every receipt, as one node tells them; the
        current one when none is named."""
        wanted = hashes(*intents)
        answers = (node or self._rpc).batch(
            [
                LATEST_BLOCK,
                ("eth_getTransactionCount", [self._key.address, "latest"]),
                *(receipt_request(tx_hash) for tx_hash in wanted),
            ]
        )
        header = parse_header(answers[0])
        self._heads.newest = max(self._heads.newest, header.number)
        return Polled(
            header=header,
            nonce=quantity(expect(answers[1]), "the nonce"),
            receipts={h: parse_receipt(a, h) for h, a in zip(wanted, answers[2:], strict=True)},
        )

    def poll_each(self, intents: Sequence[Intent]) -> Polled:
        """As ``poll``, of every node. Raises ``NodeError`` when none answers."""
        found = each(self._rpc.nodes(), lambda node: self.poll(intents, node))
        polled = [answer for answer in found if isinstance(answer, Polled)]
        if not polled:
            reasons = [answer.reason for answer in found if isinstance(answer, NodeFailure)]
            raise NodeError("; ".join(dict.fromkeys(reasons)))
        return reduce(merged, polled)

    def update(self, intent: Intent, polled: Polled) -> Intent:
        """The intent as it now stands, stored when it changed."""
        confirmations = self._config.network.confirmations
        now = judged(intent, polled.receipts, polled.header.number, confirmations)
        if now.status is IntentStatus.OPEN and is_superseded(
            self._rpc, now, polled.nonce, polled.header.number, confirmations
        ):
            now = replace(now, status=IntentStatus.SUPERSEDED)
        if now != intent:
            self._intents.save(now)
        return now

    def wait(
        self,
        intents: Sequence[Intent],
        *,
        seconds: float,
        deadline: int | None = None,
        steering: bool = True,
    ) -> Landing:
        """Until all have landed, ``seconds`` have passed or a stop is asked for.

        While ``steering``, what waits too long is replaced, and cancelled once its ``deadline``
        (block time) has passed. The intents stay open when waiting ends early.
        """
        began = time.monotonic()
        until, resend_at = began + seconds, began + RESEND_SECONDS
        pause, passed_by = FIRST_PAUSE, 0
        current = tuple(intents)
        told = _Teller(self._rpc)
        polled: Polled | None = None
        while True:
            # No node may answer for a while: what was sent may land meanwhile, so waiting goes on.
            with contextlib.suppress(NodeError):
                if passed_by == PASSED_BY - 1:  # every node, before it is called lost
                    now = self.poll_each(current)
                else:
                    now = told.poll(partial(self.poll, current), everywhere=pause >= LONGEST_PAUSE)
                polled = now if polled is None else merged(polled, now)
                current = tuple(self.update(intent, polled) for intent in current)
                still = [i for i in current if i.status is IntentStatus.OPEN]
                if not still:
                    return Landing(intents=current, receipts=polled.receipts)
                nonce = polled.nonce
                passed_by = passed_by + 1 if all(i.nonce < nonce for i in still) else 0
                if passed_by == PASSED_BY:
                    ended = f"another transaction was mined at nonce {still[0].nonce}"
                    return Landing(intents=current, receipts=polled.receipts, ended=ended)
                if steering and not self._stop():
                    current = tuple(self._steer(i, polled, deadline) for i in current)
                if time.monotonic() >= resend_at:
                    resend_at += RESEND_SECONDS
                    self._resend_lost([i for i in current if i.nonce >= nonce])
            if ended := self._ended(until, seconds):
                receipts = {} if polled is None else polled.receipts
                return Landing(intents=current, receipts=receipts, ended=ended)
            time.sleep(min(pause, max(until - time.monotonic(), 0)))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _resend_lost(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            if intent.status is IntentStatus.OPEN:
                self.resend(intent, intent.attempts[-1].tx_hash)

    def _ended(self, until: float, seconds: float) -> str:
        if reason := self._stop():
            return f"stopped while it waited for its receipt: {reason}"
        return f"no receipt within {seconds:g} seconds" if time.monotonic() >= until else ""

    def _steer(self, intent: Intent, polled: Polled, deadline: int | None) -> Intent:
        if intent.status is not IntentStatus.OPEN or intent.nonce < polled.nonce:
            return intent
        gas, newest, header = self._config.gas, intent.attempts[-1], polled.header
        late = deadline is not None and header.timestamp > deadline
        if late and intent.is_exit:
            return intent  # the caller plans the exit anew at the same nonce
        stale = late or header.number - intent.attempts[0].block >= gas.cancel_after_blocks
        cancel = newest.cancels or (stale and not intent.is_exit)
        waited = header.number - newest.block >= gas.replace_after_blocks
        if not waited and not (late and not newest.cancels):
            return intent
        if not cancel and not intent.is_exit:
            cancel = not self.would_succeed(intent)
        bumped = self.bump(intent, header, cancel=cancel)
        return intent if isinstance(bumped, Refusal) else bumped


class _Teller:
    """Whom to ask for receipts: the current node, and, when that takes long, every node in turn,
    because some learn of a block late or never. Those that fail are left out from then on, those
    that are not answering at all from the beginning."""

    def __init__(self, rpc: Rpc) -> None:
        nodes = rpc.nodes() if rpc.alternatives else ()
        self._nodes = [node for node in nodes if not node.late]

    def poll(self, poll: Callable[..., Polled], *, everywhere: bool) -> Polled:
        if not everywhere or not self._nodes:
            return poll()
        node = self._nodes.pop(0)
        try:
            polled = poll(node=node)
        except Halt as halt:
            raise NodeError(halt.message) from None
        self._nodes.append(node)
        return polled


def merged(before: Polled, now: Polled) -> Polled:
    """Two looks, perhaps through two nodes: the newer block, and every receipt that was seen."""
    newer = now if now.header.number >= before.header.number else before
    seen = {tx_hash: receipt for tx_hash, receipt in now.receipts.items() if receipt is not None}
    return Polled(
        header=newer.header,
        nonce=max(before.nonce, now.nonce),
        receipts={**now.receipts, **before.receipts, **seen},
    )


def is_superseded(rpc: Rpc, intent: Intent, nonce: int, head: int, confirmations: int) -> bool:
    """Some other transaction took the intent's nonce, and is deep enough to stay.

    Looks a second time, at every node, before it says so, because nodes learn of nonces before
    receipts, and not all at once. Raises ``NodeError`` when that look fails.
    """
    # The nonce was free when the first attempt was signed, so what took it came later.
    if nonce <= intent.nonce or head - intent.attempts[0].block <= confirmations:
        return False
    depth = hex(max(head - confirmations, 0))
    wanted = hashes(intent)
    requests: list[Request] = [("eth_getTransactionCount", [intent.wallet, depth])]
    requests += [receipt_request(tx_hash) for tx_hash in wanted]

    def look(node: Rpc) -> bool | None:
        """None: it cannot tell."""
        answers = node.batch(requests)
        if any(parse_receipt(a, h) for h, a in zip(wanted, answers[1:], strict=True)):
            return False
        if isinstance(answers[0], RpcError):
            return None  # a node without history; a later look will
        return quantity(answers[0], "a nonce") > intent.nonce

    found = each(rpc.nodes(), look)
    if all(isinstance(answer, NodeFailure) for answer in found):
        raise NodeError("; ".join(a.reason for a in found if isinstance(a, NodeFailure)))
    told = [answer for answer in found if isinstance(answer, bool)]
    return bool(told) and all(told)
