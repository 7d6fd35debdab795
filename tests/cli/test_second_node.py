"""``run --once`` and ``withdraw`` with a first node that refuses, loses, lags or is of another
chain, and a good second one: the work is done through the second."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from chain.conftest import Proxy

from dexmm.chain.rpc.endpoint import SILENT_SECONDS, Endpoint

pytestmark = pytest.mark.anvil

LATE = 61  # blocks
SEND = "eth_sendRawTransaction"
Habit = Callable[[Proxy], None]


def refusing(code: int, message: str, status: int = 200) -> Habit:
    def set_up(proxy: Proxy) -> None:
        def refuse(answer: dict[str, Any]) -> dict[str, Any]:
            error = {"code": code, "message": message}
            return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

        def answer(payload: Any, forward: Any) -> Any:
            calls = payload if isinstance(payload, list) else [payload]
            if calls[0]["method"] != SEND:
                return forward(payload)
            answers = [refuse(call) for call in calls]
            return answers if isinstance(payload, list) else answers[0]

        proxy.answer = answer
        proxy.reply = lambda reply: (
            replace(reply, status=status) if message.encode() in reply.body else reply
        )

    return set_up


def losing(proxy: Proxy) -> None:
    """It answers with a hash, and keeps nothing."""

    def answer(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        if calls[0]["method"] != SEND:
            return forward(payload)
        answers = [{"jsonrpc": "2.0", "id": c["id"], "result": "0x" + "ab" * 32} for c in calls]
        return answers if isinstance(payload, list) else answers[0]

    proxy.answer = answer


def lagging(proxy: Proxy) -> None:
    """It is many blocks behind in everything that it tells, and swallows what is sent to it."""

    def answer(payload: Any, forward: Any) -> Any:
        head = forward({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []})
        late = int(head["result"], 16) - LATE
        calls = payload if isinstance(payload, list) else [payload]
        answers = []
        for call in calls:
            if call["method"] == SEND:
                answers.append({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + "ab" * 32})
                continue
            tags = ("latest", "pending")
            params = [hex(late) if p in tags else p for p in call["params"]]
            found = forward({**call, "params": params})
            result = found.get("result")
            if call["method"] == "eth_blockNumber":
                found["result"] = hex(late)
            mined = result["blockNumber"] if isinstance(result, dict) and "to" in result else None
            if mined and int(mined, 16) > late:
                found["result"] = None
            answers.append(found)
        return answers if isinstance(payload, list) else answers[0]

    proxy.answer = answer


def elsewhere(proxy: Proxy) -> None:
    proxy.rewrite("eth_chainId", lambda answer: {**answer, "result": "0x5"})


HABITS: dict[str, Habit] = {
    "no such method": refusing(-32601, "the method does not exist/is not available"),
    "limit exceeded": refusing(-32005, "limit exceeded"),
    "not in the plan": refusing(-32000, "not available on your current plan", 403),
    "loses": losing,
    "lags": lagging,
    "another chain": elsewhere,
}


@pytest.fixture
def first(account: Any) -> Iterator[Proxy]:
    account.deployment.anvil.mine(LATE + 9, 12)  # so that there is something to be behind of
    proxy = Proxy(account.deployment.anvil.url)
    account.override(NETWORK__RPC_URLS=f"{proxy.url},{account.deployment.anvil.url}")
    account.override(NETWORK__CONFIRMATIONS=0)  # nobody mines what would bury a transaction
    yield proxy
    proxy.close()


@pytest.mark.parametrize("habit", HABITS)
def test_a_good_second_node_is_enough(
    account: Any, first: Proxy, habit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    HABITS[habit](first)
    sent_by_us = account.deployment.anvil.rpc(
        "eth_getTransactionCount", [account.address, "latest"]
    )
    assert account.dexmm("run", "--once", "--json") == 0
    turn = json.loads(capsys.readouterr().out)
    assert [outcome["status"] for outcome in turn["outcomes"]].count("mined") >= 2
    assert account.dexmm("withdraw", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["proved"]
    account.dexmm("status", "--json")
    assert json.loads(capsys.readouterr().out)["positions"] == []
    after = account.deployment.anvil.rpc("eth_getTransactionCount", [account.address, "latest"])
    assert int(after, 16) - int(sent_by_us, 16) >= 3


def test_a_node_of_another_chain_is_named(
    account: Any, first: Proxy, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere(first)
    assert account.dexmm("status") == 0
    assert f"{first.url} is turned away: the node is on chain 5" in capfd.readouterr().err
    assert first.requests.count([SEND]) == 0


def test_it_halts_when_no_node_of_the_right_chain_answers(
    account: Any, first: Proxy, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere(first)
    account.override(NETWORK__RPC_URLS=f"{first.url},http://127.0.0.1:1")
    assert account.dexmm("status") == 4
    assert "chain 5, but network.chain_id is 1" in capfd.readouterr().err


@pytest.fixture
def hanging() -> Iterator[str]:
    """A node that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_first_node_that_hangs_costs_its_time_once(
    account: Any, hanging: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole commands, each with several questions to every node: what they may wait for it."""
    granted: list[tuple[float, float]] = []  # when, and for how long
    patience = Endpoint._patience

    def watched(endpoint: Endpoint) -> float:
        now, seconds = time.monotonic(), patience(endpoint)
        if endpoint.name == hanging:
            granted.append((now, seconds))
        return seconds

    monkeypatch.setattr(Endpoint, "_patience", watched)
    account.override(NETWORK__RPC_URLS=f"{hanging},{account.deployment.anvil.url}")
    account.override(NETWORK__CONFIRMATIONS=0, NETWORK__TIMEOUT_SECONDS=3)

    def told(command: str, *arguments: str) -> dict[str, Any]:
        granted.clear()
        assert account.dexmm(command, "--json", *arguments) == 0
        began, whole = granted[0]
        assert whole == 3
        for at, seconds in granted[1:]:
            # Within the term of the first, or only a moment.
            assert seconds == SILENT_SECONDS or at + seconds < began + whole + 1
        return dict(json.loads(capsys.readouterr().out))

    turn = told("run", "--once")
    assert [outcome["status"] for outcome in turn["outcomes"]].count("mined") >= 2
    told("status")
    answer = told("withdraw", "--yes")
    assert len(granted) > 1
    assert answer["proved"]
    silent = {witness["node"]: witness for witness in answer["proof"]["witnesses"]}[hanging]
    assert not silent["counts"]
    assert "did not answer within" in silent["note"]
