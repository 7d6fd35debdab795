"""Which HTTP proxy a request goes through, the same for nodes and for exchanges.

In this order, the first that applies:

1. this machine (``localhost``, ``127.0.0.1``, ``::1``): never through a proxy;
2. a host that ``NO_PROXY`` names: never through a proxy;
3. ``network.proxy``: that one, or none when it is ``direct``;
4. ``HTTPS_PROXY`` or ``HTTP_PROXY`` by the URL's scheme, then ``ALL_PROXY``, in either case.

SOCKS proxies are refused: requests needs another package for them, and without it fails in words
that name no cause.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from dexmm.errors import BadInput

DIRECT = "direct"
THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
SCHEMES = ("http", "https")


def proxy_for(url: str, setting: str | None) -> str | None:
    """The proxy's URL, credentials included, or None for a direct connection.

    ``setting`` is ``network.proxy``. Raises ``BadInput`` for a proxy in the environment that
    cannot be used; the message repeats no value, since a proxy's URL may hold a password.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in THIS_MACHINE or _excepted(host, parts.port):
        return None
    if setting is not None:
        return None if setting == DIRECT else setting
    return _of_environment(parts.scheme)


def certificates() -> str | bool:
    """The bundle of authorities that the environment names, for proxies that open TLS; or True."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or True


def environment_proxies() -> Iterator[str]:
    """Every proxy that the environment names: what their credentials are must be hidden."""
    found = getproxies()
    yield from (url for scheme, url in found.items() if scheme != "no" and url)


def _of_environment(scheme: str) -> str | None:
    found = getproxies()
    name = scheme if found.get(scheme) else "all"
    proxy = found.get(name)
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    variable = f"{name.upper()}_PROXY"
    try:
        parts = urlsplit(proxy)
        usable = parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        usable = None
    if usable and parts.scheme in SCHEMES:
        return proxy
    if usable and parts.scheme.startswith("socks"):
        raise BadInput(
            f"{variable} names a SOCKS proxy, which is not supported: name an HTTP proxy in "
            f"network.proxy, or {DIRECT} to use none"
        )
    raise BadInput(f"{variable} is not a proxy's URL: expected http:// or https:// and a host")


def _excepted(host: str, port: int | None) -> bool:
    """By ``NO_PROXY``: names and their subdomains, addresses, and networks such as 10.0.0.0/8."""
    if proxy_bypass(host if port is None else f"{host}:{port}"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in getproxies().get("no", "").split(","):
        try:
            if address in ipaddress.ip_network(entry.strip().strip("[]"), strict=False):
                return True
        except ValueError:
            continue
    return False
