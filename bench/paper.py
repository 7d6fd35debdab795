"""How many signed orders a second the paper exchange takes: at least 500.

The exchange runs as a user has it, `dexmm paper`, a process of its own with its state file; one
client holds a few connections open and sends signed orders, raw. A resting order is the cheapest
it can be asked; a market order fills, pays a fee and writes two rows more; quoting is a new
order and a cancel. The same once through ccxt, whose own work is then most of what is measured.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import asyncio
import hashlib
import hmac
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import ccxt

from bench._harness import arguments, finish
from dexmm.paper_exchange.api.urls import ccxt_urls
from dexmm.paper_exchange.engine.settings import API_KEY, SECRET, UNLIMITED, Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

LEAST = 500
RICH = Opening(spot={"PAXG": Decimal(10**6), "USDT": Decimal(10**10)})
SYMBOL = "symbol=PAXGUSDT"


class Line:
    """One kept-alive connection. Sends a signed request, waits for the whole answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, method: str, path: str, parameters: str) -> bytes:
        parameters += f"&recvWindow=60000&timestamp={time.time_ns() // 1_000_000}"
        signed = hmac.new(SECRET.encode(), parameters.encode(), hashlib.sha256).hexdigest()
        self.writer.write(
            f"{method} {path}?{parameters}&signature={signed} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-MBX-APIKEY: {API_KEY}\r\n\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await self.reader.readexactly(length)
        assert head.startswith(b"HTTP/1.1 200"), body
        return body


async def rest(line: Line, number: int) -> int:
    price = Decimal(3500) + Decimal(number % 4000) / 100
    await line.send(
        "POST",
        "/api/v3/order",
        f"{SYMBOL}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price={price}"
        f"&newClientOrderId=rest-{number}",
    )
    return 1


async def take(line: Line, number: int) -> int:
    side = "BUY" if number % 2 else "SELL"
    await line.send("POST", "/api/v3/order", f"{SYMBOL}&side={side}&type=MARKET&quantity=0.0015")
    return 1


async def quote(line: Line, number: int) -> int:
    name = f"quote-{number}"
    await line.send(
        "POST",
        "/api/v3/order",
        f"{SYMBOL}&side=SELL&type=LIMIT_MAKER&quantity=0.1&price=4100&newClientOrderId={name}",
    )
    await line.send("DELETE", "/api/v3/order", f"{SYMBOL}&origClientOrderId={name}")
    return 2


async def measure(url: str, what: Any, count: int, lines: int, first: int) -> float:
    """Signed requests a second."""
    host, port = url.removeprefix("http://").split(":")
    opened = [Line(*await asyncio.open_connection(host, int(port))) for _ in range(lines)]
    numbers = iter(range(first, first + count))

    async def work(line: Line) -> int:
        return sum([await what(line, number) for number in numbers])

    started = time.perf_counter()
    done = sum(await asyncio.gather(*(work(line) for line in opened)))
    elapsed = time.perf_counter() - started
    for line in opened:
        line.writer.close()
        await line.writer.wait_closed()
    return done / elapsed


def through_ccxt(client: Any, count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        client.create_order(
            "PAXG/USDT", "limit", "buy", 0.1, 3400, {"clientOrderId": f"ccxt-{number}"}
        )
        client.cancel_order(None, "PAXG/USDT", {"clientOrderId": f"ccxt-{number}"})
    return 2 * count / (time.perf_counter() - started)


def serve(port: int, state: str) -> None:
    """The exchange alone in this process, until standard input ends."""
    settings = PaperSettings(accounts=(RICH,), limits=UNLIMITED)
    rules = settings.spot[0]
    settings = replace(settings, spot=(replace(rules, max_open_orders=10**6), *settings.spot[1:]))
    with PaperExchange(settings, port=port, state=Path(state)):
        print("ready", flush=True)
        sys.stdin.read()


@contextmanager
def exchange() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(port), f"{folder}/paper.sqlite"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == b"ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stdin.close()
            server.wait(timeout=30)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--orders", type=int, default=3000, help="per side (default 3000)")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    sides = {"resting order": rest, "market order": take, "quote and cancel": quote}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    with exchange() as url:
        first = 0
        for _ in range(options.rounds):
            for name, side in sides.items():
                speed = asyncio.run(measure(url, side, options.orders, options.connections, first))
                speeds[name].append(speed)
                first += options.orders
        client = ccxt.binance(
            {
                "apiKey": API_KEY,
                "secret": SECRET,
                "urls": ccxt_urls(url),
                "enableRateLimit": False,
            }
        )
        client.load_markets()
        results["through ccxt: quote and cancel, per second"] = through_ccxt(client, 200)
    for name in sides:
        results[f"{name}, signed requests per second"] = median(speeds[name])
    slowest = min(median(each) for each in speeds.values())
    failures = [f"{slowest:.0f} signed orders a second, not {LEAST}"] if slowest < LEAST else []
    return finish(results, failures, options.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(main())
