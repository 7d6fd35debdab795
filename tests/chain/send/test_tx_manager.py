"""Transactions that get stuck, lost, replaced, cancelled, reorganised away or superseded: each
happens at most once, and none is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from dexmm.chain.send.transactions import draft_of
from dexmm.errors import NodeError
from dexmm.model.intent import IntentStatus
from dexmm.model.steps import Settle, Transfer
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.deploy import GWEI

pytestmark = pytest.mark.anvil

FRIEND = "0x" + "9" * 40


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks come as fast as we ask for them here."""
    monkeypatch.setattr("dexmm.chain.send.tx_manager.LONGEST_PAUSE", 0.02)


class Killed(BaseException):
    """As abrupt as a kill: nothing in the product catches it."""


def die_after(saves: int) -> Any:
    """To be called at each save: dies once the n-th is stored."""
    seen = []

    def on_save(intent: Any) -> None:
        seen.append(intent)
        if len(seen) == saves:
            raise Killed

    return on_save


def slowly(world: Any, proxy: Any, base_fee_gwei: int = 1, after: int = 0) -> None:
    """From now on blocks are mined when somebody polls for receipts, one each time, at this base
    fee; the first ``after`` polls mine nothing."""
    anvil, polls = world.mainnet.anvil, []
    anvil.rpc("evm_setAutomine", [False])

    def answer(payload: Any, forward: Any) -> Any:
        methods = proxy.requests[-1]
        if methods[0] == "eth_getBlockByNumber" and methods[2:3] == ["eth_getTransactionReceipt"]:
            polls.append(methods)
            if len(polls) > after:
                anvil.set_base_fee(base_fee_gwei * GWEI)
                anvil.set_time(int(anvil.block()["timestamp"], 16) + 12)
                anvil.mine()
        return forward(payload)

    proxy.answer = answer


def as_mainnet_replaces(world: Any, proxy: Any) -> list[str]:
    """From now on what waits at a nonce gives way only to a tenth more in both fields, as in geth;
    to Anvil one wei more of one is enough. Returns what was refused."""
    before, refused = proxy.answer, []

    def fees_of(transaction: dict[str, Any]) -> list[int]:
        found = [transaction[name] for name in ("maxFeePerGas", "maxPriorityFeePerGas")]
        return [each if isinstance(each, int) else int(each, 16) for each in found]

    def waits(nonce: int) -> dict[str, Any] | None:
        pools = world.mainnet.anvil.rpc("txpool_content")["pending"].items()
        mine = [each for wallet, each in pools if wallet.lower() == world.owner.lower()]
        found: dict[str, Any] | None = mine[0].get(str(nonce)) if mine else None
        return found

    def answer(payload: Any, forward: Any) -> Any:
        call = payload[0] if isinstance(payload, list) else payload
        if call["method"] == "eth_sendRawTransaction":
            offered = TypedTransaction.from_bytes(HexBytes(call["params"][0])).as_dict()
            known = waits(int(offered["nonce"]))
            if known and known["hash"] != "0x" + keccak(hexstr=call["params"][0]).hex():
                pairs = zip(fees_of(offered), fees_of(known), strict=True)
                if any(new * 10 < old * 11 for new, old in pairs):
                    refused.append(call["params"][0])
                    words = {"code": -32000, "message": "replacement transaction underpriced"}
                    said = {"jsonrpc": "2.0", "id": call["id"], "error": words}
                    return [said] if isinstance(payload, list) else said
        return before(payload, forward)

    proxy.answer = answer
    return refused


def nfts(client: Any) -> int:
    view = client.observe()
    return len(view.positions) + view.other_positions


def mint_step(world: Any, client: Any) -> Any:
    return world.rerange(mints=(world.mint(client.observe(), -20, 20),))


def test_killed_between_store_and_broadcast_the_same_bytes_go_out(world: Any) -> None:
    client = world.connect()
    world.approve_all(client)
    world.mainnet.anvil.mine(3)
    step = mint_step(world, client)
    world.intents.on_save = die_after(1)
    with pytest.raises(Killed):
        client.send(step, world.verdict)
    world.intents.on_save = lambda intent: None
    lost = world.intents.newest
    assert lost.status is IntentStatus.OPEN

    again = world.connect()
    (flight,) = again.observe().in_flight
    assert (flight.intent_id, flight.nonce, flight.mined) == (lost.id, 2, False)
    outcome = again.send(mint_step(world, again), world.verdict)
    assert outcome.status == "failed", "nothing new while our own transaction is unsettled"
    assert "settle it" in outcome.detail
    outcome = again.send(Settle(intent_id=lost.id, action="wait"), world.verdict)
    assert (outcome.status, outcome.tx_hash) == ("mined", lost.attempts[0].tx_hash)
    assert len(outcome.minted) == 1
    assert nfts(again) == 1
    assert again.observe().wallet.nonce == 3


@pytest.mark.parametrize("saves", [1, 2])
def test_killed_between_approvals(world: Any, saves: int) -> None:
    """Some of the approvals are stored, none is broadcast; the rest is planned anew."""
    client = world.connect()
    world.intents.on_save = die_after(saves)
    with pytest.raises(Killed):
        world.approve_all(client)
    world.intents.on_save = lambda intent: None
    again = world.connect()
    for flight in again.observe().in_flight:
        outcome = again.send(Settle(intent_id=flight.intent_id, action="wait"), world.verdict)
        assert outcome.status == "mined"
    world.approve_all(again)
    wallet = again.observe().wallet
    assert (wallet.nonce, wallet.allowance0, wallet.allowance1) == (2, 10**30, 10**30)


def test_killed_after_the_broadcast_the_receipt_is_found(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)

    def answer(payload: Any, forward: Any) -> Any:
        answered = forward(payload)
        return None if proxy.requests[-1] == ["eth_sendRawTransaction"] else answered

    proxy.answer = answer
    outcome = client.send(step, world.verdict)
    # the connection broke after delivery, so it is looked up by its hash, and found
    assert outcome.status == "mined"
    assert nfts(world.connect()) == 1


def test_a_stuck_transaction_is_replaced_at_its_nonce(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url, gas={"max_gwei": 100})
    world.approve_all(client)
    step = mint_step(world, client)
    slowly(world, proxy, 20)
    outcome = client.send(step, world.verdict)
    assert outcome.status == "mined"
    intent = world.intents.newest
    assert len(intent.attempts) > 1
    # Mainnet's nodes ask for 10 % more in both fields, some 12.5 %; Anvil takes one wei more.
    for older, newer in zip(intent.attempts, intent.attempts[1:], strict=False):
        assert newer.max_fee_per_gas * 8 >= older.max_fee_per_gas * 9
        assert newer.max_priority_fee_per_gas * 8 >= older.max_priority_fee_per_gas * 9
        assert newer.block - older.block >= 3
    assert intent.tx_hash == intent.attempts[-1].tx_hash == outcome.tx_hash
    assert world.simulations[-1].max_fee_per_gas < 20 * GWEI
    assert nfts(client) == 1
    assert client.observe().wallet.nonce == 3


def test_what_waits_too_long_is_cancelled(world: Any, proxy: Any) -> None:
    """Replacement would cost more than the cap of what earns; a cancellation protects."""
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)
    slowly(world, proxy, 60)
    outcome = client.send(step, world.verdict)
    assert outcome.status == "cancelled"
    intent = world.intents.newest
    assert intent.attempts[-1].cancels
    assert not intent.attempts[0].cancels
    assert intent.attempts[-1].block - intent.attempts[0].block >= 12
    assert outcome.gas_used == 21_000
    assert nfts(client) == 0
    world.mainnet.anvil.mine(3)
    client.observe()
    assert world.intents.newest.status is IntentStatus.CANCELLED


def test_a_deadline_that_passes_cancels_at_once(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    view = client.observe()
    mint = world.mint(view, -20, 20)
    step = world.rerange(mints=(mint,), deadline=view.block.timestamp + 20)
    slowly(world, proxy, 25)
    assert client.send(step, world.verdict).status == "cancelled"
    intent = world.intents.newest
    assert intent.attempts[-1].block - intent.attempts[0].block <= 6
    assert nfts(client) == 0


def test_a_stop_leaves_the_intent_open(world: Any) -> None:
    reasons = [""]
    client = world.connect(stop=lambda: reasons[0])
    world.approve_all(client)
    step = mint_step(world, client)
    world.mainnet.anvil.rpc("evm_setAutomine", [False])

    def verdict(simulation: Any) -> None:
        reasons[0] = "withdraw"

    outcome = client.send(step, verdict)
    assert outcome.status == "pending"
    assert "withdraw" in outcome.detail
    intent = world.intents.newest
    assert intent.status is IntentStatus.OPEN
    view = client.observe()
    flight = view.in_flight[-1]
    assert (flight.intent_id, flight.mined, flight.cancelling) == (intent.id, False, False)
    assert view.wallet.pending_nonce == view.wallet.nonce + 1


def test_no_receipt_in_time_is_pending_and_a_wait_settles_it(world: Any) -> None:
    client = world.connect(loop={"receipt_timeout_seconds": 1})
    world.approve_all(client)
    step = mint_step(world, client)
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    assert client.send(step, world.verdict).status == "pending"
    intent = world.intents.newest
    anvil.rpc("anvil_dropTransaction", [intent.attempts[0].tx_hash])
    wait = Settle(intent_id=intent.id, action="wait")
    assert client.send(wait, world.verdict).status == "pending"
    assert len(world.intents.newest.attempts) == 1, "waiting broadcasts the same bytes"
    anvil.mine()
    outcome = client.send(wait, world.verdict)
    assert (outcome.status, len(outcome.minted)) == ("mined", 1)
    assert client.send(wait, world.verdict).status == "mined"
    anvil.mine(2)
    client.observe()
    assert client.send(wait, world.verdict).status == "skipped"
    assert nfts(client) == 1


@pytest.mark.parametrize("action", ["replace", "cancel"])
def test_settling_by_replacement_or_cancellation(world: Any, proxy: Any, action: str) -> None:
    client = world.connect(url=proxy.url, loop={"receipt_timeout_seconds": 1})
    world.approve_all(client)
    step = mint_step(world, client)
    world.mainnet.anvil.rpc("evm_setAutomine", [False])
    assert client.send(step, world.verdict).status == "pending"
    slowly(world, proxy, after=1)
    intent = world.intents.newest
    outcome = client.send(Settle(intent_id=intent.id, action=action), world.verdict)
    assert outcome.status == {"replace": "mined", "cancel": "cancelled"}[action]
    intent = world.intents.newest
    assert [a.cancels for a in intent.attempts] == [False, action == "cancel"]
    first, second = intent.attempts
    assert second.max_fee_per_gas * 8 >= first.max_fee_per_gas * 9
    assert second.max_priority_fee_per_gas * 8 >= first.max_priority_fee_per_gas * 9
    assert nfts(client) == (action == "replace")


def test_a_replacement_that_would_revert_is_a_cancellation(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url, loop={"receipt_timeout_seconds": 1})
    world.approve_all(client)
    view = client.observe()
    mint = world.mint(view, -20, 20)
    step = world.rerange(mints=(mint,), deadline=view.block.timestamp + 30)
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    assert client.send(step, world.verdict).status == "pending"
    intent = world.intents.newest
    anvil.rpc("anvil_dropTransaction", [intent.attempts[0].tx_hash])
    anvil.mine(2, 60)
    slowly(world, proxy)
    outcome = client.send(Settle(intent_id=intent.id, action="replace"), world.verdict)
    assert outcome.status == "cancelled"


def test_a_reorganised_transaction_is_broadcast_again(world: Any) -> None:
    client, anvil = world.connect(), world.mainnet.anvil
    world.approve_all(client)
    anvil.mine(3)
    before = anvil.snapshot()
    outcome = client.send(mint_step(world, client), world.verdict)
    intent = world.intents.newest
    assert intent.status is IntentStatus.MINED
    anvil.revert(before)
    anvil.mine()
    client.observe()
    anvil.wait_for_receipt(outcome.tx_hash)
    assert intent.attempts == world.intents.newest.attempts
    view = client.observe()
    (position,) = view.positions
    assert position.token_id == outcome.minted[0].token_id
    intent = world.intents.newest
    assert (intent.status, intent.tx_hash) == (IntentStatus.MINED, outcome.tx_hash)
    assert intent.block != outcome.block
    assert view.in_flight[0].mined
    anvil.mine(2)
    assert client.observe().in_flight == ()
    assert world.intents.newest.status is IntentStatus.CONFIRMED


def put_back(anvil: Anvil, raw: str) -> None:
    """Into the node's pool, where it may lie already: Anvil sometimes does it by itself."""
    try:
        anvil.rpc("eth_sendRawTransaction", [raw])
    except NodeError as error:
        if "already imported" not in str(error):
            raise


def test_a_reorganised_transaction_that_the_node_puts_back_is_left_to_it(
    world: Any, proxy: Any
) -> None:
    """As mainnet's nodes do: what a reorganisation drops is in their pool again, and lands once."""
    client, anvil = world.connect(url=proxy.url), world.mainnet.anvil
    world.approve_all(client)
    anvil.mine(3)
    before = anvil.snapshot()
    outcome = client.send(mint_step(world, client), world.verdict)
    raw = world.intents.newest.attempts[0].raw_transaction
    anvil.revert(before)
    anvil.rpc("evm_setAutomine", [False])
    put_back(anvil, raw)
    proxy.requests.clear()
    waiting = client.observe()
    assert [flight.mined for flight in waiting.in_flight] == [False]
    assert waiting.wallet.pending_nonce == waiting.wallet.nonce + 1
    assert "eth_sendRawTransaction" not in {method for each in proxy.requests for method in each}
    anvil.mine()
    view = client.observe()
    assert [p.token_id for p in view.positions] == [outcome.minted[0].token_id]
    assert (view.wallet.nonce, world.intents.newest.tx_hash) == (3, outcome.tx_hash)


def test_depth_decides_when_it_is_final(world: Any) -> None:
    client, anvil = world.connect(network={"confirmations": 3}), world.mainnet.anvil
    world.deposit(client)
    for blocks_on_top in range(3):
        assert client.observe().in_flight[-1].mined, blocks_on_top
        anvil.mine()
    assert client.observe().in_flight == ()


def test_a_reverted_transaction_is_known_as_such(world: Any, proxy: Any) -> None:
    """It was fine when simulated; the price moved beyond its minimums before it was mined."""
    client = world.connect()
    world.deposit(client)
    view = client.observe()
    removal = world.remove_all(view)[0]
    step = world.rerange((removal,))

    def verdict(simulation: Any) -> None:
        world.mainnet.swap(zero_for_one=True, amount_in=10**18)

    outcome = client.send(step, verdict)
    assert outcome.status == "reverted"
    assert outcome.gas_used > 21_000
    assert outcome.collected0 == 0
    world.mainnet.anvil.mine(2)
    client.observe()
    assert world.intents.newest.status is IntentStatus.REVERTED
    assert nfts(client) == 1


def test_another_transaction_at_our_nonce_supersedes(world: Any) -> None:
    client, anvil = world.connect(), world.mainnet.anvil
    world.approve_all(client)
    anvil.mine(3)
    step = mint_step(world, client)
    world.intents.on_save = die_after(1)
    with pytest.raises(Killed):
        client.send(step, world.verdict)
    world.intents.on_save = lambda intent: None
    intent = world.intents.newest
    anvil.send_as(world.owner, FRIEND, value=1)
    client = world.connect()
    flight = client.observe().in_flight[-1]
    assert flight.intent_id == intent.id, "not deep enough to be sure"
    assert flight.mined, "but nothing waits any more"
    cancel = Settle(intent_id=intent.id, action="cancel")
    assert client.send(cancel, world.verdict).status == "pending"
    assert len(world.intents.newest.attempts) == 1
    anvil.mine(2)
    assert client.observe().in_flight == ()
    assert world.intents.newest.status is IntentStatus.SUPERSEDED
    assert client.send(mint_step(world, client), world.verdict).status == "mined"
    assert nfts(client) == 1


def test_a_transaction_that_is_not_ours_holds_back_what_earns(world: Any) -> None:
    client, anvil = world.connect(), world.mainnet.anvil
    world.deposit(client)
    stuck_stranger(world)
    outcome = client.send(mint_step(world, client), world.verdict)
    assert outcome.status == "failed"
    assert "not ours" in outcome.detail
    assert anvil.rpc("eth_getTransactionCount", [world.owner, "pending"]) == "0x4"


def stuck_stranger(world: Any, gwei: int = 3) -> None:
    """A transaction of the wallet that no journal knows waits in the pool."""
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    fields = {"from": world.owner, "to": FRIEND, "value": "0x1", "gas": hex(21_000)}
    fees = {"maxFeePerGas": hex(gwei * GWEI), "maxPriorityFeePerGas": hex(gwei * GWEI)}
    with anvil.impersonate(world.owner):
        anvil.rpc("eth_sendTransaction", [{**fields, **fees}])


@pytest.mark.parametrize("journal", ["kept", "lost"])
def test_an_exit_takes_the_nonce_of_a_stuck_transaction(
    world: Any, proxy: Any, journal: str
) -> None:
    """With the journal its fee is known; without, it is outbid until the node takes the exit."""
    loop = world.connect(loop={"receipt_timeout_seconds": 1}, gas={"tip_gwei": 4})
    world.deposit(loop)
    view = loop.observe()
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    moved = world.rerange(world.remove_all(view), (world.mint(view, -40, 40),))
    assert loop.send(moved, world.verdict).status == "pending"
    stuck = world.intents.newest
    if journal == "lost":
        world.intents.by_id.clear()
    slowly(world, proxy)
    refused = as_mainnet_replaces(world, proxy)
    exit_ = world.connect(url=proxy.url, rescue=True)
    outcome = exit_.send(world.rerange(world.remove_all(view)), world.verdict)
    assert outcome.status == "mined"
    assert outcome.collected0 >= view.positions[0].amount0
    newest = world.intents.newest
    assert (newest.nonce, newest.is_exit) == (stuck.nonce, True)
    last, waited = newest.attempts[-1], stuck.attempts[-1]
    assert last.max_fee_per_gas * 10 >= waited.max_fee_per_gas * 11
    assert last.max_priority_fee_per_gas * 10 >= waited.max_priority_fee_per_gas * 11
    assert bool(refused) == (journal == "lost"), "what it knows it outbids at once"
    assert nfts(exit_) == 0, "the loop's re-range can no longer happen"
    assert all(flight.mined for flight in exit_.observe().in_flight)
    anvil.mine(3)
    exit_.observe()
    if journal == "kept":
        assert world.intents.by_id[stuck.id].status is IntentStatus.SUPERSEDED


def test_an_exit_outbids_a_stranger(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url, rescue=True)
    world.deposit(client)
    view = client.observe()
    stuck_stranger(world, 40)
    slowly(world, proxy)
    refused = as_mainnet_replaces(world, proxy)
    outcome = client.send(world.rerange(world.remove_all(view)), world.verdict)
    assert outcome.status == "mined"
    assert refused
    assert len(world.intents.newest.attempts) > 1
    assert nfts(client) == 0


def test_an_exit_beyond_the_cap_says_so(world: Any) -> None:
    client = world.connect(rescue=True, gas={"max_exit_gwei": 35})
    world.deposit(client)
    view = client.observe()
    stuck_stranger(world, 40)
    outcome = client.send(world.rerange(world.remove_all(view)), world.verdict)
    assert outcome.status == "failed"
    assert "not taken" in outcome.detail
    assert world.intents.newest.attempts[-1].max_fee_per_gas == 35 * GWEI


def test_rescue_lets_a_transfer_pass_too(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url, rescue=True)
    stuck_stranger(world, 10)
    slowly(world, proxy)
    step = Transfer(token=world.mainnet.token0, to=FRIEND, amount=10**18)
    assert client.send(step, world.verdict).status == "mined"
    assert world.mainnet.balances(FRIEND)[world.mainnet.token0] == 10**18


def test_nothing_is_sent_when_the_node_is_gone(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)
    saved = len(world.intents.log)
    proxy.drop = lambda methods: True
    with pytest.raises(NodeError):
        client.send(step, world.verdict)
    assert len(world.intents.log) == saved


def test_a_node_that_goes_silent_while_we_wait(world: Any, proxy: Any) -> None:
    """Polls fail for a while; the transaction lands all the same."""
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)
    failures = iter([True] * 5)
    proxy.drop = lambda methods: "eth_getTransactionReceipt" in methods and next(failures, False)
    assert client.send(step, world.verdict).status == "mined"


def test_an_exit_that_the_relay_sits_on_goes_public(world: Any, proxy: Any) -> None:
    """The relay says yes and mines nothing; the replacement does not ask it again."""
    loop = world.connect()
    world.deposit(loop)
    view = loop.observe()

    def answer(payload: Any, forward: Any) -> Any:
        return {"jsonrpc": "2.0", "id": payload["id"], "result": "0x" + "0" * 64}

    proxy.answer = answer

    def stop() -> str:  # asked between polls
        world.mainnet.anvil.mine()
        return ""

    client = world.connect(
        network={"relay_url": proxy.url}, gas={"replace_after_blocks": 1}, stop=stop
    )
    outcome = client.send(world.rerange(world.remove_all(view)), world.verdict)
    assert outcome.status == "mined"
    assert proxy.requests == [["eth_sendRawTransaction"]]
    assert len(world.intents.newest.attempts) == 2


def test_another_transaction_is_mined_while_we_wait(world: Any, proxy: Any) -> None:
    """Waiting ends soon; what became of ours is decided once the other one is deep enough."""
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])

    def verdict(simulation: Any) -> None:
        world.intents.on_save = lambda intent: steal()

    def steal() -> None:
        world.intents.on_save = lambda intent: None
        anvil.rpc("evm_setAutomine", [True])
        anvil.send_as(world.owner, FRIEND, value=1)

    outcome = client.send(step, verdict)
    assert outcome.status == "failed"
    assert "not taken" in outcome.detail, "the node says that the nonce is used"
    assert nfts(client) == 0
    assert client.send(step, world.verdict).status == "mined"
    assert nfts(client) == 1


def test_a_lost_race_ends_the_wait(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    world.approve_all(client)
    step = mint_step(world, client)
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])

    def answer(payload: Any, forward: Any) -> Any:
        if proxy.requests[-1] == ["eth_sendRawTransaction"]:
            forward(payload)
            anvil.rpc("anvil_dropAllTransactions")
            anvil.rpc("evm_setAutomine", [True])
            anvil.send_as(world.owner, FRIEND, value=1)
            return {"jsonrpc": "2.0", "id": payload["id"], "result": "0x" + "0" * 64}
        return forward(payload)

    proxy.answer = answer
    outcome = client.send(step, world.verdict)
    assert outcome.status == "pending"
    assert "another transaction was mined at nonce 2" in outcome.detail
    assert client.observe().in_flight[-1].mined
    anvil.mine(3)
    assert client.observe().in_flight == ()
    assert world.intents.newest.status is IntentStatus.SUPERSEDED


def test_a_replacement_beyond_the_cap_is_a_refusal(world: Any) -> None:
    client = world.connect(loop={"receipt_timeout_seconds": 1})
    world.approve_all(client)
    step = mint_step(world, client)
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    assert client.send(step, world.verdict).status == "pending"
    intent = world.intents.newest
    anvil.rpc("anvil_dropTransaction", [intent.attempts[0].tx_hash])
    anvil.set_base_fee(40 * GWEI)
    anvil.mine()
    outcome = client.send(Settle(intent_id=intent.id, action="replace"), world.verdict)
    assert (outcome.status, outcome.refusal.rule) == ("refused", "gas_cap")
    assert world.approve_all(client).status == "failed", "approvals queue behind nothing either"
    assert len(world.intents.newest.attempts) == 1


@pytest.mark.parametrize(
    "lie",
    [
        {"transactionHash": "0x" + "7" * 64},
        {"transactionHash": None},
        {"status": None},
        {"blockNumber": "latest"},
        {"gasUsed": -1},
        {"logs": None},
        {"logs": [{"address": "0x1", "topics": [], "data": "0x"}]},
    ],
)
def test_a_receipt_that_cannot_be_is_not_believed(
    world: Any, proxy: Any, lie: dict[str, Any]
) -> None:
    client = world.connect(url=proxy.url, loop={"receipt_timeout_seconds": 1})

    def change(answer: dict[str, Any]) -> dict[str, Any]:
        told = answer["result"] and {**answer["result"], **lie}
        return {**answer, "result": told}

    proxy.rewrite("eth_getTransactionReceipt", change)
    assert world.approve_all(client).status == "pending"
    assert world.intents.newest.status is IntentStatus.OPEN
    with pytest.raises(NodeError):
        client.observe()
    proxy.answer = lambda payload, forward: forward(payload)
    assert all(flight.mined for flight in client.observe().in_flight)


@pytest.mark.parametrize("lie", [{"baseFeePerGas": None}, {"hash": "0x1"}, {"number": "0x01"}])
def test_a_header_that_cannot_be_is_not_believed(
    world: Any, proxy: Any, lie: dict[str, Any]
) -> None:
    client = world.connect(url=proxy.url)
    proxy.rewrite(
        "eth_getBlockByNumber", lambda answer: {**answer, "result": {**answer["result"], **lie}}
    )
    with pytest.raises(NodeError):
        client.observe()
    with pytest.raises(NodeError):
        world.approve_all(client)
    assert world.intents.log == []


def test_an_exit_outbids_a_stranger_only_as_far_as_the_ether_goes(world: Any) -> None:
    client = world.connect(rescue=True)
    world.deposit(client)
    view = client.observe()
    stuck_stranger(world, 40)
    balance = 4 * 10**15
    world.mainnet.anvil.set_balance(client.address, balance)
    outcome = client.send(world.rerange(world.remove_all(view)), world.verdict)
    assert outcome.status == "failed"
    attempts = world.intents.newest.attempts
    assert len(attempts) > 1
    costs = [a.max_fee_per_gas * draft_of(a).gas for a in attempts]
    assert balance * 9 // 10 < costs[-1] <= balance


def test_a_replacement_offers_what_the_wallet_has_or_says_what_it_lacks(world: Any) -> None:
    client = world.connect(rescue=True, loop={"receipt_timeout_seconds": 1})
    world.deposit(client)
    view = client.observe()
    anvil = world.mainnet.anvil
    anvil.rpc("evm_setAutomine", [False])
    assert client.send(world.rerange(world.remove_all(view)), world.verdict).status == "pending"
    stuck = world.intents.newest
    first = stuck.attempts[-1]
    cost = first.max_fee_per_gas * draft_of(first).gas
    anvil.set_balance(client.address, cost * 9 // 8 - 1)
    settle = Settle(intent_id=stuck.id, action="replace")
    refused = client.send(settle, world.verdict)
    assert refused.refusal is not None
    assert refused.refusal.rule == "gas_money"
    assert "send ether for gas to" in refused.detail
    anvil.set_balance(client.address, cost * 5 // 4)
    assert client.send(settle, world.verdict).status == "pending"
    newest = world.intents.newest.attempts[-1]
    assert newest.max_fee_per_gas * draft_of(newest).gas <= cost * 5 // 4
    assert newest.max_fee_per_gas * 8 >= first.max_fee_per_gas * 9
