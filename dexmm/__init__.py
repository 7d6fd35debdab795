"""dexmm: an inventory-aware market maker for Uniswap v3 pools that can always get out."""

__version__ = "0.1.0"
