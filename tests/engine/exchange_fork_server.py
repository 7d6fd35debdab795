"""The fork server of the withdraw tests, with the exchange side imported as well."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PLAIN = Path(__file__).resolve().parents[1] / "withdraw" / "fork_server.py"

if __name__ == "__main__":
    specification = importlib.util.spec_from_file_location("plain_fork_server", PLAIN)
    assert specification is not None
    assert specification.loader is not None
    server = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(server)
    server.HEAVY = (
        *server.HEAVY,
        "ccxt",
        "dexmm.cex.client",
        "dexmm.wiring.live",
        "dexmm.engine.quote_refresher",
    )
    server.serve()
