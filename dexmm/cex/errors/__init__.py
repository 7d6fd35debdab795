"""What a failed call means: by the exchange's own code before ccxt's class."""
