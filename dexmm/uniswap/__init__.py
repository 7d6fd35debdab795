"""Uniswap v3's integer mathematics: one file per library of the contracts, and a whole pool.

Every function gives the integer the deployed bytecode gives, or raises the typed error that
stands for its revert. Names are Uniswap's in snake case.
"""
