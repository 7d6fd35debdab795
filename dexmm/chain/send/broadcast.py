"""Signed bytes to the network: to every node, or through a private relay where one is set, and in
public too for exits that the relay does not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dexmm.chain.all_nodes import each
from dexmm.chain.rpc.client import Request, Rpc, RpcError
from dexmm.chain.rpc.receipts import receipt_request
from dexmm.errors import NodeError
from dexmm.model.intent import Attempt
from dexmm.model.nodes import NodeFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Every node that answered refused a transaction, and none of them knows it.

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

    def is_everywhere(self, attempt: Attempt) -> bool:
        """Every node that answers has it, waiting or in a block. Raises ``NodeError`` when none
        answers."""
        return all(known[0] for known in self._known([attempt]))

    def _through(self, channel: Rpc, attempts: Sequence[Attempt]) -> list[Rejection | None]:
        raw = [attempt.raw_transaction for attempt in attempts]
        try:
            try:
                delivery = channel.send(raw)
            except NodeError:  # an idle connection may have died; the same bytes are harmless twice
                if channel.late:
                    raise  # its time is over: waiting for it as long again delays an exit
                delivery = replace(channel.send(raw), certain=False)
        except NodeError as error:
            return [Rejection(message=error.message, certain=False) for _ in attempts]
        if not any(delivery.refusals):
            return [None for _ in attempts]
        # "Already known", "nonce too low" and the like are worded by each client in its own way:
        # what counts is whether any node has the transaction.
        try:
            known = [any(told) for told in zip(*self._known(attempts), strict=True)]
        except NodeError:
            return [None for _ in attempts]
        return [
            Rejection(message=refusal.message, certain=delivery.certain)
            if refusal is not None and not has
            else None
            for refusal, has in zip(delivery.refusals, known, strict=True)
        ]

    def _known(self, attempts: Sequence[Attempt]) -> list[list[bool]]:
        """For each node that answers, which of the transactions it has."""
        requests: list[Request] = []
        for attempt in attempts:
            requests.append(("eth_getTransactionByHash", [attempt.tx_hash]))
            requests.append(receipt_request(attempt.tx_hash))
        told: list[list[bool]] = []
        failures: list[str] = []
        for answers in each(self._rpc.nodes(), lambda node: node.batch(requests)):
            if isinstance(answers, NodeFailure):
                failures.append(answers.reason)
                continue
            found = [a is not None and not isinstance(a, RpcError) for a in answers]
            told.append([found[2 * i] or found[2 * i + 1] for i in range(len(attempts))])
        if not told:
            raise NodeError("; ".join(dict.fromkeys(failures)))
        return told
