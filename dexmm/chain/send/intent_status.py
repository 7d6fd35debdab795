"""What has become of a stored intent, by the receipts of its attempts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dexmm.chain.rpc.receipts import Receipt
from dexmm.model.intent import InFlight, Intent, IntentStatus

Receipts = Mapping[str, Receipt | None]


def hashes(*intents: Intent) -> list[str]:
    """Of every attempt of every intent."""
    return [attempt.tx_hash for intent in intents for attempt in intent.attempts]


def judged(intent: Intent, receipts: Receipts, head: int, confirmations: int) -> Intent:
    """The intent as the chain shows it: mined, final, or open (again, after a reorganisation).

    Final means ``confirmations`` blocks on top of its own.
    """
    for attempt in intent.attempts:
        receipt = receipts.get(attempt.tx_hash)
        if receipt is None:
            continue
        status = IntentStatus.MINED
        if head - receipt.block >= confirmations:
            status = IntentStatus.CONFIRMED if receipt.succeeded else IntentStatus.REVERTED
            status = IntentStatus.CANCELLED if attempt.cancels else status
        return replace(
            intent,
            status=status,
            tx_hash=attempt.tx_hash,
            block=receipt.block,
            gas_used=receipt.gas_used,
            gas_price=receipt.gas_price,
        )
    return replace(intent, status=IntentStatus.OPEN, tx_hash="", block=0, gas_used=0, gas_price=0)


def receipt_of(intent: Intent, receipts: Receipts) -> Receipt | None:
    """Of the attempt that was mined."""
    return next((r for h in hashes(intent) if (r := receipts.get(h)) is not None), None)


def was_cancelled(intent: Intent) -> bool:
    """Its mined attempt is the empty transaction."""
    return any(a.cancels and a.tx_hash == intent.tx_hash for a in intent.attempts)


def in_flight(intent: Intent, head: int, nonce: int) -> InFlight:
    """``mined`` too when the wallet's ``nonce`` has passed it: by our own transaction, whose
    receipt a node can be slow to tell, or by another's. Either way only depth is missing."""
    newest = intent.attempts[-1]
    return InFlight(
        intent_id=intent.id,
        step=intent.step,
        nonce=intent.nonce,
        is_exit=intent.is_exit,
        blocks_waiting=max(0, head - newest.block),
        cancelling=newest.cancels,
        mined=intent.status is IntentStatus.MINED or intent.nonce < nonce,
        tx_hash=intent.tx_hash or newest.tx_hash,
    )
