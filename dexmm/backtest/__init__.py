"""Turns over a world that is not real: backtests, comparisons and the search for settings."""
