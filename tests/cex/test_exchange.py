"""ccxt instances: other hosts for every exchange, rate limits and clocks, proxies. No network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cex.cex_world import PAXG, Hand, Trader
from config.forward_proxy import ForwardProxy

from dexmm.cex.exchange import connect_exchange, make
from dexmm.config.schema import Exchange
from dexmm.errors import BadInput, DexmmError
from dexmm.fetch.candles.candle_source import Venue
from dexmm.paper_exchange.engine.settings import API_KEY, SECRET
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.telemetry.redact import hide_config, redact

RELAY = "https://relay.example:8443/ccxt"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def texts(urls: Any) -> Iterator[str]:
    if isinstance(urls, dict | list):
        for inner in urls.values() if isinstance(urls, dict) else urls:
            yield from texts(inner)
    elif urls is not None:
        yield urls


@pytest.mark.parametrize("exchange_id", ccxt.exchanges)
def test_every_exchange_can_be_at_another_host(exchange_id: str) -> None:
    usual = list(texts(getattr(ccxt, exchange_id)().urls["api"]))
    moved = make(Exchange(id=exchange_id, base_url=RELAY), exchange_id, contract=False)
    found = list(texts(moved.urls["api"]))
    assert len(found) == len(usual) > 0
    assert all(url.startswith(RELAY) for url in found)
    for name in ("test", "demo", "apiBackup"):
        assert all(url.startswith(RELAY) for url in texts(moved.urls.get(name)))


def test_a_relay_s_path_is_kept_before_the_exchange_s_own_and_never_repeated(
    tmp_path: Path, paper: PaperExchange, clock: Hand
) -> None:
    key = "aBcDeF0123456789"
    with ForwardProxy(paper.url) as relay:
        trader = Trader(tmp_path, paper, clock, base_url=f"{relay.url}/to/{key}/")
        with pytest.raises(DexmmError) as failed:  # the paper exchange knows no such path
            trader.observe()
        trader.client.close()
    assert all(asked.startswith(f"/to/{key}/api/v3/") for asked in relay.asked)
    assert relay.asked
    assert key not in failed.value.message
    hide_config(trader.config)
    assert key not in redact(f"GET {relay.url} with {key}")


@pytest.mark.parametrize(
    ("settings", "paper"),
    [
        ({}, False),
        ({"base_url": RELAY}, False),
        ({"base_url": "http://127.0.0.1:8710"}, True),
        ({"base_url": "http://localhost:8710"}, True),
        ({"base_url": "http://127.0.0.1:8710", "paper_exchange": False}, False),  # a tunnel
        ({"base_url": RELAY, "paper_exchange": True}, True),
    ],
)
def test_only_a_paper_exchange_goes_without_rate_limit(
    settings: dict[str, Any], paper: bool
) -> None:
    exchange = Exchange(id="kucoin", **settings)
    assert exchange.is_paper is paper
    assert make(exchange, "kucoin", contract=False).enableRateLimit is not paper


@pytest.mark.parametrize(("told", "times"), [(False, 1), (None, 0)])
def test_a_relay_is_asked_for_its_time_and_a_paper_exchange_is_not(
    tmp_path: Path,
    paper: PaperExchange,
    clock: Hand,
    told: bool | None,
    times: int,
) -> None:
    with ForwardProxy(paper.url) as relay:
        trader = Trader(tmp_path, paper, clock, base_url=relay.url, paper_exchange=told)
        trader.observe()
        trader.client.close()
    assert relay.asked.count("/api/v3/time") == times
    assert "/api/v3/exchangeInfo" in " ".join(relay.asked)


def test_paper_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="paper_exchange needs base_url"):
        Exchange(paper_exchange=True)


# Proxies


def read_time(exchange: Exchange, proxy: str | None) -> None:
    connection = connect_exchange(exchange, proxy=proxy)
    assert connection.private.synchronise() < 60_000


FAR = Exchange(id="binance", base_url="http://exchange.invalid", api_key=API_KEY, secret=SECRET)


def test_the_environments_proxy_is_used(
    environment: pytest.MonkeyPatch, paper: PaperExchange
) -> None:
    with ForwardProxy(paper.url) as proxy:
        environment.setenv("HTTP_PROXY", proxy.url)
        read_time(FAR, None)
    assert proxy.asked == ["http://exchange.invalid/api/v3/time"]


def test_the_setting_is_used_with_its_credentials_and_before_the_environment(
    environment: pytest.MonkeyPatch, paper: PaperExchange
) -> None:
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ForwardProxy(paper.url) as proxy:
        read_time(FAR, f"http://user:hush@{proxy.address}")
    assert proxy.asked == ["http://exchange.invalid/api/v3/time"]
    assert proxy.credentials == ["Basic dXNlcjpodXNo"]


def test_candles_go_through_it_too(paper: PaperExchange) -> None:
    with ForwardProxy(paper.url) as proxy:
        Venue(FAR, PAXG, "1m", proxy.url)
    assert proxy.asked
    assert {url.split("/")[2] for url in proxy.asked} == {"exchange.invalid"}


def test_this_machine_is_never_behind_a_proxy(
    environment: pytest.MonkeyPatch, paper: PaperExchange
) -> None:
    environment.setenv("ALL_PROXY", "http://127.0.0.1:1")  # nobody is there
    near = FAR.model_copy(update={"base_url": Exchange(base_url=paper.url).base_url})
    read_time(near, None)
    read_time(near, "http://127.0.0.1:1")


def test_no_proxy_names_hosts_that_are_asked_directly(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://proxy.example:1")
    environment.setenv("NO_PROXY", "api-futures.kucoin.com")
    routes = make(Exchange(id="kucoin"), "kucoin", contract=False).session.proxies
    assert routes["https://api.kucoin.com"] == "http://proxy.example:1"
    assert routes["https://api-futures.kucoin.com"] == ""
    assert routes["https"] == "http://proxy.example:1"


def test_certificates_of_the_environment_are_trusted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", "/etc/company.pem")
    exchange = make(Exchange(id="binance"), "binance", contract=False)
    assert (exchange.verify and exchange.validateServerSsl) == "/etc/company.pem"


def test_a_socks_proxy_is_refused_before_anything_is_asked(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ALL_PROXY", "socks5://user:hush@127.0.0.1:1080")
    with pytest.raises(BadInput, match="SOCKS proxy, which is not supported"):
        connect_exchange(Exchange(id="binance"))
