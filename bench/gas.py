"""Gas of a re-range: one transaction, against decrease, collect, burn and mint apart.

Both start from the same state of the local mainnet and do the same; at most 0.65.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import time

from bench._harness import arguments, finish
from bench._node import NEVER, OWNER, MemoryIntents, configuration, local_mainnet
from dexmm.chain.client import ChainClient, connect
from dexmm.chain.send.calldata import rerange_calls
from dexmm.model.decision import Role
from dexmm.model.steps import Mint, Removal, Rerange, Simulation
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.units import Amount0, Amount1, Tick

MOST_RATIO = 0.65


def accept(simulation: Simulation) -> None:
    """Every simulation is fine here."""


def stage(mainnet: Deployment) -> None:
    """A position with fees due in both tokens, and approvals for the next."""
    mainnet.mint_position(OWNER, -193_580, -193_180, 10**18, 4000 * 10**6)
    for _ in range(2):
        mainnet.swap(zero_for_one=True, amount_in=10**18)
        mainnet.swap(zero_for_one=False, amount_in=4 * 10**9)


def moved(client: ChainClient) -> Rerange:
    """Out of the range held, and into one that is shifted by a few spacings."""
    view = client.observe()
    (held,) = view.positions
    removal = Removal(
        token_id=held.token_id,
        liquidity=held.liquidity,
        amount0_min=held.amount0,
        amount1_min=held.amount1,
        burn=True,
    )
    mint = Mint(
        tick_lower=Tick(held.tick_lower + 70),
        tick_upper=Tick(held.tick_upper + 70),
        amount0_desired=held.amount0,
        amount1_desired=Amount1(held.amount1),
        amount0_min=Amount0(0),
        amount1_min=Amount1(0),
        role=Role.BASE,
    )
    return Rerange(removals=(removal,), mints=(mint,), deadline=NEVER)


def main() -> int:
    options = arguments(__doc__).parse_args()
    with local_mainnet() as mainnet:
        stage(mainnet)
        anvil = mainnet.anvil
        config = configuration(mainnet, anvil.url)
        client = connect(config, MemoryIntents(), lambda: int(time.time()))
        step = moved(client)
        start = anvil.snapshot()
        outcome = client.send(step, accept)
        assert outcome.status == "mined", outcome
        anvil.revert(start)
        apart = [
            int(anvil.send_as(OWNER, POSITION_MANAGER, call)["gasUsed"], 16)
            for call in rerange_calls(step, client.market, OWNER)
        ]
    ratio = outcome.gas_used / sum(apart)
    results = {
        "one transaction, gas": outcome.gas_used,
        "decrease, collect, burn, mint apart, gas": sum(apart),
        "ratio one / apart": ratio,
    }
    failures = [f"the ratio is {ratio:.3f}"] if ratio > MOST_RATIO else []
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
