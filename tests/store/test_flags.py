"""The HALT flag survives everything a database would not."""

from pathlib import Path

import pytest

from dexmm.errors import BadInput
from dexmm.store.flags import UNREADABLE, HaltFlag


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


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BadInput, match="make its folder writable"):
        HaltFlag(tmp_path / "file" / "state").set("why")
