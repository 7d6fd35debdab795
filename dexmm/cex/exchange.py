"""ccxt exchanges from the configuration.

An exchange is any of ccxt's ids. Spot has two instances, so that the account and the market are
read at the same time over two connections; a perpetual has its own. With ``base_url`` every
address that ccxt could ask is moved to that host, path kept: the paper exchange, or a relay, is
then all there is. Keys go into the instances and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dexmm.cex.capabilities import Capabilities, capabilities, has_test_network
from dexmm.cex.ccxt_session import Ccxt, Lane, Milliseconds, Pause, wall_ms
from dexmm.cex.dry_orders import form_of, kind_of
from dexmm.config.proxy import SCHEMES, certificates, proxy_for
from dexmm.config.schema import Config, Exchange
from dexmm.errors import BadInput

RECV_WINDOW_MS = 5_000  # an order that is later than this never arrives
ELSEWHERE = "host.invalid"  # for addresses that ccxt does not list
MARKET_TYPES = {False: {"spot"}, True: {"swap", "linear", "contract"}}
LIKE_A_KEY = 12  # characters of a part of a relay's path; shorter ones are words


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The lanes to one exchange account."""

    id: str
    account: str  # exchange and key, as a name without secrets
    private: Lane  # the spot account
    public: Lane  # the spot market
    perpetual: Lane | None
    can: Capabilities
    perpetual_can: Capabilities | None

    def lanes(self) -> tuple[Lane, ...]:
        both = (self.private, self.public)
        return both if self.perpetual is None else (*both, self.perpetual)

    def missing(self, *, quotes: bool) -> tuple[str, ...]:
        """What is needed and not there, each with its exchange: "okx has no post-only orders"."""
        lacks = [f"{self.id} has no {words}" for words in self.can.missing(quotes=quotes)]
        if self.perpetual is not None and self.perpetual_can is not None:
            other = f"{self.perpetual.exchange.id}, for the perpetual,"
            lacks += [
                f"{other} has no {words}" for words in self.perpetual_can.missing(quotes=False)
            ]
        return tuple(lacks)

    @property
    def requests(self) -> int:
        """HTTP requests so far."""
        return sum(lane.requests for lane in self.lanes())


def connect_exchange(
    settings: Exchange, now_ms: Milliseconds = wall_ms, *, proxy: str | None = None
) -> Connection:
    """Make the instances. Asks nothing of the exchange yet. ``proxy`` is ``network.proxy``.

    Raises ``BadInput`` for an id that ccxt does not know, or a test network that does not exist.
    """
    private = make(settings, settings.id, contract=False, proxy=proxy)
    public = make(settings, settings.id, contract=False, proxy=proxy)
    swap = None
    if settings.perpetual_id is not None and settings.perpetual_symbol is not None:
        swap = make(settings, settings.perpetual_id, contract=True, proxy=proxy)
    pause, secrets = Pause(), secrets_of(settings)
    return Connection(
        id=settings.id,
        account=account_name(settings),
        private=Lane(private, pause, secrets, now_ms),
        public=Lane(public, pause, secrets, now_ms),
        perpetual=Lane(swap, pause, secrets, now_ms) if swap is not None else None,
        can=_can(private, contract=False),
        perpetual_can=_can(swap, contract=True) if swap is not None else None,
    )


def make(settings: Exchange, exchange_id: str, *, contract: bool, proxy: str | None = None) -> Ccxt:
    """One ccxt instance. Raises ``BadInput``."""
    import ccxt

    if exchange_id not in ccxt.exchanges:
        raise BadInput(f"ccxt knows no exchange {exchange_id!r}: check [exchange] id")
    exchange = kind_of(exchange_id)(
        {
            "apiKey": _revealed(settings.api_key),
            "secret": _revealed(settings.secret),
            "password": _revealed(settings.password),
            "timeout": settings.timeout_seconds * 1000,
            "enableRateLimit": not settings.is_paper,  # that one sets its own limits
        }
    )
    # Neither is needed, and both would ask endpoints that a trading key may not use.
    exchange.has["fetchCurrencies"] = False
    exchange.options["fetchMargins"] = False
    exchange.options["adjustForTimeDifference"] = False  # the lane does it
    if "bybit" in exchange_id:  # refuses to look an order up unless told that 500 are kept
        exchange.options["fetchOrder"] = {"acknowledged": True}
    _only_what_is_traded(exchange.options, contract=contract)
    if "recvWindow" in exchange.options:
        exchange.options["recvWindow"] = RECV_WINDOW_MS
    if settings.sandbox:
        if not has_test_network(exchange, contract=contract):
            raise BadInput(
                f"{exchange_id} has no test network: remove [exchange] sandbox, or use the paper "
                "exchange"
            )
        exchange.set_sandbox_mode(True)
    if settings.base_url is not None:
        base = settings.base_url.get_secret_value().rstrip("/")
        for name, urls in list(exchange.urls.items()):
            if name in ("api", "apiBackup", "test", "demo"):
                exchange.urls[name] = _moved(urls, base)
    _route(exchange, proxy)
    return exchange


def _can(exchange: Ccxt, *, contract: bool) -> Capabilities:
    form = form_of(type(exchange).__name__, contract=contract)
    return capabilities(exchange, contract=contract, form=form)


def account_name(settings: Exchange) -> str:
    """The same for the same key, and nothing that the key could be found from."""
    key = _revealed(settings.api_key) or ""
    return f"{settings.id}:{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def account_of(config: Config) -> str:
    """The exchange account, as a name for a lock."""
    assert config.exchange is not None  # noqa: S101 - the configuration was refused otherwise
    return account_name(config.exchange).replace(":", "-")


def secrets_of(settings: Exchange) -> tuple[str, ...]:
    """What must not be repeated: ccxt's errors quote whole URLs."""
    found = [_revealed(s) for s in (settings.api_key, settings.secret, settings.password)]
    path = urlsplit(_revealed(settings.base_url) or "").path
    found += [segment for segment in path.split("/") if len(segment) >= LIKE_A_KEY]
    return tuple(secret for secret in found if secret)


def _revealed(secret: Any) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _only_what_is_traded(options: dict[str, Any], *, contract: bool) -> None:
    """One market list instead of three or four, where ccxt offers the choice."""
    if contract:
        options["defaultType"] = "swap"
    fetch = options.get("fetchMarkets")
    if isinstance(fetch, dict) and "types" in fetch:
        wanted = [kind for kind in fetch["types"] if kind in MARKET_TYPES[contract]]
        fetch["types"] = wanted or fetch["types"]


def _moved(urls: Any, base: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    if isinstance(urls, list):
        return [_moved(url, base) for url in urls]
    if not isinstance(urls, str):  # an exchange without a test network has None there
        return urls
    return base + urlsplit(urls).path


def _route(exchange: Ccxt, setting: str | None) -> None:
    """Proxies and certificates, which ccxt would not take from the environment.

    By host, read once: an exchange has several, of which ``NO_PROXY`` may name some. In requests
    an empty proxy for a host is a direct connection, whatever is said of its scheme.
    """
    routes = {scheme: proxy_for(f"{scheme}://{ELSEWHERE}", setting) or "" for scheme in SCHEMES}
    for url in _addresses(exchange.urls.get("api")):
        parts = urlsplit(exchange.implode_hostname(url))
        if parts.scheme in SCHEMES and parts.hostname:
            # The URL itself, so that an entry of NO_PROXY with a port finds it.
            routes[f"{parts.scheme}://{parts.hostname}"] = proxy_for(parts.geturl(), setting) or ""
    exchange.session.proxies = routes
    exchange.validateServerSsl = certificates()  # ccxt's ``verify`` cannot hold a file's name


def _addresses(urls: Any) -> Iterator[str]:
    if isinstance(urls, dict | list):
        for inner in urls.values() if isinstance(urls, dict) else urls:
            yield from _addresses(inner)
    elif isinstance(urls, str):
        yield urls
