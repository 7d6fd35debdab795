"""A turn on the exchange that ends itself with SIGKILL before its n-th effect. Run as a program.

What it wants: 5.0999 PAXG (one IOC of 0.1 from 5), then no resting order of its own. Run again
after any death, it does what is left of that, as a turn does: the difference, not the list.

    python killed_turn.py ROOT URL KILL_AT AHEAD
"""

from __future__ import annotations

import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cex.cex_world import Hand, Trader

WANTED = Decimal("5.0999")


class Fuse:
    """Counts effects: log writes and requests that change the exchange, before and after each."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def burn(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner: Any, name: str, concerns: Any) -> None:
        inner = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            if not concerns(arguments):
                return inner(*arguments, **named)
            self.burn()
            answer = inner(*arguments, **named)
            self.burn()
            return answer

        setattr(owner, name, wrapped)


def main(root: str, url: str, kill_at: int, ahead: int) -> None:
    clock = Hand(ahead)
    trader = Trader(Path(root), SimpleNamespace(url=url), clock)  # type: ignore[arg-type]
    fuse = Fuse(kill_at)
    fuse.wrap(trader.log, "save_order", lambda _: True)
    for lane in trader.client.connection.lanes():
        fuse.wrap(lane, "call", lambda given: given[0] in ("create_order", "cancel_order"))
    view = trader.observe()
    assert not view.pending, "a turn with an order of unknown fate would wait"
    if view.balance("PAXG").total < WANTED:
        trader.buy("0.1", "4005")
    resting = view.resting
    if not resting and not any(o.price == Decimal(3900) for o in trader.stored()):
        resting_order = trader.rest()
        trader.cancel(resting_order)
    for order in resting:
        trader.client.send(trader_cancel(order))
    print(fuse.count)


def trader_cancel(order: Any) -> Any:
    from dexmm.model.steps import CancelOrder

    return CancelOrder(symbol=order.symbol, client_id=order.client_id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
