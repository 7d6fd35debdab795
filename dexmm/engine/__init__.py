"""One turn, turns on a schedule, and quotes between them."""
