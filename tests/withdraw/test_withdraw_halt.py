"""What is said of HALT is read back: on a full disk, a read-only one, and where none takes it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.store.flags import further_places

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

MOUNT, UMOUNT = shutil.which("mount") or "mount", shutil.which("umount") or "umount"


@pytest.fixture
def small_disk(scene: Scene) -> Iterator[Path]:
    """The state folder on a file system of its own, which can be filled."""
    scene.state_dir.mkdir()
    mounted = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(scene.state_dir)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    yield scene.state_dir
    subprocess.run([UMOUNT, "-l", str(scene.state_dir)], check=True)


@pytest.fixture
def nowhere(scene: Scene) -> Iterator[None]:
    """No place takes the flag: a file is in the way of two, a folder in the way of the third."""
    scene.state_dir.write_text("not a folder")
    (scene.folder / ".local").write_text("not a folder")
    memory = further_places(scene.state_dir)[-1]
    memory.mkdir()
    yield
    memory.rmdir()


def fill(log: Path) -> None:
    """Write until there is no room for another byte."""
    with contextlib.suppress(OSError), log.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def last_line(said: str) -> str:
    return said.strip().splitlines()[-1]


def deployed(scene: Scene) -> bool:
    return bool(scene.ranges())


def test_a_full_disk_halts_and_cron_heeds_it(scene: Scene, small_disk: Path) -> None:
    scene.mint(-600, 600)
    fill(small_disk / "log")
    ran = scene.run("withdraw")
    assert ran.code == 0, ran.err
    assert scene.all_out()
    assert last_line(ran.out).startswith("HALT stays set. To act again: dexmm resume")
    assert (small_disk / "HALT").exists()
    (small_disk / "log").unlink()
    assert scene.run("run", "--once").code == 4
    assert not deployed(scene)
    assert scene.run("resume", "--yes").code == 0
    assert scene.run("run", "--once").code == 0
    assert deployed(scene)


def test_a_read_only_disk_is_halted_at_the_second_place(scene: Scene, small_disk: Path) -> None:
    scene.mint(-600, 600)
    subprocess.run([MOUNT, "-o", "remount,ro", str(small_disk)], check=True)
    try:
        ran = scene.run("withdraw")
        assert ran.code == 0, ran.err
        assert scene.all_out()
        second = further_places(small_disk)[0].name
        assert f"HALT stays set at {scene.folder}/.local/state/dexmm/halts/{second}" in ran.out
        assert list(small_disk.iterdir()) == []
        halted = scene.run("halt", "--reason", "a look")
        assert (halted.code, halted.out) == (0, "halted: a look (it was before)\n")
        assert "HALT is kept at" in halted.err
    finally:
        subprocess.run([MOUNT, "-o", "remount,rw", str(small_disk)], check=True)
    assert "a look" in scene.run("status").out
    assert scene.run("run", "--once").code == 4
    assert not deployed(scene)
    assert scene.run("resume", "--yes").code == 0
    assert scene.run("run", "--once").code == 0


def test_a_halt_that_no_place_takes_is_said_last_with_exit_code_5(
    scene: Scene, nowhere: None
) -> None:
    scene.mint(-600, 600)
    ran = scene.run("withdraw")
    assert scene.all_out(), "it gets out all the same"
    assert ran.code == 5
    assert last_line(ran.out).startswith("HALT IS NOT SET")
    assert "stays set" not in ran.out
    assert "HALT IS NOT SET" in last_line(ran.err), "and where only errors are kept"
    answer = scene.withdraw().answer
    assert (answer["halted"], answer["halt_places"], answer["exit_code"]) == (None, [], 5)
    halted = scene.run("halt")
    assert (halted.code, halted.out) == (5, "")
    assert "could not be stored" in halted.err


def test_a_dry_run_says_of_halt_what_it_sees(scene: Scene) -> None:
    assert "HALT was not set\n" in scene.run("withdraw", "--dry-run").out
    assert scene.run("halt", "--reason", "a look").code == 0
    ran = scene.run("withdraw", "--dry-run")
    assert "HALT was not set; it is set from before: a look" in ran.out
    assert scene.withdraw("--dry-run").answer["halted"] == "a look"


def test_lifted_by_hand_meanwhile_is_not_said_to_stay(scene: Scene) -> None:
    """Somebody removes the file while withdraw runs: it is set again, since nobody resumed."""
    scene.mint(-600, 600)
    running = scene.start("withdraw")
    scene.until(scene.halted)
    (scene.state_dir / "HALT").unlink()
    ran = running.wait()
    assert ran.code == 0
    assert scene.halted() == ("HALT stays set" in ran.out) is True
