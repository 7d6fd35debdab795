"""The chain, through JSON-RPC: reads, calldata, fees, signatures and the life of a transaction."""
