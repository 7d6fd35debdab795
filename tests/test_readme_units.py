"""The README's unit files: systemd takes them, and paths with spaces stay whole."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
CHECK = shutil.which("systemd-analyze")


def units() -> dict[str, str]:
    """Each unit by its name, as a reader would copy it."""
    found = re.findall(r"system/(\S+\.service)`[^\[]*?\n\n((?: {4}.*\n|\n)+)", README)
    return {name: re.sub("^    ", "", text, flags=re.MULTILINE).strip() for name, text in found}


def settings(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return [(line.split("=", 1)[0], line.split("=", 1)[1]) for line in lines]


def test_both_units_are_there() -> None:
    assert set(units()) == {"dexmm.service", "dexmm-failed.service"}


def test_a_failure_that_needs_a_person_is_told() -> None:
    unit = dict(settings(units()["dexmm.service"]))
    assert unit["OnFailure"] in units()
    assert unit["Restart"] == "on-failure"
    assert unit["RestartPreventExitStatus"] == "2 4"
    assert (unit["ProtectSystem"], unit["NoNewPrivileges"]) == ("strict", "yes")


def test_every_path_is_quoted() -> None:
    told = README[README.index("### From cron") : README.index("Exit codes, of every command")]
    commands = [
        line for line in told.splitlines() if "ExecStart=" in line or "rebalance_once" in line
    ]
    assert len(commands) == 3
    for line in commands:
        spaced = line.replace("/path/to", "/path of mine")
        assert all(word.count("/path") < 2 for word in shlex.split(spaced))
        assert len(shlex.split(spaced)) == len(shlex.split(line))


@pytest.mark.skipif(CHECK is None, reason="systemd-analyze is not installed")
def test_systemd_takes_them_in_a_folder_with_spaces(tmp_path: Path) -> None:
    home = tmp_path / "my bots"
    program = home / "dexmm" / ".venv" / "bin" / "dexmm"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace("/path/to", str(home)) + "\n")
    for name in units():
        done = subprocess.run(
            [str(CHECK), "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
