"""A local mainnet on Anvil, and the people who trade on it."""
