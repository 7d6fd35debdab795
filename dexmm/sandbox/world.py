"""The world around the product: time, the fair price, the other traders, gas and the oracle.

Between two turns a candle passes. Its way from open to close has three waypoints. At each, the
noise trades of that time are mined in one block, and the arbitrageur answers a slot later when
the pool has left the fair price by more than its fee. The last block of a candle carries its
close time: the chain's clock is the price path's clock. The node itself never mines. What the
product sends is mined a slot later, while it waits, at the base fee it saw.

Everything random comes from one seed, in streams of their own: prices do not change when the
flow does. The traders' accounts are impersonated, their transactions carry nonce, gas and fee,
and all of a block's go out in one request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from dexmm.errors import NodeError
from dexmm.model.market import Market, Token
from dexmm.sandbox import issuers
from dexmm.sandbox.calls import encode_call
from dexmm.sandbox.issuers import PAXG, USDT
from dexmm.sandbox.mainnet import (
    ETH_USD_FEED,
    PAXG_DECIMALS,
    PAXG_USD_FEED,
    USDT_DECIMALS,
    XAU_USD_FEED,
    Deployment,
    account,
)
from dexmm.sandbox.pools import POSITION_MANAGER, SWAP_ROUTER, approve
from dexmm.sandbox.router import swap_calldata
from dexmm.sim.flow import Flow, NoiseTrade, noise_dice, noise_trades
from dexmm.sim.gas import GWEI, BaseFee
from dexmm.sim.prices import Candle
from dexmm.sim.traders import arbitrage, noise
from dexmm.units import SqrtPriceX96, to_units_down

SLOT_SECONDS = 12
SETUP_SECONDS = (
    600  # how long before the first candle the chain must be, for the traders to prepare
)
_SWAP_GAS = 700_000
_FEED_GAS = 150_000
_TRADES_PER_BLOCK = 30  # each reserves _SWAP_GAS of the block's 30 million
_TRADER_MAX_FEE = 100 * GWEI
_POLL_SECONDS = 0.002
_SLOT0 = "0x" + encode_call("slot0()").hex()
_RICHES = Decimal(10_000_000)  # of each token, for each trader

FEED_DEVIATION = Decimal("0.005")  # a feed speaks when the price has moved by this,
GOLD_HEARTBEAT_SECONDS = 86_400  # or after this long without a word
ETH_HEARTBEAT_SECONDS = 3_600

_Request = tuple[str, Sequence[object]]


@dataclass(frozen=True, slots=True)
class _Call:
    sender: str
    to: str
    data: bytes
    gas: int


@dataclass(slots=True)
class _Feed:
    address: str
    heartbeat_seconds: int
    said: Decimal
    said_at: int

    def due(self, price: Decimal, at: int) -> bool:
        moved = abs(price / self.said - 1) >= FEED_DEVIATION
        return moved or at - self.said_at >= self.heartbeat_seconds


def paxg_usdt(deployment: Deployment) -> Market:
    """The market that the local mainnet (or a fork of the real one) trades."""
    return Market(
        chain_id=1,
        pool=deployment.pool,
        position_manager=POSITION_MANAGER,
        swap_router=SWAP_ROUTER,
        token0=Token(address=PAXG, symbol="PAXG", decimals=PAXG_DECIMALS),
        token1=Token(address=USDT, symbol="USDT", decimals=USDT_DECIMALS),
        base_is_token0=True,
        fee_pips=deployment.fee_pips,
        tick_spacing=deployment.tick_spacing,
    )


class SandboxWorld:
    """Moves the chain from candle to candle. One thread, one owner of the chain's time."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        flow: Flow,
        interval_seconds: int,
        seed: int,
        price: Decimal,
        eth_price: Decimal,
    ) -> None:
        self.market = paxg_usdt(deployment)
        self.fair_price = price
        self.eth_price = eth_price
        self._anvil = deployment.anvil
        self._deployment = deployment
        self._flow = flow
        self._interval = interval_seconds
        self._dice = noise_dice(seed)
        self._base_fee = BaseFee(seed)
        self._base_fee_wei = self._base_fee.next_wei()
        self.arbitrageur, self.noise_trader, self.keeper = (
            account(label) for label in ("arbitrageur", "noise", "price keeper")
        )
        self._nonces: dict[str, int] = {}
        # Blocks a fixed time apart from here on: the machine's speed must not show in the result.
        self._anvil.rpc("anvil_setBlockTimestampInterval", [1])
        self._prepare_traders()
        self._read_chain()
        self._feeds = self._open_feeds()
        self._anvil.rpc("evm_setAutomine", [False])
        self._read_chain()
        self.first_block = self.block_number

    def pass_candle(self, candle: Candle) -> None:
        """Everything that happens until the candle's close; the last block carries that time."""
        trades = noise_trades(self._flow, self._dice, self._interval)
        waypoints = candle.waypoints()
        for number, price in enumerate(waypoints):
            start = self._interval * number // len(waypoints)
            end = self._interval * (number + 1) // len(waypoints)
            self.fair_price = price
            self._pass_waypoint([t for t in trades if start <= t.at < end], candle.at + end)
        if self.timestamp < candle.at + self._interval:
            self._mine([], candle.at + self._interval)

    @contextmanager
    def mining(self) -> Iterator[None]:
        """Within, whatever is sent is mined, a slot after the block before.

        A block waits until the transactions that wait for it stand still, so that those broadcast
        together are mined together, whatever the machine's speed.
        """
        done, failed = threading.Event(), list[NodeError]()

        def mine_what_waits() -> None:
            before = 0
            try:
                while not done.wait(_POLL_SECONDS):
                    waiting = int(self._anvil.rpc("txpool_status")["pending"], 16)
                    if waiting and waiting == before:
                        self._mine_block(self.timestamp + SLOT_SECONDS)
                    before = waiting
            except NodeError as error:
                failed.append(error)

        miner = threading.Thread(target=mine_what_waits, name="sandbox miner", daemon=True)
        miner.start()
        try:
            yield
        finally:
            done.set()
            miner.join()
        if failed:
            raise failed[0]

    def settle_down(self) -> None:
        """Nobody trades any more; from now on blocks come by themselves, in real seconds."""
        self._anvil.rpc("anvil_removeBlockTimestampInterval")
        self._anvil.rpc("evm_setIntervalMining", [1])

    def _pass_waypoint(self, trades: Sequence[NoiseTrade], at: int) -> None:
        calls = self._feed_calls(at)
        calls += [
            self._swap_call(self.noise_trader, swap_calldata(self.market, swap, self.noise_trader))
            for swap in (noise(self.market, trade, self.sqrt_price_x96) for trade in trades)
        ]
        blocks = [
            calls[first : first + _TRADES_PER_BLOCK]
            for first in range(0, len(calls), _TRADES_PER_BLOCK)
        ]
        for ahead, block in zip(range(len(blocks), 0, -1), blocks, strict=True):
            self._mine(block, at - ahead * SLOT_SECONDS)
        swap = arbitrage(self.market, self.sqrt_price_x96, self.fair_price)
        if swap is not None:
            data = swap_calldata(self.market, swap, self.arbitrageur)
            self._mine([self._swap_call(self.arbitrageur, data)], at)

    def _mine(self, calls: Sequence[_Call], at: int) -> None:
        """A block with these transactions at ``at``, or as soon after the last as may be."""
        self._base_fee_wei = self._base_fee.next_wei()
        mined = self._mine_block(
            max(at, self.timestamp + 1), [self._send_request(call) for call in calls]
        )
        if mined < len(calls):
            raise NodeError(
                f"the sandbox mined {mined} of {len(calls)} transactions in block "
                f"{self.block_number}: restart the sandbox",
                mined=mined,
                sent=len(calls),
            )

    def _mine_block(self, at: int, sends: Sequence[_Request] = ()) -> int:
        """Mine what waits and ``sends``; returns how many transactions that was."""
        self._anvil.batch(
            [
                ("evm_setNextBlockTimestamp", [hex(at)]),
                ("anvil_setNextBlockBaseFeePerGas", [hex(self._base_fee_wei)]),
                *sends,
            ]
        )
        self._anvil.rpc("evm_mine")
        return self._read_chain()

    def _read_chain(self) -> int:
        """Where the chain is now; how many transactions the newest block holds."""
        slot0, block = self._anvil.batch(
            [
                ("eth_call", [{"to": self.market.pool, "data": _SLOT0}, "latest"]),
                ("eth_getBlockByNumber", ["latest", False]),
            ]
        )
        self.sqrt_price_x96 = SqrtPriceX96(int(slot0[2:66], 16))
        self.timestamp = int(block["timestamp"], 16)
        self.block_number = int(block["number"], 16)
        return len(block["transactions"])

    def _send_request(self, call: _Call) -> _Request:
        nonce = self._nonces[call.sender]
        self._nonces[call.sender] = nonce + 1
        return "eth_sendTransaction", [
            {
                "from": call.sender,
                "to": call.to,
                "data": "0x" + call.data.hex(),
                "gas": hex(call.gas),
                "nonce": hex(nonce),
                "maxFeePerGas": hex(_TRADER_MAX_FEE),
                "maxPriorityFeePerGas": hex(GWEI // 10),
            }
        ]

    def _swap_call(self, sender: str, data: bytes) -> _Call:
        return _Call(sender, SWAP_ROUTER, data, _SWAP_GAS)

    def _feed_calls(self, at: int) -> list[_Call]:
        calls = []
        for feed in self._feeds:
            price = self.eth_price if feed.address == ETH_USD_FEED else self.fair_price
            if feed.due(price, at):
                feed.said, feed.said_at = price, at
                answer = encode_call("setAnswer(int256,uint256)", to_units_down(price, 8), 0)
                calls.append(_Call(self.keeper, feed.address, answer, _FEED_GAS))
        return calls

    def _prepare_traders(self) -> None:
        """Tokens, allowances and ether for everybody who trades, and their accounts unlocked."""
        for trader in (self.arbitrageur, self.noise_trader, self.keeper):
            self._deployment.fund_wallet(trader, eth=Decimal(10_000))
            if trader != self.keeper:
                self._deployment.fund_wallet(
                    trader, paxg=_RICHES, usdt=_RICHES * max(int(self.fair_price), 1)
                )
                for token in (PAXG, USDT):
                    approve(self._anvil, trader, token, SWAP_ROUTER, 2**200)
            self._anvil.rpc("anvil_impersonateAccount", [trader])
            count = self._anvil.rpc("eth_getTransactionCount", [trader, "latest"])
            self._nonces[trader] = int(count, 16)

    def _open_feeds(self) -> list[_Feed]:
        """The price feeds, speaking for the first time."""
        self._deployment.set_price_feeds(self.fair_price)
        issuers.set_feed(self._anvil, ETH_USD_FEED, to_units_down(self.eth_price, 8))
        gold = (PAXG_USD_FEED, XAU_USD_FEED)
        return [
            *(_Feed(f, GOLD_HEARTBEAT_SECONDS, self.fair_price, self.timestamp) for f in gold),
            _Feed(ETH_USD_FEED, ETH_HEARTBEAT_SECONDS, self.eth_price, self.timestamp),
        ]
