"""Binance's rate limits: weight a minute and orders a window, and what happens beyond them.

Windows are fixed, not sliding, as Binance's are. Beyond a limit the answer is 429 with
Retry-After until the window ends; whoever goes on regardless is banned: 418, two minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.paper_exchange.engine.error_codes import (
    BANNED,
    TOO_MANY_ORDERS,
    TOO_MANY_REQUESTS,
    Problem,
)
from dexmm.paper_exchange.engine.settings import Limits

TEN_SECONDS, MINUTE, DAY = 10_000, 60_000, 86_400_000
PATIENCE = 10  # refusals in one window before the ban
BAN_MS = 2 * MINUTE


class Limited(Exception):
    """A refusal with the time after which it is worth asking again."""

    def __init__(self, problem: Problem, retry_after_s: int) -> None:
        super().__init__(problem.msg)
        self.problem = problem
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Window:
    length_ms: int
    limit: int
    start_ms: int = 0
    used: int = 0

    def charge(self, amount: int, now_ms: int) -> bool:
        """Count ``amount``; False when that is beyond the limit."""
        start = now_ms - now_ms % self.length_ms
        if start != self.start_ms:
            self.start_ms, self.used = start, 0
        self.used += amount
        return self.used <= self.limit

    def rest_s(self, now_ms: int) -> int:
        return max(1, -(-(self.start_ms + self.length_ms - now_ms) // 1000))


@dataclass(slots=True)
class Meter:
    """One API's windows: spot and futures are counted apart."""

    weight: Window
    orders: dict[str, Window]
    refusals: int = 0
    banned_until_ms: int = 0

    def charge(self, weight: int, now_ms: int) -> None:
        """Count a request; raises ``Limited``."""
        if now_ms < self.banned_until_ms:
            raise Limited(BANNED, -(-(self.banned_until_ms - now_ms) // 1000))
        if self.weight.charge(weight, now_ms):
            self.refusals = 0
            return
        self.refusals += 1
        if self.refusals > PATIENCE:
            self.refusals, self.banned_until_ms = 0, now_ms + BAN_MS
            raise Limited(BANNED, BAN_MS // 1000)
        raise Limited(TOO_MANY_REQUESTS, self.weight.rest_s(now_ms))

    def charge_order(self, now_ms: int) -> None:
        """Count an order; raises ``Limited``."""
        for window in self.orders.values():
            if not window.charge(1, now_ms):
                raise Limited(TOO_MANY_ORDERS, window.rest_s(now_ms))

    def answer_headers(self, *, with_orders: bool) -> dict[str, str]:
        shown = {"X-MBX-USED-WEIGHT-1M": str(self.weight.used)}
        if with_orders:
            for name, window in self.orders.items():
                shown[f"X-MBX-ORDER-COUNT-{name}"] = str(window.used)
        return shown


def meters(limits: Limits) -> dict[str, Meter]:
    """One for each API; wallet requests (sapi) count as spot."""
    return {
        "spot": Meter(
            Window(MINUTE, limits.spot_weight),
            {
                "10S": Window(TEN_SECONDS, limits.spot_orders_10s),
                "1D": Window(DAY, limits.spot_orders_day),
            },
        ),
        "futures": Meter(
            Window(MINUTE, limits.futures_weight),
            {
                "10S": Window(TEN_SECONDS, limits.futures_orders_10s),
                "1M": Window(MINUTE, limits.futures_orders_minute),
            },
        ),
    }


def told_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    """A limit as ``exchangeInfo`` tells it."""
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }
