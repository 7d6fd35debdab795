"""Who asks, and whether it was they who asked: key, signature, timestamp.

What is signed is the query string followed by the body, as they were sent, without the
signature itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from dexmm.paper_exchange.api.query import Query
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.clock import Clock
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.ledger import Ledger

KEY_FORMAT = re.compile(r"^[A-Za-z0-9]{10,128}$")
DEFAULT_WINDOW_MS, LONGEST_WINDOW_MS = 5_000, 60_000


def identify(ledger: Ledger, api_key: str | None) -> Account:
    """The account of a key; ``-2014`` for what cannot be one, ``-2015`` for an unknown one."""
    if api_key is None or not KEY_FORMAT.match(api_key):
        raise Refused(error_codes.BAD_KEY_FORMAT)
    account = ledger.by_key(api_key)
    if account is None:
        raise Refused(error_codes.UNKNOWN_KEY)
    return account


def check_signature(account: Account, query: Query, query_string: str, body: str) -> None:
    """Raises ``-1102`` without a signature, ``-1022`` for a wrong one."""
    signature = query.text("signature")
    payload = _without_signature(query_string) + _without_signature(body)
    expected = hmac.new(account.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise Refused(error_codes.BAD_SIGNATURE)


def check_timestamp(query: Query, clock: Clock) -> None:
    """Raises ``-1021`` for a request from the future, or from longer ago than its window."""
    window = query.integer("recvWindow", DEFAULT_WINDOW_MS)
    if window > LONGEST_WINDOW_MS:
        raise Refused(error_codes.RECV_WINDOW_TOO_LARGE)
    refused = clock.accepts(query.integer("timestamp"), window)
    if refused:
        raise Refused(
            error_codes.TIMESTAMP_AHEAD if refused == "ahead" else error_codes.TIMESTAMP_OUTSIDE
        )


def _without_signature(sent: str) -> str:
    return "&".join(part for part in sent.split("&") if not part.startswith("signature="))
