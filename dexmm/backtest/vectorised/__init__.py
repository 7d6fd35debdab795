"""Baselines over a whole history at once, in floats."""
