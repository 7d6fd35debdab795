"""Which files are meant by a name, a folder, a pattern, an archive; the rest is passed over."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dexmm.errors import BadInput
from dexmm.history.candle_files.files import files


def labels(*named: Path) -> list[str]:
    return [Path(file.label).name for file in files(named)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv.gz", "sub/c.parquet", "sub/d.jsongz", ".hidden.csv", "read.me"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with zipfile.ZipFile(tmp_path / "sub" / "z.zip", "w") as archive:
        archive.writestr("one.csv", "1")
        archive.writestr("deep/two.CSV", "2")
        archive.writestr("CHECKSUM", "3")
    return tmp_path


def test_a_folder_is_every_file_of_candles_in_it(folder: Path) -> None:
    assert labels(folder) == [
        "a.csv.gz",
        "b.csv",
        "c.parquet",
        "d.jsongz",
        "z.zip:one.csv",
        "two.CSV",
    ]
    kinds = {Path(file.label).name: (file.kind, file.packed) for file in files((folder,))}
    assert kinds["d.jsongz"] == ("document", "gzip")
    assert kinds["two.CSV"] == ("text", "zip")
    assert [file.read() for file in files((folder / "sub" / "z.zip",))] == [b"1", b"2"]


def test_a_file_that_is_named_twice_is_read_once(folder: Path) -> None:
    assert labels(folder / "b.csv", folder, folder / "b.csv")[0] == "b.csv"
    assert labels(folder / "b.csv", folder).count("b.csv") == 1


def test_a_pattern_that_no_shell_has_expanded(folder: Path) -> None:
    assert labels(folder / "*.csv*") == ["a.csv.gz", "b.csv"]
    with pytest.raises(BadInput, match="there is no candle file at"):
        files((folder / "x*.csv",))
    brackets = folder / "x[1].csv"
    brackets.write_text("x")
    assert labels(brackets) == ["x[1].csv"]  # a name that is there is no pattern


def test_an_encrypted_archive_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", "1")
    raw = bytearray(path.read_bytes())
    for start in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        raw[start] |= 1  # the flag of an encrypted member, in both headers
    path.write_bytes(raw)
    (file,) = files((path,))
    with pytest.raises(BadInput, match="is encrypted"):
        file.read()
