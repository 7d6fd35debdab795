"""The snapshot lens: a contract that is deployed nowhere, and the words it answers with.

``contracts/lens/SnapshotLens.sol`` is the layout's only description; static structs are runs of
words, so decoding needs no schema at run time and takes a fraction of a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dexmm.chain.observe.raw_snapshot import NftSeen, PoolSeen, Seen
from dexmm.chain.observe.token_probes import Found, Probe
from dexmm.chain.rpc.abi import LENS_SNAPSHOT, WORD, Answer, array, padded, sequence, words
from dexmm.chain.rpc.client import Request
from dexmm.errors import BadInput, NodeError
from dexmm.uniswap.position import PositionInfo
from dexmm.uniswap.tick import TickInfo

# Any address without code will do; this one spells "lens".
LENS_ADDRESS = "0x000000000000000000000000000000006c656e73"
MOST_NFTS = 200  # enumerated in one snapshot: about 60,000 gas each

POOL_ANSWERS = 1
POOL_INITIALISED = 2
MANAGER_ANSWERS = 4

_FLAGS = 0
_BLOCK = 1
_POOL = 8
_ORACLE = 27
_NFTS = 28
_POSITIONS = 31
_PROBES = 32
_NFT_WORDS = 17


def encode_snapshot(
    pool: str,
    position_manager: str,
    wallet: str,
    seconds_agos: Sequence[int],
    known_token_ids: Sequence[int],
    probes: Sequence[Probe],
) -> bytes:
    """Calldata of ``SnapshotLens.snapshot``."""
    dynamic = (
        array(seconds_agos),
        array(known_token_ids),
        sequence([words(p.target, 2 * WORD) + padded(p.calldata) for p in probes]),
    )
    head_words = 7
    offsets = [head_words * WORD]
    for part in dynamic[:-1]:
        offsets.append(offsets[-1] + len(part))
    head = words(pool, position_manager, wallet, offsets[0], offsets[1], MOST_NFTS, offsets[2])
    return LENS_SNAPSHOT.selector + head + b"".join(dynamic)


def by_override(calldata: bytes, block: str = "latest") -> Request:
    """The lens's code put at an address for the length of one call."""
    return "eth_call", [
        {"to": LENS_ADDRESS, "data": "0x" + calldata.hex()},
        block,
        {LENS_ADDRESS: {"code": _code("SnapshotLens", "deployedBytecode")}},
    ]


def deployless(calldata: bytes, block: str = "latest") -> Request:
    """The lens run inside a contract creation that answers instead of deploying.

    For nodes that refuse overrides; the answer is capped at 24,576 bytes.
    """
    lens = bytes.fromhex(_code("SnapshotLens", "bytecode")[2:])
    first, second = padded(lens), padded(calldata)
    arguments = words(2 * WORD, 2 * WORD + len(first)) + first + second
    return "eth_call", [{"data": _code("Deployless", "bytecode") + arguments.hex()}, block]


def decode_snapshot(raw: bytes) -> Seen:
    """The lens's answer. Raises ``NodeError`` for anything that cannot be of its type."""
    answer = Answer(raw, "the snapshot")
    base = answer.at(0)
    flags = answer.uint(base + _FLAGS)
    require_flags(flags)
    at = base + _BLOCK
    nfts = base + _NFTS
    return Seen(
        number=answer.uint(at, 64),
        timestamp=answer.uint(at + 1, 64),
        parent_hash=answer.hash32(at + 2),
        chain_id=answer.uint(at + 3),
        wallet_wei=answer.uint(at + 6),
        pool=_pool(answer, base + _POOL),
        tick_cumulatives=_oracle(answer, answer.at(base + _ORACLE, base)),
        held=answer.uint(nfts),
        scanned=answer.uint(nfts + 1, 64),
        of_other_pools=answer.uint(nfts + 2, 64),
        nfts=_nfts(answer, answer.at(base + _POSITIONS, base)),
        probes=_probes(answer, answer.at(base + _PROBES, base)),
    )


def require_flags(flags: int) -> None:
    """The market was there when the product connected: a node that lost it is behind or lying."""
    if not flags & POOL_INITIALISED:
        raise NodeError("the node no longer knows the pool: it may be behind or on another chain")
    if not flags & MANAGER_ANSWERS:
        raise NodeError("the node no longer knows the position manager: it may be behind")


def _pool(answer: Answer, at: int) -> PoolSeen:
    return PoolSeen(
        token0=answer.address(at),
        token1=answer.address(at + 1),
        fee_pips=answer.uint(at + 2, 24),
        tick_spacing=answer.sint(at + 3, 24),
        sqrt_price_x96=answer.uint(at + 5, 160),
        tick=answer.sint(at + 6, 24),
        observation_index=answer.uint(at + 7, 16),
        observation_cardinality=answer.uint(at + 8, 16),
        observation_cardinality_next=answer.uint(at + 9, 16),
        fee_protocol=answer.uint(at + 10, 8),
        liquidity=answer.uint(at + 12, 128),
        fee_growth_global0_x128=answer.uint(at + 13),
        fee_growth_global1_x128=answer.uint(at + 14),
        oldest_observation=answer.uint(at + 17, 32),
    )


def _oracle(answer: Answer, at: int) -> tuple[int, ...]:
    if not answer.flag(at):
        return ()
    ticks = answer.at(at + 1, at)
    return tuple(answer.sint(ticks + 1 + i, 56) for i in range(answer.count(ticks, 1)))


def _nfts(answer: Answer, at: int) -> tuple[NftSeen, ...]:
    count = answer.count(at, _NFT_WORDS)
    return tuple(_nft(answer, at + 1 + i * _NFT_WORDS) for i in range(count))


def _nft(answer: Answer, at: int) -> NftSeen:
    return NftSeen(
        token_id=answer.uint(at),
        tick_lower=answer.sint(at + 1, 24),
        tick_upper=answer.sint(at + 2, 24),
        nft=_record(answer, at + 3),
        lower=TickInfo(
            fee_growth_outside0_x128=answer.uint(at + 8),
            fee_growth_outside1_x128=answer.uint(at + 9),
        ),
        upper=TickInfo(
            fee_growth_outside0_x128=answer.uint(at + 10),
            fee_growth_outside1_x128=answer.uint(at + 11),
        ),
        manager=_record(answer, at + 12),
    )


def _record(answer: Answer, at: int) -> PositionInfo:
    return PositionInfo(
        answer.uint(at, 128),
        answer.uint(at + 1),
        answer.uint(at + 2),
        answer.uint(at + 3, 128),
        answer.uint(at + 4, 128),
    )


def _probes(answer: Answer, at: int) -> tuple[Found, ...]:
    found: list[Found] = []
    for i in range(answer.count(at, 1)):
        item = answer.at(at + 1 + i, at + 1)
        ok = answer.flag(item)
        found.append(answer.bytes_at(answer.at(item + 1, item)) if ok else None)
    return tuple(found)


@cache
def _code(name: str, kind: str) -> str:
    return str(_artifact(name)[kind])


@cache
def _artifact(name: str) -> dict[str, Any]:
    """From ``contracts/`` of the checkout, or of the installed package."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package.parent / "contracts", package / "contracts"):
        path = folder / "lens" / f"{name}.json"
        if path.is_file():
            loaded: dict[str, Any] = json.loads(path.read_bytes())
            return loaded
    raise BadInput(f"the compiled lens {name} is missing: run scripts/build_contracts")
