"""Binance's REST protocol: who asks, what they may, and the answers."""
