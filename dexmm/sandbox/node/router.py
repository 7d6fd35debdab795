"""What Uniswap's router is sent for a trader's swap."""

from __future__ import annotations

from dexmm.model.market import Market
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sim.agents.traders import PoolSwap

NEVER = 2**64 - 1  # a deadline that no chain reaches
_EXACT_INPUT_SINGLE = (
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
)


def swap_calldata(market: Market, swap: PoolSwap, recipient: str) -> bytes:
    """What the router is sent; the proceeds go to ``recipient``."""
    token_in, token_out = market.token0.address, market.token1.address
    if not swap.zero_for_one:
        token_in, token_out = token_out, token_in
    parameters = (
        token_in, token_out, market.fee_pips, recipient, NEVER,
        swap.amount_in, 0, swap.sqrt_price_limit_x96,
    )  # fmt: skip
    return encode_call(_EXACT_INPUT_SINGLE, parameters)
