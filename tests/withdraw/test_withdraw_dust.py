"""What strangers mint to the wallet: the exit takes what is worth its gas, and names the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.sandbox.node import token_admin

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
GWEI = 10**9


def a_stranger_mints(scene: Scene, usdt: str, below: int = -2000, above: int = -1000) -> int:
    return scene.mint(below, above, "0", usdt)


def dear_gas(scene: Scene, gwei: int = 20) -> None:
    """At 20 gwei, and 2500 USDT for an ether, 100,000 gas cost 5 USDT."""
    scene.anvil.set_base_fee(gwei * GWEI)
    scene.anvil.mine()


def test_dust_is_left_and_named_and_everything_of_ours_is_proved(scene: Scene) -> None:
    ours = [scene.mint(-600, 600), scene.mint(-900, 300)]
    cents = [a_stranger_mints(scene, "0.01"), a_stranger_mints(scene, "0.02", -3000, -1500)]
    dear_gas(scene)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out + ran.err
    answer = ran.answer
    assert answer["proved"]
    assert answer["unfinished"] == answer["trapped"] == answer["withheld"] == []
    assert scene.token_ids() == sorted(cents)
    assert not set(ours) & set(scene.token_ids())
    left = {int(each["token_id"]): each for each in answer["left"]}
    assert sorted(left) == sorted(cents)
    for token_id, each in left.items():
        assert each["where"] == f"position #{token_id}"
        assert 0 < Decimal(each["worth"]) < Decimal("0.03")
        assert Decimal(each["gas_cost"]) > 5 * Decimal("0.8")
        assert each["reason"] == "that is worth less than the gas"
    nonce = scene.nonce()
    said = scene.run("withdraw")
    assert said.code == 0
    assert "nothing in flight, but for 2 too small" in " ".join(said.out.split())
    assert f"left in the pool: position #{cents[0]}, worth 0.01 USDT" in said.out
    assert "--all" in said.out
    assert scene.nonce() == nonce, "nothing is paid for it"
    everything = scene.withdraw("--all")
    assert everything.code == 0, everything.out
    assert everything.answer["left"] == []
    assert scene.token_ids() == []


def test_what_is_small_and_worth_its_gas_comes_after_the_rest(scene: Scene) -> None:
    small = a_stranger_mints(scene, "15")
    ours = scene.mint(-600, 600)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out
    taken = [leg["what"] for leg in ran.answer["legs"] if leg["outcome"]["status"] == "mined"]
    assert taken == [f"take out #{ours}", f"take out #{small}"]
    assert ran.answer["left"] == []


def test_the_estimate_decides_where_the_least_gas_would_be_worth_it(scene: Scene) -> None:
    """9 USDT against the 8 of 100,000 gas, where this exit uses more."""
    small = a_stranger_mints(scene, "9")
    dear_gas(scene)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out
    assert ran.answer["proved"]
    (left,) = ran.answer["left"]
    assert int(left["token_id"]) == small
    assert Decimal(left["gas_cost"]) > 9
    assert scene.token_ids() == [small]


def test_dust_that_cannot_move_never_fails_the_exit(scene: Scene) -> None:
    """USDT is paused: what is ours is trapped and fails the exit, a stranger's dust does not."""
    small = a_stranger_mints(scene, "15")
    token_admin.pause_usdt(scene.anvil)
    scene.give_away_all_but("0", "0")
    ran = scene.withdraw()
    assert ran.code == 0, ran.out
    (left,) = ran.answer["left"]
    assert int(left["token_id"]) == small
    assert "revert" in left["reason"]
    assert ran.answer["proved"]


def test_dust_gets_no_ether_while_more_is_at_stake(scene: Scene) -> None:
    small = a_stranger_mints(scene, "19")
    ours = scene.mint(-600, 600)
    scene.anvil.set_balance(WALLET, 10**15)
    dear_gas(scene, 5)
    ran = scene.withdraw()
    assert ran.code == 5
    assert any(f"position #{ours}, worth " in line for line in ran.answer["unfinished"])
    assert not any(f"#{small}" in line for line in ran.answer["unfinished"])
    (left,) = ran.answer["left"]
    assert int(left["token_id"]) == small
