"""HTTP requests of a turn that acts: a snapshot, two approvals and a first deposit.

At most five besides polling for receipts; web3.py's default path is counted for the same three
transactions, built and sent as its documentation shows.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import json
import time
from pathlib import Path
from typing import Any

from bench._harness import arguments, finish
from bench._node import KEY, NEVER, OWNER, MemoryIntents, Proxy, configuration, local_mainnet
from dexmm.chain.client import ChainClient, connect
from dexmm.model.decision import Role
from dexmm.model.steps import Allowance, Approve, Mint, Rerange, Simulation
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.units import Amount0, Amount1, Tick

MOST = 5
AMOUNT0, AMOUNT1 = 10**18, 4000 * 10**6
ABI = Path(__file__).resolve().parent.parent / "contracts" / "abi"


def accept(simulation: Simulation) -> None:
    """Every simulation is fine here."""


def act(client: ChainClient) -> None:
    """What a turn does with an empty wallet: look, approve, mint."""
    view = client.observe()
    market = view.market
    needed = ((market.token0, AMOUNT0), (market.token1, AMOUNT1))
    allowances = tuple(
        Allowance(token=t.address, spender=market.position_manager, amount=n, current=0)
        for t, n in needed
    )
    grid = view.pool.tick // market.tick_spacing
    mint = Mint(
        tick_lower=Tick((grid - 20) * market.tick_spacing),
        tick_upper=Tick((grid + 20) * market.tick_spacing),
        amount0_desired=Amount0(AMOUNT0),
        amount1_desired=Amount1(AMOUNT1),
        amount0_min=Amount0(0),
        amount1_min=Amount1(0),
        role=Role.BASE,
    )
    for step in (
        Approve(allowances=allowances),
        Rerange(removals=(), mints=(mint,), deadline=NEVER),
    ):
        outcome = client.send(step, accept)
        assert outcome.status == "mined", outcome


def act_plainly(mainnet: Deployment, url: str) -> None:
    """The same three transactions through web3.py's default path."""
    from web3 import HTTPProvider, Web3

    web3 = Web3(HTTPProvider(url))
    account = web3.eth.account.from_key(KEY)

    def contract(name: str, address: str) -> Any:
        abi = json.loads((ABI / f"{name}.json").read_text())
        return web3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)

    def send(function: Any) -> None:
        nonce = web3.eth.get_transaction_count(OWNER)
        built = function.build_transaction({"from": OWNER, "nonce": nonce})
        signed = account.sign_transaction(built)
        web3.eth.wait_for_transaction_receipt(
            web3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.05
        )

    pool = contract("UniswapV3Pool", mainnet.pool)
    tick = pool.functions.slot0().call()[1] // 10 * 10
    for token, amount in ((mainnet.token0, AMOUNT0), (mainnet.token1, AMOUNT1)):
        send(contract("ERC20", token).functions.approve(POSITION_MANAGER, amount))
    parameters = (
        mainnet.token0, mainnet.token1, 500, tick - 200, tick + 200,
        AMOUNT0, AMOUNT1, 0, 0, OWNER, NEVER,
    )  # fmt: skip
    manager = contract("NonfungiblePositionManager", POSITION_MANAGER)
    send(manager.functions.mint(parameters))


def polls(requests: list[list[str]]) -> int:
    """Those that only ask for receipts, with the newest block and the nonce beside them."""
    beside = {"eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_getTransactionCount"}
    return sum("eth_getTransactionReceipt" in r and set(r) <= beside for r in requests)


def main() -> int:
    options = arguments(__doc__).parse_args()
    with local_mainnet() as mainnet, Proxy(mainnet.anvil.url) as proxy:
        start = mainnet.anvil.snapshot()
        client = connect(
            configuration(mainnet, proxy.url), MemoryIntents(), lambda: int(time.time())
        )
        proxy.requests.clear()
        act(client)
        ours = list(proxy.requests)
        mainnet.anvil.revert(start)
        proxy.requests.clear()
        act_plainly(mainnet, proxy.url)
        plain = list(proxy.requests)
    requests = len(ours) - polls(ours)
    plainly = len(plain) - polls(plain)
    results = {
        "requests of an acting turn": requests,
        "and polls for receipts": polls(ours),
        "web3.py, requests for the same": plainly,
        "web3.py, requests a transaction": plainly / 3,
        "ratio web3.py / turn": plainly / requests,
    }
    failures = [f"{requests} requests, more than {MOST}"] if requests > MOST else []
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
