"""The world around the product, on Anvil: time, the other traders, gas and the oracle.

What happens when is the street's (``sim/agents/market_simulator.py``); here it becomes
transactions. The node itself never mines. What the product sends is mined a slot later, while it
waits, at the base fee it saw. The traders' accounts are impersonated, their transactions carry
nonce, gas and fee, and all of a block's go out in one request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from dexmm.errors import NodeError
from dexmm.model.market import Market, Token
from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.deploy import (
    ETH_USD_FEED,
    PAXG_DECIMALS,
    PAXG_USD_FEED,
    USDT_DECIMALS,
    XAU_USD_FEED,
    Deployment,
    account,
)
from dexmm.sandbox.node.pools import POSITION_MANAGER, SWAP_ROUTER, approve
from dexmm.sandbox.node.router import swap_calldata
from dexmm.sandbox.node.token_admin import PAXG, USDT
from dexmm.sim.agents.base_fee import GWEI, BaseFee
from dexmm.sim.agents.market_simulator import (
    ETH_HEARTBEAT_SECONDS,
    GOLD_HEARTBEAT_SECONDS,
    NOISE,
    Deed,
    Feed,
    Spoken,
    Street,
)
from dexmm.sim.agents.noise_flow import Flow
from dexmm.sim.agents.price_process import Candle
from dexmm.sim.agents.price_walk import SLOT_SECONDS, PriceWalk
from dexmm.sim.agents.traders import USUAL_COSTS, ArbitrageCosts
from dexmm.units import to_units_down

SETUP_SECONDS = (
    600  # how long before the first candle the chain must be, for the traders to prepare
)
_SWAP_GAS = 700_000
_FEED_GAS = 150_000
_TRADER_MAX_FEE = 100 * GWEI
_POLL_SECONDS = 0.002
_SLOT0 = "0x" + encode_call("slot0()").hex()
_LIQUIDITY = "0x" + encode_call("liquidity()").hex()
_RICHES = Decimal(10_000_000)  # of each token, for each trader

_Request = tuple[str, Sequence[object]]


@dataclass(frozen=True, slots=True)
class _Call:
    sender: str
    to: str
    data: bytes
    gas: int


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
        walk: PriceWalk | None = None,
        costs: ArbitrageCosts = USUAL_COSTS,
        activity: Sequence[float] = (),
    ) -> None:
        """``walk`` is that of the history that its candles will be of, where there is one."""
        self.market = paxg_usdt(deployment)
        self.eth_price = eth_price
        self._anvil = deployment.anvil
        self._deployment = deployment
        self.arbitrageur, self.noise_trader, self.keeper = (
            account(label) for label in ("arbitrageur", "noise", "price keeper")
        )
        self._nonces: dict[str, int] = {}
        # Blocks a fixed time apart from here on: the machine's speed must not show in the result.
        self._anvil.rpc("anvil_setBlockTimestampInterval", [1])
        self._prepare_traders(price)
        self._read_chain()
        self._street = Street(
            self.market,
            flow,
            interval_seconds,
            seed,
            price,
            self._open_feeds(price),
            walk=walk,
            costs=costs,
            activity=activity,
        )
        self._anvil.rpc("evm_setAutomine", [False])
        self._read_chain()
        self.first_block = self.block_number

    @property
    def fair_price(self) -> Decimal:
        return self._street.fair_price

    def prices(self, candle: Candle) -> Sequence[Decimal]:
        """The fair price at the end of each slot of a candle, as arbitrage sees it."""
        return self._street.prices(candle)

    def pass_candle(self, candle: Candle) -> None:
        """Everything that happens until the candle's close; the last block carries that time."""
        self._street.pass_candle(self, candle)

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
                        self._mine_block(self.timestamp + SLOT_SECONDS, self._street.base_fee.wei)
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

    def mine_deeds(self, at: int, base_fee: BaseFee, deeds: Sequence[Deed]) -> None:
        """One block at ``at`` that holds these, in this order, at the newest base fee."""
        mined = self._mine_block(
            at, base_fee.wei, [self._send_request(self._call(deed)) for deed in deeds]
        )
        if mined < len(deeds):
            raise NodeError(
                f"the sandbox mined {mined} of {len(deeds)} transactions in block "
                f"{self.block_number}: restart the sandbox",
                mined=mined,
                sent=len(deeds),
            )

    def _mine_block(self, at: int, base_fee_wei: int, sends: Sequence[_Request] = ()) -> int:
        """Mine what waits and ``sends``; returns how many transactions that was."""
        self._anvil.batch(
            [
                ("evm_setNextBlockTimestamp", [hex(at)]),
                ("anvil_setNextBlockBaseFeePerGas", [hex(base_fee_wei)]),
                *sends,
            ]
        )
        self._anvil.rpc("evm_mine")
        return self._read_chain()

    def _read_chain(self) -> int:
        """Where the chain is now; how many transactions the newest block holds."""
        slot0, liquidity, block = self._anvil.batch(
            [
                ("eth_call", [{"to": self.market.pool, "data": _SLOT0}, "latest"]),
                ("eth_call", [{"to": self.market.pool, "data": _LIQUIDITY}, "latest"]),
                ("eth_getBlockByNumber", ["latest", False]),
            ]
        )
        self.sqrt_price_x96 = int(slot0[2:66], 16)
        self.liquidity = int(liquidity, 16)
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

    def _call(self, deed: Deed) -> _Call:
        if isinstance(deed, Spoken):
            answer = encode_call("setAnswer(int256,uint256)", to_units_down(deed.price, 8), 0)
            return _Call(self.keeper, deed.feed, answer, _FEED_GAS)
        trader = self.noise_trader if deed.trader == NOISE else self.arbitrageur
        data = swap_calldata(self.market, deed.swap, trader)
        return _Call(trader, SWAP_ROUTER, data, _SWAP_GAS)

    def _prepare_traders(self, price: Decimal) -> None:
        """Tokens, allowances and ether for everybody who trades, and their accounts unlocked."""
        for trader in (self.arbitrageur, self.noise_trader, self.keeper):
            self._deployment.fund_wallet(trader, eth=Decimal(10_000))
            if trader != self.keeper:
                self._deployment.fund_wallet(
                    trader, paxg=_RICHES, usdt=_RICHES * max(int(price), 1)
                )
                for token in (PAXG, USDT):
                    approve(self._anvil, trader, token, SWAP_ROUTER, 2**200)
            self._anvil.rpc("anvil_impersonateAccount", [trader])
            count = self._anvil.rpc("eth_getTransactionCount", [trader, "latest"])
            self._nonces[trader] = int(count, 16)

    def _open_feeds(self, price: Decimal) -> list[Feed]:
        """The price feeds, speaking for the first time."""
        self._deployment.set_price_feeds(price)
        token_admin.set_feed(self._anvil, ETH_USD_FEED, to_units_down(self.eth_price, 8))
        return [
            *(
                Feed(
                    name=feed,
                    heartbeat_seconds=GOLD_HEARTBEAT_SECONDS,
                    said=price,
                    said_at=self.timestamp,
                )
                for feed in (PAXG_USD_FEED, XAU_USD_FEED)
            ),
            Feed(
                name=ETH_USD_FEED,
                heartbeat_seconds=ETH_HEARTBEAT_SECONDS,
                said=self.eth_price,
                said_at=self.timestamp,
                constant=True,
            ),
        ]
