"""Reads that may fail without harm: balances and allowances, a token's emergency switches, price
feeds. Each question is asked of every token; those that have no such switch answer nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dexmm.chain.rpc.abi import (
    ALLOWANCE,
    BALANCE_OF,
    BASIS_POINTS_RATE,
    DECIMALS,
    DEPRECATED,
    FEE_RATE,
    IS_BLACK_LISTED,
    IS_BLACKLISTED,
    IS_BLOCKED,
    IS_FROZEN,
    LATEST_ROUND_DATA,
    PAUSED,
    WORD,
)
from dexmm.config.schema import MarketSection
from dexmm.errors import NodeError
from dexmm.model.market import Market, Reference, TokenGuards
from dexmm.units import to_decimal

BARRED = (IS_FROZEN, IS_BLACK_LISTED, IS_BLACKLISTED, IS_BLOCKED)  # every name a freeze list has
FEED_WORDS = 5  # roundId, answer, startedAt, updatedAt, answeredInRound
MOST_FEED_DECIMALS = 36


@dataclass(frozen=True, slots=True)
class Probe:
    """One bounded read."""

    target: str
    calldata: bytes


# What a probe answered; None when it failed.
Found = bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFound:
    """A token as the probes found it. ``router_allowance`` is to the swap router."""

    balance: int
    allowance: int
    router_allowance: int
    paused: bool | None
    frozen: tuple[str, ...]
    freeze_known: bool
    transfer_fee: int | None
    deprecated: bool | None

    def guards(self, implementation: str | None) -> TokenGuards:
        return TokenGuards(
            paused=self.paused,
            frozen=self.frozen,
            freeze_known=self.freeze_known,
            transfer_fee=self.transfer_fee,
            deprecated=self.deprecated,
            implementation=implementation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    token0: TokenFound
    token1: TokenFound
    references: tuple[Reference, ...]
    eth_price: Decimal  # quote per ETH


def questions(market: Market, section: MarketSection, wallet: str) -> tuple[Probe, ...]:
    """What is asked, in the order in which ``answers`` reads it."""
    asked = [
        probe
        for token in (market.token0.address, market.token1.address)
        for probe in _token_questions(token, market, wallet)
    ]
    for feed in _feeds(section):
        asked += [Probe(feed, LATEST_ROUND_DATA()), Probe(feed, DECIMALS())]
    return tuple(asked)


def answers(found: Sequence[Found], section: MarketSection, market: Market) -> Probed:
    """The meaning of what the probes of ``questions`` answered.

    Raises ``NodeError`` when a token does not even tell a balance.
    """
    rest = iter(found)
    token0 = _token(rest, market.token0.symbol)
    token1 = _token(rest, market.token1.symbol)
    feeds = {feed: (next(rest), next(rest)) for feed in _feeds(section)}
    references: tuple[Reference, ...] = ()
    if section.reference_feed is not None:
        heartbeat = section.reference_heartbeat_seconds
        references = (_reference("chainlink", *feeds[section.reference_feed], heartbeat),)
    eth_price = section.eth_price
    if section.eth_feed is not None:
        told = _reference("chainlink ETH", *feeds[section.eth_feed], 0)
        eth_price = told.price or eth_price
    return Probed(token0=token0, token1=token1, references=references, eth_price=eth_price)


def _token_questions(token: str, market: Market, wallet: str) -> Iterator[Probe]:
    who = (wallet, market.pool, market.position_manager)
    yield Probe(token, BALANCE_OF(wallet))
    yield Probe(token, ALLOWANCE(wallet, market.position_manager))
    yield Probe(token, ALLOWANCE(wallet, market.swap_router))
    for switch in (PAUSED, FEE_RATE, BASIS_POINTS_RATE, DEPRECATED):
        yield Probe(token, switch())
    for barred in BARRED:
        yield from (Probe(token, barred(each)) for each in who)


def _token(rest: Iterator[Found], symbol: str) -> TokenFound:
    balance, allowance, router_allowance = (_amount(next(rest), symbol) for _ in range(3))
    paused, fee_rate, basis_points, deprecated = (next(rest) for _ in range(4))
    barred = [[_flag(next(rest)) for _ in range(3)] for _ in BARRED]
    names = ("wallet", "pool", "position_manager")
    fee = _number(fee_rate)
    return TokenFound(
        balance=balance,
        allowance=allowance,
        router_allowance=router_allowance,
        paused=_flag(paused),
        frozen=tuple(n for i, n in enumerate(names) if any(each[i] for each in barred)),
        freeze_known=any(flag is not None for each in barred for flag in each),
        transfer_fee=fee if fee is not None else _number(basis_points),
        deprecated=_flag(deprecated),
    )


def _amount(found: Found, symbol: str) -> int:
    value = _number(found)
    if value is None:
        raise NodeError(f"the balance or allowance of {symbol} cannot be read")
    return value


def _number(found: Found) -> int | None:
    return int.from_bytes(found[:WORD], "big") if found is not None and len(found) >= WORD else None


def _flag(found: Found) -> bool | None:
    value = _number(found)
    return bool(value) if value in (0, 1) else None


def _feeds(section: MarketSection) -> tuple[str, ...]:
    feeds = (section.reference_feed, section.eth_feed)
    return tuple(dict.fromkeys(feed for feed in feeds if feed is not None))


def _reference(name: str, round_data: Found, decimals: Found, heartbeat: int) -> Reference:
    """A Chainlink round, or why it is none. Fails closed: nonsense has no price."""
    problem, price, updated_at = "", None, 0
    places = _number(decimals)
    if round_data is None or len(round_data) < FEED_WORDS * WORD:
        problem = "the feed does not answer"
    elif places is None or places > MOST_FEED_DECIMALS:
        problem = "the feed does not tell its decimals"
    else:
        answer = int.from_bytes(round_data[WORD : 2 * WORD], "big", signed=True)
        updated_at = int.from_bytes(round_data[3 * WORD : 4 * WORD], "big")
        if answer <= 0:
            problem = f"the feed answers {answer}, which is no price"
        elif not 0 < updated_at < 1 << 63:
            problem, updated_at = "the feed's round is not complete", 0
        else:
            price = to_decimal(answer, places)
    return Reference(
        name=name,
        price=price,
        updated_at=updated_at,
        heartbeat_seconds=heartbeat,
        problem=problem,
    )
