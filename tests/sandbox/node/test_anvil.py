from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.anvil import Anvil, AnvilOptions, find_anvil
from dexmm.sandbox.node.rpc import Rpc

pytestmark = pytest.mark.anvil

CODE_AT = "0x00000000000000000000000000000000000C0DE5"

ALICE = "0xA11CE00000000000000000000000000000000001"
BOB = "0xB0B0000000000000000000000000000000000002"
# Reverts with the four bytes 0xdeadbeef.
REVERTER = bytes.fromhex("63deadbeef60e01b60005260046000fd")

STARTER = """
import sys, time
from dexmm.sandbox.node.anvil import Anvil
anvil = Anvil()
print(anvil.pid, anvil.url, flush=True)
{then}
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def start_elsewhere(then: str) -> tuple[subprocess.Popen[str], int, str]:
    """Another process that starts Anvil and goes on with ``then``; it, Anvil's pid and URL."""
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(then=then)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, url = parent.stdout.readline().split()
    return parent, int(pid), url


def finish(parent: subprocess.Popen[str]) -> None:
    parent.wait(10)
    assert parent.stdout is not None
    parent.stdout.close()


def test_it_answers_and_is_gone_after_the_block() -> None:
    with Anvil() as anvil:
        assert anvil.rpc("eth_chainId") == "0x1"
        assert alive(anvil.pid)
        assert "anvil" in anvil.rpc("web3_clientVersion")
    assert not alive(anvil.pid)


def test_close_is_harmless_twice() -> None:
    anvil = Anvil()
    anvil.close()
    anvil.close()
    assert not alive(anvil.pid)


def test_an_exception_in_the_block_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), Anvil() as anvil:
        _ = 1 // 0
    assert not alive(anvil.pid)


@pytest.mark.parametrize(
    "then",
    ["time.sleep(60)", "sys.exit(0)", "raise SystemExit(3)", "1 / 0", "import os; os._exit(0)"],
)
def test_it_never_outlives_a_parent_that_ends(then: str) -> None:
    parent, pid, _ = start_elsewhere(f"sys.stderr.close()\n{then}")
    if then.startswith("time.sleep"):
        parent.kill()
    finish(parent)
    assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_never_outlives_a_parent_that_is_signalled(number: signal.Signals) -> None:
    parent, pid, _ = start_elsewhere("sys.stderr.close()\ntime.sleep(60)")
    assert alive(pid)
    parent.send_signal(number)
    finish(parent)
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's death")
def test_it_never_outlives_its_supervisor() -> None:
    with Anvil() as anvil:
        stat = Path(f"/proc/{anvil.pid}/stat").read_text()
        supervisor = int(stat.rsplit(")", 1)[1].split()[1])
        os.kill(supervisor, signal.SIGKILL)
        assert gone(anvil.pid)


def test_a_detached_node_lives_on() -> None:
    parent, pid, url = start_elsewhere("anvil.detach()")
    finish(parent)
    try:
        time.sleep(0.5)
        left = Rpc(url)
        assert left.rpc("eth_chainId") == "0x1"
        left.disconnect()
    finally:
        os.kill(pid, signal.SIGTERM)
    assert gone(pid)


def test_options_reach_the_node() -> None:
    options = AnvilOptions(
        chain_id=31337, timestamp=1_700_000_000, base_fee=7_000_000_000, gas_limit=20_000_000,
        accounts=2,
    )  # fmt: skip
    with Anvil(options) as anvil:
        block = anvil.block()
        assert anvil.rpc("eth_chainId") == "0x7a69"
        assert int(block["timestamp"], 16) == 1_700_000_000
        assert int(block["baseFeePerGas"], 16) == 7_000_000_000
        assert int(block["gasLimit"], 16) == 20_000_000
        assert len(anvil.rpc("eth_accounts")) == 2


def test_without_mining_a_transaction_waits_for_mine() -> None:
    with Anvil(AnvilOptions(mining=False)) as anvil:
        sender = anvil.rpc("eth_accounts")[0]
        tx_hash = anvil.rpc("eth_sendTransaction", [{"from": sender, "to": BOB, "value": "0x1"}])
        assert anvil.rpc("eth_getTransactionReceipt", [tx_hash]) is None
        anvil.mine()
        assert anvil.wait_for_receipt(tx_hash)["status"] == "0x1"


def test_state_survives_in_a_file(tmp_path: Path) -> None:
    state = tmp_path / "state of the chain.json"
    with Anvil(AnvilOptions(dump_state=state)) as anvil:
        anvil.set_balance(ALICE, 123)
        anvil.mine()
    with Anvil(AnvilOptions(load_state=state)) as anvil:
        assert anvil.balance(ALICE) == 123


def test_a_second_node_on_the_port_says_so() -> None:
    with Anvil() as first:
        port = int(first.url.rsplit(":", 1)[1])
        with pytest.raises(NodeError, match=r"Anvil did not start: .*in use"):
            Anvil(AnvilOptions(port=port))
        assert first.rpc("eth_chainId") == "0x1"


def test_a_missing_anvil_is_one_line_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DEXMM_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DEXMM_NODE_MODULES", str(tmp_path))
    with pytest.raises(BadInput, match=r"^Anvil is missing: .*npm ci.*Foundry.*DEXMM_ANVIL[^\n]*$"):
        find_anvil()


def test_the_environment_names_the_binary_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "anvil"
    monkeypatch.setenv("DEXMM_ANVIL", str(binary))
    with pytest.raises(BadInput, match=r"DEXMM_ANVIL names .* not an executable file"):
        find_anvil()
    binary.write_text("#!/bin/sh\nexit 3\n")
    binary.chmod(0o755)
    assert find_anvil() == binary
    with pytest.raises(NodeError, match="did not start"):
        Anvil()


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "anvil"
    text.write_text("not a program")
    text.chmod(0o755)
    with pytest.raises(NodeError, match="could not be started"):
        Anvil(binary=text)


COUNT_LEADING_ZEROS = "0x5f1e5f5260205ff3"  # PUSH0 CLZ PUSH0 MSTORE, return 32 bytes: since Osaka
TRANSACTION_GAS_CAP = 16_777_216  # EIP-7825, since Osaka


def test_its_rules_are_todays_mainnet() -> None:
    """An opcode of Osaka answers, and no transaction may have more gas than mainnet lets it."""
    with Anvil(AnvilOptions(gas_limit=60_000_000)) as anvil:
        anvil.set_code(CODE_AT, bytes.fromhex(COUNT_LEADING_ZEROS[2:]))
        assert int.from_bytes(anvil.call(CODE_AT, b""), "big") == 256
        sender = anvil.rpc("eth_accounts")[0]
        fields = {"from": sender, "to": sender, "gas": hex(TRANSACTION_GAS_CAP)}
        assert anvil.rpc("eth_sendTransaction", [fields])
        with pytest.raises(NodeError, match="gas"):
            anvil.rpc("eth_sendTransaction", [{**fields, "gas": hex(TRANSACTION_GAS_CAP + 1)}])


def test_the_cap_of_a_transaction_can_be_left_out() -> None:
    with Anvil(AnvilOptions(gas_limit=60_000_000, transaction_gas_cap=False)) as anvil:
        sender = anvil.rpc("eth_accounts")[0]
        fields = {"from": sender, "to": sender, "gas": hex(2 * TRANSACTION_GAS_CAP)}
        assert anvil.rpc("eth_sendTransaction", [fields])


def test_a_fork_url_stays_secret() -> None:
    options = AnvilOptions(fork_url="http://127.0.0.1:9/v2/s3cr3tkey")
    assert "s3cr3tkey" not in repr(options)
    with pytest.raises(NodeError) as refused:
        Anvil(options)
    assert "s3cr3tkey" not in str(refused.value)
    assert "s3cr3tkey" not in repr(refused.value.facts)


def test_revert_restores_state_and_time() -> None:
    with Anvil(AnvilOptions(timestamp=1_700_000_000)) as anvil:
        before = anvil.snapshot()
        anvil.set_balance(ALICE, 5)
        anvil.set_time(1_700_086_400)
        anvil.mine(3, seconds_apart=12)
        assert int(anvil.block()["timestamp"], 16) >= 1_700_086_400
        anvil.revert(before)
        assert anvil.balance(ALICE) == 0
        assert anvil.block()["number"] == "0x0"
        anvil.mine()
        assert int(anvil.block()["timestamp"], 16) < 1_700_000_100
        with pytest.raises(NodeError, match="knows no snapshot"):
            anvil.revert(before)


def test_time_and_base_fee_are_the_next_blocks() -> None:
    with Anvil(AnvilOptions(timestamp=1_700_000_000)) as anvil:
        anvil.set_time(1_700_000_500)
        anvil.set_base_fee(33)
        anvil.mine()
        block = anvil.block()
        assert int(block["timestamp"], 16) == 1_700_000_500
        assert int(block["baseFeePerGas"], 16) == 33


def test_anybody_can_be_impersonated() -> None:
    with Anvil() as anvil:
        anvil.set_balance(ALICE, 10**18)
        receipt = anvil.send_as(ALICE, BOB, value=7)
        assert receipt["status"] == "0x1"
        assert anvil.balance(BOB) == 7
        with anvil.impersonate(ALICE):
            anvil.rpc("eth_sendTransaction", [{"from": ALICE, "to": BOB, "value": "0x1"}])
        with pytest.raises(NodeError):
            anvil.rpc("eth_sendTransaction", [{"from": ALICE, "to": BOB, "value": "0x1"}])


def test_a_revert_carries_its_data() -> None:
    with Anvil() as anvil:
        anvil.set_balance(ALICE, 10**18)
        anvil.set_code(BOB, REVERTER)
        with pytest.raises(NodeError) as read:
            anvil.call(BOB, encode_call("anything()"))
        assert read.value.facts["data"] == "0xdeadbeef"
        with pytest.raises(NodeError) as sent:
            anvil.send_as(ALICE, BOB, encode_call("anything()"))
        assert sent.value.facts["data"] == "0xdeadbeef"


def test_a_batch_answers_in_the_order_asked() -> None:
    with Anvil() as anvil:
        anvil.set_balance(ALICE, 1)
        anvil.set_balance(BOB, 2)
        asked = [("eth_getBalance", [who, "latest"]) for who in (ALICE, BOB)]
        assert anvil.batch([*asked, ("eth_chainId", [])]) == ["0x1", "0x2", "0x1"]
        assert anvil.batch([]) == []


def test_a_node_that_is_gone_is_a_node_error() -> None:
    with Anvil() as anvil:
        os.kill(anvil.pid, signal.SIGKILL)
        assert gone(anvil.pid)
        with pytest.raises(NodeError, match="did not answer eth_chainId"):
            anvil.rpc("eth_chainId")
