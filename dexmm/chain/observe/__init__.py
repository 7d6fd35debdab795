"""One snapshot of everything at one block."""
