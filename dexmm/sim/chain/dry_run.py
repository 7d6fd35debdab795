"""One step of the wallet's, carried out on copies: first a simulation, then what happens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dexmm.model.market import Market
from dexmm.model.steps import (
    Approve,
    ChainStep,
    Mint,
    Minted,
    RaiseCardinality,
    Removal,
    Rerange,
    Swap,
    Transfer,
)
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.full_math import MAX_UINT128
from dexmm.units import Amount0, Amount1, Liquidity


class Unpaid(Revert):
    reason = "STF"
    rule = "the wallet has not, or does not allow, what the step takes"


@dataclass(slots=True, kw_only=True)
class Purse:
    """What the wallet has, in smallest units, and whom it allows to take how much."""

    amount0: int
    amount1: int
    eth: int
    allowances: dict[tuple[str, str], int] = field(default_factory=dict)  # token, spender
    nonce: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the wallet's own steps have moved since the beginning, smallest units of each token."""

    minted0: int = 0  # principal put in
    minted1: int = 0
    burnt0: int = 0  # principal taken out
    burnt1: int = 0
    collected0: int = 0  # principal and fees, as paid
    collected1: int = 0
    swapped0: int = 0  # received; negative: given
    swapped1: int = 0
    sent0: int = 0  # away from the wallet
    sent1: int = 0
    gas_wei: int = 0


class Trial:
    """A step on copies: nothing of the chain changes until they take its place."""

    def __init__(
        self, market: Market, wallet: str, manager: PositionManager, purse: Purse, tally: Tally
    ) -> None:
        self._market = market
        self._wallet = wallet
        self.pool = manager.pool.copy()
        self.manager = manager.copy(self.pool)
        self.purse = replace(purse, allowances=purse.allowances.copy())
        self.tally = tally
        self.received = [0, 0]
        self.minted: list[Minted] = []

    def carry_out(self, step: ChainStep) -> None:
        """Raises ``Revert`` where the contracts would; then these copies mean nothing."""
        match step:
            case Rerange():
                self.rerange(step)
            case Swap():
                self.swap(step)
            case Approve():
                for allowance in step.allowances:
                    self.purse.allowances[allowance.token, allowance.spender] = allowance.amount
            case RaiseCardinality():
                self.pool.increase_observation_cardinality_next(step.observation_cardinality_next)
            case Transfer():
                self.transfer(step)

    def rerange(self, step: Rerange) -> None:
        for removal in step.removals:
            self._remove(removal)
        for mint in step.mints:
            self._mint(mint)

    def _remove(self, removal: Removal) -> None:
        burnt = (0, 0)
        if removal.liquidity:
            least = (removal.amount0_min, removal.amount1_min)
            burnt = self.manager.decrease_liquidity(removal.token_id, removal.liquidity, least)
        paid = (0, 0)
        if removal.collect0 or removal.collect1:
            paid = self.manager.collect(
                removal.token_id, MAX_UINT128 * removal.collect0, MAX_UINT128 * removal.collect1
            )
        if removal.burn:
            self.manager.burn(removal.token_id)
        self._receive(*paid)
        tally = self.tally
        self.tally = replace(
            tally,
            burnt0=tally.burnt0 + burnt[0],
            burnt1=tally.burnt1 + burnt[1],
            collected0=tally.collected0 + paid[0],
            collected1=tally.collected1 + paid[1],
        )

    def _mint(self, mint: Mint) -> None:
        desired = (mint.amount0_desired, mint.amount1_desired)
        least = (mint.amount0_min, mint.amount1_min)
        token_id = mint.token_id
        if token_id is None:
            token_id, liquidity, *charged = self.manager.mint(
                self._wallet, mint.tick_lower, mint.tick_upper, desired, least
            )
        else:
            liquidity, *charged = self.manager.increase_liquidity(token_id, desired, least)
        self._pay(charged[0], charged[1], self._market.position_manager)
        tally = self.tally
        self.tally = replace(
            tally, minted0=tally.minted0 + charged[0], minted1=tally.minted1 + charged[1]
        )
        self.minted.append(
            Minted(
                token_id=token_id,
                tick_lower=mint.tick_lower,
                tick_upper=mint.tick_upper,
                liquidity=Liquidity(liquidity),
                amount0=Amount0(charged[0]),
                amount1=Amount1(charged[1]),
            )
        )

    def swap(self, step: Swap) -> None:
        limit = step.sqrt_price_limit_x96 or None
        amounts = self.pool.swap(step.zero_for_one, step.amount_in, limit)
        given, got = amounts if step.zero_for_one else amounts[::-1]
        if -got < step.amount_out_minimum:
            raise Unpaid(out=-got, least=step.amount_out_minimum)
        paid = (given, 0) if step.zero_for_one else (0, given)
        self._pay(*paid, self._market.swap_router)
        self._receive(*((0, -got) if step.zero_for_one else (-got, 0)))
        tally = self.tally
        self.tally = replace(
            tally, swapped0=tally.swapped0 - amounts[0], swapped1=tally.swapped1 - amounts[1]
        )

    def transfer(self, step: Transfer) -> None:
        if step.token is None:
            self.purse.eth -= step.amount
            return
        first = step.token == self._market.token0.address
        sent0, sent1 = (step.amount, 0) if first else (0, step.amount)
        self._spend(sent0, sent1)
        tally = self.tally
        self.tally = replace(tally, sent0=tally.sent0 + sent0, sent1=tally.sent1 + sent1)

    def _receive(self, amount0: int, amount1: int) -> None:
        self.purse.amount0 += amount0
        self.purse.amount1 += amount1
        self.received[0] += amount0
        self.received[1] += amount1

    def _pay(self, amount0: int, amount1: int, spender: str) -> None:
        """As ``transferFrom``: out of the wallet, and out of what it allows the spender."""
        market = self._market
        for token, amount in ((market.token0, amount0), (market.token1, amount1)):
            left = self.purse.allowances.get((token.address, spender), 0) - amount
            if left < 0:
                raise Unpaid(token=token.symbol, owed=amount, allowed=left + amount)
            if amount:
                self.purse.allowances[token.address, spender] = left
        self._spend(amount0, amount1)

    def _spend(self, amount0: int, amount1: int) -> None:
        if amount0 > self.purse.amount0 or amount1 > self.purse.amount1:
            raise Unpaid(owed=(amount0, amount1), held=(self.purse.amount0, self.purse.amount1))
        self.purse.amount0 -= amount0
        self.purse.amount1 -= amount1
