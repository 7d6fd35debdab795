"""What a pool says about itself: five events, where each value of one stands, and the columns
that a file of them has.

One row is one log. A column that an event has no value for is null in its rows. Amounts are in
smallest units, as the chain has them: in a swap positive is what the pool received.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa


class Word(Enum):
    """What a word of 32 bytes is, in a topic or in the data."""

    ADDRESS = "address"
    TICK = "int24"
    SIGNED = "int256"
    UINT256 = "uint256"
    UINT160 = "uint160"
    UINT128 = "uint128"


Fields = tuple[tuple[str, Word], ...]


@dataclass(frozen=True, slots=True)
class Event:
    """``topic`` is the hash of its signature; ``indexed`` are the topics after it."""

    kind: str
    topic: str
    indexed: Fields
    data: Fields


OWNER: Fields = (("owner", Word.ADDRESS), ("tick_lower", Word.TICK), ("tick_upper", Word.TICK))
EVENTS = (
    Event(
        "swap",
        "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
        (("sender", Word.ADDRESS), ("recipient", Word.ADDRESS)),
        (
            ("amount0", Word.SIGNED),
            ("amount1", Word.SIGNED),
            ("sqrt_price_x96", Word.UINT160),
            ("liquidity", Word.UINT128),
            ("tick", Word.TICK),
        ),
    ),
    Event(
        "mint",
        "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde",
        OWNER,
        (
            ("sender", Word.ADDRESS),
            ("amount", Word.UINT128),
            ("amount0", Word.UINT256),
            ("amount1", Word.UINT256),
        ),
    ),
    Event(
        "burn",
        "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c",
        OWNER,
        (("amount", Word.UINT128), ("amount0", Word.UINT256), ("amount1", Word.UINT256)),
    ),
    Event(
        "collect",
        "0x70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0",
        OWNER,
        (("recipient", Word.ADDRESS), ("amount0", Word.UINT128), ("amount1", Word.UINT128)),
    ),
    Event(
        "initialize",
        "0x98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95",
        (),
        (("sqrt_price_x96", Word.UINT160), ("tick", Word.TICK)),
    ),
)
KINDS = tuple(event.kind for event in EVENTS)

_ADDRESS, _NUMBER = pa.binary(20), pa.decimal256(76, 0)
SCHEMA = pa.schema(
    [
        pa.field("block_number", pa.int64(), nullable=False),
        pa.field("block_timestamp", pa.int64()),  # seconds; null where nobody has asked for it
        pa.field("tx_hash", pa.binary(32), nullable=False),
        pa.field("log_index", pa.int32(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("sender", _ADDRESS),
        pa.field("owner", _ADDRESS),
        pa.field("recipient", _ADDRESS),
        pa.field("tick_lower", pa.int32()),
        pa.field("tick_upper", pa.int32()),
        pa.field("amount", _NUMBER),  # liquidity, of a mint or a burn
        pa.field("amount0", _NUMBER),
        pa.field("amount1", _NUMBER),
        pa.field("sqrt_price_x96", _NUMBER),
        pa.field("liquidity", _NUMBER),
        pa.field("tick", pa.int32()),
    ]
)
