"""One URL: its kept-alive connection, what is known of its limits, and nothing secret in words."""

from __future__ import annotations

import itertools
import json
import logging
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import requests
import urllib3
from eth_typing import URI
from web3.providers.rpc import HTTPProvider

from dexmm.chain.rpc.refusals import (
    Unanswered,
    Unreached,
    about_status,
    advice,
    error_parts,
    first_line,
)
from dexmm.config.proxy import THIS_MACHINE, certificates, proxy_for
from dexmm.errors import BadInput, NodeError

MOST_BYTES = 64 << 20  # of an answer: a node must not be able to fill the memory
MOST_ERROR_BYTES = 64 << 10  # the same of an HTTP error's body
SILENT_SECONDS = 1.0  # for a node that has not answered before, while another one answers
SILENT_FOR = 300.0  # seconds; then it is given its whole time once more
SHORTEST_SECRET = 6  # characters of a URL's part that are struck out of what a node says

# Both write whole URLs, keys included, when debugging is on.
for _name in ("web3", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Endpoint(HTTPProvider):
    """One URL with its kept-alive connection.

    A node that once let ``timeout_seconds`` pass without an answer is *silent*: while one of those
    ``beside`` it answers, it has ``SILENT_SECONDS`` for each further question, so that it costs
    its whole time once and not with every question. An answer ends that.
    """

    def __init__(self, url: str, timeout_seconds: float, proxy: str | None = None) -> None:
        """``proxy`` is ``network.proxy``. Raises ``BadInput`` for one that cannot be used."""
        parts = _url_parts(url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.most: int | None = None  # requests it takes in a batch; None: no limit is known
        self.suspected: int | None = None  # as many were answered when it did not answer more
        self.knows_pending = True  # until it refuses the tag
        self.trusted = False  # it has been found to be of the configured network
        self.proven = False  # the same, of any time before
        self.foreign = ""  # why it is not, as last seen
        self.beside: tuple[Endpoint, ...] = ()  # the others that can be asked the same
        self._silent_at: float | None = None  # by the monotonic clock
        self._open: dict[int, float] = {}  # questions that are not answered yet, since when
        self._numbers = itertools.count()
        self._secrets = _secrets(parts)
        self._seconds = timeout_seconds
        session = _session(url, proxy)
        self._url = URI(url)
        super().__init__(url, session=session, exception_retry_configuration=None)

    def __repr__(self) -> str:
        return f"Endpoint({self.name})"

    __str__ = __repr__

    @property
    def silent(self) -> bool:
        """It did not answer in time, and nothing since."""
        at = self._silent_at
        return at is not None and time.monotonic() - at < SILENT_FOR

    @property
    def late(self) -> bool:
        """It is silent, or has kept a question waiting for longer than ``SILENT_SECONDS``."""
        asked = min(tuple(self._open.values()), default=time.monotonic())
        return self.silent or time.monotonic() - asked > SILENT_SECONDS

    def learn(self, size: int, *, certain: bool) -> None:
        """It has answered ``size`` requests in a batch after it had not answered more. What is not
        ``certain`` to be its limit is believed when it shows a second time."""
        if certain or self.suspected == size:
            self.most = size
        self.suspected = size

    def post(self, payload: object) -> Any:
        """One HTTP request; the decoded JSON. Raises ``NodeError``."""
        try:
            return json.loads(self.raw(payload))
        except ValueError:
            raise Unanswered(f"{self.name} did not answer with JSON") from None

    def raw(self, payload: object) -> bytes:
        """As ``post``, undecoded: of a large answer ``json`` would take most of the time."""
        number, seconds = next(self._numbers), self._patience()
        self._open[number] = time.monotonic()
        try:
            answer = self._exchange(json.dumps(payload).encode(), seconds)
        except requests.ConnectTimeout:
            self._fell_silent()
            raise Unreached(f"{self.name} cannot be reached") from None
        except requests.exceptions.SSLError:
            raise Unreached(f"{self.name} cannot be reached") from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._too_slow(seconds) from None
        except requests.ConnectionError as error:
            raise self._broken(error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise Unanswered(f"{self.name} broke off its answer") from None
        finally:
            del self._open[number]
        self._silent_at = None
        return answer

    def redacted(self, text: str) -> str:
        """What a node says, without what its URL keeps secret: some repeat the key."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    def _patience(self) -> float:
        """Seconds for the next question. One that still waits is not waited for twice over."""
        if all(other.silent for other in self.beside):
            return self._seconds
        least, now = min(SILENT_SECONDS, self._seconds), time.monotonic()
        if self.silent:
            return least
        asked = min(tuple(self._open.values()), default=now)
        return max(asked + self._seconds - now, least)

    def _fell_silent(self) -> None:
        if not self.silent:
            self._silent_at = time.monotonic()

    def _exchange(self, body: bytes, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        with self._request_session_manager.get_response_from_post_request(
            self._url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                return self._refused(response, deadline, seconds)
            return self._body(response, deadline, seconds)

    def _refused(self, response: requests.Response, deadline: float, seconds: float) -> bytes:
        """The body of an HTTP error where it is a JSON-RPC error to one request, which some nodes
        send so; otherwise raises what the status means."""
        status = response.status_code
        try:
            body = self._body(response, deadline, seconds, MOST_ERROR_BYTES)
        except (NodeError, requests.RequestException, urllib3.exceptions.HTTPError):
            body = b""
        answer = _as_answer(body)
        code, message = error_parts(answer.get("error"))
        about = about_status(status, message)
        if about is None and code is not None and isinstance(answer.get("id"), int | str):
            return body
        said = self.redacted(first_line(message))
        facts: dict[str, object] = {"status": status}
        if wait := _seconds_to_wait(response.headers.get("Retry-After", "")):
            facts["retry_after"] = wait
        words = f"{self.name} answered HTTP {status}{f': {said}' if said else ''}"
        raise Unanswered(f"{words}{advice(about)}", about, message, **facts)

    def _body(
        self, response: requests.Response, deadline: float, seconds: float, most: int = MOST_BYTES
    ) -> bytes:
        """Read piece by piece: a node that trickles must not hold us beyond the deadline."""
        whole = bytearray()
        while piece := response.raw.read1(decode_content=True):
            whole += piece
            if len(whole) > most:
                raise NodeError(f"{self.name} answered with more than {most} bytes")
            if time.monotonic() > deadline:
                raise self._too_slow(seconds)
        promised = response.headers.get("Content-Length")
        plain = "Content-Encoding" not in response.headers
        if plain and promised is not None and promised != str(len(whole)):
            raise Unanswered(f"{self.name} broke off its answer")
        return bytes(whole)

    def _too_slow(self, seconds: float) -> NodeError:
        before = ""
        if self.silent and seconds < self._seconds:
            before = f", nor within {self._seconds:g} before"
        self._fell_silent()
        return NodeError(f"{self.name} did not answer within {seconds:.3g} seconds{before}")

    def _broken(self, error: requests.ConnectionError) -> NodeError:
        cause = error.args[0] if error.args else None
        never = (urllib3.exceptions.MaxRetryError, urllib3.exceptions.NewConnectionError)
        if isinstance(cause, never) and not _was_reset(cause):
            return Unreached(f"{self.name} cannot be reached")
        return Unanswered(f"{self.name} broke off the connection")


def _as_answer(body: bytes) -> dict[str, Any]:
    """What an HTTP error's body says, as a JSON-RPC answer: proxies and gateways write plain text,
    or the error without the frame around it. A web page says nothing."""
    try:
        answer = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
        return {"error": "" if text.startswith("<") else text}
    if not isinstance(answer, dict):
        return {"error": answer} if isinstance(answer, str) else {}
    return answer if answer.get("error") is not None else {"error": answer}


def _seconds_to_wait(header: str) -> float:
    """``Retry-After`` in seconds, or as a date; 0 where it says nothing."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0)
    except (ValueError, TypeError, OverflowError):
        return 0


def _session(url: str, proxy: str | None) -> requests.Session:
    """With what the environment says of proxies, certificates and .netrc.

    Read once: requests would look for it with every request, which costs a millisecond each.
    """
    session = requests.Session()
    session.trust_env = False
    if route := proxy_for(url, proxy):
        session.proxies = {"http": route, "https": route}
    session.verify = certificates()
    parts = urlsplit(url)
    if parts.username is not None:  # requests would send nothing where there is no password
        session.auth = (unquote(parts.username), unquote(parts.password or ""))
    elif parts.hostname not in THIS_MACHINE:
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


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """Parts of a URL that may be a key, longest first, as they are and decoded."""
    user = parts.netloc.rpartition("@")[0]
    found = {user, *user.split(":"), *parts.path.split("/"), parts.query}
    found |= {value for _, value in parse_qsl(parts.query)}
    found |= {unquote(each) for each in found}
    return tuple(sorted((s for s in found if len(s) >= SHORTEST_SECRET), key=len, reverse=True))


def _was_reset(error: BaseException) -> bool:
    reason = getattr(error, "reason", None)
    return isinstance(reason, urllib3.exceptions.ProtocolError)
