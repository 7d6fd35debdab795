"""The exit stands alone: whatever decides, trades, simulates or reports may be broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anvil

PROJECT = Path(__file__).resolve().parents[2]
# What an exit takes from the strategy: what goes, at what prices, with which arithmetic.
KEPT = {"__init__", "corridor", "exits", "fair", "precise"}
BROKEN_FILES = (
    "turn.py",
    "loop.py",
    "quoting.py",
    "ops/world.py",
    "ops/sharing.py",
    "ops/poolless.py",
    "ops/pairing.py",
    "ops/status.py",
    "ops/narrate.py",
)
BROKEN_FOLDERS = ("sim", "sandbox", "backtest", "telemetry", "ops/report")


def broken_tree(folder: Path) -> tuple[Path, list[str]]:
    """A copy of the product in which every module that an exit can do without raises at its top."""
    shutil.copytree(
        PROJECT / "dexmm", folder / "dexmm", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "contracts").symlink_to(PROJECT / "contracts")
    package = folder / "dexmm"
    found = [package / name for name in BROKEN_FILES]
    found += [p for p in package.glob("strategy/**/*.py") if p.stem not in KEPT]
    found += [p for name in BROKEN_FOLDERS for p in package.glob(f"{name}/**/*.py")]
    for path in found:
        path.write_text(f"raise RuntimeError('{path.name} is broken')\n", encoding="utf-8")
    return folder, [str(path.relative_to(package)) for path in found]


def dexmm(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dexmm.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        timeout=300,
    )


def test_with_everything_else_broken_the_exit_gets_everything_out(
    account: Any, tmp_path: Path
) -> None:
    assert account.dexmm("run", "--once") == 0
    account.deployment.anvil.mine(2, 12)
    tree, broken = broken_tree(tmp_path / "tree")
    assert len(broken) > 150
    # The copy is the one that runs, and it is broken indeed.
    turn = dexmm(tree, "run", "--once", "--config", str(account.config))
    assert "is broken" in turn.stderr
    done = dexmm(tree, "withdraw", "--json", "--yes", "--config", str(account.config))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["proved"] is True, told


def test_what_it_imports_is_no_decision() -> None:
    """Not even where a command that is run imports it late."""
    source = (
        "import sys, dexmm.cli.main, dexmm.cli.withdraw, dexmm.cli.halt, dexmm.ops.exit_world\n"
        "import dexmm.withdraw, dexmm.cex.client\n"
        "print(*(n.split('.')[-1] for n in sys.modules if n.startswith('dexmm.strategy.')))\n"
        "print(*(n for n in ('dexmm.turn', 'dexmm.loop') if n in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    strategy, running = done.stdout.split("\n")[:2]
    assert set(strategy.split()) <= KEPT
    assert running == ""
