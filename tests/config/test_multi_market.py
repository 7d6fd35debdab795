"""Several markets over one wallet: what the file says, who may count what, and both at work."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from dexmm.chain.client import connect
from dexmm.cli.main import run
from dexmm.config.multi_market import choose, load_markets
from dexmm.config.schema import Config
from dexmm.engine.loop import Shutdown, World, run_once
from dexmm.engine.turn import observe
from dexmm.errors import BadInput
from dexmm.health.status import look
from dexmm.paper_exchange.engine.settings import API_KEY, QUIET, SECRET, UNLIMITED, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sandbox.node.deploy import PAXG_USDT_POOL, account
from dexmm.sandbox.node.pools import add_layer, grow_observations
from dexmm.sandbox.node.token_admin import PAXG
from dexmm.sim.chain.background_liquidity import Layer
from dexmm.strategy.decide import decide
from dexmm.strategy.exposure.market_allocation import Member, portion
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import sqrt_from_price
from dexmm.wiring.journal_access import NoIntents
from dexmm.wiring.live import open_worlds
from dexmm.wiring.shared_wallet import account_of_market

if TYPE_CHECKING:
    from dexmm.sandbox.node.deploy import Deployment
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


def test_a_days_gas_is_divided_by_weight(tmp_path: Path) -> None:
    """Each market counts its own: two whole budgets would be twice what was allowed."""
    shared = "[gas]\ndaily_budget_eth = 0.03"
    one, other = load_markets(write(tmp_path, strategy=shared, first="weight = 2"), {})
    budgets = [one.gas.daily_budget_eth, other.gas.daily_budget_eth]
    assert sum(budgets) <= Decimal("0.03")
    assert budgets[0] == pytest.approx(Decimal("0.02"))
    own = "[market.gas]\ndaily_budget_eth = 0.01"
    one, other = load_markets(write(tmp_path, strategy=shared, second=own), {})
    assert (one.gas.daily_budget_eth, other.gas.daily_budget_eth) == (
        Decimal("0.015"),
        Decimal("0.01"),
    )


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


QUOTES_ONLY = """
[[market]]
name = "{name}"
price_low = 2000
price_high = 8000
{more}
[market.exchange]
symbol = "{symbol}"
{key}
[market.quotes]
enabled = true
accept_loss = true
"""


def quotes_only(name: str, symbol: str, more: str = "", key: str = "") -> str:
    return QUOTES_ONLY.format(name=name, symbol=symbol, more=more, key=key)


def test_several_markets_without_a_pool_share_one_exchange_account(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    begins = '[network]\nname = "sandbox"\n'
    usdt, usdc = quotes_only("usdt", "PAXG/USDT"), quotes_only("usdc", "PAXG/USDC")
    path.write_text(begins + usdt + usdc)
    assert [c.exchange.symbol for c in load_markets(path, {}) if c.exchange is not None] == [
        "PAXG/USDT",
        "PAXG/USDC",
    ]
    # Two coins are two inventories: each target only has to suit its own band.
    apart = "\n[market.strategy]\nband_low = 0.6\ntarget = 0.7\nband_high = 0.8\n"
    path.write_text(begins + usdt + quotes_only("btc", "BTC/USDT") + apart)
    assert len(load_markets(path, {})) == 2


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (quotes_only("usdc", "PAXG/USDT"), "two markets have the exchange symbol PAXG/USDT"),
        (
            quotes_only("usdc", "PAXG/USDC", key='id = "okx"'),
            r"usdt and usdc have no pool and different exchange accounts.*a file for each",
        ),
        (
            quotes_only("pool", "PAXG/USDC", f'pool = "{PAXG_USDT_POOL}"\nbase = "{PAXG}"'),
            r"usdt has no pool and pool has one: .*a file for each",
        ),
        (
            quotes_only("usdc", "PAXG/USDC")
            + "[market.strategy]\nband_low = 0.6\ntarget = 0.7\nband_high = 0.8\n",
            "the target 0.35 of usdt lies outside the band 0.6 to 0.8 of usdc",
        ),
    ],
)
def test_markets_without_a_pool_that_contradict_each_other_are_refused_in_their_own_words(
    tmp_path: Path, other: str, says: str
) -> None:
    path = tmp_path / "dexmm.toml"
    network = '[network]\nname = "sandbox"\nrpc_urls = ["http://127.0.0.1:1"]\n'
    path.write_text(network + quotes_only("usdt", "PAXG/USDT") + other)
    with pytest.raises(BadInput, match=says) as refused:
        load_markets(path, {})
    assert "0x0" not in refused.value.message


def test_a_variable_cannot_mean_one_of_several(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="DEXMM_MARKET__BUDGET cannot say which"):
        load_markets(write(tmp_path), {"DEXMM_MARKET__BUDGET": "5"})


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
    monkeypatch.setenv("DEXMM_NETWORK__CONFIRMATIONS", "0")  # nobody mines here: do not wait for it
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

    assert run(["run", "--once", "--config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["usdt", "block"], ["usdc", "block"]]
    assert all("nothing done: " in line for line in lines)

    assert run(["status", "--json", "--config", str(path)]) == 0
    seen = json.loads(capsys.readouterr().out)["markets"]
    assert [m["market"] for m in seen] == ["usdt", "usdc"]
    assert all(m["positions"] for m in seen)
    assert [round(Decimal(m["nav"])) for m in seen] == [23_000, 23_000]
    wallets = [Decimal(m["balances"]["wallet"]["base"]) for m in seen]
    assert sum(wallets) <= Decimal(mainnet.balances(WALLET)[PAXG]) / 10**18

    # So does the doctor, of one of them.
    assert run(["doctor", "--json", "--market", "usdc", "--config", str(path)]) in (0, 2, 3)
    checks = {c["name"]: c["detail"] for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["inventory"].startswith(f"{wallets[1]:.6f} PAXG")

    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    exit_told = json.loads(capsys.readouterr().out)
    assert exit_told["shared_wallet"] is True
    out = exit_told["markets"]
    assert all(m["proved"] and not m["positions"] for m in out)
    assert Decimal(out[-1]["wallet"]["base"]) >= Decimal("3.99")  # all of it, not a part
    assert run(["withdraw", "--dry-run", "--config", str(path)]) == 0
    assert "are one for all markets" in capsys.readouterr().out
    assert mainnet.balances(WALLET)[PAXG] >= 4 * 10**18 - 10


@pytest.mark.anvil
@pytest.mark.parametrize("broken", ["usdt", "usdc"])
def test_a_market_that_cannot_be_seen_keeps_no_other_in_the_pool(
    pair: Any, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that is wrong: its own market is named, the other one comes out and is proved."""
    mainnet, path = pair
    assert run(["run", "--once", "--json", "--config", str(path)]) == 0
    capsys.readouterr()
    pools = {m["name"]: m["pool"] for m in tomllib.loads(path.read_text())["market"]}
    nothing = "0x000000000000000000000000000000000000dEaD"
    path.write_text(path.read_text().replace(pools[broken], nothing))

    assert run(["withdraw", "--json", "--config", str(path)]) == 2
    ends = {m["market"]: m for m in json.loads(capsys.readouterr().out)["markets"]}
    failed, out = ends.pop(broken), ends.popitem()[1]
    assert "no contract at market.pool" in failed["error"]
    assert (failed["exit_code"], failed["proved"]) == (2, False)
    assert out["exit_code"] == 0
    assert out["proved"]
    assert [leg["outcome"]["status"] for leg in out["legs"]] == ["mined"]
    assert out["halted"] == "withdraw was run"

    assert run(["withdraw", "--config", str(path)]) == 2
    told = capsys.readouterr().out
    assert "NOT TAKEN OUT" in told
    assert told.strip().splitlines()[-1].startswith("HALT stays set.")

    path.write_text(path.read_text().replace(nothing, pools[broken]))
    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    assert mainnet.balances(WALLET)[PAXG] >= 4 * 10**18 - 10


@pytest.mark.anvil
def test_a_guard_that_halts_one_market_takes_that_one_out(
    pair: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """HALT would stop the other as well: it is not set."""
    mainnet, path = pair
    assert run(["run", "--once", "--quiet", "--config", str(path)]) == 0
    halts = 'on_halt = "withdraw"\nmax_drawdown_bp = 20\nmax_drawdown_hold_bp = 9999'
    path.write_text(
        path.read_text().replace(
            "price_high = 8000\n", f"price_high = 8000\n[market.guards]\n{halts}\n", 1
        )
    )
    limit = get_sqrt_ratio_at_tick(-193_380 - 200)
    mainnet.swap(zero_for_one=True, amount_in=10**22, sqrt_price_limit_x96=limit)
    mainnet.anvil.set_time(int(mainnet.anvil.block()["timestamp"], 16) + 3600)
    mainnet.anvil.mine()
    capsys.readouterr()
    assert run(["status", "--json", "--config", str(path)]) == 0
    before = Decimal(json.loads(capsys.readouterr().out)["markets"][1]["nav"])
    assert run(["run", "--once", "--json", "--config", str(path)]) == 4
    usdt, usdc = json.loads(capsys.readouterr().out)["markets"]
    assert (usdt["state"], usdt["exit"]["exit_code"]) == ("HALTED", 0)
    assert (usdc["state"], usdc["exit"]) == ("ACTIVE", None)
    assert abs(Decimal(usdc["nav"]) - before) < 1  # what has come out is not the other's
    assert not (path.parent / ".dexmm" / "HALT").exists()
    assert run(["status", "--json", "--config", str(path)]) == 0
    seen = json.loads(capsys.readouterr().out)["markets"]
    assert [bool(market["positions"]) for market in seen] == [False, True]
    assert run(["run", "--once", "--json", "--config", str(path)]) == 4
    usdt, usdc = json.loads(capsys.readouterr().out)["markets"]
    assert (usdt["exit"], usdc["state"]) == (None, "ACTIVE")


@pytest.fixture
def traded(pair: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The same two pools with an exchange account that both trade in; the first with a triangle."""
    mainnet, old = pair
    quiet = PaperSettings(flow=QUIET, flows={}, limits=UNLIMITED)
    path = write(
        tmp_path,
        other=tomllib.loads(old.read_text())["market"][1]["pool"],
        strategy="[guards]\nclosed_weekly = []",
        first="weight = 3\n[market.exchange]\nsymbol = 'PAXG/USDT'\n"
        "triangle = ['PAXG/BTC', 'BTC/USDT']\nmax_spread_bp = 300\n"
        "[market.triangle]\nenabled = true",
        second="[market.exchange]\nsymbol = 'PAXG/USDC'",
    )
    with PaperExchange(quiet) as paper:
        monkeypatch.setenv("DEXMM_EXCHANGE__BASE_URL", paper.url)
        monkeypatch.setenv("DEXMM_EXCHANGE__API_KEY", API_KEY)
        monkeypatch.setenv("DEXMM_EXCHANGE__SECRET", SECRET)
        yield mainnet, path, paper


@pytest.mark.anvil
def test_status_counts_as_run_does_to_the_unit(traded: Any) -> None:
    """With a wallet, an account and a triangle that two markets share, before and after trades.

    A round of the first market's triangle is no deposit of the second.
    """
    _, path, paper = traded
    configs = load_markets(path)
    worlds = open_worlds(configs)
    agreed(configs, worlds, paper)
    for world in worlds:
        run_once(world, Shutdown())
    paper.set_fair_price("PAXGBTC", Decimal("0.04") * Decimal("1.02"))
    gold = agreed(configs, worlds, paper)
    entry = run_once(worlds[0], Shutdown())
    rounds = [o.order for o in entry.outcomes if o.order and o.order.purpose == "triangle"]
    assert [order.symbol for order in rounds] == ["PAXG/USDT", "PAXG/BTC", "BTC/USDT"]
    assert {order.market for order in rounds} == {"usdt"}
    sent = [w.cex.observe().recent_sent for w in worlds if w.cex is not None]
    assert sent[0] == sent[1] >= 3
    assert agreed(configs, worlds, paper) == gold  # its second leg sold what its first had bought
    other = run_once(worlds[1], Shutdown())
    assert not other.memory.capital_moved
    assert "deposit" not in other.decision.reason


def agreed(
    configs: Sequence[Config], worlds: Sequence[World], paper: PaperExchange
) -> list[Decimal]:
    """Holds what ``status`` counts against what ``run`` does; the exchange's gold by market."""
    found = []
    for sight, world in zip(look(configs), worlds, strict=True):
        counted = observe(world.chain, world.journal, world.clock, world.config, world.cex)
        decision = decide(counted, world.config)
        assert sight.snapshot.chain.wallet == counted.chain.wallet
        assert sight.snapshot.chain.positions == counted.chain.positions
        assert sight.snapshot.venue is not None
        assert counted.venue is not None
        assert sight.snapshot.venue.balances == counted.venue.balances
        assert (sight.decision.nav, sight.decision.share) == (decision.nav, decision.share)
        assert sight.decision.trades == decision.trades
        # The exchange's ratio of cancelled orders is the account's, whoever sent them.
        counts = [
            (v.recent_sent, v.recent_cancelled) for v in (sight.snapshot.venue, counted.venue)
        ]
        assert counts[0] == counts[1]
        found.append(counted.venue.balance("PAXG").total)
    with paper.exchange.visit():
        account = paper.exchange.ledger.accounts["paper"]
        assert sum(found) == account.free_of("PAXG") + account.locked_of("PAXG")
    return found


def test_one_symbol_in_two_accounts_is_no_contradiction(tmp_path: Path) -> None:
    parts = {
        "first": '[market.exchange]\nsymbol = "PAXG/USDT"',
        "second": '[market.exchange]\nid = "kucoin"\nsymbol = "PAXG/USDT"',
    }
    one, other = load_markets(write(tmp_path, **parts), {})
    assert account_of_market(one) != account_of_market(other)


@pytest.mark.parametrize(
    ("command", "exchange"),
    [(["status"], "okx"), (["run", "--once"], "okx"), (["status"], "bybit")],
)
def test_a_unified_account_cannot_be_shared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], exchange: str
) -> None:
    """OKX and Bybit book a perpetual's profit into the USDT that the other market counts."""
    perpetual = f'perpetual_id = "{exchange}"\nperpetual_symbol = "PAXG/USDT:USDT"'
    parts = {
        "first": f'[market.exchange]\nid = "{exchange}"\nsymbol = "PAXG/USDT"\n{perpetual}',
        "second": f'[market.exchange]\nid = "{exchange}"\nsymbol = "XAUT/USDT"',
    }
    path = write(tmp_path, **parts)
    (tmp_path / ".env").write_text(f"DEXMM_WALLET__PRIVATE_KEY={KEY}\n")
    assert run([*command, "--config", str(path)]) == 2
    told = capsys.readouterr().err
    assert "one account, which usdt and usdc share" in told
    assert "sub-account" in told


def _weighing(config: Config, weight: Decimal, budget: Decimal | None) -> Config:
    market = config.market.model_copy(update={"weight": weight, "budget": budget})
    return config.model_copy(update={"market": market})


def _amount(view: Any, token: str) -> int:
    amounts = {
        view.market.token0.address: view.wallet.amount0,
        view.market.token1.address: view.wallet.amount1,
    }
    return int(amounts[token])
