"""How many orders were sent and cancelled lately: the cancel budget's two numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dexmm.model.order import OrderIntent, OrderLog, OrderStatus

CANCELLED = "cancelled by us"


class Tally:
    """Counts in memory, beginning from what the log remembers of the window."""

    def __init__(
        self, log: OrderLog, account: str, window_seconds: int, clock: Callable[[], int]
    ) -> None:
        self._window = window_seconds
        self._clock = clock
        remembered = log.orders_since(account, clock() - window_seconds)
        counted = [order for order in remembered if order.status is not OrderStatus.REJECTED]
        self._sent = deque(order.created_at for order in counted)
        self._cancelled = deque(o.created_at for o in counted if was_cancelled(o))

    def sent(self) -> None:
        self._sent.append(self._clock())

    def cancelled(self) -> None:
        self._cancelled.append(self._clock())

    def counts(self) -> tuple[int, int]:
        """Orders sent and orders cancelled within the window."""
        oldest = self._clock() - self._window
        for times in (self._sent, self._cancelled):
            while times and times[0] < oldest:
                times.popleft()
        return len(self._sent), len(self._cancelled)


def was_cancelled(order: OrderIntent) -> bool:
    """By us, before it was filled."""
    return order.detail.partition(";")[0] == CANCELLED
