"""EIP-1559 fees, with a cap for each class of action: what earns may wait for a cheap block, what
protects may not."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.config.schema import Gas
from dexmm.model.decision import Refusal
from dexmm.model.gas import (
    LEAST_PERCENT,
    LIMIT_PERCENT,
    TIGHT_PERCENT,
    TRANSACTION_GAS_CAP,
    limit,
    short_of_ether,
)
from dexmm.model.gas import gwei as _gwei
from dexmm.units import to_units_down

GWEI_DECIMALS = 9
BASE_FEE_HEADROOM = 2  # a base fee grows by at most an eighth a block: six full blocks fit


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers, wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A transaction's gas limit, and what it offers for it."""

    gas: int
    fees: Fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Gas limits of one transaction: the one to have, and the least that will do."""

    wanted: int
    least: int
    tight: int  # the least where nothing cheaper leads to the same end; otherwise ``least``


def limits_of(gas: int, *, tight: bool) -> Limits | Refusal:
    """Around an estimate. ``gas_limit`` when no transaction may take that much."""
    if gas > TRANSACTION_GAS_CAP:
        return Refusal(
            rule="gas_limit",
            detail=f"it needs {gas} gas, and no transaction may have more than "
            f"{TRANSACTION_GAS_CAP}",
        )
    least = limit(gas, LEAST_PERCENT)
    return Limits(
        wanted=limit(gas, LIMIT_PERCENT),
        least=least,
        tight=limit(gas, TIGHT_PERCENT) if tight else least,
    )


def fitted(
    limits: Limits, fees: Fees, least_fee: int, balance: int, wallet: str
) -> Offer | Refusal:
    """What ``balance`` (wei) pays for, ``fees`` with the wanted limit where it can.

    Otherwise, in this order, as little as it takes: the fee down to 9/8 of the least one, which
    still holds after one full block; the limit down to the least; the fee down to the least; the
    limit down to the tight one. ``gas_money`` when not even that can be paid.
    """
    calm = min(fees.max_fee_per_gas, _eighth_more(least_fee))
    if balance >= limits.wanted * calm:
        fee = min(fees.max_fee_per_gas, balance // limits.wanted)
        return Offer(limits.wanted, _at(fees, fee))
    if balance >= limits.least * calm:
        return Offer(balance // calm, _at(fees, calm))
    if balance >= limits.least * least_fee:
        return Offer(limits.least, _at(fees, balance // limits.least))
    if balance >= limits.tight * least_fee:
        return Offer(balance // least_fee, _at(fees, least_fee))
    return Refusal(
        rule="gas_money", detail=short_of_ether(balance, limits.tight, least_fee, wallet)
    )


def _at(fees: Fees, max_fee: int) -> Fees:
    return Fees(max_fee, min(fees.max_priority_fee_per_gas, max_fee))


def cap_wei(gas: Gas, *, is_exit: bool) -> int:
    """The most a transaction of its class may ever pay, wei per gas."""
    return to_units_down(gas.max_exit_gwei if is_exit else gas.max_gwei, GWEI_DECIMALS)


def quote_fees(base_fee: int, gas: Gas, *, is_exit: bool) -> Fees | Refusal:
    """``max_fee = 2 * base + tip``, never above the cap of its class.

    A block that already costs more than the cap is a ``gas_cap`` refusal.
    """
    cap = cap_wei(gas, is_exit=is_exit)
    tip = min(to_units_down(gas.tip_gwei, GWEI_DECIMALS), cap)
    if base_fee + tip > cap:
        setting = "gas.max_exit_gwei" if is_exit else "gas.max_gwei"
        return Refusal(
            rule="gas_cap",
            detail=(
                f"gas costs {_gwei(base_fee + tip)} gwei with the tip, above {setting} = "
                f"{_gwei(cap)}"
            ),
        )
    return Fees(min(BASE_FEE_HEADROOM * base_fee + tip, cap), tip)


def bumped(fees: Fees) -> Fees:
    """Both fields raised by 12.5 %, rounded up: nodes refuse a replacement that offers less."""
    return Fees(_eighth_more(fees.max_fee_per_gas), _eighth_more(fees.max_priority_fee_per_gas))


def least_fee(base_fee: int, gas: Gas, stuck: Fees | None) -> int:
    """The least ``max_fee_per_gas`` that a node takes, at this base fee or to replace ``stuck``."""
    least = base_fee + to_units_down(gas.tip_gwei, GWEI_DECIMALS)
    return least if stuck is None else max(least, bumped(stuck).max_fee_per_gas)


def affordable(fees: Fees, stuck: Fees, gas: int, balance: int, wallet: str) -> Fees | Refusal:
    """``fees`` that replace ``stuck``, less where ``balance`` (wei) does not pay for ``gas`` so.

    ``gas_money`` when it does not even pay for the bump.
    """
    least = bumped(stuck).max_fee_per_gas
    if balance < gas * least:
        return Refusal(rule="gas_money", detail=short_of_ether(balance, gas, least, wallet))
    return _at(fees, min(fees.max_fee_per_gas, balance // gas))


def replacement_fees(stuck: Fees, base_fee: int, gas: Gas, *, is_exit: bool) -> Fees | Refusal:
    """What replaces ``stuck`` at its nonce: what is asked now, or the bump, whichever is more.

    ``gas_cap`` when the bump alone is above the cap of the class.
    """
    least = bumped(stuck)
    cap = cap_wei(gas, is_exit=is_exit)
    now = quote_fees(base_fee, gas, is_exit=is_exit)
    if isinstance(now, Refusal):
        return now
    if least.max_fee_per_gas > cap:
        return Refusal(
            rule="gas_cap",
            detail=(
                f"replacing a waiting transaction needs {_gwei(least.max_fee_per_gas)} gwei, "
                f"above the cap of {_gwei(cap)}"
            ),
        )
    return Fees(
        max(now.max_fee_per_gas, least.max_fee_per_gas),
        max(now.max_priority_fee_per_gas, least.max_priority_fee_per_gas),
    )


def _eighth_more(value: int) -> int:
    return max(value + -(-value // 8), 1)
