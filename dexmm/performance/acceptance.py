"""Verdicts: what a track must show, what it shows, and whether that is enough. Pure.

Every criterion has its number. What cannot be said yet has failed, and says that there is not
enough data: nobody goes live, and no exchange is told anything, on what has not been seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.performance.attribution import Source, attribute
from dexmm.performance.entry_text import digits
from dexmm.performance.fills import filled
from dexmm.performance.number_format import duration, money, percent, whole
from dexmm.performance.order_statistics import trading
from dexmm.performance.quote_presence import presence
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import uptime
from dexmm.units import PRICE, bp

ZERO, ONE = Decimal(0), Decimal(1)
HOUR = 3600
DAY = 86_400
NOT_ENOUGH = "not enough data"
EXPLAINED_BP = ONE  # of the start: more than that unexplained, and the net cannot be believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    what: str
    wanted: str
    found: str
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    name: str
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        return all(criterion.passed for criterion in self.criteria)

    @property
    def failed(self) -> tuple[Criterion, ...]:
        return tuple(criterion for criterion in self.criteria if not criterion.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRules:
    hours: Decimal = Decimal(24)  # observed, outages aside
    fills: int = 20
    tolerance: Decimal = Decimal("0.005")  # by which a share may be outside its band


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRules:
    days: Decimal = ONE  # of the period
    uptime: Decimal = Decimal("0.95")
    success: Decimal = Decimal("0.95")  # accepted of all orders
    cancelled: Decimal = Decimal("0.30")  # by us, of those accepted; at most
    two_sided: Decimal = Decimal("0.80")  # of the time looked at


def trial(track: Track, rules: TrialRules, *, log_searched: bool = True) -> Verdict:
    """Whether a trial run has earned its way to real money.

    ``log_searched``: whether ``track.errors`` is all that the loop's log tells; a journal has none.
    """
    return Verdict(
        name="24-hour trial" if rules.hours == 24 else f"{rules.hours.normalize():f}-hour trial",
        criteria=(
            _observed(track, rules),
            _fills(track, rules),
            _in_band(track, rules),
            *_net(track),
            _errors(track, log_searched),
            _halted(track),
        ),
    )


def evidence(track: Track, rules: EvidenceRules) -> Verdict:
    """What an exchange asks of a market maker."""
    return Verdict(
        name="market-maker evidence",
        criteria=(
            _period(track, rules),
            _uptime(track, rules),
            *_orders(track, rules),
            _two_sided(track, rules),
            _spread(track),
            _exchange_fees(track),
        ),
    )


def _observed(track: Track, rules: TrialRules) -> Criterion:
    seen = uptime(track)
    down = f", {duration(seen.down_seconds)} of outages left out" if seen.outages else ""
    enough = seen.up_seconds >= rules.hours * HOUR
    return Criterion(
        what="observed long enough",
        wanted=f"at least {rules.hours.normalize():f} hours",
        found=duration(seen.up_seconds),
        passed=enough,
        note=("" if enough else f"{NOT_ENOUGH}: let it run on") + down,
    )


def _fills(track: Track, rules: TrialRules) -> Criterion:
    found = filled(track)
    enough = found.all >= rules.fills
    return Criterion(
        what="fills",
        wanted=f"at least {rules.fills}",
        found=whole(found.all),
        passed=enough,
        note=("" if enough else f"{NOT_ENOUGH}: too little was traded with us to judge by; ")
        + f"{whole(found.pool)} turns found pool fees grown, {whole(found.exchange)} orders on the "
        "exchange were filled",
    )


def _in_band(track: Track, rules: TrialRules) -> Criterion:
    low, high = track.band_low - rules.tolerance, track.band_high + rules.tolerance
    shares = [point.share for point in track.points]
    inside = sum(low <= share <= high for share in shares)
    band = f"{percent(track.band_low)} to {percent(track.band_high)}"
    return Criterion(
        what="share inside its band",
        wanted=f"every turn within {band}, give or take {percent(rules.tolerance)}",
        found=f"{percent(PRICE.divide(Decimal(inside), Decimal(len(shares))))} of turns",
        passed=inside == len(shares),
        note=f"between {percent(min(shares), 2)} and {percent(max(shares), 2)}",
    )


def _net(track: Track) -> tuple[Criterion, ...]:
    found = attribute(track.marks)
    net, left = found.against_holding, found.part(Source.UNEXPLAINED).total
    told = bp(abs(left), found.start) <= EXPLAINED_BP if found.start else not left
    missing = trading(track.orders).fees_unvalued
    return (
        Criterion(
            what="net after all costs",
            wanted=f"more than 0 {track.quote} against holding",
            found=money(net, track, sign=True),
            passed=net > 0 and not missing,
            note=f"{NOT_ENOUGH}: exchange fees of "
            + " and ".join(f"{amount:f} {coin}" for coin, amount in missing)
            + " have no known price and are not in it"
            if missing
            else "",
        ),
        Criterion(
            what="accounts explained",
            wanted=f"all but {EXPLAINED_BP} bp of the starting value",
            found=f"{money(left, track, sign=True)} unexplained",
            passed=told,
            note="" if told else "the net cannot be believed before this is",
        ),
    )


def _errors(track: Track, log_searched: bool) -> Criterion:
    unknown = "" if log_searched else "the loop's log was not searched: --log FILE does"
    return Criterion(
        what="unhandled errors",
        wanted="none",
        found=str(len(track.errors)) if track.errors else "none known",
        passed=not track.errors,
        note=track.errors[0] if track.errors else unknown,
    )


def _halted(track: Track) -> Criterion:
    turns = sum(point.state == "HALTED" for point in track.points)
    return Criterion(
        what="halts",
        wanted="none",
        found=f"{turns} turns halted" if turns else "none",
        passed=not turns and not track.halted,
        note=track.halted,
    )


def _period(track: Track, rules: EvidenceRules) -> Criterion:
    seconds = uptime(track).seconds
    enough = seconds >= rules.days * DAY
    return Criterion(
        what="period",
        wanted=f"at least {rules.days.normalize():f} day{'' if rules.days == 1 else 's'}",
        found=duration(seconds),
        passed=enough,
        note="" if enough else NOT_ENOUGH,
    )


def _uptime(track: Track, rules: EvidenceRules) -> Criterion:
    seen = uptime(track)
    return Criterion(
        what="uptime",
        wanted=f"at least {percent(rules.uptime)}",
        found=percent(seen.share, 2),
        passed=seen.share >= rules.uptime,
        note=f"{len(seen.outages)} outages, {duration(seen.down_seconds)} in all"
        if seen.outages
        else "no outage",
    )


def _orders(track: Track, rules: EvidenceRules) -> tuple[Criterion, ...]:
    found = trading(track.orders)
    none = f"{NOT_ENOUGH}: no order was sent"
    return (
        Criterion(
            what="order success",
            wanted=f"at least {percent(rules.success)} of orders accepted",
            found=percent(found.success, 2) if found.orders else "no orders",
            passed=bool(found.orders) and found.success >= rules.success,
            note=f"{found.sent} of {found.orders}" if found.orders else none,
        ),
        Criterion(
            what="cancel ratio",
            wanted=f"at most {percent(rules.cancelled)} of accepted orders cancelled by us",
            found=percent(found.cancel_ratio, 2) if found.sent else "no orders",
            passed=bool(found.sent) and found.cancel_ratio <= rules.cancelled,
            note=f"{found.cancelled} of {found.sent}" if found.sent else none,
        ),
    )


def _exchange_fees(track: Track) -> Criterion:
    """Each at the price of its own fill: a base fee at the order's, a third coin's when told."""
    found = trading(track.orders)
    filled = [order for order in track.orders if order.filled]
    in_base = (
        PRICE.divide(PRICE.multiply(order.fee_base, order.cost), order.filled) for order in filled
    )
    others = sum((value for _, _, value in found.fees_valued), ZERO)
    total = sum(in_base, found.fees_quote + others)
    coins = ", ".join(coin for coin, _ in found.fees_other)
    missing = " and ".join(f"{amount:f} {coin}" for coin, amount in found.fees_unvalued)
    return Criterion(
        what="exchange fees",
        wanted="each with a value",
        found=f"{total:.2f} {track.quote}",
        passed=not missing,
        note=f"{NOT_ENOUGH}: {missing} have no known price and are not in it"
        if missing
        else f"of which {others:.2f} {track.quote} paid in {coins}"
        if coins
        else "",
    )


def _two_sided(track: Track, rules: EvidenceRules) -> Criterion:
    seen = presence(track)
    return Criterion(
        what="quoted on both sides",
        wanted=f"at least {percent(rules.two_sided)} of the time",
        found=percent(seen.two_sided, 2) if seen.looks else "never looked",
        passed=bool(seen.looks) and seen.two_sided >= rules.two_sided,
        note=f"one side alone: {percent(seen.one_sided, 2)}; {seen.looks} looks at the book"
        if seen.looks
        else f"{NOT_ENOUGH}: no quote was ever seen in the book",
    )


def _spread(track: Track) -> Criterion:
    seen = presence(track)
    if seen.spread_median_bp is None or seen.spread_mean_bp is None:
        return Criterion(
            what="quoted spread",
            wanted="measured",
            found="none",
            passed=False,
            note=f"{NOT_ENOUGH}: both sides were never seen in the book together",
        )
    return Criterion(
        what="quoted spread",
        wanted="measured",
        found=f"{digits(seen.spread_median_bp, 1)} bp in the median",
        passed=True,
        note=f"{digits(seen.spread_mean_bp, 1)} bp on average over time",
    )
