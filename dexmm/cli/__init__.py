"""Commands: parse, build the world, print. No logic.

Each command lives in its own module, imported only when it is the one that runs; what is heavy
(web3, SQLAlchemy, rich) is imported inside the functions that need it.
"""
