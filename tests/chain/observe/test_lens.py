"""The lens against the contracts it reads: every field, and everything it must survive."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from dexmm.sandbox.node import pools, token_admin
from dexmm.sandbox.node.abi_encode import decode_answer, encode_arguments, encode_call
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.artifacts import abi, contract
from dexmm.sandbox.node.deploy import (
    PAXG,
    PAXG_USDT_POOL,
    POSITION_MANAGER,
    USDT,
    Deployment,
    account,
)
from dexmm.uniswap.tick_math import max_usable_tick, min_usable_tick

pytestmark = pytest.mark.anvil

ALICE = "0xA11CE00000000000000000000000000000000001"
BOB = "0xB0B0000000000000000000000000000000000002"
NOWHERE = "0x000000000000000000000000000000000000bEEF"
ZERO = "0x" + "0" * 40
LENS = "0x1E45000000000000000000000000000000001E45"
POOL_ANSWERS, POOL_INITIALISED, MANAGER_ANSWERS = 1, 2, 4
LARGEST_DEPLOYLESS = 24_576

Probe = tuple[str, bytes]


def typed(parameters: Sequence[dict[str, Any]]) -> str:
    """The ABI's parameters as one type list, structs as tuples."""

    def one(parameter: dict[str, Any]) -> str:
        kind: str = parameter["type"]
        if not kind.startswith("tuple"):
            return kind
        return f"({typed(parameter['components'])}){kind.removeprefix('tuple')}"

    return ",".join(one(parameter) for parameter in parameters)


def named(parameters: Sequence[dict[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    """Decoded values under their names, structs as dictionaries."""

    def one(parameter: dict[str, Any], value: Any) -> Any:
        if parameter["type"] == "tuple":
            return named(parameter["components"], value)
        if parameter["type"] == "tuple[]":
            return [named(parameter["components"], each) for each in value]
        return value

    return {p["name"]: one(p, v) for p, v in zip(parameters, values, strict=True)}


FUNCTIONS = {entry["name"]: entry for entry in abi("SnapshotLens") if entry["type"] == "function"}


def ask(anvil: Anvil, function: str, *arguments: object, deployless: bool = False) -> Any:
    """Run a lens function by state override, or without any address; its named outputs."""
    entry = FUNCTIONS[function]
    data = encode_call(f"{function}({typed(entry['inputs'])})", *arguments)
    lens = contract("SnapshotLens")
    if deployless:
        wrapped = encode_arguments("bytes,bytes", lens.creation_code(), data)
        code = contract("Deployless").creation_code() + wrapped
        answer = anvil.rpc("eth_call", [{"data": "0x" + code.hex()}, "latest"])
    else:
        call = {"to": LENS, "data": "0x" + data.hex(), "gas": hex(1 << 30)}
        override = {LENS: {"code": "0x" + lens.deployed_bytecode.hex()}}
        answer = anvil.rpc("eth_call", [call, "latest", override])
    values = decode_answer(typed(entry["outputs"]), bytes.fromhex(answer[2:]))
    return named(entry["outputs"], values)


def snapshot(
    anvil: Anvil,
    *,
    pool: str = PAXG_USDT_POOL,
    manager: str = POSITION_MANAGER,
    wallet: str = ALICE,
    ago: Sequence[int] = (),
    known: Sequence[int] = (),
    most: int = 50,
    probes: Sequence[Probe] = (),
    deployless: bool = False,
) -> Any:
    arguments = (pool, manager, wallet, ago, known, most, probes)
    return ask(anvil, "snapshot", *arguments, deployless=deployless)["s"]


def read(anvil: Anvil, target: str, signature: str, types: str, *arguments: object) -> Any:
    return decode_answer(types, anvil.call(target, encode_call(signature, *arguments)))


def traded(mainnet: Deployment) -> int:
    """Alice has a position in the market that has earned fees on both sides; its token id."""
    token_id = mainnet.mint_position(ALICE, -194000, -192500, 10**19, 4 * 10**10)
    for zero_for_one, amount in ((True, 2 * 10**18), (False, 9 * 10**9), (True, 10**18)):
        mainnet.anvil.mine(1, seconds_apart=12)
        mainnet.swap(zero_for_one=zero_for_one, amount_in=amount)
    return token_id


def test_the_pool_is_told_field_by_field(mainnet: Deployment) -> None:
    traded(mainnet)
    anvil, pool = mainnet.anvil, PAXG_USDT_POOL
    found = snapshot(anvil)
    assert found["flags"] == POOL_ANSWERS | POOL_INITIALISED | MANAGER_ANSWERS
    slot0 = read(anvil, pool, "slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool")
    expected = {
        "token0": PAXG.lower(),
        "token1": USDT.lower(),
        "fee": 500,
        "tickSpacing": 10,
        "maxLiquidityPerTick": read(anvil, pool, "maxLiquidityPerTick()", "uint128")[0],
        "liquidity": read(anvil, pool, "liquidity()", "uint128")[0],
        "feeGrowthGlobal0X128": read(anvil, pool, "feeGrowthGlobal0X128()", "uint256")[0],
        "feeGrowthGlobal1X128": read(anvil, pool, "feeGrowthGlobal1X128()", "uint256")[0],
    }
    names = (
        "sqrtPriceX96", "tick", "observationIndex", "observationCardinality",
        "observationCardinalityNext", "feeProtocol", "unlocked",
    )  # fmt: skip
    expected |= dict(zip(names, slot0, strict=True))
    taken = read(anvil, pool, "protocolFees()", "uint128,uint128")
    expected |= dict(zip(("protocolFees0", "protocolFees1"), taken, strict=True))
    assert found["pool"] | expected == found["pool"]
    assert taken[0] > 0
    assert taken[1] > 0


def test_the_block_is_told(mainnet: Deployment) -> None:
    mainnet.fund_wallet(ALICE, eth=Decimal("1.5"))
    mainnet.anvil.mine(2)
    block = mainnet.anvil.block()
    at = snapshot(mainnet.anvil)["at"]
    assert at["number"] == int(block["number"], 16)
    assert at["timestamp"] == int(block["timestamp"], 16)
    assert "0x" + at["parentHash"].hex() == block["parentHash"]
    assert at["chainId"] == 1
    assert at["walletWei"] == 1_500_000_000_000_000_000


def test_positions_carry_what_their_fees_follow_from(mainnet: Deployment) -> None:
    token_id = traded(mainnet)
    anvil = mainnet.anvil
    (position,) = snapshot(anvil)["positions"]
    stored = read(
        anvil,
        POSITION_MANAGER,
        "positions(uint256)",
        "uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128",
        token_id,
    )
    names = (
        "tickLower", "tickUpper", "liquidity", "feeGrowthInside0LastX128",
        "feeGrowthInside1LastX128", "tokensOwed0", "tokensOwed1",
    )  # fmt: skip
    assert position["tokenId"] == token_id
    assert [position[name] for name in names] == list(stored[5:])
    for side, tick in (("lower", -194000), ("upper", -192500)):
        outside = read(
            anvil, PAXG_USDT_POOL, "ticks(int24)", "uint128,int128,uint256,uint256", tick
        )
        assert position[f"{side}FeeGrowthOutside0X128"] == outside[2]
        assert position[f"{side}FeeGrowthOutside1X128"] == outside[3]


def test_fees_due_follow_exactly(mainnet: Deployment) -> None:
    token_id = traded(mainnet)
    anvil = mainnet.anvil
    found = snapshot(anvil)
    (p,) = found["positions"]
    due = []
    for i in (0, 1):  # the price is inside the range
        inside = (
            found["pool"][f"feeGrowthGlobal{i}X128"]
            - p[f"lowerFeeGrowthOutside{i}X128"]
            - p[f"upperFeeGrowthOutside{i}X128"]
            - p[f"feeGrowthInside{i}LastX128"]
        ) % (1 << 256)
        due.append(p[f"tokensOwed{i}"] + inside * p["liquidity"] // (1 << 128))
    collect = encode_call(
        "collect((uint256,address,uint128,uint128))", (token_id, ALICE, 2**128 - 1, 2**128 - 1)
    )
    collected = decode_answer(
        "uint256,uint256", anvil.call(POSITION_MANAGER, collect, sender=ALICE)
    )
    assert tuple(due) == collected
    assert min(due) > 0


def test_deployless_answers_the_same(mainnet: Deployment) -> None:
    for _ in range(10):
        mainnet.mint_position(ALICE, -194000, -192500, 10**16, 4 * 10**7)
    probes = [(PAXG, encode_call("paused()"))] * 12
    asked: dict[str, Any] = {"ago": [600, 0], "probes": probes}
    here = snapshot(mainnet.anvil, **asked)
    assert snapshot(mainnet.anvil, **asked, deployless=True) == here
    assert len(here["positions"]) == 10
    entry = FUNCTIONS["snapshot"]["outputs"]
    size = len(encode_arguments(typed(entry), tuple(_bare(entry[0], here))))
    assert size < LARGEST_DEPLOYLESS / 2


def _bare(parameter: dict[str, Any], value: Any) -> Any:
    """The reverse of ``named`` for one struct."""
    if parameter["type"] == "tuple":
        return tuple(_bare(p, value[p["name"]]) for p in parameter["components"])
    if parameter["type"] == "tuple[]":
        return [_bare({**parameter, "type": "tuple"}, each) for each in value]
    return value


def test_other_pools_and_other_peoples_nfts_are_not_mixed_in(mainnet: Deployment) -> None:
    elsewhere = mainnet.create_pool(PAXG, USDT, 3000, 1 << 96)
    foreign = mainnet.mint_position(ALICE, -600, 600, 10**6, 10**6, pool=elsewhere)
    mine = mainnet.mint_position(ALICE, -194000, -193000, 10**16, 4 * 10**7)
    others = mainnet.mint_position(BOB, -194000, -193000, 10**16, 4 * 10**7)
    found = snapshot(mainnet.anvil, known=[others, foreign, mine, mine, 10**9])
    assert [p["tokenId"] for p in found["positions"]] == [mine]
    assert found["nfts"] == {"held": 2, "scanned": 2, "ofOtherPools": 1}


def test_known_tokens_are_found_beyond_the_limit_of_enumeration(mainnet: Deployment) -> None:
    ids = [mainnet.mint_position(ALICE, -194000, -193000, 10**16, 4 * 10**7) for _ in range(5)]
    limited = snapshot(mainnet.anvil, most=2)
    assert [p["tokenId"] for p in limited["positions"]] == ids[:2]
    assert limited["nfts"]["held"] == 5
    assert limited["nfts"]["scanned"] == 2
    helped = snapshot(mainnet.anvil, most=2, known=[ids[4], ids[0]])
    assert [p["tokenId"] for p in helped["positions"]] == [ids[4], ids[0], ids[1]]


def test_the_oracle_is_asked_and_its_age_told(mainnet: Deployment) -> None:
    traded(mainnet)
    anvil = mainnet.anvil
    found = snapshot(anvil, ago=[1800, 0])
    asked = read(anvil, PAXG_USDT_POOL, "observe(uint32[])", "int56[],uint160[]", [1800, 0])
    assert found["oracle"]["ok"]
    assert (
        found["oracle"]["tickCumulatives"],
        found["oracle"]["secondsPerLiquidityCumulativeX128s"],
    ) == asked
    ring = ask(anvil, "observations", PAXG_USDT_POOL, 0, 10)["found"]
    written = [o["blockTimestamp"] for o in ring if o["initialized"]]
    assert found["pool"]["oldestObservation"] == min(written)
    assert found["pool"]["newestObservation"] == max(written)
    age = found["at"]["timestamp"] - min(written)
    assert snapshot(anvil, ago=[age, 0])["oracle"]["ok"]
    too_old = snapshot(anvil, ago=[age + 1, 0])["oracle"]
    assert too_old == {
        "ok": False, "tickCumulatives": (), "secondsPerLiquidityCumulativeX128s": (),
    }  # fmt: skip


def test_the_oldest_observation_is_found_once_the_ring_has_gone_round(mainnet: Deployment) -> None:
    anvil = mainnet.anvil
    token_a, token_b = mainnet.create_token("A", 18), mainnet.create_token("B", 18)
    pool = mainnet.create_pool(token_a, token_b, 500, 1 << 96)
    pools.grow_observations(anvil, ALICE, pool, 3)
    mainnet.mint_position(ALICE, -1000, 1000, 10**18, 10**18, pool=pool)
    for turn in range(7):
        anvil.mine(1, seconds_apart=12)
        mainnet.swap(zero_for_one=turn % 2 == 0, amount_in=10**15, pool=pool)
    ring = ask(anvil, "observations", pool, 0, 3)["found"]
    stamps = [o["blockTimestamp"] for o in ring]
    facts = snapshot(anvil, pool=pool)["pool"]
    assert facts["observationCardinality"] == 3
    assert facts["oldestObservation"] == min(stamps)
    assert facts["newestObservation"] == max(stamps)


def test_a_pool_that_is_not_there_is_a_flag(mainnet: Deployment) -> None:
    found = snapshot(mainnet.anvil, pool=NOWHERE, ago=[60, 0])
    assert found["flags"] == MANAGER_ANSWERS
    assert found["pool"]["token0"] == ZERO
    assert not found["oracle"]["ok"]
    assert snapshot(mainnet.anvil, pool=PAXG)["flags"] == MANAGER_ANSWERS
    assert ask(mainnet.anvil, "ticks", NOWHERE, -1, 1)["found"] == []
    assert ask(mainnet.anvil, "observations", NOWHERE, 0, 3)["found"] == []


def test_a_pool_without_a_price_is_a_flag(mainnet: Deployment) -> None:
    pool = mainnet.create_pool(mainnet.create_token("A", 18), USDT, 3000, 0)
    found = snapshot(mainnet.anvil, pool=pool, ago=[60, 0])
    assert found["flags"] == POOL_ANSWERS | MANAGER_ANSWERS
    assert found["pool"]["fee"] == 3000
    assert found["pool"]["oldestObservation"] == 0
    assert not found["oracle"]["ok"]


def test_a_position_manager_that_is_not_there_is_a_flag(mainnet: Deployment) -> None:
    for manager in (ZERO, NOWHERE):
        found = snapshot(mainnet.anvil, manager=manager, known=[1])
        assert found["flags"] == POOL_ANSWERS | POOL_INITIALISED
        assert found["positions"] == []


def test_probes_answer_or_fail_each_for_itself(mainnet: Deployment) -> None:
    anvil = mainnet.anvil
    burner, shouter = account("burns all gas"), account("answers a megabyte")
    anvil.set_code(burner, bytes.fromhex("5b600056"))
    anvil.set_code(shouter, bytes.fromhex("62008000 6000f3".replace(" ", "")))
    upgraded = token_admin.upgrade_paxg(anvil)
    probes = [
        (USDT, encode_call("paused()")),
        (PAXG, encode_call("feeRate()")),  # the second implementation has none
        (burner, b""),
        (NOWHERE, encode_call("paused()")),
        (shouter, b""),
        (upgraded, encode_call("decimals()")),
    ]
    found = snapshot(anvil, probes=probes)["probes"]
    assert [probe["ok"] for probe in found] == [True, False, False, False, True, True]
    assert int.from_bytes(found[0]["data"]) == 0
    assert found[1]["data"] == b""
    assert found[4]["data"] == bytes(2048)
    assert int.from_bytes(found[5]["data"]) == 18


@pytest.mark.parametrize("spacing", [10, 60, 200])
def test_the_whole_tick_map_comes_in_one_call(mainnet: Deployment, spacing: int) -> None:
    anvil, pool = mainnet.anvil, PAXG_USDT_POOL
    if spacing != 10:
        token_a, token_b = mainnet.create_token("A", 18), mainnet.create_token("B", 18)
        pool = mainnet.create_pool(token_a, token_b, {60: 3000, 200: 10000}[spacing], 1 << 96)
        lowest, highest = min_usable_tick(spacing), max_usable_tick(spacing)
        for lower, upper in ((lowest, highest), (-spacing, spacing), (0, spacing)):
            mainnet.mint_position(ALICE, lower, upper, 10**15, 10**15, pool=pool)
    low, high = min_usable_tick(spacing) // spacing >> 8, max_usable_tick(spacing) // spacing >> 8
    told = ask(anvil, "ticks", pool, low, high)
    ticks = [t["tick"] for t in told["found"]]
    assert ticks == sorted(set(ticks))
    assert ticks[0] == min_usable_tick(spacing)
    assert ticks[-1] == max_usable_tick(spacing)
    assert sum(t["liquidityNet"] for t in told["found"]) == 0
    below = sum(t["liquidityNet"] for t in told["found"] if t["tick"] <= told["facts"]["tick"])
    assert below == told["facts"]["liquidity"]
    assert told["at"]["number"] == int(anvil.block()["number"], 16)
    types = "uint128,int128,uint256,uint256,int56,uint160,uint32,bool"
    for tick in told["found"]:
        stored = read(anvil, pool, "ticks(int24)", types, tick["tick"])
        assert (*list(tick.values())[1:], True) == stored


def test_part_of_the_tick_map_can_be_asked_for(mainnet: Deployment) -> None:
    everything = ask(mainnet.anvil, "ticks", PAXG_USDT_POOL, -347, 346)["found"]
    word = -193380 // 10 >> 8
    part = ask(mainnet.anvil, "ticks", PAXG_USDT_POOL, word, word)["found"]
    assert part == [t for t in everything if t["tick"] // 10 >> 8 == word]
    assert 0 < len(part) < len(everything)
    assert ask(mainnet.anvil, "ticks", PAXG_USDT_POOL, 1, 0)["found"] == []
