"""One ccxt instance: one HTTP session, one request at a time, and its errors in our words.

ccxt's classes are used as they are; three small hooks on the instance make their answers fit for
money:

- a number stays the text that the exchange wrote, in JSON and in order books, where ccxt would
  make floats whatever its ``number`` is (``exchange.make`` sets that one);
- an answer that is not whole JSON is an error. ccxt would hand a truncated body on as text, out of
  which an empty account or an order without an id is then parsed;
- the status, the headers and the body of every answer are noted, to tell 429 from 503, to keep to
  ``Retry-After`` and to read the exchange's own code, which ccxt's exception may not carry, and
  the time that it states for itself.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import localcontext
from typing import Any

from dexmm.cex.errors.classify import CallFailed, Fate, judge
from dexmm.cex.errors.error_table import documents_of
from dexmm.cex.margins import request_of

Ccxt = Any  # ccxt has no types
Milliseconds = Callable[[], int]

REST_SECONDS = 10  # after a 429 that does not say how long
LONGEST_SKEW_MS = 3_600_000
LONGEST_REST_SECONDS = 3 * 24 * 3600  # the longest ban that Binance hands out


# Where exchanges write, at the top of an answer, when they sent it; milliseconds.
SENT_AT = ("E", "ts", "time", "timestamp", "current", "serverTime")
MILLISECONDS = range(10**12, 10**13)  # 2001 to 2286: what has another unit is left alone


@dataclass(frozen=True, slots=True)
class Answered:
    """When an answer was made, as far as it says so itself."""

    stated_ms: int | None  # by the exchange's clock, the latest that it states at its top
    cached_ms: int  # how long an HTTP cache has kept it, by its Age header


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Pause:
    """Until when the exchange wants to hear nothing from us. Shared by all lanes to one host."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = 0.0

    def begin(self, seconds: int) -> None:
        self._until = max(self._until, self._monotonic() + seconds)

    def left(self) -> int:
        """Seconds, rounded up; 0 when requests are welcome."""
        left = self._until - self._monotonic()
        return int(left) + 1 if left > 0 else 0


class Lane:
    def __init__(
        self,
        exchange: Ccxt,
        pause: Pause,
        secrets: Collection[str] = (),
        now_ms: Milliseconds = wall_ms,
    ) -> None:
        self.exchange = exchange
        self.now_ms = now_ms
        self.requests = 0  # HTTP requests, answered or not
        self._pause = pause
        self._secrets = tuple(secrets)
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._body = self._url = ""
        self._stated_ms: int | None = None
        self.account_asked = ""  # which account the last balances were of; see ``margins``
        self._lock = threading.RLock()
        self._install(exchange)

    def __repr__(self) -> str:
        return f"Lane({self.exchange.id})"

    def read(self, what: str, method: str, *arguments: object) -> Any:
        """Call a method that changes nothing. Raises ``Transient``, ``Halt`` or ``BadInput``."""
        try:
            return self.ask(method, *arguments)
        except CallFailed as failed:
            raise failed.as_error(what) from None

    def read_timed(self, what: str, method: str, *arguments: object) -> tuple[Any, Answered]:
        """As ``read``, with what the last of its answers says of its own age."""
        with self._lock:
            answer = self.read(what, method, *arguments)
            return answer, Answered(self._stated_ms, self._seconds("Age") * 1000)

    def ask(self, method: str, *arguments: object) -> Any:
        """As ``read``, but raises ``CallFailed``. Asks once more when only the clock was wrong."""
        try:
            return self.call(method, *arguments)
        except CallFailed as failed:
            if failed.fate is not Fate.CLOCK:
                raise
        self.synchronise()
        return self.call(method, *arguments)

    def call(self, method: str, *arguments: object) -> Any:
        """Call once, whatever comes of it. Raises ``CallFailed``."""
        with self._lock:
            if left := self._pause.left():
                raise CallFailed(
                    Fate.THROTTLED,
                    f"the exchange asked for a pause, which lasts {left} s more",
                    retry_after=left,
                )
            self._status, self._headers, self._stated_ms = 0, {}, None
            self._body = self._url = ""
            try:
                with localcontext():  # ccxt leaves its own rounding in the thread's context
                    answer = getattr(self.exchange, method)(*arguments)
                if method == "fetch_balance":
                    self.account_asked = request_of(self._url)
                return answer
            except Exception as error:  # noqa: BLE001 - a body can break ccxt's parsers in any way
                failed = judge(
                    error,
                    self._status,
                    self._retry_after(),
                    self._secrets,
                    documents=documents_of(self.exchange.id, self._url),
                    body=self._body,
                )
            if failed.fate is Fate.THROTTLED:
                self._pause.begin(failed.retry_after or REST_SECONDS)
            raise failed from None

    def synchronise(self) -> int:
        """Measure and set off the difference to the exchange's clock, in ms (ours minus theirs).

        Raises ``CallFailed``, also for a difference that no drifting clock explains.
        """
        if not self.exchange.has.get("fetchTime"):
            return 0
        before = self.now_ms()
        server = int(self.call("fetch_time"))
        skew = (before + self.now_ms()) // 2 - server
        if abs(skew) > LONGEST_SKEW_MS:
            raise CallFailed(
                Fate.CLOCK, f"this machine's clock is {skew // 1000} s ahead of the exchange's"
            )
        self.exchange.options["timeDifference"] = skew
        return skew

    @property
    def skew_ms(self) -> int:
        return int(self.exchange.options.get("timeDifference") or 0)

    def server_ms(self) -> int:
        """The exchange's time, by our clock and the difference last measured."""
        return self.now_ms() - self.skew_ms

    def _retry_after(self) -> int:
        return min(self._seconds("Retry-After"), LONGEST_REST_SECONDS)

    def _seconds(self, header: str) -> int:
        """Whole seconds; 0 for a header that is absent or says something else."""
        text = self._headers.get(header, "").strip()
        return int(text) if text.isdecimal() else 0

    def _install(self, exchange: Ccxt) -> None:
        strip, fetch = exchange.on_rest_response, exchange.fetch

        def on_rest_response(code: int, reason: str, *rest: Any) -> str:
            self._status, self._headers, self._url = code, rest[2], rest[0]
            body: str = strip(code, reason, *rest)
            self._body = body
            if code < 400:
                _demand_json(exchange.id, body)
            return body

        def counted(*arguments: Any, **named: Any) -> Any:
            self.requests += 1
            return fetch(*arguments, **named)

        def loads(body: str) -> Any:
            found = _loads(body)
            self._stated_ms = _stated_ms(found)
            return found

        exchange.on_json_response = loads
        exchange.parse_order_book_bid_ask = _level  # the one place where ccxt insists on floats
        exchange.on_rest_response = on_rest_response
        exchange.fetch = counted
        exchange.nonce = self.server_ms


def _loads(body: str) -> Any:
    return json.loads(body, parse_float=str)


def _stated_ms(answer: Any) -> int | None:
    if not isinstance(answer, dict):
        return None
    found = [str(answer[name]) for name in SENT_AT if name in answer]
    return max((int(t) for t in found if t.isdecimal() and int(t) in MILLISECONDS), default=None)


def _level(pair: Any, price: Any = 0, amount: Any = 1, _count: Any = 2) -> list[str]:
    return [str(pair[price]), str(pair[amount])]


def _demand_json(exchange_id: str, body: str) -> None:
    import ccxt

    try:
        json.loads(body)
    except ValueError:
        raise ccxt.BadResponse(f"{exchange_id} its answer is not whole JSON") from None
