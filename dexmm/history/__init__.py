"""Histories in files and in memory: candles, and what happened in a pool."""
