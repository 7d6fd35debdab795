"""Killed between every two steps of a hedge, then started again.

Each case kills ``dexmm run --once`` with SIGKILL at one of its requests to the exchange - before
the exchange hears it, or after it has answered and before the answer arrives - or before one of
its database commits. Then it is simply run again. What must be true is true: the account ends
exactly where an undisturbed run leaves it, so nothing was sent twice and nothing was forgotten;
every order in the log has an end; and no more turns are needed than one beyond the undisturbed
number.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from exchange_scene import KEY, KILLED, Cut, ExchangeProxy, ForkServer, Scene

from dexmm.paper_exchange.engine.settings import Opening

if TYPE_CHECKING:
    from dexmm.sandbox.node.deploy import Deployment
else:
    Deployment = Any

pytestmark = [pytest.mark.anvil, pytest.mark.kill, pytest.mark.slow, pytest.mark.timeout(1200)]

MOST_TURNS = 10
MOST_COMMITS = 40
WINDOW_SECONDS = 8  # in which an order that was sent may still arrive, and a little more
WORKED = {0, 3}  # 3: the pool's part is refused, as the scene wants it
FINAL = {"closed", "rejected"}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer()
    yield started
    started.close()


@pytest.fixture
def scene(mainnet: Deployment, server: ForkServer, tmp_path: Path) -> Iterator[Scene]:
    from eth_account import Account

    wallet = Account.from_key(KEY).address
    mainnet.fund_wallet(wallet, eth=Decimal(1), usdt=Decimal(100))
    proxy = ExchangeProxy()
    made = Scene(mainnet, server, proxy, tmp_path, Opening())
    yield made
    made.close()
    proxy.close()


def test_a_hedge_on_spot(scene: Scene) -> None:
    """Two thirds of the value is gold: four slices are sold.

    After one of them the share is still outside its band: what a killed turn could not remember,
    that a hedge had begun, is then not needed.
    """
    scene.opening = Opening(spot={"PAXG": Decimal(4), "USDT": Decimal(8000)}, margin=Decimal(0))
    standing = _prove(scene, slices=4)
    assert Decimal(2) < standing["PAXG"] < Decimal("2.2")
    assert standing["perpetual"] == 0


def test_a_hedge_on_the_perpetual(scene: Scene) -> None:
    """The gold lies in the wallet, where it cannot be sold here: a short is opened."""
    from eth_account import Account

    scene.mainnet.fund_wallet(Account.from_key(KEY).address, paxg=Decimal(4))
    scene.opening = Opening(spot={"USDT": Decimal(1000)}, margin=Decimal(8000))
    assert _prove(scene, slices=4)["perpetual"] < -1


def _prove(scene: Scene, slices: int) -> dict[str, Decimal]:
    """Where an undisturbed run ends, and every disturbed one as well."""
    scene.open()
    undisturbed = _turns_until_done(scene)
    wanted, sizes = scene.standing(), _sizes(scene)
    assert len(sizes) == slices, sizes
    cases = 0
    for cut in _cuts(scene):
        turns = _turns_until_done(scene)
        assert scene.standing() == wanted, (cut, _sizes(scene))
        assert {order["status"] for order in scene.orders()} <= FINAL, cut
        assert turns <= undisturbed + 1, cut
        assert scene.paper is not None
        assert scene.paper.imbalance() == {}, cut
        cases += 1
    print(f"{cases} cuts")
    assert cases > 10
    return wanted


def _sizes(scene: Scene) -> list[str]:
    return [order["filled"] for order in scene.orders() if Decimal(order["filled"])]


def _turns_until_done(scene: Scene) -> int:
    """Turns, as cron would run them, until one finds nothing to do; how many there were.

    An order that the exchange does not know of may still arrive within its receive window. Until
    that is over its fate is open, and a turn rightly does nothing: cron would not have come yet.
    """
    waited = False
    for turns in range(1, MOST_TURNS):
        ran = scene.run("run", "--once", "--json")
        assert ran.code in WORKED, (ran.out, ran.err)
        rules = {refusal["rule"] for refusal in ran.answer["refusals"]}
        if "pending_order" in rules:
            assert not ran.answer["outcomes"], "nothing is sent while a fate is open"
            assert not waited, "the window is over, and its fate is known"
            waited = True
            time.sleep(WINDOW_SECONDS)
        elif not ran.answer["outcomes"]:
            return turns - waited
    raise AssertionError("it never comes to rest")


def _cuts(scene: Scene) -> Iterator[Cut]:
    """From the opening, kill the first turn at each instant in turn."""
    scene.open()
    assert scene.run("run", "--once").code in WORKED
    asked = list(scene.proxy.asked)
    assert any(each.startswith("POST") and each.endswith("/order") for each in asked), asked
    cuts = [Cut(n, when) for n in range(1, len(asked) + 1) for when in ("before", "after")]
    cuts += [Cut(n, "commit") for n in range(1, MOST_COMMITS)]
    for cut in cuts:
        scene.open()
        ran = scene.run("run", "--once", cut=cut)
        if cut.when == "commit" and ran.code != KILLED:
            return
        assert ran.code == KILLED, (cut, ran.out, ran.err)
        yield cut
    raise AssertionError(f"more than {MOST_COMMITS} commits")
