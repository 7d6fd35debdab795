"""What became of a step, in the words of the journal. Pure."""

from __future__ import annotations

from typing import Literal

from dexmm.chain.send.calldata import OneCall
from dexmm.chain.send.intent_status import receipt_of, was_cancelled
from dexmm.chain.send.simulation_result import Result, happened
from dexmm.chain.send.tx_manager import Landing
from dexmm.model.decision import Refusal
from dexmm.model.intent import Intent, IntentStatus
from dexmm.model.market import Market
from dexmm.model.steps import Approve, Outcome, Settle

AnyStep = OneCall | Approve | Settle
Status = Literal["mined", "reverted", "refused", "failed", "pending", "cancelled", "skipped"]


def refused(step: AnyStep, refusal: Refusal) -> Outcome:
    return Outcome(step=step.kind, status="refused", detail=refusal.detail, refusal=refusal)


def failed(step: AnyStep, detail: str) -> Outcome:
    return Outcome(step=step.kind, status="failed", detail=detail)


def landed(step: AnyStep, landing: Landing, market: Market, wallet: str) -> Outcome:
    """The outcome of all of a step's transactions together; their gas is summed."""
    status, detail = _status(landing)
    done = [intent for intent in landing.intents if intent.tx_hash]
    gas_used = sum(intent.gas_used for intent in done)
    cost = sum(intent.gas_used * intent.gas_price for intent in done)
    result = _result(done, landing, market, wallet)
    return Outcome(
        step=step.kind,
        status=status,
        detail=detail,
        tx_hash=done[-1].tx_hash if done else landing.intents[-1].attempts[-1].tx_hash,
        block=max((intent.block for intent in done), default=0),
        gas_used=gas_used,
        gas_price=-(-cost // gas_used) if gas_used else 0,
        collected0=result.collected0,
        collected1=result.collected1,
        minted=result.minted,
    )


def _status(landing: Landing) -> tuple[Status, str]:
    for intent in landing.intents:
        if intent.status is IntentStatus.SUPERSEDED:
            return "failed", f"another transaction took nonce {intent.nonce}"
    if landing.open:
        return "pending", landing.ended
    if any(was_cancelled(intent) for intent in landing.intents):
        return "cancelled", "it waited too long, and an empty transaction took its nonce"
    receipts = [receipt_of(intent, landing.receipts) for intent in landing.intents]
    if any(receipt is not None and not receipt.succeeded for receipt in receipts):
        return "reverted", "it was mined and reverted: only its gas was spent"
    return "mined", ""


def _result(done: list[Intent], landing: Landing, market: Market, wallet: str) -> Result:
    receipts = [receipt_of(intent, landing.receipts) for intent in done]
    logs = [log for receipt in receipts if receipt is not None for log in receipt.logs]
    return happened(logs, market, wallet)
