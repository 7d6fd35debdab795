"""Status shows what is on the chain, whatever is left of the past, and never touches anything."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.token_admin import PAXG, set_paxg_fee_rate

pytestmark = pytest.mark.anvil


def status(account: Any, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert account.dexmm("status", "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_answer_has_every_field_of_the_design(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = status(account, capsys)
    assert answer["network"] == "sandbox"
    assert answer["state"] == "ACTIVE"
    assert answer["halted"] is None
    assert answer["last_turn"] is None
    pool = answer["pool"]
    assert pool["address"] == account.deployment.pool
    assert (pool["fee_pips"], pool["fee_protocol"], pool["tick"]) == (500, 68, -193380)
    assert int(pool["sqrt_price_x96"]) == 5010828967500958623728276
    assert round(Decimal(pool["price"]), 6) == round(Decimal(answer["fair_price"]), 6) == 4000
    assert answer["positions"] == []
    assert {k: Decimal(v) for k, v in answer["balances"]["wallet"].items() if k != "address"} == {
        "base": 10,
        "quote": 70_000,
        "eth": 5,
    }
    assert answer["balances"]["wallet"]["address"] == account.address
    assert answer["balances"]["exchange"] == {"base": None, "quote": None, "perpetual": None}
    assert round(Decimal(answer["nav"]), 6) == 110_000
    assert round(Decimal(answer["share"]), 6) == round(Decimal(4) / 11, 6)
    assert answer["refusals"] == []


def test_positions_are_the_chain_s_own_after_a_turn(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("run", "--once") == 0
    answer = status(account, capsys)
    assert answer["positions"]
    for position in answer["positions"]:
        assert isinstance(position["liquidity"], str)
        assert position["in_range"] is (
            position["tick_lower"] <= answer["pool"]["tick"] < position["tick_upper"]
        )
    held = sum(int(position["amount0"]) for position in answer["positions"])
    wallet = int(Decimal(answer["balances"]["wallet"]["base"]).scaleb(18))
    assert 10 * 10**18 - 10 < held + wallet <= 10 * 10**18  # a mint rounds up by a unit
    assert answer["last_turn"]["trigger"] == "start"
    assert [outcome["status"] for outcome in answer["last_turn"]["outcomes"]] == ["mined", "mined"]
    assert [refusal["rule"] for refusal in answer["refusals"]] == ["min_interval"]


def test_it_leaves_nothing_behind(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(account.config.parent.iterdir())
    nonce = account.deployment.anvil.rpc("eth_getTransactionCount", [account.address, "pending"])
    status(account, capsys)
    assert sorted(account.config.parent.iterdir()) == before
    now = account.deployment.anvil.rpc("eth_getTransactionCount", [account.address, "pending"])
    assert now == nonce


def test_it_needs_an_address_and_no_key(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (account.config.parent / ".env").write_text("")
    account.override(
        NETWORK__RPC_URLS=account.deployment.anvil.url, WALLET__ADDRESS=account.address
    )
    assert Decimal(status(account, capsys)["balances"]["wallet"]["base"]) == 10


def test_a_guard_that_bites_now_is_told(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    set_paxg_fee_rate(account.deployment.anvil, 200)
    answer = status(account, capsys)
    assert "token_fee" in [refusal["rule"] for refusal in answer["refusals"]]
    assert account.dexmm("status") == 0
    assert "token_fee: PAXG takes a fee" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["missing", "corrupt", "folder gone"])
def test_a_journal_that_cannot_be_read_hides_nothing_on_chain(
    account: Any, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    assert account.dexmm("run", "--once") == 0
    journal = account.config.parent / ".dexmm" / "journal.sqlite"
    if damage == "corrupt":
        for path in journal.parent.glob("journal.sqlite-*"):
            path.unlink()
        journal.write_bytes(b"not a database" * 100)
    else:
        for path in journal.parent.glob("journal.sqlite*"):
            path.unlink()
    if damage == "folder gone":
        for path in journal.parent.iterdir():
            path.unlink()
        journal.parent.rmdir()
    answer = status(account, capsys)
    assert len(answer["positions"]) == 2
    assert answer["last_turn"] is None
    assert bool(answer["warnings"]) is (damage == "corrupt")


def test_a_halt_is_told_with_its_reason(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert account.dexmm("halt", "--reason", "taking a look") == 0
    answer = status(account, capsys)
    assert (answer["state"], answer["halted"]) == ("HALTED", "taking a look")


def test_people_read_prices_amounts_and_reasons(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("run", "--once") == 0
    capsys.readouterr()
    assert account.dexmm("status") == 0
    text = capsys.readouterr().out
    assert "PAXG/USDT 0.05 % on sandbox" in text
    assert "price      4 000.00 USDT per PAXG" in text
    assert "110 000.00 USDT, 36.4 % of it PAXG (band 20 to 50 %)" in text
    assert "NFT " in text
    assert "liquidity moved into" in text
    assert "\x1b[" not in text  # no colours into a pipe


@pytest.mark.parametrize(
    ("variable", "value", "code", "says"),
    [
        ("NETWORK__RPC_URLS", "http://127.0.0.1:1", 5, "cannot be reached"),
        ("NETWORK__CHAIN_ID", 5, 4, "the node is on chain 1"),
        ("NETWORK__NAME", "mainnet", 2, "sandbox and fork only"),
        ("MARKET__POOL", "0x123712f44B4fD26B36B8D4C81e2ed01Ae6e9607A", 2, "no contract at"),
        ("MARKET__POOL", PAXG, 2, "is not a Uniswap v3 pool"),
        ("MARKET__BASE", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", 2, "is not a token of"),
        ("NETWORK__RPC_URLS", "wss://node/x", 2, "is a websocket URL"),
    ],
)
def test_a_wrong_world_is_one_line_and_the_right_code(
    account: Any,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: object,
    code: int,
    says: str,
) -> None:
    account.override(**{variable: value})
    assert account.dexmm("status", "--json") == code
    out, err = capsys.readouterr()
    assert says in err
    assert len(err.splitlines()) == 1
    assert json.loads(out) == {"error": err.removeprefix("dexmm: ").rstrip("\n"), "exit_code": code}


def test_an_empty_wallet_is_no_error(
    account: Any, capsys: pytest.CaptureFixture[str], mainnet: Deployment, tmp_path: Path
) -> None:
    account.override(WALLET__PRIVATE_KEY="0x" + "7b" * 32)
    answer = status(account, capsys)
    assert Decimal(answer["nav"]) == Decimal(answer["share"]) == 0
    assert account.dexmm("status") == 0


def test_a_halt_says_that_the_money_stays_in_the_pool(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stays = "what is in the pool stays there; `dexmm withdraw` gets it out"
    assert account.dexmm("halt", "a", "look") == 0
    assert account.dexmm("status") == 0
    assert stays not in capsys.readouterr().out  # nothing is there
    assert account.dexmm("resume", "--yes") == 0
    assert account.dexmm("run", "--once", "--quiet") == 0
    assert account.dexmm("halt", "a", "look") == 0
    assert account.dexmm("status") == 0
    assert stays in capsys.readouterr().out
