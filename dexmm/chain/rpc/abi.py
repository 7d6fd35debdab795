"""The Ethereum ABI in words of 32 bytes: every function and event the product uses, and nothing
general. Selectors are written down and proved against ``contracts/abi`` by a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dexmm.errors import NodeError

WORD = 32
MAX_UINT128 = (1 << 128) - 1
MAX_UINT256 = (1 << 256) - 1

Argument = int | str


def word(argument: Argument) -> bytes:
    """An integer (negative ones sign-extended) or an address as one word."""
    if isinstance(argument, str):
        return bytes(12) + bytes.fromhex(argument[2:])
    return (argument & MAX_UINT256).to_bytes(WORD, "big")


def words(*arguments: Argument) -> bytes:
    """Several arguments of static types, one word each."""
    return b"".join(map(word, arguments))


def padded(data: bytes) -> bytes:
    """``bytes`` as the ABI lays them out: the length, then the data padded to whole words."""
    return word(len(data)) + data + bytes(-len(data) % WORD)


def sequence(items: Sequence[bytes]) -> bytes:
    """An array of dynamic items: the length, then each item's offset, then the items."""
    head, tail = b"", b""
    for item in items:
        head += word(len(items) * WORD + len(tail))
        tail += item
    return word(len(items)) + head + tail


def array(items: Sequence[int]) -> bytes:
    """An array of integers."""
    return word(len(items)) + words(*items)


@dataclass(frozen=True, slots=True)
class Function:
    """A function whose arguments are all static; calling it gives its calldata."""

    signature: str
    selector: bytes

    def __call__(self, *arguments: Argument) -> bytes:
        return self.selector + words(*arguments)


def _function(selector: str, signature: str) -> Function:
    return Function(signature, bytes.fromhex(selector))


# the pool
SLOT0 = _function("3850c7bd", "slot0()")
TOKEN0 = _function("0dfe1681", "token0()")
TOKEN1 = _function("d21220a7", "token1()")
FEE = _function("ddca3f43", "fee()")
TICK_SPACING = _function("d0c93a7c", "tickSpacing()")
LIQUIDITY = _function("1a686502", "liquidity()")
FEE_GROWTH_GLOBAL0 = _function("f3058399", "feeGrowthGlobal0X128()")
FEE_GROWTH_GLOBAL1 = _function("46141319", "feeGrowthGlobal1X128()")
MAX_LIQUIDITY_PER_TICK = _function("70cf754a", "maxLiquidityPerTick()")
PROTOCOL_FEES = _function("1ad8b03b", "protocolFees()")
OBSERVATIONS = _function("252c09d7", "observations(uint256)")
POOL_TICKS = _function("f30dba93", "ticks(int24)")
POOL_POSITIONS = _function("514ea4bf", "positions(bytes32)")
OBSERVE = _function("883bdbfd", "observe(uint32[])")
INCREASE_CARDINALITY = _function("32148f67", "increaseObservationCardinalityNext(uint16)")

# the factory and the position manager
SUPPORTS_INTERFACE = _function("01ffc9a7", "supportsInterface(bytes4)")
FACTORY = _function("c45a0155", "factory()")
GET_POOL = _function("1698ee82", "getPool(address,address,uint24)")
MULTICALL = _function("ac9650d8", "multicall(bytes[])")
MINT = _function(
    "88316456",
    "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
)
INCREASE_LIQUIDITY = _function(
    "219f5d17", "increaseLiquidity((uint256,uint256,uint256,uint256,uint256,uint256))"
)
DECREASE_LIQUIDITY = _function(
    "0c49ccbe", "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
)
COLLECT = _function("fc6f7865", "collect((uint256,address,uint128,uint128))")
BURN = _function("42966c68", "burn(uint256)")
NFT_POSITIONS = _function("99fbab88", "positions(uint256)")
OWNER_OF = _function("6352211e", "ownerOf(uint256)")
TOKEN_OF_OWNER_BY_INDEX = _function("2f745c59", "tokenOfOwnerByIndex(address,uint256)")

# the swap router
EXACT_INPUT_SINGLE = _function(
    "414bf389",
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
)

# tokens and feeds
SYMBOL = _function("95d89b41", "symbol()")
DECIMALS = _function("313ce567", "decimals()")
BALANCE_OF = _function("70a08231", "balanceOf(address)")
ALLOWANCE = _function("dd62ed3e", "allowance(address,address)")
APPROVE = _function("095ea7b3", "approve(address,uint256)")
TRANSFER = _function("a9059cbb", "transfer(address,uint256)")
PAUSED = _function("5c975abb", "paused()")
IS_FROZEN = _function("e5839836", "isFrozen(address)")
IS_BLACK_LISTED = _function("e47d6060", "isBlackListed(address)")  # USDT
IS_BLACKLISTED = _function("fe575a87", "isBlacklisted(address)")  # USDC
IS_BLOCKED = _function("fbac3951", "isBlocked(address)")  # XAUt and Tether's other newer tokens
FEE_RATE = _function("978bbdb9", "feeRate()")
BASIS_POINTS_RATE = _function("dd644f72", "basisPointsRate()")
DEPRECATED = _function("0e136b19", "deprecated()")
LATEST_ROUND_DATA = _function("feaf968c", "latestRoundData()")

# Multicall3 and the lens
AGGREGATE3 = _function("82ad56cb", "aggregate3((address,bool,bytes)[])")
GET_BLOCK_NUMBER = _function("42cbb15c", "getBlockNumber()")
GET_CHAIN_ID = _function("3408e470", "getChainId()")
GET_TIMESTAMP = _function("0f28c97d", "getCurrentBlockTimestamp()")
GET_ETH_BALANCE = _function("4d2301cc", "getEthBalance(address)")
GET_PARENT_HASH = _function("27e86d6e", "getLastBlockHash()")
LENS_SNAPSHOT = _function(
    "f3a2fbce",
    "snapshot(address,address,address,uint32[],uint256[],uint256,(address,bytes)[])",
)
LENS_TICKS = _function("cc876021", "ticks(address,int16,int16)")
LENS_OBSERVATIONS = _function("bcd4e1fc", "observations(address,uint16,uint16)")

# events, by their first topic
INCREASE_EVENT = "0x3067048beee31b25b2f1681f88dac838c8bba36af25bfb2b7cf7473a5847e35f"
POOL_COLLECT_EVENT = "0x70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0"
POOL_MINT_EVENT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
SWAP_EVENT = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"


class Answer:
    """An ABI-encoded answer read word by word; what cannot be of its type is a ``NodeError``."""

    __slots__ = ("_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what

    def __len__(self) -> int:
        """In whole words."""
        return len(self._data) // WORD

    def uint(self, index: int, bits: int = 256) -> int:
        start = index * WORD
        piece = self._data[start : start + WORD]
        value = int.from_bytes(piece, "big")
        if len(piece) != WORD or value >> bits:
            raise self._nonsense(index)
        return value

    def sint(self, index: int, bits: int) -> int:
        raw = self.uint(index)
        value = raw - (1 << 256) if raw >> 255 else raw
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise self._nonsense(index)
        return value

    def flag(self, index: int) -> bool:
        return bool(self.uint(index, 1))

    def address(self, index: int) -> str:
        """In lower case."""
        return f"0x{self.uint(index, 160):040x}"

    def hash32(self, index: int) -> str:
        return f"0x{self.uint(index):064x}"

    def at(self, index: int, base: int = 0) -> int:
        """The word index that the offset in word ``index`` points to, counted from ``base``."""
        offset = self.uint(index, 64)
        if offset % WORD or base + offset // WORD >= len(self):
            raise self._nonsense(index)
        return base + offset // WORD

    def count(self, index: int, words_each: int) -> int:
        """The length of the array at ``index``; its items must fit in what was answered."""
        length = self.uint(index, 64)
        if (index + 1 + length * words_each) > len(self):
            raise self._nonsense(index)
        return length

    def bytes_at(self, index: int) -> bytes:
        """The ``bytes`` whose length is in word ``index``."""
        length = self.uint(index, 64)
        start = (index + 1) * WORD
        if start + length > len(self._data):
            raise self._nonsense(index)
        return self._data[start : start + length]

    def _nonsense(self, index: int) -> NodeError:
        return NodeError(
            f"the node answered {self._what} with something that cannot be: word {index}",
            word=index,
        )
