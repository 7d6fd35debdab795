"""The exchange's part of an exit, on a paper exchange: flat and proved, or said that it is not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from exchange_scene import CONFIG, KEY

from dexmm.cex.client import open_client
from dexmm.cli.main import run
from dexmm.config.schema import load_config
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import PlaceOrder, SetLeverage
from dexmm.model.venue import Side
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.engine.settings import QUIET, UNLIMITED, Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.store.database import journal_url, open_database
from dexmm.store.orders import SqlOrderLog
from dexmm.withdraw.exchange import ExchangeExit

if TYPE_CHECKING:
    from dexmm.sandbox.node.deploy import Deployment
else:
    Deployment = Any

pytestmark = pytest.mark.anvil
WALLET = str(Account.from_key(KEY).address)


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    settings = PaperSettings(
        accounts=(Opening(spot={"PAXG": Decimal(1), "USDT": Decimal(5000)}, margin=Decimal(5000)),),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )
    with PaperExchange(settings, start_ms=time.time_ns() // 1_000_000) as opened:
        yield opened


@pytest.fixture
def path(
    mainnet: Deployment, paper: PaperExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A wallet in the pool; on the exchange a resting quote, and half a PAXG short."""
    mainnet.fund_wallet(WALLET, eth=Decimal(1))
    mainnet.mint_position(WALLET, -194000, -192000, 10**18, 4000 * 10**6)
    opening = paper.settings.accounts[0]
    for name, value in {
        "WALLET__PRIVATE_KEY": KEY,
        "NETWORK__RPC_URLS": mainnet.anvil.url,
        "NETWORK__CONFIRMATIONS": "0",  # nobody mines what would bury a transaction
        "EXCHANGE__BASE_URL": paper.url,
        "EXCHANGE__API_KEY": opening.api_key,
        "EXCHANGE__SECRET": opening.secret,
    }.items():
        monkeypatch.setenv(f"DEXMM_{name}", value)
    written = tmp_path / "dexmm.toml"
    written.write_text(CONFIG)
    config = load_config(written)
    client = open_client(config, SqlOrderLog(open_database(journal_url(config), durable=True)))
    client.observe()
    for step in (
        _order("PAXG/USDT", Side.BUY, OrderKind.POST_ONLY, Decimal(3900)),
        SetLeverage(symbol="PAXG/USDT:USDT", leverage=Decimal(1)),
        _order("PAXG/USDT:USDT", Side.SELL, OrderKind.IOC, Decimal(3950)),
    ):
        outcome = client.send(step)
        assert outcome.status == "done", outcome
    client.close()
    assert _short(paper) == Decimal("-0.5")
    return written


def test_everything_is_closed_and_proved(
    path: Path, paper: PaperExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["proved"]
    assert told["exchange"]["flat"] is True
    assert told["exchange"]["seen"].startswith(
        "binance shows no order of ours, the perpetual is 0, no order of unknown fate, and 1"
    )
    assert _short(paper) == 0
    assert _resting(paper) == 0
    assert _gold(paper) == 1  # spot gold stays: nobody asked to sell it


def test_spot_gold_is_sold_only_when_asked(
    path: Path, paper: PaperExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["withdraw", "--json", "--convert", "--config", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["exchange"]["flat"] is True
    assert _gold(paper) == 0


def test_a_dry_run_changes_nothing(
    path: Path, paper: PaperExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["withdraw", "--json", "--dry-run", "--config", str(path)]) == 0
    planned = [leg["what"] for leg in json.loads(capsys.readouterr().out)["legs"]]
    assert any("close the perpetual of -0.5" in what for what in planned)
    assert _short(paper) == Decimal("-0.5")
    assert _resting(paper) == 1


def test_an_exchange_that_is_down_keeps_nothing_in_the_pool(
    path: Path, paper: PaperExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    paper.add_fault(FaultRule(endpoint="*", effect=Effect.SERVER_ERROR, times=0))
    assert run(["withdraw", "--json", "--config", str(path)]) == 5
    told = json.loads(capsys.readouterr().out)
    assert told["proved"], "the chain's part is done all the same"
    assert not told["positions"]
    assert any("the exchange" in line for line in told["unfinished"])
    paper.clear_faults()
    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    assert _short(paper) == 0


@pytest.mark.parametrize("withheld", [(), ("1 PAXG on the exchange is not sold: no buyers",)])
def test_a_perpetual_that_is_open_again_is_told(
    path: Path,
    paper: PaperExchange,
    withheld: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody else trades in the account after it was closed; whatever else is left."""
    prove = ExchangeExit._prove

    def after_somebody_traded(leaving: ExchangeExit, cex: Any) -> None:
        _sell_half(path)
        leaving.withheld.extend(withheld)
        prove(leaving, cex)

    with monkeypatch.context() as patched:
        patched.setattr(ExchangeExit, "_prove", after_somebody_traded)
        assert run(["withdraw", "--json", "--config", str(path)]) == 5
    told = json.loads(capsys.readouterr().out)
    assert told["exchange"]["flat"] is False
    assert told["withheld"] == list(withheld)
    assert told["unfinished"] == [
        "the perpetual is -0.5 again: something else trades in this account, stop it"
    ]
    assert told["proved"], "the chain's part is proved all the same"
    assert run(["withdraw", "--json", "--config", str(path)]) == 0
    assert _short(paper) == 0


def _sell_half(path: Path) -> None:
    config = load_config(path)
    journal = path.parent / "somebody.sqlite"
    log = SqlOrderLog(open_database(f"sqlite:///{journal}", durable=True))
    client = open_client(config, log)
    client.observe()
    outcome = client.send(_order("PAXG/USDT:USDT", Side.SELL, OrderKind.IOC, Decimal(3950)))
    assert outcome.status == "done", outcome
    client.close()


def _order(symbol: str, side: Side, kind: OrderKind, price: Decimal) -> PlaceOrder:
    return PlaceOrder(
        symbol=symbol,
        side=side,
        order=kind,
        purpose=Purpose.HEDGE,
        amount=Decimal("0.5"),
        price=price,
    )


def _short(paper: PaperExchange) -> Decimal:
    with paper.exchange.visit():
        account = next(iter(paper.exchange.ledger.accounts.values()))
        return account.futures.position("PAXGUSDT").amount


def _gold(paper: PaperExchange) -> Decimal:
    with paper.exchange.visit():
        account = next(iter(paper.exchange.ledger.accounts.values()))
        return account.free_of("PAXG") + account.locked_of("PAXG")


def _resting(paper: PaperExchange) -> int:
    with paper.exchange.visit():
        return sum(len(market.open) for market in paper.exchange.markets.values())
