"""Secrets masked in everything that is printed, logged or written for people.

Two nets, because neither is enough alone: the very values that the configuration holds as
secrets, wherever they turn up; and text that has the shape of a secret (the path and credentials
of a URL, ``password=...``), whoever wrote it. A bare 64-digit number is not masked by its shape:
transaction hashes look the same and are what a reader needs most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from dexmm.config.schema import Config

MASK = "***"
FILE = "sqlite:"  # a journal in a file: its path opens no door
SHORTEST = 6  # shorter than this a "secret" is a common word, and masking it garbles the text

_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]*://)([^\s/?#\"'<>@]*@)?([^\s/?#\"'<>@]*)([/?#][^\s\"'<>]*)?"
)
_NAMED = re.compile(
    r"(?i)(?<![a-z])((?:private[ _-]?key|password|passphrase|secret|mnemonic|api[ _-]?key)\w*"
    r"[\"']?\s*[=:]\s*)(?:Secret(?:Str|Bytes)\()?[\"']?[^\s\"',;)}\]]+[\"']?\)?"
)

_hidden: set[str] = set()


def hide(secret: str) -> None:
    """From now on ``secret`` is masked wherever it appears, with or without its 0x."""
    for form in {secret, secret.removeprefix("0x")}:
        if len(form) >= SHORTEST:
            _hidden.add(form)


def hide_config(config: Config) -> None:
    """Hide everything that the configuration holds as a secret, and proxies' credentials."""
    from dexmm.config.proxy import environment_proxies

    network = config.network
    urls = (*network.rpc_urls, network.relay_url, network.proxy, config.loop.journal_url)
    for url in urls:
        if url is not None and not url.get_secret_value().startswith(FILE):
            for part in _secret_parts(url.get_secret_value()):
                hide(part)
    for proxy in environment_proxies():
        for part in _secret_parts(proxy):
            hide(part)
    secrets = [config.wallet.password, config.wallet.private_key]
    if config.exchange is not None:
        if config.exchange.base_url is not None:
            for part in _secret_parts(config.exchange.base_url.get_secret_value()):
                hide(part)
        secrets += [config.exchange.api_key, config.exchange.secret, config.exchange.password]
    for secret in secrets:
        if secret is not None:
            hide(secret.get_secret_value())


def redact(text: str) -> str:
    """``text`` without its secrets."""
    for secret in sorted(_hidden, key=len, reverse=True):
        text = re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
    text = _NAMED.sub(rf"\1{MASK}", text)
    return _URL.sub(_bare_url, text)


def _bare_url(match: re.Match[str]) -> str:
    scheme, credentials, host, rest = match.groups()
    return (
        scheme
        + (f"{MASK}@" if credentials else "")
        + host
        + (f"/{MASK}" if rest and rest.strip("/.,:;)!?") else rest or "")
    )


def _secret_parts(url: str) -> Iterator[str]:
    """The parts of a URL that open a door: credentials, and what follows the host."""
    parts = urlsplit(url)
    yield from (part for part in (parts.username, parts.password, parts.query) if part)
    yield from (value for _, value in parse_qsl(parts.query))
    yield from (segment for segment in parts.path.split("/") if len(segment) > 2 * SHORTEST)
