"""An exchange as a source of candles: public data alone, through ccxt, without any key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, NamedTuple

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from dexmm.cex.ccxt_session import Lane, Pause
from dexmm.cex.errors.classify import CallFailed, Fate
from dexmm.cex.exchange import make
from dexmm.config.schema import Exchange
from dexmm.errors import BadInput, Transient

MOST_A_PAGE = 1000  # candles in one answer
USUAL_A_PAGE = 500  # where ccxt does not say what an exchange gives at most
ATTEMPTS = 6
PAUSE_SECONDS = 0.2  # doubled each time
LONGEST_PAUSE_SECONDS = 120  # an exchange that wants longer is asked another time
RECENT_CANDLES = 5  # behind now at most, for the newest there is
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
DAY = "1d"
DAYS_LOOKED_AT = 30


class Candle(NamedTuple):
    """Opened at ``at_ms``; the numbers as the exchange wrote them."""

    at_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Candles in order, and the time from which to ask on."""

    candles: tuple[Candle, ...]
    next_ms: int


class Venue:
    """One symbol's candles of one length."""

    def __init__(
        self, settings: Exchange, symbol: str, timeframe: str, proxy: str | None = None
    ) -> None:
        """Asks the exchange for its markets and its time. ``proxy`` is ``network.proxy``.

        Raises ``BadInput`` for an exchange, symbol or timeframe that does not exist.
        """
        _demand_known(settings.id)
        public = settings.model_copy(update={"api_key": None, "secret": None, "password": None})
        exchange = make(public, settings.id, contract=":" in symbol, proxy=proxy)
        self._lane = Lane(exchange, Pause())
        self._symbol, self._timeframe = symbol, timeframe
        self.interval_ms = _interval_ms(exchange, timeframe)
        self._retrying(self._ask, "read the markets", "load_markets")
        _demand_symbol(exchange, symbol)
        offered = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_A_PAGE
        self._limit = min(int(offered), MOST_A_PAGE)  # that is asked for
        self._page = self._limit  # that is answered, as far as is known
        self._newest_first = False  # known to answer a long range with its newest
        self._retrying(self._synchronise)

    @property
    def requests(self) -> int:
        return self._lane.requests

    def now_ms(self) -> int:
        """The exchange's time."""
        return self._lane.server_ms()

    def page(self, since_ms: int, until_ms: int) -> Page:
        """The candles that open from ``since_ms`` on, before ``until_ms``: as many as come.

        Raises ``BadInput`` where the exchange serves nothing but its newest candles, and they
        begin later.
        """
        window_end = since_ms + self._window_ms
        found = self._read(since_ms, window_end - 1 if self._newest_first else None)
        if found and found[0].at_ms > since_ms:
            found = self._with_head(found, since_ms, until_ms)
        inside = tuple(candle for candle in found if candle.at_ms < until_ms)
        if inside:
            return Page(candles=inside, next_ms=inside[-1].at_ms + self.interval_ms)
        nothing_left = found and found[0].at_ms >= until_ms
        next_ms = until_ms if nothing_left else min(window_end, until_ms)
        return Page(candles=(), next_ms=next_ms)

    def _with_head(self, found: list[Candle], since_ms: int, until_ms: int) -> list[Candle]:
        """A gap before the first candle? Or has it left out the oldest of a long range?

        ``found`` with what comes before it, as far as a window from ``since_ms`` on reaches: what
        lies further is left for the next page.
        """
        first_ms, window_end = found[0].at_ms, since_ms + self._window_ms
        head = self._head(since_ms, min(first_ms, window_end))
        if first_ms <= window_end:
            return head + found
        if head:
            self._newest_first = True
            return head
        if self._read_before(since_ms, first_ms):
            return []  # there are some further on: window by window
        self._refuse_newest_only(found, since_ms)
        return found

    def _head(self, since_ms: int, before_ms: int) -> list[Candle]:
        """All of a window, from its end to its beginning.

        ccxt's figure for a page may be more than the exchange answers, which shows here: an answer
        that was not all of the window had as many as it gives at most.
        """
        head: list[Candle] = []
        last_count = self._page
        while before_ms > since_ms and (more := self._read_before(since_ms, before_ms)):
            if head:
                self._newest_first = True
                self._page = min(self._page, last_count)
            last_count = len(more)
            head = more + head
            before_ms = more[0].at_ms
        return head

    def _read_before(self, since_ms: int, before_ms: int) -> list[Candle]:
        return [c for c in self._read(since_ms, before_ms - 1) if c.at_ms < before_ms]

    def _refuse_newest_only(self, found: list[Candle], since_ms: int) -> None:
        """``BadInput`` where these are all that is ever served, and not all that was traded.

        A symbol may also have been listed then. An exchange that serves so many as a page holds,
        up to now, and nothing before them, keeps no more; where they are fewer, days tell: they
        reach further back.
        """
        recent_ms = max(RECENT_CANDLES * self.interval_ms, HOUR_MS)
        if found[-1].at_ms < self.now_ms() - recent_ms:
            return
        if len(found) < self._page - 1 and not self._traded_before(found[0].at_ms, since_ms):
            return
        first = datetime.fromtimestamp(found[0].at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise BadInput(
            f"{self._lane.exchange.id} serves only its newest {len(found)} candles of "
            f"{self._timeframe}, from {first} on: choose that --since or a later one, a longer "
            "--timeframe, or another --exchange"
        )

    def _traded_before(self, at_ms: int, since_ms: int) -> bool:
        """Whether there is a day's candle that closed before; False when nobody says so."""
        start = max(at_ms - DAYS_LOOKED_AT * DAY_MS, since_ms // DAY_MS * DAY_MS)
        if DAY not in (self._lane.exchange.timeframes or {}) or self.interval_ms >= DAY_MS:
            return False
        try:
            rows = self._ask("read candles", "fetch_ohlcv", self._symbol, DAY, start)
        except (BadInput, Transient):
            return False
        return any(row[0] + DAY_MS <= at_ms for row in rows)

    @property
    def _window_ms(self) -> int:
        return self._page * self.interval_ms

    def _read(self, since_ms: int, last_ms: int | None) -> list[Candle]:
        """One answer, from ``since_ms`` on.

        Some of ccxt's classes know no ``until`` and end their range ``limit`` candles after
        ``since_ms``: so no more are asked for than there can be.
        """
        if last_ms is None:
            return self._retrying(self._read_once, since_ms, self._limit, {})
        limit = min(self._limit, (last_ms - since_ms) // self.interval_ms + 1)
        return self._retrying(self._read_once, since_ms, limit, {"until": last_ms})

    def _read_once(self, since_ms: int, limit: int, until: dict[str, int]) -> list[Candle]:
        asked = (self._symbol, self._timeframe, since_ms, limit, until)
        rows = self._ask("read candles", "fetch_ohlcv", *asked)
        return checked([row for row in rows if row[0] >= since_ms], self.interval_ms)

    def _synchronise(self) -> None:
        try:
            self._lane.synchronise()
        except CallFailed as failed:
            raise _error("read the exchange's time", failed) from None

    def _ask(self, what: str, method: str, *arguments: object) -> Any:
        try:
            return self._lane.ask(method, *arguments)
        except CallFailed as failed:
            raise _error(what, failed) from None

    @property
    def _retrying(self) -> Retrying:
        return Retrying(
            stop=_gives_up,
            wait=_pause,
            retry=retry_if_exception_type(Transient),
            reraise=True,
        )


def checked(rows: Sequence[Sequence[Any]], interval_ms: int) -> list[Candle]:
    """The candles of one answer. Raises ``Transient`` for any that cannot be."""
    candles: list[Candle] = []
    for row in rows:
        candle = Candle._make(row[:6])
        if why := _impossible(candle):
            raise Transient(f"the exchange answered a candle at {candle.at_ms} ms with {why}")
        if candles and candle.at_ms <= candles[-1].at_ms:
            raise Transient(f"the exchange answered the candle at {candle.at_ms} ms twice")
        if candles and (candle.at_ms - candles[-1].at_ms) % interval_ms:
            raise Transient(
                f"the exchange answered a candle at {candle.at_ms} ms, which is no whole number "
                "of candles after the one before it"
            )
        candles.append(candle)
    return candles


def _impossible(candle: Candle) -> str:
    """Why this was never traded; empty when it may have been."""
    try:
        opened, high, low, close, volume = (Decimal(text) for text in candle[1:])
    except (InvalidOperation, TypeError, ValueError):
        return "something that is not a number"
    if not all(number.is_finite() for number in (opened, high, low, close, volume)):
        return "a number that is not finite"
    if low <= 0 or volume < 0:
        return "a price that is not above zero, or a negative volume"
    if high < max(opened, close) or low > min(opened, close):
        return "a high below or a low above its other prices"
    return ""


def _demand_known(exchange_id: str) -> None:
    import ccxt

    if exchange_id not in ccxt.exchanges:
        near = get_close_matches(exchange_id, ccxt.exchanges, n=1)
        hint = f"did you mean {near[0]}?" if near else "write its id, such as binance"
        raise BadInput(f"ccxt knows no exchange {exchange_id!r}: {hint}")


def _interval_ms(exchange: Any, timeframe: str) -> int:
    if exchange.has.get("fetchOHLCV") is not True:
        raise BadInput(f"{exchange.id} offers no candles: choose another --exchange")
    offered = [name for name in exchange.timeframes or {} if name[-1] not in "My"]
    if timeframe not in offered:
        raise BadInput(
            f"{exchange.id} has no candles of {timeframe!r} (months and years differ in length): "
            f"choose --timeframe from {', '.join(offered)}"
        )
    return int(exchange.parse_timeframe(timeframe)) * 1000


def _demand_symbol(exchange: Any, symbol: str) -> None:
    if symbol not in exchange.markets:
        near = get_close_matches(symbol, list(exchange.markets), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "write it as PAXG/USDT"
        raise BadInput(f"{exchange.id} does not trade {symbol!r}: {hint}")


def _error(what: str, failed: CallFailed) -> BadInput | Transient:
    """What is left to do when public data cannot be had: nothing that a key would change."""
    message = f"cannot {what}: {failed.reason}"
    if failed.fate.needs_a_person:
        return BadInput(f"{message}; the exchange does not serve this machine: choose another")
    if failed.fate in (Fate.UNABLE, Fate.REFUSED):
        return BadInput(f"{message}; check --exchange, --symbol and --timeframe")
    return Transient(message, retry_after=failed.retry_after)


def _wanted_pause(state: RetryCallState) -> int:
    """Seconds that the exchange has asked for; 0 when it has not."""
    error = state.outcome.exception() if state.outcome else None
    return int(str(error.facts.get("retry_after", 0))) if isinstance(error, Transient) else 0


def _gives_up(state: RetryCallState) -> bool:
    return state.attempt_number >= ATTEMPTS or _wanted_pause(state) > LONGEST_PAUSE_SECONDS


def _pause(state: RetryCallState) -> float:
    return max(PAUSE_SECONDS * (1 << state.attempt_number), float(_wanted_pause(state)))
