"""A run in the terminal: one steady frame that is redrawn, or a line an event where nobody looks.

Prices are quote per base; what is compared with holding is valued at the world's fair price.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import wrap

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dexmm.config.schema import Config
from dexmm.model.entry import Entry
from dexmm.model.holdings import Position
from dexmm.model.market import Market
from dexmm.performance.entry_text import digits, price_digits, price_range
from dexmm.sandbox.event_feed import Line, Narrator, Tone
from dexmm.sandbox.run import Options, Progress
from dexmm.sim.agents.price_process import PricePath
from dexmm.terminal.sparkline import scale, span, sparkline
from dexmm.units import bp, to_decimal

WIDEST = 120
PICTURE = 64  # columns
FRAME_SECONDS = 0.1  # between redraws; the eye needs no more
_PATH_POINTS = 240
_LOG_LINES = 10
_STYLES = {Tone.DONE: "green", Tone.REFUSED: "yellow", Tone.FAILED: "red", Tone.NOTE: "dim"}


class PlainScreen:
    """A line an event, and one now and then to show that it lives."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._narrator = Narrator()

    def opened(self, config: Config, path: PricePath, options: Options) -> None:
        self._say(opening(path, options))
        if path.understood:
            self._say(f"read {path.understood}")

    def turned(self, progress: Progress) -> None:
        number, planned = progress.number, progress.planned
        lines = self._narrator.lines(progress.entry)
        for line in lines:
            self._say(f"{_stamp(progress)}  {line.text}")
        if number == planned or number % max(planned // 10, 1) == 0:
            self._say(f"{_stamp(progress)}  {_standing(progress)}")

    def skipped(self, number: int, reason: str) -> None:
        self._say(f"turn {number}  skipped: {reason}")

    def closed(self) -> None:
        """Nothing is held open."""

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class LiveScreen:
    """One frame: where the price stands in the ranges, the share in its band, and the log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._narrator = Narrator()
        self._log: deque[tuple[str, Line]] = deque(maxlen=_LOG_LINES)
        self._path: deque[Decimal] = deque(maxlen=_PATH_POINTS)
        self._live: Live | None = None
        self._drawn_at = 0.0
        self._last: Progress | None = None
        self._config: Config | None = None
        self._title = ""

    def opened(self, config: Config, path: PricePath, options: Options) -> None:
        self._config = config
        self._title = opening(path, options)
        if path.understood:
            self._console.print(f"read {path.understood}", markup=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stderr=True)
        self._live.start()

    def turned(self, progress: Progress) -> None:
        self._last = progress
        self._path.append(progress.point.pool_price)
        for line in self._narrator.lines(progress.entry):
            self._log.append((f"{_clock(progress):%d %H:%M}", line))
        if time.monotonic() - self._drawn_at >= FRAME_SECONDS:
            self._draw()

    def skipped(self, number: int, reason: str) -> None:
        self._log.append((f"turn {number}", Line(Tone.FAILED, f"skipped: {reason}")))
        self._draw()

    def closed(self) -> None:
        """Leave the last frame on the terminal, if there still is one.

        Raises nothing: a signal may have interrupted the drawing, whose state is then anything.
        """
        live = self._live
        with suppress(Exception):
            self._draw()
            if live is not None:
                live.stop()
        self._live = None
        if live is not None:
            with suppress(Exception):
                self._console.show_cursor(True)

    def _draw(self) -> None:
        if self._live is not None and self._last is not None and self._config is not None:
            width = min(self._console.width, WIDEST)
            self._live.update(self._frame(self._last, self._config, width), refresh=True)
            self._drawn_at = time.monotonic()

    def _frame(self, progress: Progress, config: Config, width: int) -> RenderableType:
        inner = width - 4
        lines = [
            *_header(progress, inner),
            *_price(progress, list(self._path), inner),
            _share(progress, config, inner),
            *_value(progress, inner),
            Text(),
        ]
        body = [*lines, _positions(progress, inner)]
        height = max(min(self._console.height - len(lines) - 11, _LOG_LINES), 3)
        return Group(
            Panel(Group(*body), title=self._title, title_align="left", width=width),
            Panel(self._log_lines(height, inner), title="log", title_align="left", width=width),
        )

    def _log_lines(self, height: int, width: int) -> Text:
        """Always ``height`` lines, so that the frame does not jump; long ones are wrapped."""
        lines: list[tuple[str, str, str]] = []
        for when, line in self._log:
            for number, part in enumerate(wrap(line.text, width - len(when) - 2)):
                lines.append((when if not number else " " * len(when), part, _STYLES[line.tone]))
        lines = lines[-height:]
        text = Text(no_wrap=True)
        for when, part, style in lines:
            text.append(f"{when}  ", "dim").append(f"{part}\n", style)
        return text.append("\n" * (height - len(lines) - 1)) if len(lines) < height else text[:-1]


def opening(path: PricePath, options: Options) -> str:
    chain = " on a fork of mainnet" if options.fork_url else ""
    filled = f", {path.filled} missing candles filled with the last close" if path.filled else ""
    source = path.source.rsplit("/", 1)[-1].removesuffix(".gz").removesuffix(".csv")
    return f"dexmm sandbox: {options.strategy}{chain}, {source}{filled}"


def _clock(progress: Progress) -> datetime:
    return datetime.fromtimestamp(progress.point.at, UTC)


def _stamp(progress: Progress) -> str:
    return f"turn {progress.number}/{progress.planned}  {_clock(progress):%Y-%m-%d %H:%M}"


def _standing(progress: Progress) -> str:
    point = progress.point
    return (
        f"price {price_digits(point.pool_price)}  share {_percent(point.share)}  "
        f"value {digits(point.nav, 2)}  against holding {_signed(_against_holding(progress))}"
    )


def _rows(pieces: list[tuple[str, str]], width: int) -> list[Text]:
    """Pieces of text, each with its style, side by side as far as they have room."""
    found = [Text(no_wrap=True)]
    for text, style in pieces:
        if found[-1] and len(found[-1]) + 2 + len(text) > width:
            found.append(Text(no_wrap=True))
        if found[-1]:
            found[-1].append("  ")
        found[-1].append(text, style)
    return found


def _header(progress: Progress, width: int) -> list[Text]:
    left = f"turn {progress.number}/{progress.planned}  {_clock(progress):%a %Y-%m-%d %H:%M} UTC"
    chain = progress.entry.snapshot.chain
    right = f"block {chain.block.number:,}  {progress.entry.decision.state}"
    room = width - len(left) - len(right) - 4
    if room < 0:
        return _rows([(left, "bold"), (right, "bold")], width)
    done = room * progress.number // progress.planned
    text = Text(no_wrap=True)
    text.append(f"{left}  ", "bold").append("█" * done, "cyan").append("░" * (room - done), "dim")
    return [text.append(f"  {right}", "bold")]


def _price(progress: Progress, path: list[Decimal], width: int) -> list[Text]:
    point = progress.point
    off = bp(point.pool_price - point.fair_price, point.fair_price)
    price = f"price {price_digits(point.pool_price)}"
    fair = f"fair {price_digits(point.fair_price)} ({off:+.0f} bp)"
    found = _rows([(price, ""), (fair, "")], width)
    room = width - len(found[-1]) - 2
    if room > 0:
        found[-1].append("  ").append(sparkline(path, room), "cyan")
    return found


def _share(progress: Progress, config: Config, width: int) -> Text:
    low, high, share = config.strategy.band_low, config.strategy.band_high, progress.point.share
    words = f"share {_percent(share)}  "
    ends = (f"{_percent(low, 0)} ┣", f"┫ {_percent(high, 0)}")
    room = max(width - len(words) - len(ends[0]) - len(ends[1]), 10)
    marks = [(config.strategy.target, "┃"), (share, "●")]
    inside = low <= share <= high
    return (
        Text(no_wrap=True)
        .append(words, "green" if inside else "red bold")
        .append(ends[0] + scale(room, low, high, marks) + ends[1])
    )


def _value(progress: Progress, width: int) -> list[Text]:
    entry, point = progress.entry, progress.point
    quote = entry.snapshot.chain.market.quote.symbol
    memory = entry.memory
    fees = memory.fees_base * point.fair_price + memory.fees_quote
    gas = to_decimal(memory.gas_spent, 18)
    gained = _against_holding(progress)
    pieces = [
        (f"value {digits(point.nav, 2)} {quote}", ""),
        (f"against holding {_signed(gained)}", "green" if gained >= 0 else "red"),
        (f"fees {digits(fees, 2)}", ""),
        (f"gas {gas:.5f} ETH", ""),
    ]
    return _rows(pieces, width)


def _against_holding(progress: Progress) -> Decimal:
    first, point = progress.first, progress.point
    return point.nav - (first.base * point.fair_price + first.quote)


def _positions(progress: Progress, width: int) -> RenderableType:
    """Two rows at least, so that the frame keeps its height.

    The picture of each range needs ``PICTURE`` columns; where there are fewer, words are enough.
    """
    if width < PICTURE:
        return _in_words(progress, width)
    entry = progress.entry
    chain = entry.snapshot.chain
    market, price = chain.market, progress.point.pool_price
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=True, header_style="dim")
    table.add_column("range", no_wrap=True)
    for name in ("low", "", "high", "value", "fees"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    room = max(width - 52, 12)
    ranges = [price_range(market, p.tick_lower, p.tick_upper) for p in chain.positions]
    ends = (min([price, *(low for low, _ in ranges)]), max([price, *(high for _, high in ranges)]))
    for position, (low, high) in zip(chain.positions, ranges, strict=True):
        alive = position.in_range(chain.pool.tick)
        value, fees = _worth(market, position, price)
        table.add_row(
            Text(_role(entry, position), "green" if alive else "yellow"),
            price_digits(low),
            Text(span(room, ends, (low, high), price), "green" if alive else "yellow"),
            price_digits(high),
            digits(value, 2),
            digits(fees, 2),
        )
    for _ in range(2 - len(ranges)):
        table.add_row("", "", "", "", "", "")
    return table


def _in_words(progress: Progress, width: int) -> RenderableType:
    """As ``_positions``, every amount whole, two lines a range."""
    chain, price = progress.entry.snapshot.chain, progress.point.pool_price
    found: list[Text] = []
    for position in chain.positions:
        low, high = price_range(chain.market, position.tick_lower, position.tick_upper)
        value, fees = _worth(chain.market, position, price)
        tone = "green" if position.in_range(chain.pool.tick) else "yellow"
        ends = f"{_role(progress.entry, position)} {price_digits(low)} to {price_digits(high)}"
        held = [(f"value {digits(value, 2)}", ""), (f"fees {digits(fees, 2)}", "")]
        found += _rows([(ends, tone), *held], width)
    return Group(*found, *(Text() for _ in range(2 - len(found))))


def _role(entry: Entry, position: Position) -> str:
    ticks = (position.tick_lower, position.tick_upper)
    for target in entry.decision.targets:
        if (target.tick_lower, target.tick_upper) == ticks:
            return str(target.role)
    return "old"


def _worth(market: Market, position: Position, price: Decimal) -> tuple[Decimal, Decimal]:
    base, quote = market.base_quote(position.amount0, position.amount1)
    fees_base, fees_quote = market.base_quote(position.fees0, position.fees1)
    return base * price + quote, fees_base * price + fees_quote


def _percent(share: Decimal, places: int = 1) -> str:
    return f"{share * 100:.{places}f} %"


def _signed(value: Decimal) -> str:
    return ("+" if value >= 0 else "−") + digits(abs(value), 2)
