"""Which pools of a token pay their liquidity."""
