"""Compiled contracts: the ones checked in here, and the ones npm ships.

A checkout has them under ``contracts/`` and ``node_modules/`` of the project; a wheel carries
``contracts/`` inside the package and looks for ``node_modules`` where it is run.
``DEXMM_NODE_MODULES`` names another ``node_modules``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dexmm.errors import BadInput

PACKAGE = Path(__file__).resolve().parents[2]
PROJECT = PACKAGE.parent


@dataclass(frozen=True)
class Artifact:
    """One compiled contract: its ABI, its creation code, and its code once deployed."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    deployed_bytecode: bytes
    link_references: dict[str, dict[str, list[dict[str, int]]]]

    def creation_code(self, **libraries: str) -> bytes:
        """The creation code with every library named in ``libraries`` linked to its address."""
        code = self.bytecode.removeprefix("0x")
        for by_name in self.link_references.values():
            for library, places in by_name.items():
                address = libraries[library].removeprefix("0x").lower()
                for place in places:
                    at = 2 * place["start"]
                    code = code[:at] + address + code[at + 40 :]
        return bytes.fromhex(code)


def contracts_folder() -> Path:
    """``contracts/`` of the checkout or of the installed package."""
    for folder in (PROJECT / "contracts", PACKAGE / "contracts"):
        if (folder / "abi").is_dir():
            return folder
    raise BadInput(
        f"The compiled contracts are missing in {PROJECT}: check the project out again, "
        "or run 'scripts/build_contracts'."
    )


def npm_folder() -> Path:
    """Where 'npm ci' is to be run: the checkout, or for an installed package where we are."""
    return PROJECT if (PROJECT / "package.json").is_file() else Path.cwd()


def node_modules() -> Path:
    """Where the npm artifacts are; the folder need not exist."""
    named = os.environ.get("DEXMM_NODE_MODULES")
    return Path(named) if named else npm_folder() / "node_modules"


def abi(name: str) -> list[dict[str, Any]]:
    """The bare ABI ``contracts/abi/NAME.json``."""
    loaded: list[dict[str, Any]] = json.loads(
        (contracts_folder() / "abi" / f"{name}.json").read_text()
    )
    return loaded


@cache
def contract(name: str) -> Artifact:
    """One of this project's own contracts, by name."""
    folder = contracts_folder()
    for path in (folder / "sandbox" / "out" / f"{name}.json", folder / "lens" / f"{name}.json"):
        if path.is_file():
            return _load(path)
    raise BadInput(f"There is no compiled contract {name} in {folder}.")


@cache
def npm(path: str) -> Artifact:
    """An artifact that an npm package ships; ``path`` is relative to ``node_modules``."""
    at = node_modules() / path
    if not at.is_file():
        raise BadInput(
            f"The npm artifact {path} is missing in {node_modules()}: run 'npm ci' in "
            f"{npm_folder()}, or point DEXMM_NODE_MODULES at a node_modules folder that has it."
        )
    return _load(at)


def _load(path: Path) -> Artifact:
    raw = json.loads(path.read_text())
    return Artifact(
        name=raw["contractName"],
        abi=raw["abi"],
        bytecode=raw["bytecode"],
        deployed_bytecode=_code_bytes(raw["deployedBytecode"]),
        link_references=raw.get("linkReferences", {}),
    )


def _code_bytes(text: str) -> bytes:
    """Code whose libraries are not linked yet has ``__$...$__`` in their places; zeros here."""
    digits = text.removeprefix("0x")
    while (at := digits.find("__$")) >= 0:
        digits = digits[:at] + "0" * 40 + digits[at + 40 :]
    return bytes.fromhex(digits)
