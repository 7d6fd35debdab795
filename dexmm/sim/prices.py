"""Where the fair price goes: candles from a file, or a seeded generator that behaves as gold does.

A candle file is somebody else's work, so it is read strictly: text in a number, a row twice or
out of order, a price that is not positive, a high below a low are each one clear line. Missing
candles are the one fault that real exchanges leave in honest files (maintenance hours): up to
``LONGEST_GAP_SECONDS`` they are filled with the last close, at no volume, and counted.

The generator draws log returns whose volatility wanders mildly (an AR(1) in log volatility),
adds Poisson jumps, and keeps gold's session: from Friday 22:00 to Sunday 23:00 UTC the price
hardly moves, and the week opens with a gap. One seed, one path.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from dexmm.errors import BadInput

COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")
LONGEST_GAP_SECONDS = 96 * 3600  # a long weekend; anything longer is a wrong file, not a gap
_EARLIEST_MS, _LATEST_MS = 1_000_000_000_000, 10_000_000_000_000  # 2001 to 2286
_YEAR = 365 * 86_400
_WEEK = 7 * 86_400
_THURSDAY = 3  # the epoch's weekday, Monday being 0
_CLOSES = 4 * 86_400 + 22 * 3600  # Friday 22:00 UTC, seconds into the week
_OPENS = 6 * 86_400 + 23 * 3600  # Sunday 23:00 UTC
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """Prices are quote per base; ``at`` is the open time in seconds; ``volume`` is in base."""

    at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    filled: bool = False  # missing in the file: it repeats the last close

    def waypoints(self) -> tuple[Decimal, Decimal, Decimal]:
        """The way from open to close: through the extreme that lies against the body first.

        A candle does not say which extreme came first; this is the usual convention.
        """
        if self.close >= self.open:
            return self.low, self.high, self.close
        return self.high, self.low, self.close


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePath:
    """Candles without a hole, ``interval_seconds`` apart."""

    source: str
    interval_seconds: int
    candles: tuple[Candle, ...]

    @property
    def filled(self) -> int:
        """How many candles were missing and repeat the last close."""
        return sum(candle.filled for candle in self.candles)

    def first(self, count: int) -> PricePath:
        """The first ``count`` candles; ``BadInput`` when there are fewer."""
        if count > len(self.candles):
            raise BadInput(
                f"{self.source} has {len(self.candles)} candles, too few for {count} turns: "
                f"ask for at most --turns {len(self.candles)}",
                candles=len(self.candles),
                turns=count,
            )
        return replace(self, candles=self.candles[:count])


def read_candles(path: Path) -> PricePath:
    """Read ``.csv`` or ``.csv.gz`` with the columns ``COLUMNS`` in any order; others are ignored.

    Raises ``BadInput`` naming the file, the row (the header is row 1) and what to do.
    """
    rows = csv.reader(io.StringIO(_text(path), newline=""))
    where = _columns(next(rows, None), path)
    read: list[tuple[int, Candle]] = []
    for number, row in enumerate(rows, start=2):
        if row:
            read.append((number, _candle(row, where, path, number)))
            _refuse_disorder(read, path)
    if len(read) < 2:
        raise BadInput(
            f"{path} needs at least two candles and holds {len(read)}: choose another file",
            file=str(path),
        )
    interval = min(b.at - a.at for (_, a), (_, b) in pairwise(read))
    return PricePath(
        source=str(path),
        interval_seconds=interval,
        candles=tuple(_without_holes(read, interval, path)),
    )


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInput(
            f"there is no candle file at {path}: check the path given to --prices"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadInput(f"{path} is a truncated or damaged gzip file: fetch it again") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not text: --prices takes a .csv or .csv.gz file") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None


def _columns(header: list[str] | None, path: Path) -> dict[str, int]:
    if not header:
        raise BadInput(f"{path} is empty: it must hold a header and candles")
    names = [name.strip().lower() for name in header]
    if missing := [name for name in COLUMNS if name not in names]:
        raise BadInput(
            f"{path} row 1 lacks the columns {', '.join(missing)}: the header must name "
            f"{','.join(COLUMNS)}"
        )
    return {name: names.index(name) for name in COLUMNS}


def _candle(row: list[str], where: dict[str, int], path: Path, number: int) -> Candle:
    if len(row) <= max(where.values()):
        raise _bad(path, number, "ends before its last column: the file may be cut short")
    at_ms = row[where["timestamp_ms"]].strip()
    if not at_ms.isascii() or not at_ms.isdigit():
        raise _bad(path, number, f"has {at_ms!r} as timestamp_ms: it must be whole milliseconds")
    if not _EARLIEST_MS <= int(at_ms) < _LATEST_MS or int(at_ms) % 1000:
        raise _bad(
            path,
            number,
            f"has timestamp_ms {at_ms}: it must be milliseconds since 1970 on a whole second",
        )
    opened, high, low, close, volume = (
        _number(row[where[name]], name, path, number) for name in COLUMNS[1:]
    )
    candle = Candle(
        at=int(at_ms) // 1000, open=opened, high=high, low=low, close=close, volume=volume
    )
    if min(candle.open, candle.high, candle.low, candle.close) <= 0:
        raise _bad(path, number, "has a price that is not above zero: remove or mend the row")
    if candle.high < max(candle.open, candle.close, candle.low) or candle.low > min(
        candle.open, candle.close
    ):
        raise _bad(path, number, "has a high below or a low above its other prices: mend the row")
    if candle.volume < 0:
        raise _bad(path, number, "has a negative volume: mend the row")
    return candle


def _number(text: str, name: str, path: Path, number: int) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise _bad(path, number, f"has {text!r} as {name}: it must be a number") from None
    if not value.is_finite():
        raise _bad(path, number, f"has {text!r} as {name}: it must be a finite number")
    return value


def _refuse_disorder(read: list[tuple[int, Candle]], path: Path) -> None:
    if len(read) < 2:
        return
    (_, before), (number, candle) = read[-2:]
    if candle.at == before.at:
        raise _bad(path, number, "repeats the timestamp of the row before: remove one of them")
    if candle.at < before.at:
        raise _bad(path, number, "is older than the row before: sort the file by timestamp_ms")


def _without_holes(read: list[tuple[int, Candle]], interval: int, path: Path) -> Iterator[Candle]:
    last = read[0][1]
    yield last
    for number, candle in read[1:]:
        gap = candle.at - last.at
        if gap % interval:
            raise _bad(
                path,
                number,
                f"comes {gap} s after the row before, in a file of {interval} s candles: "
                "remove it or resample the file",
            )
        if gap > LONGEST_GAP_SECONDS:
            raise _bad(
                path,
                number,
                f"follows a gap of {gap // 3600} hours: fill it, or cut the file there",
            )
        for at in range(last.at + interval, candle.at, interval):
            price = last.close
            yield Candle(at=at, open=price, high=price, low=price, close=price, filled=True)
        yield candle
        last = candle


def _bad(path: Path, number: int, what: str) -> BadInput:
    return BadInput(f"{path} row {number} {what}", file=str(path), row=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """How the generator moves. Statistics, hence floats; prices come out as Decimal."""

    sigma_annual: float = 0.16
    wander: float = 0.25  # standard deviation of log volatility
    wander_halflife_hours: float = 12.0
    jumps_per_year: float = 50.0
    jump_sigma: float = 0.004
    closed_scale: float = 0.1  # of the volatility, while the session is closed
    weekend_gap_sigma: float = 0.003


GENERATOR_START = 1_704_067_200  # Monday 2024-01-01 00:00 UTC: no clock takes it for the future
GOLD = Gold()


def generate(
    seed: int,
    count: int,
    *,
    start_price: Decimal = Decimal(4000),
    start_at: int = GENERATOR_START,
    interval_seconds: int = 300,
    model: Gold = GOLD,
) -> PricePath:
    """``count`` candles from a seed, prices to the cent."""
    dice = random.Random(f"prices:{seed}")  # noqa: S311 - a repeatable path, not a secret
    price, wander = float(start_price), 0.0
    candles = []
    for at in range(start_at, start_at + count * interval_seconds, interval_seconds):
        if _session_closed(at - interval_seconds) and not _session_closed(at):
            price *= math.exp(dice.gauss(0, model.weekend_gap_sigma))
        steps = [price]
        for _ in range(4):
            wander, change = _step(dice, model, wander, interval_seconds / 4, at)
            steps.append(steps[-1] * math.exp(change))
        price = steps[-1]
        candles.append(_rounded(at, steps))
    return PricePath(
        source=f"generator, seed {seed}",
        interval_seconds=interval_seconds,
        candles=tuple(candles),
    )


def _step(
    dice: random.Random, model: Gold, wander: float, seconds: float, at: int
) -> tuple[float, float]:
    """The next state of log volatility, and a log return over ``seconds``."""
    memory = 0.5 ** (seconds / 3600 / model.wander_halflife_hours)
    wander = memory * wander + dice.gauss(0, model.wander * math.sqrt(1 - memory * memory))
    open_share = 1 - (_OPENS - _CLOSES) / _WEEK
    sigma = model.sigma_annual * math.sqrt(seconds / (_YEAR * open_share))
    # minus wander**2 keeps the mean variance where sigma_annual puts it
    change = dice.gauss(0, sigma * math.exp(wander - model.wander * model.wander))
    if _session_closed(at):
        return wander, change * model.closed_scale
    if dice.random() < model.jumps_per_year * seconds / (_YEAR * open_share):
        change += dice.gauss(0, model.jump_sigma)
    return wander, change


def _session_closed(at: int) -> bool:
    second = (at + _THURSDAY * 86_400) % _WEEK
    return _CLOSES <= second < _OPENS


def _rounded(at: int, steps: list[float]) -> Candle:
    prices = [Decimal(repr(step)).quantize(_CENT) for step in steps]
    return Candle(at=at, open=prices[0], high=max(prices), low=min(prices), close=prices[-1])
