"""A fetch that was ended at any point goes on where it ended, or says why it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fetch.fetch_loopback import range_of
from fetch.fetch_scene import Scene, a_scene

from dexmm.errors import BadInput, Busy, NodeError
from dexmm.fetch.pool.resumable_parts import Parts, Wanted, folder_of
from dexmm.sandbox.node.deploy import Deployment

anvil = pytest.mark.anvil


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    with a_scene(mainnet, tmp_path) as made:
        yield made


@anvil
def test_a_file_that_is_there_is_not_fetched_again(scene: Scene) -> None:
    first = scene.fetch()
    scene.node.asked.clear()
    folder_of(scene.output).mkdir()  # as when it was killed just before this was removed
    again = scene.fetch()
    assert again == replace(first, requests=0)
    assert scene.node.asked == []
    assert not folder_of(scene.output).exists()
    with pytest.raises(BadInput, match="exists and holds"):
        scene.fetch(from_block=1)
    scene.output.write_bytes(b"PAR1 something else")
    with pytest.raises(BadInput, match="is no file of `dexmm fetch swaps`"):
        scene.fetch()


@anvil
@pytest.mark.kill
def test_killed_between_parts_it_goes_on(scene: Scene) -> None:
    scene.fetch()
    whole = scene.output.read_bytes()
    scene.output.unlink()
    reached, forever = threading.Event(), threading.Event()
    scene.node.bears(9)
    bearing = scene.node.answer

    def hangs_later(payload: Any, forward: Callable[[Any], Any]) -> Any:
        asked = range_of(payload)
        if asked and asked[0] > scene.head // 2:
            reached.set()
            forever.wait(60)
            return None
        return bearing(payload, forward)

    scene.node.answer = hangs_later
    command = [
        *(sys.executable, "-m", "dexmm.cli.main", "fetch", "swaps", "--rpc", scene.node.url),
        *("--pool", scene.mainnet.pool, "--from-block", "0", "--to-block", str(scene.head)),
        *("--confirmations", "0", "-o", str(scene.output)),
    ]
    process = subprocess.Popen(command, cwd=scene.folder, stderr=subprocess.PIPE)
    assert reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    forever.set()
    assert not scene.output.exists()
    kept = len(list(folder_of(scene.output).glob("*.arrow")))
    assert kept > 1

    scene.node.answer = bearing
    scene.node.asked.clear()
    scene.fetch()
    assert scene.output.read_bytes() == whole
    assert min(first for first, _ in scene.node.asked) > scene.head // 3


@anvil
def test_a_damaged_part_is_fetched_again(scene: Scene) -> None:
    scene.fetch()
    whole = scene.output.read_bytes()
    scene.output.unlink()
    interrupted(scene, after=3)
    first, second, *_ = sorted(folder_of(scene.output).glob("*.arrow"))
    first.write_bytes(first.read_bytes()[:-9])
    second.unlink()
    scene.fetch()
    assert scene.output.read_bytes() == whole


def interrupted(scene: Scene, after: int) -> None:
    """A fetch that ends after so many answers, leaving their parts."""
    scene.node.bears(10)
    bearing, answers = scene.node.answer, 0

    def answer(payload: Any, forward: Callable[[Any], Any]) -> Any:
        nonlocal answers
        answered = bearing(payload, forward)
        if range_of(payload) and "result" in answered:
            answers += 1
        return answered if answers <= after else b"gone"

    scene.node.answer = answer
    with pytest.raises(NodeError):
        scene.fetch()
    scene.node.answer = bearing
    scene.node.asked.clear()
    assert len(list(folder_of(scene.output).glob("*.arrow"))) == after


@anvil
def test_another_range_pool_or_chain_is_refused_with_what_to_do(scene: Scene) -> None:
    interrupted(scene, after=2)
    for other in ({"from_block": 1}, {"to_block": scene.head - 1}, {"timestamps": True}):
        with pytest.raises(BadInput, match=r"unfinished fetch .* remove the folder"):
            scene.fetch(**other)
    marked = folder_of(scene.output) / "range.json"
    marked.write_text(marked.read_text().replace('"anchor": "0x', '"anchor": "0xf'))
    with pytest.raises(BadInput, match="has been reorganised since"):
        scene.fetch()
    marked.write_text("{")
    with pytest.raises(BadInput, match="begin anew"):
        scene.fetch()
    assert not scene.output.exists()


@anvil
def test_two_fetches_do_not_write_the_same_file(scene: Scene) -> None:
    interrupted(scene, after=1)
    wanted = Wanted(**json.loads((folder_of(scene.output) / "range.json").read_text()))
    with Parts.of(scene.output, wanted), pytest.raises(Busy, match="another `dexmm fetch`"):
        scene.fetch()


@anvil
def test_what_is_resumed_keeps_its_end(scene: Scene) -> None:
    scene.asked = replace(scene.asked, to_block=None)
    interrupted(scene, after=2)
    scene.mainnet.anvil.mine(3)
    assert scene.fetch().to_block == scene.head
