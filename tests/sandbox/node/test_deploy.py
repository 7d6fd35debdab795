from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node import pools, token_admin
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.sandbox.node.artifacts import contract, npm
from dexmm.sandbox.node.deploy import (
    ETH_USD_FEED,
    FACTORY,
    MULTICALL3,
    PARENT_HASHES,
    PAXG,
    PAXG_USD_FEED,
    PAXG_USDT_POOL,
    PAXG_V1,
    POSITION_DESCRIPTOR_PROXY,
    POSITION_MANAGER,
    QUOTER,
    QUOTER_V2,
    SWAP_ROUTER,
    TICK_LENS,
    USDT,
    WETH9,
    XAU_USD_FEED,
    Deployment,
    MainnetOptions,
    account,
    adopt_fork,
    deploy_mainnet,
    forget_parents,
)
from dexmm.sandbox.node.funding import set_token_balance, token_balance
from dexmm.sim.chain.background_liquidity import background

pytestmark = pytest.mark.anvil

CORE = "@uniswap/v3-core/artifacts/contracts"
PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
POOL_INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
ALICE = "0xA11CE00000000000000000000000000000000001"
SLOT0 = "uint160,int24,uint16,uint16,uint16,uint8,bool"


def read(anvil: Anvil, target: str, signature: str, types: str, *arguments: object) -> tuple:
    return decode_answer(types, anvil.call(target, encode_call(signature, *arguments)))


def without_immutables(code: bytes, compiled: bytes) -> bytes:
    """``code`` with zeros where ``compiled`` has the zeros of a PUSH32 that an immutable fills."""
    masked = bytearray(code)
    hole = b"\x7f" + bytes(32)
    at = compiled.find(hole)
    while at >= 0:
        masked[at + 1 : at + 33] = bytes(32)
        at = compiled.find(hole, at + 33)
    return bytes(masked)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (FACTORY, f"{CORE}/UniswapV3Factory.sol/UniswapV3Factory.json"),
        (PAXG_USDT_POOL, f"{CORE}/UniswapV3Pool.sol/UniswapV3Pool.json"),
        (TICK_LENS, f"{PERIPHERY}/lens/TickLens.sol/TickLens.json"),
        (QUOTER, f"{PERIPHERY}/lens/Quoter.sol/Quoter.json"),
        (QUOTER_V2, f"{PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json"),
        (SWAP_ROUTER, f"{PERIPHERY}/SwapRouter.sol/SwapRouter.json"),
        (
            POSITION_MANAGER,
            f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
        ),
    ],
)
def test_uniswap_is_where_mainnet_has_it(mainnet: Deployment, address: str, path: str) -> None:
    compiled = npm(path).deployed_bytecode
    assert without_immutables(mainnet.anvil.code(address), compiled) == compiled


def test_a_missing_artifact_is_one_line_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEXMM_NODE_MODULES", str(tmp_path))
    with pytest.raises(BadInput, match=r"^The npm artifact .* run 'npm ci' in [^\n]*$"):
        npm("@uniswap/no-such-package/Contract.json")
    with pytest.raises(BadInput, match="no compiled contract NoSuchContract"):
        contract("NoSuchContract")


def test_the_pool_code_is_mainnets() -> None:
    pool = npm(f"{CORE}/UniswapV3Pool.sol/UniswapV3Pool.json")
    assert keccak(pool.creation_code()).hex() == POOL_INIT_CODE_HASH


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (PAXG, "PaxgProxy"),
        (PAXG_V1, "PaxgDouble"),
        (USDT, "UsdtDouble"),
        (WETH9, "Weth9Double"),
        (MULTICALL3, "Multicall3Double"),
        (PAXG_USD_FEED, "ChainlinkDouble"),
        (XAU_USD_FEED, "ChainlinkDouble"),
        (ETH_USD_FEED, "ChainlinkDouble"),
    ],
)
def test_the_doubles_are_where_mainnet_has_them(
    mainnet: Deployment, address: str, name: str
) -> None:
    assert mainnet.anvil.code(address) == contract(name).deployed_bytecode


def test_the_contracts_know_each_other(mainnet: Deployment) -> None:
    for periphery in (POSITION_MANAGER, SWAP_ROUTER, QUOTER, QUOTER_V2):
        for signature, expected in (("factory()", FACTORY), ("WETH9()", WETH9)):
            (address,) = read(mainnet.anvil, periphery, signature, "address")
            assert address == expected.lower()
    (found,) = read(
        mainnet.anvil, FACTORY, "getPool(address,address,uint24)", "address", USDT, PAXG, 500
    )
    assert found == PAXG_USDT_POOL.lower()
    assert mainnet.anvil.code(POSITION_DESCRIPTOR_PROXY)


def test_the_position_manager_draws_its_nfts(mainnet: Deployment) -> None:
    (uri,) = read(mainnet.anvil, POSITION_MANAGER, "tokenURI(uint256)", "string", 1)
    assert uri.startswith("data:application/json;base64,")


def test_the_pool_opens_as_asked(mainnet: Deployment) -> None:
    assert (mainnet.token0, mainnet.token1) == (PAXG, USDT)
    assert (mainnet.fee_pips, mainnet.tick_spacing, mainnet.fork) == (500, 10, False)
    slot0 = read(mainnet.anvil, PAXG_USDT_POOL, "slot0()", SLOT0)
    _, tick, _, _, cardinality_next, fee_protocol, unlocked = slot0
    assert tick == -193380  # 4000 USDT
    assert cardinality_next == 720
    assert fee_protocol == 68  # one quarter of both tokens' fees
    assert unlocked


def test_the_pool_has_two_hours_of_history_at_its_price(mainnet: Deployment) -> None:
    (cumulatives, _) = read(
        mainnet.anvil, PAXG_USDT_POOL, "observe(uint32[])", "int56[],uint160[]", [7100, 0]
    )
    assert (cumulatives[1] - cumulatives[0]) // 7100 == -193380


def test_the_oracle_ring_grows_with_use(mainnet: Deployment) -> None:
    for _ in range(3):
        mainnet.anvil.mine(1, seconds_apart=12)
        mainnet.swap(zero_for_one=True, amount_in=5 * 10**18)  # enough to move the tick
    *_, index, cardinality, _, _, _ = read(mainnet.anvil, PAXG_USDT_POOL, "slot0()", SLOT0)
    assert (index, cardinality) == (3, 720)


def test_the_feeds_agree_with_the_pool(mainnet: Deployment) -> None:
    now = int(mainnet.anvil.block()["timestamp"], 16)
    for feed in (PAXG_USD_FEED, XAU_USD_FEED):
        _, answer, _, updated_at, _ = read(
            mainnet.anvil, feed, "latestRoundData()", "uint80,int256,uint256,uint256,uint80"
        )
        assert answer == 4000 * 10**8
        assert 0 < now - updated_at <= 7200


def test_feeds_can_be_set_and_made_stale(mainnet: Deployment) -> None:
    mainnet.set_price_feeds(Decimal("4123.45"), updated_at=1_700_000_000)
    _, answer, _, updated_at, _ = read(
        mainnet.anvil, PAXG_USD_FEED, "latestRoundData()", "uint80,int256,uint256,uint256,uint80"
    )
    assert (answer, updated_at) == (412_345_000_000, 1_700_000_000)


def test_background_liquidity_has_the_asked_value_and_several_owners(mainnet: Deployment) -> None:
    owners = {account(layer.owner) for layer in background()}
    assert len(owners) == 6
    in_pool = token_balance(mainnet.anvil, PAXG, PAXG_USDT_POOL) * 4000 // 10**12
    in_pool += token_balance(mainnet.anvil, USDT, PAXG_USDT_POOL)
    asked = sum(layer.value for layer in background()) * 10**6
    # Edges on the tick grid and minimum amounts of zero move a layer's worth by rounding alone.
    assert abs(in_pool - asked) < asked / 1000
    for owner in owners:
        assert read(mainnet.anvil, POSITION_MANAGER, "balanceOf(address)", "uint256", owner) == (1,)


def test_the_price_crosses_other_peoples_ticks(mainnet: Deployment) -> None:
    before = read(mainnet.anvil, PAXG_USDT_POOL, "liquidity()", "uint128")[0]
    mainnet.swap(zero_for_one=True, amount_in=60 * 10**18)
    after = read(mainnet.anvil, PAXG_USDT_POOL, "liquidity()", "uint128")[0]
    assert after < before


def test_swaps_pay_the_curve_less_the_fee(mainnet: Deployment) -> None:
    received = mainnet.swap(zero_for_one=True, amount_in=10**16)
    assert Decimal("39.97") < Decimal(received).scaleb(-6) < Decimal("39.98")  # 40 less 0.05 %
    back = mainnet.swap(zero_for_one=False, amount_in=received)
    assert Decimal("0.00998") < Decimal(back).scaleb(-18) < Decimal("0.01")


def test_a_wallet_is_funded_on_top_of_what_it_has(mainnet: Deployment) -> None:
    for _ in range(2):
        mainnet.fund_wallet(ALICE, eth=Decimal(1), paxg=Decimal("2.5"), usdt=Decimal("0.000001"))
    assert mainnet.balances(ALICE) == {"eth": 2 * 10**18, PAXG: 5 * 10**18, USDT: 2}


def test_a_test_leaves_nothing_behind(mainnet: Deployment) -> None:
    assert mainnet.balances(ALICE) == {"eth": 0, PAXG: 0, USDT: 0}


@pytest.mark.parametrize(("decimals_a", "decimals_b"), [(18, 6), (6, 18), (8, 8), (2, 18)])
@pytest.mark.parametrize("fee_pips", [500, 3000, 10000])
def test_any_pool_can_be_made(
    mainnet: Deployment, decimals_a: int, decimals_b: int, fee_pips: int
) -> None:
    token_a, token_b = (
        mainnet.create_token("T", decimals) for decimals in (decimals_a, decimals_b)
    )
    pool = mainnet.create_pool(token_a, token_b, fee_pips, 1 << 96)
    facts = pools.pool_facts(mainnet.anvil, pool)
    assert facts.fee_pips == fee_pips
    assert int(facts.token0, 16) < int(facts.token1, 16)
    edge = 100 * facts.tick_spacing
    token_id = mainnet.mint_position(ALICE, -edge, edge, 10**9, 10**9, pool=pool)
    assert read(mainnet.anvil, POSITION_MANAGER, "ownerOf(uint256)", "address", token_id) == (
        ALICE.lower(),
    )
    assert mainnet.swap(zero_for_one=False, amount_in=10**6, pool=pool) > 0


def test_a_pool_can_be_left_without_a_price(mainnet: Deployment) -> None:
    pool = mainnet.create_pool(mainnet.create_token("A", 18), USDT, 3000, 0)
    assert pools.pool_facts(mainnet.anvil, pool).sqrt_price_x96 == 0


def test_a_paxg_fee_makes_mints_and_swaps_of_paxg_revert(mainnet: Deployment) -> None:
    token_admin.set_paxg_fee_rate(mainnet.anvil, 200)
    with pytest.raises(NodeError, match="IIA"):
        mainnet.swap(zero_for_one=True, amount_in=10**18)
    with pytest.raises(NodeError, match="M0"):
        mainnet.mint_position(ALICE, -194000, -193000, 10**18, 4000 * 10**6)


def test_a_chain_that_is_not_new_is_refused() -> None:
    with Anvil() as anvil:
        deploy_mainnet(anvil, MainnetOptions(layers=(), observation_cardinality=1))
        with pytest.raises(NodeError):
            deploy_mainnet(anvil)


def test_a_token_that_computes_its_balances_cannot_be_funded(mainnet: Deployment) -> None:
    token = account("rebasing token")
    mainnet.anvil.set_code(token, bytes.fromhex("602a60005260206000f3"))  # always 42
    with pytest.raises(BadInput, match="computes its balances"):
        set_token_balance(mainnet.anvil, token, ALICE, 5)


@pytest.fixture
def fork(mainnet: Deployment) -> Iterator[Deployment]:
    """A fork whose upstream is the local mainnet: the fork's path without a network."""
    with Anvil(AnvilOptions(fork_url=mainnet.anvil.url)) as anvil:
        yield adopt_fork(anvil)


def test_a_fork_is_used_as_it_is(mainnet: Deployment, fork: Deployment) -> None:
    assert fork.fork
    assert (fork.pool, fork.token0, fork.token1) == (PAXG_USDT_POOL, PAXG, USDT)
    fork.fund_wallet(ALICE, eth=Decimal(1), paxg=Decimal(3), usdt=Decimal(12_000))
    assert fork.balances(ALICE) == {"eth": 10**18, PAXG: 3 * 10**18, USDT: 12_000 * 10**6}
    fork.mint_position(ALICE, -194000, -193000, 10**18, 4000 * 10**6)
    assert fork.swap(zero_for_one=True, amount_in=10**17) > 0
    token_admin.pause_paxg(fork.anvil)
    with pytest.raises(NodeError):
        fork.swap(zero_for_one=True, amount_in=10**17)
    assert mainnet.balances(ALICE) == {"eth": 0, PAXG: 0, USDT: 0}


def test_a_fork_can_stand_at_an_older_block(mainnet: Deployment) -> None:
    height = int(mainnet.anvil.block()["number"], 16)
    mainnet.fund_wallet(ALICE, eth=Decimal(1))
    mainnet.anvil.mine(3)
    options = AnvilOptions(fork_url=mainnet.anvil.url, fork_block_number=height)
    with Anvil(options) as anvil:
        assert int(anvil.block()["number"], 16) == height
        assert adopt_fork(anvil).pool == PAXG_USDT_POOL


def test_a_fork_of_something_else_is_refused() -> None:
    with Anvil(AnvilOptions(chain_id=10)) as anvil, pytest.raises(BadInput, match="chain id"):
        adopt_fork(anvil)
    with Anvil() as anvil, pytest.raises(BadInput, match="no pool at 0x7Cb8"):
        adopt_fork(anvil)


def test_a_long_run_keeps_no_parent_hashes() -> None:
    """EIP-2935 asks nothing of a chain on which its contract has no code."""
    with Anvil() as anvil:
        assert anvil.code(PARENT_HASHES)
        forget_parents(anvil)
        anvil.mine(3, 12)
        assert not anvil.code(PARENT_HASHES)
        newest = int(anvil.block()["number"], 16)
        parent = anvil.rpc("eth_getStorageAt", [PARENT_HASHES, hex(newest - 1), "latest"])
        assert int(parent, 16) == 0
