"""What ccxt would send for an order at each of its exchanges, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cex.cex_world import config_for

from dexmm.cex.capabilities import Precision, capabilities
from dexmm.cex.client import open_client
from dexmm.cex.dry_orders import (
    FORMS,
    LENGTH_SOURCES,
    LENGTHS,
    SPOT_LENGTHS,
    _market,
    carried,
    form_of,
    kind_of,
    length_of,
)
from dexmm.cex.orders.client_order_id import Form
from dexmm.cex.overview import overview
from dexmm.config.schema import Exchange
from dexmm.errors import BadInput
from dexmm.health.check import Verdict
from dexmm.health.exchange import exchange
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog

PAXG, SWAP = "PAXG/USDT", "PAXG/USDT:USDT"
TABLE = Path(__file__).resolve().parents[2] / "docs" / "exchanges.md"
DIGEST = "fedcba9876543210" * 2


def test_the_table_of_all_exchanges_is_what_ccxt_does() -> None:
    assert TABLE.read_text() == overview(), "python -m dexmm.cex.overview > docs/exchanges.md"


def usable(*, contract: bool) -> Iterator[str]:
    for exchange_id in ccxt.exchanges:
        if not carried(exchange_id, contract=contract).reasons:
            yield exchange_id


def sent(exchange_id: str, client_id: str, *, contract: bool = False, **params: Any) -> str:
    """Every request, down to its signature, that placing an order makes before one is refused."""
    found = kind_of(exchange_id)(
        {"apiKey": "12345678", "secret": "c2VjcmV0", "password": "p", "enableRateLimit": False}
    )
    symbol = SWAP if contract else PAXG
    found.set_markets([_market(found, symbol, contract=contract)], {})
    found.accounts = [{"id": "1", "type": "spot", "code": None, "info": {}}]
    found.is_unified_enabled = lambda *_, **__: [True, True]
    requests: list[str] = []

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        requests.append(f"{url} {body}")
        return {}

    found.fetch = fetch
    amount = "3" if contract else "0.1234"
    with suppress(Exception):  # an empty answer is no order, whatever a parser makes of it
        found.create_order(
            symbol, "limit", "buy", amount, "4321.98", {"clientOrderId": client_id, **params}
        )
    return "\n".join(requests)


@pytest.mark.parametrize("contract", [False, True])
def test_our_id_is_in_the_signed_request_of_every_exchange_that_is_not_refused(
    contract: bool,
) -> None:
    without = []
    for exchange_id in usable(contract=contract):
        client_id = form_of(exchange_id, contract=contract).write("h", DIGEST)
        if exchange_id == "gemini":  # its parameters are in a header, in base 64
            continue
        if client_id not in sent(exchange_id, client_id, contract=contract):
            without.append(exchange_id)
    assert without == []


@pytest.mark.parametrize(
    ("exchange_id", "form"),
    [
        ("binance", Form.TEXT_32),
        ("okx", Form.TEXT_32),
        ("kucoin", Form.TEXT_32),
        ("coinbase", Form.TEXT_32),
        ("gate", Form.TEXT_28),
        ("kraken", Form.TEXT_18),
        ("coinbaseexchange", Form.UUID),
    ],
)
def test_the_form_of_ids(exchange_id: str, form: Form) -> None:
    assert form_of(exchange_id, contract=False) is form


@pytest.mark.parametrize(
    ("exchange_id", "name", "generated"),
    [("coinbase", "client_order_id", "ccxt-"), ("cryptocom", "client_oid", None)],
)
def test_ids_that_ccxt_drops_are_sent_under_the_exchanges_own_name(
    exchange_id: str, name: str, generated: str | None
) -> None:
    mine = Form.TEXT_32.write("q", DIGEST)
    dropped = _request(getattr(ccxt, exchange_id), mine)
    assert mine not in dropped
    assert generated is None or generated in dropped
    assert f'"{name}": "{mine}"' in _request(kind_of(exchange_id), mine)


def _request(kind: Any, client_id: str) -> str:
    """The parameters of the order before they are signed."""
    found = kind({"apiKey": "k", "secret": "c2VjcmV0"})
    found.set_markets([_market(found, PAXG, contract=False)], {})
    asked: list[Any] = []

    def fetch2(*arguments: Any, **named: Any) -> Any:
        asked.append([*arguments, named])
        raise ccxt.NetworkError("caught")

    found.fetch2 = fetch2
    with pytest.raises(ccxt.NetworkError):
        found.create_order(PAXG, "limit", "buy", "0.1", "4000", {"clientOrderId": client_id})
    return json.dumps(asked, default=str)


@pytest.mark.parametrize(
    ("exchange_id", "words"),
    [
        ("bitflyer", "does not send our client ids"),
        ("deribit", "does not send our client ids"),  # handed on under a name it does not know
        ("bitfinex", "whole numbers"),
        ("hyperliquid", "signed with privateKey, walletAddress"),
        ("bitvavo", "requires an operatorId"),
        ("btse", "cannot find an order there that has ended"),
        ("binanceusdm", "knows no spot market"),
    ],
)
def test_what_cannot_keep_the_promise_is_refused_at_start_and_by_the_doctor(
    tmp_path: Path, exchange_id: str, words: str
) -> None:
    config = config_for(tmp_path, "http://127.0.0.1:1", id=exchange_id)
    log = SqlOrderLog(open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}", durable=True))
    with pytest.raises(BadInput, match=words) as refused:
        open_client(config, log)
    assert f"{exchange_id} has no orders that happen once (" in refused.value.message
    [check] = exchange(config)
    assert (check.verdict, check.exit_code) == (Verdict.FAIL, 2)
    assert words in check.detail


def test_a_perpetual_that_cannot_keep_it_is_refused_too(tmp_path: Path) -> None:
    config = config_for(
        tmp_path, "http://127.0.0.1:1", perpetual_id="deribit", perpetual_symbol=SWAP
    )
    log = SqlOrderLog(open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}", durable=True))
    with pytest.raises(BadInput, match="deribit, for the perpetual, has no orders that happen"):
        open_client(config, log)


def test_ids_in_a_form_that_does_not_arrive_are_a_reason() -> None:
    gate = kind_of("gate")()
    assert capabilities(gate, contract=False, form=Form.TEXT_28).unfit == ()
    assert "28 characters" in capabilities(gate, contract=False).missing(quotes=True)[0]


def test_an_exchange_that_ignores_post_only_has_none() -> None:
    can = capabilities(kind_of("weex")(), contract=False)
    assert (can.post_only, can.missing(quotes=True)) == (False, ("post-only orders",))


def test_amounts_as_text_can_be_compared_by_ccxt() -> None:
    """KuCoin's perpetual asks ``amount < 1`` of what it is given."""
    mine = Form.TEXT_32.write("h", DIGEST)
    assert f'"clientOid":"{mine}"' in sent("kucoinfutures", mine, contract=True).replace(" ", "")


def test_an_ioc_of_kraken_futures_does_not_rest() -> None:
    mine = Form.TEXT_32.write("h", DIGEST)
    asked = sent("krakenfutures", mine, contract=True, timeInForce="IOC")
    assert "orderType=ioc" in asked


def test_another_id_is_not_asked_for() -> None:
    """ccxt sends ours to Kraken as cl_ord_id, and looks orders up by userref."""
    kraken = carried("kraken", contract=False)
    assert (kraken.field, kraken.find_by_name, kraken.cancel_by_name) == ("cl_ord_id", False, True)


def test_precision_modes() -> None:
    for exchange_id, precision in (
        ("binance", Precision.STEPS),
        ("bithumb", Precision.SIGNIFICANT),
    ):
        can = capabilities(kind_of(exchange_id)(), contract=False)
        assert can.precision is precision


def test_settings_are_those_of_an_exchange() -> None:
    assert Exchange(id="gate").id in usable(contract=False)


@pytest.mark.parametrize("exchange_id", sorted({*LENGTHS, *FORMS}))
def test_what_is_written_fits_where_it_goes(exchange_id: str) -> None:
    for contract in (False, True):
        if carried(exchange_id, contract=contract).reasons:
            continue  # refused: nothing is written
        room = length_of(exchange_id, contract=contract)
        written = form_of(exchange_id, contract=contract).write("h", DIGEST)
        plain = written.removeprefix("t-")  # Gate counts what follows it
        assert room is None or len(plain) <= room, written


def test_every_length_that_was_looked_up_says_where() -> None:
    assert set(LENGTH_SOURCES) <= set(LENGTHS)
    assert set(LENGTHS) >= SPOT_LENGTHS


def test_the_doctor_says_of_every_exchange_offline_what_is_the_matter(tmp_path: Path) -> None:
    """Whatever ccxt does without a network: a sentence, and never an error of another kind."""
    for exchange_id in ccxt.exchanges:
        config = config_for(tmp_path, "http://127.0.0.1:1", id=exchange_id, password="p")
        checks = list(exchange(config))
        (failed,) = [check for check in checks if check.verdict is Verdict.FAIL]
        assert failed.exit_code in (2, 5), failed
        assert exchange_id in failed.detail or "connection failed" in failed.detail
        assert "\n" not in failed.detail
