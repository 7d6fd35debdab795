"""The events of a pool, from any Ethereum node, each block covered once."""
