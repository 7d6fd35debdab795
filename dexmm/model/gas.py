"""How much gas a transaction reserves, and the ether that takes. Pure.

The gas that a transaction *needs* is more than it *uses*: refunds are paid after its end. An
estimate tells what is needed in the newest block. In the next one it can be more, because the pool
then has another moment to write down, or a trade came first; limits are therefore wider.
"""

from __future__ import annotations

from dexmm.units import to_decimal

TRANSACTION_GAS_CAP = 16_777_216  # EIP-7825, on mainnet since Osaka: no transaction takes more

LIMIT_PERCENT = 130  # of the estimate: what a transaction reserves where nothing is short
LEAST_PERCENT = 120  # the least for one that has a cheaper way to the same end
TIGHT_PERCENT = 110  # the least for one that has none
USED_PERCENT = 80  # of what is needed: refunds give back up to a fifth of what was used


def limit(gas: int, percent: int) -> int:
    """``percent`` of an estimate, rounded up, and never above what a transaction may take."""
    return min(-(-gas * percent // 100), TRANSACTION_GAS_CAP)


def short_of_ether(balance: int, gas: int, price: int, wallet: str) -> str:
    """Why ``gas`` at ``price`` (wei) cannot be paid from ``balance`` (wei), and what to do."""
    return (
        f"the wallet has {ether(balance)} and this needs {ether(gas * price)} "
        f"({gas} gas at {gwei(price)} gwei): send ether for gas to {wallet}"
    )


def ether(wei: int) -> str:
    return f"{to_decimal(wei, 18).normalize():f} ETH"


def gwei(wei: int) -> str:
    return format(to_decimal(wei, 9).normalize(), "f")
