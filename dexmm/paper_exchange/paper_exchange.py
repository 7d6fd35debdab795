"""A paper exchange that runs: in this process, on a port of its own, until it is closed."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from dexmm.errors import BadInput
from dexmm.paper_exchange.api.fault_injection import FaultRule
from dexmm.paper_exchange.api.server import LOOPBACK, Server
from dexmm.paper_exchange.api.urls import ccxt_urls
from dexmm.paper_exchange.engine.settings import PaperSettings
from dexmm.paper_exchange.exchange import Exchange

TICK_SECONDS = 1
GRACE_SECONDS = 0.2  # what a request that is being silenced gets when the exchange closes
USUAL_SETTINGS = PaperSettings()


class PaperExchange:
    """``with PaperExchange() as paper: ... paper.url``. Serves from a thread of its own.

    ``port`` 0 takes a free one. ``state`` is the file that survives; without it the exchange is
    gone when it is closed. ``start_ms`` makes time one that ``advance`` moves; without it time is
    the machine's, and takers come and funding is charged by themselves.

    Raises ``BadInput`` when the port or the file cannot be used.
    """

    def __init__(
        self,
        settings: PaperSettings = USUAL_SETTINGS,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        start_ms: int | None = None,
    ) -> None:
        if host not in LOOPBACK:
            raise BadInput(f"a paper exchange is served on loopback only, not on {host}")
        self.settings = settings
        self._host, self._port = host, port
        self.exchange = Exchange(settings, state, start_ms)
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="paper-exchange", daemon=True)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def ccxt_config(self, account: int = 0) -> dict[str, object]:
        """What ``ccxt.binance`` and ``ccxt.binanceusdm`` are made with to be one account's."""
        opening = self.settings.accounts[account]
        return {
            "apiKey": opening.api_key,
            "secret": opening.secret,
            "urls": ccxt_urls(self.url),
        }

    def set_fair_price(self, symbol: str, price: Decimal, at_ms: int | None = None) -> None:
        """The price of a spot symbol; ``at_ms`` lets time go on to then first."""
        self.exchange.set_fair_price(symbol, price, at_ms)

    def set_funding_rate(self, symbol: str, rate: Decimal) -> None:
        self.exchange.set_funding_rate(symbol, rate)

    def advance(self, now_ms: int) -> None:
        """Let time go on: takers come, funding is paid, the house refills its quotes."""
        self.exchange.advance(now_ms)

    def add_fault(self, rule: FaultRule) -> None:
        self.exchange.faults.add(rule)

    def clear_faults(self) -> None:
        self.exchange.faults.clear()

    def imbalance(self) -> dict[str, Decimal]:
        """What exists beyond what was deposited: empty, or the exchange has a mistake."""
        with self.exchange.visit():
            return {**self.exchange.ledger.imbalance(), **self.exchange.ledger.open_interest()}

    def start(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self.exchange.close()
            raise BadInput(
                f"cannot serve on {self._host}:{self._port} ({self._failure.strerror}): "
                "choose another port"
            )
        return self

    def close(self) -> None:
        """Stop serving and close the state file; twice is harmless."""
        if self._loop is not None and self._closing is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
        self.exchange.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        server = web.Server(Server(self.exchange).handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self._port = runner.addresses[0][1]
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()
        if self._failure is None:
            await self._until_closed(self._closing)
        await runner.cleanup()

    async def _until_closed(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            if self.exchange.clock.is_live:
                self.exchange.advance(self.exchange.clock.now_ms())
            try:
                await asyncio.wait_for(closing.wait(), TICK_SECONDS)
            except TimeoutError:
                continue
