"""The kinds of value a setting can be, each with its unit and the words for what is wrong.

A message is the predicate of the key it is shown behind ("must be a number"), and never repeats
the value: a mistake may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

ZERO_ADDRESS = "0x" + "0" * 40

_HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HEX_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_WEEK_TIME = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01]\d|2[0-3]):[0-5]\d"
_LARGEST_EXPONENT = 36  # no price, amount or limit has more digits than a token has units
_A_CENTURY = 100 * 365 * 24 * 3600


def _checksummed(address: str) -> str:
    """EIP-55. An address in one case carries no checksum and gains one; mixed case must match."""
    if address.lower().endswith(".eth"):
        raise ValueError("is an ENS name, which can change hands: write the 0x address itself")
    if not _HEX_ADDRESS.fullmatch(address):
        raise ValueError("is not an address: expected 0x and 40 hexadecimal digits")
    if address == ZERO_ADDRESS:
        raise ValueError("is the zero address, which belongs to nobody")
    from eth_utils.address import to_checksum_address  # heavy, and only needed here

    checksummed = to_checksum_address(address)
    digits = address[2:]
    if digits not in (digits.lower(), digits.upper()) and address != checksummed:
        raise ValueError(
            f"has a wrong checksum: a digit is mistyped, or it should be {checksummed}"
        )
    return str(checksummed)


def _a_number(value: object) -> object:
    """Money never passes through a float: TOML numbers arrive here as Decimal already."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    if isinstance(value, float):
        raise ValueError("is a binary float; write the number as text")
    return value


def _of_sane_size(value: Decimal) -> Decimal:
    if value and abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError("is out of all proportion; check its unit")
    return value


def _a_share(value: Decimal) -> Decimal:
    if not 0 <= value <= 1:
        raise ValueError("is a share and must be from 0 to 1 (35 % is written 0.35)")
    return value


def _listen_address(value: str) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    host, colon, port = value.strip().rpartition(":")
    bare = host.startswith("[") == host.endswith("]") and (":" not in host or "[" in host)
    if not (host and colon and bare and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError("must be a host and a port, such as 127.0.0.1:9464 or [::1]:9464")
    return f"{host}:{int(port)}"


def _a_zone(value: object) -> str:
    """ "auto", or half the width of a zone as a share."""
    text = str(value).strip()
    if text == "auto":
        return text
    try:
        width = Decimal(text)
    except InvalidOperation:
        width = Decimal(-1)
    if isinstance(value, bool) or not (width.is_finite() and 0 < width <= 1):
        raise ValueError('must be "auto" or a share above 0 and up to 1')
    return f"{width:f}"


def _basis_points(value: Decimal) -> Decimal:
    if not 1 <= value <= 10_000:
        raise ValueError("is in basis points and must be from 1 to 10000 (1 % is written 100)")
    return value


def _a_flag(value: object) -> object:
    if not isinstance(value, bool | str):
        raise ValueError("must be true or false")
    return value


def _split_list(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def _http_url(secret: SecretStr) -> SecretStr:
    """A node's or a relay's: a key in its path, its query or before its host is sent as it is."""
    value = secret.get_secret_value()
    try:
        parts = urlsplit(value)
        host = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme in ("ws", "wss"):
        raise ValueError("is a websocket URL: use the node's http or https URL")
    odd = any(character.isspace() or not character.isprintable() for character in value)
    if parts.scheme not in ("http", "https") or not host or odd:
        raise ValueError("is not a URL: expected http:// or https:// and a host")
    if "#" in value:
        raise ValueError(
            "has a # in it, and what follows one is never sent: leave it away, or write it as %23 "
            "where it is part of a key"
        )
    return secret


def _base_url(secret: SecretStr) -> SecretStr:
    """Another host for an exchange: a path may follow it, to which the exchange's own is added."""
    parts = urlsplit(_http_url(secret).get_secret_value())
    if "@" in parts.netloc:
        raise ValueError(
            "has a user or a password before its host, which would take the place of what the "
            "exchange expects in the same header: leave them away"
        )
    if "?" in secret.get_secret_value():
        raise ValueError(
            "has a ? in it, and the exchange's own paths and queries are put behind it: leave it "
            "away"
        )
    return secret


def _proxy_url(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if value == "direct":
        return secret
    if value.startswith("socks"):
        raise ValueError("is a SOCKS proxy, which is not supported: name an HTTP proxy, or direct")
    try:
        parts = urlsplit(_http_url(secret).get_secret_value())
    except ValueError:
        parts = None
    if parts is None or parts.path not in ("", "/") or "?" in value:
        raise ValueError(
            "is not a proxy: expected http:// or https:// and a host, or direct"
        ) from None
    return secret


def _sqlite_url(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith("sqlite:///"):
        raise ValueError("is not a database URL: expected sqlite:///path/to/file")
    return secret


def _private_key(secret: SecretStr) -> SecretStr:
    if not _HEX_KEY.fullmatch(secret.get_secret_value()):
        raise ValueError("is not a private key: expected 64 hexadecimal digits")
    return secret


def _a_week_window(value: str) -> str:
    if not re.fullmatch(rf"{_WEEK_TIME}-{_WEEK_TIME}", value):
        raise ValueError("is not a weekly window: expected one like Fri 21:00-Sun 23:00, in UTC")
    return value


def _a_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", value):
        raise ValueError("must be a short name of letters, digits, dots and dashes")
    return value


def _an_event(value: str) -> str:
    start, _, end = value.partition("/")
    written = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d/\d{4}-\d\d-\d\dT\d\d:\d\d", value)
    try:
        ordered = written and datetime.fromisoformat(start) < datetime.fromisoformat(end)
    except ValueError:
        ordered = False
    if not ordered:
        raise ValueError(
            "is not an event: expected start/end in UTC, like 2026-12-16T18:30/2026-12-16T20:00"
        )
    return value


Address = Annotated[str, AfterValidator(_checksummed)]
Number = Annotated[
    Decimal, BeforeValidator(_a_number), AfterValidator(_of_sane_size), Field(allow_inf_nan=False)
]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, AfterValidator(_a_share)]
Zone = Annotated[str, BeforeValidator(_a_zone)]
Bp = Annotated[Number, AfterValidator(_basis_points)]
Flag = Annotated[bool, BeforeValidator(_a_flag)]
Integer = Annotated[int, BeforeValidator(_a_number)]
NonNegativeCount = Annotated[Integer, Field(ge=0, le=1_000_000)]
Count = Annotated[Integer, Field(gt=0, le=1_000_000)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
Slots = Annotated[Integer, Field(ge=0, le=65_535)]  # a uint16 on chain
Seconds = Annotated[Integer, Field(ge=0, le=_A_CENTURY)]
Url = Annotated[SecretStr, AfterValidator(_http_url)]
BaseUrl = Annotated[SecretStr, AfterValidator(_base_url)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy_url)]
JournalUrl = Annotated[SecretStr, AfterValidator(_sqlite_url)]
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]
FilePath = Annotated[Path, AfterValidator(Path.expanduser)]
Week = Annotated[str, AfterValidator(_a_week_window)]
MarketName = Annotated[str, AfterValidator(_a_name)]
Event = Annotated[str, AfterValidator(_an_event)]

T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(_split_list)]  # a variable separates by commas
