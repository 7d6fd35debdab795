"""Imports go one way. This reads every import in the product and fails on any other."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "dexmm"

BASE = {"units", "errors"}
NOUNS = BASE | {"model", "config"}
EDGES = {"chain", "cex", "store"}  # each to one part of the world outside
RUNNING = {"protocols", "strategy", "engine", "withdraw"}

# layer -> the other layers it may import; a layer may always import itself
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),  # dexmm/__init__.py
    "units": set(),
    "errors": set(),
    "decimal_context": {"units"},
    "optional_packages": {"errors"},
    "uniswap": BASE,
    "model": BASE,
    "config": BASE,
    "protocols": NOUNS,
    "strategy": NOUNS | {"decimal_context", "uniswap"},
    "chain": NOUNS | {"uniswap"},
    "cex": NOUNS | {"uniswap"},
    "store": NOUNS | {"uniswap"},
    "engine": NOUNS | {"protocols", "strategy", "withdraw"},
    "withdraw": NOUNS | {"protocols", "decimal_context", "strategy"},
    "history": BASE | {"model", "uniswap"},
    "sim": BASE | {"model", "uniswap", "history"},
    "paper_exchange": BASE | {"sim"},
    "terminal": BASE,
    "fetch": NOUNS | EDGES | {"uniswap", "history", "optional_packages", "terminal"},
    "wiring": NOUNS | EDGES | RUNNING | {"decimal_context", "uniswap", "fetch"},
    "performance": NOUNS
    | {"decimal_context", "strategy", "engine", "uniswap", "fetch", "chain", "cex"},
    "report": NOUNS
    | {"", "strategy", "uniswap", "performance", "store", "wiring"}
    | {"optional_packages", "terminal"},
    "scout": NOUNS
    | {"decimal_context", "strategy", "uniswap", "chain", "fetch", "performance", "report"}
    | {"optional_packages", "terminal"},
    "health": NOUNS
    | EDGES
    | {"decimal_context", "strategy", "uniswap", "wiring", "performance", "optional_packages"},
    "telemetry": NOUNS | {"strategy", "engine", "optional_packages"},
    "sandbox": NOUNS
    | EDGES
    | RUNNING
    | {"decimal_context", "uniswap", "history", "sim", "paper_exchange", "wiring"}
    | {"performance", "report", "terminal", "optional_packages"},
    "backtest": NOUNS
    | {"protocols", "decimal_context", "uniswap", "strategy", "engine", "withdraw"}
    | {"history", "sim", "cex"}
    | {"performance", "report", "terminal", "optional_packages"},
    "tune": NOUNS
    | {"decimal_context", "uniswap", "strategy", "history", "sim", "backtest"}
    | {"performance", "report", "terminal", "optional_packages"},
    "cli": NOUNS
    | EDGES
    | RUNNING
    | {"", "decimal_context", "uniswap", "history", "sim", "paper_exchange", "sandbox"}
    | {"backtest", "tune", "fetch", "scout", "health", "wiring", "performance", "report"}
    | {"telemetry", "terminal", "optional_packages"},
}

# layer -> the packages from outside it may import; None is the standard library alone
OUTSIDE: dict[str, set[str]] = {
    "config": {"pydantic", "dotenv", "eth_utils"},
    "chain": {
        "web3",
        "eth_account",
        "eth_abi",
        "eth_typing",
        "eth_utils",
        "hexbytes",
        "requests",
        "tenacity",
        "urllib3",
    },
    "cex": {"ccxt"},
    "store": {"sqlalchemy", "pydantic"},
    "history": {"numpy", "pyarrow"},
    "sim": {"numpy"},
    "paper_exchange": {"aiohttp"},
    "terminal": {"rich"},
    "fetch": {"ccxt", "msgspec", "numpy", "pyarrow", "requests", "tenacity"},
    "performance": {"numpy", "requests"},
    "report": {"plotly", "rich"},
    "scout": {"pyarrow", "rich"},
    "health": {"pandas_market_calendars"},
    "telemetry": {"prometheus_client"},
    "sandbox": {"eth_abi", "eth_account", "eth_utils", "requests", "rich", "web3"},
    "backtest": {"numpy", "plotly", "rich"},
    "tune": {"numpy", "optuna", "plotly", "rich", "sqlalchemy"},
    "cli": {"click", "rich", "pydantic"},
}

# A decision depends on its arguments alone: no clock, network, disk, logging or randomness.
PURE = {"strategy", "uniswap", "model", "units", "decimal_context"}
PURE_LIBRARY = {
    "__future__",
    "array",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "statistics",
    "struct",
    "typing",
}
IMPURE_CALLS = {"open", "print", "input", "__import__", "exec", "eval"}

HEAVY = (
    "web3",
    "eth_account",
    "ccxt",
    "sqlalchemy",
    "pydantic",
    "rich",
    "eth_utils",
    "dotenv",
    "aiohttp",
    "numpy",
    "pyarrow",
    "plotly",
    "optuna",
    "msgspec",
)


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    deferred: bool  # inside a function, or for annotations only


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(source: str) -> Iterator[Import]:
    """Every import in a file, wherever it stands; a relative one is named with its dots."""
    tree = ast.parse(source)
    holders = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    deferred = {id(child) for holder in holders for child in ast.walk(holder)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, id(node) in deferred)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = [f"dexmm.{n.name}" for n in node.names] if module == "dexmm" else [module]
            for name in names:
                if name == "dexmm.__version__":
                    name = "dexmm"
                yield Import(name, node.lineno, id(node) in deferred)


def violations(module: str, source: str) -> list[str]:
    """What a module named ``module`` with this source may not import or call."""
    layer = layer_of(module)
    if layer not in MAY_IMPORT:
        return [f"{module}: no layer is called {layer!r}; give it a place in the table"]
    found = []
    for item in imports(source):
        root = item.module.split(".")[0]
        where = f"{module}:{item.line} imports {item.module}"
        if item.module.startswith("."):
            found.append(f"{where}: relative imports hide their layer")
        elif root == "dexmm":
            target = layer_of(item.module)
            if target != layer and target not in MAY_IMPORT[layer]:
                found.append(f"{where}: {layer} may not import {target}")
        elif root in sys.stdlib_module_names:
            if layer in PURE and root not in PURE_LIBRARY:
                found.append(f"{where}: {layer} is pure")
        elif root not in OUTSIDE.get(layer, set()):
            found.append(f"{where}: {layer} may not import {root}")
        elif layer == "cli" and root in HEAVY and not item.deferred:
            found += [f"{where}: heavy, so import it inside the command"]
    if layer in PURE:
        found += [f"{module}:{line} calls {name}: {layer} is pure" for name, line in impure(source)]
    return found


def impure(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in IMPURE_CALLS
        ):
            yield node.func.id, node.lineno


def product() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def test_every_import_goes_down() -> None:
    files = product()
    assert len(files) > 30  # it looked at the product, and not at an empty folder
    found = [v for module, path in files for v in violations(module, path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("dexmm.units", "from dexmm.errors import Halt"),
        ("dexmm.errors", "import pydantic"),
        ("dexmm.uniswap.pool", "from dexmm.model.market import Market"),
        ("dexmm.model.market", "from dexmm.config.schema import Config"),
        ("dexmm.model.market", "import requests"),
        ("dexmm.config.schema", "import dexmm.model.market"),
        ("dexmm.config.schema", "from dexmm import strategy"),
        ("dexmm.strategy.decide", "from dexmm.engine.turn import turn"),
        ("dexmm.strategy.decide", "def f():\n    from dexmm.chain.client import connect"),
        ("dexmm.strategy.decide", "import time"),
        ("dexmm.strategy.decide", "import logging"),
        ("dexmm.strategy.decide", "from random import random"),
        ("dexmm.strategy.decide", "from datetime import datetime"),
        ("dexmm.strategy.decide", "import os.path"),
        ("dexmm.strategy.decide", "x = open('file')"),
        ("dexmm.strategy.decide", "import numpy"),
        ("dexmm.chain.client", "from dexmm.store.journal import SqlJournal"),
        ("dexmm.chain.client", "from dexmm.strategy.decide import decide"),
        ("dexmm.store.journal", "from dexmm.chain import client"),
        ("dexmm.store.journal", "import web3"),
        ("dexmm.strategy.decide", "from dexmm.engine.loop import World"),
        ("dexmm.engine.turn", "from dexmm.chain.client import connect"),
        ("dexmm.withdraw.withdraw", "from dexmm.store.flags import HaltFlag"),
        ("dexmm.engine.loop", "from dexmm.wiring.live import open_world"),
        ("dexmm.wiring.live", "from dexmm.cli.common import load"),
        ("dexmm.wiring.live", "from dexmm.sandbox.node.anvil import Anvil"),
        ("dexmm.withdraw.plan", "from dexmm.wiring.exit import open_exit"),
        ("dexmm.sandbox.market_simulation", "from dexmm.cli.common import load"),
        ("dexmm.sim.chain.chain", "from dexmm.protocols import Verdict"),
        ("dexmm.sim.chain.chain", "from dexmm.sandbox.market_simulation import SandboxWorld"),
        ("dexmm.backtest.run", "from dexmm.sandbox.market_simulation import SandboxWorld"),
        ("dexmm.cli.run", "import rich.table"),
        ("dexmm.cli.run", "def f():\n    import web3"),
        ("dexmm.chain.client", "from .rpc import Rpc"),
        ("dexmm.novelty", "import math"),
    ],
)
def test_the_checker_finds(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("dexmm.uniswap.pool", "from dexmm.units import Tick\nfrom dexmm.uniswap import tick_math"),
        (
            "dexmm.strategy.decide",
            "from dexmm.config.schema import Config\nfrom decimal import Decimal",
        ),
        ("dexmm.chain.client", "import web3, os, time\nfrom dexmm.model.steps import Step"),
        ("dexmm.cli.main", "from dexmm import __version__\nimport click"),
        (
            "dexmm.cli.run",
            "def f():\n    import rich.table\n    from dexmm.engine.loop import run_once",
        ),
        ("dexmm.cli.run", "if TYPE_CHECKING:\n    from rich.console import Console"),
        ("dexmm", "__version__ = '1'"),
    ],
)
def test_the_checker_lets_pass(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_no_layer_is_above_one_it_is_below() -> None:
    """The table itself has no cycle between different layers."""
    seen: set[str] = set()

    def reach(layer: str, path: tuple[str, ...]) -> None:
        assert layer not in path, f"cycle: {path} -> {layer}"
        if layer not in seen:
            for target in MAY_IMPORT[layer] - {layer}:
                reach(target, (*path, layer))
            seen.add(layer)

    for layer in MAY_IMPORT:
        reach(layer, ())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nonsense"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    source = (
        "import sys, json\n"
        "from dexmm.cli.main import run\n"
        f"run({arguments!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps(heavy), file=sys.__stderr__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_the_heavy_check_sees_what_is_imported() -> None:
    source = f"import sys, dexmm.config.schema\nprint([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pydantic" in done.stdout
