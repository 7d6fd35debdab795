"""The world moves the chain along the price path, and mines what the product sends."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dexmm.sandbox.market_simulation import GWEI, SETUP_SECONDS, SLOT_SECONDS, SandboxWorld
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.deploy import ETH_USD_FEED, PAXG_USD_FEED, Deployment, account
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.price_process import Candle, PricePath, generate
from dexmm.sim.agents.traders import USUAL_COSTS, arbitrage

pytestmark = pytest.mark.anvil


def open_world(mainnet: Deployment, seed: int = 1) -> SandboxWorld:
    return SandboxWorld(
        mainnet,
        flow=FLOWS["busy"],
        interval_seconds=300,
        seed=seed,
        price=Decimal(4000),
        eth_price=Decimal(4000),
    )


def path_after(world: SandboxWorld, count: int) -> PricePath:
    return generate(5, count, start_at=world.timestamp + SETUP_SECONDS)


def blocks(world: SandboxWorld, mainnet: Deployment, after: int) -> list[dict[str, Any]]:
    numbers = range(after + 1, world.block_number + 1)
    return [mainnet.anvil.rpc("eth_getBlockByNumber", [hex(n), True]) for n in numbers]


def feed(mainnet: Deployment, address: str) -> tuple[Decimal, int]:
    answer = mainnet.anvil.call(address, encode_call("latestRoundData()"))
    _, price, _, updated_at, _ = decode_answer("uint80,int256,uint256,uint256,uint80", answer)
    return Decimal(price).scaleb(-8), updated_at


def test_chain_time_is_the_paths_and_the_pool_is_within_its_fee(mainnet: Deployment) -> None:
    world = open_world(mainnet)
    for candle in path_after(world, 12).candles:
        world.pass_candle(candle)
        assert world.timestamp == candle.at + 300
        assert world.fair_price == candle.close
        costs = USUAL_COSTS
        price, liquidity = world.sqrt_price_x96, world.liquidity
        assert arbitrage(world.market, price, candle.close, liquidity, costs) is None


def test_no_swap_fails_and_gas_is_plausible(mainnet: Deployment) -> None:
    world = open_world(mainnet)
    start = world.block_number
    for candle in path_after(world, 12).candles:
        world.pass_candle(candle)
    mined = blocks(world, mainnet, start)
    transactions = [transaction for block in mined for transaction in block["transactions"]]
    assert len(transactions) > 20
    receipts = [
        mainnet.anvil.rpc("eth_getTransactionReceipt", [transaction["hash"]])
        for transaction in transactions
    ]
    assert {int(receipt["status"], 16) for receipt in receipts} == {1}
    fees = [int(block["baseFeePerGas"], 16) for block in mined]
    assert GWEI // 20 <= min(fees) < max(fees) <= 50 * GWEI


def test_the_same_seed_is_the_same_chain(mainnet: Deployment) -> None:
    seen = []
    for seed in (3, 3, 4):
        snapshot = mainnet.anvil.snapshot()
        world = open_world(mainnet, seed)
        for candle in path_after(world, 6).candles:
            world.pass_candle(candle)
        seen.append((world.sqrt_price_x96, world.block_number, world.timestamp))
        mainnet.anvil.revert(snapshot)
        mainnet.anvil.rpc("evm_setAutomine", [True])
    assert seen[0] == seen[1] != seen[2]


def test_feeds_speak_on_a_move_and_on_their_heartbeat(mainnet: Deployment) -> None:
    world = open_world(mainnet)
    said, said_at = feed(mainnet, PAXG_USD_FEED)
    eth_said_at = feed(mainnet, ETH_USD_FEED)[1]
    assert said == 4000
    at = world.timestamp + SETUP_SECONDS

    def still(price: str) -> Candle:
        value = Decimal(price)
        return Candle(at=at, open=value, high=value, low=value, close=value)

    world.pass_candle(still("4019"))  # 0.475 %
    assert feed(mainnet, PAXG_USD_FEED) == (said, said_at)
    world.pass_candle(replace(still("4021"), at=at + 300))
    assert feed(mainnet, PAXG_USD_FEED)[0] == 4021
    assert feed(mainnet, ETH_USD_FEED)[1] == eth_said_at
    world.pass_candle(replace(still("4021"), at=at + 3600))
    assert feed(mainnet, ETH_USD_FEED)[1] > eth_said_at
    assert feed(mainnet, PAXG_USD_FEED)[0] == 4021


def test_what_is_sent_together_is_mined_together_a_slot_later(mainnet: Deployment) -> None:
    world = open_world(mainnet)
    before = world.timestamp
    sender = account("somebody")
    mainnet.fund_wallet(sender, eth=Decimal(1))
    mainnet.anvil.rpc("anvil_impersonateAccount", [sender])
    with world.mining():
        hashes = mainnet.anvil.batch(
            [
                ("eth_sendTransaction", [{"from": sender, "to": sender, "gas": hex(21_000),
                                          "nonce": hex(nonce), "gasPrice": hex(9 * GWEI)}])
                for nonce in (0, 1)
            ]
        )  # fmt: skip
        receipts = [receipt(mainnet, tx_hash) for tx_hash in hashes]
    assert {int(found["blockNumber"], 16) for found in receipts} == {world.block_number}
    assert world.timestamp == before + SLOT_SECONDS


def receipt(mainnet: Deployment, tx_hash: str) -> dict[str, Any]:
    for _ in range(10_000):
        found: dict[str, Any] | None = mainnet.anvil.rpc("eth_getTransactionReceipt", [tx_hash])
        if found is not None:
            return found
    raise AssertionError("the world did not mine")
