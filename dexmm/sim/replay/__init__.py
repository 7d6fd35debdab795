"""Recorded pools, replayed through the exact pool."""
