"""Whether quotes can earn at all: what a round brings against the fees that it pays.

One unit of base that is bought at ref - h and sold at ref + h brings 2 h of quote and pays
f (ref - h) + f (ref + h) = 2 f ref of maker fees, wherever the price goes. So

    break even    h = f ref

and quotes nearer than that lose with every round, the more the more is traded. h is the wanted half
spread: ``half_spread`` (or Avellaneda and Stoikov's), at least ``spread_sigmas`` of a refresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Quotes
from dexmm.decimal_context import BP, precise
from dexmm.strategy.trading.quote_prices import optimal_spread
from dexmm.strategy.trading.quotes import least_half_spread


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteWorth:
    """Of one unit of base that goes round. Money in quote."""

    half_spread: Decimal
    break_even: Decimal  # half spread at which a round brings nothing
    maker_fee: Decimal  # of the notional

    @property
    def brings(self) -> Decimal:
        return 2 * self.half_spread

    @property
    def pays(self) -> Decimal:
        return 2 * self.break_even

    @property
    def loses(self) -> bool:
        """A round costs more than it brings, whatever happens."""
        return self.half_spread < self.break_even


@precise
def quote_worth(
    maker_fee: Decimal, reference: Decimal, sigma: Decimal, settings: Quotes
) -> QuoteWorth:
    """``reference`` is the price quoted around, ``sigma`` the log price's volatility per square
    root of a second, ``maker_fee`` the account's own (negative where it is paid for resting)."""
    half = settings.half_spread
    if settings.skew == "avellaneda":
        left = Decimal(settings.horizon_seconds)
        half = optimal_spread(settings.gamma, settings.kappa, (sigma * reference) ** 2, left) / 2
    return QuoteWorth(
        half_spread=max(half, least_half_spread(reference, sigma, settings)),
        break_even=maker_fee * reference,
        maker_fee=maker_fee,
    )


def in_words(worth: QuoteWorth, base: str, quote: str) -> str:
    """One sentence with the figures."""
    fee = f"{(worth.maker_fee * BP).normalize():f}"
    return (
        f"a half spread of {worth.half_spread:.2f} {quote} brings {worth.brings:.2f} and pays "
        f"{worth.pays:.2f} {quote} of fees ({fee} bp maker) for each {base} that goes round; it "
        f"breaks even at a half spread of {worth.break_even:.2f} {quote}"
    )


ADVICE = (
    "widen quotes.half_spread beyond that, get lower fees, or set quotes.accept_loss to quote at a "
    "loss all the same"
)
