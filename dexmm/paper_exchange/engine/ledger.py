"""Everybody's money in one place, and the proof that none of it was made here.

The house is everybody else: it may owe without limit, so that its side of every fill is booked
like any other. Fees are the exchange's own income. What all of them have together is exactly
what was deposited, in every asset, after every fill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.paper_exchange.engine.accounts import MARGIN_ASSET, Account
from dexmm.paper_exchange.engine.rounding import ZERO

HOUSE = "~house"  # rests in the book
FLOW = "~flow"  # takes from it


def is_house(owner: str) -> bool:
    return owner.startswith("~")


@dataclass(slots=True)
class Ledger:
    accounts: dict[str, Account] = field(default_factory=dict)
    house: Account = field(default_factory=lambda: Account(name=HOUSE))
    income: dict[str, Decimal] = field(default_factory=dict)
    deposited: dict[str, Decimal] = field(default_factory=dict)

    def of(self, owner: str) -> Account:
        return self.house if is_house(owner) else self.accounts[owner]

    def by_key(self, api_key: str) -> Account | None:
        return next((a for a in self.accounts.values() if a.api_key == api_key), None)

    def deposit(self, account: Account, asset: str, amount: Decimal) -> None:
        account.add(asset, amount)
        self.deposited[asset] = self.deposited.get(asset, ZERO) + amount

    def deposit_margin(self, account: Account, amount: Decimal) -> None:
        account.futures.wallet += amount
        self.deposited[MARGIN_ASSET] = self.deposited.get(MARGIN_ASSET, ZERO) + amount

    def earn(self, asset: str, fee: Decimal) -> None:
        self.income[asset] = self.income.get(asset, ZERO) + fee

    def everybody(self) -> Iterator[Account]:
        yield from self.accounts.values()
        yield self.house

    def imbalance(self) -> dict[str, Decimal]:
        """Per asset, what exists beyond what was deposited: exactly nothing, or a mistake."""
        totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for account in self.everybody():
            for asset in account.assets():
                totals[asset] += account.free_of(asset) + account.locked_of(asset)
            futures = account.futures
            # A position's cost was paid out of, or into, nobody's wallet yet.
            costs = sum((p.cost for p in futures.positions.values()), ZERO)
            totals[MARGIN_ASSET] += futures.wallet - costs
        for asset, fee in self.income.items():
            totals[asset] += fee
        for asset, amount in self.deposited.items():
            totals[asset] -= amount
        return {asset: total for asset, total in totals.items() if total}

    def open_interest(self) -> dict[str, Decimal]:
        """Per perpetual, longs minus shorts of everybody: exactly nothing, or a mistake."""
        totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for account in self.everybody():
            for symbol, position in account.futures.positions.items():
                totals[symbol] += position.amount
        return {symbol: total for symbol, total in totals.items() if total}
