"""Candles from any exchange that ccxt knows."""
