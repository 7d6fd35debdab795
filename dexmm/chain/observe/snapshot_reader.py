"""A snapshot in one HTTP request: header, lens, nonces, implementation slots and receipts in one
JSON-RPC batch, between two looks at the newest block that must agree.

A node that takes no batch so large is asked for the newest block first, and for everything of that
block by its number then: several machines may stand behind one address, and one that does not
have the block refuses. The two looks at the newest block must agree there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from eth_utils.address import to_checksum_address

from dexmm.chain.observe.chain_view import Header, Look
from dexmm.chain.observe.lens import by_override, decode_snapshot, deployless, encode_snapshot
from dexmm.chain.observe.multicall import MulticallSource, enumerate_nfts
from dexmm.chain.observe.raw_snapshot import Seen
from dexmm.chain.observe.token_probes import questions
from dexmm.chain.rpc.client import Request, Rpc, RpcError, expect
from dexmm.chain.rpc.parsing import data, hash32, mapping, quantity, word
from dexmm.chain.rpc.receipts import Receipt, parse_receipt, receipt_request
from dexmm.chain.rpc.refusals import About
from dexmm.config.schema import Config
from dexmm.errors import NodeError, Transient
from dexmm.model.market import Market

# Where proxies keep the address behind them: EIP-1967, and what PAXG's and USDC's use.
EIP1967_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ZEPPELIN_SLOT = "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3"
LOOKS = 6  # at a chain that moves on, or with a cache that proves old
LATEST_BLOCK: Request = ("eth_getBlockByNumber", ["latest", False])


class Source(Protocol):
    """A way to run all reads of one block in one ``eth_call``."""

    def request(self, rpc: Rpc, block: str) -> Request: ...

    def read(self, raw: bytes) -> Seen | None: ...


class LensSource:
    """The lens, in one of its two forms. Knows NFTs by id only when there are too many to list."""

    def __init__(self, market: Market, wallet: str, config: Config, *, with_override: bool) -> None:
        self._market = market
        self._wallet = wallet
        self._twap_seconds = config.guards.twap_seconds
        self._probes = questions(market, config.market, wallet)
        self._wrap = by_override if with_override else deployless
        self._too_many = 0  # how many NFTs there were when they were last listed; 0: not listed
        self._here: frozenset[int] = frozenset()  # those of them in our pool
        self._listed = True
        self._request = self._build(())

    def request(self, rpc: Rpc, block: str) -> Request:
        if not self._listed:
            known = enumerate_nfts(rpc, self._market, self._wallet)
            self._too_many, self._listed = len(known.token_ids), True
            self._here = frozenset(known.ranges)
            self._request = self._build(tuple(known.ranges))
        method, (call, _, *override) = self._request
        return method, [call, block, *override]

    def read(self, raw: bytes) -> Seen | None:
        """None when the wallet holds more NFTs than the lens lists and these were not known.

        A re-range burns one and mints another: their number stays, so those known must be there.
        """
        seen = decode_snapshot(raw)
        same = seen.held == self._too_many and self._here <= {nft.token_id for nft in seen.nfts}
        if seen.scanned >= seen.held or same:
            return seen
        self._listed = False
        return None

    def _build(self, known_token_ids: Sequence[int]) -> Request:
        return self._wrap(
            encode_snapshot(
                self._market.pool,
                self._market.position_manager,
                self._wallet,
                (self._twap_seconds, 0),
                known_token_ids,
                self._probes,
            )
        )


class SnapshotReader:
    """Reads whole snapshots of one wallet in one market."""

    def __init__(self, rpc: Rpc, config: Config, market: Market, wallet: str) -> None:
        self._rpc = rpc
        self._market = market
        self._wallet = wallet
        probes = questions(market, config.market, wallet)
        # Best first; a form that the node refuses is not asked again.
        self._sources: tuple[Source, ...] = (
            LensSource(market, wallet, config, with_override=True),
            LensSource(market, wallet, config, with_override=False),
            MulticallSource(market, wallet, config.guards.twap_seconds, probes),
        )
        self._chosen = 0

    def look(self, tx_hashes: Sequence[str]) -> tuple[Look, dict[str, Receipt | None]]:
        """One block, whole, with the receipts of ``tx_hashes``.

        Raises ``Transient`` when the chain kept moving while it was read, ``NodeError`` when the
        node failed or contradicted itself.
        """
        for _ in range(LOOKS):
            answers = self._answers(tx_hashes)
            seen = self._seen(answers[1])
            if seen is None:
                continue
            first, last = parse_header(answers[0]), parse_header(answers[-1])
            if first == last and _same_block(first, seen):
                return self._look(first, seen, answers), self._receipts(answers, tx_hashes)
        raise Transient("the chain moved on each time it was read: try again")

    def _answers(self, tx_hashes: Sequence[str]) -> list[Any]:
        requests = self._requests(tx_hashes, "latest")
        if self._rpc.whole(len(requests)):
            return self._rpc.batch(requests)
        newest = self._rpc.batch([LATEST_BLOCK])
        pinned = self._requests(tx_hashes, hex(parse_header(newest[0]).number))
        return newest + self._rpc.batch(pinned[1:])

    def _requests(self, tx_hashes: Sequence[str], block: str) -> list[Request]:
        return [
            LATEST_BLOCK,
            self._sources[self._chosen].request(self._rpc, block),
            ("eth_getTransactionCount", [self._wallet, block]),
            ("eth_getTransactionCount", [self._wallet, "pending"]),
            *(
                ("eth_getStorageAt", [token.address, slot, block])
                for token in (self._market.token0, self._market.token1)
                for slot in (ZEPPELIN_SLOT, EIP1967_SLOT)
            ),
            *(receipt_request(tx_hash) for tx_hash in tx_hashes),
            LATEST_BLOCK,
        ]

    def _seen(self, answer: Any) -> Seen | None:
        """None when another look is needed: the form was refused, or a cache was old."""
        if isinstance(answer, RpcError) and answer.about in (About.BUSY, About.BEHIND):
            raise answer  # no form of the question would be answered now
        raw = b"" if isinstance(answer, RpcError) else data(answer, "the snapshot")
        if raw:
            return self._sources[self._chosen].read(raw)
        self._chosen = (self._chosen + 1) % len(self._sources)
        if self._chosen == 0:
            expect(answer)
            raise NodeError(f"{self._rpc.name} runs neither the lens nor Multicall3")
        return None

    def _look(self, header: Header, seen: Seen, answers: Sequence[Any]) -> Look:
        slots = [word(expect(each), "a proxy's slot") for each in answers[4:8]]
        return Look(
            header=header,
            seen=seen,
            nonce=quantity(expect(answers[2]), "the nonce"),
            pending_nonce=quantity(expect(answers[3]), "the pending nonce"),
            implementation0=_implementation(slots[0] or slots[1]),
            implementation1=_implementation(slots[2] or slots[3]),
        )

    def _receipts(
        self, answers: Sequence[Any], tx_hashes: Sequence[str]
    ) -> dict[str, Receipt | None]:
        found = answers[8 : 8 + len(tx_hashes)]
        return {
            tx_hash: parse_receipt(answer, tx_hash)
            for tx_hash, answer in zip(tx_hashes, found, strict=True)
        }


def parse_header(answer: Any) -> Header:
    """The newest block. Raises ``NodeError`` for one without a base fee: not EIP-1559."""
    fields = mapping(expect(answer), "the newest block")
    return Header(
        number=quantity(fields.get("number"), "a block's number"),
        timestamp=quantity(fields.get("timestamp"), "a block's time"),
        base_fee_wei=quantity(fields.get("baseFeePerGas"), "a block's base fee"),
        hash=hash32(fields.get("hash"), "a block's hash"),
        parent_hash=hash32(fields.get("parentHash"), "a block's parent"),
    )


def _same_block(header: Header, seen: Seen) -> bool:
    return header.number == seen.number and header.parent_hash == seen.parent_hash


def _implementation(slot: int) -> str | None:
    return str(to_checksum_address(f"0x{slot:040x}")) if 0 < slot < 1 << 160 else None
