"""What withdraw tries next, as plain data: the ladder out of a position, and the ladder of a sale.

**Out of the pool.** All positions in one transaction. When that cannot be, each on its own, and
each by a ladder that ends at the least that still helps:

    1. whole          decrease, collect both tokens, burn; no worse than the slippage allowed
    2. at any price   the same without minimum amounts: the price moves too fast for them
    3. one token      decrease, collect the token that moves, keep the NFT that is owed the other
    4. no token       decrease alone: nothing more is exposed to the price, all is owed

The largest value comes first. What is too much for one transaction by its estimate is split. What
the ether in the wallet does not pay for is tried without the burn, which leaves an empty NFT and
needs a sixth less gas; then fewer at once, down to one by one; what is left then is named.

A rung that would move nothing is left out, and no rung is tried twice on one position, so that
the ladder ends whatever the chain does.

**Out of the base.** Never further below the fair price than the last rung, whatever it is worth
to be out: what is left then is said, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.holdings import Position
from dexmm.model.market import Market, Token
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Rerange, Swap
from dexmm.strategy.exits import plan_exit, plan_sale
from dexmm.strategy.exposure.fair_price import fair_price, fresh
from dexmm.units import Amount0, Amount1, sum_text, to_decimal
from dexmm.withdraw.report import cannot_move

SMALLEST_SALE = 10  # times strategy.min_position_quote
SALE_BP = (Decimal(30), Decimal(100), Decimal(300))  # below the fair price, beyond the pool's fee


class Rung(NamedTuple):
    """One way out of a position."""

    minimums: bool
    collect0: bool
    collect1: bool
    burn: bool = False

    @property
    def whole(self) -> bool:
        return self.collect0 and self.collect1


WHOLE = Rung(minimums=True, collect0=True, collect1=True, burn=True)
NOTHING = Rung(minimums=False, collect0=False, collect1=False)
RUNGS = (
    WHOLE,
    Rung(minimums=False, collect0=True, collect1=True, burn=True),
    Rung(minimums=False, collect0=False, collect1=True),
    Rung(minimums=False, collect0=True, collect1=False),
    NOTHING,
)


@dataclass(slots=True)
class Ladder:
    """Which rungs have failed, for whom. Kept for one withdraw; the next one starts afresh."""

    together: bool = True
    most: int | None = None  # positions in one transaction; None: as many as there are
    frugal: bool = False  # ether is short: NFTs stay, empty, because a burn costs more
    tried: dict[int, set[Rung]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)  # the first failure's words
    postponed: set[int] = field(default_factory=set)  # may succeed, but not now
    unpaid: dict[int, int] = field(default_factory=dict)  # the gas that there is no ether for

    def next(self, positions: Iterable[Position]) -> tuple[Rung, tuple[Position, ...]] | None:
        """The next thing to try, and on whom, in the order of ``positions``; None when nothing is
        left to try."""
        waiting = tuple(p for p in positions if p.token_id not in self.unpaid)
        whole = self._paid(WHOLE)
        untried = tuple(p for p in waiting if whole not in self.tried.get(p.token_id, ()))
        if self.together and self.most != 1 and len(untried) > 1:
            return whole, untried[: self.most]
        for position in waiting:
            if position.token_id in self.postponed:
                continue
            tried = self.tried.get(position.token_id, set())
            for rung in map(self._paid, _useful(position)):
                if rung not in tried:
                    return rung, (position,)
        return None

    def _paid(self, rung: Rung) -> Rung:
        return rung._replace(burn=False) if self.frugal else rung

    def failed(self, rung: Rung, positions: tuple[Position, ...], why: str) -> None:
        """A batch that fails says nothing about each of its positions."""
        self.together = False
        if len(positions) == 1:
            self.tried.setdefault(positions[0].token_id, set()).add(rung)
            self.refused.setdefault(positions[0].token_id, why)

    def too_much(self, positions: tuple[Position, ...], fits: int) -> None:
        """No transaction may have so much gas; ``fits`` of them may."""
        self.most = max(1, min(fits, len(positions) - 1))

    def too_dear(self, positions: tuple[Position, ...], fits: int, gas: int) -> None:
        """The ether does not pay for it; it may for ``fits`` of them. ``gas`` is what it needs."""
        if not self.frugal:
            self.frugal = True
        elif len(positions) > 1:
            self.most = max(1, min(fits, len(positions) - 1))
        else:
            self.unpaid[positions[0].token_id] = gas

    def postpone(self, positions: tuple[Position, ...]) -> None:
        self.postponed |= {position.token_id for position in positions}

    def passed(self, rung: Rung, positions: tuple[Position, ...]) -> None:
        """It happened. A position that is there all the same must not be tried so for ever."""
        for position in positions:
            self.tried.setdefault(position.token_id, set()).add(rung)


def _useful(position: Position) -> Iterator[Rung]:
    """The rungs that would move something."""
    owed0 = position.amount0 + position.fees0
    owed1 = position.amount1 + position.fees1
    for rung in RUNGS:
        pays = (rung.collect0 and owed0 > 0) or (rung.collect1 and owed1 > 0)
        if position.liquidity > 0 or pays:
            yield rung


def exit_step(
    rung: Rung, positions: tuple[Position, ...], view: ChainView, config: Config
) -> Rerange:
    """Everything that ``rung`` allows out of ``positions``, in one transaction."""
    slippage = config.guards.slippage_bp if rung.minimums else None
    (step,) = plan_exit(replace(view, positions=positions), slippage_bp=slippage)
    assert isinstance(step, Rerange)  # noqa: S101 - the type of whatever takes positions out
    if rung.burn:
        return step
    return replace(
        step,
        removals=tuple(
            replace(removal, burn=False, collect0=rung.collect0, collect1=rung.collect1)
            for removal in step.removals
        ),
    )


@precise
def value_of(view: ChainView, position: Position) -> Decimal:
    """Principal and fees in quote, the base at its fair price."""
    base, quote = view.market.base_quote(
        position.amount0 + position.fees0, position.amount1 + position.fees1
    )
    return base * fair_price(view) + quote


@precise
def gas_value(view: ChainView, gas: int, price: int) -> Decimal:
    """What ``gas`` costs in quote, at ``price`` wei, to the unit."""
    return to_decimal(gas * price, 18) * view.eth_price


def by_value(positions: Iterable[Position], view: ChainView) -> tuple[Position, ...]:
    """The largest value first; of equal ones the older."""
    return tuple(sorted(positions, key=lambda p: (-value_of(view, p), p.token_id)))


def shown_value(view: ChainView, position: Position) -> str:
    return sum_text(value_of(view, position))


def describe_exit(rung: Rung, positions: tuple[Position, ...], market: Market) -> str:
    names = ", ".join(f"#{position.token_id}" for position in positions)
    if rung.whole:
        kept = "" if rung.burn else ", without the burn"
        return f"take out {names}" + ("" if rung.minimums else " at any price") + kept
    tokens = [
        token.symbol
        for token, wanted in ((market.token0, rung.collect0), (market.token1, rung.collect1))
        if wanted
    ]
    return f"take only {tokens[0]} out of {names}" if tokens else f"end the liquidity of {names}"


def sale_step(view: ChainView, amount_in: int, below_bp: Decimal) -> Swap:
    """Sell ``amount_in`` of the base: all of it, ``below_bp`` below fair or better, or nothing."""
    wallet = view.wallet
    if view.market.base_is_token0:
        slice_ = replace(wallet, amount0=Amount0(amount_in))
    else:
        slice_ = replace(wallet, amount1=Amount1(amount_in))
    ((*_, swap),) = plan_sale(replace(view, wallet=slice_), (below_bp,))
    assert isinstance(swap, Swap)  # noqa: S101 - a sale ends with its swap
    return swap


def slices(view: ChainView, amount: int, config: Config) -> Iterator[int]:
    """How much of ``amount`` of the base to sell at once: all, then half, a quarter and so on.

    A size is left when the pool refused it, so that at most two of each smaller one are sold.
    Below `SMALLEST_SALE` smallest positions there is nothing to gain from trying less.
    """
    least = SMALLEST_SALE * config.strategy.min_position_quote / fair_price(view)
    yield amount
    while to_decimal(amount := -(-amount // 2), view.market.base.decimals) >= least:
        yield amount


def base_in_wallet(view: ChainView) -> tuple[Token, int]:
    """The base, and how much of it the wallet holds, in smallest units."""
    base_is_token0 = view.market.base_is_token0
    return view.market.base, view.wallet.amount0 if base_is_token0 else view.wallet.amount1


def why_not_sold(view: ChainView) -> str:
    """Why no sale of the base may begin; empty when it may.

    Without a price that one block cannot move, no floor means anything.
    """
    guards = view.guards0 if view.market.base_is_token0 else view.guards1
    if stopped := cannot_move(guards, view.market.base.symbol, by="wallet"):
        return stopped
    known = view.pool.mean_tick is not None or any(
        reference.price is not None and fresh(reference, view) for reference in view.references
    )
    return "" if known else "no fair price is known: no oracle history and no fresh reference"


def gwei_to_go_beyond(view: ChainView, config: Config) -> int:
    """A gas price cap, whole gwei, under which the next try will not be refused.

    Twice the base fee, so that it may grow for some blocks; and enough above the present cap to
    replace a transaction that waits and offers just that.
    """
    for_base_fee = -(-2 * view.block.base_fee_wei // 10**9) + 1
    for_replacement = int(config.gas.max_exit_gwei * 5 // 4) + 1
    return max(for_base_fee, for_replacement)


def shown(units: int, token: Token) -> str:
    return f"{to_decimal(units, token.decimals).normalize():f} {token.symbol}"
