"""A wallet on the local mainnet, the chain client under test, and a node that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account import Account

from dexmm.chain.client import ChainClient, connect
from dexmm.config.schema import Config, parse_config
from dexmm.model.decision import Refusal, Role
from dexmm.model.intent import Intent
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Allowance, Approve, Mint, Outcome, Removal, Rerange, Simulation
from dexmm.sandbox.node.deploy import ETH_USD_FEED, PAXG_USD_FEED, Deployment
from dexmm.units import Amount0, Amount1, Tick

KEY = "0x" + "11" * 32
OWNER: str = Account.from_key(KEY).address
NEVER = 2**40


class MemoryIntents:
    """An IntentLog in memory; ``log`` is every save in order."""

    def __init__(self) -> None:
        self.log: list[Intent] = []
        self.by_id: dict[str, Intent] = {}
        self.on_save: Callable[[Intent], None] = lambda intent: None

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        mine = [i for i in self.by_id.values() if (i.wallet, i.chain_id) == (wallet, chain_id)]
        return tuple(sorted((i for i in mine if not i.status.final), key=lambda i: i.nonce))

    def save(self, intent: Intent) -> None:
        self.log.append(intent)
        self.by_id[intent.id] = intent
        self.on_save(intent)

    @property
    def newest(self) -> Intent:
        return self.by_id[self.log[-1].id]


@dataclass
class World:
    """The stage of a test: a funded wallet, its intents, and clients made from a configuration."""

    mainnet: Deployment
    intents: MemoryIntents = field(default_factory=MemoryIntents)
    owner: str = OWNER
    simulations: list[Simulation] = field(default_factory=list)

    def settings(self, **overrides: Any) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "network": {"name": "sandbox", "rpc_urls": [self.mainnet.anvil.url]},
            "wallet": {"private_key": KEY},
            "market": {
                "pool": self.mainnet.pool,
                "base": self.mainnet.token0,
                "price_low": Decimal("0.0000001"),
                "price_high": Decimal(90_000_000),
                "reference_feed": PAXG_USD_FEED,
                "eth_feed": ETH_USD_FEED,
            },
            "loop": {"receipt_timeout_seconds": 20},
        }
        for section, values in overrides.items():
            settings[section] = {**settings.get(section, {}), **values}
        return settings

    def config(self, **overrides: Any) -> Config:
        return parse_config(self.settings(**overrides), Path(), "the test")

    def connect(
        self,
        *,
        url: str | None = None,
        stop: Callable[[], str] | None = None,
        rescue: bool = False,
        read_only: bool = False,
        **overrides: Any,
    ) -> ChainClient:
        if url is not None:
            overrides["network"] = {**overrides.get("network", {}), "rpc_urls": [url]}
        return connect(
            self.config(**overrides),
            self.intents,
            lambda: int(time.time()),
            stop=stop,
            rescue=rescue,
            read_only=read_only,
        )

    def verdict(self, simulation: Simulation) -> Refusal | None:
        self.simulations.append(simulation)
        return None

    def approve_all(self, client: ChainClient) -> Outcome:
        market = client.market
        allowances = tuple(
            Allowance(token=t.address, spender=market.position_manager, amount=10**30, current=0)
            for t in (market.token0, market.token1)
        )
        return client.send(Approve(allowances=allowances), self.verdict)

    def deposit(self, client: ChainClient, below: int = -20, above: int = 20) -> Outcome:
        """Approve, and mint 1 PAXG and 4,000 USDT around the price."""
        assert self.approve_all(client).status == "mined"
        view = client.observe()
        return client.send(self.rerange(mints=(self.mint(view, below, above),)), self.verdict)

    @staticmethod
    def mint(
        view: ChainView, below: int, above: int, amount0: int = 10**18, amount1: int = 4000 * 10**6
    ) -> Mint:
        """A mint between two steps of the grid around the price, without minimums."""
        spacing = view.market.tick_spacing
        grid = view.pool.tick // spacing
        return Mint(
            tick_lower=Tick((grid + below) * spacing),
            tick_upper=Tick((grid + above) * spacing),
            amount0_desired=Amount0(amount0),
            amount1_desired=Amount1(amount1),
            amount0_min=Amount0(0),
            amount1_min=Amount1(0),
            role=Role.BASE,
        )

    @staticmethod
    def remove_all(view: ChainView) -> tuple[Removal, ...]:
        return tuple(
            Removal(
                token_id=p.token_id,
                liquidity=p.liquidity,
                amount0_min=p.amount0,
                amount1_min=p.amount1,
                burn=True,
            )
            for p in view.positions
        )

    @staticmethod
    def rerange(
        removals: tuple[Removal, ...] = (), mints: tuple[Mint, ...] = (), deadline: int = NEVER
    ) -> Rerange:
        return Rerange(removals=removals, mints=mints, deadline=deadline)


@pytest.fixture
def world(mainnet: Deployment) -> World:
    mainnet.fund_wallet(OWNER, eth=Decimal(10), paxg=Decimal(20), usdt=Decimal(100_000))
    return World(mainnet)


@dataclass(frozen=True)
class Reply:
    """What the proxy sends back; ``claimed`` is the length that its header promises."""

    body: bytes
    status: int = 200
    claimed: int | None = None
    trickle_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


Forward = Callable[[Any], Any]
Answer = Callable[[Any, Forward], Any]


class Proxy:
    """A node in front of another: it counts, delays, drops and lies as a test asks it to."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self.requests: list[list[str]] = []  # the methods of each HTTP request
        self.payloads: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.delay_seconds = 0.0
        self.drop: Callable[[list[str]], bool] = lambda methods: False
        self.answer: Answer = lambda payload, forward: forward(payload)
        self.reply: Callable[[Reply], Reply] = lambda reply: reply
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forward(self, payload: Any) -> Any:
        connection = http.client.HTTPConnection(*self._upstream, timeout=30)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/", json.dumps(payload), headers)
            return json.loads(connection.getresponse().read())

    def handle(self, body: bytes) -> Reply | None:
        """None: the connection is closed without an answer."""
        payload = json.loads(body)
        methods = [call["method"] for call in payload] if isinstance(payload, list) else None
        methods = methods or [payload["method"]]
        self.requests.append(methods)
        self.payloads.append(payload)
        time.sleep(self.delay_seconds)
        if self.drop(methods):
            return None
        answered = self.answer(payload, self.forward)
        if answered is None:
            return None
        raw = answered if isinstance(answered, bytes) else json.dumps(answered).encode()
        return self.reply(Reply(raw))

    def rewrite(self, method: str, change: Callable[[Any], Any]) -> None:
        """From now on every answer to ``method`` goes through ``change``: a whole answer object."""

        def answer(payload: Any, forward: Forward) -> Any:
            answered = forward(payload)
            calls = payload if isinstance(payload, list) else [payload]
            named = {call["id"]: call["method"] for call in calls}
            if isinstance(answered, list):
                return [change(a) if named[a["id"]] == method else a for a in answered]
            return change(answered) if calls[0]["method"] == method else answered

        self.answer = answer


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            proxy.headers.append(dict(self.headers))
            try:
                reply = proxy.handle(self.rfile.read(int(self.headers["Content-Length"])))
            except (
                OSError,
                http.client.HTTPException,
            ):  # the node behind is gone, and so is whoever asked
                reply = None
            if reply is None:
                self.close_connection = True
                return
            claimed = len(reply.body) if reply.claimed is None else reply.claimed
            self.close_connection = claimed != len(reply.body)
            more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
            head = (
                f"HTTP/1.1 {reply.status} X\r\nContent-Type: application/json\r\n{more}"
                f"Content-Length: {claimed}\r\n\r\n"
            )
            with contextlib.suppress(OSError):
                self.wfile.write(head.encode())
                if reply.trickle_seconds:
                    for i in range(len(reply.body)):
                        self.wfile.write(reply.body[i : i + 1])
                        time.sleep(reply.trickle_seconds)
                else:
                    self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    return Handler


@pytest.fixture
def proxy(mainnet: Deployment) -> Iterator[Proxy]:
    """In front of the local mainnet."""
    standing = Proxy(mainnet.anvil.url)
    yield standing
    standing.close()
