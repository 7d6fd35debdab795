"""The compiled test contracts that are checked in are what their sources compile to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "contracts" / "test" / "build"


def test_the_compiled_output_matches_the_sources() -> None:
    done = subprocess.run([sys.executable, BUILD, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
