"""A node on loopback that answers as a test wants it to, with a real one behind it or none."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Forward = Callable[[Any], Any]
Answer = Callable[[Any, Forward], Any]  # bytes go out as they are, None closes the connection

TOO_MANY = {"code": -32005, "message": "query returned more than 10000 results"}


class NodeDouble:
    def __init__(self, upstream: str = "") -> None:
        self._upstream = urlsplit(upstream)
        self.answer: Answer = lambda payload, forward: forward(payload)
        self.status = 200
        self.asked: list[tuple[int, int]] = []  # the ranges of eth_getLogs
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
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

    def bears(self, blocks: int) -> None:
        """From now on it refuses to look at more blocks at once, in one of nodes' many ways."""

        def answer(payload: Any, forward: Forward) -> Any:
            asked = range_of(payload)
            if asked and asked[1] - asked[0] + 1 > blocks:
                return {"jsonrpc": "2.0", "id": payload["id"], "error": TOO_MANY}
            return forward(payload)

        self.answer = answer

    def cuts(self, logs: int, *, newest: bool = False) -> None:
        """From now on it answers eth_getLogs with so many logs at most, and says nothing."""
        kept = slice(-logs, None) if newest else slice(logs)
        self.rewrites(lambda answer: {**answer, "result": answer["result"][kept]})

    def answers_method(self, method: str, result: Any) -> None:
        """From now on it answers every request of one method with ``result``."""

        def answer(payload: Any, forward: Forward) -> Any:
            answered = forward(payload)
            calls, answers = (
                each if isinstance(each, list) else [each] for each in (payload, answered)
            )
            for call, one in zip(calls, answers, strict=True):
                if call["method"] == method:
                    one["result"] = result
            return answered

        self.answer = answer

    def rewrites(self, change: Callable[[Any], Any]) -> None:
        """From now on its answers to eth_getLogs go through ``change``."""

        def answer(payload: Any, forward: Forward) -> Any:
            return change(forward(payload)) if range_of(payload) else forward(payload)

        self.answer = answer

    def forward(self, payload: Any) -> Any:
        upstream = self._upstream
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=30)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/", json.dumps(payload), headers)
            return json.loads(connection.getresponse().read())

    def _handle(self, body: bytes) -> bytes | None:
        payload = json.loads(body)
        if asked := range_of(payload):
            self.asked.append(asked)
        answered = self.answer(payload, self.forward)
        if answered is None or isinstance(answered, bytes):
            return answered
        return json.dumps(answered).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # whoever asked has been killed
                    super().handle()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answered = node._handle(body)
                if answered is None:
                    self.close_connection = True
                    return
                head = f"HTTP/1.1 {node.status} X\r\nContent-Length: {len(answered)}\r\n\r\n"
                with contextlib.suppress(OSError):
                    self.wfile.write(head.encode() + answered)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                pass

        return Handler


def range_of(payload: Any) -> tuple[int, int] | None:
    """The blocks that eth_getLogs asks for; None for another request."""
    if isinstance(payload, list) or payload["method"] != "eth_getLogs":
        return None
    (which,) = payload["params"]
    return int(which["fromBlock"], 16), int(which["toBlock"], 16)


@contextlib.contextmanager
def node_double(upstream: str = "") -> Iterator[NodeDouble]:
    node = NodeDouble(upstream)
    try:
        yield node
    finally:
        node.close()
