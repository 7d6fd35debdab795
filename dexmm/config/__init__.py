"""Settings: their types and defaults, where they come from, and the text that `dexmm init` writes.

What ``schema`` defines can be imported from here too. It is looked up when it is asked for, so that
a module beside it is imported without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        schema = import_module("dexmm.config.schema")
        if hasattr(schema, name):
            return getattr(schema, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
