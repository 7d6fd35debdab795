"""Calldata from a signature and its arguments, and answers back into values."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak


def encode_call(signature: str, *arguments: Any) -> bytes:
    """Calldata: ``encode_call("transfer(address,uint256)", to, 5)``."""
    selector, types = _parse(signature)
    return selector + abi_encode(types, arguments)


def encode_arguments(types: str, *arguments: Any) -> bytes:
    """Arguments alone, as a constructor takes them: ``encode_arguments("address,uint24", ...)``."""
    return abi_encode(_split(types), arguments)


def decode_answer(types: str, data: bytes) -> tuple[Any, ...]:
    """The values in a call's answer: ``decode_answer("uint160,int24", data)``."""
    return abi_decode(_split(types), data)


def topic(event: str) -> str:
    """The first topic of an event: ``topic("Transfer(address,address,uint256)")``."""
    return "0x" + keccak(text=event).hex()


@cache
def _parse(signature: str) -> tuple[bytes, list[str]]:
    types = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4], _split(types)


@cache
def _split(types: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(types):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(types[start:at])
            start = at + 1
    return [*parts, types[start:]] if types else []
