"""Actions as marks on the price: where, when, and in words why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from textwrap import wrap

from dexmm.performance.entry_text import digits
from dexmm.performance.number_format import places_of
from dexmm.performance.track.track import Action, Track
from dexmm.report import palette
from dexmm.report.palette import Tone

MOST = 600  # marks of one kind; of more, the first of each stretch is drawn
WIDTH = 64  # letters a line of the text beside a mark

# what -> (its name in the legend, plotly's symbol, its colour)
KINDS = {
    "deposit": ("deposit", "diamond", palette.BLUE),
    "rerange": ("re-range", "circle", palette.BLUE),
    "exit": ("exit", "square", palette.RED),
    "swap": ("swap", "triangle-up", palette.VIOLET),
    "hedge": ("hedge", "triangle-down", palette.TEAL),
    "slice": ("stop-loss slice", "triangle-down", palette.RED),
    "triangle": ("triangle", "triangle-left", palette.TEAL),
}
FAILED = {"reverted", "failed", "refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: str
    symbol: str
    tone: Tone
    marks: Sequence[tuple[int, Decimal, str]]  # when, price, words


def marked(track: Track) -> list[Group]:
    """What happened, kind by kind, and what was begun in vain."""
    prices = {point.at: point.pool_price for point in track.points}
    last = track.points[-1].pool_price
    done: dict[str, list[Action]] = {}
    for action in track.actions:
        if action.kind in KINDS:
            kind = "failed" if action.status in FAILED else action.kind
            done.setdefault(kind, []).append(action)
    named = {**KINDS, "failed": ("begun in vain", "x", palette.RED)}
    return [
        Group(
            name=name,
            symbol=symbol,
            tone=tone,
            marks=[
                (action.at, prices.get(action.at, last), _words(action, track.quote))
                for action in _some(done[kind])
            ],
        )
        for kind, (name, symbol, tone) in named.items()
        if kind in done
    ]


def _some(actions: Sequence[Action]) -> Sequence[Action]:
    every = -(-len(actions) // MOST)
    return actions[::every]


def _words(action: Action, quote: str) -> str:
    name = KINDS[action.kind][0]
    head = f"<b>{name}</b> {action.status}" + (f", {action.trigger}" if action.trigger else "")
    cost = f"gas {digits(action.gas_quote, places_of(quote))} {quote}" if action.gas_quote else ""
    lines = [head, *(escape(line) for line in wrap(action.reason, WIDTH)), cost]
    return "<br>".join(line for line in lines if line)
