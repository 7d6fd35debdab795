"""Strict parsing of what a node answers. Anything that is not the form it must have is a
``NodeError``: a node that lies once is not asked to be trusted twice."""

from __future__ import annotations

import re
from typing import Any

from dexmm.errors import NodeError

_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x([0-9a-fA-F]{2})*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def quantity(value: object, what: str) -> int:
    """A JSON-RPC quantity: minimal hexadecimal, at most 256 bits."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise NodeError(f"the node answered {what} with something that is not a number")
    return int(value, 16)


def data(value: object, what: str) -> bytes:
    """JSON-RPC data: whole bytes in hexadecimal."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise NodeError(f"the node answered {what} with something that is not bytes")
    return bytes.fromhex(value[2:])


def word(value: object, what: str) -> int:
    """Exactly 32 bytes, or a shorter quantity where nodes differ (``eth_getStorageAt``)."""
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value):
        raise NodeError(f"the node answered {what} with something that is not a word")
    return int(value, 16)


def hash32(value: object, what: str) -> str:
    """A 32-byte hash, in lower case."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise NodeError(f"the node answered {what} with something that is not a hash")
    return value.lower()


def address(value: object, what: str) -> str:
    """A 20-byte address, in lower case."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise NodeError(f"the node answered {what} with something that is not an address")
    return value.lower()


def mapping(value: object, what: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise NodeError(f"the node answered {what} with something that is not an object")
    return value


def listing(value: object, what: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise NodeError(f"the node answered {what} with something that is not a list")
    return value
