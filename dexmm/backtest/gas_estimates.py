"""What gas the product's steps take in a world that does not meter it: the live estimates."""

from __future__ import annotations

from dexmm.model.steps import Approve, ChainStep, RaiseCardinality, Rerange, Swap
from dexmm.strategy.rebalance.gas_economics import (
    GAS_APPROVAL,
    GAS_BASE,
    GAS_BURN,
    GAS_DECREASE,
    GAS_INCREASE,
    GAS_MINT,
    GAS_ORACLE_SLOT,
    GAS_SWAP,
)

GAS_TRANSFER = 65_000


def gas_of(step: ChainStep) -> int:
    """As the economic gate reckons it (``strategy/rebalance/gas_economics.py``)."""
    match step:
        case Rerange():
            less = sum(GAS_BURN if r.burn else GAS_DECREASE for r in step.removals)
            more = sum(GAS_MINT if m.token_id is None else GAS_INCREASE for m in step.mints)
            return GAS_BASE + less + more
        case Swap():
            return GAS_SWAP
        case Approve():
            return GAS_APPROVAL * len(step.allowances)
        case RaiseCardinality():
            return GAS_ORACLE_SLOT * step.observation_cardinality_next
        case _:
            return GAS_TRANSFER
