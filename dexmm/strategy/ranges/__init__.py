"""Price grid, held ranges and the edges of new ones."""
