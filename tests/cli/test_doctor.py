"""The doctor finds what is wrong, says what to do, and leaves with the first cause's code."""

import json
from decimal import Decimal
from typing import Any

import pytest
from fetch.fetch_loopback import NodeDouble, node_double

from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.deploy import Deployment

pytestmark = pytest.mark.anvil


def doctor(account: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = account.dexmm("doctor", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == code
    # Of several with one name, a failure is the one that counts.
    checks = sorted(answer["checks"], key=lambda check: check["verdict"] == "fail")
    return code, {check["name"]: check for check in checks}


def test_a_sound_market_has_no_failure(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (account.config.parent / ".env").chmod(0o600)
    code, checks = doctor(account, capsys)
    assert code == 0
    assert {name for name, check in checks.items() if check["verdict"] == "fail"} == set()
    for name in ("python", "packages", "configuration", "secrets", "key", "journal", "lock"):
        assert checks[name]["verdict"] == "ok", name
    for name in ("node", "state override", "pool", "oracle", "depth", "ether", "guards"):
        assert checks[name]["verdict"] == "ok", name
    assert "liquidity keeps 0.0375 %" in checks["pool"]["detail"]
    assert account.address in checks["key"]["detail"]


def test_people_get_a_table_with_advice(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (account.config.parent / ".env").chmod(0o644)
    assert account.dexmm("doctor") == 0
    text = capsys.readouterr().out
    assert "run `chmod 600" in text
    assert "0 failed" in text
    assert "\x1b[" not in text


def test_it_changes_nothing(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(account.config.parent.iterdir())
    doctor(account, capsys)
    assert sorted(account.config.parent.iterdir()) == before


def test_an_address_is_enough_to_look(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (account.config.parent / ".env").write_text("")
    account.override(
        NETWORK__RPC_URLS=account.deployment.anvil.url, WALLET__ADDRESS=account.address
    )
    code, checks = doctor(account, capsys)
    assert code == 0
    assert checks["key"]["verdict"] == "warn"
    assert "10.000000 PAXG" in checks["inventory"]["detail"]


def test_swaps_are_counted_with_what_they_paid(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment: Deployment = account.deployment
    deployment.swap(zero_for_one=False, amount_in=4_000 * 10**6)
    code, checks = doctor(account, capsys)
    assert code == 0
    assert checks["flow"]["verdict"] == "ok"
    assert checks["flow"]["detail"].startswith("1 swaps in ")


def test_whether_the_market_pays_is_said_honestly(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = doctor(account, capsys)
    assert code == 0
    assert "expected to be reached" in checks["edges"]["detail"]
    assert checks["worth it"]["verdict"] == "warn"
    assert checks["worth it"]["detail"].startswith("no: at the trade measured above")
    assert "0.00 USDT a day of fees" in checks["worth it"]["detail"]
    assert "pay ratio" not in checks  # of no trade at all there is none
    account.deployment.swap(zero_for_one=False, amount_in=40 * 10**6)
    _, checks = doctor(account, capsys)
    assert checks["pay ratio"]["verdict"] == "warn"
    assert checks["pay ratio"]["detail"].startswith("0.")
    # A busy pool is another matter.
    for _ in range(40):
        for zero_for_one, amount in ((False, 40_000 * 10**6), (True, 10 * 10**18)):
            account.deployment.swap(zero_for_one=zero_for_one, amount_in=amount)
    _, checks = doctor(account, capsys)
    assert checks["worth it"]["verdict"] == "ok"
    assert checks["worth it"]["detail"].startswith("yes: ")
    assert checks["pay ratio"]["verdict"] == "ok"
    assert Decimal(checks["pay ratio"]["detail"].partition(":")[0].replace(" ", "")) > 1


def test_an_empty_wallet_is_told_to_be_filled_and_not_judged(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(WALLET__PRIVATE_KEY="0x" + "7b" * 32)
    _, checks = doctor(account, capsys)
    assert checks["inventory"]["verdict"] == "warn"
    assert "worth it" not in checks


@pytest.mark.parametrize(
    ("variables", "name", "code"),
    [
        ({"NETWORK__RPC_URLS": "http://127.0.0.1:1"}, "node", 5),
        ({"NETWORK__CHAIN_ID": 5}, "node", 4),
        ({"STRATEGY__BAND_HIGH": 50}, "configuration", 2),
        ({"WALLET__PRIVATE_KEY": "0x12"}, "configuration", 2),
        ({"WALLET__ADDRESS": "0x00000000000000000000000000000000000000A1"}, "key", 2),
        ({"GAS__RESERVE_ETH": 50}, "ether", 3),
        ({"GUARDS__TWAP_SECONDS": 864000}, "oracle", 3),
        ({"MARKET__PRICE_HIGH": 3000}, "guard price_band", 3),
        ({"GUARDS__MAX_MOVE_TICKS": 5}, "settings", 2),
        ({"STRATEGY__HORIZON_HOURS": 9999}, "settings", 2),
    ],
)
def test_each_fault_is_found_with_its_code_and_something_to_do(
    account: Any,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, object],
    name: str,
    code: int,
) -> None:
    account.override(**variables)
    found, checks = doctor(account, capsys)
    assert found == code
    assert checks[name]["verdict"] == "fail"
    assert checks[name]["exit_code"] == code
    assert checks[name]["detail"]


def test_no_configuration_still_checks_the_machine(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.config.unlink()
    code, checks = doctor(account, capsys)
    assert code == 2
    assert checks["python"]["verdict"] == "ok"
    assert "dexmm init" in checks["configuration"]["detail"]
    assert "node" not in checks


def test_a_frozen_wallet_and_a_paused_token_are_found(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    token_admin.freeze_paxg(account.deployment.anvil, account.address)
    token_admin.pause_usdt(account.deployment.anvil)
    code, checks = doctor(account, capsys)
    assert code == 3
    assert checks["guard token_frozen"]["verdict"] == "fail"
    assert checks["guard token_paused"]["verdict"] == "fail"


def test_a_halt_is_a_failure_with_its_own_code(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("halt", "--reason", "a look") == 0
    code, checks = doctor(account, capsys)
    assert code == 4
    assert "a look" in checks["halt"]["detail"]


def test_a_damaged_journal_is_found(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = account.config.parent / ".dexmm"
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(b"junk" * 1000)
    code, checks = doctor(account, capsys)
    assert code == 2
    assert "is damaged" in checks["journal"]["detail"]
    assert checks["pool"]["verdict"] == "ok"  # it goes on


def test_a_state_folder_that_cannot_be_one(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.config.parent / "file").write_text("")
    account.override(LOOP__STATE_DIR="file/state")
    code, checks = doctor(account, capsys)
    assert code == 2
    assert checks["state folder"]["verdict"] == "fail"


@pytest.mark.parametrize(
    ("mode", "password", "verdict", "says"),
    [
        (0o600, "good", "ok", "opens, for"),
        (0o600, "wrong", "fail", "the password does not open"),
        (0o600, "", "warn", "is locked"),
        (0o644, "good", "fail", "chmod 600"),
        (0o644, "", "fail", "can be read by others"),
        (None, "", "fail", "there is no keystore"),
        (None, "good", "fail", "there is no keystore"),
    ],
)
def test_the_keystore(
    account: Any,
    capsys: pytest.CaptureFixture[str],
    mode: int | None,
    password: str,
    verdict: str,
    says: str,
) -> None:
    from eth_account import Account as Signer

    (account.config.parent / ".env").write_text("")
    if mode is not None:
        path = account.config.parent / "key.json"
        path.write_text(json.dumps(Signer.encrypt("0x" + "5a" * 32, "s3same", iterations=2)))
        path.chmod(mode)
    account.override(
        NETWORK__RPC_URLS=account.deployment.anvil.url,
        WALLET__ADDRESS=account.address,
        WALLET__KEYSTORE="key.json",
        WALLET__PASSWORD={"good": "s3same", "wrong": "0ther"}.get(password, ""),
    )
    _, checks = doctor(account, capsys)
    assert checks["key"]["verdict"] == verdict
    assert says in checks["key"]["detail"] + checks["key"]["advice"]
    for secret in ("s3same", "0ther"):
        assert secret not in json.dumps(checks["key"])


def test_a_spare_node_that_is_down_is_known_before_it_is_needed(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(NETWORK__RPC_URLS=f"{account.deployment.anvil.url},http://127.0.0.1:1")
    code, checks = doctor(account, capsys)
    assert code == 0
    assert checks["spare node"]["verdict"] == "warn"
    assert "http://127.0.0.1:1 cannot be reached" in checks["spare node"]["detail"]


def nodes_of(account: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    capsys.readouterr()
    code = account.dexmm("doctor", "--json")
    checks = json.loads(capsys.readouterr().out)["checks"]
    return code, [check for check in checks if check["name"] in ("first node", "spare node")]


def answers_late(node: NodeDouble, block: int) -> None:
    def answer(payload: Any, forward: Any) -> Any:
        for call in payload if isinstance(payload, list) else [payload]:
            if call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest":
                call["params"][0] = hex(block)
        return forward(payload)

    node.answer = answer


def test_every_node_is_listed_with_its_newest_block_and_its_chain(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    anvil = account.deployment.anvil
    head = int(anvil.rpc("eth_blockNumber"), 16)
    with node_double(anvil.url) as late, node_double(anvil.url) as good:
        answers_late(late, head - 30)
        account.override(NETWORK__RPC_URLS=f"{anvil.url},{late.url},{good.url}")
        code, (second, third) = nodes_of(account, capsys)
        assert code == 0
        assert (second["name"], second["verdict"]) == ("spare node", "warn")
        says = f"{late.url} answers: block {head - 30}, chain 1, 30 blocks behind the newest"
        assert second["detail"] == says
        assert third["verdict"] == "ok"
        assert third["detail"] == f"{good.url} answers: block {head}, chain 1"


def test_a_first_node_that_is_turned_away_is_said(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    anvil = account.deployment.anvil
    account.override(NETWORK__RPC_URLS=f"http://127.0.0.1:1,{anvil.url}")
    code, (first,) = nodes_of(account, capsys)
    assert code == 0
    assert (first["name"], first["verdict"]) == ("first node", "warn")
    assert "http://127.0.0.1:1 is turned away: cannot be reached" in first["detail"]
    with node_double(anvil.url) as foreign:
        foreign.answers_method("eth_chainId", "0x89")
        account.override(NETWORK__RPC_URLS=f"{foreign.url},{anvil.url}")
        code, (first,) = nodes_of(account, capsys)
    assert code == 2
    assert (first["name"], first["verdict"]) == ("first node", "fail")
    assert f"{foreign.url} is turned away: the node is on chain 137" in first["detail"]
