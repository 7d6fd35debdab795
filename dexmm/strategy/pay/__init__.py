"""What a pool pays its liquidity, as measured, and how much of it is worth providing."""
