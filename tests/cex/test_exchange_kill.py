"""``kill -9`` between every two steps of a turn on the exchange, and one more turn after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import NOBODY_TAKES, PERPETUAL, WINDOW_SECONDS, Hand, Trader, order
from cex.killed_close import OPENED, WANTED, close

from dexmm.model.order import OrderStatus
from dexmm.model.venue import Side
from dexmm.paper_exchange.engine.settings import Opening
from dexmm.paper_exchange.paper_exchange import PaperExchange

PROGRAM = Path(__file__).with_name("killed_turn.py")
TESTS = PROGRAM.parent.parent
CLOSING = Path(__file__).with_name("killed_close.py")
CLOSING_STEPS = 6
MARGIN = Opening(spot={"USDT": Decimal(1_000)}, margin=Decimal(8_000))
STEPS = 16  # each log write and each changing request, before and after


def run(
    root: Path, url: str, kill_at: int, ahead: int, program: Path = PROGRAM
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program), str(root), url, str(kill_at), str(ahead)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
    )


@pytest.mark.kill
def test_the_turn_has_as_many_steps_as_are_tested(tmp_path: Path, paper: Any) -> None:
    done = run(tmp_path, paper.url, 0, 0)
    assert (done.returncode, done.stdout.strip()) == (0, str(STEPS)), done.stderr


@pytest.mark.kill
@pytest.mark.parametrize("kill_at", range(1, STEPS + 1))
def test_killed_and_started_again(tmp_path: Path, paper: Any, kill_at: int) -> None:
    killed = run(tmp_path, paper.url, kill_at, 0)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run(tmp_path, paper.url, 0, WINDOW_SECONDS)
    assert again.returncode == 0, again.stderr
    trader = Trader(tmp_path, paper, Hand(2 * WINDOW_SECONDS))
    view = trader.observe()
    trader.client.close()
    # Exposure is right, and no order of ours is left or of unknown fate.
    assert view.balance("PAXG").total == trader.base() == Decimal("5.0999")
    assert (view.resting, view.pending) == ((), ())
    # Nothing sent twice, nothing forgotten: what the exchange has had is what the log says it had.
    had = [o.client_id for o in trader.stored() if o.status is OrderStatus.CLOSED]
    assert sorted(trader.sent()) == sorted(had)
    assert sum(o.filled for o in trader.stored()) == Decimal("0.1")


@pytest.fixture
def short(tmp_path: Path) -> Iterator[PaperExchange]:
    """A short of 0.5, opened by an earlier turn."""
    with PaperExchange(replace(NOBODY_TAKES, accounts=(MARGIN,))) as exchange:
        trader = perpetual_trader(tmp_path, exchange, 0)
        trader.observe()
        opened = trader.client.send(
            order(Side.SELL, str(OPENED), "3900", symbol=PERPETUAL, reduce_only=False)
        )
        assert opened.status == "done", opened.detail
        trader.client.close()
        yield exchange


def perpetual_trader(root: Path, exchange: PaperExchange, ahead: int) -> Trader:
    return Trader(
        root, exchange, Hand(ahead), perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL
    )


@pytest.mark.kill
@pytest.mark.parametrize("kill_at", range(1, CLOSING_STEPS + 1))
def test_killed_while_a_short_is_bought_back(
    tmp_path: Path, short: PaperExchange, kill_at: int
) -> None:
    """Also before the order filled, and before its answer was stored: bought back once."""
    killed = run(tmp_path, short.url, kill_at, 0, CLOSING)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    trader = perpetual_trader(tmp_path, short, WINDOW_SECONDS)
    close(trader)  # what has not happened happens now, what has is found
    view = trader.observe()
    trader.client.close()
    assert view.position is not None
    with short.exchange.visit():
        had = -short.exchange.ledger.accounts["paper"].futures.position("PAXGUSDT").amount
        sent = short.exchange.state.orders(
            "perpetual:PAXGUSDT", "paper", since_ms=0, until_ms=1 << 60, from_id=0, limit=1000
        )
    assert -view.position.base == had == WANTED
    assert (view.resting, view.pending) == ((), ())
    filled = [o for o in trader.stored() if o.status is OrderStatus.CLOSED]
    assert sorted(o.ask.client_order_id for o in sent) == sorted(o.client_id for o in filled)
    bought = [o.filled for o in filled if o.reduce_only]
    assert bought == [OPENED - WANTED]


@pytest.mark.kill
def test_buying_back_has_as_many_steps_as_are_tested(tmp_path: Path, short: PaperExchange) -> None:
    done = run(tmp_path, short.url, 0, 0, CLOSING)
    assert (done.returncode, done.stdout.strip()) == (0, str(CLOSING_STEPS)), done.stderr
