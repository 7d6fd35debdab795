"""What the account holds: spot balances, and the perpetual position with its margin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dexmm.cex.ccxt_session import Lane
from dexmm.cex.margins import TOTAL_WITH_PROFIT, UNIFIED, cash
from dexmm.cex.parsing import EXACT, ZERO, listed, maybe, number, or_zero, record, whole
from dexmm.errors import BadInput, Transient
from dexmm.model.venue import Balance, Book, Instrument, Perpetual


def read_balances(lane: Lane, ours: Collection[str] = ()) -> tuple[Balance, ...]:
    """Every coin that is held, in one request.

    Where an exchange tells only what is free of a coin, or only what is locked, that is all there
    is of it. One of which it tells nothing is left out, unless it is one of ``ours``: absence is
    not zero, and raises ``Transient``.
    """
    answer = record(lane.read("read the account", "fetch_balance"), "account")
    free, total = record(answer.get("free"), "free"), record(answer.get("total"), "total")
    used = record(answer.get("used") or {}, "used")
    money = cash(lane.exchange.id, answer)
    found = []
    for coin in sorted({*total, *money}):
        available = or_zero(free.get(coin), f"free balance of {coin}")
        if coin in money:
            held = money[coin]
        elif total.get(coin) is not None:
            held = number(total[coin], f"balance of {coin}")
        elif free.get(coin) is None and used.get(coin) is None:
            if coin in ours:
                raise Transient(f"the exchange's answer has no balance of {coin}")
            continue
        else:
            held = available + or_zero(used.get(coin), f"locked balance of {coin}")
        if held:
            found.append(Balance(coin=coin, free=available, total=held))
    return tuple(found)


def read_perpetual(
    lane: Lane, instrument: Instrument, contract_size: Decimal, book: Book, *, shared: bool
) -> Perpetual:
    """Position, margin and funding: three requests.

    Where one account holds both (``shared``), the spot balance has the margin in it already, and
    here it is zero: nothing counts twice. ``book`` is the perpetual's: its middle stands for a mark
    price that the exchange does not tell.
    """
    symbol = instrument.symbol
    total = ZERO if shared else _total(lane, instrument.quote)
    rows = listed(
        lane.read(f"read the position in {symbol}", "fetch_positions", [symbol]), "positions"
    )
    funding = _funding(lane, symbol)
    ours = [
        record(row, "position") for row in rows if record(row, "position").get("symbol") == symbol
    ]
    base = sum((_signed(row, contract_size) for row in ours), ZERO)
    held = ours[0] if ours else {}
    unrealised = sum((or_zero(row.get("unrealizedPnl"), "unrealised") for row in ours), ZERO)
    in_total = not shared and TOTAL_WITH_PROFIT.get(lane.exchange.id, True)
    return Perpetual(
        base=base,
        entry_price=or_zero(held.get("entryPrice"), "entry price"),
        mark_price=_mark(held, funding, book),
        unrealised=unrealised,
        margin=total - unrealised if in_total else total,
        leverage=or_zero(held.get("leverage"), "leverage"),
        funding_rate=or_zero(funding.get("fundingRate"), "funding rate"),
        funding_at=_funding_at(funding),
        liquidation_price=_stated(held.get("liquidationPrice")),
        maintenance=_below_one(_stated(held.get("maintenanceMarginPercentage"))),
        isolated_margin=_isolated(held),
        shared=shared,
        hedge_mode=any(row.get("hedged") is True for row in ours),
    )


def counted_once(spot: Lane, lane: Lane, position: Perpetual) -> Perpetual:
    """The position without a margin that is in the balances of ``spot`` already: where both lanes
    have asked for the same account.

    Raises ``BadInput`` where the money of such an account cannot be told from unrealised profit.
    """
    same = spot.exchange.id == lane.exchange.id and spot.account_asked == lane.account_asked
    if position.shared or not same:
        return position
    if lane.exchange.id not in UNIFIED:
        raise BadInput(
            f"{lane.exchange.id} keeps spot and perpetuals in one account here, and does not say "
            "how much of it is unrealised profit: use an account that keeps them apart, or remove "
            "perpetual_symbol"
        )
    return replace(position, margin=ZERO, shared=True)


def _funding(lane: Lane, symbol: str) -> Mapping[str, Any]:
    if not lane.exchange.has.get("fetchFundingRate"):
        return {}
    answer = lane.read(f"read the funding of {symbol}", "fetch_funding_rate", symbol)
    return record(answer, "funding")


def _funding_at(funding: Mapping[str, Any]) -> int:
    """0 where it is not told; some state the next time only under that name."""
    for name in ("fundingTimestamp", "nextFundingTimestamp"):
        if funding.get(name) is not None:
            return whole(funding[name], "funding time")
    return 0


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


def _total(lane: Lane, quote: str) -> Decimal:
    """The derivatives account in ``quote``, as ccxt totals it: see ``margins``."""
    answer = record(lane.read("read the derivatives account", "fetch_balance"), "account")
    return or_zero(record(answer.get("total"), "total").get(quote), "margin")


def _signed(row: Mapping[str, Any], contract_size: Decimal) -> Decimal:
    base = EXACT.multiply(or_zero(row.get("contracts"), "position"), contract_size)
    if not base:
        return ZERO
    if row.get("side") not in ("long", "short"):
        raise Transient("the exchange's position has no side")
    return -base if row["side"] == "short" else base


def _mark(held: Mapping[str, Any], funding: Mapping[str, Any], book: Book) -> Decimal:
    for told in (held, funding):
        if mark := maybe(told.get("markPrice"), "mark price"):
            return mark
    if book.mid is None:
        raise Transient(f"{book.symbol} has neither a mark price nor a book with a price")
    return book.mid
