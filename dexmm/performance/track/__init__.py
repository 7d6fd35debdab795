"""A run as plain data: made from the journal, or by a backtest."""
