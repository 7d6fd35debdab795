"""What is traded and quoted on the exchange."""
