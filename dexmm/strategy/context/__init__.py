"""A snapshot, analysed once for every rule that asks."""
