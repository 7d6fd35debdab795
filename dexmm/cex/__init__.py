"""The exchange through ccxt: what it holds and quotes, and orders that happen once.

The layers, lowest first: ``numbers`` and ``errors``; ``lane`` (one ccxt instance, one request at
a time); ``capabilities`` (what an exchange can do) and ``exchange`` (instances from the
configuration); ``markets``, ``books`` and ``accounts`` (ccxt's answers as our nouns); ``fills``
(an order's answer), ``names`` (client order ids) and ``desk`` (finding an order wherever it is);
``tally``, ``moves``, ``clients`` (of one account) and ``orders`` (placing and cancelling);
``reconcile``, ``looks``, ``swap``; ``client``.

Importing ccxt costs a second or two, so it is imported when an exchange is made, not before.
"""
