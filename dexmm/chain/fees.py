"""EIP-1559 fees, with a cap for each class of action: what earns may wait for a cheap block, what
protects may not."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.config import Gas
from dexmm.model.decision import Refusal
from dexmm.units import to_decimal, to_units_down

GWEI_DECIMALS = 9
BASE_FEE_HEADROOM = 2  # a base fee grows by at most an eighth a block: six full blocks fit


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers, wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


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


def _gwei(wei: int) -> str:
    return format(to_decimal(wei, GWEI_DECIMALS).normalize(), "f")
