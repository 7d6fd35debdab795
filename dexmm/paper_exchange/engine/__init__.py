"""Markets, books, orders and accounts of the paper exchange, and their time."""
