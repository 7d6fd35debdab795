"""Pools whose tokens are known without asking a node: those of gold on mainnet.

What a node says of a pool is never replaced by this; it is for what can be said before there is
one. Addresses follow from Uniswap's factory, the tokens and the fee.
"""

from __future__ import annotations

from dexmm.config.schema import Config
from dexmm.model.market import Market, Token

MAINNET = 1
PAXG = Token(address="0x45804880De22913dAFE09f4980848ECE6EcbAf78", symbol="PAXG", decimals=18)
XAUT = Token(address="0x68749665FF8D2d112Fa859AA293F07A622782F38", symbol="XAUt", decimals=6)
USDT = Token(address="0xdAC17F958D2ee523a2206206994597C13D831ec7", symbol="USDT", decimals=6)
USDC = Token(address="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", symbol="USDC", decimals=6)
SPACINGS = {100: 1, 500: 10, 3000: 60, 10_000: 200}  # by fee
POOLS = {  # token0, token1 and fee
    "0x2BeDb3F68D12E4B2Ee72f3DE7227e51246353fcB": (PAXG, USDT, 100),
    "0x7Cb85f75e61226060453a997a7733F76707Df337": (PAXG, USDT, 500),
    "0x123712f44B4fD26B36B8D4C81e2ed01Ae6e9607A": (PAXG, USDT, 3000),
    "0x91A76255ddEEe3F03267C9Cbe5A28311A6ABB58d": (PAXG, USDT, 10_000),
    "0x319eD32c8c385662E9769BF6385629AFd220B7d4": (PAXG, USDC, 100),
    "0x5aE13BAAEF0620FdaE1D355495Dc51a17adb4082": (PAXG, USDC, 500),
    "0xB431c70f800100D87554ac1142c4A94C5Fe4C0C4": (PAXG, USDC, 3000),
    "0x1D61fB4c87361F27bD3BE39A06d1A19f0c5d696B": (PAXG, USDC, 10_000),
    "0x6546055f46e866a4B9a4A13e81273e3152BAE5dA": (XAUT, USDT, 500),
}


def known_market(config: Config) -> Market | None:
    """The configured market; None where only a node can tell what its pool trades."""
    section = config.market
    found = POOLS.get(section.pool or "")
    if found is None or config.network.chain_id != MAINNET:
        return None
    token0, token1, fee_pips = found
    if section.base not in (token0.address, token1.address):
        return None
    return Market(
        chain_id=MAINNET,
        pool=section.pool,
        position_manager=section.position_manager,
        swap_router=section.swap_router,
        token0=token0,
        token1=token1,
        base_is_token0=section.base == token0.address,
        fee_pips=fee_pips,
        tick_spacing=SPACINGS[fee_pips],
    )
