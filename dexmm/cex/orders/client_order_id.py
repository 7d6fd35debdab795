"""Client order ids: what an order is known by before the exchange has ever seen it.

The same intent always has the same id, and another order of the same kind in the same second,
being another intent, has another. How an id is written depends on what the exchange carries
(``carry.form_of``):

=========  =============================================  =========================================
form       written as                                     where
=========  =============================================  =========================================
TEXT_32    ``dexmm``, a letter for the purpose, 26 hex    everywhere else
           digits of a hash over the whole intent
TEXT_28    ``t-`` before it, 20 hex digits                Gate, which puts ``t-`` before any id that
                                                          does not begin with t: 28 in all
TEXT_18    12 hex digits                                  Kraken: 18 characters, or a UUID
UUID       of version 4: the ASCII codes of ``dexmm``     Coinbase Exchange, One Trading
           and the letter in its first six bytes, 18
           hex digits
=========  =============================================  =========================================
"""

from __future__ import annotations

import hashlib
from enum import Enum
from itertools import accumulate, pairwise

from dexmm.model.order import OrderIntent, Purpose

PREFIX = "dexmm"
LETTERS = {
    Purpose.HEDGE: "h",
    Purpose.QUOTE: "q",
    Purpose.SLICE: "s",
    Purpose.TRIANGLE: "t",
    Purpose.UNWIND: "u",
    Purpose.EXIT: "x",
}
LENGTH = 32
GATE = "t-"
UUID_PARTS = (8, 4, 4, 4, 12)  # hexadecimal digits between the dashes


class Form(Enum):
    """How a client id is written; the value is the form in words."""

    TEXT_32 = "32 letters and digits"
    TEXT_28 = "28 characters beginning with t-"
    TEXT_18 = "18 letters and digits"
    UUID = "a UUID"

    def write(self, letter: str, digest: str) -> str:
        """``letter`` is the purpose's, ``digest`` at least 26 hexadecimal digits."""
        head = PREFIX + letter
        match self:
            case Form.TEXT_32:
                return head + digest[: LENGTH - len(head)]
            case Form.TEXT_28:
                return GATE + head + digest[: 28 - len(GATE + head)]
            case Form.TEXT_18:
                return head + digest[: 18 - len(head)]
            case Form.UUID:
                digits = f"{head.encode().hex()}4{digest[:3]}a{digest[3:18]}"
                ends = list(accumulate(UUID_PARTS, initial=0))
                return "-".join(digits[a:b] for a, b in pairwise(ends))

    def reads(self, client_id: str) -> str | None:
        """The letter of the purpose, when it is an id of ours in this form."""
        length = {Form.TEXT_32: LENGTH, Form.TEXT_28: 28, Form.TEXT_18: 18, Form.UUID: 36}[self]
        if len(client_id) != length:
            return None
        bare = client_id
        if self is Form.TEXT_28:
            if not client_id.startswith(GATE):
                return None
            bare = client_id.removeprefix(GATE)
        if self is Form.UUID:
            head = client_id.replace("-", "")[: 2 * (len(PREFIX) + 1)]
            try:
                bare = bytes.fromhex(head).decode("ascii")
            except ValueError:
                return None
        return bare[len(PREFIX)] if bare.startswith(PREFIX) and len(bare) > len(PREFIX) else None


def client_order_id(intent: OrderIntent, ordinal: int, form: Form = Form.TEXT_32) -> str:
    """``ordinal``: how many orders the account had stored in this second before this one."""
    facts = (
        intent.account,
        intent.symbol,
        intent.side.value,
        intent.kind.value,
        intent.purpose.value,
        str(intent.amount.normalize()),
        str(intent.price.normalize()),
        str(intent.reduce_only),
        str(intent.created_at),
        str(ordinal),
    )
    digest = hashlib.sha256("|".join(facts).encode()).hexdigest()
    return form.write(LETTERS[intent.purpose], digest)


def is_ours(client_id: str | None) -> bool:
    """In whichever form it is written: an account may have been traded by an older version."""
    return client_id is not None and _letter(client_id) is not None


def purpose_of(client_id: str) -> Purpose:
    """Of one of our orders that the log has lost; one that nobody can tell is a quote."""
    letter = _letter(client_id)
    return next((p for p, known in LETTERS.items() if known == letter), Purpose.QUOTE)


def _letter(client_id: str) -> str | None:
    return next((letter for form in Form if (letter := form.reads(client_id))), None)
