"""Numbers as people read them: units beside them, nothing flattered by rounding."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal

from dexmm.performance.entry_text import digits
from dexmm.performance.track.track import Track

HOUR = 3600
DAY = 86_400
ONE = Decimal(1)
CENTS, ETHER_PLACES = 2, 6
ETHERS = {"ETH", "WETH"}


def percent(share: Decimal, places: int = 1) -> str:
    """Cut off, not rounded: 99.96 % is never told as 100."""
    step = ONE.scaleb(-places)
    return f"{digits((share * 100).quantize(step, ROUND_DOWN), places)} %"


def duration(seconds: int) -> str:
    """Cut off as well."""
    if seconds < 60:
        return f"{seconds} seconds"
    if seconds < 2 * HOUR:
        minutes = seconds // 60
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    unit, name = (HOUR, "hours") if seconds < 3 * DAY else (DAY, "days")
    return f"{digits(Decimal(seconds * 10 // unit) / 10, 1)} {name}"


def money(amount: Decimal, track: Track, *, sign: bool = False) -> str:
    """To the cent, with its unit; ``sign`` shows a plus too. Of an ether a cent is too much."""
    places = places_of(track.quote)
    return f"{signed(amount, places) if sign else digits(amount, places)} {track.quote}"


def places_of(quote: str) -> int:
    """The decimals that money is told with: an ether's hundredth is no small change."""
    return ETHER_PLACES if quote in ETHERS else CENTS


def signed(amount: Decimal, places: int = 2) -> str:
    """With its sign, a true minus; nothing is nothing, without one."""
    text = digits(abs(amount), places)
    if not Decimal(text.replace(" ", "")):
        return text
    return ("+" if amount > 0 else "−") + text


def whole(number: int) -> str:
    return digits(Decimal(number), 0)


def day(at: int) -> str:
    """UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def moment(at: int) -> str:
    """To the minute, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
