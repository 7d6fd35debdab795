"""The checked-in output against its source, and each token double against the token it doubles."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from dexmm.errors import NodeError
from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call, topic
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.artifacts import PROJECT, node_modules
from dexmm.sandbox.node.deploy import (
    MULTICALL3,
    PAXG,
    PAXG_USD_FEED,
    USDT,
    WETH9,
    Deployment,
    account,
    place_xaut,
)
from dexmm.sandbox.node.funding import token_balance

ALICE = "0xA11CE00000000000000000000000000000000001"
BOB = "0xB0B0000000000000000000000000000000000002"
CAROL = "0xCA20100000000000000000000000000000000003"
ZERO = "0x" + "0" * 40
MOST = 2**256 - 1
TRANSFER = topic("Transfer(address,address,uint256)")

Receipt = dict[str, Any]


@pytest.mark.skipif(
    not (node_modules() / "solc").is_dir(), reason="the compiler is not installed: run npm ci"
)
def test_the_checked_in_output_is_what_the_source_compiles_to() -> None:
    script = PROJECT / "scripts" / "build_contracts"
    if not script.is_file():
        pytest.skip("an installed package carries no contract sources")
    checked = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compiler_answers_through_a_pipe_in_full(tmp_path: Path) -> None:
    if not (node_modules() / "solc").is_dir():
        pytest.skip("the compiler is not installed: run npm ci")
    functions = "".join(f"function f{i}() public {{}}" for i in range(600))
    question = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": f"contract A {{{functions}}}"}},
        "settings": {"outputSelection": {"*": {"*": ["abi", "evm.bytecode"]}}},
    }
    compiled = subprocess.run(
        [str(PROJECT / "scripts" / "solc"), "--standard-json"],
        input=json.dumps(question), capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert len(compiled.stdout) > 1 << 16
    assert "A" in json.loads(compiled.stdout)["contracts"]["A.sol"]


def send(anvil: Anvil, sender: str, token: str, signature: str, *arguments: object) -> Receipt:
    return anvil.send_as(sender, token, encode_call(signature, *arguments))


def read(anvil: Anvil, target: str, signature: str, types: str, *arguments: object) -> Any:
    (value,) = decode_answer(types, anvil.call(target, encode_call(signature, *arguments)))
    return value


def transfers(receipt: Receipt) -> list[tuple[str, str, int]]:
    return [
        (log["topics"][1][-40:], log["topics"][2][-40:], int(log["data"], 16))
        for log in receipt["logs"]
        if log["topics"][0] == TRANSFER
    ]


def bare(address: str) -> str:
    return address.removeprefix("0x").lower()


@pytest.fixture
def chain(mainnet: Deployment) -> Anvil:
    """Alice has 100 PAXG and 10,000 USDT; everybody can pay gas."""
    for who in (ALICE, BOB, CAROL):
        mainnet.fund_wallet(who, eth=Decimal(10))
    mainnet.fund_wallet(ALICE, paxg=Decimal(100), usdt=Decimal(10_000))
    return mainnet.anvil


@pytest.fixture
def second(chain: Anvil) -> Anvil:
    """The same chain with PAXG's second implementation."""
    token_admin.upgrade_paxg(chain)
    return chain


@pytest.mark.anvil
class TestPaxg:
    def test_it_has_18_decimals_behind_its_own_proxy_slot(self, chain: Anvil) -> None:
        assert read(chain, PAXG, "decimals()", "uint8") == 18
        assert read(chain, PAXG, "symbol()", "string") == "PAXG"
        slot = f"0x{token_admin.PAXG_IMPLEMENTATION_SLOT:064x}"
        word = chain.rpc("eth_getStorageAt", [PAXG, slot, "latest"])
        assert word[-40:] == bare(token_admin.PAXG_V1)

    def test_a_second_transfer_event_goes_to_the_fee_recipient_even_without_a_fee(
        self, chain: Anvil
    ) -> None:
        recipient = read(chain, PAXG, "feeRecipient()", "address")
        receipt = send(chain, ALICE, PAXG, "transfer(address,uint256)", BOB, 5)
        assert transfers(receipt) == [
            (bare(ALICE), bare(BOB), 5),
            (bare(ALICE), bare(recipient), 0),
        ]

    def test_a_fee_is_taken_from_what_the_receiver_gets(self, chain: Anvil) -> None:
        recipient = read(chain, PAXG, "feeRecipient()", "address")
        token_admin.set_paxg_fee_rate(chain, 200)
        sent = 10**18 + 1
        receipt = send(chain, ALICE, PAXG, "transfer(address,uint256)", BOB, sent)
        fee = sent * 200 // 10**6
        assert token_balance(chain, PAXG, ALICE) == 100 * 10**18 - sent
        assert token_balance(chain, PAXG, BOB) == sent - fee
        assert token_balance(chain, PAXG, recipient) == fee
        assert transfers(receipt)[1] == (bare(ALICE), bare(recipient), fee)

    def test_only_the_fee_controller_sets_the_fee(self, chain: Anvil) -> None:
        with pytest.raises(NodeError, match="only FeeController"):
            send(chain, ALICE, PAXG, "setFeeRate(uint256)", 1)

    @pytest.mark.parametrize("upgraded", [False, True])
    def test_a_pause_stops_transfer_transfer_from_and_approve(
        self, chain: Anvil, upgraded: bool
    ) -> None:
        if upgraded:
            token_admin.upgrade_paxg(chain)
        send(chain, ALICE, PAXG, "approve(address,uint256)", BOB, 10)
        token_admin.pause_paxg(chain)
        assert read(chain, PAXG, "paused()", "bool")
        refused: list[Callable[[], Receipt]] = [
            lambda: send(chain, ALICE, PAXG, "transfer(address,uint256)", BOB, 1),
            lambda: send(
                chain, BOB, PAXG, "transferFrom(address,address,uint256)", ALICE, CAROL, 1
            ),
            lambda: send(chain, ALICE, PAXG, "approve(address,uint256)", BOB, 1),
        ]
        for act in refused:
            with pytest.raises(NodeError):
                act()
        token_admin.unpause_paxg(chain)
        for act in refused:
            act()

    @pytest.mark.parametrize("upgraded", [False, True])
    @pytest.mark.parametrize("frozen", [ALICE, BOB, CAROL])
    def test_a_freeze_counts_for_sender_receiver_and_spender(
        self, chain: Anvil, frozen: str, upgraded: bool
    ) -> None:
        if upgraded:
            token_admin.upgrade_paxg(chain)
        send(chain, ALICE, PAXG, "approve(address,uint256)", BOB, 10)
        token_admin.freeze_paxg(chain, frozen)
        assert read(chain, PAXG, "isFrozen(address)", "bool", frozen)
        with pytest.raises(NodeError):
            send(chain, BOB, PAXG, "transferFrom(address,address,uint256)", ALICE, CAROL, 1)
        token_admin.unfreeze_paxg(chain, frozen)
        send(chain, BOB, PAXG, "transferFrom(address,address,uint256)", ALICE, CAROL, 1)

    @pytest.mark.parametrize("upgraded", [False, True])
    def test_a_frozen_balance_can_be_wiped(self, chain: Anvil, upgraded: bool) -> None:
        if upgraded:
            token_admin.upgrade_paxg(chain)
        # Balances written by the sandbox are in no total supply: let the issuer issue some.
        issuer = read(chain, PAXG, "supplyController()", "address")
        send(chain, issuer, PAXG, "increaseSupply(uint256)", 200 * 10**18)
        token_admin.freeze_paxg(chain, ALICE)
        token_admin.wipe_paxg(chain, ALICE)
        assert token_balance(chain, PAXG, ALICE) == 0
        assert read(chain, PAXG, "totalSupply()", "uint256") == 100 * 10**18

    @pytest.mark.parametrize("upgraded", [False, True])
    @pytest.mark.parametrize("allowed", [100, MOST])
    def test_every_allowance_is_consumed_the_maximum_included(
        self, chain: Anvil, allowed: int, upgraded: bool
    ) -> None:
        if upgraded:
            token_admin.upgrade_paxg(chain)
        send(chain, ALICE, PAXG, "approve(address,uint256)", BOB, allowed)
        send(chain, BOB, PAXG, "transferFrom(address,address,uint256)", ALICE, CAROL, 30)
        left = read(chain, PAXG, "allowance(address,address)", "uint256", ALICE, BOB)
        assert left == allowed - 30

    def test_a_transfer_to_zero_or_of_too_much_is_refused(self, chain: Anvil) -> None:
        with pytest.raises(NodeError, match="cannot transfer to address zero"):
            send(chain, ALICE, PAXG, "transfer(address,uint256)", ZERO, 1)
        with pytest.raises(NodeError, match="insufficient funds"):
            send(chain, BOB, PAXG, "transfer(address,uint256)", ALICE, 1)
        with pytest.raises(NodeError, match="insufficient allowance"):
            send(chain, BOB, PAXG, "transferFrom(address,address,uint256)", ALICE, CAROL, 1)


@pytest.mark.anvil
class TestPaxgUpgraded:
    def test_balances_survive_and_the_slot_tells(self, second: Anvil) -> None:
        assert token_balance(second, PAXG, ALICE) == 100 * 10**18
        slot = f"0x{token_admin.PAXG_IMPLEMENTATION_SLOT:064x}"
        word = second.rpc("eth_getStorageAt", [PAXG, slot, "latest"])
        assert word[-40:] != bare(token_admin.PAXG_V1)

    def test_it_has_no_fee_functions_and_one_transfer_event(self, second: Anvil) -> None:
        for signature in ("feeRate()", "getFeeFor(uint256)", "feeRecipient()"):
            arguments = [1] if "uint256" in signature else []
            with pytest.raises(NodeError):
                second.call(PAXG, encode_call(signature, *arguments))
        receipt = send(second, ALICE, PAXG, "transfer(address,uint256)", BOB, 5)
        assert transfers(receipt) == [(bare(ALICE), bare(BOB), 5)]

    @pytest.mark.parametrize(
        ("error", "stage"),
        [
            ("ContractPaused()", token_admin.pause_paxg),
            ("AddressFrozen()", lambda anvil: token_admin.freeze_paxg(anvil, BOB)),
        ],
    )
    def test_its_errors_are_custom(
        self, second: Anvil, error: str, stage: Callable[[Anvil], None]
    ) -> None:
        stage(second)
        with pytest.raises(NodeError) as refused:
            send(second, ALICE, PAXG, "transfer(address,uint256)", BOB, 5)
        assert refused.value.facts["data"] == "0x" + encode_call(error).hex()

    def test_a_permit_approves_once(self, second: Anvil) -> None:
        signer = Account.create()
        now = int(second.block()["timestamp"], 16)
        message = {
            "owner": signer.address, "spender": BOB, "value": 77, "nonce": 0, "deadline": now + 999,
        }  # fmt: skip
        signed = signer.sign_message(
            encode_typed_data(
                {"name": "Paxos Gold", "version": "1", "chainId": 1, "verifyingContract": PAXG},
                {
                    "Permit": [
                        {"name": "owner", "type": "address"},
                        {"name": "spender", "type": "address"},
                        {"name": "value", "type": "uint256"},
                        {"name": "nonce", "type": "uint256"},
                        {"name": "deadline", "type": "uint256"},
                    ]
                },
                message,
            )
        )
        permit = (
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
            signer.address, BOB, 77, now + 999, signed.v,
            signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"),
        )  # fmt: skip
        send(second, CAROL, PAXG, *permit)
        assert (
            read(second, PAXG, "allowance(address,address)", "uint256", signer.address, BOB) == 77
        )
        with pytest.raises(NodeError):
            send(second, CAROL, PAXG, *permit)


@pytest.mark.anvil
class TestXaut:
    @pytest.fixture
    def xaut(self, chain: Anvil) -> str:
        token = place_xaut(chain)
        owner = read(chain, token, "owner()", "address")
        send(chain, owner, token, "mint(address,uint256)", ALICE, 5_000_000)
        return token

    def test_it_is_behind_an_eip1967_proxy_and_answers_no_older_name(
        self, chain: Anvil, xaut: str
    ) -> None:
        assert read(chain, xaut, "decimals()", "uint8") == 6
        assert read(chain, xaut, "symbol()", "string") == "XAUt"
        slot = f"0x{token_admin.EIP1967_IMPLEMENTATION_SLOT:064x}"
        assert int(chain.rpc("eth_getStorageAt", [xaut, slot, "latest"]), 16)
        older = ("isBlackListed(address)", "isBlacklisted(address)", "isFrozen(address)")
        for signature in older:
            with pytest.raises(NodeError):
                chain.call(xaut, encode_call(signature, ALICE))
        for signature in ("paused()", "basisPointsRate()", "deprecated()"):
            with pytest.raises(NodeError):
                chain.call(xaut, encode_call(signature))

    def test_the_blocked_list_is_looked_up_for_caller_and_sender_not_for_the_receiver(
        self, chain: Anvil, xaut: str
    ) -> None:
        move, take = "transfer(address,uint256)", "transferFrom(address,address,uint256)"
        token_admin.block_xaut(chain, BOB)
        assert read(chain, xaut, "isBlocked(address)", "bool", BOB)
        send(chain, ALICE, xaut, move, BOB, 5)
        send(chain, ALICE, xaut, "approve(address,uint256)", BOB, 5)
        with pytest.raises(NodeError):
            send(chain, BOB, xaut, move, ALICE, 5)
        with pytest.raises(NodeError):
            send(chain, BOB, xaut, take, ALICE, CAROL, 5)
        token_admin.unblock_xaut(chain, BOB)
        send(chain, BOB, xaut, move, ALICE, 5)
        send(chain, BOB, xaut, take, ALICE, CAROL, 5)
        assert token_balance(chain, xaut, CAROL) == 5
        with pytest.raises(NodeError):
            send(chain, ALICE, xaut, move, xaut, 1)

    def test_blocked_funds_can_be_destroyed_and_an_infinite_allowance_stays(
        self, chain: Anvil, xaut: str
    ) -> None:
        send(chain, ALICE, xaut, "approve(address,uint256)", BOB, 1)
        send(chain, ALICE, xaut, "approve(address,uint256)", BOB, MOST)
        send(chain, BOB, xaut, "transferFrom(address,address,uint256)", ALICE, CAROL, 7)
        assert read(chain, xaut, "allowance(address,address)", "uint256", ALICE, BOB) == MOST
        owner = read(chain, xaut, "owner()", "address")
        with pytest.raises(NodeError):
            send(chain, owner, xaut, "destroyBlockedFunds(address)", CAROL)
        token_admin.block_xaut(chain, CAROL)
        send(chain, owner, xaut, "destroyBlockedFunds(address)", CAROL)
        assert token_balance(chain, xaut, CAROL) == 0


@pytest.mark.anvil
class TestUsdt:
    def test_it_has_6_decimals_and_returns_nothing(self, chain: Anvil) -> None:
        assert read(chain, USDT, "decimals()", "uint256") == 6
        for signature, arguments in (
            ("transfer(address,uint256)", (BOB, 1)),
            ("approve(address,uint256)", (BOB, 1)),
        ):
            assert chain.call(USDT, encode_call(signature, *arguments), sender=ALICE) == b""
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 10)
        taking = encode_call("transferFrom(address,address,uint256)", ALICE, CAROL, 1)
        assert chain.call(USDT, taking, sender=BOB) == b""

    def test_an_approval_over_another_must_go_through_zero(self, chain: Anvil) -> None:
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 10)
        with pytest.raises(NodeError):
            send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 11)
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 0)
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 11)

    def test_the_maximum_allowance_is_infinite_and_others_are_consumed(self, chain: Anvil) -> None:
        for allowed, left in ((MOST, MOST), (100, 70)):
            send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 0)
            send(chain, ALICE, USDT, "approve(address,uint256)", BOB, allowed)
            send(chain, BOB, USDT, "transferFrom(address,address,uint256)", ALICE, CAROL, 30)
            assert read(chain, USDT, "allowance(address,address)", "uint256", ALICE, BOB) == left

    def test_a_fee_is_capped_and_goes_to_the_owner(self, chain: Anvil) -> None:
        owner = read(chain, USDT, "owner()", "address")
        token_admin.set_usdt_fee(chain, 19, 1)
        held = token_balance(chain, USDT, owner)
        send(chain, ALICE, USDT, "transfer(address,uint256)", BOB, 100_000_001)
        assert token_balance(chain, USDT, BOB) == 100_000_001 - 190_000
        receipt = send(chain, ALICE, USDT, "transfer(address,uint256)", CAROL, 5_000_000_000)
        assert token_balance(chain, USDT, CAROL) == 5_000_000_000 - 1_000_000
        assert token_balance(chain, USDT, owner) == held + 190_000 + 1_000_000
        assert len(transfers(receipt)) == 2

    @pytest.mark.parametrize(("points", "most"), [(20, 1), (1, 50)])
    def test_a_fee_of_20_bp_or_50_usdt_cannot_be_set(
        self, chain: Anvil, points: int, most: int
    ) -> None:
        with pytest.raises(NodeError):
            token_admin.set_usdt_fee(chain, points, most)

    def test_the_blacklist_is_looked_up_for_the_sender_only(self, chain: Anvil) -> None:
        token_admin.blacklist_usdt(chain, BOB)
        assert read(chain, USDT, "isBlackListed(address)", "bool", BOB)
        send(chain, ALICE, USDT, "transfer(address,uint256)", BOB, 5)
        with pytest.raises(NodeError):
            send(chain, BOB, USDT, "transfer(address,uint256)", ALICE, 5)
        # As a spender, a blacklisted account moves other people's tokens.
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 5)
        send(chain, BOB, USDT, "transferFrom(address,address,uint256)", ALICE, CAROL, 5)

    def test_black_funds_can_be_destroyed(self, chain: Anvil) -> None:
        token_admin.blacklist_usdt(chain, ALICE)
        owner = read(chain, USDT, "owner()", "address")
        send(chain, owner, USDT, "destroyBlackFunds(address)", ALICE)
        assert token_balance(chain, USDT, ALICE) == 0

    def test_a_pause_stops_transfers_but_not_approve(self, chain: Anvil) -> None:
        token_admin.pause_usdt(chain)
        send(chain, ALICE, USDT, "approve(address,uint256)", BOB, 10)
        with pytest.raises(NodeError):
            send(chain, ALICE, USDT, "transfer(address,uint256)", BOB, 1)
        with pytest.raises(NodeError):
            send(chain, BOB, USDT, "transferFrom(address,address,uint256)", ALICE, CAROL, 1)
        token_admin.unpause_usdt(chain)
        send(chain, ALICE, USDT, "transfer(address,uint256)", BOB, 1)

    def test_a_deprecated_token_asks_its_successor(self, chain: Anvil, mainnet: Deployment) -> None:
        assert read(chain, USDT, "deprecated()", "bool") is False
        successor = mainnet.create_token("USDT2", 6)
        mainnet.add_tokens(successor, BOB, 9)
        token_admin.deprecate_usdt(chain, successor)
        assert read(chain, USDT, "deprecated()", "bool") is True
        assert token_balance(chain, USDT, BOB) == 9
        assert token_balance(chain, USDT, ALICE) == 0


@pytest.mark.anvil
class TestTheRest:
    def test_a_feed_without_a_round_reverts(self, chain: Anvil) -> None:
        silent = account("silent feed")
        chain.set_code(silent, chain.code(PAXG_USD_FEED))
        assert read(chain, silent, "decimals()", "uint8") == 8
        with pytest.raises(NodeError, match="No data present"):
            chain.call(silent, encode_call("latestRoundData()"))

    def test_rounds_follow_each_other(self, chain: Anvil) -> None:
        types = "uint80,int256,uint256,uint256,uint80"
        rounds = []
        for answer in (1, -2):
            token_admin.set_feed(chain, PAXG_USD_FEED, answer, 1_700_000_000)
            data = chain.call(PAXG_USD_FEED, encode_call("latestRoundData()"))
            rounds.append(decode_answer(types, data))
        assert [r[1] for r in rounds] == [1, -2]
        assert rounds[1][0] == rounds[0][0] + 1
        assert rounds[1][4] == rounds[1][0]

    def test_ether_is_wrapped_and_unwrapped(self, chain: Anvil) -> None:
        chain.send_as(ALICE, WETH9, encode_call("deposit()"), value=10**18)
        chain.send_as(ALICE, WETH9, value=1)
        assert token_balance(chain, WETH9, ALICE) == 10**18 + 1
        send(chain, ALICE, WETH9, "withdraw(uint256)", 10**18)
        assert token_balance(chain, WETH9, ALICE) == 1

    def test_multicall_reports_each_call_or_reverts_as_asked(self, chain: Anvil) -> None:
        good = encode_call("decimals()")
        bad = encode_call("nothing()")
        signature = "aggregate3((address,bool,bytes)[])"
        calls = [(PAXG, True, good), (PAXG, True, bad), (ZERO, True, b"")]
        data = chain.call(MULTICALL3, encode_call(signature, calls))
        (results,) = decode_answer("(bool,bytes)[]", data)
        assert [ok for ok, _ in results] == [True, False, True]
        assert int.from_bytes(results[0][1]) == 18
        with pytest.raises(NodeError, match="Multicall3: call failed"):
            chain.call(MULTICALL3, encode_call(signature, [(PAXG, False, bad)]))

    def test_multicall_knows_its_block(self, chain: Anvil) -> None:
        block = chain.block()
        signature = "tryBlockAndAggregate(bool,(address,bytes)[])"
        data = chain.call(MULTICALL3, encode_call(signature, False, []))
        number, _, _ = decode_answer("uint256,bytes32,(bool,bytes)[]", data)
        assert number == int(block["number"], 16)
        for signature, expected in (
            ("getBlockNumber()", number),
            ("getCurrentBlockTimestamp()", int(block["timestamp"], 16)),
            ("getChainId()", 1),
        ):
            assert read(chain, MULTICALL3, signature, "uint256") == expected
        assert read(chain, MULTICALL3, "getEthBalance(address)", "uint256", ALICE) == 10**19
