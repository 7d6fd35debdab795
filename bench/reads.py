"""A whole snapshot against ten plain web3.py reads, behind a proxy that delays each request.

The snapshot is exactly one HTTP request with ten positions in the wallet, and takes at most the
round trip and 15 ms. The round trip is that of the smallest request through the same proxy.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._harness import arguments, finish, side_by_side
from bench._node import OWNER, MemoryIntents, Proxy, configuration, local_mainnet
from dexmm.chain.client import connect
from dexmm.chain.rpc.client import Rpc
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.pools import POSITION_MANAGER

POSITIONS = 10
MOST_OVERHEAD_MS = 15
ABI = Path(__file__).resolve().parent.parent / "contracts" / "abi"


def plain_reads(mainnet: Deployment, url: str) -> Callable[[], list[Any]]:
    """What web3.py does by default: one request for each read, and the chain id around it."""
    from web3 import HTTPProvider, Web3

    web3 = Web3(HTTPProvider(url))

    def contract(name: str, address: str) -> Any:
        abi = json.loads((ABI / f"{name}.json").read_text())
        return web3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)

    pool = contract("UniswapV3Pool", mainnet.pool).functions
    tokens = [contract("ERC20", t).functions for t in (mainnet.token0, mainnet.token1)]
    reads = [
        pool.slot0(),
        pool.liquidity(),
        pool.feeGrowthGlobal0X128(),
        pool.feeGrowthGlobal1X128(),
        pool.observe([1800, 0]),
        *(token.balanceOf(OWNER) for token in tokens),
        *(token.allowance(OWNER, POSITION_MANAGER) for token in tokens),
    ]
    return lambda: [*(read.call() for read in reads), web3.eth.get_transaction_count(OWNER)]


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--delay-ms", type=float, default=50, help="of each request (default 50)")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with local_mainnet() as mainnet, Proxy(mainnet.anvil.url) as proxy:
        for i in range(POSITIONS):
            mainnet.mint_position(OWNER, -193_500 - 50 * i, -193_200 + 50 * i, 10**17, 400 * 10**6)
        mainnet.swap(zero_for_one=True, amount_in=10**18)
        client = connect(
            configuration(mainnet, proxy.url), MemoryIntents(), lambda: int(time.time())
        )
        ten = plain_reads(mainnet, proxy.url)
        nothing = Rpc([proxy.url])
        proxy.delay_seconds = options.delay_ms / 1000

        proxy.requests.clear()
        seen = len(client.observe().positions)
        snapshot_requests = len(proxy.requests)
        proxy.requests.clear()
        ten()
        plain_requests = len(proxy.requests)
        sides = {
            "round_trip": lambda: nothing.call("eth_chainId"),
            "snapshot": client.observe,
            "plain": ten,
        }
        seconds = side_by_side(sides, 1, options.rounds)
    overhead_ms = 1000 * (seconds["snapshot"] - seconds["round_trip"])
    failures = []
    if snapshot_requests != 1 or seen != POSITIONS:
        failures.append(f"a snapshot of {seen} positions took {snapshot_requests} requests")
    if overhead_ms > MOST_OVERHEAD_MS:
        failures.append(f"a snapshot took {overhead_ms:.1f} ms above the round trip")
    results = {
        "positions": seen,
        "round trip, ms": 1000 * seconds["round_trip"],
        "snapshot, ms": 1000 * seconds["snapshot"],
        "snapshot above the round trip, ms": overhead_ms,
        "snapshot, requests": snapshot_requests,
        "ten plain web3.py reads, ms": 1000 * seconds["plain"],
        "ten plain web3.py reads, requests": plain_requests,
        "ratio plain / snapshot": seconds["plain"] / seconds["snapshot"],
    }
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
