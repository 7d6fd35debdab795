"""The edge to Ethereum nodes: JSON-RPC over web3's HTTP sessions, and nothing else of web3.

web3's own path adds two ``eth_chainId`` requests to a call, formats every field of an answer and
retries by itself. Here one call of ``call`` or ``batch`` is one HTTP request where the node takes
it as one; errors are parsed once, into

    NodeError         unreachable, too slow, an HTTP error, no JSON, or an answer that cannot be
      RpcError        the node understood and refused: ``code``, ``message``, ``data``, ``about``
        Reverted      the contract refused: ``reason``

A URL holds an API key in its path, query or user part: messages name ``scheme://host:port`` alone.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dexmm.chain.parallel import Failure, side_by_side
from dexmm.chain.rpc.endpoint import Endpoint
from dexmm.chain.rpc.refusals import (
    About,
    Reverted,
    RpcError,
    Unanswered,
    Unreached,
    fits,
    retry_after,
    rpc_error,
)
from dexmm.errors import BadInput, Halt, NodeError, Transient

__all__ = [
    "Delivery",
    "Endpoint",
    "Request",
    "Reverted",
    "Rpc",
    "RpcError",
    "Unreached",
    "expect",
]

Request = tuple[str, Sequence[Any]]
T = TypeVar("T")

READ_ROUNDS = 3  # times every URL is tried before a read is given up
LONE_ROUNDS = 2  # the same of a node that is asked by itself
SLOW_ROUNDS = 2  # times that one read waits for an only node until its time is over
FIRST_PAUSE = 0.1  # between rounds, seconds; each pause is twice the one before
LONGEST_PAUSE = 2.0
LONGEST_WAIT = 5.0  # seconds, of what a node asks for with Retry-After
INVALID_PARAMS = -32602
OTHERS_SECONDS = 1.0  # for the other nodes to take what the first one has taken

log = logging.getLogger("dexmm.chain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a broadcast: for each transaction, a node's refusal, or None where any took
    it.

    ``certain`` is False when some node may hold the bytes although it did not say so: it broke off
    while they were sent.
    """

    refusals: tuple[RpcError | None, ...]
    certain: bool


class Rpc:
    """JSON-RPC to the first of several nodes that answers.

    Reads go to the current node and move on to the next when it fails, or refuses for a reason of
    its own, with short pauses between rounds; the one that answers stays current. ``send`` goes
    to every node once, since the same signed bytes are harmless twice.

    A node that takes fewer requests in a batch, or does not know the ``pending`` block, is asked
    in smaller batches, or for ``latest``, from then on.
    """

    def __init__(
        self, urls: Iterable[str], timeout_seconds: float = 10, proxy: str | None = None
    ) -> None:
        """``proxy`` is ``network.proxy``. Raises ``BadInput`` for a URL or proxy that is none."""
        self._endpoints = [Endpoint(url, timeout_seconds, proxy) for url in urls]
        if not self._endpoints:
            raise BadInput("network.rpc_urls is empty: name at least one node")
        self._configured = tuple(self._endpoints)
        self._several = len(self._endpoints) > 1
        for endpoint in self._endpoints:
            endpoint.beside = tuple(each for each in self._endpoints if each is not endpoint)
        self._seconds = timeout_seconds
        self._ids = itertools.count(1)
        self.rounds = READ_ROUNDS
        self._identity: Callable[[Rpc], None] | None = None

    def __repr__(self) -> str:
        return f"Rpc({', '.join(endpoint.name for endpoint in self._endpoints)})"

    @property
    def name(self) -> str:
        """The current node, without anything secret."""
        return self._endpoints[0].name

    @property
    def alternatives(self) -> int:
        """How many other nodes there are."""
        return len(self._endpoints) - 1

    def whole(self, requests: int) -> bool:
        """The current node takes so many requests in one batch, for all that is known."""
        most = self._endpoints[0].most
        return most is None or requests <= most

    def nodes(self, *, current_first: bool = False) -> tuple[Rpc, ...]:
        """Each configured node by itself, in the configured order or with the current one first.

        They share connections and what is known of a node's limits with this one. What is current
        here does not matter to them, nor the other way round; reads are tried twice, because an
        idle connection may have died.
        """
        endpoints = self._endpoints if current_first else self._configured
        return tuple(self._alone(endpoint) for endpoint in endpoints)

    def turn_away(self) -> None:
        """Make the next node current: this one answered nonsense."""
        self._endpoints.append(self._endpoints.pop(0))

    def prefer(self, node: Rpc) -> None:
        """Make ``node``, one of ``nodes()``, current; the order of the others stays."""
        endpoint = node._endpoints[0]
        self._endpoints.remove(endpoint)
        self._endpoints.insert(0, endpoint)

    def stand_beside(self, other: Rpc) -> None:
        """``other`` can do what this does: a node here that is silent is waited for only shortly
        while one of its nodes answers."""
        for endpoint in self._configured:
            endpoint.beside = (*endpoint.beside, *other._configured)

    @property
    def late(self) -> bool:
        """The current node did not answer in time, or keeps a question waiting."""
        return self._endpoints[0].late

    def current(self) -> Rpc:
        """The current node by itself."""
        return self._alone(self._endpoints[0])

    def require(self, identity: Callable[[Rpc], None]) -> None:
        """Ask ``identity`` of each node before it is first used, and again after it was down.

        It is given the node by itself and raises ``Halt`` for one of another network, which is
        then named in the log and not used. That ``Halt`` is raised when no other node answers and
        none has been found to be of the right network before.
        """
        self._identity = identity
        for endpoint in self._configured:
            endpoint.trusted = False

    def distrust(self, reason: str) -> None:
        """The current node turned out to be of another network: name it, and ask others first."""
        self._disown(self._endpoints[0], reason)
        self.turn_away()

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request's result. Raises ``NodeError``, ``RpcError``, ``Reverted``."""
        return expect(self.batch([(method, params)])[0])

    def batch(self, calls: Sequence[Request]) -> list[Any]:
        """Several reads, in one HTTP request where the node takes them as one; results in order.

        A call that the node refused is an ``RpcError`` *in its place*; ``expect`` raises it. One
        that is refused for a reason of the node is asked of the others first. Raises ``NodeError``
        when no node answers, ``Halt`` when those that do are of another network.
        """
        return _Reading(calls).run(self)

    def first(self, ask: Callable[[Endpoint], T]) -> T:
        """What ``ask`` makes of the first node for which it raises no ``NodeError``, asked of each
        once."""
        failed: list[NodeError] = []
        for _ in range(len(self._endpoints)):
            try:
                return ask(self._trusted(self._endpoints[0]))
            except NodeError as error:
                failed.append(error)
                self.turn_away()
        raise _all_failed(failed)

    def send(self, raw_transactions: Sequence[str]) -> Delivery:
        """Broadcast signed transactions, in order, to every node of the right network side by
        side; once one of them took all, the others are awaited only shortly, and not at all where
        they have not been answering.

        Raises ``Unreached`` when certainly none was delivered, ``NodeError`` when that is unknown,
        ``Halt`` when all that answer are of another network.
        """
        calls = [("eth_sendRawTransaction", [raw]) for raw in raw_transactions]
        current = self._endpoints[0]
        asks = [partial(self.answers, endpoint, calls) for endpoint in self._endpoints]
        late = [place for place, endpoint in enumerate(self._endpoints) if endpoint.late]
        outcomes = side_by_side(asks, _took_all, OTHERS_SECONDS, late)
        if isinstance(outcomes[0], NodeError) and self._endpoints[0] is current:
            self.turn_away()
        return _delivery(len(calls), outcomes)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The current one first."""
        return tuple(self._endpoints)

    def answers(
        self, endpoint: Endpoint, calls: Sequence[Request], *, thorough: bool = False
    ) -> list[Any]:
        """What one node answers to ``calls``, in as many batches as it needs.

        Raises ``NodeError``, or ``Halt`` when it is of another network. ``thorough``: smaller
        batches are tried as well where nothing tells that their size was refused.
        """
        return self._answers(self._trusted(endpoint), calls, thorough=thorough)

    def _alone(self, endpoint: Endpoint) -> Rpc:
        alone = copy(self)
        alone._endpoints = [endpoint]
        alone._configured = (endpoint,)
        alone.rounds = LONE_ROUNDS
        return alone

    def identified(self, ask: Callable[[Rpc], T]) -> T:
        """What ``ask`` makes of the current node, which shows thereby that the node is of the
        right network: it raises ``Halt`` otherwise."""
        endpoint = self._endpoints[0]
        unasked = self._alone(endpoint)
        unasked._identity, unasked.rounds = None, min(self.rounds, LONE_ROUNDS)
        try:
            found = ask(unasked)
        except Halt as halt:
            self._disown(endpoint, halt.message)
            raise
        endpoint.trusted = endpoint.proven = True
        endpoint.foreign = ""
        return found

    def _trusted(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, once it has been found to be of the configured network."""
        if self._identity is not None and not endpoint.trusted:
            alone = self._alone(endpoint)
            alone.rounds = 1  # whoever asks through this asks again by himself
            alone.identified(self._identity)
        return endpoint

    def _disown(self, endpoint: Endpoint, reason: str) -> None:
        if endpoint.foreign != reason and self._several:
            log.warning("%s is turned away: %s", endpoint.name, reason)
        endpoint.trusted = endpoint.proven = False
        endpoint.foreign = reason

    def _answers(
        self, endpoint: Endpoint, calls: Sequence[Request], *, thorough: bool
    ) -> list[Any]:
        """Every answer of one node, in order, in as many batches as it needs.

        Where nothing tells whether it was the batch that was refused, smaller ones are tried only
        if ``thorough``, and remembered when that helps a second time.
        """
        answers: list[Any] = []
        size, certain = endpoint.most or len(calls), True
        while len(answers) < len(calls):
            part = calls[len(answers) : len(answers) + size]
            try:
                found = self._portion(endpoint, part)
            except Unanswered as error:
                too_many = error.about is About.BATCH
                if len(part) == 1 or not (
                    too_many or (thorough and error.about is not About.UNABLE)
                ):
                    raise
                size, certain = fits(error.said, len(part)), too_many
                continue
            kept = _answered(found)
            answers += found[:kept]
            if kept < len(found):
                size, certain = kept, found[kept].about is About.BATCH
            elif size < len(calls) and len(part) == size:
                endpoint.learn(size, certain=certain)
        return answers

    def _portion(self, endpoint: Endpoint, calls: Sequence[Request]) -> list[Any]:
        """One HTTP request; a second one where the ``pending`` block is not known."""
        asked = [_latest(call) if not endpoint.knows_pending else call for call in calls]
        try:
            found = self._exchange(endpoint, asked)
        except Unreached:
            endpoint.trusted = False  # what comes up there again may be another network
            raise
        unknown = [i for i, answer in enumerate(found) if _pending_refused(asked[i], answer)]
        if unknown:
            again = self._exchange(endpoint, [_latest(asked[i]) for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                if not isinstance(answer, RpcError) or isinstance(answer, Reverted):
                    endpoint.knows_pending = False
                    found[i] = answer
        return found

    def _exchange(self, endpoint: Endpoint, calls: Sequence[Request]) -> list[Any]:
        if len(calls) == 1:
            return [self._single(endpoint, calls[0])]
        requests = [self._request(call) for call in calls]
        answers = endpoint.post(requests)
        if isinstance(answers, list) and len(answers) == 1 and _is_error(answers[0]):
            (answers,) = answers  # one error in a list, for all of them
        if _is_error(answers):
            rpc_error(answers["error"], endpoint.name, endpoint.redacted, of_batch=True)
        by_id = _by_id(answers, endpoint.name)
        if by_id.keys() != {request["id"] for request in requests}:
            raise Unanswered(f"{endpoint.name} left requests of a batch unanswered")
        return [_result(by_id[request["id"]], endpoint) for request in requests]

    def _single(self, endpoint: Endpoint, call: Request) -> Any:
        request = self._request(call)
        answer = endpoint.post(request)
        if not isinstance(answer, dict) or ("result" in answer and _id_of(answer) != request["id"]):
            raise Unanswered(f"{endpoint.name} answered another request than ours")
        return _result(answer, endpoint)

    def _request(self, call: Request) -> dict[str, Any]:
        method, params = call
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}


class _Reading:
    """One read, from node to node and round to round, until one answers all of it."""

    def __init__(self, calls: Sequence[Request]) -> None:
        self._calls = calls
        self._failed: list[NodeError] = []
        self._foreign: list[Halt] = []
        self._refused: list[Any] | None = None  # the first answer with refusals about its node
        self._hopeless: set[Endpoint] = set()  # that would say the same again
        self._waited: Counter[Endpoint] = Counter()  # for those that let their time pass
        self._round_failed: list[NodeError] = []  # in this round

    def run(self, rpc: Rpc) -> list[Any]:
        pause = FIRST_PAUSE
        for left in reversed(range(rpc.rounds)):
            answers = self._round(rpc, thorough=left == 0)
            if answers is not None:
                return answers
            if self._hopeless.issuperset(rpc.endpoints):
                break
            if left:
                time.sleep(max(pause, self._wait_asked_for()))
                self._round_failed.clear()
                pause = min(2 * pause, LONGEST_PAUSE)
        if self._refused is not None:
            return self._refused
        if self._foreign and not any(endpoint.proven for endpoint in rpc.endpoints):
            raise self._foreign[0]
        raise _all_failed(self._failed)

    def _round(self, rpc: Rpc, *, thorough: bool) -> list[Any] | None:
        """Every node once, beginning with the current one; the one that answers stays current."""
        for endpoint in rpc.endpoints:
            if endpoint not in self._hopeless:
                answers = self._ask(rpc, endpoint, thorough=thorough)
                if answers is not None:
                    return answers
            rpc.turn_away()
        return None

    def _wait_asked_for(self) -> float:
        """The shortest ``Retry-After`` of this round's nodes, where all that were reached sent
        one; no longer than ``LONGEST_WAIT``."""
        failed = [each for each in self._round_failed if not isinstance(each, Unreached)]
        waits = [retry_after(error) for error in failed]
        return min(*waits, LONGEST_WAIT) if waits else 0

    def _ask(self, rpc: Rpc, endpoint: Endpoint, *, thorough: bool) -> list[Any] | None:
        try:
            answers = rpc.answers(endpoint, self._calls, thorough=thorough)
        except Halt as halt:
            self._foreign.append(halt)
            self._hopeless.add(endpoint)
            self._failed.append(NodeError(halt.message))
            return None
        except NodeError as error:
            self._failed.append(error)
            self._round_failed.append(error)
            if endpoint.silent:
                self._waited[endpoint] += 1
                # Where there are others, it is for them to go on.
                most = 1 if endpoint.beside else min(SLOW_ROUNDS, rpc.rounds)
                if self._waited[endpoint] >= most:
                    self._hopeless.add(endpoint)
            return None
        about = {answer.about for answer in answers if isinstance(answer, RpcError)}
        if about <= {About.QUESTION}:
            return answers
        if self._refused is None:
            self._refused = answers
        if About.UNABLE in about:
            self._hopeless.add(endpoint)
        return None


def expect(result: Any) -> Any:
    """A result of ``batch``, or raise the error that stands in its place."""
    if isinstance(result, RpcError):
        raise result
    return result


Outcome = list[Any] | Failure


def _took_all(outcome: Outcome) -> bool:
    return isinstance(outcome, list) and not any(isinstance(each, RpcError) for each in outcome)


def _delivery(count: int, outcomes: Sequence[Outcome]) -> Delivery:
    failed = [each for each in outcomes if isinstance(each, Transient)]
    answered = [each for each in outcomes if isinstance(each, list)]
    if not answered:
        if failed:
            raise _all_failed(failed)
        raise next(each for each in outcomes if isinstance(each, Halt))
    return Delivery(
        refusals=tuple(_refusal([answers[i] for answers in answered]) for i in range(count)),
        certain=all(isinstance(error, Unreached) for error in failed),
    )


def _refusal(answers: Sequence[Any]) -> RpcError | None:
    """None when any node took the transaction; what is about it rather than about a node first."""
    refusals = [answer for answer in answers if isinstance(answer, RpcError)]
    if len(refusals) < len(answers):
        return None
    return min(refusals, key=lambda refusal: refusal.of_node)


def _all_failed(failed: Sequence[Transient]) -> NodeError:
    message = "; ".join(dict.fromkeys(error.message for error in failed))
    never = all(isinstance(error, Unreached) for error in failed)
    wait = min((retry_after(error) for error in failed), default=0.0)
    facts = {"retry_after": wait} if wait else {}
    return (Unreached if never else NodeError)(message, **facts)


def _latest(call: Request) -> Request:
    """The same question about the newest block instead of the pending one."""
    method, params = call
    return method, ["latest" if param == "pending" else param for param in params]


def _pending_refused(call: Request, answer: Any) -> bool:
    """It may be the ``pending`` block that this node does not know."""
    method, params = call
    if "pending" not in params or not isinstance(answer, RpcError) or isinstance(answer, Reverted):
        return False
    worded = answer.code == INVALID_PARAMS or "pending" in answer.message or "tag" in answer.message
    return worded or (method == "eth_getTransactionCount" and not answer.of_node)


def _answered(found: Sequence[Any]) -> int:
    """How many answers of a batch stand: those before the first that may only have been one too
    many."""
    for i, answer in enumerate(found):
        if i and isinstance(answer, RpcError) and answer.about in (About.BATCH, About.BUSY):
            return i
    return len(found)


def _is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("error") is not None


def _id_of(answer: dict[str, Any]) -> int | None:
    """Some nodes send ids back as text."""
    found = answer.get("id")
    if isinstance(found, str) and found.isascii() and found.isdigit():
        return int(found)
    return found if isinstance(found, int) else None


def _by_id(answers: Any, name: str) -> dict[int, Any]:
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise Unanswered(f"{name} answered a batch with something that is not one")
    by_id = {number: answer for answer in answers if (number := _id_of(answer)) is not None}
    if len(by_id) != len(answers):
        raise Unanswered(f"{name} answered a request twice, or one that was not asked")
    return by_id


def _result(answer: dict[str, Any], endpoint: Endpoint) -> Any:
    if answer.get("error") is not None:
        return rpc_error(answer["error"], endpoint.name, endpoint.redacted)
    if "result" not in answer:
        raise Unanswered(f"{endpoint.name} answered without a result")
    return answer["result"]
