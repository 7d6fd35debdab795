"""What nodes say to a range that is too large for them, and to one that no smaller one cures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fetch.fetch_loopback import NodeDouble, node_double, range_of
from fetch.fetch_scene import Scene, a_scene, stored

from dexmm.errors import NodeError
from dexmm.fetch.pool.log_source import Node, TooMuch
from dexmm.fetch.pool.resumable_parts import Span
from dexmm.sandbox.node.deploy import Deployment

anvil = pytest.mark.anvil
POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
Forward = Callable[[Any], Any]


@pytest.fixture
def double() -> Iterator[NodeDouble]:
    with node_double() as node:
        yield node


def logs_of(double: NodeDouble) -> pa.RecordBatch:
    return Node([double.url]).logs(POOL, Span(0, 999))


# status, code, words: as providers and clients write them
TOO_LARGE: list[tuple[int, Any, str]] = [
    (200, -32005, "query returned more than 10000 results"),
    (
        200,
        -32005,
        "query returned more than 10000 results. Try with this block range [0x0, 0x5].",
    ),
    (
        200,
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
    ),
    (
        400,
        -32600,
        "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. "
        "Upgrade to PAYG for expanded block range.",
    ),
    (413, -32614, "eth_getLogs is limited to a 10,000 range"),
    (403, -32001, "block range exceeds your plan, please upgrade"),
    (402, None, "Payment required for a block range of more than 1000 blocks"),
    (429, 429, "block range is too wide, reduce it"),
    (500, 35, "ranges over 10000 blocks are not supported on freetier"),
    (408, 30, "Request timeout on the free tier, please upgrade your tier to the paid one"),
    (200, -32701, "exceed maximum block range: 50000"),
    (200, -32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max: 800"),
    (200, -32004, "eth_getLogs block range too large on this plan"),
    (200, -32601, "eth_getLogs: more than 1000 blocks is not available on this plan"),
    (200, -32602, "query exceeds max block range 100000"),
    (200, -32000, "query exceeds max results 20000, retry with the range 100-200"),
    (200, -32005, "Too many logs requested. Max logs per response is 20000."),
    (200, -32000, "query timeout exceeded"),
    (200, -32002, "request timed out"),
    (200, "-32005", "limit exceeded"),
    (200, None, "query returned more than 10000 results"),
    (504, None, ""),
    (413, None, ""),
]
# for which another node is the cure, or a pause
OF_THE_NODE: list[tuple[int, Any, str]] = [
    (401, None, "invalid project id"),
    (402, None, "quota exceeded"),
    (403, -32000, "forbidden"),
    (404, None, ""),
    (429, -32005, "Too Many Requests"),
    (429, None, "rate limit exceeded, retry in 10m"),
    (451, None, ""),
    (200, -32601, "the method eth_getLogs does not exist/is not available"),
    (200, -32601, "Method not found"),
]


def refusing(double: NodeDouble, status: int, code: Any, words: str) -> None:
    """As an error object; without a code as text; without words as an empty page."""
    double.status = status

    def answer(payload: Any, _: Forward) -> Any:
        frame = {"jsonrpc": "2.0", "id": payload["id"]}
        if code is not None:
            return {**frame, "error": {"code": code, "message": words}}
        return {**frame, "error": words} if words else b""

    double.answer = answer


@pytest.mark.parametrize(("status", "code", "words"), TOO_LARGE)
def test_a_range_that_is_too_large_for_it(
    double: NodeDouble, status: int, code: Any, words: str
) -> None:
    refusing(double, status, code, words)
    with pytest.raises(TooMuch) as caught:
        logs_of(double)
    assert double.url in caught.value.message
    assert words[:60] in caught.value.message


@pytest.mark.parametrize(("status", "code", "words"), OF_THE_NODE)
def test_what_a_smaller_range_does_not_cure(
    double: NodeDouble, status: int, code: Any, words: str
) -> None:
    refusing(double, status, code, words)
    with pytest.raises(NodeError) as caught:
        logs_of(double)
    assert not isinstance(caught.value, TooMuch)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"block range too large",
        b'"the range is too large"',
        b'{"message": "query returned more than 10000 results"}',
        b'{"code": -32000, "message": "max range: 1000 blocks"}',
        b'{"error": "logs limit"}',
        b'{"jsonrpc": "2.0", "id": null, "error": {"message": "too many logs"}}',
    ],
)
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_refusal_without_its_frame(double: NodeDouble, status: int, body: bytes) -> None:
    double.status = status
    double.answer = lambda payload, forward: body
    with pytest.raises(TooMuch):
        logs_of(double)


def test_no_result_is_asked_for_again_and_then_in_a_smaller_range(double: NodeDouble) -> None:
    def null(payload: Any, forward: Forward) -> Any:
        return {"jsonrpc": "2.0", "id": payload["id"], "result": None}

    double.answer = null
    with pytest.raises(TooMuch, match="without a result"):
        logs_of(double)
    assert len(double.asked) == 2
    first = iter([True])
    double.answer = lambda payload, forward: (
        null(payload, forward) if next(first, False) else {"id": payload["id"], "result": []}
    )
    assert logs_of(double).num_rows == 0


def test_ids_that_come_back_as_text(double: NodeDouble) -> None:
    double.answer = lambda payload, forward: {"id": str(payload["id"]), "result": []}
    assert logs_of(double).num_rows == 0
    double.answer = lambda payload, forward: {"id": f"0{payload['id']}", "result": []}
    with pytest.raises(NodeError, match="another request than ours"):
        logs_of(double)


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    with a_scene(mainnet, tmp_path) as made:
        yield made


@anvil
def test_a_real_chain_behind_such_nodes_comes_out_whole(scene: Scene) -> None:
    """Ranges of more than nine blocks are refused in another way each time; every other answer is
    null, and logs come marked as removed that are in no block."""
    wanted = scene.receipts()
    ways = TOO_LARGE[:16]
    count = 0

    def answer(payload: Any, forward: Forward) -> Any:
        nonlocal count
        scene.node.status = 200
        asked = range_of(payload)
        if not asked:
            return forward(payload)
        count += 1
        frame = {"jsonrpc": "2.0", "id": payload["id"]}
        if asked[1] - asked[0] >= 9:
            scene.node.status, code, words = ways[count % len(ways)]
            return {**frame, "error": {"code": code, "message": words} if code else words}
        if count % 2:
            return {**frame, "result": None}
        answered = forward(payload)
        gone = [{**log, "removed": True} for log in answered["result"][:1]]
        return json.loads(json.dumps({**answered, "result": [*gone, *answered["result"]]}))

    scene.node.answer = answer
    assert scene.fetch(check_prices=True).held
    assert stored(scene.output) == wanted
