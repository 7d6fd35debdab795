"""The perpetual: looked at when it is held, or may be what the hedge needs next.

Between two looks a flat account stays as it was last seen: only our own orders change it, and an
order in it is a reason to look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from dexmm.cex.balance_moves import Moves
from dexmm.cex.balances import counted_once, read_perpetual
from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed, Fate
from dexmm.cex.order_books import read_book
from dexmm.cex.orders.reconciliation import Reconciler
from dexmm.cex.parsing import maybe, record
from dexmm.cex.trading_venue import Desk
from dexmm.model.venue import Book, Perpetual


class SwapWatch:
    def __init__(
        self,
        desk: Desk,
        symbol: str,
        reconciler: Reconciler,
        now_ms: Callable[[], int],
    ) -> None:
        self.desk = desk
        self.symbol = symbol
        self.position: Perpetual | None = None  # as it was last seen
        self._reconciler = reconciler
        self._now_ms = now_ms
        self._shared = False  # one account holds spot balances and is the margin too
        self._leverage: Decimal | None = None
        self._mode_in_doubt = False
        self._hedge_mode = False

    def is_near(self, base_free: Decimal | None, slice_base: Decimal, moves: Moves) -> bool:
        """Held, traded since the last look, ordered, or next in line: spot base has run low."""
        if self.position is None or self.position.base or self.symbol in moves.by_name:
            return True
        low = base_free is not None and base_free < slice_base
        return low or bool(self._reconciler.stored(self.symbol))

    def look(self, *, reconcile: bool) -> tuple[Book, Perpetual]:
        """Book, position, margin and funding; open orders when asked or when there are some."""
        if reconcile or self._reconciler.stored(self.symbol):
            self._reconciler.reconcile(self.symbol)
        if reconcile or self._leverage is None:
            self._leverage = self._read_leverage()
        if self._mode_in_doubt or (reconcile and self._hedge_mode):
            self._hedge_mode, self._mode_in_doubt = self._read_hedge_mode(), False
        book = read_book(self.desk.lane, self.symbol, self._now_ms())
        position = read_perpetual(
            self.desk.lane,
            self.desk.instrument(self.symbol),
            self.desk.size(self.symbol),
            book,
            shared=self._shared,
        )
        return book, replace(
            position,
            leverage=self._leverage or position.leverage,
            hedge_mode=position.hedge_mode or self._hedge_mode,
        )

    def counted_once(self, spot: Lane, position: Perpetual) -> Perpetual:
        """See ``accounts.counted_once``; from then on the account is not asked for here."""
        once = counted_once(spot, self.desk.lane, position)
        self._shared = once.shared
        return once

    def forget_leverage(self) -> None:
        self._leverage = None

    def doubt_mode(self) -> None:
        """An order was refused here: the next look asks whether the account is in hedge mode."""
        self._mode_in_doubt = True

    def _read_hedge_mode(self) -> bool:
        lane = self.desk.lane
        if lane.exchange.has.get("fetchPositionMode") is not True:
            return False
        answer = lane.read("read the position mode", "fetch_position_mode", self.symbol)
        return record(answer, "position mode").get("hedged") is True

    def _read_leverage(self) -> Decimal | None:
        """The symbol's setting; ``None`` where it is told with the position only."""
        lane = self.desk.lane
        if not lane.exchange.has.get("fetchLeverage"):
            return None
        try:
            answer = record(lane.ask("fetch_leverage", self.symbol), "leverage")
        except CallFailed as failed:
            if failed.fate is Fate.UNABLE:  # ccxt has it for spot margin alone (Gate)
                return None
            raise failed.as_error(f"read the leverage of {self.symbol}") from None
        return maybe(answer.get("shortLeverage"), "leverage")
