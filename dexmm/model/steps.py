"""The difference between what is held and what is wanted, as things the chain can do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from dexmm.model.decision import Refusal, Role
from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.venue import Side
from dexmm.units import Amount0, Amount1, Liquidity, Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Set an allowance to exactly ``amount``; the chain goes through zero where a token asks."""

    token: str
    spender: str
    amount: int
    current: int  # the allowance it replaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Every allowance the next step needs, broadcast together at consecutive nonces."""

    allowances: tuple[Allowance, ...]
    kind: Literal["approve"] = "approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Take ``liquidity`` out of an NFT, collect everything it is owed, and burn it if ``burn``.

    A token that cannot move (paused, frozen) must not trap the other one: with ``collect0`` or
    ``collect1`` false that token is asked for with a maximum of 0, and what is owed in it stays
    with the NFT. With both false nothing is collected.
    """

    token_id: int
    liquidity: Liquidity
    amount0_min: Amount0
    amount1_min: Amount1
    burn: bool
    collect0: bool = True
    collect1: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """Put up to these amounts into a range: a new NFT, or ``token_id`` when it has that range."""

    tick_lower: Tick
    tick_upper: Tick
    amount0_desired: Amount0
    amount1_desired: Amount1
    amount0_min: Amount0
    amount1_min: Amount1
    role: Role
    token_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerange:
    """All removals, then all mints, in one transaction: one multicall on the position manager.

    A first deposit has no removals; a full exit has no mints.
    """

    removals: tuple[Removal, ...]
    mints: tuple[Mint, ...]
    deadline: int  # timestamp, seconds
    kind: Literal["rerange"] = "rerange"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """``exactInputSingle`` in the market's own pool, out to the wallet."""

    zero_for_one: bool
    amount_in: int
    amount_out_minimum: int
    sqrt_price_limit_x96: int
    deadline: int
    kind: Literal["swap"] = "swap"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseCardinality:
    """Pay for more oracle slots, so that the TWAP window is covered."""

    observation_cardinality_next: int
    kind: Literal["raise_cardinality"] = "raise_cardinality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Send a token (or ether, when ``token`` is None) to the configured safe address."""

    token: str | None
    to: str
    amount: int
    kind: Literal["transfer"] = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Deal with one of our own transactions that is still open."""

    intent_id: str
    action: Literal["wait", "replace", "cancel"]
    kind: Literal["settle"] = "settle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """An order on the exchange; ``price`` is its limit, amounts are in base, on its steps."""

    symbol: str
    side: Side
    order: OrderKind
    purpose: Purpose
    amount: Decimal
    price: Decimal
    reduce_only: bool = False
    kind: Literal["place_order"] = "place_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Take one of our orders out of the book; a fill that came first is counted."""

    symbol: str
    client_id: str
    kind: Literal["cancel_order"] = "cancel_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendOrder:
    """Change the price of one of our resting orders in place, where the exchange amends orders.

    It keeps its ids, its amount and what it has filled. It is no cancel.
    """

    symbol: str
    client_id: str
    price: Decimal
    kind: Literal["amend_order"] = "amend_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll:
    """Take every order of ours out of every book of this market."""

    kind: Literal["cancel_all"] = "cancel_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLeverage:
    symbol: str
    leverage: Decimal
    kind: Literal["set_leverage"] = "set_leverage"


ChainStep = Approve | Rerange | Swap | RaiseCardinality | Transfer | Settle
CexStep = PlaceOrder | CancelOrder | AmendOrder | CancelAll | SetLeverage
Step = ChainStep | CexStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """One mint as the chain answered it, simulated or real."""

    token_id: int
    tick_lower: Tick
    tick_upper: Tick
    liquidity: Liquidity
    amount0: Amount0
    amount1: Amount1


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What ``eth_call`` of the exact calldata at the pending block answered."""

    step: Step
    collected0: int = 0  # to the wallet, principal and fees (or swap proceeds)
    collected1: int = 0
    minted: tuple[Minted, ...] = ()
    gas: int = 0  # estimated
    max_fee_per_gas: int = 0  # what the transaction would offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one step."""

    step: str  # its kind
    status: Literal[
        "mined", "reverted", "refused", "failed", "pending", "cancelled", "skipped", "done"
    ]
    detail: str = ""
    refusal: Refusal | None = None  # with status "refused"
    tx_hash: str = ""
    block: int = 0
    gas_used: int = 0
    gas_price: int = 0
    collected0: int = 0
    collected1: int = 0
    minted: tuple[Minted, ...] = ()
    order: OrderIntent | None = None  # of an exchange step, as it then stood
