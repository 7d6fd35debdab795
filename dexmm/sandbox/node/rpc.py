"""A thin JSON-RPC connection to a sandbox node, over one kept-alive HTTP connection.

It starts in a hundredth of web3's import and retries nothing: a sandbox node is on this machine,
and a request sent twice mines twice.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from dexmm.errors import NodeError

CALL_SECONDS = 120.0
MINE_SECONDS = 10.0
GAS = 15_000_000


class Rpc:
    """JSON-RPC over ``url``; safe to share between threads, one request at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=CALL_SECONDS
        )
        self._path = parts.path or "/"
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def disconnect(self) -> None:
        """Drop the connection; the next request opens another."""
        self._connection.close()

    def rpc(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One request's result.

        Raises NodeError with the facts ``method``, ``code`` and ``data`` (a revert's bytes as
        hex) when the node refuses, and with ``method`` alone when it does not answer.
        """
        return _result(method, self._post(self._request(method, params), method))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several independent requests in one round trip; the node may run them in any order."""
        if not calls:
            return []
        requests = [self._request(method, params) for method, params in calls]
        answers = self._post(requests, "batch")
        by_id = {answer["id"]: answer for answer in answers}
        return [
            _result(method, by_id[request["id"]])
            for (method, _), request in zip(calls, requests, strict=True)
        ]

    def call(
        self, to: str, data: bytes, *, sender: str | None = None, block: str = "latest"
    ) -> bytes:
        """A read: what ``to`` answers to ``data``, sending nothing."""
        transaction = {"to": to, "data": "0x" + data.hex()}
        if sender is not None:
            transaction["from"] = sender
        return bytes.fromhex(self.rpc("eth_call", [transaction, block])[2:])

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self.rpc("eth_getCode", [address, "latest"])[2:])

    def balance(self, address: str) -> int:
        return int(self.rpc("eth_getBalance", [address, "latest"]), 16)

    def block(self, block: str = "latest") -> dict[str, Any]:
        """The block without its transactions, as the node words it."""
        found: dict[str, Any] = self.rpc("eth_getBlockByNumber", [block, False])
        return found

    def send_as(
        self,
        sender: str,
        to: str | None,
        data: bytes = b"",
        *,
        value: int = 0,
        gas: int = GAS,
        nonce: int | None = None,
    ) -> dict[str, Any]:
        """Send from ``sender`` without its key (Anvil only) and return the mined receipt.

        Without ``to`` it creates a contract; without ``nonce`` the node takes the next one.
        Raises NodeError, with the revert data when there is any, when the transaction reverts or
        is not mined at once.
        """
        transaction = {
            "from": sender,
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(gas),
        }
        if to is not None:
            transaction["to"] = to
        if nonce is not None:
            transaction["nonce"] = hex(nonce)
        self.rpc("anvil_impersonateAccount", [sender])
        try:
            tx_hash = self.rpc("eth_sendTransaction", [transaction])
        finally:
            self.rpc("anvil_stopImpersonatingAccount", [sender])
        receipt = self.wait_for_receipt(tx_hash)
        if int(receipt["status"], 16) != 1:
            # The same call again at the parent block tells why; it raises with the revert data.
            parent = hex(int(receipt["blockNumber"], 16) - 1)
            self.rpc("eth_call", [transaction, parent])
            raise NodeError(f"The sandbox transaction {tx_hash} reverted.", tx_hash=tx_hash)
        return receipt

    def wait_for_receipt(self, tx_hash: str, seconds: float = MINE_SECONDS) -> dict[str, Any]:
        """The receipt, once there is one: even an automining Anvil answers before it has mined.

        Raises NodeError when the transaction is not mined within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while True:
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", [tx_hash])
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise NodeError(
                    f"The sandbox transaction {tx_hash} was not mined in {seconds:g} s.",
                    tx_hash=tx_hash,
                )
            time.sleep(0.001)

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: object, method: str) -> Any:
        payload = json.dumps(body)
        with self._lock:
            try:
                self._connection.request(
                    "POST", self._path, payload, {"Content-Type": "application/json"}
                )
                return json.loads(self._connection.getresponse().read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._connection.close()
                raise NodeError(
                    f"The sandbox node did not answer {method}: {type(error).__name__}.",
                    method=method,
                ) from error


def _result(method: str, answer: Mapping[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    raise NodeError(
        f"The sandbox node refused {method}: {error.get('message')}",
        method=method,
        code=error.get("code"),
        data=error.get("data"),
    )
