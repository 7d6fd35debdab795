"""Packages that only some commands need, and what to install when one is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from dexmm.errors import BadInput, install


def need(module: str, extra: str) -> ModuleType:
    """The module, imported now; ``BadInput`` names the extra of dexmm that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        package = module.split(".")[0]
        raise BadInput(
            f"this needs the {extra} extra ({package} is missing): {install(extra)}"
        ) from None
