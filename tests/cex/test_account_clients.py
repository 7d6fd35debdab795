"""Two markets that trade in one account: neither mistakes the other's fills for anything else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import Hand, Trader, order

from dexmm.cex.account_clients import AccountClients
from dexmm.cex.client import open_client
from dexmm.errors import Transient
from dexmm.model.venue import Side
from dexmm.paper_exchange.api.fault_injection import Effect

D = Decimal


class Pair:
    """PAXG/USDT and PAXG/USDC over one log, as `run` opens them."""

    def __init__(self, root: Path, paper: Any, clock: Hand) -> None:
        self.one = Trader(root, paper, clock)
        self.other = Trader(root, paper, clock, symbol="PAXG/USDC")
        clients: dict[str, AccountClients] = {}
        for trader in (self.one, self.other):
            trader.client.close()
            trader.client = open_client(trader.config, trader.log, clock, clients=clients)
            for lane in trader.client.connection.lanes():
                lane.exchange.enableRateLimit = False


@pytest.fixture
def pair(tmp_path: Path, paper: Any, clock: Hand) -> Any:
    made = Pair(tmp_path, paper, clock)
    yield made
    made.one.client.close()
    made.other.client.close()


def other_sells(pair: Pair, amount: str) -> None:
    outcome = pair.other.client.send(order(Side.SELL, amount, "3990", symbol="PAXG/USDC"))
    assert outcome.status == "done", outcome.detail


def test_opposite_fills_are_no_lag(pair: Pair) -> None:
    """One buys, the other sells: the balance that has not moved is what both fills make it."""
    pair.one.observe()
    pair.other.observe()
    assert pair.one.buy("0.1").status == "done"
    other_sells(pair, "0.1")
    before = D("5") + D("0.0999") - D("0.1")
    assert pair.one.observe().balance("PAXG").total == before
    assert pair.other.observe().balance("PAXG").total == before


def test_balances_that_do_lag_are_waited_for(pair: Pair) -> None:
    pair.one.observe()
    pair.other.observe()
    pair.one.arm("GET /api/v3/account", Effect.LAG_BALANCES, times=0)
    assert pair.one.buy("0.1").status == "done"
    with pytest.raises(Transient, match="lag behind our fills"):
        pair.one.observe()


def test_anothers_fill_is_no_surplus(pair: Pair) -> None:
    """A quote rests: what the other market sold costs no look at the open orders again."""
    pair.one.observe()
    pair.other.observe()
    pair.one.rest()
    pair.one.observe()
    other_sells(pair, "0.2")
    pair.one.observe()
    before = pair.one.client.connection.requests
    pair.one.observe()
    assert pair.one.client.connection.requests - before == 2  # account and book


def test_what_one_sends_counts_for_both(pair: Pair) -> None:
    pair.one.observe()
    pair.other.observe()
    pair.one.cancel(pair.one.rest())
    for trader in (pair.one, pair.other):
        seen = trader.observe()
        assert (seen.recent_sent, seen.recent_cancelled) == (1, 1)
