"""Six pools of known flow on a local mainnet: the scout must find what was put in."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dexmm.cli import main
from dexmm.errors import BadInput
from dexmm.fetch.pool.log_source import Node
from dexmm.model.market import Market, Token
from dexmm.performance.pool_statistics import Swap, measure_trade, sampled_every
from dexmm.sandbox.node import pools
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.sandbox.node.deploy import MainnetOptions, account, deploy_mainnet
from dexmm.sandbox.node.funding import add_token_balance
from dexmm.sandbox.node.pools import SWAP_ROUTER
from dexmm.sandbox.node.router import swap_calldata
from dexmm.sandbox.node.token_admin import USDT
from dexmm.scout.find_pools import FACTORY, find_pools
from dexmm.scout.range_logs import fetch_all, finished, open_folder
from dexmm.sim.agents.traders import PoolSwap
from dexmm.sim.chain.background_liquidity import Layer
from dexmm.strategy.pay.pool_pay import (
    arbitrage_keeps,
    lvr_after_arbitrage_fees,
    lvr_rate,
    worth_of_best,
)
from dexmm.units import sqrt_from_price

HOUR, DAY, YEAR = 3600, 86_400, 31_536_000
STEPS = 60
SIGMA = Decimal("0.45")
DEPTH = Decimal(2_000_000)  # quote, between 20 % below and above the price
PRICE = Decimal(4000)
GAS = 400_000
# tier, Uniswap's part of the fee (0: none), other people's fees over what arbitrage really costs
TRUTH = {
    ("USDT", 100): (4, Decimal("0.5")),
    ("USDT", 500): (0, Decimal("2.5")),
    ("USDT", 3000): (6, Decimal("1.6")),
    ("USDT", 10_000): (0, Decimal("0.3")),
    ("USDX", 500): (4, Decimal("3.5")),
    ("USDX", 3000): (0, Decimal("0.7")),
}


@dataclass
class Flowing:
    """One pool, and what was really done to it."""

    market: Market
    fee_protocol: int
    wanted: Decimal
    noise_fees: Decimal = Decimal(0)  # to liquidity, quote

    @property
    def kept(self) -> Decimal:
        return 1 - 1 / Decimal(self.fee_protocol) if self.fee_protocol else Decimal(1)

    @property
    def fee(self) -> Decimal:
        return Decimal(self.market.fee_pips) / 1_000_000


@dataclass
class Scene:
    anvil: Anvil
    base: str
    quotes: tuple[str, str]
    flowing: dict[tuple[str, int], Flowing]
    squares: float = 0.0
    trader: str = field(default_factory=lambda: account("everybody"))

    def cost(self, each: Flowing, sigma: Decimal) -> Decimal:
        """lambda' in whole quote a second, for the liquidity that stands there."""
        rate = sigma / Decimal(YEAR).sqrt()
        root = Decimal(self.liquidity(each)) * PRICE.sqrt()
        keeps = arbitrage_keeps(each.fee, rate, Decimal(HOUR))
        lost = lvr_after_arbitrage_fees(lvr_rate(rate, Decimal(1)), keeps, each.kept)
        return (lost * root).scaleb(-12)  # liquidity counts the root of 18 and 6 decimals

    def liquidity(self, each: Flowing) -> int:
        raw = self.anvil.call(each.market.pool, encode_call("liquidity()"))
        return int.from_bytes(raw, "big")

    def run(self) -> None:
        """An hour a block: others trade there and back, then whoever knows the price."""
        draws, price = random.Random(5), float(PRICE)  # noqa: S311 - a price, not a secret
        step = float(SIGMA) * (HOUR / YEAR) ** 0.5
        sizes = {
            key: each.wanted * self.cost(each, SIGMA) * HOUR / (2 * each.fee * each.kept)
            for key, each in self.flowing.items()
        }
        self.anvil.rpc("anvil_impersonateAccount", [self.trader])
        self.anvil.rpc("evm_setAutomine", [False])
        now = int(self.anvil.block()["timestamp"], 16)
        for _ in range(STEPS):
            move = draws.gauss(0, step)
            price *= 2.718281828459045**move
            self.squares += move * move
            for key, each in self.flowing.items():
                self._noise(each, sizes[key])
                self._arbitrage(each, Decimal(str(round(price, 6))))
            now += HOUR
            self.anvil.rpc("evm_setNextBlockTimestamp", [now])
            self.anvil.rpc("evm_mine")
        self.anvil.rpc("evm_setAutomine", [True])

    def _noise(self, each: Flowing, size: Decimal) -> None:
        """There and back to the very price, so that nothing is left for arbitrage to take."""
        facts = pools.pool_facts(self.anvil, each.market.pool)
        root = Decimal(facts.sqrt_price_x96) / 2**96
        here = root if each.market.base_is_token0 else 1 / root
        liquidity, bought = Decimal(self.liquidity(each)), size.scaleb(6)
        there = here + bought * (1 - each.fee) / liquidity
        sold = liquidity * (1 / here - 1 / there) / (1 - each.fee)
        self._send(each, True, int(bought), 0)
        self._send(each, False, int(sold), 0)
        worth = size + (sold * here * here).scaleb(-6)
        each.noise_fees += worth * each.fee * each.kept

    def _arbitrage(self, each: Flowing, price: Decimal) -> None:
        for buys, edge in ((True, price * (1 - each.fee)), (False, price / (1 - each.fee))):
            amount = 10**13 if buys else 10**24
            limit = each.market.sqrt_price_x96(edge)
            self._send(each, buys, amount, limit)

    def _send(self, each: Flowing, buys: bool, amount: int, limit: int) -> None:
        """One that would move the price the wrong way reverts, which is as good as not trading."""
        swap = PoolSwap(
            zero_for_one=each.market.base_is_token0 is not buys,
            amount_in=amount,
            sqrt_price_limit_x96=limit,
        )
        data = "0x" + swap_calldata(each.market, swap, self.trader).hex()
        sent = {"from": self.trader, "to": SWAP_ROUTER, "data": data, "gas": hex(GAS)}
        self.anvil.rpc("eth_sendTransaction", [sent])


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Anvil(AnvilOptions(timestamp=1_750_075_200)) as anvil:
        deployment = deploy_mainnet(anvil, MainnetOptions(layers=()))
        base = deployment.create_token("GOLD", 18)
        usdx = deployment.create_token("USDX", 6)
        pools.enable_fee(anvil, 100, 1)
        made = Scene(anvil, base, (USDT, usdx), {})
        for token in (base, USDT, usdx):
            add_token_balance(anvil, token, made.trader, 10**30)
            anvil.set_balance(made.trader, 10**24)
            pools.approve(anvil, made.trader, token, SWAP_ROUTER, 10**29)
        for (quote, fee), (part, wanted) in TRUTH.items():
            address = USDT if quote == "USDT" else usdx
            first = int(base, 16) < int(address, 16)
            root = sqrt_from_price(PRICE, *((18, 6) if first else (6, 18)), base_is_token0=first)
            pool = deployment.create_pool(base, address, fee, root)
            layer = Layer(owner=account("others"), width_bp=2000, value=DEPTH)
            _deepen(anvil, pool, layer, first)
            if part:
                pools.set_fee_protocol(anvil, pool, part)
            gold = Token(address=base, symbol="GOLD", decimals=18)
            money = Token(address=address, symbol=quote, decimals=6)
            market = Market(
                chain_id=1,
                pool=pool,
                position_manager=pools.POSITION_MANAGER,
                swap_router=SWAP_ROUTER,
                token0=gold if first else money,
                token1=money if first else gold,
                base_is_token0=first,
                fee_pips=fee,
                tick_spacing=pools.pool_facts(anvil, pool).tick_spacing,
            )
            made.flowing[quote, fee] = Flowing(market, part, wanted)
        made.run()
        yield made


def _deepen(anvil: Anvil, pool: str, layer: Layer, base_is_token0: bool) -> None:
    """Worth the same whichever token comes first."""
    facts = pools.pool_facts(anvil, pool)
    away = 2000 // facts.tick_spacing * facts.tick_spacing
    middle = facts.tick // facts.tick_spacing * facts.tick_spacing
    gold, money = 10**18 * 250, 10**6 * 1_000_000
    amounts = (gold, money) if base_is_token0 else (money, gold)
    pools.mint_position(anvil, layer.owner, pool, middle - away, middle + away, *amounts)


def scout(scene: Scene, capsys: pytest.CaptureFixture[str], *more: object) -> dict[str, Any]:
    capsys.readouterr()
    code = main.run([str(part) for part in (*arguments(scene), "--json", *more)])
    assert code == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def arguments(scene: Scene) -> list[object]:
    return [
        "scout", "--rpc", scene.anvil.url, "--base", scene.base,
        *(part for quote in scene.quotes for part in ("--quote", quote)),
        "--days", "2.5", "--confirmations", "0", "--eth-price", "100",
    ]  # fmt: skip


@pytest.mark.anvil
def test_it_ranks_six_pools_as_what_was_done_to_them(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "scout.html"
    found = scout(scene, capsys, "--logs", tmp_path / "logs", "--page", page)
    assert not (tmp_path / "logs").exists()
    by_pool = {each["pool"]: each for each in found["pools"]}
    assert set(by_pool) == {each.market.pool for each in scene.flowing.values()}

    realised = Decimal(str((scene.squares / (STEPS * HOUR) * YEAR) ** 0.5))
    worth = {}
    for each in scene.flowing.values():
        told = by_pool[each.market.pool]
        cost = scene.cost(each, realised)
        fees = each.noise_fees / (STEPS * HOUR)
        worth[each.market.pool] = worth_of_best(fees, Decimal(1), cost)
        ratio = fees / cost
        # A pool follows hourly jumps one fee behind, so its own returns are up to 8 % smaller.
        within = max(Decimal("0.3"), ratio / 4)
        assert Decimal(told["pay_ratio"]) == pytest.approx(ratio, abs=within), told["name"]
        assert Decimal(told["sigma_annual"]) == pytest.approx(realised, rel=Decimal("0.12"))
        assert told["code"] == ("pays" if ratio > 1 else "loses")
        assert Decimal(told["fee_kept"]) == pytest.approx(each.kept)
        assert told["depth_1_percent"]["up"] is not None
    ranked = sorted(worth, key=lambda pool: -worth[pool])
    paying = [pool for pool in ranked if worth[pool] > 0]
    assert len(paying) == 3
    assert [each["pool"] for each in found["pools"]][: len(paying)] == paying
    assert all(Decimal(each["net_per_day"]) > 0 for each in found["pools"][:3])
    assert all(Decimal(each["net_per_day"]) == 0 for each in found["pools"][3:])
    assert all(pool in page.read_text() for pool in by_pool)
    assert "script src" not in page.read_text()


@pytest.mark.anvil
@pytest.mark.parametrize("columns", [200, 60, 40])
def test_the_table_folds_and_cuts_no_number(
    scene: Scene,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.run([str(part) for part in (*arguments(scene), "--logs", tmp_path / "logs")]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    for heading in ("net/day", "pay ratio", "oracle"):
        assert heading in text
    assert "pays most" in text
    drawn = text.split("GOLD/USDX 0.05 %: ")[0].splitlines()[2:]
    assert all(len(line.rstrip()) <= columns for line in drawn)


@pytest.mark.anvil
def test_an_interrupted_scout_goes_on_with_the_same_blocks(scene: Scene, tmp_path: Path) -> None:
    folder, node = tmp_path / "logs", Node([scene.anvil.url])
    found = find_pools(node.rpc, scene.base, scene.quotes)
    markets = [pool.market for pool in found.pools]
    span = open_folder(folder, node, scene.base, "2.5", 0)
    fetch_all(node, folder, span, markets[:2], lambda *_: None, 0)
    asked = node.requests
    scene.anvil.mine(3, 10)
    again = open_folder(folder, node, scene.base, "2.5", 0)
    assert again == span
    first = fetch_all(node, folder, again, markets, lambda *_: None, 0)
    assert set(first) == {market.pool for market in markets}
    assert node.requests > asked
    before = node.requests
    assert fetch_all(node, folder, again, markets, lambda *_: None, 0) == first
    assert node.requests == before
    with pytest.raises(BadInput, match="unfinished scout"):
        open_folder(folder, node, scene.base, "7", 0)
    (folder / "notes.txt").write_text("mine")
    finished(folder, again, markets)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.anvil
def test_every_pool_is_found_with_three_requests(scene: Scene) -> None:
    node = Node([scene.anvil.url])
    asked: list[str] = []
    call = node.rpc.call

    def counted(method: str, params: Sequence[Any] = ()) -> Any:
        asked.append(method)
        return call(method, params)

    node.rpc.call = counted  # type: ignore[method-assign]
    found = find_pools(node.rpc, scene.base, scene.quotes)
    assert asked.count("eth_call") == 3
    assert {pool.market for pool in found.pools} == {each.market for each in scene.flowing.values()}
    assert found.tokens[0].freeze_known is False
    assert pools.FACTORY == FACTORY


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--base", "0x00000000000000000000000000000000000000A1"], "is no token"),
        (["--base", "GOLDX"], "is none of PAXG"),
        (["--days", "0"], "above 0"),
        (["--days", "400"], "at most 365"),
        (["--capital", "much"], "not a number"),
        (["--page", "/nowhere/at/all.html"], "there is no folder"),
    ],
)
@pytest.mark.anvil
def test_what_is_wrong_is_said(
    scene: Scene, capsys: pytest.CaptureFixture[str], tmp_path: Path, more: list[str], said: str
) -> None:
    given = ["scout", "--rpc", scene.anvil.url, "--logs", str(tmp_path / "logs"), *more]
    assert main.run(given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


def a_market(fee: int = 500) -> Market:
    return Market(
        chain_id=1,
        pool="0xA",
        position_manager="0xB",
        swap_router="0xC",
        token0=Token(address="0x1", symbol="GOLD", decimals=18),
        token1=Token(address="0x2", symbol="USDT", decimals=6),
        base_is_token0=True,
        fee_pips=fee,
        tick_spacing=10,
    )


def test_growth_is_what_the_chain_counts() -> None:
    """A swap of 1,000 USDT at 5 bp pays 0.5, of which a quarter is the protocol's."""
    root = a_market().sqrt_price_x96(PRICE)
    swap = Swap(time=10, amount0=-(10**17), amount1=10**9, sqrt_price_x96=root, liquidity=10**15)
    found = measure_trade([swap], a_market(), 4 << 4, start=0, end=100, blocks=10)
    assert found.growth_quote_x128 == 375_000 * 2**128 // 10**15
    assert found.growth_base_x128 == 0
    assert (found.volume, found.fees) == (1000, Decimal("0.375"))
    assert found.block_seconds == 10
    assert found.liquidity == 10**15


def test_prices_of_a_dear_pool_are_compared_farther_apart() -> None:
    assert sampled_every(500, 30 * DAY) == 1800
    assert sampled_every(3000, 30 * DAY) == 28_382
    assert sampled_every(10_000, 7 * DAY) == 7 * DAY // 8


def test_volatility_of_a_bounce_within_the_fee_is_not_taken_for_the_markets() -> None:
    """A price that stands still, and a pool that is pushed about inside its fee every minute."""
    market = a_market(3000)
    roots = [market.sqrt_price_x96(PRICE * (1 + Decimal(sign) * 3 / 1000)) for sign in (1, -1)]
    swaps = [
        Swap(time=60 * i, amount0=1, amount1=-1, sqrt_price_x96=roots[i % 2], liquidity=10**15)
        for i in range(7 * 1440)
    ]
    found = measure_trade(swaps, market, 0, start=0, end=7 * DAY, blocks=50_000)
    assert found.sigma is not None
    assert found.sigma * Decimal(YEAR).sqrt() < Decimal("0.25")
