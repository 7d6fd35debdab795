"""A chain in memory: one wallet in one market over the exact pool."""
