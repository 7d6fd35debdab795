"""A plain HTTP forward proxy on loopback: whatever host is asked for, one target answers."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ForwardProxy:
    """``asked``: the absolute URLs that came; ``credentials``: their Proxy-Authorization."""

    def __init__(self, target: str) -> None:
        self.asked: list[str] = []
        self.credentials: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                proxy.asked.append(self.path)
                proxy.credentials.append(self.headers.get("Proxy-Authorization", ""))
                size = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                kept = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() in ("content-type", "x-mbx-apikey")
                }
                url = f"{target}{parts.path}" + (f"?{parts.query}" if parts.query else "")
                request = urllib.request.Request(  # noqa: S310 - the target is a test's own
                    url, self.rfile.read(size) if size else None, kept, method=self.command
                )
                try:
                    with _DIRECT.open(request, timeout=30) as answer:
                        status, body = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_DELETE = do_GET  # noqa: N815 - the library's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
