"""What a look at the exchange costs: HTTP requests, counted at the server, and time.

    .venv/bin/python bench/exchange.py [--looks N] [--json]

Four steady states against the paper exchange through real ccxt: nothing open, quotes resting
untouched, an idle perpetual beside them, and a perpetual that is held. The first three must cost
at most two requests a look, outside every tenth, which reconciles. Time is once with ccxt's own
rate limiter, as it runs, the looks five seconds apart as the limiter sees them, and once without.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench._harness import arguments, finish
from dexmm.cex.client import RECONCILE_EVERY, ExchangeClient, open_client
from dexmm.config.schema import parse_config
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import PlaceOrder
from dexmm.model.venue import Side
from dexmm.paper_exchange.api.server import Server
from dexmm.paper_exchange.engine.settings import API_KEY, QUIET, SECRET, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog

MOST = 2  # requests a look, in the steady state
SPOT, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--looks", type=int, default=60, help="of each state (default 60)")
    asked = parser.parse_args()
    results: dict[str, Any] = {"looks": asked.looks}
    failures: list[str] = []
    for name, perpetual, prepare, bound in (
        ("nothing open", False, _nothing, MOST),
        ("quotes resting", False, _quote, MOST),
        ("idle perpetual", True, _nothing, MOST),
        ("held perpetual", True, _short, None),
    ):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), asked.looks, prepare, perpetual=perpetual)
        steady = found.pop("steady")
        results |= {f"{name}: {what}": value for what, value in found.items()}
        if bound is not None and steady > bound:
            failures.append(f"{name}: {steady} requests a look, at most {bound}")
    return finish(results, failures, asked.json)


def measure(
    root: Path, looks: int, prepare: Callable[[ExchangeClient], None], *, perpetual: bool
) -> dict[str, Any]:
    served = _counted()
    settings = replace(PaperSettings(), flow=QUIET, flows={})
    with PaperExchange(settings) as paper:
        client = _client(root, paper.url, perpetual=perpetual)
        client.observe()
        prepare(client)
        client.observe()
        limited = [_one(client, served, at_leisure=True) for _ in range(looks // 4)]
        free = [_one(client, served, at_leisure=False) for _ in range(looks)]
        client.close()
    counts = Counter(requests for requests, _ in free)
    steady = counts.most_common(1)[0][0]
    return {
        "requests a look": steady,
        f"requests, mean with every {RECONCILE_EVERY}th": sum(n for n, _ in free) / looks,
        "ms, median": median(s for n, s in free if n == steady) * 1000,
        "ms, median, rate limiter on": median(s for n, s in limited if n == steady) * 1000,
        "steady": steady,
    }


def _one(client: ExchangeClient, served: Counter[str], *, at_leisure: bool) -> tuple[int, float]:
    for lane in client.connection.lanes():
        lane.exchange.enableRateLimit = at_leisure
        lane.exchange.lastRestRequestTimestamp = 0  # the last request is long ago
    before, started = served.total(), perf_counter()
    client.observe()
    return served.total() - before, perf_counter() - started


def _counted() -> Counter[str]:
    """Counts every request where it arrives."""
    served: Counter[str] = Counter()
    inner = Server.answer

    def answer(self: Server, asked: Any, fault: Any = None) -> Any:
        served[f"{asked.method} {asked.path}"] += 1
        return inner(self, asked, fault)

    Server.answer = answer  # type: ignore[method-assign]  # to count, not to change
    return served


def _client(root: Path, url: str, *, perpetual: bool) -> ExchangeClient:
    exchange: dict[str, Any] = {
        "api_key": API_KEY,
        "secret": SECRET,
        "base_url": url,
        "max_ticker_age_seconds": 3600,
    }
    if perpetual:
        exchange |= {"perpetual_id": "binanceusdm", "perpetual_symbol": PERPETUAL}
    config = parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
            "market": {
                "pool": "0x7Cb85f75e61226060453a997a7733F76707Df337",
                "base": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
                "price_low": "100",
                "price_high": "10000",
            },
            "exchange": exchange,
        },
        root,
        "the bench",
    )
    log = SqlOrderLog(open_database(f"sqlite:///{root / 'journal.sqlite'}", durable=True))
    return open_client(config, log)


def _nothing(_: ExchangeClient) -> None:
    return


def _quote(client: ExchangeClient) -> None:
    for side, price in ((Side.BUY, "3990"), (Side.SELL, "4010")):
        _send(client, SPOT, side, OrderKind.POST_ONLY, Purpose.QUOTE, price)


def _short(client: ExchangeClient) -> None:
    _send(client, PERPETUAL, Side.SELL, OrderKind.IOC, Purpose.HEDGE, "3900")


def _send(
    client: ExchangeClient, symbol: str, side: Side, kind: OrderKind, purpose: Purpose, price: str
) -> None:
    outcome = client.send(
        PlaceOrder(
            symbol=symbol,
            side=side,
            order=kind,
            purpose=purpose,
            amount=Decimal("0.1"),
            price=Decimal(price),
        )
    )
    assert outcome.status == "done", outcome.detail


if __name__ == "__main__":
    sys.exit(main())
