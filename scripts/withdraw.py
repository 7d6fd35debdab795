#!/usr/bin/env python3
"""The emergency exit, from anywhere: `scripts/withdraw.py` is `dexmm withdraw`, same options.

Works from any folder and under any Python: it goes over to the checkout's own environment, where
the product's packages are. `scripts/withdraw.py --help` lists the options.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"


def main() -> None:
    # By environment, not by file: a virtual environment's Python is a link to the system's.
    if PYTHON.is_file() and Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        script = str(Path(__file__).resolve())
        os.execv(PYTHON, [str(PYTHON), script, *sys.argv[1:]])  # noqa: S606 - the same script again
    sys.path.insert(0, str(ROOT))
    try:
        from dexmm.cli.main import main as dexmm
    except ModuleNotFoundError as missing:
        print(f"dexmm: {missing.name} is not installed: run {ROOT}/scripts/setup", file=sys.stderr)
        sys.exit(2)
    dexmm(["withdraw", *sys.argv[1:]])


if __name__ == "__main__":
    main()
