"""A tuned configuration: the user's own file with some values changed and everything else kept.

Lines are edited rather than a file written anew, so that comments and order stay. Whether the
edit says what it should is not believed but read back by the ordinary loader; a file written in a
way that this does not understand is left alone, and the user is told what to change by hand.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from dexmm.config.multi_market import choose, load_markets
from dexmm.config.schema import SECTIONS, Config
from dexmm.config.sources import read_settings
from dexmm.errors import BadInput, unusable
from dexmm.report.html_page import write_whole
from dexmm.tune.search_space import Value, setting

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\s-]+?)\s*\]\]?\s*(#.*)?")
_VALUE = r'(?P<value>"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s#,\[\]{}"\']+)'


def edited(text: str, settings: Mapping[str, Value], market: int | None = None) -> str:
    """The file's text with these settings; a market's own, when the file has a list of them."""
    lines = text.splitlines()
    for name, value in settings.items():
        section, _, key = name.partition(".")
        _set(lines, section if market is None else f"market.{section}", key, value, market)
    return "\n".join(lines) + "\n"


def check_editable(path: Path, config: Config, names: Sequence[str]) -> None:
    """Raises ``BadInput`` before a search whose result could not be written."""
    overrides = read_settings(path, None, SECTIONS).overrides
    for name in names:
        section, _, key = name.partition(".")
        if variable := overrides.get((section, key)):
            raise BadInput(
                f"{variable} sets {name}, and would hide what is tuned in a file: remove it first"
            )
    now = {name: _as_value(setting(config, name)) for name in names}
    _check(_edit(path, config, now), path, config, now)


def write_tuned(path: Path, config: Config, settings: Mapping[str, Value], out: Path) -> None:
    """Write to ``out`` the file at ``path``, which ``config`` came from, with these settings.

    Raises ``BadInput`` when the result would not be read back as meant; nothing is written then.
    """
    text = _edit(path, config, settings)
    _check(text, path, config, settings)
    write_whole(out, text)


def literal(value: Value) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _as_value(value: object) -> Value:
    if isinstance(value, bool | int | Decimal | str):
        return value
    raise TypeError(f"{type(value).__name__} is no value of a search")


def _edit(path: Path, config: Config, settings: Mapping[str, Value]) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    several = isinstance(read_settings(path, {}, SECTIONS).values.get("market"), list)
    if not several:
        return edited(text, settings)
    names = [known.market.name for known in load_markets(path)]
    return edited(text, settings, names.index(config.market.name))


def _check(text: str, path: Path, config: Config, settings: Mapping[str, Value]) -> None:
    """Read back beside the original, where its .env and its relative paths are the same."""
    wanted = "\n".join(f"  {name} = {literal(value)}" for name, value in settings.items())
    by_hand = f"change by hand what cannot be edited in {path}:\n{wanted}"
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".toml")
    except OSError as error:
        raise unusable(f"cannot write beside {path}", error, "choose another -o") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        found = choose(load_markets(Path(name)), config.market.name, path)
    except BadInput as error:
        raise BadInput(f"{by_hand}\n({error.message.replace(name, str(path))})") from None
    finally:
        Path(name).unlink(missing_ok=True)
    if any(setting(found, known) != value for known, value in settings.items()):
        raise BadInput(by_hand)


def _set(lines: list[str], section: str, key: str, value: Value, market: int | None) -> None:
    first, last = _extent(lines, section, market)
    if first is None:
        lines[last:last] = ["", f"[{section}]", f"{key} = {literal(value)}"]
        return
    pattern = re.compile(rf"(?P<before>\s*{re.escape(key)}\s*=\s*){_VALUE}(?P<after>\s*(#.*)?)")
    for at in range(first, last):
        if match := pattern.fullmatch(lines[at]):
            lines[at] = _replaced(match, literal(value))
            return
    lines.insert(_after_settings(lines, first, last), f"{key} = {literal(value)}")


def _replaced(match: re.Match[str], value: str) -> str:
    """The comment stays in its column where there is room."""
    start = match["before"] + value
    after = match["after"]
    if not after.strip():
        return start
    column = match.start("after") + len(after) - len(after.lstrip())
    return f"{start.ljust(column - 1)} {after.lstrip()}"


def _extent(lines: Sequence[str], section: str, market: int | None) -> tuple[int | None, int]:
    """The lines below a section's header; without one, None and where it belongs."""
    begin, end = (0, len(lines)) if market is None else _market(lines, market)
    first: int | None = None
    for at in range(begin, end):
        header = _HEADER.fullmatch(lines[at])
        if header is None:
            continue
        if first is not None:
            return first, at
        if header[1] == "[" and re.sub(r"\s", "", header[2]) == section:
            first = at + 1
    return first, end


def _market(lines: Sequence[str], number: int) -> tuple[int, int]:
    """The lines of one [[market]], its own sections included."""
    headers = [(at, _HEADER.fullmatch(line)) for at, line in enumerate(lines)]
    starts = [at for at, h in headers if h and h[1] == "[[" and h[2] == "market"]
    begin = starts[number]
    after = [
        at for at, h in headers if at > begin and h and (h[1] == "[[" or h[2][:7] != "market.")
    ]
    return begin + 1, min(after, default=len(lines))


def _after_settings(lines: Sequence[str], first: int, last: int) -> int:
    """Behind the last setting of a section, before the blank lines and comments that follow it."""
    settings = [
        at for at in range(first, last) if lines[at].strip() and lines[at].strip()[0] != "#"
    ]
    return settings[-1] + 1 if settings else first
