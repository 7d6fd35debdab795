"""One self-contained HTML page: text, tables and plotly figures, with nothing to load.

plotly's JavaScript is embedded once, from its own wheel. A content security policy in the page
forbids the browser to fetch anything from anywhere, so that a page opened from a mail or a disk
tells nobody that it is read.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dexmm import __version__
from dexmm.errors import unusable
from dexmm.optional_packages import need
from dexmm.report import html_parts
from dexmm.report.html_parts import Banner, Bullets, Chart, Html, Table, Tiles, escape
from dexmm.report.palette import TONES, swaps

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
FILES = Path(__file__).parent
STYLE, SCRIPT = FILES / "page.css", FILES / "page.js"

# A plain string is a paragraph; anything else with `to_json` and `data` is a plotly figure.
Part = str | Html | Table | Tiles | Bullets | Banner | Chart | Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    parts: tuple[Part, ...]

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class Page:
    """``Page("Title", "subtitle").section("Name", "text", table, figure).write(path)``"""

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self.sections: list[Section] = []

    def section(self, title: str, *content: Part) -> Self:
        """Add a section. Text is escaped; ``Html`` is not. Returns the page, to go on."""
        self.sections.append(Section(title=title, parts=content))
        return self

    def html(self) -> str:
        """The whole document. Raises ``BadInput`` when there are figures and no plotly."""
        body = "".join(_section(section) for section in self.sections)
        drawn = 'class="plot"' in body
        library = need("plotly.offline", "backtest").get_plotlyjs() if drawn else ""
        return "".join(
            (
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                '<meta name="color-scheme" content="light dark">',
                f'<meta name="generator" content="dexmm {__version__}">',
                f"<title>{escape(self.title)}</title>",
                f"<style>{_colours()}{STYLE.read_text('utf-8')}</style></head>\n<body><main>",
                f"<header><h1>{escape(self.title)}</h1>",
                f"<p>{escape(self.subtitle)}</p>" if self.subtitle else "",
                f"</header>\n{self._contents()}{body}</main>",
                f"\n<script>{library}</script>" if drawn else "",
                f"\n<script>{_script()}</script>" if drawn else "",
                "\n</body></html>\n",
            )
        )

    def write(self, path: Path) -> int:
        """Write the page, whole or not at all. Returns its size in bytes.

        Raises ``BadInput`` when ``path`` cannot be written.
        """
        return write_whole(path, self.html())

    def _contents(self) -> str:
        if len(self.sections) < 4:
            return ""
        links = "".join(f'<a href="#{s.anchor}">{escape(s.title)}</a>' for s in self.sections)
        return f'<nav aria-label="Contents">{links}</nav>\n'


def write_whole(path: Path, text: str) -> int:
    """Replace a file by ``text`` in one step, so that a reader never sees half of it."""
    content = text.encode()
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unusable(f"cannot write {path}", error, "choose another file") from None
    return len(content)


def _section(section: Section) -> str:
    content = "".join(_part(part) for part in section.parts)
    title = escape(section.title)
    return f'<section id="{section.anchor}"><h2>{title}</h2>{content}</section>\n'


def _part(part: Part) -> str:
    match part:
        case str():
            return f"<p>{escape(part)}</p>"
        case Html():
            return part.markup
        case Table():
            return html_parts.table(part)
        case Tiles():
            return html_parts.tiles(part)
        case Bullets():
            return html_parts.bullets(part)
        case Banner():
            return html_parts.banner(part)
        case Chart():
            return _figure(part.figure, part.says)
        case list() | tuple():
            return "".join(_part(item) for item in part)
        case _:
            return _figure(part, "")


def _figure(figure: Any, says: str) -> str:
    """The figure's description as data; the page's script draws it in the reader's colours."""
    described = json.loads(figure.to_json())
    described["layout"].pop("template", None)
    text = json.dumps(described, separators=(",", ":")).replace("<", "\\u003c")
    height = int(described["layout"].get("height", 360))
    caption = f"<figcaption>{escape(says)}</figcaption>" if says else ""
    label = f' role="img" aria-label="{escape(says)}"' if says else ""
    return (
        f'<figure><div class="plot" style="height:{height}px"{label}></div>'
        f'<script type="application/json">{text}</script>{caption}'
        "<noscript>This figure needs JavaScript.</noscript></figure>"
    )


def _colours() -> str:
    def declared(which: str) -> str:
        return "".join(f"--{tone.name}:{getattr(tone, which)};" for tone in TONES)

    return (
        f":root{{{declared('light')}}}"
        f"@media screen and (prefers-color-scheme: dark){{:root{{{declared('dark')}}}}}"
    )


def _script() -> str:
    pairs: Sequence[Sequence[str]] = swaps()
    return SCRIPT.read_text("utf-8").replace("__SWAPS__", json.dumps(pairs))
