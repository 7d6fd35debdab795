"""A snapshot against plain reads, and fees due against what a real ``collect`` pays."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dexmm.errors import Halt, NodeError, Transient
from dexmm.model.snapshot import ChainView
from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.deploy import PAXG_USD_FEED, XAUT_USDT_POOL, Deployment, place_xaut
from dexmm.sandbox.node.pools import POSITION_MANAGER, SWAP_ROUTER
from dexmm.sandbox.node.token_admin import USDT
from dexmm.units import sqrt_from_price

pytestmark = pytest.mark.anvil

COLLECT = "collect((uint256,address,uint128,uint128))"
DECREASE = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
ALL = 2**128 - 1
NEVER = 2**40


def ask(mainnet: Deployment, to: str, signature: str, types: str, *arguments: Any) -> Any:
    answer = mainnet.anvil.call(to, encode_call(signature, *arguments))
    found = decode_answer(types, answer)
    return found[0] if len(found) == 1 else found


def stir(mainnet: Deployment, pool: str | None = None, amount0: int = 10**18) -> None:
    """Swaps both ways, over several ticks, with time between them."""
    for back in (7, 12, 9, 11):
        out = mainnet.swap(zero_for_one=True, amount_in=amount0, pool=pool)
        mainnet.swap(zero_for_one=False, amount_in=out * back // 10, pool=pool)
        mainnet.anvil.mine(2, 61)


def static_collect(mainnet: Deployment, owner: str, token_id: int) -> tuple[int, int]:
    data = encode_call(COLLECT, (token_id, owner, ALL, ALL))
    answer = mainnet.anvil.call(POSITION_MANAGER, data, sender=owner)
    paid0, paid1 = decode_answer("uint256,uint256", answer)
    return paid0, paid1


def test_every_field_is_what_plain_reads_say(world: Any) -> None:
    mainnet = world.mainnet
    client = world.connect()
    world.deposit(client)
    stir(mainnet)
    view: ChainView = client.observe()
    pool, owner = mainnet.pool, world.owner
    block = mainnet.anvil.block()
    assert view.block.number == int(block["number"], 16)
    assert view.block.timestamp == int(block["timestamp"], 16)
    assert view.block.base_fee_wei == int(block["baseFeePerGas"], 16)
    slot0 = ask(mainnet, pool, "slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool")
    assert (view.pool.sqrt_price_x96, view.pool.tick) == slot0[:2]
    assert view.pool.observation_cardinality == slot0[3]
    assert view.pool.observation_cardinality_next == slot0[4]
    assert view.pool.fee_protocol == slot0[5] == 68
    assert view.pool.liquidity == ask(mainnet, pool, "liquidity()", "uint128")
    for name, seen in (
        ("feeGrowthGlobal0X128()", view.pool.fee_growth_global0_x128),
        ("feeGrowthGlobal1X128()", view.pool.fee_growth_global1_x128),
    ):
        assert seen == ask(mainnet, pool, name, "uint256") > 0
    earlier, now = ask(mainnet, pool, "observe(uint32[])", "int56[],uint160[]", [1800, 0])[0]
    assert view.pool.mean_tick == (now - earlier) // 1800
    assert (now - earlier) % 1800, "the mean is negative and not whole, so it must be floored"
    for token, amount, allowance in (
        (mainnet.token0, view.wallet.amount0, view.wallet.allowance0),
        (mainnet.token1, view.wallet.amount1, view.wallet.allowance1),
    ):
        assert amount == ask(mainnet, token, "balanceOf(address)", "uint256", owner)
        assert allowance == ask(
            mainnet, token, "allowance(address,address)", "uint256", owner, POSITION_MANAGER
        )
    assert view.wallet.eth == mainnet.anvil.balance(owner)
    nonce = int(mainnet.anvil.rpc("eth_getTransactionCount", [owner, "latest"]), 16)
    assert view.wallet.nonce == view.wallet.pending_nonce == nonce == 3
    assert view.guards0.implementation == token_admin.PAXG_V1
    assert view.guards0.transfer_fee == view.guards1.transfer_fee == 0
    assert view.guards1.deprecated is False
    assert view.references[0].price == Decimal(4000)
    assert view.eth_price == Decimal(4000)
    assert view.market.swap_router == SWAP_ROUTER


def test_fees_and_principal_are_exact_in_range_and_out_of_it(world: Any) -> None:
    """One NFT around the price, one that the price left, one that it never reached, and two that
    share a range: each pays what the snapshot said, to the last unit."""
    mainnet = world.mainnet
    client = world.connect()
    world.approve_all(client)
    view = client.observe()
    ranges = [(-30, 30), (-30, 30), (-2, 2), (-200, -150)]
    for below, above in ranges:
        mint = world.mint(view, below, above, 10**17, 400 * 10**6)
        client.send(world.rerange(mints=(mint,)), world.verdict)
        mainnet.swap(zero_for_one=True, amount_in=10**16)
    stir(mainnet, amount0=2 * 10**18)
    view = client.observe()
    assert len(view.positions) == 4
    assert any(p.in_range(view.pool.tick) for p in view.positions)
    assert not all(p.in_range(view.pool.tick) for p in view.positions)
    for position in view.positions:
        before = mainnet.anvil.snapshot()
        assert static_collect(mainnet, world.owner, position.token_id) == (
            position.fees0,
            position.fees1,
        )
        balances = mainnet.balances(world.owner)
        decrease = (position.token_id, position.liquidity, 0, 0, NEVER)
        mainnet.anvil.send_as(world.owner, POSITION_MANAGER, encode_call(DECREASE, decrease))
        collect = encode_call(COLLECT, (position.token_id, world.owner, ALL, ALL))
        mainnet.anvil.send_as(world.owner, POSITION_MANAGER, collect)
        after = mainnet.balances(world.owner)
        paid = [after[t] - balances[t] for t in (mainnet.token0, mainnet.token1)]
        assert paid == [position.amount0 + position.fees0, position.amount1 + position.fees1]
        mainnet.anvil.revert(before)


def test_foreign_and_empty_nfts_are_counted_and_left_alone(world: Any) -> None:
    mainnet, owner = world.mainnet, world.owner
    client = world.connect()
    world.deposit(client)
    sqrt_price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    other = mainnet.create_pool(mainnet.token0, mainnet.token1, 3000, sqrt_price)
    mainnet.mint_position(owner, -193_440, -193_320, 10**17, 10**9, pool=other)
    emptied = mainnet.mint_position(owner, -193_500, -193_200, 10**17, 10**9)
    owed = mainnet.mint_position(owner, -193_600, -193_100, 10**17, 10**9)
    view = client.observe()
    by_id = {p.token_id: p for p in view.positions}
    for token_id in (emptied, owed):
        decrease = (token_id, by_id[token_id].liquidity, 0, 0, NEVER)
        mainnet.anvil.send_as(owner, POSITION_MANAGER, encode_call(DECREASE, decrease))
    collect = encode_call(COLLECT, (emptied, owner, ALL, ALL))
    mainnet.anvil.send_as(owner, POSITION_MANAGER, collect)
    view = client.observe()
    assert view.other_positions == 2
    found = {p.token_id: p for p in view.positions}
    assert emptied not in found
    assert found[owed].liquidity == 0
    # what was decreased and not collected is still ours
    assert found[owed].fees0 == by_id[owed].amount0
    assert (found[owed].fees0, found[owed].fees1) == static_collect(mainnet, owner, owed)


@pytest.mark.parametrize(
    ("decimals_a", "decimals_b", "fee_pips", "spacing"),
    [(8, 0, 100, 1), (18, 18, 3000, 60), (6, 24, 10_000, 200)],
)
@pytest.mark.parametrize("base_first", [True, False])
def test_any_pool_works(
    world: Any, decimals_a: int, decimals_b: int, fee_pips: int, spacing: int, base_first: bool
) -> None:
    """Odd decimals, each fee tier, the base on either side."""
    mainnet, owner = world.mainnet, world.owner
    mainnet.anvil.rpc(
        "anvil_setStorageAt",
        [  # the 0.01 % tier came later, by a vote: feeAmountTickSpacing[100] = 1
            "0x1F98431c8aD98523631AE4a59f267346ea31F984",
            "0x" + _slot(100, 4).hex(),
            f"0x{1:064x}",
        ],
    )
    tokens = [mainnet.create_token("AAA", decimals_a), mainnet.create_token("BBB", decimals_b)]
    token0, token1 = sorted(tokens, key=lambda token: int(token, 16))
    pool = mainnet.create_pool(token0, token1, fee_pips, 2**96 * 3)
    base, quote = (token0, token1) if base_first else (token1, token0)
    for token in tokens:
        mainnet.add_tokens(token, owner, 10**30)
    lower, upper = (21_900 // spacing - 10) * spacing, (21_990 // spacing + 10) * spacing
    mainnet.mint_position(owner, lower, upper, 10**24, 10**25, pool=pool)
    stir(mainnet, pool, 10**22)
    client = world.connect(market={"pool": pool, "base": base, "reference_feed": None})
    view = client.observe()
    market = view.market
    assert (market.base.address, market.quote.address) == (base, quote)
    assert market.tick_spacing == spacing
    by_address = dict(zip(tokens, (decimals_a, decimals_b), strict=True))
    assert (market.token0.decimals, market.token1.decimals) == (
        by_address[token0],
        by_address[token1],
    )
    (position,) = view.positions
    assert position.fees0 > 0
    assert position.fees1 > 0
    paid = static_collect(mainnet, owner, position.token_id)
    assert paid == (position.fees0, position.fees1)
    assert view.guards0.paused is None
    assert view.guards0.transfer_fee is None
    assert view.references == ()
    # and the whole way round: take it out, put it back elsewhere
    world.approve_all(client)
    view = client.observe()
    moved = world.mint(view, -20, 20, 10**20, 10**20)
    step = world.rerange(removals=world.remove_all(view), mints=(moved,))
    assert client.send(step, world.verdict).status == "mined"
    assert len(client.observe().positions) == 1


def _slot(key: int, slot: int) -> bytes:
    from eth_utils.crypto import keccak

    return bytes(keccak(key.to_bytes(32, "big") + slot.to_bytes(32, "big")))


def test_token_switches_are_seen(world: Any) -> None:
    anvil, pool, owner = world.mainnet.anvil, world.mainnet.pool, world.owner
    client = world.connect()
    assert client.observe().guards0.frozen == ()
    token_admin.freeze_paxg(anvil, pool)
    token_admin.blacklist_usdt(anvil, owner)
    token_admin.set_usdt_fee(anvil, 10, 10)
    token_admin.pause_usdt(anvil)
    token_admin.set_paxg_fee_rate(anvil, 200)
    view = client.observe()
    assert view.guards0.frozen == ("pool",)
    assert view.guards0.transfer_fee == 200
    assert view.guards0.paused is False
    assert view.guards1.frozen == ("wallet",)
    assert view.guards1.paused is True
    assert view.guards1.transfer_fee == 10


def test_a_token_of_tethers_newer_code_is_seen_through_its_own_name_for_a_freeze(
    world: Any,
) -> None:
    anvil, mainnet = world.mainnet.anvil, world.mainnet
    xaut = place_xaut(anvil)
    root = sqrt_from_price(Decimal(4000), 6, 6, base_is_token0=True)
    pool = mainnet.create_pool(xaut, USDT, 500, root)
    assert pool == XAUT_USDT_POOL
    client = world.connect(market={"pool": pool, "base": xaut})
    before = client.observe().guards0
    assert (before.frozen, before.freeze_known, before.unknown) == ((), True, False)
    assert (before.paused, before.transfer_fee, before.deprecated) == (None, None, None)
    assert before.implementation is not None
    for who, name in (
        (pool, "pool"),
        (world.owner, "wallet"),
        (POSITION_MANAGER, "position_manager"),
    ):
        token_admin.block_xaut(anvil, who)
        assert client.observe().guards0.frozen == (name,)
        token_admin.unblock_xaut(anvil, who)
    assert client.observe().guards0 == before


def test_a_token_that_answers_no_guard_is_known_to_be_unknown(world: Any) -> None:
    mainnet = world.mainnet
    token = mainnet.create_token("NEW", 6)
    pool = mainnet.create_pool(token, USDT, 500, 1 << 96)
    client = world.connect(market={"pool": pool, "base": token})
    view = client.observe()
    ours = view.guards0 if view.market.base_is_token0 else view.guards1
    assert ours.unknown
    assert not ours.freeze_known
    assert not (view.guards1 if view.market.base_is_token0 else view.guards0).unknown


def test_paxg_v2_has_no_fee_to_switch_on(world: Any) -> None:
    anvil = world.mainnet.anvil
    client = world.connect()
    before = client.observe()
    token_admin.upgrade_paxg(anvil)
    after = client.observe()
    assert after.guards0.transfer_fee is None
    assert after.guards0.paused is False
    assert after.guards0.implementation != before.guards0.implementation
    assert after.wallet.amount0 == before.wallet.amount0


@pytest.mark.parametrize(("answer", "problem"), [(0, "no price"), (-5, "no price")])
def test_a_feed_that_answers_nonsense_has_no_price(world: Any, answer: int, problem: str) -> None:
    client = world.connect()
    token_admin.set_feed(world.mainnet.anvil, PAXG_USD_FEED, answer)
    reference = client.observe().references[0]
    assert reference.price is None
    assert problem in reference.problem


def test_a_feed_without_code_has_no_price(world: Any) -> None:
    client = world.connect(market={"reference_feed": world.owner, "eth_feed": None})
    view = client.observe()
    assert view.references[0].price is None
    assert view.references[0].problem
    assert view.eth_price == Decimal(2500)  # gas.eth_price: there is no feed


def test_too_little_history_has_no_mean_tick(world: Any) -> None:
    assert world.connect(guards={"twap_seconds": 86_400}).observe().pool.mean_tick is None


def test_a_chain_that_keeps_moving_is_transient(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)

    def answer(payload: Any, forward: Any) -> Any:
        answers = forward(payload)
        world.mainnet.anvil.mine()
        answers[-1] = forward([payload[-1]])[0]
        return answers

    proxy.answer = answer
    with pytest.raises(Transient, match="moved on"):
        client.observe()


def test_a_chain_that_moves_once_is_read_again(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    moved = []

    def answer(payload: Any, forward: Any) -> Any:
        answers = forward(payload)
        if not moved:
            world.mainnet.anvil.mine()
            moved.append(True)
            answers[-1] = forward([payload[-1]])[0]
        return answers

    proxy.answer = answer
    proxy.requests.clear()
    assert client.observe().block.number == int(world.mainnet.anvil.block()["number"], 16)
    assert len(proxy.requests) == 2


def test_a_node_that_changes_its_chain_halts(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)

    def change(answer: Any) -> Any:
        words = answer["result"]
        at = 2 + 64 * (1 + 1 + 3)  # offset, flags, then the block's fourth word
        return {**answer, "result": words[:at] + f"{5:064x}" + words[at + 64 :]}

    proxy.rewrite("eth_call", change)
    with pytest.raises(Halt, match="chain 5"):
        client.observe()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (1 + 8 + 5, 2**160 - 1),  # a price beyond the last
        (1 + 8 + 5, 1),  # a price that is not of its tick
        (1 + 8 + 6, 887_273),  # a tick beyond the last
        (1 + 8 + 7, 2**16),  # an index that is no uint16
        (1 + 8 + 0, 0xDEAD),  # another token
        (1 + 31, 2**40),  # positions beyond the answer
        (1 + 32, 7),  # an offset off the words
        (1, 0),  # no pool at all
    ],
)
def test_words_that_cannot_be_are_refused(world: Any, proxy: Any, word: int, value: int) -> None:
    client = world.connect(url=proxy.url)

    def change(answer: Any) -> Any:
        words, at = answer["result"], 2 + 64 * word
        return {**answer, "result": words[:at] + f"{value:064x}" + words[at + 64 :]}

    proxy.rewrite("eth_call", change)
    with pytest.raises(NodeError):
        client.observe()


def test_more_nfts_than_the_lens_lists(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gifts of foreign NFTs cannot hide our own."""
    monkeypatch.setattr("dexmm.chain.observe.lens.MOST_NFTS", 2)
    mainnet, owner = world.mainnet, world.owner
    sqrt_price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    other = mainnet.create_pool(mainnet.token0, mainnet.token1, 3000, sqrt_price)
    for _ in range(3):
        mainnet.mint_position(owner, -193_440, -193_320, 10**17, 10**9, pool=other)
    own = [mainnet.mint_position(owner, -193_500, -193_200, 10**17, 10**9) for _ in range(2)]
    client = world.connect()
    view = client.observe()
    assert sorted(p.token_id for p in view.positions) == own
    assert view.other_positions == 3
    late = mainnet.mint_position(owner, -193_600, -193_100, 10**17, 10**9)
    assert late in {p.token_id for p in client.observe().positions}


def test_a_re_range_among_gifts_is_seen(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One NFT goes and another comes: their number alone would tell nothing."""
    monkeypatch.setattr("dexmm.chain.observe.lens.MOST_NFTS", 2)
    mainnet, owner = world.mainnet, world.owner
    sqrt_price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    other = mainnet.create_pool(mainnet.token0, mainnet.token1, 3000, sqrt_price)
    for _ in range(3):
        mainnet.mint_position(owner, -193_440, -193_320, 10**17, 10**9, pool=other)
    old = mainnet.mint_position(owner, -193_500, -193_200, 10**17, 10**9)
    client = world.connect()
    assert [p.token_id for p in client.observe().positions] == [old]
    away = encode_call("transferFrom(address,address,uint256)", owner, "0x" + "8" * 40, old)
    mainnet.anvil.send_as(owner, POSITION_MANAGER, away)
    new = mainnet.mint_position(owner, -193_600, -193_100, 10**17, 10**9)
    assert [p.token_id for p in client.observe().positions] == [new]


def test_fees_are_what_the_pool_pays_not_what_the_manager_believes(world: Any) -> None:
    """Two NFTs share a range; while one collects often, the pool rounds down for both together,
    and in the end owes the other a few units less than its own record says."""
    mainnet, owner = world.mainnet, world.owner
    stranger = "0x" + "8" * 40
    busy = mainnet.mint_position(stranger, -193_500, -193_200, 3 * 10**16, 10**8)
    ours = mainnet.mint_position(owner, -193_500, -193_200, 7 * 10**16, 3 * 10**8)
    for i in range(12):
        mainnet.swap(zero_for_one=True, amount_in=10**15 + i * 7919)
        mainnet.swap(zero_for_one=False, amount_in=10**6 + i * 104_729)
        collect = encode_call(COLLECT, (busy, stranger, ALL, ALL))
        mainnet.anvil.send_as(stranger, POSITION_MANAGER, collect)
    (position,) = world.connect().observe().positions
    before = mainnet.balances(owner)
    collect = encode_call(COLLECT, (ours, owner, ALL, ALL))
    receipt = mainnet.anvil.send_as(owner, POSITION_MANAGER, collect)
    after = mainnet.balances(owner)
    paid = [after[t] - before[t] for t in (mainnet.token0, mainnet.token1)]
    assert paid == [position.fees0, position.fees1]
    told = [log for log in receipt["logs"] if log["address"] == POSITION_MANAGER.lower()]
    believed = decode_answer("address,uint256,uint256", bytes.fromhex(told[0]["data"][2:]))[1:]
    assert sum(believed) > sum(paid), "the trap that this test is about was not set"
