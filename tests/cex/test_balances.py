"""What a derivatives account is worth, at exchanges that count it in different ways."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import ccxt
import pytest
from cex.cex_world import PERPETUAL, Hand, config_for, order
from cex.kucoin_world import Kucoin, kucoin
from cex.okx_world import Okx, okx

from dexmm.cex.balances import read_balances, read_perpetual
from dexmm.cex.capabilities import capabilities
from dexmm.cex.ccxt_session import Lane, Pause
from dexmm.cex.client import ExchangeClient, open_client
from dexmm.cex.exchange import make
from dexmm.cex.instruments import Markets
from dexmm.cex.margins import TOTAL_WITH_PROFIT, UNIFIED, cash, request_of
from dexmm.cex.perpetual import SwapWatch
from dexmm.cex.trading_venue import Desk
from dexmm.cli import main
from dexmm.config.schema import Exchange
from dexmm.errors import BadInput, Transient
from dexmm.health.check import Verdict
from dexmm.health.exchange import exchange
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import CancelAll, CancelOrder, PlaceOrder, SetLeverage
from dexmm.model.venue import Book, Level, Perpetual, Side, VenueView
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog
from dexmm.strategy.exposure.exchange_inventory import amounts_there, held_there
from dexmm.strategy.risk.liquidation import equity_of, liquidation_price

D = Decimal
ON_OKX = f"""
[network]
name = "sandbox"

[market]
price_low = 2000
price_high = 8000

[exchange]
id = "okx"
symbol = "PAXG/USDT"
perpetual_id = "okx"
perpetual_symbol = "{PERPETUAL}"

[quotes]
enabled = true
"""


@contextmanager
def trading(root: Path, world: Okx | Kucoin) -> Iterator[ExchangeClient]:
    log = SqlOrderLog(open_database(f"sqlite:///{root / 'journal.sqlite'}", durable=True))
    names = ("okx", "okx") if isinstance(world, Okx) else ("kucoin", "kucoinfutures")
    keys = {"password": "passphrase", "perpetual_symbol": PERPETUAL}
    config = config_for(root, world.url, id=names[0], perpetual_id=names[1], **keys)
    client = open_client(config, log, Hand())
    for lane in client.connection.lanes():
        lane.exchange.enableRateLimit = False
    try:
        yield client
    finally:
        client.close()


def on_perpetual(side: Side, amount: str, price: str, **more: Any) -> PlaceOrder:
    return order(side, amount, price, symbol=PERPETUAL, **more)


def worth(view: VenueView, price: Decimal) -> Decimal:
    held = held_there(view, price)
    base = held.spot_base + held.perpetual_base
    return base * price + held.spot_quote + held.perpetual_quote


def test_a_flat_perpetual_without_a_mark_price_stands_in_the_middle_of_its_book(
    tmp_path: Path,
) -> None:
    """OKX tells a mark price with a position alone."""
    with okx() as world, trading(tmp_path, world) as client:
        position = client.observe().position
        assert position is not None
        assert (position.base, position.mark_price, position.shared) == (0, D(4000), True)
        assert position.funding_rate == D("0.0001")


@pytest.mark.parametrize("later", ["4400", "3600"])
def test_in_one_account_a_short_and_its_profit_count_once(tmp_path: Path, later: str) -> None:
    with okx() as world, trading(tmp_path, world) as client:
        client.observe()
        sold = client.send(on_perpetual(Side.SELL, "1.50", "3990"))
        assert sold.order is not None
        assert (sold.status, sold.order.filled) == ("done", D("1.50"))
        moved = amounts_there(client.observe())
        world.mid = D(later)
        view = client.observe()
        assert view.position is not None
        assert (view.position.base, view.position.margin) == (D("-1.50"), 0)
        assert worth(view, world.mid) == world.worth
        assert amounts_there(view) == moved  # a price that moves is no deposit
        assert equity_of(view, view.position) == world.cash["USDT"] + world.profit
        # (equity + short * mark) / (short * 1.05): what is left there covers 5 % of the notional
        equity = world.cash["USDT"] + world.profit
        assert liquidation_price(view) == (equity + D("1.5") * world.mid) / (D("1.5") * D("1.05"))


def test_a_position_that_is_gone_at_once_is_believed_the_second_time(tmp_path: Path) -> None:
    """An answer that lists none: the hedge would open all of it again."""
    with okx() as world, trading(tmp_path, world) as client:
        client.observe()
        client.send(on_perpetual(Side.SELL, "1.50", "3990"))
        client.observe()
        held, world.position = world.position, D(0)
        with pytest.raises(Transient, match=r"no position in PAXG/USDT:USDT, where -1.50 was held"):
            client.observe()
        world.position = held
        assert client.observe().position is not None
        world.position = D(0)  # a person has closed it, or the exchange has
        with pytest.raises(Transient, match="no position"):
            client.observe()
        position = client.observe().position
        assert position is not None
        assert position.base == 0


def test_lost_answers_to_perpetual_orders_there_are_found_by_our_id(tmp_path: Path) -> None:
    with okx() as world, trading(tmp_path, world) as client:
        client.observe()
        world.lost = 1
        sold = client.send(on_perpetual(Side.SELL, "0.50", "3990"))
        client.observe()
        world.lost = 1
        bought = client.send(on_perpetual(Side.BUY, "0.50", "4010", reduce_only=True))
        assert (sold.status, bought.status) == ("done", "done")
        assert (len(world.orders), world.position) == (2, 0)
        assert worth(client.observe(), world.mid) == world.worth
        assert client.send(CancelAll()).status == "done"


@pytest.mark.parametrize("mode", ["CROSS", "ISOLATED"])
def test_kucoin_s_orders_state_the_margin_mode_of_the_symbol(tmp_path: Path, mode: str) -> None:
    with kucoin() as world, trading(tmp_path, world) as client:
        world.margin_mode = mode
        client.observe()
        sold = client.send(on_perpetual(Side.SELL, "1.50", "3990"))
        assert sold.order is not None
        assert (sold.status, sold.order.filled) == ("done", D("1.50")), sold.detail
        world.mid = D(4400)
        view = client.observe()
        assert view.position is not None
        assert (view.position.margin, view.position.unrealised) == (world.money, world.profit)
        assert worth(view, world.mid) == world.worth
        world.lost = 1
        bought = client.send(on_perpetual(Side.BUY, "1.50", "4410", reduce_only=True))
        assert (bought.status, world.position, len(world.orders)) == ("done", 0, 2)
        assert worth(client.observe(), world.mid) == world.worth


def test_an_order_lives_at_kucoin_as_anywhere(tmp_path: Path) -> None:
    with kucoin() as world, trading(tmp_path, world) as client:
        client.observe()
        world.lost = 1
        bought = client.send(order(Side.BUY, "0.1", "4005"))
        assert bought.order is not None
        assert (bought.status, bought.order.filled) == ("done", D("0.1"))
        assert bought.order.fee_quote == D("0.40004")
        rest = order(Side.BUY, "0.1", "3900", order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE)
        placed = client.send(rest)
        assert placed.order is not None
        assert [o.ours for o in client.observe().resting] == [True]
        cancel = CancelOrder(symbol=rest.symbol, client_id=placed.order.client_id)
        assert client.send(cancel).status == "done"
        view = client.observe()
        assert (view.resting, view.pending, len(world.orders)) == ((), (), 2)
        assert view.balance("PAXG").total == world.spot["PAXG"] == D("5.1")
        assert client.send(SetLeverage(symbol=PERPETUAL, leverage=D(1))).status == "done"


# Separate accounts, as the exchanges' documents show them: 10,000 in it, a short of 1 at 4000 that
# has lost 100 at 4100.
GATE = {
    "/futures/usdt/accounts": {"currency": "USDT", "total": "10000", "available": "9000"},
    "/futures/usdt/positions": [
        {
            "contract": "PAXG_USDT",
            "size": -100,
            "leverage": "0",
            "cross_leverage_limit": "1",
            "value": "4100",
            "entry_price": "4000",
            "mark_price": "4100",
            "liq_price": "13000",
            "unrealised_pnl": "-100",
            "mode": "single",
        }
    ],
    "/futures/usdt/contracts/PAXG_USDT": {
        "name": "PAXG_USDT",
        "mark_price": "4100",
        "funding_rate": "0.0001",
        "funding_next_apply": 1_795_800_000,
        "funding_interval": 28_800,
    },
    "/account/detail": {"user_id": 1, "key": {"mode": 1}},
}
KUCOIN = {
    "/api/v1/account-overview": {"currency": "USDT", "accountEquity": "9900"},
    "/api/v1/positions": [
        {
            "id": "1",
            "symbol": "PAXGUSDTM",
            "currentQty": -100,
            "avgEntryPrice": "4000",
            "markPrice": "4100",
            "unrealisedPnl": "-100",
            "liquidationPrice": "13000",
            "currentTimestamp": 1_795_790_000_000,
            "crossMode": True,
        }
    ],
    "/api/v1/funding-rate/PAXGUSDTM/current": {
        "symbol": ".PAXGUSDTMFPI8H",
        "value": "0.0001",
        "granularity": 28_800_000,
        "timePoint": 1_795_770_000_000,
        "fundingTime": 1_795_800_000_000,
    },
    "/api/ua/v1/account/mode": {"selfAccountMode": "CLASSIC"},
}


@contextmanager
def answering(answers: dict[str, Any], *, wrapped: bool) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            found = next((v for k, v in answers.items() if path.endswith(k)), None)
            assert found is not None, path
            body = json.dumps({"code": "200000", "data": found} if wrapped else found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def markets_at(exchange_id: str, market_id: str, url: str) -> tuple[Lane, Markets]:
    settings = Exchange(id=exchange_id, api_key="k", secret="cw==", password="p", base_url=url)
    there = make(settings, exchange_id, contract=True)
    there.enableRateLimit = False
    market = {
        "id": market_id, "symbol": PERPETUAL, "base": "PAXG", "quote": "USDT", "settle": "USDT",
        "baseId": "PAXG", "quoteId": "USDT", "settleId": "usdt", "type": "swap", "spot": False,
        "swap": True, "contract": True, "linear": True, "inverse": False, "contractSize": "0.01",
        "precision": {"amount": "1", "price": "0.01"}, "limits": {"amount": {}, "cost": {}},
        "maker": "0.0002", "taker": "0.0005", "active": True, "info": {},
    }  # fmt: skip
    there.set_markets([market], {"USDT": {"id": "USDT", "code": "USDT"}})
    lane = Lane(there, Pause())
    markets = Markets(lane, (), lambda: int(time.time()))
    markets._loaded_at = int(time.time())  # these ones
    markets._fees[PERPETUAL] = (D("0.0002"), D("0.0005"))
    markets._fees_at = markets._loaded_at
    return lane, markets


def read_at(exchange_id: str, market_id: str, url: str) -> Perpetual:
    lane, markets = markets_at(exchange_id, market_id, url)
    instrument = markets.instrument(PERPETUAL)
    level = Level(price=D(4099), amount=D(1)), Level(price=D(4101), amount=D(1))
    book = Book(symbol=PERPETUAL, bids=level[:1], asks=level[1:], at=0)
    return read_perpetual(lane, instrument, markets.contract_size(PERPETUAL), book, shared=False)


@pytest.mark.parametrize(
    ("exchange_id", "market_id", "answers", "wrapped"),
    [
        ("gate", "PAXG_USDT", GATE, False),  # its total is without the loss
        ("kucoinfutures", "PAXGUSDTM", KUCOIN, True),  # its equity is with it
    ],
)
def test_a_loss_that_is_not_realised_counts_once_wherever_it_stands(
    exchange_id: str, market_id: str, answers: dict[str, Any], *, wrapped: bool
) -> None:
    with answering(answers, wrapped=wrapped) as url:
        position = read_at(exchange_id, market_id, url)
    assert (position.base, position.entry_price, position.mark_price) == (-1, 4000, 4100)
    assert (position.margin, position.unrealised) == (D(10_000), D(-100))
    assert position.liquidation_price == 13_000
    assert position.funding_rate == D("0.0001")
    assert position.funding_at == 1_795_800_000_000


def test_where_leverage_cannot_be_asked_the_position_tells_it() -> None:
    """ccxt has ``fetchLeverage`` at Gate, and refuses it for perpetuals."""
    with answering(GATE, wrapped=False) as url:
        lane, markets = markets_at("gate", "PAXG_USDT", url)
        desk = Desk(lane, markets, capabilities(lane.exchange, contract=True))
        assert SwapWatch(desk, PERPETUAL, cast("Any", None), lane.now_ms)._read_leverage() is None


def test_the_doctor_reads_the_account_as_every_turn_does(tmp_path: Path) -> None:
    name = f"{PERPETUAL} account"
    with okx() as world:
        perpetual = {"perpetual_id": "okx", "perpetual_symbol": PERPETUAL}
        config = config_for(tmp_path, world.url, id="okx", password="p", **perpetual)
        flat = {check.name: check for check in exchange(config)}[name]
        world.position, world.entry = D(-150), D(4000)
        short = {check.name: check for check in exchange(config)}[name]
    assert (flat.verdict, short.verdict) == (Verdict.OK, Verdict.OK)
    assert flat.detail == "the spot account is its margin, no position, mark 4000.00"
    assert short.detail == "the spot account is its margin, a short of 1.5, mark 4000.00"


def test_status_says_that_one_account_is_the_margin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dexmm.toml").write_text(ON_OKX)
    for key in ("API_KEY", "SECRET", "PASSWORD"):
        monkeypatch.setenv(f"DEXMM_EXCHANGE__{key}", f"{key.lower()}-of-nobody")
    with okx() as world:
        monkeypatch.setenv("DEXMM_EXCHANGE__BASE_URL", world.url)
        world.position, world.entry = D(-150), D(3990)
        code = main.run(["status", "--config", str(tmp_path / "dexmm.toml")])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "5.000000 PAXG, 30 000.00 USDT, perpetual -1.500000 on the same account" in said
    assert "49 985.00 USDT" in said  # what the short has lost is in the inventory's worth


def test_one_account_whose_money_is_not_told_apart_is_refused(tmp_path: Path) -> None:
    with okx() as world, trading(tmp_path, world) as client:
        for lane in client.connection.lanes():
            lane.exchange.id = "bitget"  # as if OKX's one account were that exchange's
        with pytest.raises(BadInput, match="bitget keeps spot and perpetuals in one account"):
            client.observe()


def test_whose_margin_is_not_known_is_refused_as_a_perpetual_and_not_as_spot() -> None:
    can = {c: capabilities(ccxt.mexc(), contract=c) for c in (True, False)}
    assert [words for words in can[True].missing(quotes=False) if words.startswith("margin that")]
    assert can[False].missing(quotes=True) == ()
    assert set(TOTAL_WITH_PROFIT) <= set(ccxt.exchanges) | {"bybiteu", "gateeu", "okxus", "myokx"}
    assert set(TOTAL_WITH_PROFIT) >= UNIFIED


def test_a_perpetual_that_is_settled_in_its_base_is_refused() -> None:
    coins = ccxt.okx()
    coins.set_markets(
        [
            {
                "id": "PAXG-USD-SWAP", "symbol": "PAXG/USD:PAXG", "base": "PAXG", "quote": "USD",
                "settle": "PAXG", "type": "swap", "spot": False, "swap": True, "contract": True,
                "linear": False, "inverse": True, "contractSize": 10, "active": True, "info": {},
                "precision": {"amount": 1, "price": 0.01}, "limits": {"amount": {}, "cost": {}},
            }
        ]
    )  # fmt: skip
    markets = Markets(Lane(coins, Pause()), (), lambda: 0)
    markets._loaded_at = 0
    with pytest.raises(BadInput, match=r"settled in PAXG: use a perpetual that is settled in USD"):
        markets.instrument("PAXG/USD:PAXG")


def test_the_account_that_was_asked_for_is_known_by_its_request() -> None:
    one = request_of("https://x/v5/account/wallet-balance?accountType=UNIFIED&timestamp=1")
    again = request_of("https://x/v5/account/wallet-balance?timestamp=2&accountType=UNIFIED")
    assert one == again
    assert one != request_of("https://x/v5/account/wallet-balance?accountType=CONTRACT")


def test_cash_is_read_where_totals_are_with_profit() -> None:
    answer = {"info": {"data": [{"details": [{"ccy": "USDT", "cashBal": "7.5", "eq": "9"}]}]}}
    assert cash("okx", answer) == {"USDT": D("7.5")}
    assert cash("kucoin", answer) == {}
    assert cash("okx", {"info": []}) == {}


def test_a_coin_of_which_only_a_part_is_told_is_held_and_a_strange_one_blocks_nothing() -> None:
    """ccxt's total of a coin that stands in one of free and locked alone is None."""
    coins = {"PAXG": {"free": "1.5"}, "USDT": {"locked": "7"}, "ODD": {}, "DUST": {"free": "0"}}
    answers = {"/spot/accounts": [{"currency": c, **_of_gate(t)} for c, t in coins.items()]}
    with answering({**answers, **GATE}, wrapped=False) as url:
        settings = Exchange(id="gate", api_key="k", secret="cw==", base_url=url)
        spot = make(settings, "gate", contract=False)
        spot.set_markets([], {})
        held = {b.coin: (b.free, b.total) for b in read_balances(Lane(spot, Pause()))}
        assert held == {"PAXG": (D("1.5"), D("1.5")), "USDT": (0, 7)}
        with pytest.raises(Transient, match="no balance of ODD"):
            read_balances(Lane(spot, Pause()), ("PAXG", "ODD"))


def _of_gate(told: dict[str, str]) -> dict[str, str]:
    return {{"free": "available"}.get(name, name): value for name, value in told.items()}
