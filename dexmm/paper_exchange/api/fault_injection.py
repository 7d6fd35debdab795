"""Rehearsed faults: what goes wrong, on which request, how often.

A rule is as narrow as a rehearsal needs: "the second ``POST /api/v3/order`` times out after it
was accepted, once". The first rule that applies to a request is the one that happens to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from dexmm.errors import BadInput


class Effect(StrEnum):
    RATE_LIMIT = "rate_limit"  # 429, or 418 with status=418; Retry-After from seconds
    SERVER_ERROR = "server_error"  # 503, or another status; not executed unless applied=true
    REJECT = "reject"  # a Binance error: code, and msg where its usual text will not do
    TIMEOUT_BEFORE = "timeout_before"  # silence for seconds; nothing was done
    TIMEOUT_AFTER = "timeout_after"  # silence for seconds; it was done
    DROP = "drop"  # the connection ends in the middle of the answer; it was done
    TRUNCATE = "truncate"  # a whole answer with half of its JSON; it was done
    STALE = "stale"  # the first answer again and again, with its Age as an HTTP cache tells it
    CROSSED_BOOK = "crossed_book"  # bids above asks, in depth and book tickers
    EMPTY_BOOK = "empty_book"  # nobody there, in depth and book tickers
    PARTIAL_FILL = "partial_fill"  # an order fills by fraction at most, and then falls silent
    FILL_ON_CANCEL = "fill_on_cancel"  # fraction of what rests fills before the cancel arrives
    LAG_BALANCES = "lag_balances"  # balances as they were before the last fills
    SUSPEND = "suspend"  # from then on the symbol does not trade
    PRECISION = "precision"  # from then on the symbol has tick_size and/or step_size


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """``endpoint`` is "METHOD /path", where ``*`` stands for anything.

    ``nth`` is the first matching request that it happens to, ``times`` to how many in a row;
    0 times is without end.
    """

    endpoint: str
    effect: Effect
    nth: int = 1
    times: int = 1
    symbol: str = ""  # only requests for it; for suspend and precision, what is changed
    status: int = 0
    code: int = 0
    msg: str = ""
    seconds: Decimal = Decimal(30)
    fraction: Decimal = Decimal("0.5")
    applied: bool = False
    tick_size: Decimal = Decimal(0)
    step_size: Decimal = Decimal(0)

    def concerns(self, method: str, path: str, symbol: str) -> bool:
        if self.symbol and symbol and symbol != self.symbol:
            return False
        return fnmatchcase(f"{method} {path}", self.endpoint)


def parse_rule(given: object) -> FaultRule:
    """From JSON. ``BadInput`` names what is wrong."""
    if not isinstance(given, dict):
        raise BadInput("a fault must be a JSON object with endpoint and effect")
    known = {each.name: str(each.type) for each in fields(FaultRule)}
    if unknown := sorted(set(given) - set(known)):
        raise BadInput(f"a fault has no {unknown[0]!r}: choose from {', '.join(known)}")
    if missing := [name for name in ("endpoint", "effect") if not given.get(name)]:
        raise BadInput(f"a fault must say its {missing[0]}")
    read: dict[str, Any] = {name: _value(name, known[name], value) for name, value in given.items()}
    rule = FaultRule(**read)
    if rule.nth < 1 or rule.times < 0 or rule.seconds < 0 or not 0 <= rule.fraction <= 1:
        raise BadInput(
            "a fault needs nth from 1, times and seconds from 0, and fraction from 0 to 1"
        )
    return rule


def _value(name: str, kind: str, value: object) -> object:
    try:
        if kind == "Effect":
            return Effect(str(value))
        if kind == "Decimal":
            return Decimal(str(value))
    except (ValueError, InvalidOperation):
        choices = f": choose from {', '.join(Effect)}" if kind == "Effect" else ""
        raise BadInput(f"{value!r} cannot be a fault's {name}{choices}") from None
    wanted = {"int": int, "bool": bool, "str": str}[kind]
    if type(value) is not wanted:
        raise BadInput(f"{value!r} cannot be a fault's {name}: it must be {kind}")
    return value


@dataclass(slots=True)
class Armed:
    """A rule and how far it has come. ``kept`` is what a stale answer repeats, by request: status,
    body, and since when (milliseconds)."""

    rule: FaultRule
    seen: int = 0
    happened: int = 0
    kept: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return 0 < self.rule.times <= self.happened


class Faults:
    def __init__(self) -> None:
        self.armed: list[Armed] = []

    def add(self, rule: FaultRule) -> None:
        self.armed.append(Armed(rule))

    def clear(self) -> None:
        self.armed.clear()

    def wait_for(self, effect: Effect) -> bool:
        """Whether a rule of this effect may still happen."""
        return any(a.rule.effect is effect and not a.is_over for a in self.armed)

    def next(self, method: str, path: str, symbol: str) -> Armed | None:
        """What happens to this request. Counts it for every rule that it concerns."""
        struck: Armed | None = None
        for armed in self.armed:
            rule = armed.rule
            if not rule.concerns(method, path, symbol):
                continue
            armed.seen += 1
            if struck is None and armed.seen >= rule.nth and not armed.is_over:
                armed.happened += 1
                struck = armed
        return struck
