"""The edge to Ethereum nodes: JSON-RPC over web3's HTTP sessions, and nothing else of web3.

web3's own path adds two ``eth_chainId`` requests to a call, formats every field of an answer and
retries by itself. Here one call of ``call`` or ``batch`` is one HTTP request; errors are parsed
once, into

    NodeError         unreachable, too slow, an HTTP error, no JSON, or an answer that cannot be
      RpcError        the node understood and refused: ``code``, ``message``, ``data``
        Reverted      the contract refused: ``reason``

A URL holds an API key in its path, query or user part: messages name ``scheme://host:port`` alone.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from eth_typing import URI
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from web3.providers.rpc import HTTPProvider

from dexmm.chain.reverts import revert_reason
from dexmm.errors import BadInput, NodeError
from dexmm.proxies import THIS_MACHINE, certificates, proxy_for

Request = tuple[str, Sequence[Any]]
T = TypeVar("T")

READ_ROUNDS = 3  # times every URL is tried before a read is given up
LONE_ROUNDS = 2  # the same of a node that is asked by itself
REVERTED = (3, -32015)  # a revert: geth, Erigon, Anvil; Nethermind
NO_BATCHES = (-32600, -32601, -32602, -32700)  # the batch itself was not understood
MOST_BYTES = 64 << 20  # of an answer: a node must not be able to fill the memory

# Both write whole URLs, keys included, when debugging is on.
for _name in ("web3", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class RpcError(NodeError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, message: str, code: int, data: bytes = b"") -> None:
        super().__init__(message, code=code)
        self.code = code
        self.data = data


class Reverted(RpcError):
    """The call was run and the contract reverted; ``reason`` says why."""

    def __init__(self, message: str, code: int, data: bytes, reason: str) -> None:
        super().__init__(message, code, data)
        self.reason = reason


class Unreached(NodeError):
    """No connection was made, so nothing can have been delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a broadcast: for each transaction, the node's refusal or None.

    ``certain`` is False when another node may hold the bytes too: it broke off while it was sent.
    """

    refusals: tuple[RpcError | None, ...]
    certain: bool


class Endpoint(HTTPProvider):
    """One URL with its kept-alive connection."""

    def __init__(self, url: str, timeout_seconds: float, proxy: str | None = None) -> None:
        """``proxy`` is ``network.proxy``. Raises ``BadInput`` for one that cannot be used."""
        parts = _url_parts(url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.batches = True  # until it refuses one
        self._seconds = timeout_seconds
        session = _session(url, proxy)
        self._url = URI(url)
        super().__init__(url, session=session, exception_retry_configuration=None)

    def __repr__(self) -> str:
        return f"Endpoint({self.name})"

    __str__ = __repr__

    def post(self, payload: object) -> Any:
        """One HTTP request; the decoded JSON. Raises ``NodeError``."""
        try:
            return json.loads(self.raw(payload))
        except ValueError:
            raise NodeError(f"{self.name} did not answer with JSON") from None

    def raw(self, payload: object) -> bytes:
        """As ``post``, undecoded: of a large answer ``json`` would take most of the time."""
        try:
            return self._exchange(json.dumps(payload).encode())
        except (requests.ConnectTimeout, requests.exceptions.SSLError):
            raise Unreached(f"{self.name} cannot be reached") from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._too_slow() from None
        except requests.ConnectionError as error:
            raise self._broken(error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise NodeError(f"{self.name} broke off its answer") from None

    def _exchange(self, body: bytes) -> bytes:
        deadline = time.monotonic() + self._seconds
        with self._request_session_manager.get_response_from_post_request(
            self._url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                raise NodeError(
                    f"{self.name} answered HTTP {response.status_code}", status=response.status_code
                )
            return self._body(response, deadline)

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        """Read piece by piece: a node that trickles must not hold us beyond the deadline."""
        whole = bytearray()
        while piece := response.raw.read1(decode_content=True):
            whole += piece
            if len(whole) > MOST_BYTES:
                raise NodeError(f"{self.name} answered with more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise self._too_slow()
        promised = response.headers.get("Content-Length")
        plain = "Content-Encoding" not in response.headers
        if plain and promised is not None and promised != str(len(whole)):
            raise NodeError(f"{self.name} broke off its answer")
        return bytes(whole)

    def _too_slow(self) -> NodeError:
        return NodeError(f"{self.name} did not answer within {self._seconds:g} seconds")

    def _broken(self, error: requests.ConnectionError) -> NodeError:
        cause = error.args[0] if error.args else None
        never = (urllib3.exceptions.MaxRetryError, urllib3.exceptions.NewConnectionError)
        if isinstance(cause, never) and not _was_reset(cause):
            return Unreached(f"{self.name} cannot be reached")
        return NodeError(f"{self.name} broke off the connection")


def _session(url: str, proxy: str | None) -> requests.Session:
    """With what the environment says of proxies, certificates and .netrc.

    Read once: requests would look for it with every request, which costs a millisecond each.
    """
    session = requests.Session()
    session.trust_env = False
    if route := proxy_for(url, proxy):
        session.proxies = {"http": route, "https": route}
    session.verify = certificates()
    if urlsplit(url).hostname not in THIS_MACHINE:
        session.auth = requests.utils.get_netrc_auth(url)
    return session


def _url_parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise BadInput("network.rpc_urls: a URL must be http:// or https://, a host and its path")
    return parts


def _was_reset(error: BaseException) -> bool:
    reason = getattr(error, "reason", None)
    return isinstance(reason, urllib3.exceptions.ProtocolError)


class Rpc:
    """JSON-RPC to the first of several nodes that answers.

    Reads go to the current node and move on to the next when it fails, with short pauses between
    rounds; the one that answers stays current. ``send`` is tried once at each node, since the
    same signed bytes are harmless twice.
    """

    def __init__(
        self, urls: Iterable[str], timeout_seconds: float = 10, proxy: str | None = None
    ) -> None:
        """``proxy`` is ``network.proxy``. Raises ``BadInput`` for a URL or proxy that is none."""
        self._endpoints = [Endpoint(url, timeout_seconds, proxy) for url in urls]
        if not self._endpoints:
            raise BadInput("network.rpc_urls is empty: name at least one node")
        self._configured = tuple(self._endpoints)
        self._ids = itertools.count(1)
        self._retrying = _retrying(READ_ROUNDS)

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

    def nodes(self) -> tuple[Rpc, ...]:
        """Each configured node by itself, in the configured order.

        They share connections and what is known of a node's limits with this one. What is current
        here does not matter to them, nor the other way round; reads are tried twice, because an
        idle connection may have died.
        """
        return tuple(self._alone(endpoint) for endpoint in self._configured)

    def _alone(self, endpoint: Endpoint) -> Rpc:
        alone = copy(self)
        alone._endpoints = [endpoint]
        alone._configured = (endpoint,)
        alone._retrying = _retrying(LONE_ROUNDS)
        return alone

    def turn_away(self) -> None:
        """Make the next node current: this one answered nonsense."""
        self._endpoints.append(self._endpoints.pop(0))

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request's result. Raises ``NodeError``, ``RpcError``, ``Reverted``."""
        return expect(self.batch([(method, params)])[0])

    def batch(self, calls: Sequence[Request]) -> list[Any]:
        """Several reads in one HTTP request, results in order.

        A call that the node refused is an ``RpcError`` *in its place*; ``expect`` raises it.
        Raises ``NodeError`` when no node answers.
        """
        return self._retrying(self._first, lambda endpoint: self._ask(endpoint, calls))

    def send(self, raw_transactions: Sequence[str]) -> Delivery:
        """Broadcast signed transactions in one HTTP request, in order.

        Raises ``Unreached`` when certainly none was delivered, ``NodeError`` when that is unknown.
        """
        calls = [("eth_sendRawTransaction", [raw]) for raw in raw_transactions]
        failures: list[NodeError] = []
        answers = self._first(lambda endpoint: self._ask(endpoint, calls), failures)
        return Delivery(
            refusals=tuple(a if isinstance(a, RpcError) else None for a in answers),
            certain=all(isinstance(error, Unreached) for error in failures),
        )

    def _first(self, ask: Callable[[Endpoint], T], failures: list[NodeError] | None = None) -> T:
        failed = failures if failures is not None else []
        for _ in self._endpoints:
            try:
                return ask(self._endpoints[0])
            except NodeError as error:
                failed.append(error)
                self.turn_away()
        message = "; ".join(dict.fromkeys(error.message for error in failed))
        never = all(isinstance(error, Unreached) for error in failed)
        raise (Unreached if never else NodeError)(message)

    def _ask(self, endpoint: Endpoint, calls: Sequence[Request]) -> list[Any]:
        if len(calls) == 1 or not endpoint.batches:
            return [self._single(endpoint, call) for call in calls]
        requests_ = [self._request(call) for call in calls]
        answers = endpoint.post(requests_)
        if isinstance(answers, dict) and "error" in answers:
            refusal = _error(answers["error"], endpoint.name)
            if refusal.code not in NO_BATCHES:  # such as a rate limit: the next node may do it
                raise NodeError(refusal.message)
            endpoint.batches = False
            return [self._single(endpoint, call) for call in calls]
        by_id = _by_id(answers, endpoint.name)
        if by_id.keys() != {request["id"] for request in requests_}:
            raise NodeError(f"{endpoint.name} left requests of a batch unanswered")
        return [_result(by_id[request["id"]], endpoint.name) for request in requests_]

    def _single(self, endpoint: Endpoint, call: Request) -> Any:
        request = self._request(call)
        answer = endpoint.post(request)
        if not isinstance(answer, dict) or (
            "result" in answer and answer.get("id") != request["id"]
        ):
            raise NodeError(f"{endpoint.name} answered another request than ours")
        return _result(answer, endpoint.name)

    def _request(self, call: Request) -> dict[str, Any]:
        method, params = call
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}


def _retrying(rounds: int) -> Retrying:
    return Retrying(
        stop=stop_after_attempt(rounds),
        wait=wait_exponential(multiplier=0.1, max=2),
        retry=retry_if_exception_type(NodeError),
        reraise=True,
    )


def expect(result: Any) -> Any:
    """A result of ``batch``, or raise the error that stands in its place."""
    if isinstance(result, RpcError):
        raise result
    return result


def _by_id(answers: Any, name: str) -> dict[int, Any]:
    if not isinstance(answers, list) or not all(
        isinstance(answer, dict) and isinstance(answer.get("id"), int) for answer in answers
    ):
        raise NodeError(f"{name} answered a batch with something that is not one")
    by_id = {answer["id"]: answer for answer in answers}
    if len(by_id) != len(answers):
        raise NodeError(f"{name} answered a request twice")
    return by_id


def _result(answer: dict[str, Any], name: str) -> Any:
    error = answer.get("error")
    if error is not None:
        return _error(error, name)
    if "result" not in answer:
        raise NodeError(f"{name} answered without a result")
    return answer["result"]


def _error(error: Any, name: str) -> RpcError:
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise NodeError(f"{name} answered with an error that is not one")
    code, message, data = error["code"], str(error.get("message", "")), _revert_data(error)
    shown = message.splitlines()[0][:200] if message else "no reason given"
    if code in REVERTED or data:
        reason = revert_reason(data)
        return Reverted(f"the call reverted: {reason}", code, data, reason)
    return RpcError(f"{name} refused: {shown} (code {code})", code, data)


def _revert_data(error: dict[str, Any]) -> bytes:
    """Nodes put the revert's bytes in ``data``, or one level deeper, or behind a word."""
    found = error.get("data")
    if isinstance(found, dict):
        found = found.get("data")
    found = found.removeprefix("Reverted ") if isinstance(found, str) else ""
    if not found.startswith("0x"):
        return b""
    try:
        return bytes.fromhex(found[2:])
    except ValueError:
        return b""
