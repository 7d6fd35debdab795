"""What became of a withdraw, and what is where: the table that it always ends with."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from dexmm.errors import Transient
from dexmm.model.holdings import Position
from dexmm.model.market import TokenGuards
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Outcome
from dexmm.units import sum_text, to_decimal
from dexmm.withdraw.proof import Proof, position_name

DONE = 0
TRAPPED = 3
TRY_AGAIN = Transient.exit_code

WALLET = "wallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One thing that was tried, and its outcome. ``what`` is one phrase for people."""

    what: str
    outcome: Outcome
    collected_base: Decimal  # to the wallet; in a dry run, as simulated
    collected_quote: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trapped:
    """An amount that cannot move, whoever asks, until its reason goes away."""

    where: str
    token: str  # symbol
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A position that stays in the pool because taking it out is not worth it; asked for, it comes
    out too. Amounts in quote."""

    where: str
    token_id: int
    worth: Decimal
    gas_cost: Decimal  # of taking it out; the least there is where no node was asked
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One line of "what is where"."""

    where: str
    base: Decimal
    quote: Decimal
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """The HALT flag as it was read when everything else was done."""

    reason: str  # empty: it is not set, so that whatever runs may act
    places: tuple[str, ...]  # the files that hold it
    at_its_place: bool  # in the state folder; otherwise that folder took nothing


NOT_HALTED = (
    "HALT IS NOT SET: no place could store it. The next turn of a loop or of cron puts everything "
    "back into the pool. Stop them now, make room for the state folder, then `dexmm halt`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    dry_run: bool
    legs: tuple[Leg, ...]
    trapped: tuple[Trapped, ...]
    withheld: tuple[str, ...]  # asked for, and refused: what is left and why
    unfinished: tuple[str, ...]  # may succeed when it is tried again
    warnings: tuple[str, ...]
    view: ChainView | None  # the last look at the chain; None: it could not be seen at all
    proved: bool  # on `view`: but for `left` no liquidity, nothing owed, nothing still to be mined
    read_back: tuple[str, ...] = ()  # what the sale and the transfers came to
    seen_there: str = ""  # what the last look at the exchange showed
    left: tuple[Left, ...] = ()  # in the pool, not worth their gas
    pool: bool = True  # whether there is one at all
    elsewhere: tuple[Place, ...] = ()  # on the exchange
    flat: bool | None = None  # there: no order, no position, nothing unknown; None: no exchange
    proof: Proof | None = None  # what every node says; None: the chain could not be seen
    halted: Halted = Halted(reason="", places=(), at_its_place=False)

    @property
    def exit_code(self) -> int:
        """5 before 3: what may still come out is worth another try, what is trapped is not."""
        if self.unfinished or self.unhalted:
            return TRY_AGAIN
        return TRAPPED if self.trapped or self.withheld else DONE

    @property
    def unhalted(self) -> bool:
        """Whether whatever runs may put back what this took out."""
        return not self.dry_run and not self.halted.reason

    def last_words(self, config_path: Path) -> str:
        """What is said of HALT after everything else: as it was read, not as it was meant."""
        if self.dry_run:
            return ""
        if self.unhalted:
            return NOT_HALTED
        resume = f"To act again: dexmm resume --config {shlex.quote(str(config_path))}"
        if self.halted.at_its_place:
            return f"HALT stays set. {resume}"
        return (
            f"HALT stays set at {self.halted.places[0]}, because its own folder took nothing; "
            f"every dexmm on this machine with the same state folder heeds it. {resume}"
        )

    def summary(self) -> tuple[str, ...]:
        """The last lines, for people: whether all is out, and if not, what and why."""
        lines = [
            f"TRAPPED in {item.where}: {item.amount.normalize():f} {item.token}, {item.reason}"
            for item in self.trapped
        ]
        lines += [f"left: {line}" for line in self.withheld]
        lines += self._left_lines()
        lines += [f"not finished, run it again: {line}" for line in self.unfinished]
        if self.view is None:
            if self.pool:
                lines.append("the chain could not be seen: nothing is known about the positions")
        elif self.dry_run:
            before = f"; it is set from before: {self.halted.reason}" if self.halted.reason else ""
            lines.append(f"a dry run: nothing was sent, HALT was not set{before}")
        elif self.proved:
            number = self.view.block.number
            but = f", but for {len(self.left)} too small" if self.left else ""
            lines.append(
                f"proved at block {number}: no liquidity, nothing owed, nothing in flight{but}"
            )
        if self.proof is not None:
            lines += self.proof.lines()
        lines += [f"read back: {line}" for line in self.read_back]
        if self.flat:
            lines.append(f"proved on the exchange, read back: {self.seen_there}")
        return tuple(lines)

    def _left_lines(self) -> list[str]:
        if not self.left or self.view is None:
            return []
        symbol = self.view.market.quote.symbol
        return [
            *(
                f"left in the pool: {item.where}, worth {sum_text(item.worth)} {symbol}; taking "
                f"it out costs {sum_text(item.gas_cost)} {symbol} of gas or more: {item.reason}"
                for item in self.left
            ),
            "to take out these too: --all",
        ]

    def places(self) -> tuple[Place, ...]:
        """The wallet, every position that is left, and everything still in flight."""
        if self.view is None:
            return self.elsewhere
        return (
            _wallet(self.view),
            *_positions(self.view, self.trapped, self.left),
            *_in_flight(self.view),
            *self.elsewhere,
        )


def cannot_move(guards: TokenGuards, symbol: str, *, by: str) -> str:
    """Why ``by`` (``"pool"`` or ``"wallet"``) cannot send a token; empty when nothing stops it."""
    if guards.paused:
        return f"{symbol} is paused by its issuer"
    if by in guards.frozen:
        return f"{symbol}'s issuer has frozen the {by}"
    return ""


class Taken(Protocol):
    """What comes out of a position."""

    @property
    def collect0(self) -> bool: ...

    @property
    def collect1(self) -> bool: ...


def trapped_in_position(
    view: ChainView, position: Position, taken: Taken, why: str
) -> tuple[Trapped, ...]:
    """What a position holds beyond what is ``taken`` when everything has been tried, and why.

    The token's own switches explain most; ``why`` is what the chain said, for the rest.
    """
    market = view.market
    return tuple(
        Trapped(
            where=position_name(position.token_id),
            token=token.symbol,
            amount=to_decimal(units, token.decimals),
            reason=cannot_move(guards, token.symbol, by="pool")
            or cannot_move(guards, token.symbol, by="wallet")
            or f"the chain refuses it: {why or 'no reason given'}",
        )
        for token, guards, units, out in (
            (market.token0, view.guards0, position.amount0 + position.fees0, taken.collect0),
            (market.token1, view.guards1, position.amount1 + position.fees1, taken.collect1),
        )
        if units and not out
    )


def unfinished_on(view: ChainView, explained: Collection[str]) -> list[str]:
    """What a last look still shows, and nothing explains: worth another try.

    ``explained`` are names of positions.
    """
    names = [position_name(position.token_id) for position in view.positions]
    return [f"{name} is still in the pool" for name in names if name not in explained] + [
        f"{flight.step} at nonce {flight.nonce} is still not mined: {flight.tx_hash}"
        for flight in view.in_flight
        if not flight.mined
    ]


def trapped_in_wallet(view: ChainView) -> tuple[Trapped, ...]:
    """Tokens that the wallet holds and cannot send."""
    market, wallet = view.market, view.wallet
    found = []
    for token, guards, amount in (
        (market.token0, view.guards0, wallet.amount0),
        (market.token1, view.guards1, wallet.amount1),
    ):
        reason = cannot_move(guards, token.symbol, by="wallet")
        if amount and reason:
            found.append(
                Trapped(
                    where=WALLET,
                    token=token.symbol,
                    amount=to_decimal(amount, token.decimals),
                    reason=reason,
                )
            )
    return tuple(found)


def _wallet(view: ChainView) -> Place:
    base, quote = view.market.base_quote(view.wallet.amount0, view.wallet.amount1)
    eth = to_decimal(view.wallet.eth, 18)
    return Place(where=WALLET, base=base, quote=quote, note=f"{eth:.6f} ETH for gas")


def _positions(
    view: ChainView, trapped: tuple[Trapped, ...], left: tuple[Left, ...]
) -> tuple[Place, ...]:
    small = {item.where: item.reason for item in left}
    places = []
    for position in view.positions:
        where = position_name(position.token_id)
        base, quote = view.market.base_quote(
            position.amount0 + position.fees0, position.amount1 + position.fees1
        )
        reasons = sorted({item.reason for item in trapped if item.where == where})
        note = f"trapped: {'; '.join(reasons)}" if reasons else "still to be taken out"
        note = f"left: {small[where]}" if where in small else note
        places.append(Place(where=where, base=base, quote=quote, note=note))
    return tuple(places)


def _in_flight(view: ChainView) -> tuple[Place, ...]:
    zero = Decimal(0)
    places = [
        Place(
            where=f"in flight at nonce {flight.nonce}",
            base=zero,
            quote=zero,
            note=f"{flight.step}, "
            + ("mined, not deep enough to be final yet" if flight.mined else "not mined yet")
            + (f": {flight.tx_hash}" if flight.tx_hash else ""),
        )
        for flight in view.in_flight
    ]
    return tuple(places)
