"""The sandbox's exchange: a paper one in this process, at the same fair price and in the same time.

The product talks to it over HTTP, through the very ccxt classes it would use on the real one.
Without quotes nobody else trades there: what rests in the book is the house's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from dexmm.sandbox.exchange.paper import PaperExchange
from dexmm.sandbox.exchange.settings import QUIET, UNLIMITED, USUAL_FLOW, Opening, PaperSettings
from dexmm.sandbox.home import Desk
from dexmm.sim.prices import Candle

SYMBOL = "PAXGUSDT"
CENT = Decimal("0.01")
PART = Decimal("0.2")  # of the capital, on the exchange
MARGIN_PART = Decimal("0.1")  # of the capital, in the derivatives account
QUOTE_STEPS = 12  # looks at the quotes in the time of one candle


def paper_exchange(
    capital: Decimal,
    share: Decimal,
    price: Decimal,
    start_ms: int,
    *,
    quotes: bool,
    seed: int,
    state: Path | None = None,
) -> PaperExchange:
    """An account with ``PART`` of ``capital`` at ``share``; time is moved by ``pass_candle``."""
    worth = capital * PART
    opening = Opening(
        spot={
            "PAXG": (worth * share / price).quantize(Decimal("0.0001"), ROUND_DOWN),
            "USDT": (worth * (1 - share)).quantize(Decimal("0.01"), ROUND_DOWN),
        },
        margin=(capital * MARGIN_PART).quantize(Decimal("0.01"), ROUND_DOWN),
    )
    usual = PaperSettings()
    settings = PaperSettings(
        accounts=(opening,),
        prices={**usual.prices, SYMBOL: price},
        flow=USUAL_FLOW if quotes else QUIET,
        flows={} if quotes else dict.fromkeys(usual.flows, QUIET),
        limits=UNLIMITED,
        seed=seed,
    )
    return PaperExchange(settings, start_ms=start_ms, state=state)


def desk_of(paper: PaperExchange, *, quotes: bool, interval_seconds: int) -> Desk:
    opening = paper.settings.accounts[0]
    return Desk(
        url=paper.url,
        api_key=opening.api_key,
        secret=opening.secret,
        quotes=quotes,
        refresh_seconds=max(interval_seconds // QUOTE_STEPS, 1),
    )


def pass_candle(
    paper: PaperExchange,
    candle: Candle,
    interval_seconds: int,
    then: Callable[[], None] | None,
    prices: Sequence[Decimal] = (),
) -> None:
    """Move price and time to the candle's close; ``then`` is called ``QUOTE_STEPS`` times.

    ``prices`` are those that the pool's arbitrage sees, evenly in time: where quotes rest, they
    meet the same ones. Straight lines from corner to corner would trend for a quarter of a candle,
    and pick off whatever rests.
    """
    waypoints = (candle.open, *candle.waypoints())
    steps = QUOTE_STEPS if then is not None else len(waypoints) - 1
    start_ms, length_ms = candle.at * 1000, interval_seconds * 1000
    for step in range(1, steps + 1):
        if then is not None and prices:
            first, last = ((len(prices) * n) // steps for n in (step - 1, step))
            moves = [(price, n + 1, len(prices)) for n, price in enumerate(prices)][first:last]
        else:
            moves = [(_on_the_way(waypoints, Decimal(step) / steps), step, steps)]
        for price, part, whole in moves:
            at_ms = start_ms + length_ms * part // whole
            paper.set_fair_price(SYMBOL, price.quantize(CENT), at_ms)
        if then is not None and step < steps:
            then()


def _on_the_way(waypoints: tuple[Decimal, ...], done: Decimal) -> Decimal:
    """The price after ``done`` (0 to 1) of the way, straight from waypoint to waypoint."""
    legs = len(waypoints) - 1
    leg = min(int(done * legs), legs - 1)
    start, end = waypoints[leg], waypoints[leg + 1]
    return (start + (end - start) * (done * legs - leg)).quantize(Decimal("0.01"))
