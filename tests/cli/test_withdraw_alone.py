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
KEPT = {"exits.py", "exposure/fair_price.py", "ranges/slippage_bounds.py"}
BROKEN_FILES = (
    "engine/turn.py",
    "engine/loop.py",
    "engine/quote_refresher.py",
    "wiring/live.py",
    "wiring/shared_wallet.py",
    "wiring/exchange_only.py",
    "wiring/paired_observation.py",
    "health/status.py",
    "performance/entry_text.py",
    "telemetry/metrics.py",
)
BROKEN_FOLDERS = (
    "sim",
    "sandbox",
    "paper_exchange",
    "backtest",
    "tune",
    "report",
    "scout",
    "fetch",
    "history",
)


def broken_tree(folder: Path) -> tuple[Path, list[str]]:
    """A copy of the product in which every module that an exit can do without raises at its top."""
    shutil.copytree(
        PROJECT / "dexmm", folder / "dexmm", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "contracts").symlink_to(PROJECT / "contracts")
    package = folder / "dexmm"
    found = [package / name for name in BROKEN_FILES]
    found += [
        p
        for p in package.glob("strategy/**/*.py")
        if p.parent.name == "strategies" or p.name != "__init__.py"
        if str(p.relative_to(package / "strategy")) not in KEPT
    ]
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
        "import sys, dexmm.cli.main, dexmm.cli.withdraw, dexmm.cli.halt, dexmm.wiring.exit\n"
        "import dexmm.withdraw.withdraw, dexmm.cex.client\n"
        "import pathlib\n"
        "top = pathlib.Path(dexmm.__file__).parent / 'strategy'\n"
        "found = [m for n, m in sys.modules.items() if n.startswith('dexmm.strategy.')]\n"
        "files = [pathlib.Path(m.__file__) for m in found]\n"
        "print(*(f.relative_to(top) for f in files if f.name != '__init__.py'))\n"
        "print(*(n for n in ('dexmm.engine.turn', 'dexmm.engine.loop') if n in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    strategy, running = done.stdout.split("\n")[:2]
    assert set(strategy.split()) <= KEPT
    assert running == ""
