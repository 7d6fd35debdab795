"""The journal's nouns as JSON and back, without loss.

Decimals and integers beyond 2**53 are written as strings, so that no reader in any language can
round them. Reading is strict about shape: a line that does not fit the model raises, since a
half-understood history is worse than none. What an earlier version did not write yet has its
default; what a later one writes besides goes with a new number of the schema (``database``).
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dexmm.errors import BadInput

T = TypeVar("T")

# Above this, a JSON number loses digits in every reader that keeps numbers as doubles.
EXACT_IN_A_DOUBLE = 2**53


def dump(noun: object) -> str:
    """One line of JSON for any frozen noun of ``dexmm.model``."""
    return json.dumps(jsonable(noun), separators=(",", ":"))


def load(kind: type[T], text: str | bytes) -> T:
    """The noun that ``dump`` wrote; ``BadInput`` when the text is not one."""
    try:
        noun: T = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"a stored {kind.__name__} cannot be read at {where or 'its start'}: {first['msg']}"
        ) from None
    return noun


def jsonable(noun: object) -> Any:
    """Plain dicts, lists and scalars, with decimals and big integers as strings."""
    return _big_integers_as_text(_adapter(type(noun)).dump_python(noun, mode="json"))


# Building an adapter costs a millisecond; a process uses a handful of kinds.
_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _big_integers_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _big_integers_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_big_integers_as_text(item) for item in value]
    if type(value) is int and not -EXACT_IN_A_DOUBLE <= value <= EXACT_IN_A_DOUBLE:
        return str(value)
    return value
