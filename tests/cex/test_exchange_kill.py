"""``kill -9`` between every two steps of a turn on the exchange, and one more turn after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import WINDOW_SECONDS, Hand, Trader

from dexmm.model.order import OrderStatus

PROGRAM = Path(__file__).with_name("killed_turn.py")
TESTS = PROGRAM.parent.parent
STEPS = 16  # each log write and each changing request, before and after


def run(root: Path, url: str, kill_at: int, ahead: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(root), url, str(kill_at), str(ahead)],
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
