"""What a page is made of, apart from figures: text, numbers that stand out, tables, verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape as _escape
from typing import Any, Literal

Tone = Literal["", "good", "bad", "dim"]

# A line must not break inside a number, nor between it and its unit.
_IN_NUMBER = re.compile(r"(?<=\d) (?=\d{3}(?!\d)|%)")


def escape(text: str) -> str:
    return _IN_NUMBER.sub("\u00a0", _escape(text))


@dataclass(frozen=True, slots=True)
class Html:
    """Markup as it stands. Whatever came from outside must have been escaped."""

    markup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table, where its text alone does not say enough."""

    text: str
    tone: Tone = ""
    title: str = ""  # shown when pointed at


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text. ``left`` counts the columns that hold words; all others hold numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    left: int = 1
    words: Sequence[int] = ()  # further columns that hold words, by index
    caption: str = ""
    empty: str = "None."  # instead of a table without rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One headline figure: what it is, the number with its unit, a sentence on it."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A plotly figure with what it shows in a sentence, for those who cannot see it too."""

    figure: Any  # plotly.graph_objects.Figure
    says: str


@dataclass(frozen=True, slots=True)
class Bullets:
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One verdict, in a box that cannot be overlooked."""

    text: str
    tone: Tone
    note: str = ""


def table(found: Table) -> str:
    if not found.rows:
        return f'<p class="empty">{escape(found.empty)}</p>'
    words = {*range(found.left), *found.words}
    head = "".join(
        f'<th scope="col"{_words(at, words)}>{escape(heading)}</th>'
        for at, heading in enumerate(found.headings)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(cell, at, words) for at, cell in enumerate(row))}</tr>"
        for row in found.rows
    )
    caption = f"<caption>{escape(found.caption)}</caption>" if found.caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def tiles(found: Tiles) -> str:
    return f'<dl class="tiles">{"".join(_tile(tile) for tile in found.tiles)}</dl>'


def bullets(found: Bullets) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in found.lines)}</ul>"


def banner(found: Banner) -> str:
    note = f"<p>{escape(found.note)}</p>" if found.note else ""
    return f'<div class="banner {found.tone}"><strong>{escape(found.text)}</strong>{note}</div>'


def _tile(tile: Tile) -> str:
    note = f'<dd class="note">{escape(tile.note)}</dd>' if tile.note else ""
    return (
        f'<div><dt>{escape(tile.label)}</dt><dd class="figure {tile.tone}">'
        f"{escape(tile.value)}</dd>{note}</div>"
    )


def _cell(cell: str | Cell, at: int, words: set[int]) -> str:
    known = Cell(text=cell) if isinstance(cell, str) else cell
    classes = " ".join(filter(None, ("words" if at in words else "", known.tone)))
    attributes = (f' class="{classes}"' if classes else "") + (
        f' title="{escape(known.title)}"' if known.title else ""
    )
    return f"<td{attributes}>{escape(known.text)}</td>"


def _words(at: int, words: set[int]) -> str:
    return ' class="words"' if at in words else ""
