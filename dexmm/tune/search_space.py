"""A search space: which settings may take which values, and what is sought among them. Pure.

Every value is held exactly as it would stand in a configuration file. A search moves over the
*numbers of the values* (0, 1, 2, ...), so that no setting is ever a binary float.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import prod

from dexmm.config.schema import (
    EDGE_MIN_BP,
    MAX_POOL_BP,
    MAX_SPREAD_BP,
    REFERENCE_MAX_BP,
    TWAP_MAX_TICKS,
    Config,
    parse_config,
)
from dexmm.errors import BadInput
from dexmm.tune.objectives import Constraint, Objective

Value = int | Decimal | str | bool
Settings = Mapping[str, Value]  # "strategy.edge_sigmas" -> its value

FOLLOWING: Mapping[str, Value] = {
    "strategy.edge_min_bp": EDGE_MIN_BP,
    "guards.reference_max_bp": REFERENCE_MAX_BP,
    "guards.twap_max_ticks": int(TWAP_MAX_TICKS),
    "exchange.max_pool_bp": MAX_POOL_BP,
    "exchange.max_spread_bp": MAX_SPREAD_BP,
}
TRIED = "the settings tried"  # what stands for a file's name while a configuration is checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A setting and the values it may take.

    ``ordered``: neighbours are alike, as numbers in a row are and words are not.
    ``log_from``: with 1 or more, value ``i`` is number ``log_from + i`` on a logarithmic scale.
    """

    name: str
    values: tuple[Value, ...]
    ordered: bool = True
    log_from: int = 0

    def index(self, value: object) -> int | None:
        """Which of the values this is; ``None`` when it is none of them."""
        return next((i for i, known in enumerate(self.values) if _same(known, value)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """``objectives`` are in order of weight: the first decides, the others break its ties."""

    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    source: str = "the default space"

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return prod(len(parameter.values) for parameter in self.parameters)

    def settings(self, indices: Mapping[str, int]) -> dict[str, Value]:
        return {p.name: p.values[indices[p.name]] for p in self.parameters}

    def place(self, config: Config) -> dict[str, int] | None:
        """Where a configuration stands in the space; ``None`` when it is outside."""
        found = {p.name: p.index(setting(config, p.name)) for p in self.parameters}
        return None if None in found.values() else {k: v for k, v in found.items() if v is not None}

    def fingerprint(self) -> str:
        """Equal for equal spaces, whatever file they stand in and however it is laid out."""
        body = json.dumps([[p.name, p.log_from, *map(str, p.values)] for p in self.parameters])
        return hashlib.sha256(body.encode()).hexdigest()[:16]


def setting(config: Config, name: str) -> object:
    """The value that ``config`` has for "section.key".

    What follows the pool's fee where it is not set counts as in a pool whose fee asks for nothing.
    """
    section, _, key = name.partition(".")
    value: object = getattr(getattr(config, section), key)
    return FOLLOWING[name] if value is None and name in FOLLOWING else value


def configured(config: Config, settings: Settings) -> Config:
    """``config`` with these settings instead. Raises ``BadInput`` when they do not go together."""
    values = config.model_dump(exclude_unset=True)
    for name, value in settings.items():
        section, _, key = name.partition(".")
        values[section] = {**values.get(section, {}), key: value}
    return parse_config(values, config.root, TRIED)


def refused(config: Config, settings: Settings) -> tuple[str, ...]:
    """What a configuration itself has against these settings, one sentence each."""
    try:
        configured(config, settings)
    except BadInput as error:
        return tuple(line.removeprefix(f"{TRIED}: ") for line in error.message.splitlines())
    return ()


def number(value: Decimal) -> int | Decimal:
    """As a person writes it: 2 instead of 2.00, 0.5 instead of 0.500."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def _same(one: Value, other: object) -> bool:
    numbers = all(isinstance(v, int | Decimal) and not isinstance(v, bool) for v in (one, other))
    return one == other and (numbers or type(one) is type(other))
