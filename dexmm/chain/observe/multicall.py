"""The snapshot through Multicall3, for nodes that refuse the lens in both its forms.

The ranges of NFTs never change, so they are cached, and the ticks to ask for are known. Every
answer proves the cache by listing the wallet's NFTs again: when the list, or the place of the
oracle's oldest slot, is another, the cache is renewed and the answer thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from dexmm.chain.observe.lens import MANAGER_ANSWERS, POOL_ANSWERS, POOL_INITIALISED, require_flags
from dexmm.chain.observe.raw_snapshot import NftSeen, PoolSeen, Seen
from dexmm.chain.observe.token_probes import Found, Probe
from dexmm.chain.rpc import abi
from dexmm.chain.rpc.abi import WORD, Answer, padded, sequence, words
from dexmm.chain.rpc.client import Request, Rpc
from dexmm.chain.rpc.parsing import data
from dexmm.config.schema import MULTICALL3
from dexmm.errors import NodeError
from dexmm.model.market import Market
from dexmm.uniswap.position import PositionInfo, pack_position_key
from dexmm.uniswap.tick import TickInfo

PAGE = 200  # NFTs asked for in one request
_FIXED = 16  # reads before the NFTs' own
_PER_NFT = 4


@dataclass(slots=True)
class Known:
    """What was true of the wallet's NFTs and of the pool's oracle when last asked."""

    token_ids: tuple[int, ...] = ()  # all that the wallet holds
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)  # of those in this pool
    observation_index: int = 0
    observation_cardinality: int = 1


def aggregate(probes: Sequence[Probe], block: str = "latest") -> Request:
    """Every read in one call; one that fails does not fail the others."""
    calls = [words(p.target, 1, 3 * WORD) + padded(p.calldata) for p in probes]
    calldata = abi.AGGREGATE3.selector + words(WORD) + sequence(calls)
    return "eth_call", [{"to": MULTICALL3, "data": "0x" + calldata.hex()}, block]


def decode_aggregate(raw: bytes, expected: int) -> tuple[Found, ...]:
    answer = Answer(raw, "Multicall3")
    results = answer.at(0)
    if answer.count(results, 1) != expected:
        raise NodeError("Multicall3 answered another number of reads than was asked")
    found: list[Found] = []
    for i in range(expected):
        item = answer.at(results + 1 + i, results + 1)
        body = answer.bytes_at(answer.at(item + 1, item))
        found.append(body if answer.flag(item) and body else None)
    return tuple(found)


def enumerate_nfts(rpc: Rpc, market: Market, wallet: str) -> Known:
    """The wallet's NFTs, page by page, and which of them are in this pool."""
    manager = market.position_manager
    held, slot0 = _ask(
        rpc, [Probe(manager, abi.BALANCE_OF(wallet)), Probe(market.pool, abi.SLOT0())]
    )
    count = held.uint(0, 32)
    by_index = [Probe(manager, abi.TOKEN_OF_OWNER_BY_INDEX(wallet, i)) for i in range(count)]
    token_ids = tuple(answer.uint(0) for answer in _pages(rpc, by_index))
    ranges: dict[int, tuple[int, int]] = {}
    asked = [Probe(manager, abi.NFT_POSITIONS(token_id)) for token_id in token_ids]
    for token_id, answer in zip(token_ids, _pages(rpc, asked), strict=True):
        if _is_here(answer, market):
            ranges[token_id] = (answer.sint(5, 24), answer.sint(6, 24))
    return Known(token_ids, ranges, slot0.uint(2, 16), slot0.uint(3, 16))


class MulticallSource:
    """Asks Multicall3 for what the lens would tell."""

    def __init__(
        self, market: Market, wallet: str, twap_seconds: int, probes: Sequence[Probe]
    ) -> None:
        self._market = market
        self._wallet = wallet
        self._twap_seconds = twap_seconds
        self._probes = tuple(probes)
        self._known: Known | None = None

    def request(self, rpc: Rpc, block: str) -> Request:
        if self._known is None:
            self._known = enumerate_nfts(rpc, self._market, self._wallet)
        return aggregate(self._reads(self._known), block)

    def read(self, raw: bytes) -> Seen | None:
        """None when the cache turned out to be old: ask again."""
        known = self._known
        if known is None:
            return None
        found = decode_aggregate(raw, len(self._reads(known)))
        seen = self._seen(found, known)
        listed = found[_FIXED : _FIXED + len(known.token_ids)]
        ids = tuple(_number(each) for each in listed)
        pool = seen.pool
        if seen.held != len(known.token_ids) or ids != known.token_ids:
            self._known = None
            return None
        place = (pool.observation_index, pool.observation_cardinality)
        if place != (known.observation_index, known.observation_cardinality):
            known.observation_index, known.observation_cardinality = place
            return None
        return seen

    def _reads(self, known: Known) -> list[Probe]:
        pool, manager = self._market.pool, self._market.position_manager
        after = (known.observation_index + 1) % known.observation_cardinality
        observe = abi.OBSERVE.selector + words(WORD) + abi.array((self._twap_seconds, 0))
        fixed = [
            Probe(MULTICALL3, abi.GET_BLOCK_NUMBER()),
            Probe(MULTICALL3, abi.GET_TIMESTAMP()),
            Probe(MULTICALL3, abi.GET_PARENT_HASH()),
            Probe(MULTICALL3, abi.GET_CHAIN_ID()),
            Probe(MULTICALL3, abi.GET_ETH_BALANCE(self._wallet)),
            Probe(pool, abi.SLOT0()),
            Probe(pool, abi.TOKEN0()),
            Probe(pool, abi.TOKEN1()),
            Probe(pool, abi.LIQUIDITY()),
            Probe(pool, abi.FEE_GROWTH_GLOBAL0()),
            Probe(pool, abi.FEE_GROWTH_GLOBAL1()),
            Probe(pool, abi.OBSERVATIONS(after)),
            Probe(pool, abi.OBSERVATIONS(0)),
            Probe(pool, observe),
            Probe(pool, abi.FEE()),
            Probe(manager, abi.BALANCE_OF(self._wallet)),
        ]
        listed = [
            Probe(manager, abi.TOKEN_OF_OWNER_BY_INDEX(self._wallet, i))
            for i in range(len(known.token_ids))
        ]
        own = [
            probe
            for token_id, ticks in known.ranges.items()
            for probe in (
                Probe(manager, abi.NFT_POSITIONS(token_id)),
                *(Probe(pool, abi.POOL_TICKS(tick)) for tick in ticks),
                Probe(pool, abi.POOL_POSITIONS(_position_key(manager, *ticks))),
            )
        ]
        return [*fixed, *listed, *own, *self._probes]

    def _seen(self, found: tuple[Found, ...], known: Known) -> Seen:
        at, pool, held = found[:5], found[5:15], found[15]
        number, timestamp, parent, chain_id, wei = (_answer(each) for each in at)
        flags = POOL_ANSWERS if pool[0] else 0
        flags |= POOL_INITIALISED if _number(pool[0]) else 0
        flags |= MANAGER_ANSWERS if held else 0
        require_flags(flags)
        own = _FIXED + len(known.token_ids)
        rest = own + _PER_NFT * len(known.ranges)
        return Seen(
            number=number.uint(0, 64),
            timestamp=timestamp.uint(0, 64),
            parent_hash=parent.hash32(0),
            chain_id=chain_id.uint(0),
            wallet_wei=wei.uint(0),
            pool=self._pool(pool),
            tick_cumulatives=_cumulatives(pool[8]),
            held=_answer(held).uint(0),
            scanned=len(known.token_ids),
            of_other_pools=len(known.token_ids) - len(known.ranges),
            nfts=tuple(
                _nft(token_id, ticks, found[own + _PER_NFT * i : own + _PER_NFT * (i + 1)])
                for i, (token_id, ticks) in enumerate(known.ranges.items())
            ),
            probes=found[rest:],
        )

    def _pool(self, found: Sequence[Found]) -> PoolSeen:
        slot0, token0, token1, liquidity, growth0, growth1, after, first = map(_answer, found[:8])
        oldest = after if after.flag(3) else first
        return PoolSeen(
            token0=token0.address(0),
            token1=token1.address(0),
            fee_pips=_answer(found[9]).uint(0, 24),
            tick_spacing=self._market.tick_spacing,
            sqrt_price_x96=slot0.uint(0, 160),
            tick=slot0.sint(1, 24),
            observation_index=slot0.uint(2, 16),
            observation_cardinality=slot0.uint(3, 16),
            observation_cardinality_next=slot0.uint(4, 16),
            fee_protocol=slot0.uint(5, 8),
            liquidity=liquidity.uint(0, 128),
            fee_growth_global0_x128=growth0.uint(0),
            fee_growth_global1_x128=growth1.uint(0),
            oldest_observation=oldest.uint(0, 32),
        )


def _position_key(manager: str, tick_lower: int, tick_upper: int) -> int:
    packed = pack_position_key(bytes.fromhex(manager[2:]), tick_lower, tick_upper)
    return int.from_bytes(keccak(packed), "big")


def _nft(token_id: int, ticks: tuple[int, int], found: Sequence[Found]) -> NftSeen:
    nft, lower, upper, manager = map(_answer, found)
    return NftSeen(
        token_id=token_id,
        tick_lower=ticks[0],
        tick_upper=ticks[1],
        nft=PositionInfo(
            nft.uint(7, 128), nft.uint(8), nft.uint(9), nft.uint(10, 128), nft.uint(11, 128)
        ),
        lower=_tick(lower),
        upper=_tick(upper),
        manager=PositionInfo(
            manager.uint(0, 128),
            manager.uint(1),
            manager.uint(2),
            manager.uint(3, 128),
            manager.uint(4, 128),
        ),
    )


def _tick(answer: Answer) -> TickInfo:
    return TickInfo(
        fee_growth_outside0_x128=answer.uint(2), fee_growth_outside1_x128=answer.uint(3)
    )


def _cumulatives(found: Found) -> tuple[int, ...]:
    if found is None:
        return ()
    answer = Answer(found, "the oracle")
    ticks = answer.at(0)
    return tuple(answer.sint(ticks + 1 + i, 56) for i in range(answer.count(ticks, 1)))


def _is_here(answer: Answer, market: Market) -> bool:
    return (
        answer.address(2) == market.token0.address.lower()
        and answer.address(3) == market.token1.address.lower()
        and answer.uint(4, 24) == market.fee_pips
    )


def _pages(rpc: Rpc, probes: Sequence[Probe]) -> list[Answer]:
    pages = [probes[i : i + PAGE] for i in range(0, len(probes), PAGE)]
    return [answer for page in pages for answer in _ask(rpc, page)]


def _ask(rpc: Rpc, probes: Sequence[Probe]) -> list[Answer]:
    method, params = aggregate(probes)
    raw = data(rpc.call(method, params), "Multicall3")
    return [_answer(each) for each in decode_aggregate(raw, len(probes))]


def _answer(found: Found) -> Answer:
    if found is None:
        raise NodeError("a read through Multicall3 failed that cannot fail on a healthy node")
    return Answer(found, "Multicall3")


def _number(found: Found) -> int:
    return int.from_bytes(found[:WORD], "big") if found else 0
