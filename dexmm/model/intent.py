"""A transaction we mean to make happen exactly once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class IntentStatus(StrEnum):
    OPEN = "open"  # stored, perhaps broadcast; nobody knows yet
    MINED = "mined"  # in a block, not yet deep enough to be final
    CONFIRMED = "confirmed"
    REVERTED = "reverted"  # mined and failed, deep enough to be final
    CANCELLED = "cancelled"  # our own empty transaction took its nonce
    SUPERSEDED = "superseded"  # some other transaction took its nonce

    @property
    def final(self) -> bool:
        return self not in {IntentStatus.OPEN, IntentStatus.MINED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One signed transaction of an intent; a replacement is a further attempt at the same nonce."""

    tx_hash: str
    raw_transaction: str  # 0x-hex, kept so that a restart can broadcast the very same bytes
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    created_at: int  # timestamp, seconds
    block: int  # chain height when it was signed
    cancels: bool = False  # an empty transaction to ourselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Stored before anything is broadcast. ``step`` is the step's kind, for people."""

    id: str
    wallet: str
    chain_id: int
    nonce: int
    step: str
    is_exit: bool
    created_at: int
    attempts: tuple[Attempt, ...]
    status: IntentStatus = IntentStatus.OPEN
    tx_hash: str = ""  # of the attempt that was mined
    block: int = 0
    gas_used: int = 0
    gas_price: int = 0  # effective, wei

    def with_attempt(self, attempt: Attempt) -> Intent:
        return replace(self, attempts=(*self.attempts, attempt))


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """What ``plan`` needs to know of an open intent."""

    intent_id: str
    step: str
    nonce: int
    is_exit: bool
    blocks_waiting: int  # since its newest attempt was signed
    cancelling: bool  # its newest attempt is the empty transaction
    mined: bool  # in a block already, waiting for depth
    tx_hash: str = ""  # of its newest attempt, or of the one that was mined


class IntentLog(Protocol):
    """Where intents live. ``store`` implements it on a database; a lost one must not stop exits."""

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        """Those whose status is not final, oldest nonce first."""

    def save(self, intent: Intent) -> None:
        """Insert or replace by id, durably: on return it survives a power cut."""
