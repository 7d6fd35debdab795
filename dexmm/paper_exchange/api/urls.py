"""What a ccxt client must be told so that it talks to a paper exchange and to nothing else."""

from __future__ import annotations

_PATHS = {
    "public": "api/v3",
    "private": "api/v3",
    "v1": "api/v1",
    "sapi": "sapi/v1",
    "sapiV2": "sapi/v2",
    "sapiV3": "sapi/v3",
    "sapiV4": "sapi/v4",
    "fapiPublic": "fapi/v1",
    "fapiPublicV2": "fapi/v2",
    "fapiPublicV3": "fapi/v3",
    "fapiPrivate": "fapi/v1",
    "fapiPrivateV2": "fapi/v2",
    "fapiPrivateV3": "fapi/v3",
    "fapiData": "futures/data",
    "dapiPublic": "dapi/v1",
    "dapiPrivate": "dapi/v1",
    "dapiPrivateV2": "dapi/v2",
    "dapiData": "futures/data",
    "eapiPublic": "eapi/v1",
    "eapiPrivate": "eapi/v1",
    "papi": "papi/v1",
    "papiV2": "papi/v2",
}


def ccxt_urls(base_url: str) -> dict[str, object]:
    """The ``urls`` of ``ccxt.binance`` and ``ccxt.binanceusdm``, every API of them.

    ``ccxt.binance({"apiKey": ..., "secret": ..., "urls": ccxt_urls(url)})``. ``load_markets``
    also asks the wallet's and the coin-margined API, so an entry that is left out would leave
    this machine. ccxt chooses some exception classes by the real host's name: here a refusal
    that only one API knows (``-2019``, ``-2022``, ``-4164``, ``-5022``) comes as the general
    ``ExchangeError``, with the code in its text.
    """
    base = base_url.rstrip("/")
    return {"api": {name: f"{base}/{path}" for name, path in _PATHS.items()}}
