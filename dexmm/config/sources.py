"""Where settings come from: the TOML file, ``.env`` beside it, the environment.

This reads and merges; what a setting means is ``config``'s business. A secret in the TOML file is
found here, before anything else looks at the file, and no message ever repeats a value.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

from dexmm.errors import BadInput

PREFIX = "DEXMM_"
NEAR = 0.75  # as alike as a misspelt section is to itself; other variables of ours are not
SECRETS = frozenset(
    {
        ("wallet", "password"),
        ("wallet", "private_key"),
        ("exchange", "api_key"),
        ("exchange", "secret"),
        ("exchange", "password"),
    }
)

_KEY_BITS = 160  # an integer this long is no setting; TOML reads an unquoted 0x... as an integer
_PRIVATE_KEY = re.compile(r"(?<![0-9a-fA-F])(0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_PHRASE_WORDS = frozenset({12, 15, 18, 21, 24})  # BIP-39
_WORD = re.compile(r"[a-z]{3,8}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Nested tables of raw values, and which override gave a value that the file did not."""

    values: dict[str, Any]
    overrides: dict[tuple[str, str], str]  # (section, key) -> the variable it came from


def read_settings(
    path: Path, environment: Mapping[str, str] | None, sections: Collection[str]
) -> Settings:
    """The file's tables with ``.env`` and then the environment laid over them.

    An empty variable counts as not set, so that a ``.env`` copied from the example changes
    nothing. Raises ``BadInput``.
    """
    values = read_toml(path)
    found = variables_around(path, environment)
    overrides: dict[tuple[str, str], str] = {}
    for (section, key), (variable, value) in overrides_in(found, sections).items():
        table = values.setdefault(section, {})
        if isinstance(table, list):
            raise BadInput(
                f"{variable} cannot say which of several [[{section}]] it means: "
                f"set {key} in {path}"
            )
        if isinstance(table, dict):
            table[key] = value
            overrides[section, key] = variable
    return Settings(values, overrides)


def variables_around(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment over the ``.env`` beside ``path``, a configuration that need not be there."""
    found = read_dotenv(path.parent / ".env")
    # An empty variable in the environment is not set: it does not hide what .env says either.
    given = os.environ if environment is None else environment
    return found | {name: v for name, v in given.items() if v.strip() or name not in found}


def overrides_in(
    environment: Mapping[str, str], sections: Collection[str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """(section, key) -> the variable that sets it, and what it sets it to.

    An empty variable counts as not set. Raises ``BadInput`` for one that is meant for a section
    and would set nothing.
    """
    found = {}
    for variable, value in sorted(environment.items()):
        place = _place(variable, sections)
        if place is not None and value.strip():
            found[place] = variable, value
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file without secrets in it; its decimals as ``Decimal``. Raises ``BadInput``."""
    text = _read_text(
        path,
        f"there is no configuration at {path}: write one with "
        f"`dexmm init --config {shlex.quote(str(path))}`",
    )
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        _refuse_key_in_text(text, path)
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"{path} is not valid TOML: {why}") from None
    _refuse_secrets(values, path)
    _refuse_key_in_text(text, path)
    return values


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file, taken literally; none when there is no file.

    Raises ``BadInput`` for a file that cannot be read whole: an unreadable limit must not become
    an absent limit.
    """
    from dotenv.parser import parse_stream

    if not path.exists():
        return {}
    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(_read_text(path, f"{path} is gone"))):
        if binding.error:
            raise BadInput(f"{path}, line {binding.original.line}: expected NAME=value")
        if binding.key is not None:
            variables[binding.key] = binding.value or ""
    return variables


def _read_text(path: Path, missing: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(missing) from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder: name the file itself") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None


def _place(variable: str, sections: Collection[str]) -> tuple[str, str] | None:
    """Which setting a variable overrides; ``None`` when it is not one of ours."""
    if not variable.startswith(PREFIX):
        return None
    section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
    if separator:
        return section, key
    for known in sections:
        if section == known or section.startswith(f"{known}_"):
            raise BadInput(
                f"{variable} sets nothing: an override is spelled {PREFIX}<SECTION>__<KEY>, "
                "with two underscores between section and key"
            )
    if near := get_close_matches(section.partition("_")[0], sections, n=1, cutoff=NEAR):
        raise BadInput(
            f"{variable} sets nothing: did you mean {PREFIX}{near[0].upper()}__<KEY>, with two "
            "underscores between section and key?"
        )
    return None


def _refuse_secrets(values: Mapping[str, Any], path: Path) -> None:
    for place, value in _leaves(values, ()):
        named = place[-2:]  # [[market]] tables hold sections of their own
        if named in SECRETS or _looks_secret(value):
            section, key = named if named in SECRETS else ("wallet", "private_key")
            raise BadInput(
                f"{path} holds a secret at {'.'.join(place)}: move it to .env or the environment "
                f"as {PREFIX}{section.upper()}__{key.upper()}, and treat it as exposed"
            )


def _refuse_key_in_text(text: str, path: Path) -> None:
    """Comments are searched as well, and files that are not even TOML."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _PRIVATE_KEY.search(line):
            raise BadInput(
                f"{path} holds what looks like a private key in line {number}: remove it, and "
                "treat it as exposed; secrets belong in .env or the environment"
            )


def _leaves(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, place)
    else:
        yield place, value


def _looks_secret(value: Any) -> bool:
    if isinstance(value, str):
        words = value.split()
        phrase = len(words) in _PHRASE_WORDS and all(_WORD.fullmatch(word) for word in words)
        return phrase or _PRIVATE_KEY.search(value) is not None
    return isinstance(value, int) and value.bit_length() > _KEY_BITS
