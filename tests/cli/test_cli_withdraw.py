"""``dexmm withdraw``'s own options: what is refused before anything is touched. No node needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dexmm.cli.main import run

POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
SAFE = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
STRANGER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SCRIPT = Path(__file__).resolve().parent.parent.parent / "scripts" / "withdraw.py"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose node does not exist: whatever asks it fails with exit code 5."""
    monkeypatch.setenv("DEXMM_WALLET__PRIVATE_KEY", "0x" + "5a" * 32)
    path = tmp_path / "dexmm.toml"
    path.write_text(
        f"""
[network]
name = "sandbox"
rpc_urls = ["http://127.0.0.1:1"]

[wallet]
safe_address = "{SAFE}"

[market]
pool = "{POOL}"
base = "{PAXG}"
price_low = 2000
price_high = 8000
"""
    )
    return path


def _run(config: Path, *arguments: str) -> int:
    return run(["withdraw", *arguments, "--config", str(config)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", STRANGER), "--confirm-to"),
        (("--to", STRANGER, "--confirm-to", SAFE), "another address"),
        (("--confirm-to", SAFE), "--to ADDRESS"),
        (("--to", POOL), "a contract of the market"),
        (("--to", PAXG.lower()), "a contract of the market"),
        (("--to", STRANGER[:-1] + "d"), "checksum"),
        (("--to", "nonsense"), "not an address"),
        (("--max-gwei", "0"), "above 0"),
        (("--max-gwei", "many"), "not a number"),
        (("--max-gwei", "NaN"), "above 0"),
        (("--frobnicate",), "--frobnicate"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert _run(config, *arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert not (config.parent / ".dexmm").exists()


def test_safe_needs_a_safe_address(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().replace(f'safe_address = "{SAFE}"', ""))
    assert _run(config, "--to", "safe") == 2
    assert "wallet.safe_address" in capsys.readouterr().err


def test_mainnet_asks_and_says_how_not_to(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEXMM_WALLET__PRIVATE_KEY")
    config.write_text(config.read_text().replace('"sandbox"', '"mainnet"'))
    assert _run(config) == 2
    assert "--yes" in capsys.readouterr().err
    assert not (config.parent / ".dexmm").exists()


def test_the_script_needs_no_folder_and_no_environment(config: Path) -> None:
    """Run by whatever Python is at hand, from the root folder."""
    ran = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "--to", POOL, "--config", str(config)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "a contract of the market" in ran.stderr
