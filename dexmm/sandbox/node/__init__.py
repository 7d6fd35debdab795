"""A local mainnet on Anvil: its process, its contracts, its pools and its tokens."""
