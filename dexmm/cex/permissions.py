"""What the API key may do, above all whether it may withdraw.

ccxt has no unified call for it, so each documented exchange is asked in its own way, through
ccxt's generated method. An exchange that is not here cannot be asked, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed, Fate
from dexmm.cex.parsing import record

BINANCE, OKX, KUCOIN = (
    "sapi_get_account_apirestrictions",
    "private_get_account_config",
    "private_get_user_api_key",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    trade: bool
    withdraw: bool
    bound_to_addresses: bool  # usable from listed IP addresses only
    futures: bool | None = None  # None: it is not told


def read_permissions(lane: Lane) -> Permissions | None:
    """One request; ``None`` where the exchange cannot be asked. Raises ``Transient``, ``Halt``."""
    exchange = lane.exchange
    method = next((m for m in (BINANCE, OKX, KUCOIN) if hasattr(exchange, m)), None)
    if method is None:
        return None
    try:
        answer = record(lane.ask(method), "permissions")
    except CallFailed as failed:
        if failed.fate is Fate.UNABLE:  # a test network has no such endpoint
            return None
        raise failed.as_error("read the key's permissions") from None
    return _binance(answer) if method == BINANCE else _listed(_first(answer))


def _binance(answer: Mapping[str, Any]) -> Permissions:
    return Permissions(
        trade=answer.get("enableSpotAndMarginTrading") is True,
        withdraw=answer.get("enableWithdrawals") is not False,  # silence is not a no
        bound_to_addresses=answer.get("ipRestrict") is True,
        futures=answer.get("enableFutures") is True,
    )


def _listed(facts: Mapping[str, Any]) -> Permissions:
    """OKX's ``perm`` is "read_only,trade,withdraw"; KuCoin's ``permission`` "General,Spot"."""
    named = str(facts.get("perm") or facts.get("permission") or "").lower().split(",")
    return Permissions(
        trade="trade" in named or "spot" in named,
        withdraw="withdraw" in named or "withdrawal" in named or named == [""],
        bound_to_addresses=bool(facts.get("ip") or facts.get("ipWhitelist")),
    )


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    data = answer.get("data")
    return record(data[0] if isinstance(data, list) and data else data, "permissions")
