"""Histories from outside: candles from exchanges, pool events from nodes."""
