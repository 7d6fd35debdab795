"""Buys a short back and ends itself with SIGKILL before its n-th effect. Run as a program.

What it wants: a short of ``WANTED``, by one IOC that only reduces. Run again after any death, it
does what is left of that, unless an order of unknown fate could still arrive.

    python killed_close.py ROOT URL KILL_AT AHEAD
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from cex.cex_world import PERPETUAL, Hand, Trader, order
from cex.killed_turn import Fuse

from dexmm.model.venue import Side

OPENED, WANTED = Decimal("0.5"), Decimal("0.3")


def close(trader: Trader) -> None:
    """One turn."""
    view = trader.observe()
    assert view.position is not None
    short = -view.position.base
    if short > WANTED and not view.pending:
        amount = str(short - WANTED)
        trader.client.send(order(Side.BUY, amount, "4100", symbol=PERPETUAL, reduce_only=True))


def main(root: str, url: str, kill_at: int, ahead: int) -> None:
    trader = Trader(
        Path(root),
        SimpleNamespace(url=url),  # type: ignore[arg-type]
        Hand(ahead),
        perpetual_id="binanceusdm",
        perpetual_symbol=PERPETUAL,
    )
    fuse = Fuse(kill_at)
    fuse.wrap(trader.log, "save_order", lambda _: True)
    for lane in trader.client.connection.lanes():
        fuse.wrap(lane, "call", lambda given: given[0] == "create_order")
    close(trader)
    print(fuse.count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
