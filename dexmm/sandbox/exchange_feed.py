"""The sandbox's exchange: a paper one in this process, at the same fair price and in the same time.

The product talks to it over HTTP, through the very ccxt classes it would use on the real one.
Without quotes nobody else trades there, unless asked for: what rests in the book is the house's.

Quotes are looked at ``QUOTE_STEPS`` times in a candle, seldom beside the few seconds of a real
loop. Their half spread is what a round at least has to bring (``WORTH`` times the maker's fee of
the account), and the product itself widens it to what the price may move between two looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from pathlib import Path

from dexmm.model.starting_inventory import Start
from dexmm.paper_exchange.engine.settings import (
    QUIET,
    UNLIMITED,
    USUAL_FLOW,
    Opening,
    PaperSettings,
)
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sandbox.workspace import Desk
from dexmm.sim.agents.price_process import Candle

SYMBOL = "PAXGUSDT"
CENT = Decimal("0.01")
PART = Decimal("0.2")  # of the capital, on the exchange
MARGIN_PART = Decimal("0.1")  # of the capital, in the derivatives account
QUOTE_STEPS = 12  # looks at the quotes in the time of one candle
WORTH = Decimal("1.25")  # of the fees that a round of quotes pays, which it brings at least


def paper_exchange(
    capital: Decimal,
    share: Decimal,
    price: Decimal,
    start_ms: int,
    *,
    takers: bool,
    seed: int,
    state: Path | None = None,
    start: Start | None = None,
) -> PaperExchange:
    """An account with ``PART`` of ``capital`` at ``share``; time is moved by ``pass_candle``.

    ``start`` is an inventory instead, of which ``PART`` is there; ``capital`` is its worth then.

    ``takers``: others trade there too, the same ones whatever the product does. Only the two
    markets that the product may trade are listed: others would cost time and change nothing.
    """
    worth = capital * PART
    base, quote = worth * share / price, worth * (1 - share)
    if start is not None:
        base, quote = start.base * PART, start.quote * PART
    opening = Opening(
        spot={
            "PAXG": base.quantize(Decimal("0.0001"), ROUND_DOWN),
            "USDT": quote.quantize(Decimal("0.01"), ROUND_DOWN),
        },
        margin=(capital * MARGIN_PART).quantize(Decimal("0.01"), ROUND_DOWN),
    )
    usual = PaperSettings()
    settings = PaperSettings(
        accounts=(opening,),
        spot=tuple(rules for rules in usual.spot if rules.symbol == SYMBOL),
        derived={},
        prices={**usual.prices, SYMBOL: price},
        flow=USUAL_FLOW if takers else QUIET,
        flows={},
        limits=UNLIMITED,
        seed=seed,
    )
    return PaperExchange(settings, start_ms=start_ms, state=state)


def desk_of(paper: PaperExchange, price: Decimal, *, quotes: bool, interval_seconds: int) -> Desk:
    opening = paper.settings.accounts[0]
    fee = paper.exchange.spot[SYMBOL].rules.maker_fee
    return Desk(
        url=paper.url,
        api_key=opening.api_key,
        secret=opening.secret,
        quotes=quotes,
        half_spread=(WORTH * fee * price).quantize(CENT, ROUND_UP),
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

    ``prices`` are those that the pool's arbitrage sees, evenly in time: what rests meets the same
    ones. Straight lines from corner to corner would trend for a quarter of a candle, and pick off
    whatever rests. Without ``prices`` only the corners pass: where nobody trades, that is enough.
    """
    waypoints = (candle.open, *candle.waypoints())
    steps = QUOTE_STEPS if prices else len(waypoints) - 1
    start_ms, length_ms = candle.at * 1000, interval_seconds * 1000
    for step in range(1, steps + 1):
        if prices:
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
