"""A local mainnet with a funded wallet, and a proxy in front of it that counts and delays."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eth_account import Account

from dexmm.config.schema import Config, parse_config
from dexmm.model.intent import Intent
from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.sandbox.node.deploy import ETH_USD_FEED, PAXG_USD_FEED, Deployment, deploy_mainnet

KEY = "0x" + "11" * 32
OWNER: str = Account.from_key(KEY).address
GENESIS = 1_790_000_000
NEVER = 2**40


class MemoryIntents:
    """An intent log without a disk: the bench measures the chain."""

    def __init__(self) -> None:
        self._by_id: dict[str, Intent] = {}

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        return tuple(i for i in self._by_id.values() if not i.status.final)

    def save(self, intent: Intent) -> None:
        self._by_id[intent.id] = intent


@contextlib.contextmanager
def local_mainnet() -> Iterator[Deployment]:
    """One that ends with the bench; the wallet has ether, PAXG and USDT."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        mainnet = deploy_mainnet(anvil)
        mainnet.fund_wallet(OWNER, eth=Decimal(10), paxg=Decimal(50), usdt=Decimal(200_000))
        yield mainnet


def configuration(mainnet: Deployment, url: str) -> Config:
    market = {
        "pool": mainnet.pool,
        "base": mainnet.token0,
        "price_low": Decimal(1000),
        "price_high": Decimal(9000),
        "reference_feed": PAXG_USD_FEED,
        "eth_feed": ETH_USD_FEED,
    }
    network = {"name": "sandbox", "rpc_urls": [url]}
    settings = {"network": network, "wallet": {"private_key": KEY}, "market": market}
    return parse_config(settings, Path(), "the bench")


@dataclass
class Proxy:
    """Passes requests on after ``delay_seconds``; ``requests`` holds the methods of each."""

    upstream: str
    delay_seconds: float = 0.0
    requests: list[list[str]] = field(default_factory=list)

    def __enter__(self) -> Proxy:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    parts = urlsplit(proxy.upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.node = http.client.HTTPConnection(parts.hostname or "", parts.port)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls: Any = json.loads(body)
            calls = calls if isinstance(calls, list) else [calls]
            proxy.requests.append([call["method"] for call in calls])
            time.sleep(proxy.delay_seconds)
            self.node.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = self.node.getresponse().read()
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    return Handler
