"""A wallet, a paper exchange and the command line, with a proxy that can cut between them.

The proxy stands before the exchange: it kills the product at its n-th request there, before the
exchange hears it or after it has answered. Time on the exchange stands still and nobody else
trades, so that an undisturbed run has one result, and any other run must end with the same.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dexmm.paper_exchange.engine.settings import (
    QUIET,
    UNLIMITED,
    Basis,
    Opening,
    PaperSettings,
)
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sandbox.node.deploy import PAXG_USDT_POOL, Deployment
from dexmm.sandbox.node.token_admin import PAXG

HERE = Path(__file__).resolve().parent
KEY = "0x" + "5b" * 32
KILLED = -signal.SIGKILL

CONFIG = f"""
[network]
name = "sandbox"

[market]
pool = "{PAXG_USDT_POOL}"
base = "{PAXG}"
price_low = 2000
price_high = 8000

[gas]
max_gwei = 0.000001  # nothing moves in the pool: what is seen here is the exchange side alone
tip_gwei = 0

[exchange]
symbol = "PAXG/USDT"
perpetual_id = "binanceusdm"
perpetual_symbol = "PAXG/USDT:USDT"
timeout_seconds = 2

[hedge]
to = "target"
style = "ioc"
slippage_bp = 100
"""


@dataclass(frozen=True)
class Cut:
    """When the process dies: at a request to the exchange, or before a commit."""

    number: int
    when: str  # "before", "after", "commit"


class ExchangeProxy:
    """Forwards everything to ``upstream``, and cuts where it is told to."""

    def __init__(self) -> None:
        self.upstream = ""
        self.asked: list[str] = []  # "METHOD /path" since `arm`
        self.died = False
        self._cut: Cut | None = None
        self._victim: int | None = None
        self._known = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a killed client hangs up: that is the test
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def arm(self, cut: Cut | None) -> None:
        with self._lock:
            self.asked, self.died, self._cut, self._victim = [], False, cut, None
            self._known.clear()

    def aim(self, pid: int) -> None:
        self._victim = pid
        self._known.set()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _kill(self) -> None:
        self._known.wait(10)
        assert self._victim is not None
        os.kill(self._victim, signal.SIGKILL)
        self.died = True

    def serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """The exchange's answer, or None when the process was killed first."""
        with self._lock:
            if self.died:
                return None
            self.asked.append(f"{method} {urlsplit(path).path}")
            due = self._cut
            if due is None or due.when == "commit" or len(self.asked) != due.number:
                due = None
            if due is not None and due.when == "before":
                self._kill()
                return None
        answer = self._forward(method, path, headers, body)
        if due is not None:
            with self._lock:
                self._kill()
            return None
        return answer

    def _forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=60)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                kept = ("Content-Type", "X-MBX-APIKEY")
                headers = {name: self.headers[name] for name in kept if name in self.headers}
                answer = proxy.serve(self.command, self.path, headers, self.rfile.read(length))
                self.close_connection = answer is None
                if answer is None:
                    return
                status, told, body = answer
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    for name, value in told.items():
                        if name.lower() not in ("content-length", "connection", "date", "server"):
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the base class's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - base name
                pass

        return Handler


class ForkServer:
    """Processes of the real command line, cheaply; see ``withdraw/fork_server.py``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "engine" / "exchange_fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HERE.parent,
            text=True,
        )
        assert self._read() == {"ready": True}

    def start(self, **request: object) -> int:
        self._write(request)
        return int(self._read()["pid"])

    def wait(self, pid: int) -> int:
        self._write({"wait": pid})
        return int(self._read()["code"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _write(self, request: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


@dataclass
class Scene:
    mainnet: Deployment
    server: ForkServer
    proxy: ExchangeProxy
    folder: Path
    opening: Opening
    settings: dict[str, str] = field(default_factory=dict)
    paper: PaperExchange | None = None
    runs: int = 0

    def open(self) -> PaperExchange:
        """A new exchange, just opened, and a state folder without a past."""
        self.close()
        self.paper = PaperExchange(
            PaperSettings(
                accounts=(self.opening,),
                flow=QUIET,
                flows=dict.fromkeys(PaperSettings().flows, QUIET),
                basis=Basis(mean_bp=Decimal(0), std_bp=Decimal(0)),
                limits=UNLIMITED,
            ),
            start_ms=time.time_ns() // 1_000_000,
        ).start()
        self.proxy.upstream = self.paper.url
        shutil.rmtree(self.folder / ".dexmm", ignore_errors=True)
        (self.folder / "dexmm.toml").write_text(CONFIG)
        return self.paper

    def close(self) -> None:
        if self.paper is not None:
            self.paper.close()
            self.paper = None

    def run(self, *arguments: str, cut: Cut | None = None) -> Ran:
        self.runs += 1
        out, err = self.folder / f"{self.runs}.out", self.folder / f"{self.runs}.err"
        self.proxy.arm(cut)
        commit = cut.number if cut is not None and cut.when == "commit" else None
        pid = self.server.start(
            argv=[*arguments, "--config", str(self.folder / "dexmm.toml")],
            cwd=str(self.folder),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "DEXMM_WALLET__PRIVATE_KEY": KEY,
                "DEXMM_NETWORK__RPC_URLS": self.mainnet.anvil.url,
                "DEXMM_EXCHANGE__BASE_URL": self.proxy.url,
                "DEXMM_EXCHANGE__API_KEY": self.opening.api_key,
                "DEXMM_EXCHANGE__SECRET": self.opening.secret,
                **{f"DEXMM_{name}": value for name, value in self.settings.items()},
            },
            out=str(out),
            err=str(err),
            kill_commit=commit,
        )
        self.proxy.aim(pid)
        code = self.server.wait(pid)
        return Ran(code, out.read_text(), err.read_text())

    def standing(self) -> dict[str, Decimal]:
        """What the account holds, as the exchange itself knows it."""
        assert self.paper is not None
        with self.paper.exchange.visit():
            account = next(iter(self.paper.exchange.ledger.accounts.values()))
            held = {
                name: account.free_of(name) + account.locked_of(name) for name in ("PAXG", "USDT")
            }
            return {
                **held,
                "locked": account.locked_of("PAXG") + account.locked_of("USDT"),
                "perpetual": account.futures.position("PAXGUSDT").amount,
                "margin": account.futures.wallet,
            }

    def orders(self) -> list[dict[str, Any]]:
        """Every order in the product's own log, which must be sound."""
        path = self.folder / ".dexmm" / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = journal.execute("SELECT body FROM orders ORDER BY id").fetchall()
        return [json.loads(body) for (body,) in rows]
