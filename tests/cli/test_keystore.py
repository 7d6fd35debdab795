"""A keystore is made whole, for its owner alone, and never over another one."""

from __future__ import annotations

import io
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from dexmm.cli import main
from dexmm.telemetry import redact

KEY = "5a" * 32
ADDRESS = Account.from_key(KEY).address
PASSWORD = "s3same # open"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keystore that is made in milliseconds: what it costs to open is the library's matter."""
    encrypt = Account.encrypt
    monkeypatch.setattr(
        Account, "encrypt", lambda key, password: encrypt(key, password, "pbkdf2", iterations=2)
    )
    monkeypatch.setattr(redact, "_hidden", set())


def keystore(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str, arguments: tuple[str, ...] = ()
) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return main.run(["keystore", "-o", str(folder / "key.json"), *arguments])


@pytest.mark.parametrize("key", [KEY, f"0x{KEY}", f"  0x{KEY.upper()} "])
def test_a_key_becomes_a_file_of_its_owner_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    assert keystore(monkeypatch, tmp_path, key, PASSWORD, PASSWORD) == 0
    file = tmp_path / "key.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes(Account.decrypt(json.loads(file.read_text()), PASSWORD)).hex() == KEY
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]
    said = capsys.readouterr()
    assert f"wrote {file} for {ADDRESS}" in said.out
    for secret in (KEY, PASSWORD):
        assert secret.lower() not in (said.out + said.err).lower()


def test_what_is_there_is_never_overwritten_and_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key.json"
    file.write_text("the only copy")
    assert keystore(monkeypatch, tmp_path) == 2  # no line of standard input was needed
    assert "is there already, and may hold a key that is nowhere else" in capsys.readouterr().err
    assert file.read_text() == "the only copy"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert keystore(monkeypatch, tmp_path, KEY, PASSWORD, PASSWORD) == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((KEY, PASSWORD, "other"), "the two passwords differ"),
        ((KEY, "", ""), "an empty password protects nothing"),
        (("5a" * 31, PASSWORD, PASSWORD), "64 hexadecimal digits"),
        (("zz" * 32, PASSWORD, PASSWORD), "64 hexadecimal digits"),
        (("00" * 32, PASSWORD, PASSWORD), "no account has such a private key"),
        (("ff" * 32, PASSWORD, PASSWORD), "no account has such a private key"),
        ((" ".join(["test"] * 12), PASSWORD, PASSWORD), "a phrase of words"),
        ((KEY, PASSWORD), "standard input has ended before the password again"),
        ((), "standard input has ended before the private key"),
    ],
)
def test_what_cannot_be_leaves_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lines: tuple[str, ...],
    says: str,
) -> None:
    assert keystore(monkeypatch, tmp_path, *lines) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "\n" not in said.strip()
    assert PASSWORD not in said
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_says_where_it_goes_and_whose_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "dexmm.toml"
    other = Account.from_key("33" * 32).address
    config.write_text(f'[wallet]\nkeystore = "secret.json"\naddress = "{other}"\n')
    lines = "".join(f"{line}\n" for line in (KEY, PASSWORD, PASSWORD))
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert main.run(["keystore", "--config", str(config)]) == 2
    assert f"the key is for {ADDRESS}, and wallet.address is {other}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["dexmm.toml"]
    config.write_text(config.read_text().replace(other, ADDRESS.lower()))
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert main.run(["keystore", "--config", str(config)]) == 0
    assert (tmp_path / "secret.json").exists()


def test_a_new_key_is_in_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keystore(monkeypatch, tmp_path, PASSWORD, PASSWORD, arguments=("--new", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    key = Account.decrypt(json.loads((tmp_path / "key.json").read_text()), PASSWORD)
    assert told == {"address": Account.from_key(key).address, "keystore": f"{tmp_path}/key.json"}
    assert told["address"] != ADDRESS


def test_on_a_terminal_nothing_that_is_typed_is_shown(tmp_path: Path) -> None:
    """Real prompts on a real terminal, and the keystore as costly to open as the library makes."""
    there, here = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "dexmm.cli.main", "keystore", "-o", "key.json"],
        stdin=here,
        stdout=here,
        stderr=here,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        start_new_session=True,
    )
    os.close(here)
    seen = b""
    for prompt, typed in ((b"key:", KEY), (b"word:", PASSWORD), (b"again:", PASSWORD)):
        while prompt not in seen.rpartition(b"\n")[2]:
            seen += os.read(there, 4096)
        os.write(there, typed.encode() + b"\n")
    try:
        while more := os.read(there, 4096):
            seen += more
    except OSError:  # the terminal's other end is closed
        pass
    os.close(there)
    assert done.wait(60) == 0
    assert ADDRESS.encode() in seen
    assert KEY.encode() not in seen
    assert PASSWORD.encode() not in seen
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
