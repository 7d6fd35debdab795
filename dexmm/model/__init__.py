"""Frozen nouns: what was seen, what was decided, what was done. Plain data, no behaviour
beyond arithmetic on their own fields."""
