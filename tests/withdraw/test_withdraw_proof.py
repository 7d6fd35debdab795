"""What proves that nothing is left: a fresh block, and every node that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

DEAD = "http://127.0.0.1:1"
BLOCKS, SECONDS = 61, 732  # how far the node lags: 12 s a block


def lag(proxy: Any, block: int) -> None:
    """From now on the node behind ``proxy`` answers as it did when ``block`` was the newest."""
    forward = proxy._forward

    def as_of_then(body: bytes) -> bytes:
        request = json.loads(body)
        for call in request if isinstance(request, list) else [request]:
            call["params"] = [
                hex(block) if each in ("latest", "pending") else each for each in call["params"]
            ]
        answer: bytes = forward(json.dumps(request).encode())
        return answer

    proxy._forward = as_of_then


@pytest.fixture
def lagging(scene: Scene) -> Iterator[Any]:
    """The scene's own node, 61 blocks back: before any of the wallet's positions."""
    scene.anvil.mine()
    then = int(scene.anvil.block()["number"], 16)
    proxy = type(scene.proxy)(scene.anvil.url)
    lag(proxy, then)
    for below in (-600, -900, -1200):
        scene.mint(below, 600)
    scene.anvil.mine(BLOCKS, SECONDS // BLOCKS)
    yield proxy
    proxy.close()


def test_a_good_second_node_is_used_when_the_first_lags(scene: Scene, lagging: Any) -> None:
    urls = f"{lagging.url},{scene.proxy.url}"
    ran = scene.withdraw(network__rpc_urls=urls)
    assert ran.code == 0, ran.err
    assert scene.all_out()
    assert scene.token_ids() == []
    answer = ran.answer
    assert answer["proved"]
    stale, good = answer["proof"]["witnesses"]
    assert (stale["node"], stale["counts"]) == (lagging.url, False)
    assert stale["age_seconds"] >= SECONDS - 12
    assert "blocks behind" in stale["note"]
    assert (good["node"], good["counts"]) == (scene.proxy.url, True)
    assert answer["block"] == answer["proof"]["block"] == int(scene.anvil.block()["number"], 16)
    said = scene.run("withdraw", network__rpc_urls=urls).out
    assert f"seen by {scene.proxy.url} (block {answer['block']}, 0 s old)" in said
    assert f"not counted: {lagging.url} (stale: " in said


def test_a_node_that_does_not_answer_is_told_and_not_counted(scene: Scene) -> None:
    scene.mint(-600, 600)
    ran = scene.withdraw(network__rpc_urls=f"{scene.proxy.url},{DEAD}")
    assert ran.code == 0, ran.err
    dead = ran.answer["proof"]["witnesses"][-1]
    assert (dead["node"], dead["block"], dead["counts"]) == (DEAD, None, False)
    assert "cannot be reached" in dead["note"]
