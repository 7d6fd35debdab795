"""JSON-RPC: nodes, their limits and refusals, and strict parsing of their answers."""
