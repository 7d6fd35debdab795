"""The other world behind the same protocols: a chain, an exchange and other traders in memory."""
