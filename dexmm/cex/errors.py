"""What a failed call means, from ccxt's exceptions.

What matters is not what went wrong but what is known afterwards:

    REFUSED    the exchange answered no, in its own words: what was asked has not happened
    NOT_FOUND  the exchange does not know the order
    THROTTLED  it did not look at the request (429, 418): come back after ``retry_after``
    CLOCK      it did not accept the timestamp: what was asked has not happened
    DENIED     the key is wrong or may not do this: a person is needed
    UNABLE     ccxt or the exchange does not offer it, or the symbol does not exist
    UNKNOWN    no answer that can be trusted: what was asked may have happened

Everything that is not known to be something else is UNKNOWN. A ccxt message holds the whole URL,
signature included, so none is ever shown: only the exchange's own words, with every secret struck.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from json import JSONDecoder

from dexmm.errors import BadInput, DexmmError, Halt, Transient

DUPLICATE_CODES = frozenset({"-4116"})  # Binance USD-M; its spot has one code for every refusal
DUPLICATE_WORDS = frozenset({"Duplicate order sent."})
LONGEST_REASON = 200


class Fate(StrEnum):
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    CLOCK = "clock"
    DENIED = "denied"
    UNABLE = "unable"
    UNKNOWN = "unknown"

    @property
    def happened_not(self) -> bool:
        """Whether it is certain that the exchange did not do what was asked."""
        return self not in (Fate.UNKNOWN, Fate.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Words:
    """An exchange's own explanation; empty where it gave none."""

    code: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.text, f"({self.code})" if self.code else "") if part)


class CallFailed(Exception):
    """A call that gave no usable answer. ``reason`` is fit to be shown and stored."""

    def __init__(self, fate: Fate, reason: str, *, retry_after: int = 0, filters: bool = False):
        super().__init__(reason)
        self.fate = fate
        self.reason = reason
        self.retry_after = retry_after  # seconds; 0: unknown
        self.filters = filters  # the refusal may come from steps or minimums we hold in cache

    def as_error(self, what: str) -> DexmmError:
        """For a read: what the runner does next. ``what`` could not be done, as "read the book"."""
        message = f"cannot {what}: {self.reason}"
        if self.fate is Fate.DENIED:
            return Halt(f"{message}; check the API key and its permissions")
        if self.fate is Fate.UNABLE:
            return BadInput(f"{message}; check [exchange] in the configuration")
        return Transient(message, retry_after=self.retry_after)


def judge(error: Exception, status: int, retry_after: int, secrets: Collection[str]) -> CallFailed:
    """What an exception out of ccxt means; ``status`` is that of the HTTP answer, 0 without one."""
    import ccxt

    words = said(error)
    reason = _reason(error, words, status, secrets)
    fate = _fate(error, words, status)
    soft = isinstance(error, ccxt.InsufficientFunds | ccxt.OrderImmediatelyFillable)
    filters = isinstance(error, ccxt.ExchangeError) and not soft
    return CallFailed(
        fate,
        reason,
        retry_after=retry_after if fate is Fate.THROTTLED else 0,
        filters=fate is Fate.REFUSED and filters,
    )


def _fate(error: Exception, words: Words, status: int) -> Fate:
    import ccxt

    if words.code in DUPLICATE_CODES or words.text in DUPLICATE_WORDS:
        return Fate.UNKNOWN  # one of this name is there already: ours, then
    if status in (418, 429):
        return Fate.THROTTLED
    for kinds, fate in (
        ((ccxt.DuplicateOrderId,), Fate.UNKNOWN),
        ((ccxt.AuthenticationError, ccxt.RestrictedLocation), Fate.DENIED),
        ((ccxt.InvalidNonce,), Fate.CLOCK),
        ((ccxt.DDoSProtection, ccxt.RateLimitExceeded), Fate.THROTTLED),
        ((ccxt.OrderNotFound,), Fate.NOT_FOUND),
        ((ccxt.NotSupported, ccxt.ArgumentsRequired, ccxt.BadSymbol), Fate.UNABLE),
        (
            (ccxt.InsufficientFunds, ccxt.InvalidOrder, ccxt.BadRequest, ccxt.OperationRejected),
            Fate.REFUSED,
        ),
    ):
        if isinstance(error, kinds):
            # A 5xx can carry any words; none of them says what was done before it.
            return Fate.UNKNOWN if status >= 500 else fate
    # A code that ccxt has no class for, on a request that the server says was at fault.
    answered_no = isinstance(error, ccxt.ExchangeError) and words.code and 400 <= status < 500
    return Fate.REFUSED if answered_no else Fate.UNKNOWN


def said(error: Exception) -> Words:
    """The exchange's code and text, out of the JSON that ccxt quotes in its message."""
    import ccxt

    message = str(error) if isinstance(error, ccxt.BaseError) else ""
    start = message.find("{")
    try:
        body = JSONDecoder().raw_decode(message, start)[0] if start >= 0 else {}
    except json.JSONDecodeError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    details = body.get("data")
    if isinstance(details, list) and details and isinstance(details[0], dict):  # OKX
        body = {"code": details[0].get("sCode"), "msg": details[0].get("sMsg")}
    text = body.get("msg") or body.get("message") or ""
    if not body and "http" not in message:  # ccxt's own words, or the exchange's without a body
        text = message.partition(" ")[2]
    return Words(code=str(body.get("code") or ""), text=str(text))


def _reason(error: Exception, words: Words, status: int, secrets: Collection[str]) -> str:
    import ccxt

    shown = str(words)[:LONGEST_REASON]
    if not shown:
        shown = {
            ccxt.RequestTimeout: "it did not answer in time",
            ccxt.ExchangeNotAvailable: "it is not available",
            ccxt.BadResponse: "its answer is not whole",
            ccxt.NetworkError: "the connection failed",
        }.get(type(error), f"its answer makes no sense ({type(error).__name__})")
    if status >= 400:
        shown += f" [HTTP {status}]"
    return strike(shown, secrets)


def strike(text: str, secrets: Collection[str]) -> str:
    """The text without any secret that has found its way into it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
