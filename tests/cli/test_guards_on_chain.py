"""Every guard that the chain can trip, tripped on a real one: the wanted action is refused, nothing
is sent, and the refusal stands in the answer, in ``status`` and in the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dexmm.config.schema import load_config
from dexmm.model.entry import Entry
from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.deploy import PAXG_USD_FEED, PAXG_USDT_POOL
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.journal import SqlJournal, market_key

pytestmark = pytest.mark.anvil

GWEI = 10**9
Trip = Callable[[Any], None]


def anvil(account: Any) -> Any:
    return account.deployment.anvil


def _manipulate(account: Any) -> None:
    """A swap moves the price by per cents, and the next block is ours."""
    account.deployment.swap(zero_for_one=False, amount_in=400_000 * 10**6)


def _stale_feed(account: Any) -> None:
    token_admin.set_feed(anvil(account), PAXG_USD_FEED, 4000 * 10**8, 1_600_000_000)


def _far_feed(account: Any) -> None:
    token_admin.set_feed(anvil(account), PAXG_USD_FEED, 4100 * 10**8)


def _broken_feed(account: Any) -> None:
    token_admin.set_feed(anvil(account), PAXG_USD_FEED, 0)


def _unknown_transaction(account: Any) -> None:
    """Somebody else uses the key, and their transaction waits."""
    node = anvil(account)
    node.rpc("evm_setAutomine", [False])
    node.rpc("anvil_impersonateAccount", [account.address])
    node.rpc(
        "eth_sendTransaction",
        [{"from": account.address, "to": account.address, "gas": hex(21_000)}],
    )


TRIPS: dict[str, tuple[str, Trip]] = {
    "PAXG takes a fee": ("token_fee", lambda a: token_admin.set_paxg_fee_rate(anvil(a), 200)),
    "PAXG is paused": ("token_paused", lambda a: token_admin.pause_paxg(anvil(a))),
    "PAXG froze the wallet": (
        "token_frozen",
        lambda a: token_admin.freeze_paxg(anvil(a), a.address),
    ),
    "PAXG froze the pool": (
        "token_frozen",
        lambda a: token_admin.freeze_paxg(anvil(a), PAXG_USDT_POOL),
    ),
    "PAXG froze the position manager": (
        "token_frozen",
        lambda a: token_admin.freeze_paxg(anvil(a), POSITION_MANAGER),
    ),
    "PAXG is other code": ("token_implementation", lambda a: token_admin.upgrade_paxg(anvil(a))),
    "USDT takes a fee": ("token_fee", lambda a: token_admin.set_usdt_fee(anvil(a), 10, 40)),
    "USDT is paused": ("token_paused", lambda a: token_admin.pause_usdt(anvil(a))),
    "USDT blacklisted the wallet": (
        "token_frozen",
        lambda a: token_admin.blacklist_usdt(anvil(a), a.address),
    ),
    "USDT blacklisted the pool": (
        "token_frozen",
        lambda a: token_admin.blacklist_usdt(anvil(a), PAXG_USDT_POOL),
    ),
    "USDT has a successor": (
        "token_deprecated",
        lambda a: token_admin.deprecate_usdt(anvil(a), a.deployment.create_token("USDT2", 6)),
    ),
    "the price was moved within a block": ("twap", _manipulate),
    "the oracle knows too little": (
        "oracle_history",
        lambda a: a.override(GUARDS__TWAP_SECONDS=86_400),
    ),
    "the price left its corridor": ("price_band", lambda a: a.override(MARKET__PRICE_HIGH=3000)),
    "the feed says another price": ("reference", _far_feed),
    "the feed is stale": ("reference", _stale_feed),
    "the feed is broken": ("reference", _broken_feed),
    "gas is dear": ("gas_cap", lambda a: anvil(a).set_base_fee(200 * GWEI)),
    "the day's gas is spent": ("gas_budget", lambda a: a.override(GAS__DAILY_BUDGET_ETH="0.00001")),
    "no ether is left for an exit": (
        "gas_reserve",
        lambda a: anvil(a).set_balance(a.address, 10**16),
    ),
    "an event is on": (
        "calendar",
        lambda a: a.override(GUARDS__CLOSED_EVENTS="2020-01-01T00:00/2100-01-01T00:00"),
    ),
    "somebody else uses the wallet": ("unknown_transaction", _unknown_transaction),
}


def answer(account: Any, capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, Any]:
    capsys.readouterr()
    account.dexmm(*command, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def last_entry(config_path: Path, address: str) -> Entry:
    config = load_config(config_path)
    engine = open_database(journal_url(config), durable=False)
    key = market_key(config.network.chain_id, config.market.pool, address)
    entry = SqlJournal(engine, key, HaltFlag(config.state_dir)).last()
    assert entry is not None
    return entry


@pytest.mark.parametrize("trip", TRIPS)
def test_it_holds_back_the_first_deposit_and_is_seen_everywhere(
    account: Any, capsys: pytest.CaptureFixture[str], trip: str
) -> None:
    rule, trip_it = TRIPS[trip]
    # A first look, so that what was there before is remembered; gas holds it back.
    account.override(GAS__MAX_GWEI="0.000001")
    assert answer(account, capsys, "run", "--once")["exit_code"] == 3
    account.override(GAS__MAX_GWEI=30)
    trip_it(account)
    if trip != "the price was moved within a block" and not trip.startswith("somebody"):
        anvil(account).mine()

    told = answer(account, capsys, "run", "--once")
    assert told["exit_code"] == 3
    assert rule in {refusal["rule"] for refusal in told["refusals"]}
    assert told["outcomes"] == []
    assert told["withheld"] is True
    node = anvil(account)
    assert int(node.rpc("eth_getTransactionCount", [account.address, "latest"]), 16) == 0

    shown = answer(account, capsys, "status")
    assert rule in {refusal["rule"] for refusal in shown["refusals"]}
    recorded = last_entry(account.config, account.address).decision
    assert rule in {refusal.rule for refusal in recorded.refusals}
    assert all(refusal.detail for refusal in recorded.refusals)


def test_without_any_of_them_the_deposit_is_made(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes the refusals above mean something."""
    account.override(GAS__MAX_GWEI="0.000001")
    assert answer(account, capsys, "run", "--once")["exit_code"] == 3
    account.override(GAS__MAX_GWEI=30)
    anvil(account).mine()
    told = answer(account, capsys, "run", "--once")
    assert (told["exit_code"], told["refusals"]) == (0, [])
    assert [outcome["status"] for outcome in told["outcomes"]] == ["mined", "mined"]


def test_another_chain_is_a_halt(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    account.override(NETWORK__CHAIN_ID=5)
    assert account.dexmm("run", "--once") == 4
    assert "chain" in capsys.readouterr().err


def test_oracle_slots_are_paid_for_where_they_are_offered(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(GUARDS__OBSERVATION_CARDINALITY=760, GAS__DAILY_BUDGET_ETH=1)
    told = answer(account, capsys, "run", "--once")
    assert "raise_cardinality" in [outcome["step"] for outcome in told["outcomes"]]
    assert told["exit_code"] == 0
