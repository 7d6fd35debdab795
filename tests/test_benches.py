"""Every bench starts: a file here may be named like a module that others import (``math.py``)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
BENCHES = sorted(p.name for p in (PROJECT / "bench").glob("*.py") if not p.name.startswith("_"))


@pytest.mark.parametrize("name", BENCHES)
def test_it_starts_and_tells_its_options(name: str) -> None:
    if name == "pool.py":
        pytest.importorskip("pyrevm", reason="pyrevm has no build for this platform")
    done = subprocess.run(
        [sys.executable, PROJECT / "bench" / name, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
