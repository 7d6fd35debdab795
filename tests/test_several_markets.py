"""Several markets over one wallet: what the file says, who may count what, and both at work."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from dexmm.chain.client import connect
from dexmm.cli.main import run
from dexmm.config import Config
from dexmm.errors import BadInput
from dexmm.markets import choose, load_markets
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.venue import Side
from dexmm.ops.records import NoIntents
from dexmm.sandbox.issuers import PAXG
from dexmm.sandbox.mainnet import PAXG_USDT_POOL, account
from dexmm.sandbox.pools import add_layer, grow_observations
from dexmm.sim.background import Layer
from dexmm.strategy.portions import Member, net, portion
from dexmm.units import sqrt_from_price

if TYPE_CHECKING:
    from dexmm.sandbox.mainnet import Deployment
else:
    Deployment = Any

KEY = "0x" + "5c" * 32
WALLET = str(Account.from_key(KEY).address)
OTHER_POOL = "0x5aE13BAAEF0620FdaE1D355495Dc51a17adb4082"
PRICE = Decimal(4000)

FILE = """
[network]
name = "sandbox"
rpc_urls = ["http://127.0.0.1:1"]

[wallet]
{wallet}

[strategy]
economic_gate = false
{strategy}

[[market]]
name = "usdt"
pool = "{one}"
base = "{paxg}"
price_low = 2000
price_high = 8000
{first}

[[market]]
name = "usdc"
pool = "{other}"
base = "{paxg}"
price_low = 2000
price_high = 8000
{second}
"""


def write(folder: Path, other: str = OTHER_POOL, **parts: str) -> Path:
    path = folder / "dexmm.toml"
    names = ("wallet", "strategy", "first", "second")
    filled = {name: parts.get(name, "") for name in names}
    path.write_text(FILE.format(one=PAXG_USDT_POOL, other=other, paxg=PAXG, **filled))
    return path


def test_each_market_is_a_configuration_of_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        first='[market.exchange]\nsymbol = "PAXG/USDT"',
        second="[market.strategy]\nband_high = 0.45",
    )
    one, other = load_markets(path, {})
    assert (one.market.name, other.market.name) == ("usdt", "usdc")
    assert (one.strategy.band_high, other.strategy.band_high) == (Decimal("0.50"), Decimal("0.45"))
    assert other.strategy.economic_gate is False  # shared settings stay
    assert one.exchange is not None
    assert other.exchange is None
    assert one.fingerprint() != other.fingerprint()
    assert choose((one, other), "usdc", path) is other
    with pytest.raises(BadInput, match="--market usdt or usdc"):
        choose((one, other), None, path)


def test_a_capital_limit_is_divided_by_weight(tmp_path: Path) -> None:
    path = write(tmp_path, wallet="capital_limit = 90000", first="weight = 2", second="budget = 10")
    assert [c.market.budget for c in load_markets(path, {})] == [Decimal(60_000), Decimal(10)]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"second": "[market.strategy]\nband_high = 0.30\ntarget = 0.25"}, "target 0.35 of usdt"),
        ({"other": PAXG_USDT_POOL}, "two markets have the pool"),
        ({"second": "[market.network]\nchain_id = 5"}, "network is shared by all markets"),
        ({"second": "[market.strategy]\nband_hihg = 0.3"}, "did you mean band_high"),
        (
            {
                "first": '[market.exchange]\nsymbol = "PAXG/USDT"',
                "second": '[market.exchange]\nsymbol = "PAXG/USDT"',
            },
            "two markets have the exchange symbol",
        ),
    ],
)
def test_markets_that_contradict_each_other_are_refused(
    tmp_path: Path, parts: dict[str, str], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        load_markets(write(tmp_path, **parts), {})


def test_a_variable_cannot_mean_one_of_several(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="DEXMM_MARKET__BUDGET cannot say which"):
        load_markets(write(tmp_path), {"DEXMM_MARKET__BUDGET": "5"})


def test_fills_belong_to_the_market_that_traded() -> None:
    bought = OrderIntent(
        client_id="a",
        account="x",
        symbol="PAXG/USDT",
        side=Side.BUY,
        kind=OrderKind.IOC,
        purpose=Purpose.HEDGE,
        amount=Decimal(1),
        price=Decimal(4000),
        reduce_only=False,
        created_at=1,
        status=OrderStatus.CLOSED,
        filled=Decimal(1),
        cost=Decimal(4000),
        fee_base=Decimal("0.001"),
    )
    sold = replace(
        bought,
        client_id="b",
        symbol="PAXG/USDC",
        side=Side.SELL,
        fee_base=Decimal(0),
        fee_quote=Decimal(4),
    )
    orders = (bought, sold)
    assert net(orders, "PAXG/USDT", "PAXG") == Decimal("0.999")
    assert net(orders, "PAXG/USDC", "PAXG") == Decimal(-1)
    assert net(orders, "PAXG/USDC", "USDC") == Decimal(3996)
    assert net(orders, "PAXG/USDT", "USDC") == 0


@pytest.fixture
def pair(mainnet: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """PAXG/USDC beside PAXG/USDT, both with liquidity and history; a wallet with all three."""
    anvil = mainnet.anvil
    usdc = mainnet.create_token("USDC", 6)
    first = int(PAXG, 16) < int(usdc, 16)
    root = sqrt_from_price(PRICE, *((18, 6) if first else (6, 18)), base_is_token0=first)
    pool = mainnet.create_pool(PAXG, usdc, 500, root)
    grow_observations(anvil, account("pool maker"), pool, 100)
    value = Decimal(2_000_000) if first else Decimal(500)
    add_layer(
        anvil, pool, Layer(owner=account("wide 9"), value=value, width_bp=None), 6 if first else 18
    )
    anvil.set_time(int(anvil.block()["timestamp"], 16) + 7200)
    anvil.mine()
    mainnet.fund_wallet(WALLET, eth=Decimal(1), paxg=Decimal(4), usdt=Decimal(15_000))
    mainnet.add_tokens(usdc, WALLET, 15_000 * 10**6)
    path = write(tmp_path, other=pool)
    monkeypatch.setenv("DEXMM_NETWORK__RPC_URLS", anvil.url)
    monkeypatch.setenv("DEXMM_WALLET__PRIVATE_KEY", KEY)
    return mainnet, path


@pytest.mark.anvil
def test_no_token_is_promised_twice(pair: Any) -> None:
    """Whatever the weights: the parts add up to the wallet at most, and a budget holds."""
    _, path = pair
    configs = load_markets(path)
    views = [connect(c, NoIntents(), lambda: 0, read_only=False).observe() for c in configs]
    for weights in ((1, 1), (3, 1), (Decimal("0.001"), 7)):
        members = tuple(
            Member(config=_weighing(config, Decimal(weight), None), view=view)
            for config, view, weight in zip(configs, views, weights, strict=True)
        )
        parts = [portion(members, n, None, ())[0] for n in (0, 1)]
        gold = [_amount(part, PAXG) for part in parts]
        assert sum(gold) <= 4 * 10**18
        assert sum(gold) >= 4 * 10**18 - 2
        assert gold[0] * weights[1] == pytest.approx(float(gold[1] * weights[0]), rel=1e-9)
    capped = tuple(
        Member(config=_weighing(c, Decimal(1), Decimal(1000)), view=v)
        for c, v in zip(configs, views, strict=True)
    )
    view, _venue = portion(capped, 0, None, ())
    base, quote = view.market.base_quote(view.wallet.amount0, view.wallet.amount1)
    assert Decimal(999) < base * PRICE + quote <= Decimal(1001)


@pytest.mark.anvil
def test_two_pools_one_wallet(pair: Any, capsys: pytest.CaptureFixture[str]) -> None:
    mainnet, path = pair
    assert run(["run", "--once", "--json", "--config", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)["markets"]
    assert [(m["market"], m["trigger"]) for m in told] == [("usdt", "start"), ("usdc", "start")]
    assert all(m["outcomes"][-1]["status"] == "mined" for m in told)
    # Each counts half of the gold and all of its own quote: neither sees the other's part.
    assert [round(Decimal(m["nav"])) for m in told] == [23_000, 23_000]
    assert mainnet.balances(WALLET)[PAXG] >= 0

    # The mints of one have not moved the other's part: there is nothing more to do.
    assert run(["run", "--once", "--json", "--config", str(path)]) == 0
    again = json.loads(capsys.readouterr().out)["markets"]
    assert [m["outcomes"] for m in again] == [[], []]
    assert [round(Decimal(m["nav"])) for m in again] == [23_000, 23_000]

    assert run(["status", "--json", "--config", str(path)]) == 0
    seen = json.loads(capsys.readouterr().out)["markets"]
    assert [m["market"] for m in seen] == ["usdt", "usdc"]
    assert all(m["positions"] for m in seen)

    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    out = json.loads(capsys.readouterr().out)["markets"]
    assert all(m["proved"] and not m["positions"] for m in out)
    assert mainnet.balances(WALLET)[PAXG] >= 4 * 10**18 - 10


def _weighing(config: Config, weight: Decimal, budget: Decimal | None) -> Config:
    market = config.market.model_copy(update={"weight": weight, "budget": budget})
    return config.model_copy(update={"market": market})


def _amount(view: Any, token: str) -> int:
    amounts = {
        view.market.token0.address: view.wallet.amount0,
        view.market.token1.address: view.wallet.amount1,
    }
    return int(amounts[token])
