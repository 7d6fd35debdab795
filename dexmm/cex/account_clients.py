"""What the clients of one exchange account, one for each market, know of each other.

The exchange counts what the account sends, and its balances show what all of them have filled. A
client alone would take another's fill for a move that nothing explains, or for a sign that its own
fills are not in the balances yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dexmm.cex.balance_moves import Moves
from dexmm.cex.orders.cancel_ratio import Tally
from dexmm.model.order import OrderIntent
from dexmm.model.venue import Instrument


@dataclass(slots=True)
class AccountClients:
    """Of one account, in one process."""

    tallies: dict[int, Tally] = field(default_factory=dict)  # by the window, in seconds
    _others: list[Moves] = field(default_factory=list)  # one for each client

    def join(self) -> Moves:
        """For a new client: what the fills of all others do to balances from now on."""
        moves = Moves()
        self._others.append(moves)
        return moves

    def tell(
        self, own: Moves, before: OrderIntent, after: OrderIntent, instrument: Instrument
    ) -> None:
        """A fill of the client that has joined as ``own``. Perpetuals are each market's own."""
        if instrument.contract:
            return
        for moves in self._others:
            if moves is not own:
                moves.add(before, after, instrument)
