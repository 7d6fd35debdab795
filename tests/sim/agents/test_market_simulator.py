"""What happens in a slot fits into a block, whoever wants to trade."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.sim.agents.market_simulator import TRADES_PER_BLOCK, together
from dexmm.sim.agents.noise_flow import NoiseTrade

trades = st.lists(
    st.builds(
        NoiseTrade,
        at=st.just(1.0),
        base=st.integers(1, 10**6).map(lambda n: Decimal(n).scaleb(-4)),
        buys_base=st.booleans(),
    ),
    max_size=300,
)


def volume(of: list[NoiseTrade], buys_base: bool) -> Decimal:
    return sum((t.base for t in of if t.buys_base is buys_base), Decimal(0))


@given(asked=trades)
def test_many_trades_are_sent_as_fewer_with_the_same_volume(asked: list[NoiseTrade]) -> None:
    sent = list(together(asked))
    if len(asked) <= TRADES_PER_BLOCK:
        assert sent == asked
    assert len(sent) <= TRADES_PER_BLOCK
    for side in (True, False):
        assert volume(sent, side) == volume(asked, side)
