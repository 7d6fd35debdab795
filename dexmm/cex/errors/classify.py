"""What a failed call means: from the exchange's own code, the HTTP status and ccxt's exception.

What matters is not what went wrong but what is known afterwards (``fates``). The exchange's code
decides where it is documented (``error_table``), then the HTTP status, then ccxt's class. A ccxt
message holds the whole URL, signature included, so none is ever shown: only the exchange's own
words, with every secret struck.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

from dexmm.cex.errors.call_outcome import Fate as Fate
from dexmm.cex.errors.error_table import CERTAIN_SENTENCES, row_for
from dexmm.errors import BadInput, DexmmError, Halt, Transient

LONGEST_REASON = 200

# Where exchanges write their code and their words. Binance, OKX, KuCoin, Bitget and MEXC say
# ``code`` and ``msg``; Bybit ``retCode``, Gate ``label``, HTX ``err-code``, LBank ``error_code``,
# Bitvavo ``errorCode`` ...
CODES = ("code", "retCode", "err-code", "error_code", "errorCode", "label", "name")
TEXTS = ("msg", "message", "retMsg", "err-msg", "error_message", "errorMessage", "description")
# ... and further inside: Kraken a list of ``error``, Upbit, HitBTC and Deribit an object of that
# name, Coinbase ``error_response``, Bitstamp ``reason``, WhiteBIT ``errors`` by field.
INSIDE = ("reason", "error", "error_response", "errors")
SUCCESS = frozenset({"0", "0000", "00000", "200", "200000"})

# What is said where an exchange gives no words of its own: ccxt's classes, the narrower one first.
WORDS = {
    "RequestTimeout": "it did not answer in time",
    "RateLimitExceeded": "it was asked too often",
    "DDoSProtection": "it was asked too often",
    "OnMaintenance": "it is under maintenance",
    "InvalidNonce": "it did not accept the time of the request",
    "ExchangeNotAvailable": "it is not available",
    "NetworkError": "the connection failed",
    "BadResponse": "its answer is not whole",
    "PermissionDenied": "the key may not do this",
    "AuthenticationError": "it does not accept the key",
    "InsufficientFunds": "too little is free for the order",
    "OrderImmediatelyFillable": "a post-only order would have traded at once",
    "OrderNotFound": "it knows no such order",
    "BadSymbol": "it knows no such symbol",
}

# How CloudFront and Cloudflare say, with a 403, that a country is not served.
COUNTRY = ("block access from your country", "banned the country or region")

# How exchanges say that an order of this client id is there already.
THERE_ALREADY = ("duplicat", "repeated", "already exist", "already in use")


@dataclass(frozen=True, slots=True)
class Words:
    """An exchange's own explanation; empty where it gave none."""

    code: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.text, f"({self.code})" if self.code else "") if part)


class NotOffered(BadInput):
    """The exchange does not know the symbol or the question: the configuration is wrong, unless it
    knew them before."""


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
            return Halt(f"{message}; check the API key, its permissions and the account")
        if self.fate is Fate.RESTRICTED:
            return BadInput(
                f"{message}; the exchange does not serve this country, address or account: use "
                "another exchange or symbol in [exchange], or run where it may be used"
            )
        if self.fate is Fate.UNABLE:
            return NotOffered(f"{message}; check [exchange] in the configuration")
        return Transient(message, retry_after=self.retry_after)


def judge(
    error: Exception,
    status: int,
    retry_after: int,
    secrets: Collection[str],
    *,
    documents: str = "",
    body: str = "",
) -> CallFailed:
    """What an exception out of ccxt means.

    ``status`` and ``body`` are those of the HTTP answer, 0 and empty without one; ``documents``
    names the table of the exchange's codes (``error_table.documents_of``).
    """
    words = said(error, body)
    fate, filters = _fate(error, words, status, documents, body)
    return CallFailed(
        fate,
        _reason(error, words, status, secrets),
        retry_after=retry_after if fate is Fate.THROTTLED else 0,
        filters=fate is Fate.REFUSED and filters,
    )


def _fate(
    error: Exception, words: Words, status: int, documents: str, body: str
) -> tuple[Fate, bool]:
    """And whether steps, minimums or the symbol's status may have changed."""
    row = row_for(documents, words.code, words.text)
    if status in (418, 429):
        return Fate.THROTTLED, False
    # "Unavailable for legal reasons", or what a gateway in front says instead: the country.
    if status == 451 or (status == 403 and any(each in body for each in COUNTRY)):
        return Fate.RESTRICTED, False
    if status >= 500:
        sentence = CERTAIN_SENTENCES.get(documents)
        certain = (row is not None and row.certain) or (sentence is not None and sentence in body)
        return (row.fate if row and row.certain else Fate.BUSY) if certain else Fate.UNKNOWN, False
    if row is not None:
        return row.fate, row.filters
    return _by_class(error, words, status)


def _by_class(error: Exception, words: Words, status: int) -> tuple[Fate, bool]:
    """For what no document of ours names. Never for a 5xx: none of those says what was done."""
    import ccxt

    told = str(words).lower()
    if any(each in told for each in THERE_ALREADY):  # an order of this name is there: ours, then
        return Fate.UNKNOWN, False
    for kinds, fate in (
        ((ccxt.DuplicateOrderId,), Fate.UNKNOWN),
        ((ccxt.RestrictedLocation,), Fate.RESTRICTED),
        ((ccxt.AuthenticationError,), Fate.DENIED),
        ((ccxt.InvalidNonce,), Fate.CLOCK),
        ((ccxt.DDoSProtection, ccxt.RateLimitExceeded), Fate.THROTTLED),
        ((ccxt.OnMaintenance,), Fate.BUSY),
        ((ccxt.OrderNotFound,), Fate.NOT_FOUND),
        ((ccxt.NotSupported, ccxt.ArgumentsRequired, ccxt.BadSymbol), Fate.UNABLE),
        ((ccxt.InsufficientFunds, ccxt.OrderImmediatelyFillable), Fate.REFUSED),
    ):
        if isinstance(error, kinds):
            return fate, False
    if isinstance(error, ccxt.InvalidOrder | ccxt.BadRequest | ccxt.OperationRejected):
        return Fate.REFUSED, True
    if status == 401:
        return Fate.DENIED, False
    if status == 403 and not words.code:  # a firewall in front of the exchange: it never saw it
        return Fate.THROTTLED, False
    # A code that ccxt has no class for, on a request that the server says was at fault.
    answered_no = isinstance(error, ccxt.ExchangeError) and words.code and 400 <= status < 500
    return (Fate.REFUSED, True) if answered_no else (Fate.UNKNOWN, False)


def said(error: Exception, body: str = "") -> Words:
    """The exchange's code and text: from its answer, else out of what ccxt's message quotes."""
    import ccxt

    message = str(error) if isinstance(error, ccxt.BaseError) else ""
    if not message:  # something broke on an answer that was no refusal: its words explain nothing
        return Words()
    found = _object(body) or _object(message)
    if _first(found, CODES) in SUCCESS:  # ccxt has missed something in an answer that was a yes
        found, message = {}, message.partition("{")[0]
    details = found.get("data")
    if isinstance(details, list) and details and isinstance(details[0], dict):  # OKX
        first = details[0]
        if first.get("sCode"):
            found = {"code": first["sCode"], "msg": first.get("sMsg")}
    code, text = _first(found, CODES), _first(found, TEXTS)
    for name in INSIDE:  # what is nearer to the matter stands further inside
        code, text = code or _first(found.get(name), CODES), _inside(found.get(name)) or text
    if not found and "http" not in message:  # ccxt's own words, or the exchange's without a body
        text = message.partition(" ")[2].partition("<")[0].strip()
    return Words(code="" if text and text == code else code, text=text)


def _first(found: object, names: tuple[str, ...]) -> str:
    """The first of these that is there and plain."""
    if not isinstance(found, dict):
        return ""
    plain = (found.get(name) for name in names)
    texts = (str(p) for p in plain if isinstance(p, str | int) and not isinstance(p, bool))
    return next(filter(None, texts), "")


def _inside(found: object) -> str:
    """Words in what can be a text, a list of texts, or an object with a text in it."""
    if isinstance(found, str):
        return found
    if isinstance(found, dict):
        return _first(found, TEXTS) or next(filter(None, map(_inside, found.values())), "")
    if isinstance(found, list):
        return "; ".join(filter(None, map(_inside, found)))
    return ""


def _object(text: str) -> dict[str, Any]:
    """The first JSON object in a text; empty without one."""
    start = text.find("{")
    try:
        found = JSONDecoder().raw_decode(text, start)[0] if start >= 0 else {}
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(error: Exception, words: Words, status: int, secrets: Collection[str]) -> str:
    import ccxt

    shown = str(words)[:LONGEST_REASON]
    if not shown:
        kinds = (kind for kind in WORDS if isinstance(error, getattr(ccxt, kind)))
        broken = f"its answer makes no sense ({type(error).__name__})"
        shown = next((WORDS[kind] for kind in kinds), broken)
    if status >= 400:
        shown += f" [HTTP {status}]"
    return strike(shown, secrets)


def strike(text: str, secrets: Collection[str]) -> str:
    """The text without any secret that has found its way into it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
