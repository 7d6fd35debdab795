"""What quotes may ask of the account: the book's other side, what is free, share and drift."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.model.decision import Refusal
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.strategy.exposure.inventory import Inventory
from dexmm.strategy.rebalance.stop_loss import floor_share
from dexmm.strategy.trading.book_depth import best, without
from dexmm.strategy.trading.hedge import free_base, free_quote
from dexmm.strategy.trading.lot_rules import ceil_to, floor_to, least_amount

ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every question here needs."""

    venue: VenueView
    held: Inventory
    reference: Decimal
    config: Config
    ours: tuple[RestingOrder, ...]  # resting quotes
    reducing: bool
    drift: Decimal | None  # base; None without anything that it could drift away from
    span: Decimal | None = None  # a share: from the target to the band's edge that drift is towards

    @property
    def most_drift(self) -> Decimal:
        """Base that trades here may carry the inventory away, in either direction.

        For a small account that is less than the exchange takes: two of its smallest orders then.
        """
        most = self.config.quotes.max_drift if self.span is None else self.span
        least = 2 * least_amount(self.venue.spot, self.reference)
        return max(most * self.held.nav / self.reference, least)

    @property
    def lean(self) -> Decimal:
        """The drift as a part of the most, -1 to 1."""
        if not self.drift or self.most_drift <= 0:
            return ZERO
        return max(min(self.drift / self.most_drift, ONE), -ONE)


def post_only(desk: Desk, side: Side, price: Decimal) -> Decimal:
    """No nearer than one step from the book's other side, and from any order of this account.

    Our own quotes do not count here: those that stay are looked at last (``_apart``).
    """
    venue, quotes = desk.venue, {order.client_id for order in desk.ours}
    step = venue.spot.price_step
    facing = [best(without(venue.spot_book, desk.ours), side.other)]
    facing += [
        order.price
        for order in venue.resting
        if order.side is side.other
        and order.symbol == venue.spot.symbol
        and order.client_id not in quotes
    ]
    known = [found for found in facing if found is not None]
    if side is Side.BUY:
        return min([price, *(floor_to(found - step, step) for found in known)])
    return max([price, *(ceil_to(found + step, step) for found in known)])


def free_for(desk: Desk, side: Side, price: Decimal) -> Decimal:
    """Base that could rest on this side if our quotes there did not."""
    if side is Side.SELL:
        return free_base(desk.venue, desk.ours)
    return free_quote(desk.venue, desk.ours) / price


def drift_room(desk: Desk, side: Side) -> Decimal | None:
    """Base that this side may still trade before the inventory has drifted too far."""
    if desk.drift is None or desk.span is not None:
        return None  # the band alone bounds it (``inventory_limit``)
    drift = desk.drift if side is Side.BUY else -desk.drift
    return desk.most_drift - drift


def leaned(desk: Desk, side: Side, size: Decimal) -> Decimal:
    """A quote's size: the smaller the further its side has carried the inventory already.

    So what was bought last is sold first, while both sides still rest: with full sizes on both the
    drift would wander from one end to the other and stay there.
    """
    beyond = desk.lean if side is Side.BUY else -desk.lean
    return size * (ONE - max(beyond, ZERO))


def drifted(desk: Desk, side: Side) -> Refusal:
    most = desk.config.quotes.max_drift
    moved = desk.lean * most
    return Refusal(
        rule="quote_drift",
        detail=f"trades on {desk.venue.exchange} have moved {moved:.4f} of the NAV since the "
        f"pool's ranges were placed, and at most {most} may be (quotes.max_drift): no {side} until "
        "the other side has brought it back",
    )


def inventory_limit(desk: Desk, side: Side, amount: Decimal) -> Refusal | None:
    """A fill never carries the share over an edge of its band.

    Where it is beyond that edge already (the price took it there), the skew answers first and the
    side goes on, moved away, for another ``inventory_margin``.
    """
    strategy, margin = desk.config.strategy, desk.config.quotes.inventory_margin
    held, share = desk.held, desk.held.share
    if side is Side.BUY:
        most = strategy.band_high + (margin if share > strategy.band_high else ZERO)
        after = held.share_after(amount + held.pending_buy)
        beyond, bound = after > most, f"above {most}"
    else:
        least = strategy.band_low - (margin if share < strategy.band_low else ZERO)
        if desk.reducing:
            least = floor_share(strategy)  # where the stop-loss ends selling, quotes end it too
        after = held.share_after(-amount - held.pending_sell)
        beyond, bound = after < least, f"below {least}"
    if not beyond:
        return None
    detail = f"a {side} of {amount:f} could take the share to {after:.4f}, {bound}"
    return Refusal(rule="quote_inventory", detail=detail)
