"""Signed bytes to the network: through a private relay where one is set, in public for exits that
the relay does not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dexmm.chain.receipts import receipt_request
from dexmm.chain.rpc import Request, Rpc, RpcError
from dexmm.errors import NodeError
from dexmm.model.intent import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A node refused a transaction and does not know it.

    ``certain`` is False when another node may have taken it.
    """

    message: str
    certain: bool


class Broadcaster:
    """Sends attempts, and finds out what a refusal means by looking rather than by its wording."""

    def __init__(self, rpc: Rpc, relay: Rpc | None) -> None:
        self._rpc = rpc
        self._relay = relay

    def send(
        self, attempts: Sequence[Attempt], *, is_exit: bool, public: bool = False
    ) -> list[Rejection | None]:
        """Broadcast in one request, in order. None: taken, or nobody knows, which is to be waited
        for. ``public`` passes the relay by: it had its chance."""
        if self._relay is None or public:
            channels = [self._rpc]
        else:
            channels = [self._relay, self._rpc] if is_exit else [self._relay]
        rejections: list[Rejection | None] = []
        for channel in channels:
            rejections = self._through(channel, attempts)
            if not any(rejections):
                return rejections
        return rejections

    def knows(self, attempt: Attempt) -> bool:
        """The node has it, waiting or in a block."""
        return self._known([attempt])[0]

    def _through(self, channel: Rpc, attempts: Sequence[Attempt]) -> list[Rejection | None]:
        raw = [attempt.raw_transaction for attempt in attempts]
        try:
            try:
                delivery = channel.send(raw)
            except NodeError:  # an idle connection may have died; the same bytes are harmless twice
                delivery = replace(channel.send(raw), certain=False)
        except NodeError as error:
            return [Rejection(message=error.message, certain=False) for _ in attempts]
        if not any(delivery.refusals):
            return [None for _ in attempts]
        # "Already known", "nonce too low" and the like are worded by each client in its own way:
        # what counts is whether the node has the transaction.
        try:
            known = self._known(attempts)
        except NodeError:
            return [None for _ in attempts]
        return [
            Rejection(message=refusal.message, certain=delivery.certain)
            if refusal is not None and not has
            else None
            for refusal, has in zip(delivery.refusals, known, strict=True)
        ]

    def _known(self, attempts: Sequence[Attempt]) -> list[bool]:
        requests: list[Request] = []
        for attempt in attempts:
            requests.append(("eth_getTransactionByHash", [attempt.tx_hash]))
            requests.append(receipt_request(attempt.tx_hash))
        answers = self._rpc.batch(requests)
        found = [a is not None and not isinstance(a, RpcError) for a in answers]
        return [found[2 * i] or found[2 * i + 1] for i in range(len(attempts))]
