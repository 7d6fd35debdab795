"""The script for cron: from any folder, silent when nothing happened, exit codes passed on."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "scripts" / "rebalance_once.sh"

pytestmark = pytest.mark.anvil


def run(
    script: Path,
    *arguments: str,
    cwd: Path = Path("/"),
    home: str = "/nonexistent",
    path: str | None = "/usr/bin:/bin",
) -> subprocess.CompletedProcess[str]:
    """As cron does: hardly any environment, and a working folder of its own choice."""
    return subprocess.run(
        [script, *arguments],
        cwd=cwd,
        env={"HOME": home} if path is None else {"PATH": path, "HOME": home},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_turn_that_acts_is_told_and_one_that_does_not_is_silent(account: Any) -> None:
    first = run(SCRIPT, "--config", str(account.config))
    assert first.returncode == 0, first.stderr
    assert "liquidity moved into" in first.stdout
    account.deployment.anvil.mine(5, 12)
    second = run(SCRIPT, f"--config={account.config}")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("variables", "code"),
    [({"STRATEGY__TARGET": 35}, 2), ({"NETWORK__RPC_URLS": "http://127.0.0.1:1"}, 5)],
)
def test_codes_are_passed_on(account: Any, variables: dict[str, object], code: int) -> None:
    account.override(**variables)
    done = run(SCRIPT, "--config", str(account.config))
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1


def test_a_halt_is_passed_on(account: Any) -> None:
    assert account.dexmm("halt") == 0
    assert run(SCRIPT, "--config", str(account.config)).returncode == 4


def test_a_checkout_in_a_folder_with_a_space_finds_its_own_configuration(
    account: Any, tmp_path: Path
) -> None:
    checkout = tmp_path / "my check out"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / ".venv").symlink_to(PROJECT / ".venv")
    script = checkout / "scripts" / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    script.chmod(0o755)
    missing = run(script)
    assert missing.returncode == 2
    assert f"no configuration at {checkout}/dexmm.toml" in missing.stderr
    os.link(account.config, checkout / "dexmm.toml")
    os.link(account.config.parent / ".env", checkout / ".env")
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert (checkout / ".dexmm" / "journal.sqlite").exists()


def test_a_checkout_that_is_not_set_up_says_how(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    script.chmod(0o755)
    done = run(script)
    assert done.returncode == 2
    assert done.stderr == f"dexmm: it is not installed yet: run {tmp_path}/scripts/setup sandbox\n"


@pytest.mark.parametrize("path", ["", None, "/nonexistent"])
def test_a_path_that_leads_nowhere_is_enough(tmp_path: Path, path: str | None) -> None:
    done = run(SCRIPT, "--config", str(tmp_path / "dexmm.toml"), path=path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dexmm: there is no configuration at {tmp_path}/dexmm.toml")
    assert len(done.stderr.splitlines()) == 1


def test_called_without_a_folder_it_still_finds_its_checkout() -> None:
    done = subprocess.run(
        ["/bin/sh", SCRIPT.name, "--config", "/nonexistent/dexmm.toml"],
        cwd=SCRIPT.parent,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, "no configuration at" in done.stderr) == (2, True)
