"""Ways of making a market side by side."""
