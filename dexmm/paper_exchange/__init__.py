"""A paper exchange: Binance's REST protocol on loopback, with an honest matching engine.

The layers, lowest first: ``figures`` and ``problems``; ``rules`` (a symbol's filters);
``orders`` and ``book`` (price-time priority); ``accounts`` and ``ledger`` (who has what, to the
last digit); ``tape`` (trades and candles), ``house`` and ``flow`` (everybody else's orders);
``market`` and the two desks that settle, ``spot_desk`` and ``perpetual_desk``; ``state`` (the
file); ``exchange`` (all of it behind one lock); the endpoints; ``server`` and ``paper``.
"""
