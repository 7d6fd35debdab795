"""A chain in memory: one wallet in one market over the exact pool; implements ``protocols.Chain``.

Steps are carried out as ``chain/send/sender.py`` and the contracts would: simulated on a copy,
judged by the caller's verdict, then mined a slot later in a block of their own, at the block's base
fee and the configured tip. What a step that reverts would do is nothing. There is no mempool here
and no reorganisation, so nothing is ever pending, replaced or lost; a mined transaction counts as
in flight until it is ``confirmations`` blocks deep, as on a real chain.

Tokens move as PAXG and USDT do with their fees off. Gas used comes from ``gas_of``: the caller's
table, or a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.history.packed_candles import PackedPath
from dexmm.model.decision import Refusal
from dexmm.model.holdings import Position, Wallet
from dexmm.model.intent import InFlight
from dexmm.model.market import Block, Market, PoolState, Reference, TokenGuards
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import (
    Approve,
    ChainStep,
    Outcome,
    Rerange,
    Settle,
    Simulation,
    Transfer,
)
from dexmm.sim.agents.base_fee import BaseFee
from dexmm.sim.agents.market_simulator import Deed, Trade
from dexmm.sim.agents.price_walk import SLOT_SECONDS
from dexmm.sim.agents.traders import PoolSwap
from dexmm.sim.chain.dry_run import Purse, Tally, Trial
from dexmm.sim.chain.position_manager import Nft, PositionManager
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import Amount0, Amount1, Liquidity, SqrtPriceX96, Tick, Wei

Verdict = Callable[[Simulation], Refusal | None]
GasOf = Callable[[ChainStep], int]
"""The gas that a step takes, all of its transactions together."""

NO_SWITCHES = TokenGuards(
    paused=False, frozen=(), transfer_fee=0, deprecated=None, implementation=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What of a simulated chain never changes."""

    market: Market
    wallet: str
    gas_of: GasOf
    tip_wei: int
    twap_seconds: int
    eth_price: Decimal  # quote per ETH
    eth_prices: PackedPath | None = None  # its history, instead
    confirmations: int = 2
    reference_feed: str = ""  # whose answer is the reference; empty: there is none
    reference_heartbeat_seconds: int = 86_400
    guards0: TokenGuards = NO_SWITCHES
    guards1: TokenGuards = NO_SWITCHES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mined:
    step: str
    nonce: int
    block: int
    is_exit: bool


# The pool, its price and fee growths, the wallet's NFTs, and what a look showed of them.
_Shown = tuple[Pool, tuple[int, int, int], tuple[Nft, ...], tuple[Position, ...]]


class SimChain:
    """One wallet in one market. ``pool.timestamp`` follows the newest block."""

    def __init__(
        self,
        terms: Terms,
        manager: PositionManager,
        purse: Purse,
        block: Block,
    ) -> None:
        self.terms = terms
        self.market = terms.market
        self.pool: Pool = manager.pool
        self.manager = manager
        self.purse = purse
        self.tally = Tally()
        self._number = block.number
        self.timestamp = block.timestamp
        self._base_fee: BaseFee | None = None
        self._base_fee_wei = block.base_fee_wei
        self._reference: tuple[Decimal, int] | None = None
        self._mined: list[_Mined] = []
        self._shown: _Shown | None = None
        self._seen_wallet: Wallet | None = None

    # The world's side

    @property
    def sqrt_price_x96(self) -> int:
        return self.pool.sqrt_price_x96

    @property
    def liquidity(self) -> int:
        """Of the pool, in range."""
        return self.pool.liquidity

    @property
    def base_fee_wei(self) -> int:
        """Of the newest block. What a market of fees passes is only worked out when asked for."""
        return self._base_fee_wei if self._base_fee is None else self._base_fee.wei

    @property
    def eth_price(self) -> Decimal:
        """Quote per ETH: the last close known, where there is a history."""
        history = self.terms.eth_prices
        if history is None:
            return self.terms.eth_price
        closed = (self.timestamp - history.start) // history.interval_seconds - 1
        if closed < 0:
            return history.candle(0).open
        return history.candle(min(closed, len(history) - 1)).close

    @property
    def block(self) -> Block:
        return Block(number=self._number, timestamp=self.timestamp, base_fee_wei=self.base_fee_wei)

    def mine(self, at: int, base_fee_wei: int | None = None) -> None:
        """A new block at ``at`` (timestamp, seconds), which is not before the last one's."""
        self._number += 1
        self.timestamp = self.pool.timestamp = at
        if base_fee_wei is not None:
            self._base_fee, self._base_fee_wei = None, base_fee_wei

    def skip(self, at: int, base_fee: BaseFee, blocks: int = 1) -> None:
        """A new block that holds nothing, or so many, the newest at ``at``."""
        self._base_fee = base_fee
        self._number += blocks
        self.timestamp = self.pool.timestamp = at

    def mine_deeds(self, at: int, base_fee: BaseFee, deeds: Sequence[Deed]) -> None:
        """One block at ``at`` that holds these, in this order, at the newest base fee."""
        self.skip(at, base_fee)
        for deed in deeds:
            if isinstance(deed, Trade):
                self.swap(deed.swap)
            else:
                self.hear(deed.feed, deed.price)

    def swap(self, swap: PoolSwap) -> tuple[int, int]:
        """By somebody else, in the newest block; what the pool received, negative: paid.

        Where the price has gone past the limit meanwhile, their transaction reverts.
        """
        price, limit = self.pool.sqrt_price_x96, swap.sqrt_price_limit_x96
        if not (limit < price if swap.zero_for_one else price < limit):
            return 0, 0
        return self.pool.swap(swap.zero_for_one, swap.amount_in, limit)

    def hear(self, feed: str, price: Decimal) -> None:
        """A price feed answers, as of the newest block."""
        if feed == self.terms.reference_feed:
            self.tell(price, self.timestamp)

    def tell(self, price: Decimal, updated_at: int) -> None:
        """What the reference feed has last said, and when (timestamp, seconds)."""
        self._reference = (price, updated_at)

    def renumber(self, number: int) -> None:
        """The newest block is this one: for a chain that began elsewhere."""
        self._number = number

    # The product's side

    def observe(self) -> ChainView:
        """Everything at the newest block."""
        live = self._positions()
        return ChainView(
            market=self.market,
            block=self.block,
            pool=self.pool_state(),
            wallet=self._wallet(),
            positions=live,
            other_positions=len(self.manager.owned(self.terms.wallet)) - len(live),
            guards0=self.terms.guards0,
            guards1=self.terms.guards1,
            references=self._references(),
            eth_price=self.eth_price,
            in_flight=self._in_flight(),
        )

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        """Simulate, ask, and mine it a slot later. A step that would revert is "failed"."""
        if isinstance(step, Settle):
            return Outcome(step=step.kind, status="skipped", detail="nothing waits any more")
        transactions = self._transactions(step)
        if not transactions:
            return Outcome(step=step.kind, status="skipped", detail="every allowance is set")
        try:
            simulation, _ = self._simulated(step)
        except Revert as error:
            detail = f"the simulation reverted: {error.reason or error.rule}"
            return Outcome(step=step.kind, status="failed", detail=detail)
        if (refusal := verdict(simulation)) is not None:
            return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)
        return self._mine_step(step, simulation.gas, transactions)

    def _mine_step(self, step: ChainStep, gas: int, transactions: int) -> Outcome:
        self.mine(self.timestamp + SLOT_SECONDS)
        result, trial = self._simulated(step)
        self.pool, self.manager = trial.pool, trial.manager
        self.purse, self.tally = trial.purse, trial.tally
        price = self.base_fee_wei + self.terms.tip_wei
        first = self.purse.nonce
        self.purse.nonce += transactions
        self.purse.eth -= gas * price
        self.tally = replace(self.tally, gas_wei=self.tally.gas_wei + gas * price)
        is_exit = isinstance(step, Transfer) or (isinstance(step, Rerange) and not step.mints)
        self._mined += [
            _Mined(step=step.kind, nonce=nonce, block=self._number, is_exit=is_exit)
            for nonce in range(first, first + transactions)
        ]
        return Outcome(
            step=step.kind,
            status="mined",
            tx_hash=f"0x{self._number:064x}",
            block=self._number,
            gas_used=gas,
            gas_price=price,
            collected0=result.collected0,
            collected1=result.collected1,
            minted=result.minted,
        )

    def _simulated(self, step: ChainStep) -> tuple[Simulation, Trial]:
        """What a step would do to a copy of everything. Raises ``Revert``."""
        trial = Trial(self.market, self.terms.wallet, self.manager, self.purse, self.tally)
        trial.carry_out(step)
        return (
            Simulation(
                step=step,
                collected0=trial.received[0],
                collected1=trial.received[1],
                minted=tuple(trial.minted),
                gas=self.terms.gas_of(step),
                max_fee_per_gas=2 * self.base_fee_wei + self.terms.tip_wei,
            ),
            trial,
        )

    def _transactions(self, step: ChainStep) -> int:
        """How many a step takes: an allowance goes through zero where there is one already."""
        if not isinstance(step, Approve):
            return 1
        count = 0
        for allowance in step.allowances:
            current = self.purse.allowances.get((allowance.token, allowance.spender), 0)
            if allowance.amount != current:
                count += 2 if current and allowance.amount else 1
        return count

    def _positions(self) -> tuple[Position, ...]:
        """As they are; the very same ones as long as neither they nor the pool have moved."""
        pool, manager = self.pool, self.manager
        nfts = tuple([manager.nft(each) for each in manager.owned(self.terms.wallet)])
        moves = pool.sqrt_price_x96, pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
        if self._shown is None or self._shown[:2] != (pool, moves) or self._shown[2] != nfts:
            self._shown = pool, moves, nfts, self._read_positions()
        return self._shown[3]

    def _read_positions(self) -> tuple[Position, ...]:
        found = []
        for token_id in self.manager.owned(self.terms.wallet):
            nft = self.manager.nft(token_id)
            fees0, fees1 = self.manager.fees(token_id)
            if not (nft.info.liquidity or fees0 or fees1):
                continue
            amount0, amount1 = get_amounts_for_liquidity(
                self.pool.sqrt_price_x96,
                get_sqrt_ratio_at_tick(nft.tick_lower),
                get_sqrt_ratio_at_tick(nft.tick_upper),
                nft.info.liquidity,
            )
            found.append(
                Position(
                    token_id=token_id,
                    tick_lower=Tick(nft.tick_lower),
                    tick_upper=Tick(nft.tick_upper),
                    liquidity=Liquidity(nft.info.liquidity),
                    amount0=amount0,
                    amount1=amount1,
                    fees0=Amount0(fees0),
                    fees1=Amount1(fees1),
                )
            )
        return tuple(found)

    def pool_state(self) -> PoolState:
        """As a snapshot shows it."""
        pool, window = self.pool, self.terms.twap_seconds
        return PoolState(
            sqrt_price_x96=SqrtPriceX96(pool.sqrt_price_x96),
            tick=Tick(pool.tick),
            liquidity=Liquidity(pool.liquidity),
            fee_protocol=pool.fee_protocol,
            fee_growth_global0_x128=pool.fee_growth_global0_x128,
            fee_growth_global1_x128=pool.fee_growth_global1_x128,
            observation_cardinality=pool.observation_cardinality,
            observation_cardinality_next=pool.observation_cardinality_next,
            oldest_observation=self._oldest(),
            twap_seconds=window,
            mean_tick=self.mean_tick(),
        )

    def _oldest(self) -> int:
        ring = self.pool.observations
        oldest = ring[(self.pool.observation_index + 1) % self.pool.observation_cardinality]
        return (oldest if oldest.initialized else ring[0]).block_timestamp

    def mean_tick(self) -> Tick | None:
        """Over the configured window; None when the oracle's history is shorter."""
        try:
            return self.pool.mean_tick(self.terms.twap_seconds)
        except Revert:
            return None

    def _wallet(self) -> Wallet:
        """As it is; the very same one as long as nothing has moved."""
        purse, manager = self.purse, self.market.position_manager
        allowance0 = purse.allowances.get((self.market.token0.address, manager), 0)
        allowance1 = purse.allowances.get((self.market.token1.address, manager), 0)
        known = self._seen_wallet
        if (
            known is not None
            and known.amount0 == purse.amount0
            and known.amount1 == purse.amount1
            and known.eth == purse.eth
            and known.nonce == purse.nonce
            and known.allowance0 == allowance0
            and known.allowance1 == allowance1
        ):
            return known
        self._seen_wallet = found = Wallet(
            address=self.terms.wallet,
            amount0=Amount0(purse.amount0),
            amount1=Amount1(purse.amount1),
            eth=Wei(purse.eth),
            allowance0=allowance0,
            allowance1=allowance1,
            nonce=purse.nonce,
            pending_nonce=purse.nonce,
        )
        return found

    def _references(self) -> tuple[Reference, ...]:
        if self._reference is None:
            return ()
        price, updated_at = self._reference
        return (
            Reference(
                name="chainlink",
                price=price,
                updated_at=updated_at,
                heartbeat_seconds=self.terms.reference_heartbeat_seconds,
            ),
        )

    def _in_flight(self) -> tuple[InFlight, ...]:
        least = self._number - self.terms.confirmations
        if self._mined:
            self._mined = [mined for mined in self._mined if mined.block > least]
        return tuple(
            InFlight(
                intent_id=f"simulated {mined.nonce}",
                step=mined.step,
                nonce=mined.nonce,
                is_exit=mined.is_exit,
                blocks_waiting=self._number - mined.block + 1,
                cancelling=False,
                mined=True,
            )
            for mined in self._mined
        )
