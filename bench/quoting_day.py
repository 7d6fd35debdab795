"""Twenty-four simulated hours of two-sided quotes at five seconds, on real prices.

    .venv/bin/python bench/quoting_day.py [--day 2025-10-20] [--skew bands] [--json]

The product's own client, through ccxt's ``binance`` with its signatures, and the product's own
turns and refreshes, against the paper exchange's matching engine in this process. Only the wire is
left out: ccxt's HTTP session hands each request to the server's handler instead of to a socket,
and time is moved by hand. Prices are recorded five-minute candles, walked from waypoint to
waypoint; the house quotes around them and takers arrive as on any paper exchange.

The default day rises by 3 %; 2025-10-21 is gold's largest fall in these years, 6 %.

The cancel budget is set to 28 %: what risk demands (a hedge begins, a side is not wanted any more)
is cancelled without asking the budget, and needs the room up to the target.

With ``--volatility`` the recorded returns are scaled to that many a year (0.15, 0.60).

Once a second the exchange's own book is asked what of ours rests there: whether both sides do, and
how far the nearest of each is from the fair price. The wanted distance is the quoting rule's:
``quotes.half_spread``, or ``quotes.spread_sigmas`` standard deviations of the price between two
refreshes where that is more. What the rule adds on a short cancel budget does not count as wanted.

Targets: cancel ratio at most 30 %, order success at least 95 %, share inside its band at least
99 % of the time, both sides resting at least 95 % of the time, the median distance at most 1.5
times the median of the wanted one.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

from bench._harness import finish
from dexmm.cex.client import ExchangeClient, open_client
from dexmm.config.schema import Config, Quotes, parse_config
from dexmm.engine.quote_refresher import Quoting
from dexmm.engine.turn import turn
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.model.order import OrderIntent
from dexmm.paper_exchange.api.query import Query
from dexmm.paper_exchange.api.server import Asked, Server
from dexmm.paper_exchange.engine.background_book import Flow
from dexmm.paper_exchange.engine.settings import UNLIMITED, USUAL_FLOW, Opening, PaperSettings
from dexmm.paper_exchange.exchange import Exchange
from dexmm.performance.order_statistics import trading
from dexmm.sim.agents.price_process import Candle, PricePath, read_candles
from dexmm.strategy.context.memory_update import sigma_of
from dexmm.strategy.trading.quotes import least_half_spread
from dexmm.wiring.exchange_only import without_pool

PRICES = "PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz"
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "prices"
HOST = "http://paper.invalid"  # never resolved: the session has no wire
DAY = 86_400
TURN_SECONDS = 60
BUDGET = Decimal("0.28")
# In quote; near, so that the price leaves it often: fees do not matter here.
HALF_SPREAD = Decimal("0.5")
LEAST_BOTH, MOST_DISTANCE = Decimal("0.95"), Decimal("1.5")
LEAST_IN_BAND, MOST_CANCELLED, LEAST_SUCCESS = Decimal("0.99"), Decimal("0.30"), Decimal("0.95")


class NoWire(BaseAdapter):
    """A requests transport that hands requests to the paper exchange's handler."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        body = request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        answer = self._server.answer(
            Asked(
                method=str(request.method),
                path=url.path,
                query_string=url.query,
                body=text,
                api_key=request.headers.get("X-MBX-APIKEY"),
                query=Query(dict(parse_qsl(url.query) + parse_qsl(text))),
            )
        )
        response = requests.Response()
        response.status_code = answer.status
        response._content = answer.body
        response.headers.update({"Content-Type": "application/json", **answer.headers})
        response.url, response.request, response.encoding = str(request.url), request, "utf-8"
        response.reason = "OK" if answer.status < 400 else "Error"
        return response

    def close(self) -> None:
        """Nothing is held open."""


class Orders:
    """An order log in memory: the disk is not what is measured here."""

    def __init__(self) -> None:
        self.all: dict[str, OrderIntent] = {}
        self._open: dict[str, OrderIntent] = {}

    def open_orders(self, account: str) -> tuple[OrderIntent, ...]:
        return tuple(self._open.values())

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        recent: list[OrderIntent] = []
        for order in reversed(self.all.values()):
            if order.created_at < since:
                break
            recent.append(order)
        return tuple(reversed(recent))

    def save_order(self, order: OrderIntent) -> None:
        self.all[order.client_id] = order
        self._open.pop(order.client_id, None)
        if not order.status.final:
            self._open[order.client_id] = order


class Journal:
    def __init__(self) -> None:
        self._memory = Memory()

    def memory(self) -> Memory:
        return self._memory

    def halted(self) -> str:
        return ""

    def record(self, entry: Entry, config: Config) -> Entry:
        self._memory = entry.memory
        return entry


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--prices", type=Path, default=DATA / PRICES)
    parser.add_argument("--day", default="2025-10-20", help="UTC")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--skew", choices=["bands", "avellaneda"], default="bands")
    parser.add_argument("--capital", type=Decimal, default=Decimal(100_000), help="in quote")
    parser.add_argument(
        "--margin", default=str(Quotes().inventory_margin), help="quotes.inventory_margin"
    )
    parser.add_argument(
        "--volatility", type=Decimal, default=None, help="a year: scale the recorded returns to it"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of [quotes]"
    )
    parser.add_argument("--flow", type=Decimal, default=USUAL_FLOW.per_hour, help="takers an hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    path = read_candles(chosen.prices)
    start = int(datetime.fromisoformat(chosen.day).replace(tzinfo=UTC).timestamp())
    candles = tuple(c for c in path.candles if start <= c.at < start + chosen.hours * 3600)
    if len(candles) * path.interval_seconds < chosen.hours * 3600:
        parser.error(f"{chosen.prices} does not hold {chosen.hours} hours from {chosen.day} on")
    began = time.perf_counter()
    recorded = PricePath(
        source=path.source, interval_seconds=path.interval_seconds, candles=candles
    )
    results = quote(
        recorded if chosen.volatility is None else scaled(recorded, chosen.volatility),
        Asking(
            chosen.skew,
            chosen.capital,
            chosen.margin,
            chosen.seed,
            tuple(chosen.set),
            replace(USUAL_FLOW, per_hour=chosen.flow),
        ),
    )
    results["wall_seconds"] = round(time.perf_counter() - began, 1)
    failures = missed(results)
    shown = {k: str(v) if isinstance(v, Decimal) else v for k, v in results.items()}
    return finish(shown, failures, chosen.json)


class Asking(NamedTuple):
    """What is quoted with."""

    skew: str
    capital: Decimal
    margin: str
    seed: int
    settings: tuple[str, ...] = ()  # of [quotes], as "levels=1"
    flow: Flow = USUAL_FLOW


class Watch:
    """What of ours rests in the exchange's book, second by second."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.samples = self.both = self.most = 0
        self.distances: list[Decimal] = []
        self.wanted: list[Decimal] = []

    def look(self, wanted: Decimal) -> None:
        price = self._exchange.price_of("PAXGUSDT")
        sides: dict[str, list[Decimal]] = {}
        for order in self._exchange.spot["PAXGUSDT"].open.values():
            away = price - order.price if order.side.value == "BUY" else order.price - price
            sides.setdefault(order.side.value, []).append(away)
        self.samples += 1
        self.both += len(sides) == 2
        self.most = max(self.most, sum(map(len, sides.values())))
        self.distances += [min(away) for away in sides.values()]
        self.wanted.append(wanted)


def wanted_distance(exchange: Exchange, memory: Memory, config: Config) -> Decimal:
    """Half of the spread that the rule wants at the price of now, in quote."""
    least = least_half_spread(
        exchange.price_of("PAXGUSDT"), sigma_of(memory, config.strategy), config.quotes
    )
    return max(config.quotes.half_spread, least)


def annual_volatility(path: PricePath) -> Decimal:
    """Of the closes' log returns."""
    closes = [candle.close for candle in path.candles]
    squares = sum(((b / a).ln() ** 2 for a, b in pairwise(closes)), Decimal(0))
    return (squares * (365 * DAY) / path.interval_seconds / max(len(closes) - 1, 1)).sqrt()


def scaled(path: PricePath, volatility: Decimal) -> PricePath:
    """The same path with every log return since its start multiplied."""
    factor, first = volatility / annual_volatility(path), path.candles[0].open

    def at(price: Decimal) -> Decimal:
        return (first * ((price / first).ln() * factor).exp()).quantize(Decimal("0.01"))

    return PricePath(
        source=path.source,
        interval_seconds=path.interval_seconds,
        candles=tuple(
            replace(c, open=at(c.open), high=at(c.high), low=at(c.low), close=at(c.close))
            for c in path.candles
        ),
    )


def quote(path: PricePath, asked: Asking) -> dict[str, Any]:
    """The whole day. Shares are Decimals, 0 to 1."""
    first = path.candles[0]
    exchange = Exchange(settings(first.open, asked), start_ms=first.at * 1000)
    config = configuration(exchange, asked)
    log = Orders()

    def clock() -> int:
        return exchange.clock.now_ms() // 1000

    client = open_client(config, log, clock)
    unplug(client, Server(exchange))
    chain, cex = without_pool(client, config)
    journal = Journal()
    quoting = Quoting(chain, cex, journal, config, clock)
    inside = looks = backed_off = 0
    lowest, highest, start_nav, nav = Decimal(1), Decimal(0), None, Decimal(0)
    refresh = config.quotes.refresh_seconds
    requests_before = client.connection.requests
    back_until = 0
    watch = Watch(exchange)
    for candle in path.candles:
        for second in range(0, path.interval_seconds, refresh):
            wanted = wanted_distance(exchange, journal.memory(), config)
            for passed in range(second + 1, second + refresh + 1):
                exchange.set_fair_price(
                    "PAXGUSDT",
                    price_at(candle, Decimal(passed) / path.interval_seconds),
                    (candle.at + passed) * 1000,
                )
                watch.look(wanted)
            if quoting.turn_due or (candle.at + second) % TURN_SECONDS == 0:
                turn(chain, journal, config, clock, cex=cex)
                quoting.turned(chain)
            elif clock() >= back_until:
                quoting.refresh(lambda: "", 0.0)
                if quoting.due_in(0.0) > refresh:  # the real pause is in real seconds
                    backed_off += 1
                    back_until = clock() + config.quotes.back_off_seconds
            held = standing(exchange, config)
            share, nav = held
            start_nav = nav if start_nav is None else start_nav
            looks += 1
            inside += config.strategy.band_low <= share <= config.strategy.band_high
            lowest, highest = min(lowest, share), max(highest, share)
    quoting.cancel_all()
    figures = trading(log.all.values())
    distance, wanted = median(watch.distances or [Decimal(0)]), median(watch.wanted)
    return {
        "prices": Path(path.source).name,
        "day": f"{datetime.fromtimestamp(first.at, UTC):%Y-%m-%d}",
        "skew": asked.skew,
        "capital": asked.capital,
        "inventory_margin": config.quotes.inventory_margin,
        "volatility": round(annual_volatility(path), 4),
        "hours": len(path.candles) * path.interval_seconds / 3600,
        "price_start": first.open,
        "price_end": path.candles[-1].close,
        "refreshes": looks,
        "backed_off": backed_off,
        "orders": figures.orders,
        "orders_sent": figures.sent,
        "orders_rejected": figures.rejected,
        "orders_cancelled": figures.cancelled,
        "orders_filled": figures.filled,
        "cancel_ratio": round(figures.cancel_ratio, 4),
        "fill_ratio": round(figures.fill_ratio, 4),
        "order_success": round(figures.success, 4),
        "both_sides": round(Decimal(watch.both) / watch.samples, 4),
        "distance_median": round(distance, 4),
        "distance_wanted": round(wanted, 4),
        "distance_ratio": round(distance / wanted, 4),
        "half_spread": config.quotes.half_spread,
        "most_resting": watch.most,
        "hedges": figures.hedges,
        "bought_base": figures.bought_base,
        "sold_base": figures.sold_base,
        "fees_quote": figures.fees_quote,
        "fees_base": figures.fees_base,
        "share_lowest": round(lowest, 4),
        "share_highest": round(highest, 4),
        "share_in_band": round(Decimal(inside) / looks, 4),
        "nav_start": round(start_nav or Decimal(0), 2),
        "nav_end": round(nav, 2),
        "requests": client.connection.requests - requests_before,
        "money_made_from_nothing": exchange.ledger.imbalance() or 0,
    }


def standing(exchange: Exchange, config: Config) -> tuple[Decimal, Decimal]:
    """Share and NAV as the exchange itself knows them, at its fair price."""
    account = next(iter(exchange.ledger.accounts.values()))
    base = account.free_of("PAXG") + account.locked_of("PAXG")
    quote_ = account.free_of("USDT") + account.locked_of("USDT") + account.futures.wallet
    price = exchange.price_of("PAXGUSDT")
    nav = base * price + quote_
    return base * price / nav, nav


def price_at(candle: Candle, done: Decimal) -> Decimal:
    """After ``done`` (0 to 1) of the candle: straight from open through its extremes to close."""
    points = (candle.open, *candle.waypoints())
    leg = min(int(done * 3), 2)
    price = points[leg] + (points[leg + 1] - points[leg]) * (done * 3 - leg)
    return price.quantize(Decimal("0.01"))


def settings(price: Decimal, asked: Asking) -> PaperSettings:
    target = Decimal("0.35")
    usual = PaperSettings()
    return PaperSettings(
        accounts=(
            Opening(
                spot={
                    "PAXG": round(asked.capital * target / price, 4),
                    "USDT": asked.capital * (1 - target),
                },
                margin=Decimal(0),
            ),
        ),
        # The one market that is traded: each draws for itself, and others only cost time.
        spot=tuple(rules for rules in usual.spot if rules.symbol == "PAXGUSDT"),
        perpetuals=(),
        derived={},
        prices={**usual.prices, "PAXGUSDT": price},
        flow=asked.flow,
        limits=UNLIMITED,
        seed=asked.seed,
    )


def configuration(exchange: Exchange, asked: Asking) -> Config:
    opening = exchange.settings.accounts[0]
    return parse_config(
        {
            "network": {"name": "sandbox"},
            "market": {"price_low": 1000, "price_high": 10_000},
            "exchange": {
                "id": "binance",
                "symbol": "PAXG/USDT",
                "base_url": HOST,
                "paper_exchange": True,
                "cancel_ratio": BUDGET,
                "api_key": opening.api_key,
                "secret": opening.secret,
            },
            "quotes": {
                "enabled": True,
                "half_spread": HALF_SPREAD,
                "skew": asked.skew,
                "inventory_margin": asked.margin,
                **dict(setting.split("=", 1) for setting in asked.settings),
            },
            "guards": {"closed_weekly": []},
        },
        Path(),
        source="the bench",
    )


def unplug(client: ExchangeClient, server: Server) -> None:
    for lane in client.connection.lanes():
        lane.exchange.session.mount("http://", NoWire(server))


def missed(results: dict[str, Any]) -> list[str]:
    checks = (
        (results["cancel_ratio"] <= MOST_CANCELLED, f"cancel ratio above {MOST_CANCELLED}"),
        (results["order_success"] >= LEAST_SUCCESS, f"order success below {LEAST_SUCCESS}"),
        (results["share_in_band"] >= LEAST_IN_BAND, f"inside the band below {LEAST_IN_BAND}"),
        (results["both_sides"] >= LEAST_BOTH, f"both sides rested less than {LEAST_BOTH}"),
        (
            results["distance_ratio"] <= MOST_DISTANCE,
            f"the median distance is above {MOST_DISTANCE} times the wanted one",
        ),
        (results["refreshes"] > 0 and results["orders_filled"] > 0, "nothing was quoted"),
        (not results["money_made_from_nothing"], "the exchange's books do not balance"),
    )
    return [what for good, what in checks if not good]


if __name__ == "__main__":
    sys.exit(main())
