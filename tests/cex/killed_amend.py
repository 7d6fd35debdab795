"""An order that is amended by a process that ends itself with SIGKILL on the way. Run as a program.

python killed_amend.py ROOT URL KILL_AT
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from cex.cex_world import PERPETUAL, Hand, Trader
from cex.killed_turn import Fuse

from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import AmendOrder


def main(root: str, url: str, kill_at: int) -> None:
    paper = SimpleNamespace(url=url)
    trader = Trader(
        Path(root),
        paper,  # type: ignore[arg-type]  # its address is all that is used
        Hand(),
        perpetual_id="binanceusdm",
        perpetual_symbol=PERPETUAL,
    )
    trader.observe()
    order = trader.sell(
        "0.1", "4050", symbol=PERPETUAL, order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE
    ).order
    assert order is not None
    fuse = Fuse(kill_at)
    fuse.wrap(trader.log, "save_order", lambda _: True)
    for lane in trader.client.connection.lanes():
        fuse.wrap(lane, "call", lambda given: given[0] == "edit_order")
    trader.client.send(AmendOrder(symbol=PERPETUAL, client_id=order.client_id, price=Decimal(4040)))
    print(fuse.count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
