"""Tracks as one self-contained page, as tables, charts and JSON."""
