"""Client order ids: what an order is known by before the exchange has ever seen it.

``dexmm`` + one letter for the purpose + 26 hexadecimal digits of a hash over the whole intent.
Thirty-two lower-case letters and digits that begin with a letter are legal at every exchange that
is documented here. The same intent always has the same id, and another order of the same kind in
the same second, being another intent, has another.
"""

from __future__ import annotations

import hashlib

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


def client_order_id(intent: OrderIntent, ordinal: int) -> str:
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
    head = PREFIX + LETTERS[intent.purpose]
    return head + hashlib.sha256("|".join(facts).encode()).hexdigest()[: LENGTH - len(head)]


def is_ours(client_id: str | None) -> bool:
    return client_id is not None and len(client_id) == LENGTH and client_id.startswith(PREFIX)


def purpose_of(client_id: str) -> Purpose:
    """Of one of our orders that the log has lost; one that nobody can tell is a quote."""
    letter = client_id[len(PREFIX)]
    return next((p for p, known in LETTERS.items() if known == letter), Purpose.QUOTE)
