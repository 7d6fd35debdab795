"""``guards.on_halt``: what becomes of the positions when a guard has halted it, on a real chain."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.cli.common import load_all
from dexmm.sandbox.node.deploy import GWEI
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.wiring.exit import HaltedExitWorld
from dexmm.withdraw.halted_exit import ExitOnHalt

if TYPE_CHECKING:
    from tests.withdraw.conftest import Ran, Scene
else:
    Ran = Scene = Any

pytestmark = pytest.mark.anvil

KILLED = -9
MOST_COMMITS = 40
OUT = {"GUARDS__ON_HALT": "withdraw"}
STRICT = {"GUARDS__MAX_DRAWDOWN_BP": "20"}


def deposited(scene: Scene, **settings: str) -> None:
    """Ranges in the pool, and a limit that the next fall of the price breaks."""
    scene.settings |= settings
    assert scene.run("run", "--once").code == 0
    assert scene.ranges()
    scene.settings |= STRICT
    limit = get_sqrt_ratio_at_tick(scene.tick() - 120)
    scene.mainnet.swap(zero_for_one=True, amount_in=10**22, sqrt_price_limit_x96=limit)
    scene.pass_time(3600)  # until the pool's mean price has come there


def turn(scene: Scene, **how: Any) -> Ran:
    return scene.run("run", "--once", "--json", **how)


def test_unless_asked_for_positions_stay_in_the_pool(scene: Scene) -> None:
    deposited(scene)
    ranges, nonce = scene.ranges(), scene.nonce()
    ran = turn(scene)
    assert (ran.code, ran.answer["exit"]) == (4, None)
    assert (scene.ranges(), scene.nonce()) == (ranges, nonce)
    assert "below its peak" in (scene.state_dir / "HALT").read_text()


def test_a_guard_that_halts_takes_everything_out_once_and_halt_stays(scene: Scene) -> None:
    deposited(scene, **OUT)
    ran = turn(scene)
    assert ran.code == 4
    assert ran.answer["exit"]["exit_code"] == 0
    assert "proved at block" in " ".join(ran.answer["exit"]["lines"])
    assert "on_halt is withdraw" in ran.err
    assert scene.all_out()
    assert "below its peak" in (scene.state_dir / "HALT").read_text()
    nonce = scene.nonce()
    again = turn(scene)
    assert (again.code, again.answer["exit"]) == (4, None)
    assert scene.nonce() == nonce


def test_a_persons_halt_moves_nothing(scene: Scene) -> None:
    scene.settings |= OUT
    assert scene.run("run", "--once").code == 0
    ranges, nonce = scene.ranges(), scene.nonce()
    assert scene.run("halt", "a", "look").code == 0
    ran = turn(scene)
    assert (ran.code, ran.answer["exit"]) == (4, None)
    assert (scene.ranges(), scene.nonce()) == (ranges, nonce)


def test_an_exit_that_fails_is_tried_again_by_the_next_turn(scene: Scene) -> None:
    """Gas dearer than an exit may cost: cron is told to try again, and the next turn does it."""
    deposited(scene, **OUT)
    scene.anvil.set_base_fee(900 * GWEI)
    scene.anvil.mine()
    ran = turn(scene)
    assert ran.code == 5
    assert ran.answer["exit"]["exit_code"] == 5
    assert scene.ranges()
    assert scene.halted()
    scene.anvil.set_base_fee(GWEI)
    scene.anvil.mine()
    ran = turn(scene)
    assert (ran.code, ran.answer["exit"]["exit_code"]) == (4, 0)
    assert scene.all_out()


def test_the_loop_gets_out_and_goes_on_halted(scene: Scene) -> None:
    deposited(scene, **OUT)
    running = scene.start("run", loop__interval_seconds="1")
    scene.until(scene.all_out)
    scene.until(lambda: running.err.read_text().count("HALTED") > 1)
    os.kill(running.pid, signal.SIGTERM)
    ran = running.wait()
    assert ran.code == 0, ran.err
    assert ran.err.count("on_halt is withdraw") == 1
    assert "proved at block" in ran.err
    assert scene.halted()


@pytest.mark.kill
def test_killed_in_the_middle_the_next_turn_goes_on(scene: Scene) -> None:
    """Before and after what is sent, and before every commit; nothing is taken out twice."""
    deposited(scene, **OUT)
    scene.mark()
    assert turn(scene).code == 4
    assert scene.all_out()
    held, nonce = scene.balances(), scene.nonce()
    sent = [n for n, method in enumerate(scene.proxy.methods, start=1) if "sendRaw" in method]
    assert sent
    instants = [(number, kind) for number in sent for kind in ("before", "after")]
    cases: list[dict[str, Any]] = [{"cut": instant} for instant in instants]
    cases += [{"kill_commit": number} for number in range(1, MOST_COMMITS)]
    killed = 0
    for case in cases:
        scene.rewind()
        if turn(scene, **case).code != KILLED:
            assert "kill_commit" in case
            break
        killed += 1
        for _ in range(3):
            if turn(scene).code == 4 and scene.all_out():
                break
        assert scene.all_out(), case
        assert scene.halted(), case
        assert (scene.balances(), scene.nonce()) == (held, nonce), case
    assert killed > len(instants) + 1, "the turn's record and the intent are commits"


def test_of_several_markets_the_others_go_on(scene: Scene) -> None:
    """The flag would stop them; the halt of the one is in its journal."""
    (config,) = load_all(scene.folder / "dexmm.toml")
    world = HaltedExitWorld(config, None, "a drawdown", several=True)
    world.set_halt("withdraw was run")
    assert not scene.halted()
    assert world.halted().reason == "a drawdown"
    alone = HaltedExitWorld(config, None, "a drawdown", several=False)
    alone.set_halt("withdraw was run")
    assert Path(alone.halted().places[0]).read_text() == "a drawdown\n"


def test_a_world_that_cannot_be_opened_is_tried_again_ever_more_seldom(scene: Scene) -> None:
    (config,) = load_all(scene.folder / "dexmm.toml")
    guards = config.guards.model_copy(update={"on_halt": "withdraw"})
    tries: list[bool] = []

    class Closed(HaltedExitWorld):
        def connect(self) -> Any:
            tries[-1] = True
            raise ZeroDivisionError

    exits = ExitOnHalt(
        config.model_copy(update={"guards": guards}),
        lambda reason: Closed(config, None, reason, several=True),
    )
    for _ in range(40):
        tries.append(False)
        ended = exits.after("a drawdown", None)
        assert (ended.exit_code if ended is not None else None) == (5 if tries[-1] else None)
    assert [n for n, tried in enumerate(tries) if tried] == [0, 1, 3, 7, 15, 23, 31, 39]
    assert exits.after("", None) is None
