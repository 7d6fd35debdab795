"""Whether balances and what we know was filled tell the same story.

They come from different requests, so either can be ahead. Balances behind our fills are waited
for. Balances ahead of them (an order filled between two requests) leave a *surplus* that nobody
has explained: the next look asks for orders again, and the fill that is learnt then has been in
the balances all along.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dexmm.cex.balance_moves import Moves
from dexmm.cex.parsing import ZERO
from dexmm.errors import Transient

LAG_SECONDS = 30  # after which the exchange's word is taken, whatever we had expected
EMPTY_SECONDS = 120  # after which an account that is told empty is
SURPLUS_SECONDS = 120  # after which an unexplained move was a deposit, or a person's trade

NOBODY = Moves()  # where one client alone trades in the account


class Looks:
    """Remembers the last look at each amount, and what fills must have done to it since."""

    def __init__(self) -> None:
        self._last: dict[str, Decimal] | None = None
        self._lagging_since: int | None = None
        self._surplus: dict[str, Decimal] = {}
        self._surplus_at = 0
        self._empty_since: int | None = None
        self._gone: set[str] = set()  # positions that were told once to be no more

    @property
    def unsettled(self) -> bool:
        """Whether amounts have moved, while orders were open, by what no fill explains yet."""
        return bool(self._surplus)

    def moved(self, amounts: Mapping[str, Decimal]) -> bool:
        """Whether anything is other than at the last look. True when there was none."""
        if self._last is None:
            return True
        names = set(self._last) | set(amounts)
        return any(self._last.get(n, ZERO) != amounts.get(n, ZERO) for n in names)

    def lagging(
        self, amounts: Mapping[str, Decimal], moves: Moves, others: Moves = NOBODY
    ) -> tuple[str, ...]:
        """Names that our fills explain worse than if nothing had been filled.

        Deposits and other people's orders move amounts too, so nearness decides, not equality.
        """
        late = []
        for name, move in moves.by_name.items():
            told = self._told(name, amounts.get(name, ZERO))
            theirs = (ZERO, others.by_name.get(name, ZERO))
            without = min(abs(told - other) for other in theirs)
            if self._last is not None and without < min(abs(told - o - move) for o in theirs):
                late.append(name)
        return tuple(sorted(late))

    def unexplained(self, name: str, now: Decimal, moves: Moves, others: Moves = NOBODY) -> Decimal:
        """How far an amount is from where our known fills have moved it; 0 before any look."""
        if self._last is None:
            return ZERO
        rest = self._told(name, now) - moves.by_name.get(name, ZERO)
        return min(rest, rest - others.by_name.get(name, ZERO), key=abs)

    def accept(
        self,
        amounts: Mapping[str, Decimal],
        moves: Moves,
        now: int,
        *,
        orders_open: bool,
        others: Moves = NOBODY,
    ) -> None:
        """Begin anew from here. A surplus is kept while an order of ours may yet explain it."""
        names = set(amounts) | set(self._last or ())
        rest = {n: self.unexplained(n, amounts.get(n, ZERO), moves, others) for n in names}
        surplus = {name: amount for name, amount in rest.items() if amount}
        if not self._surplus:
            self._surplus_at = now
        expired = now - self._surplus_at > SURPLUS_SECONDS
        self._surplus = surplus if orders_open and not expired else {}
        self._last = dict(amounts)
        self._lagging_since = None
        moves.by_name.clear()
        others.by_name.clear()

    def demand_coins(self, amounts: Mapping[str, Decimal], now: int) -> None:
        """Raises ``Transient`` for a while when an account that held coins is told without any: so
        is an answer that was not worked out. Later it is the exchange's word.
        """
        last = self._last or {}
        held = sorted(name for name, amount in last.items() if amount and ":" not in name)
        if amounts or not held:
            self._empty_since = None
            return
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since <= EMPTY_SECONDS:
            raise Transient(f"the exchange tells an account without {', '.join(held)} and all else")

    def demand_position(self, name: str, now: Decimal, moves: Moves) -> None:
        """Raises ``Transient`` once when a position is gone that no fill of ours has closed: an
        answer that lists none is believed when it comes a second time.
        """
        before = (self._last or {}).get(name, ZERO)
        if not before or now or moves.by_name.get(name):
            self._gone.discard(name)
        elif name not in self._gone:
            self._gone.add(name)
            raise Transient(f"the exchange tells no position in {name}, where {before:f} was held")

    def demand_patience(self, late: tuple[str, ...], now: int) -> None:
        """Raises ``Transient`` for as long as it makes sense to wait."""
        if self._lagging_since is None:
            self._lagging_since = now
        if now - self._lagging_since <= LAG_SECONDS:
            raise Transient(f"the exchange's balances lag behind our fills in {', '.join(late)}")

    def _told(self, name: str, now: Decimal) -> Decimal:
        """How far the exchange has moved an amount, with what it had moved too early before."""
        return now - (self._last or {}).get(name, ZERO) + self._surplus.get(name, ZERO)
