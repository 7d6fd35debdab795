"""Puts a world together from a configuration: chain, exchange, journal, lock and flag."""
