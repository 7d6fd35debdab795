"""EIP-1559 transactions: signed from a call, and read back from their own bytes."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.chain.send.calldata import Call
from dexmm.chain.send.fees import Fees
from dexmm.chain.send.keys import Key
from dexmm.model.intent import Attempt, Intent

CANCEL_GAS = 21_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything of a transaction but its price and its signature."""

    chain_id: int
    nonce: int
    gas: int
    call: Call
    cancels: bool = False


def cancellation(intent: Intent) -> Draft:
    """The empty transaction to ourselves that takes an intent's nonce."""
    return Draft(
        chain_id=intent.chain_id,
        nonce=intent.nonce,
        gas=CANCEL_GAS,
        call=Call(to=intent.wallet),
        cancels=True,
    )


def sign(draft: Draft, fees: Fees, key: Key, *, created_at: int, block: int) -> Attempt:
    """A signed attempt; nothing is sent."""
    tx_hash, raw = key.sign(
        {
            "type": 2,
            "chainId": draft.chain_id,
            "nonce": draft.nonce,
            "gas": draft.gas,
            "to": draft.call.to,
            "value": draft.call.value,
            "data": draft.call.data,
            "maxFeePerGas": fees.max_fee_per_gas,
            "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
        }
    )
    return Attempt(
        tx_hash=tx_hash,
        raw_transaction=raw,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        created_at=created_at,
        block=block,
        cancels=draft.cancels,
    )


def draft_of(attempt: Attempt) -> Draft:
    """The draft that ``attempt`` was signed from, out of its own bytes."""
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from eth_utils.address import to_checksum_address
    from hexbytes import HexBytes

    raw = HexBytes(attempt.raw_transaction)
    fields = TypedTransaction.from_bytes(raw).as_dict()
    return Draft(
        chain_id=int(fields["chainId"]),
        nonce=int(fields["nonce"]),
        gas=int(fields["gas"]),
        call=Call(
            to=str(to_checksum_address(bytes(fields["to"]))),
            data=bytes(fields["data"]),
            value=int(fields["value"]),
        ),
        cancels=attempt.cancels,
    )


def highest_fees(attempts: tuple[Attempt, ...]) -> Fees:
    """The most that any of ``attempts`` offers, field by field: what a replacement must beat."""
    return Fees(
        max(a.max_fee_per_gas for a in attempts), max(a.max_priority_fee_per_gas for a in attempts)
    )
