"""What the account holds: spot balances, and the perpetual position with its margin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dexmm.cex.lane import Lane
from dexmm.cex.numbers import EXACT, ZERO, listed, maybe, number, or_zero, record, whole
from dexmm.errors import Transient
from dexmm.model.venue import Balance, Instrument, Perpetual


def read_balances(lane: Lane) -> tuple[Balance, ...]:
    """Every coin that is held, in one request."""
    answer = record(lane.read("read the account", "fetch_balance"), "account")
    free, total = record(answer.get("free"), "free"), record(answer.get("total"), "total")
    found = []
    for coin in sorted(total):
        held = number(total[coin], f"balance of {coin}")
        if held:
            available = or_zero(free.get(coin), f"free balance of {coin}")
            found.append(Balance(coin=coin, free=available, total=held))
    return tuple(found)


def read_perpetual(
    lane: Lane, instrument: Instrument, contract_size: Decimal, *, shared: bool
) -> Perpetual:
    """Position, margin and funding: three requests.

    Where one account holds both (``shared``), the spot balance has the margin and the unrealised
    profit in it already, and here they are zero: nothing counts twice.
    """
    symbol = instrument.symbol
    margin = ZERO if shared else _equity(lane, instrument.quote)
    rows = listed(
        lane.read(f"read the position in {symbol}", "fetch_positions", [symbol]), "positions"
    )
    funding = record(
        lane.read(f"read the funding of {symbol}", "fetch_funding_rate", symbol), "funding"
    )
    ours = [
        record(row, "position") for row in rows if record(row, "position").get("symbol") == symbol
    ]
    base = sum((_signed(row, contract_size) for row in ours), ZERO)
    held = ours[0] if ours else {}
    unrealised = sum((or_zero(row.get("unrealizedPnl"), "unrealised") for row in ours), ZERO)
    return Perpetual(
        base=base,
        entry_price=or_zero(held.get("entryPrice"), "entry price"),
        mark_price=_mark(held, funding),
        unrealised=ZERO if shared else unrealised,
        margin=margin if shared else margin - unrealised,
        leverage=or_zero(held.get("leverage"), "leverage"),
        funding_rate=number(funding.get("fundingRate"), "funding rate"),
        funding_at=whole(funding.get("fundingTimestamp"), "funding time"),
        liquidation_price=_stated(held.get("liquidationPrice")),
        maintenance=_below_one(_stated(held.get("maintenanceMarginPercentage"))),
        isolated_margin=_isolated(held),
        shared=shared,
        hedge_mode=any(row.get("hedged") is True for row in ours),
    )


def _stated(value: object) -> Decimal | None:
    """What an exchange may leave out, or write 0 for: a look does not fail for it."""
    try:
        found = maybe(value, "statement")
    except Transient:
        return None
    return found if found is not None and found > 0 else None


def _below_one(rate: Decimal | None) -> Decimal | None:
    return rate if rate is not None and rate < 1 else None


def _isolated(held: Mapping[str, Any]) -> Decimal | None:
    return _stated(held.get("collateral")) if held.get("marginMode") == "isolated" else None


def _equity(lane: Lane, quote: str) -> Decimal:
    """The derivatives account in ``quote``, unrealised profit included, as ccxt totals it."""
    answer = record(lane.read("read the derivatives account", "fetch_balance"), "account")
    return or_zero(record(answer.get("total"), "total").get(quote), "margin")


def _signed(row: Mapping[str, Any], contract_size: Decimal) -> Decimal:
    base = EXACT.multiply(or_zero(row.get("contracts"), "position"), contract_size)
    if not base:
        return ZERO
    if row.get("side") not in ("long", "short"):
        raise Transient("the exchange's position has no side")
    return -base if row["side"] == "short" else base


def _mark(held: Mapping[str, Any], funding: Mapping[str, Any]) -> Decimal:
    held_at = maybe(held.get("markPrice"), "mark price")
    return held_at or number(funding.get("markPrice"), "mark price")
