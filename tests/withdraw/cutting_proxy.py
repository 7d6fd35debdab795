"""A loopback JSON-RPC proxy that kills a process at its n-th request.

``before``: the request never reaches the node. ``after``: the node has answered, and the answer
never reaches the process. Between them they are every instant at which a process that talks to a
node can die.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

When = Literal["before", "after"]


@dataclass(frozen=True)
class Cut:
    request: int  # the first request is 1
    when: When


class CuttingProxy:
    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.methods: list[str] = []  # of every request since `arm`; a batch is joined with +
        self.died = False
        self._cut: Cut | None = None
        self._victim: int | None = None
        self._known = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def arm(self, cut: Cut | None = None) -> None:
        """Count from one again, and cut there. Follow with ``aim`` once the process exists."""
        with self._lock:
            self.methods, self.died, self._cut = [], False, cut
            self._victim = None
            self._known.clear()

    def aim(self, pid: int) -> None:
        self._victim = pid
        self._known.set()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _kill(self) -> None:
        self._known.wait(10)
        assert self._victim is not None
        os.kill(self._victim, signal.SIGKILL)
        self.died = True

    def _serve(self, body: bytes) -> bytes | None:
        """The node's answer, or None when the process was killed first."""
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        with self._lock:
            if self.died:
                return None
            self.methods.append("+".join(call["method"] for call in calls))
            due = self._cut if self._cut and len(self.methods) == self._cut.request else None
            if due and due.when == "before":
                self._kill()
                return None
        answer = self._forward(body)
        if due:
            with self._lock:
                self._kill()
            return None
        return answer

    def _forward(self, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one segment: no waiting for an acknowledgement
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = proxy._serve(body)
                self.close_connection = answer is None
                if answer is None:
                    return
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - base name
                pass

        return Handler
