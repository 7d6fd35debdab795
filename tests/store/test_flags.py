"""The HALT flag survives everything a database would not."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dexmm.errors import BadInput, Busy, Transient
from dexmm.store import flags
from dexmm.store.flags import UNREADABLE, HaltFlag, HaltNotStored
from dexmm.store.lease import WalletLease


def test_absent_means_free_to_act(tmp_path: Path) -> None:
    assert HaltFlag(tmp_path / "nowhere").reason() == ""


def test_another_process_sees_it_at_once(tmp_path: Path) -> None:
    HaltFlag(tmp_path / "state").set("withdraw asked for it")
    assert HaltFlag(tmp_path / "state").reason() == "withdraw asked for it"


def test_cleared_twice_is_clear(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path)
    flag.set("why")
    flag.clear()
    flag.clear()
    assert flag.reason() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "no reason was given"), (b"\xff\xfe", UNREADABLE)]
)
def test_a_damaged_flag_still_halts(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "HALT").write_bytes(content)
    assert HaltFlag(tmp_path).reason() == reason


MOUNT, UMOUNT = shutil.which("mount") or "mount", shutil.which("umount") or "umount"


@contextlib.contextmanager
def no_room_for_a_byte() -> Iterator[None]:
    """As on a full disk: a file can be made, nothing can be written into it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """A state folder that nobody can make: a file stands in its way."""
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "state"


def test_a_halt_that_no_place_takes_is_an_error(no_folder: Path) -> None:
    flag = HaltFlag(no_folder, elsewhere=(no_folder / "again",))
    with pytest.raises(HaltNotStored, match=r"make its folder writable.*stop every loop and cron"):
        flag.set("why")
    assert flag.where() == ()
    assert issubclass(HaltNotStored, Transient)


def test_a_second_place_is_heeded_by_whoever_has_the_same_folder(
    no_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    flag = HaltFlag(no_folder)
    flag.set("the disk is broken")
    (where,) = flag.where()
    assert where.is_relative_to(tmp_path / "home")
    # the folder works again; another process, through another name of the same folder
    (tmp_path / "file").unlink()
    no_folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(no_folder)
    assert HaltFlag(tmp_path / "link").reason() == "the disk is broken"
    assert HaltFlag(tmp_path / "other").reason() == ""
    # its own place takes it now, and speaks alone
    HaltFlag(no_folder).set("another reason")
    assert HaltFlag(no_folder).where() == (no_folder / "HALT",)
    assert HaltFlag(no_folder).reason() == "another reason"


def test_resuming_lifts_it_at_every_place(tmp_path: Path) -> None:
    places = (tmp_path / "a" / "HALT-x", tmp_path / "b" / "HALT-x")
    flag = HaltFlag(tmp_path / "state", elsewhere=places)
    for place in (flag.path, *places):
        place.parent.mkdir()
        place.write_text(f"because of {place.parent.name}\n")
    assert flag.reason() == "because of state; because of a; because of b"
    flag.clear()
    assert (flag.reason(), flag.where()) == ("", ())


def test_a_full_disk_still_halts_and_the_reason_is_kept_elsewhere(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path / "state", elsewhere=(tmp_path / "elsewhere" / "HALT-x",))
    with no_room_for_a_byte():
        flag.set("why")
    assert flag.where() == (flag.path,)
    assert flag.reason() == "no reason was given"
    assert [path.name for path in flag.path.parent.iterdir()] == ["HALT"]
    flag.clear()
    # with room at the second place
    flag.path.parent.rmdir()
    flag.path.parent.symlink_to("/dev/full/nowhere")
    flag.set("why")
    assert flag.reason().startswith("the HALT flag is set") or "why" in flag.reason()
    assert flag.where() == (tmp_path / "elsewhere" / "HALT-x",)


def test_a_halt_that_is_there_outlives_a_reason_that_finds_no_room(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path, elsewhere=())
    flag.set("the first")
    with no_room_for_a_byte():
        flag.set("the second")
    assert flag.reason() == "the first"


def test_what_a_stranger_puts_where_anybody_may_write_counts_for_nothing(tmp_path: Path) -> None:
    common = tmp_path / "common"
    common.mkdir()
    common.chmod(0o1777)
    flag = HaltFlag(tmp_path / "state", elsewhere=(common / "HALT-x",))
    (common / "HALT-x").symlink_to("/etc/hostname")
    assert (flag.reason(), flag.where()) == ("", ())
    (common / "HALT-x").unlink()
    os.mkfifo(common / "HALT-x")  # reading it would wait for ever
    assert (flag.reason(), flag.where()) == ("", ())
    (common / "HALT-x").unlink()
    (common / "HALT-x").write_text("ours")
    assert flag.reason() == "ours"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_strangers_flag_counts_only_where_the_folder_is_the_strangers(tmp_path: Path) -> None:
    common = tmp_path / "common"
    common.mkdir()
    common.chmod(0o1777)
    flag = HaltFlag(tmp_path / "state", elsewhere=(common / "HALT-x",))
    flag.path.parent.mkdir()
    (common / "HALT-x").write_text("from somebody")
    os.chown(common / "HALT-x", 12345, 12345)
    assert flag.reason() == ""
    os.chown(flag.path.parent, 12345, 12345)
    assert flag.reason() == "from somebody"


def test_what_cannot_be_lifted_is_said_and_still_halts(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path / "state", elsewhere=())
    flag.path.mkdir(parents=True)  # no file, so that unlinking it fails for root as well
    assert flag.reason() == UNREADABLE
    with pytest.raises(BadInput, match="it still halts"):
        flag.clear()


def test_the_places_are_of_this_user_and_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(flags, "MEMORY", tmp_path)
    first, second = flags.further_places(tmp_path / "state")
    assert first.parent == tmp_path / ".local" / "state" / "dexmm" / "halts"
    assert second.parent == tmp_path
    assert first.name.removeprefix("HALT-") == second.name.removeprefix("dexmm-HALT-")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_on_a_read_only_disk_the_wallet_is_still_held_by_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mount.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        with WalletLease(disk, 1, "0xA").held():
            pass
        subprocess.run([MOUNT, "-o", "remount,ro", str(disk)], check=True)
        flag = HaltFlag(disk, elsewhere=(tmp_path / "elsewhere" / "HALT-x",))
        flag.set("why")
        assert flag.where() == (tmp_path / "elsewhere" / "HALT-x",)
        lease = WalletLease(disk, 1, "0xA")
        with lease.held(), pytest.raises(Busy), WalletLease(disk, 1, "0xA").held():
            pass
    finally:
        subprocess.run([UMOUNT, "-l", str(disk)], check=True)
