"""Steps that go well, and steps that are refused before anything is signed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dexmm.model.decision import Refusal
from dexmm.model.intent import IntentStatus
from dexmm.model.steps import Allowance, Approve, RaiseCardinality, Swap, Transfer
from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.deploy import GWEI
from dexmm.sandbox.node.pools import SWAP_ROUTER
from dexmm.uniswap.tick_math import MIN_SQRT_RATIO

pytestmark = pytest.mark.anvil
NEVER = 2**40


def refuse(simulation: Any) -> Refusal:
    return Refusal(rule="test", detail="because")


def test_a_rerange_is_one_transaction_and_does_what_it_simulated(world: Any) -> None:
    mainnet, client = world.mainnet, world.connect()
    assert world.deposit(client).status == "mined"
    for zero_for_one, amount in ((True, 10**18), (False, 3 * 10**9)):
        mainnet.swap(zero_for_one=zero_for_one, amount_in=amount)
    view = client.observe()
    (held,) = view.positions
    before = mainnet.balances(world.owner)
    mints = (world.mint(view, -10, 30), world.mint(view, -60, -40, 0, 10**9))
    outcome = client.send(world.rerange(world.remove_all(view), mints), world.verdict)
    assert outcome.status == "mined"
    simulation = world.simulations[-1]
    assert outcome.collected0 == simulation.collected0 == held.amount0 + held.fees0
    assert outcome.collected1 == simulation.collected1 == held.amount1 + held.fees1
    assert outcome.minted == simulation.minted
    assert simulation.gas >= outcome.gas_used
    after = mainnet.balances(world.owner)
    spent0 = sum(minted.amount0 for minted in outcome.minted)
    spent1 = sum(minted.amount1 for minted in outcome.minted)
    assert after[mainnet.token0] - before[mainnet.token0] == outcome.collected0 - spent0
    assert after[mainnet.token1] - before[mainnet.token1] == outcome.collected1 - spent1
    assert before["eth"] - after["eth"] == outcome.gas_used * outcome.gas_price
    view = client.observe()
    assert {(p.token_id, p.tick_lower, p.tick_upper, p.liquidity) for p in view.positions} == {
        (m.token_id, m.tick_lower, m.tick_upper, m.liquidity) for m in outcome.minted
    }
    assert view.wallet.nonce == 4


def test_liquidity_is_added_to_an_nft_that_has_the_range(world: Any) -> None:
    client = world.connect()
    world.deposit(client)
    view = client.observe()
    (held,) = view.positions
    more = replace(
        world.mint(view, -20, 20),
        tick_lower=held.tick_lower,
        tick_upper=held.tick_upper,
        token_id=held.token_id,
    )
    outcome = client.send(world.rerange(mints=(more,)), world.verdict)
    assert outcome.minted == world.simulations[-1].minted
    (minted,) = outcome.minted
    assert (minted.token_id, minted.tick_lower) == (held.token_id, held.tick_lower)
    (now,) = client.observe().positions
    assert now.liquidity == held.liquidity + minted.liquidity


def test_the_intent_is_stored_before_the_broadcast(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    seen = []

    def answer(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            if call["method"] == "eth_sendRawTransaction":
                raw = {a.raw_transaction for i in world.intents.log for a in i.attempts}
                seen.append(call["params"][0] in raw)
        return forward(payload)

    proxy.answer = answer
    world.deposit(client)
    assert seen == [True, True, True]
    assert all(i.status is IntentStatus.MINED for i in world.intents.by_id.values())


def test_an_acting_turn_takes_five_requests_besides_receipts(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    proxy.requests.clear()
    view = client.observe()
    market = client.market
    approve = Approve(
        allowances=tuple(
            Allowance(token=t.address, spender=market.position_manager, amount=10**21, current=0)
            for t in (market.token0, market.token1)
        )
    )
    assert client.send(approve, world.verdict).status == "mined"
    step = world.rerange(mints=(world.mint(view, -20, 20),))
    assert client.send(step, world.verdict).status == "mined"
    polls = [r for r in proxy.requests if r[0] == "eth_getBlockByNumber" and len(r) < 8]
    assert all("eth_getTransactionReceipt" in poll for poll in polls)
    assert len(proxy.requests) - len(polls) == 5
    assert not any("eth_chainId" in request for request in proxy.requests)


def test_approvals_are_exact_and_go_through_zero(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    market = client.market

    def approve(*amounts: int) -> Any:
        tokens = (market.token0.address, market.token1.address)
        step = Approve(
            allowances=tuple(
                Allowance(token=t, spender=market.position_manager, amount=amount, current=0)
                for t, amount in zip(tokens, amounts, strict=False)
            )
        )
        return client.send(step, world.verdict)

    assert approve(5, 6).status == "mined"
    wallet = client.observe().wallet
    assert (wallet.allowance0, wallet.allowance1, wallet.nonce) == (5, 6, 2)
    # USDT reverts on non-zero over non-zero; the chain knows the allowance better than the step
    outcome = approve(7, 8)
    assert outcome.status == "mined"
    assert outcome.gas_used > 4 * 21_000
    wallet = client.observe().wallet
    assert (wallet.allowance0, wallet.allowance1, wallet.nonce) == (7, 8, 6)
    sends = [r for r in proxy.requests if "eth_sendRawTransaction" in r]
    assert [len(send) for send in sends] == [2, 4]
    assert approve(7, 8).status == "skipped"
    assert approve(0, 8).status == "mined"
    assert client.observe().wallet.allowance0 == 0


def test_an_approval_that_the_token_refuses_is_not_sent(world: Any) -> None:
    client = world.connect()
    token_admin.pause_paxg(world.mainnet.anvil)
    outcome = world.approve_all(client)
    assert outcome.status == "failed"
    assert "refuses approvals" in outcome.detail
    assert world.intents.log == []


def test_a_simulation_that_reverts_is_not_sent(world: Any) -> None:
    client = world.connect()
    view = client.observe()
    outcome = client.send(world.rerange(mints=(world.mint(view, -20, 20),)), world.verdict)
    assert outcome.status == "failed"
    assert "reverted: STF" in outcome.detail
    assert world.intents.log == world.simulations == []


def test_a_verdict_refuses_before_anything_is_signed(world: Any) -> None:
    client = world.connect()
    world.approve_all(client)
    saved = len(world.intents.log)
    view = client.observe()
    outcome = client.send(world.rerange(mints=(world.mint(view, -20, 20),)), refuse)
    assert (outcome.status, outcome.refusal.rule) == ("refused", "test")
    assert client.send(Transfer(token=None, to="0x" + "9" * 40, amount=1), refuse).refusal
    assert len(world.intents.log) == saved
    assert client.observe().wallet.nonce == 2


def test_an_old_deadline_reverts_in_the_simulation(world: Any) -> None:
    client = world.connect()
    world.approve_all(client)
    view = client.observe()
    old = world.rerange(mints=(world.mint(view, -20, 20),), deadline=view.block.timestamp - 1)
    assert "Transaction too old" in client.send(old, world.verdict).detail


def test_a_gas_spike_holds_back_what_earns_and_not_an_exit(world: Any) -> None:
    client, anvil = world.connect(), world.mainnet.anvil
    world.deposit(client)
    anvil.set_base_fee(100 * GWEI)
    anvil.mine()
    view = client.observe()
    outcome = client.send(world.rerange(mints=(world.mint(view, -30, 30),)), world.verdict)
    assert (outcome.status, outcome.refusal.rule) == ("refused", "gas_cap")
    assert "gas.max_gwei = 30" in outcome.detail
    assert world.approve_all(client).refusal.rule == "gas_cap"
    step = world.rerange(world.remove_all(view))
    assert client.send(step, world.verdict).status == "mined"
    assert world.intents.newest.is_exit
    view = client.observe()
    assert (view.positions, view.other_positions) == ((), 0)
    anvil.set_base_fee(700 * GWEI)
    anvil.mine()
    outcome = client.send(Transfer(token=None, to="0x" + "9" * 40, amount=1), world.verdict)
    assert "gas.max_exit_gwei = 500" in outcome.detail


def test_swaps_transfers_and_oracle_slots(world: Any) -> None:
    mainnet, client = world.mainnet, world.connect()
    market = client.market
    approve = Allowance(token=market.token0.address, spender=SWAP_ROUTER, amount=10**18, current=0)
    assert client.send(Approve(allowances=(approve,)), world.verdict).status == "mined"
    before = mainnet.balances(world.owner)
    swap = Swap(
        zero_for_one=True,
        amount_in=10**18,
        amount_out_minimum=3_900 * 10**6,
        sqrt_price_limit_x96=MIN_SQRT_RATIO + 1,
        deadline=NEVER,
    )
    outcome = client.send(swap, world.verdict)
    after = mainnet.balances(world.owner)
    got = after[mainnet.token1] - before[mainnet.token1]
    assert outcome.status == "mined"
    assert outcome.collected1 == world.simulations[-1].collected1 == got > 3_900 * 10**6
    assert outcome.collected0 == 0
    assert before[mainnet.token0] - after[mainnet.token0] == 10**18

    friend = "0x" + "9" * 40
    for token, amount in ((mainnet.token0, 5), (mainnet.token1, 7), (None, 11)):
        step = Transfer(token=token, to=friend, amount=amount)
        assert client.send(step, world.verdict).status == "mined"
    assert mainnet.balances(friend) == {"eth": 11, mainnet.token0: 5, mainnet.token1: 7}

    slots = client.observe().pool.observation_cardinality_next + 3
    raise_it = RaiseCardinality(observation_cardinality_next=slots)
    assert client.send(raise_it, world.verdict).status == "mined"
    assert client.observe().pool.observation_cardinality_next == slots


def test_a_paused_token_does_not_trap_the_other(world: Any) -> None:
    mainnet, client = world.mainnet, world.connect()
    world.deposit(client)
    token_admin.pause_paxg(mainnet.anvil)
    view = client.observe()
    assert view.guards0.paused
    whole = world.rerange(world.remove_all(view))
    assert client.send(whole, world.verdict).status == "failed"
    (removal,) = world.remove_all(view)
    part = world.rerange((replace(removal, burn=False, collect0=False),))
    outcome = client.send(part, world.verdict)
    assert outcome.status == "mined"
    assert outcome.collected0 == world.simulations[-1].collected0 == 0
    assert outcome.collected1 == world.simulations[-1].collected1 == removal.amount1_min
    (trapped,) = client.observe().positions
    assert (trapped.liquidity, trapped.fees0, trapped.fees1) == (0, removal.amount0_min, 0)
    nothing = replace(removal, liquidity=0, amount1_min=0, burn=False)
    nothing = replace(nothing, amount0_min=0, collect0=False, collect1=False)
    outcome = client.send(world.rerange((nothing,)), world.verdict)
    assert (outcome.status, outcome.collected0) == ("mined", 0)
    token_admin.unpause_paxg(mainnet.anvil)
    last = replace(removal, liquidity=0, amount0_min=0, amount1_min=0)
    assert client.send(world.rerange((last,)), world.verdict).status == "mined"
    assert client.observe().positions == ()


def test_a_wallet_without_ether_is_told_so_and_nothing_stays_open(world: Any) -> None:
    mainnet, client = world.mainnet, world.connect()
    world.approve_all(client)
    mainnet.anvil.set_balance(world.owner, 10**9)
    view = client.observe()
    step = world.rerange(mints=(world.mint(view, -20, 20),))
    outcome = client.send(step, world.verdict)
    assert outcome.status == "failed"
    assert "not taken" in outcome.detail
    assert "nsufficient funds" in outcome.detail
    mainnet.fund_wallet(world.owner, eth=Decimal(1))
    assert client.send(step, world.verdict).status == "mined"
    assert len(client.observe().positions) == 1


def test_a_relay_gets_what_is_sent_and_an_exit_falls_back(world: Any, proxy: Any) -> None:
    client = world.connect(network={"relay_url": proxy.url})
    world.deposit(client)
    assert [r for r in proxy.requests if r != ["eth_sendRawTransaction"]] == [
        ["eth_sendRawTransaction", "eth_sendRawTransaction"]
    ]
    proxy.drop = lambda methods: True
    view = client.observe()
    step = world.rerange(world.remove_all(view))
    assert client.send(step, world.verdict).status == "mined"
    client = world.connect(network={"relay_url": proxy.url}, loop={"receipt_timeout_seconds": 1})
    view = client.observe()
    outcome = client.send(world.rerange(mints=(world.mint(view, -20, 20),)), world.verdict)
    assert outcome.status == "pending", "what earns never goes to the public"
    assert client.observe().wallet.pending_nonce == 4
