"""Why the target might differ from what is held, most urgent first.

    START     nothing is held and there is something to deploy
    BAND      the share left its band, and what is held does not bring it back
    STRATEGY  what is held is not what this strategy would ever hold
    AGE       the last re-range is ``max_age_hours`` ago
    CAPITAL   a deposit or a withdrawal has not been answered yet
    FILLED    a limit position was wholly converted, for ``dwell_seconds``
    EDGE      the price stood at or beyond an edge, for ``dwell_seconds``
    INVENTORY what the exchange traded no longer suits what is held, for ``dwell_seconds``, and the
              price is more than half of the way to where that would break the band
    PAY       another liquidity than that held, or none, has been worth its gas
              (``strategy/pay/trigger.py``)
    REGIME    the edge distance that volatility asks for changed by ``regime_ratio``

AGE stands before those that must be worth their gas, so that a range which cannot pay for moving
is moved in the end. A trigger only asks for a fresh target; when that is what is held, nothing is
done.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.decimal_context import HOUR
from dexmm.model.decision import Trigger
from dexmm.strategy.context.context import Look
from dexmm.strategy.pay.trigger import due, must_bring_back, pay_words, provides_by_pay
from dexmm.strategy.ranges.held_ranges import HeldRange, Side
from dexmm.strategy.ranges.strategies import Definition
from dexmm.units import SqrtPriceX96

Wanted = tuple[Trigger, str]

PROMISE_TOLERANCE = Decimal("0.03")  # of share: fees and roundings come nowhere near it


def first_trigger(seen: Look) -> Wanted | None:
    """The most urgent trigger and its facts in one sentence; None when all is as it should be."""
    if provides_by_pay(seen) and not seen.held:
        if must_bring_back(seen) and (wanted := _band(seen)):
            return wanted[
                0
            ], f"{wanted[1]}: a range one grid step wide beside the price trades back"
        return (Trigger.START, pay_words(seen)) if due(seen) else None
    if not seen.held:
        return Trigger.START, "nothing is held in this market yet"
    for trigger in (_band, _strategy, _age, _capital, _edge, _inventory, _pay, _regime):
        if wanted := trigger(seen):
            return wanted
    return None


def definition(seen: Look) -> Definition:
    return seen.limits.definition


def _band(seen: Look) -> Wanted | None:
    since, settings = seen.known.band_since, seen.settings
    if since is None or not definition(seen).keeps_band:
        return None
    if _corrects(seen):
        return None
    return (
        Trigger.BAND,
        f"the share {seen.inventory.share:.4f} is outside its band "
        f"{settings.band_low} to {settings.band_high}",
    )


def _corrects(seen: Look) -> bool:
    """Whether what is held already does all that ranges can do for a share outside its band.

    It trades in the right direction, and in the wrong one no further than the band allows.
    """
    settings, ladder = seen.settings, seen.ladder
    if seen.inventory.share > settings.band_high:
        bids = [held.bid for held in seen.held if held.side is not Side.ASK]
        most = settings.band_high + settings.band_tolerance
        bounded = not bids or share_at(seen, min(ladder.root_at(min(bids)), seen.s)) <= most
        return bounded and any(seen.s < ladder.root_at(held.ask) for held in seen.held)
    asks = [held.ask for held in seen.held if held.side is not Side.BID]
    least = settings.band_low - settings.band_tolerance
    bounded = not asks or share_at(seen, max(ladder.root_at(max(asks)), seen.s)) >= least
    return bounded and any(seen.s > ladder.root_at(held.bid) for held in seen.held)


def _strategy(seen: Look) -> Wanted | None:
    name, most = seen.settings.name, definition(seen).most_ranges
    if len(seen.held) > most:
        return (
            Trigger.STRATEGY,
            f"{len(seen.held)} ranges are held, and {name} holds at most {most}",
        )
    if len(seen.held) == 2 and not _share_an_edge(*seen.held):
        return Trigger.STRATEGY, f"the two ranges held share no edge, as those of {name} do"
    if definition(seen).keeps_band and (broken := _broken_promise(seen)):
        return Trigger.STRATEGY, broken
    return None


def _share_an_edge(one: HeldRange, other: HeldRange) -> bool:
    return one.bid == other.bid or one.ask == other.ask


@dataclass(frozen=True, slots=True)
class Promise:
    """A share that converting what is held would carry out of its band."""

    fall: bool  # by a fall through the ranges; otherwise by a rise
    share: Decimal
    edge: Decimal  # root of the price at which they have done it

    def told(self) -> str:
        way = "fall" if self.fall else "rise"
        return f"a {way} through what is held would take the share to {self.share:.4f}"


def _broken_promise(seen: Look) -> str:
    """Whether converting what is held would carry the share out of its band.

    A range that was placed to sell promises nothing about a fall: below the price it was placed
    at it does nothing. Likewise one that was placed to buy, about a rise. What was traded on the
    exchange since then is no fault of the ranges: it is left out wherever the exchange can bring
    it back (``_inventory``).
    """
    broken = _broken(seen, traded=not _exchange_answers(seen))
    return broken.told() if broken else ""


def promise_in_doubt(seen: Look) -> Promise | None:
    """What the ranges held promise, and would not keep after what the exchange has traded."""
    if not seen.held or not definition(seen).keeps_band or not _exchange_answers(seen):
        return None
    return _broken(seen, traded=True)


def _exchange_answers(seen: Look) -> bool:
    """Whether quotes or hedges are there to bring back what was traded on the exchange."""
    venue, known = seen.snapshot.venue, seen.known
    if venue is None:
        return False
    active = seen.config.quotes.enabled or seen.config.hedge.enabled
    moved = bool(known.traded_base or known.traded_quote)
    return moved and active and venue.spot.tradable


def _broken(seen: Look, *, traded: bool) -> Promise | None:
    """Without ``traded``, as if the exchange had filled nothing since the ranges were placed; with
    it, as if hedges to the zone had not: they go on answering what the ranges trade."""
    known = seen.known
    out = (known.hedged_base, known.hedged_quote)
    if not traded:
        out = (known.traded_base, known.traded_quote)
    settings, (low, high) = seen.settings, seen.holding.farthest
    if seen.snapshot.venue is None and not (out[0] or out[1]):
        fallen, risen = seen.holding.converted
    else:
        fallen = None if low is None else share_at(seen, min(low, seen.s), without=out)
        risen = None if high is None else share_at(seen, max(high, seen.s), without=out)
    # The share now only counts where the band alone would not do.
    most, least = settings.band_high + PROMISE_TOLERANCE, settings.band_low - PROMISE_TOLERANCE
    if low is not None and fallen is not None and fallen > most:
        share = share_at(seen, seen.s, without=out)
        if fallen > share + PROMISE_TOLERANCE:
            return Promise(True, fallen, low)
    if high is not None and risen is not None and risen < least:
        share = share_at(seen, seen.s, without=out)
        if risen < share - PROMISE_TOLERANCE:
            return Promise(False, risen, high)
    return None


def _inventory(seen: Look) -> Wanted | None:
    """The pool follows what the exchange has traded, once the exchange has not brought it back.

    It has had ``dwell_seconds`` for that, and the price has gone more than half of the way from
    where the ranges were placed to the edge at which they would break the band: before that the
    doubt may pass without gas. Whether it is worth its gas is asked like for any other action.
    """
    since = seen.known.promise_since
    if since is None or seen.now - since < seen.settings.dwell_seconds:
        return None
    broken = promise_in_doubt(seen)
    if broken is None:
        return None
    placed = _placed_at(seen)
    halfway = (placed * broken.edge).sqrt()
    if seen.s > halfway if broken.fall else seen.s < halfway:
        return None
    return Trigger.INVENTORY, f"after trades on the exchange {broken.told()}"


def _placed_at(seen: Look) -> Decimal:
    """Root of the price when the newest of the positions held was first seen."""
    ours = {position.token_id for held in seen.held for position in held.positions}
    known = [old for old in seen.known.seen if old.token_id in ours]
    if not known:
        return seen.s
    return seen.ladder.root(SqrtPriceX96(max(known, key=lambda p: p.token_id).sqrt_price_x96))


def share_at(
    seen: Look, s: Decimal, *, without: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
) -> Decimal:
    """The share of the base were ``s`` the square root of the price, by arbitrage alone.

    ``without`` is base and quote, whole tokens, that are left out of what is held.
    """
    base, quote = seen.holding.idle
    if seen.snapshot.venue is not None:
        there = seen.elsewhere
        base, quote = base + there[0], quote + there[1]
    if without[0] or without[1]:
        market = seen.view.market
        base -= without[0].scaleb(market.base.decimals)
        quote -= without[1].scaleb(market.quote.decimals)
    return seen.holding.share_at(s, base, quote)


def _capital(seen: Look) -> Wanted | None:
    if not seen.known.capital_moved:
        return None
    return Trigger.CAPITAL, "capital was deposited or withdrawn"


def _edge(seen: Look) -> Wanted | None:
    since = seen.known.edge_since
    if since is None or seen.now - since < seen.settings.dwell_seconds:
        return None
    lone = all(held.side is not Side.BOTH for held in seen.held)
    # Where the pool pays for nothing such a one brings the share back. When the price has gone the
    # other way, to follow it at each step would cost more than it brings.
    waits = provides_by_pay(seen) and lone and not seen.holding.filled
    if waits and seen.now - since < seen.settings.recovery_hours * HOUR:
        return None
    if seen.holding.filled and (lone or not seen.holding.beyond_edge):
        return Trigger.FILLED, "a limit position was wholly converted"
    return Trigger.EDGE, f"the price has been beyond an edge for {seen.now - since} s"


def _pay(seen: Look) -> Wanted | None:
    return (Trigger.PAY, pay_words(seen)) if due(seen) else None


def _regime(seen: Look) -> Wanted | None:
    made_for = seen.known.sigma_at_rerange
    if not made_for or provides_by_pay(seen):
        return None
    then, now = seen.limits.distance(made_for), seen.limits.distance(seen.sigma)
    ratio = max(then, now) / min(then, now)
    if ratio < seen.settings.regime_ratio:
        return None
    word = "wider" if now > then else "nearer"
    return Trigger.REGIME, f"volatility asks for edges {ratio:.2f} times {word} than when placed"


def _age(seen: Look) -> Wanted | None:
    """Where the pool's pay decides, a range that the price has not left does not age."""
    placed = seen.known.last_rerange_at
    if provides_by_pay(seen) and seen.known.edge_since is None:
        return None
    if placed is None or seen.now - placed < seen.settings.max_age_hours * HOUR:
        return None
    return Trigger.AGE, f"the last re-range was {(seen.now - placed) // HOUR} hours ago"
