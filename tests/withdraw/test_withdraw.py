"""The emergency exit on the real contracts: everything out, whatever is broken."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.deploy import PAXG_USDT_POOL
from dexmm.sandbox.node.funding import set_token_balance
from dexmm.sandbox.node.token_admin import PAXG, USDT
from dexmm.units import sqrt_from_price

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

PROJECT = Path(__file__).resolve().parent.parent.parent
WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
SAFE = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
STRANGER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
DEAD = "http://127.0.0.1:1"


def test_takes_out_positions_in_and_out_of_range(scene: Scene) -> None:
    before = scene.balances()
    for below, above in ((-600, 600), (-300, 900), (-2000, -1000), (1000, 2000)):
        scene.mint(below, above)
    scene.trade()
    answer = _all_out(scene)
    assert len(answer["legs"]) == 1, "one transaction takes out all four"
    assert scene.token_ids() == []
    # Nearly the same price as before, and fees on top of what was put in.
    assert _value(scene.balances()) > _value(before)


def test_a_wallet_with_nothing_in_the_pool(scene: Scene) -> None:
    answer = _all_out(scene)
    assert answer["legs"] == []
    assert scene.nonce() == 0


def test_an_empty_wallet_without_ether(scene: Scene) -> None:
    scene.anvil.set_balance(WALLET, 0)
    assert _all_out(scene)["legs"] == []


def test_other_peoples_and_other_pools_positions_are_left_alone(scene: Scene) -> None:
    price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    elsewhere = scene.mainnet.create_pool(PAXG, USDT, 3000, price)
    other = scene.mainnet.mint_position(
        WALLET, -193_380 // 60 * 60 - 600, -193_380 // 60 * 60 + 600, 10**18, 4000 * 10**6,
        pool=elsewhere,
    )  # fmt: skip
    scene.mint(-600, 600)
    _all_out(scene, empty=False)
    assert scene.token_ids() == [other]
    assert scene.position(other)[2] > 0


def test_a_dry_run_sends_nothing_and_sets_no_halt(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.mint(-900, 300)
    nonce = scene.nonce("pending")
    ran = scene.withdraw("--dry-run", "--convert", "--to", "safe")
    assert ran.code == 0, ran.err
    assert "eth_sendRawTransaction" not in "+".join(scene.proxy.methods)
    assert scene.nonce("pending") == nonce
    assert not scene.halted()
    answer = ran.answer
    assert not answer["proved"]
    first = answer["legs"][0]
    # Two positions of 1 PAXG and 4000 USDT at most, simulated to the unit they would pay.
    assert 0 < Decimal(first["collected_base"]) <= 2
    assert 0 < Decimal(first["collected_quote"]) <= 8000
    simulated = first["collected_base"], first["collected_quote"]
    real = _all_out(scene)["legs"][0]
    assert (real["collected_base"], real["collected_quote"]) == simulated


def test_halt_is_set_and_stays(scene: Scene) -> None:
    _all_out(scene)
    assert scene.halted()


@pytest.mark.parametrize("damage", ["missing", "corrupt", "half"])
def test_without_a_usable_journal(scene: Scene, damage: str) -> None:
    scene.mint(-600, 600)
    journal = scene.state_dir / "journal.sqlite"
    if damage != "missing":
        scene.state_dir.mkdir()
        journal.write_bytes(b"this is no database at all " * 400)
    if damage == "half":
        journal.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    _all_out(scene)


def test_with_the_journal_locked(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.state_dir.mkdir()
    lock = sqlite3.connect(scene.state_dir / "journal.sqlite", isolation_level=None)
    lock.execute("CREATE TABLE held (x)")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        ran = scene.withdraw()
    finally:
        lock.close()
    assert ran.code == 0, ran.err
    assert "without the journal" in ran.err
    assert scene.all_out()


def test_with_a_state_folder_that_cannot_be_written(scene: Scene) -> None:
    """A file stands where the folder should be: no HALT flag, no lease, no journal."""
    scene.mint(-600, 600)
    scene.state_dir.write_text("not a folder")
    ran = scene.withdraw()
    assert ran.code == 0, ran.err
    assert len(ran.answer["warnings"]) == 2
    assert scene.all_out()


def test_with_the_first_node_dead(scene: Scene) -> None:
    scene.mint(-600, 600)
    _all_out(scene, network__rpc_urls=f"{DEAD},{scene.proxy.url}")


def test_with_every_node_dead(scene: Scene) -> None:
    ran = scene.withdraw(network__rpc_urls=DEAD)
    assert ran.code == 5
    assert "cannot be reached" in ran.answer["unfinished"][0]
    assert ran.answer["block"] is None
    assert scene.halted(), "a running loop must yield even when this process sees nothing"


def test_a_gas_spike_says_what_it_needs_and_obeys_the_override(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.anvil.set_base_fee(900 * 10**9)
    scene.anvil.mine()
    scene.anvil.set_base_fee(900 * 10**9)
    ran = scene.withdraw()
    assert ran.code == 5
    (said,) = ran.answer["unfinished"]
    assert "gas.max_exit_gwei" in said
    enough = said.rsplit("--max-gwei ", 1)[1]
    assert not scene.all_out()
    _all_out(scene, "--max-gwei", enough)


def test_no_ether_for_gas_is_said(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.anvil.set_balance(WALLET, 10**9)
    ran = scene.withdraw()
    assert ran.code == 5
    assert any("ETH" in line for line in ran.answer["unfinished"]), ran.out


def test_paxg_paused_midway_gets_the_rest_out_and_says_why(scene: Scene) -> None:
    both = scene.mint(-600, 600)
    usdt_only = scene.mint(-2000, -1000)
    token_admin.pause_paxg(scene.anvil)
    usdt_before = scene.balances()[1]
    ran = scene.withdraw()
    assert ran.code == 3, ran.err
    trapped = [item for item in ran.answer["trapped"] if item["where"] == f"position #{both}"]
    assert [item["token"] for item in trapped] == ["PAXG"]
    assert "paused" in trapped[0]["reason"]
    assert 0 < Decimal(trapped[0]["amount"]) <= 1
    # The position that holds no PAXG is gone, the other keeps only what PAXG owes it.
    assert scene.token_ids() == [both]
    _, _, liquidity, owed0, owed1 = scene.position(both)
    assert (liquidity, owed1) == (0, 0)
    assert Decimal(owed0).scaleb(-18) == Decimal(trapped[0]["amount"])
    assert scene.balances()[1] > usdt_before + 7000 * 10**6
    assert usdt_only not in scene.token_ids()

    # Nothing more is tried, or paid for, until PAXG moves again; then the rest comes out.
    nonce = scene.nonce()
    again = scene.withdraw()
    assert again.code == 3
    assert scene.nonce() == nonce
    token_admin.unpause_paxg(scene.anvil)
    paxg = scene.balances()[0]
    _all_out(scene)
    assert scene.balances()[0] == paxg + owed0


def test_paxg_paused_between_two_legs(scene: Scene) -> None:
    """The first position is out, then the pause falls: the second keeps its PAXG alone."""
    first = scene.mint(-600, 600)
    token_admin.pause_paxg(scene.anvil)
    assert scene.withdraw().code == 3
    token_admin.unpause_paxg(scene.anvil)
    second = scene.mint(-300, 300)
    token_admin.pause_paxg(scene.anvil)
    ran = scene.withdraw()
    assert ran.code == 3
    assert {item["where"] for item in ran.answer["trapped"]} >= {
        f"position #{first}",
        f"position #{second}",
    }
    assert scene.position(second)[2] == 0


def test_a_frozen_wallet(scene: Scene) -> None:
    """PAXG's issuer bars the wallet: USDT comes out, PAXG stays with the NFT and in the wallet."""
    token_id = scene.mint(-600, 600)
    token_admin.freeze_paxg(scene.anvil, WALLET)
    ran = scene.withdraw()
    assert ran.code == 3
    reasons = {item["where"]: item["reason"] for item in ran.answer["trapped"]}
    assert "frozen the wallet" in reasons[f"position #{token_id}"]
    assert "frozen the wallet" in reasons["wallet"]
    assert scene.position(token_id)[2::2] == (0, 0)


def test_usdt_that_blacklists_the_pool(scene: Scene) -> None:
    token_id = scene.mint(-600, 600)
    token_admin.blacklist_usdt(scene.anvil, PAXG_USDT_POOL)
    paxg = scene.balances()[0]
    ran = scene.withdraw()
    assert ran.code == 3
    (trapped,) = ran.answer["trapped"]
    assert (trapped["where"], trapped["token"]) == (f"position #{token_id}", "USDT")
    assert "frozen the pool" in trapped["reason"]
    assert scene.balances()[0] > paxg


def test_usdt_that_blacklists_the_wallet_still_leaves_the_pool(scene: Scene) -> None:
    """Only senders are barred: everything leaves the pool, and the USDT is stuck in the wallet."""
    scene.mint(-600, 600)
    token_admin.blacklist_usdt(scene.anvil, WALLET)
    ran = scene.withdraw("--to", "safe")
    assert ran.code == 3
    assert ran.answer["proved"]
    assert scene.all_out()
    assert scene.balances(SAFE)[0] > 0
    assert [item["token"] for item in ran.answer["trapped"]] == ["USDT"]


def test_both_tokens_stopped_still_ends_the_exposure(scene: Scene) -> None:
    token_id = scene.mint(-600, 600)
    token_admin.pause_paxg(scene.anvil)
    token_admin.pause_usdt(scene.anvil)
    ran = scene.withdraw()
    assert ran.code == 3
    _, _, liquidity, owed0, owed1 = scene.position(token_id)
    assert liquidity == 0
    assert owed0 > 0
    assert owed1 > 0


def test_to_the_safe_address(scene: Scene) -> None:
    scene.mint(-600, 600)
    held = scene.balances()
    scene.mainnet.fund_wallet(SAFE, paxg=Decimal(2))
    (read_back,) = _all_out(scene, "--to", "safe")["read_back"]
    assert scene.balances() == (0, 0)
    at_safe = scene.balances(SAFE)
    block = int(scene.anvil.block()["number"], 16)
    paxg, arrived = (
        Decimal(units).scaleb(-18).normalize() for units in (at_safe[0], at_safe[0] - 2 * 10**18)
    )
    usdt = Decimal(at_safe[1]).scaleb(-6).normalize()
    assert read_back == (
        f"at block {block} the wallet holds 0 PAXG and 0 USDT; {SAFE} holds {paxg:f} PAXG and "
        f"{usdt:f} USDT, {arrived:f} PAXG and {usdt:f} USDT more than before"
    )
    assert at_safe[0] > held[0]
    assert at_safe[1] > held[1]
    assert scene.anvil.balance(WALLET) > 10**18, "the ether for gas stays"


def test_to_another_address_needs_it_twice(scene: Scene) -> None:
    scene.mint(-600, 600)
    refused = scene.withdraw("--to", STRANGER)
    assert refused.code == 2
    assert "--confirm-to" in refused.err
    assert not scene.halted(), "bad input does nothing at all"
    wrong = scene.withdraw("--to", STRANGER, "--confirm-to", SAFE)
    assert wrong.code == 2
    _all_out(scene, "--to", STRANGER, "--confirm-to", STRANGER)
    assert scene.balances(STRANGER)[0] > 0


@pytest.mark.parametrize(
    "target", ["0x123", "0x" + "0" * 40, PAXG, PAXG_USDT_POOL, "vitalik.eth", ""]
)
def test_to_nonsense_is_bad_input(scene: Scene, target: str) -> None:
    ran = scene.withdraw("--to", target, "--confirm-to", target)
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1
    assert scene.proxy.methods == []


def test_convert_sells_the_base_near_the_fair_price(scene: Scene) -> None:
    scene.mint(-600, 600)
    before = scene.balances()
    (read_back,) = _all_out(scene, "--convert")["read_back"]
    after = scene.balances()
    assert after[0] == 0
    usdt = Decimal(after[1]).scaleb(-6).normalize()
    assert read_back.endswith(f" the wallet holds 0 PAXG and {usdt:f} USDT")
    sold = Decimal(before[0] + 10**18).scaleb(-18)
    got = Decimal(after[1] - before[1]).scaleb(-6)
    assert got > sold * 4000 * Decimal("0.97")


def test_convert_never_sells_far_below_fair(scene: Scene) -> None:
    """More PAXG than the pool can take at 3 % below: what is left is said, and kept."""
    scene.mainnet.fund_wallet(WALLET, paxg=Decimal(1000))
    before = scene.balances()
    ran = scene.withdraw("--convert")
    assert ran.code == 3
    (left,) = ran.answer["withheld"]
    assert "PAXG is not sold" in left
    after = scene.balances()
    assert 0 < after[0] < before[0], "some was sold, the rest kept"
    sold, got = Decimal(before[0] - after[0]), Decimal(after[1] - before[1])
    price = got.scaleb(12) / sold
    assert price > Decimal(4000) * Decimal("0.97") * Decimal("0.9995")


def test_convert_while_the_price_is_pushed_down_sells_nothing_cheaply(scene: Scene) -> None:
    """A swap in the same block has pushed the pool far below its own history."""
    scene.mainnet.swap(zero_for_one=True, amount_in=60 * 10**18)
    before = scene.balances()
    ran = scene.withdraw("--convert")
    assert ran.code == 3
    assert scene.balances() == before


def test_convert_and_to(scene: Scene) -> None:
    scene.mint(-600, 600)
    _all_out(scene, "--convert", "--to", "safe")
    assert scene.balances() == (0, 0)
    assert scene.balances(SAFE)[0] == 0
    assert scene.balances(SAFE)[1] > 79_000 * 10**6


def test_convert_where_the_base_is_the_other_token(scene: Scene) -> None:
    """The same pool seen from the other side: USDT is the inventory, and is sold for PAXG."""
    scene.mint(-600, 600)
    mirrored = {"market__base": USDT, "market__price_low": "0.0001", "market__price_high": "0.001"}
    before = scene.balances()
    _all_out(scene, "--convert", **mirrored)
    after = scene.balances()
    assert after[1] == 0
    assert _value(after) > _value(before) * Decimal("0.99")


def test_a_dry_run_says_what_would_be_trapped(scene: Scene) -> None:
    token_id = scene.mint(-600, 600)
    token_admin.pause_paxg(scene.anvil)
    nonce = scene.nonce("pending")
    ran = scene.withdraw("--dry-run")
    assert ran.code == 3
    trapped = {(item["where"], item["token"]) for item in ran.answer["trapped"]}
    assert trapped == {(f"position #{token_id}", "PAXG"), ("wallet", "PAXG")}
    assert scene.nonce("pending") == nonce


def test_a_reason_to_be_halted_is_not_forgotten(scene: Scene) -> None:
    scene.state_dir.mkdir()
    (scene.state_dir / "HALT").write_text("a drawdown of 16 %\n")
    _all_out(scene)
    _all_out(scene)
    said = (scene.state_dir / "HALT").read_text()
    assert said.count("withdraw was run") == 1
    assert "a drawdown of 16 %" in said


def test_two_withdraws_at_once(scene: Scene) -> None:
    for below, above in ((-600, 600), (-300, 900)):
        scene.mint(below, above)
    one = scene.start("withdraw", "--json")
    two = scene.start("withdraw", "--json")
    assert [one.wait().code, two.wait().code] == [0, 0]
    assert scene.all_out()


def test_mainnet_needs_yes_where_nobody_can_be_asked(scene: Scene) -> None:
    ran = scene.withdraw(network__name="mainnet", wallet__private_key="")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not scene.halted()


def test_the_script_does_the_same_from_any_folder(scene: Scene, tmp_path: Path) -> None:
    scene.mint(-600, 600)
    ran = subprocess.run(
        [
            sys.executable,
            str(PROJECT / "scripts" / "withdraw.py"),
            *("--json", "--config", str(scene.folder / "dexmm.toml")),
        ],
        cwd="/",
        env=scene.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["proved"]
    assert scene.all_out()


def test_people_read_a_table_and_how_to_resume(scene: Scene) -> None:
    scene.mint(-600, 600)
    ran = scene.run("withdraw")
    assert ran.code == 0, ran.err
    assert WALLET in ran.out
    assert "no liquidity, nothing owed" in ran.out
    assert "dexmm resume --config" in ran.out


def _value(balances: tuple[int, int]) -> Decimal:
    return 4000 * Decimal(balances[0]).scaleb(-18) + Decimal(balances[1]).scaleb(-6)


def _all_out(scene: Scene, *arguments: str, empty: bool = True, **settings: str) -> dict[str, Any]:
    ran = scene.withdraw(*arguments, **settings)
    assert ran.code == 0, ran.err + ran.out
    answer = ran.answer
    assert answer["proved"]
    assert answer["positions"] == []
    assert answer["in_flight"] == []
    if empty:
        assert scene.all_out()
    return answer


def test_what_comes_into_the_wallet_after_it_was_sent_on_is_not_finished(scene: Scene) -> None:
    """Read back at the end, and said with the amount; the next one sends it on as well."""
    scene.mint(-600, 600)
    forward, sent = scene.proxy._forward, []

    def giving(body: bytes) -> bytes:
        answer: bytes = forward(body)
        if b"eth_sendRawTransaction" in body:
            sent.append(1)
            if len(sent) == 3:  # the exit, one token, the other: everything is on its way
                set_token_balance(scene.anvil, PAXG, WALLET, 3 * 10**18)
        return answer

    scene.proxy._forward = giving
    ran = scene.withdraw("--to", STRANGER, "--confirm-to", STRANGER)
    assert len(sent) == 3
    assert ran.code == 5, ran.out + ran.err
    assert not ran.answer["proved"]
    assert ran.answer["unfinished"] == ["3 PAXG is still in the wallet"]
    assert scene.balances() == (3 * 10**18, 0)
    (read_back,) = ran.answer["read_back"]
    assert "the wallet holds 3 PAXG and 0 USDT" in read_back
    before = scene.balances(STRANGER)[0]
    _all_out(scene, "--to", STRANGER, "--confirm-to", STRANGER)
    assert scene.balances() == (0, 0)
    assert scene.balances(STRANGER)[0] == before + 3 * 10**18
