"""The exchange beside the pool in a backtest: its account, its time, and the quotes between turns.

A part of the capital is there, and a part of that is margin, as in the sandbox. The exchange goes
through a candle before the pool does; with quotes it stops on the way as often as they are
refreshed, and the same ``Quoting`` as in the live loop looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from dexmm.cex.amend_table import amend_of
from dexmm.config.schema import Config, Exchange
from dexmm.engine.quote_refresher import Quoting
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent
from dexmm.performance.attribution import Flow, Source
from dexmm.protocols import Journal
from dexmm.sim.agents.price_process import Candle
from dexmm.sim.candle_world import CandleWorld
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.sim.exchange.exchange import PriceAt, SimExchange, VenueOpening, VenueSymbols

PART = Decimal("0.2")  # of the capital, on the exchange
MARGIN_PART = Decimal("0.1")  # of the capital, in the derivatives account
MOST_STEPS = 60  # looks at the quotes in the time of one candle
COIN_UNIT = Decimal("0.00000001")


def with_exchange(config: Config, market: Market) -> Config:
    """A configuration that names no exchange, with the documented one."""
    if config.exchange is not None:
        return config
    pair = f"{market.base.symbol}/{market.quote.symbol}"
    exchange = Exchange(
        symbol=pair, perpetual_id="binanceusdm", perpetual_symbol=f"{pair}:{market.quote.symbol}"
    )
    return config.model_copy(update={"exchange": exchange})


def parts(config: Config) -> tuple[Decimal, Decimal]:
    """Of the capital: on the exchange's spot account, and in its derivatives account."""
    if config.exchange is None:
        return Decimal(0), Decimal(0)
    return PART, MARGIN_PART if config.exchange.perpetual_symbol else Decimal(0)


class Desk:
    """``config.exchange`` is set. ``cex`` is what turns are given.

    ``start`` is base and quote in all places, where that is not the capital at the target share.
    """

    def __init__(
        self,
        costs: VenueCosts,
        capital: Decimal,
        config: Config,
        world: CandleWorld,
        journal: Journal,
        start: tuple[Decimal, Decimal] | None = None,
    ) -> None:
        exchange = config.exchange
        assert exchange is not None  # noqa: S101 - whoever opens a desk has one
        self._world, self._config = world, config
        self._now = world.chain.timestamp
        share, price = config.strategy.target, world.fair_price
        part, margin = parts(config)
        market = world.chain.market
        coins = {
            market.base.symbol: capital * part * share / price,
            market.quote.symbol: capital * part * (1 - share),
        }
        if start is not None:
            coins = {
                market.base.symbol: start[0] * part,
                market.quote.symbol: start[1] * part,
            }
        self.cex = SimExchange(
            costs,
            VenueSymbols(
                exchange=exchange.id,
                spot=exchange.symbol,
                perpetual=exchange.perpetual_symbol,
                triangle=exchange.triangle,
                amends=amend_of(exchange.id, contract=False) is not None,
            ),
            VenueOpening(
                coins={coin: _whole(amount) for coin, amount in coins.items()},
                margin=_whole(capital * margin),
            ),
            lambda: self._now,
            cancel_window_seconds=exchange.cancel_window_seconds,
            market=config.market.name,
        )
        self.cex.pass_price(world.chain.timestamp * 1000, price)
        self.quoting = (
            Quoting(world.chain, self.cex, journal, config, lambda: self._now)
            if config.quotes.enabled
            else None
        )

    def advance(self) -> bool:
        """The exchange and then the world, to the time of the next turn; False at the end."""
        candles = self._world.upcoming()
        if not candles:
            return False
        interval = self._world.street.interval_seconds
        for candle, following in zip(candles, (*candles[1:], None), strict=True):
            self._pass(candle, interval, following)
        return self._world.advance()

    def turned(self) -> None:
        """A turn has been taken: quotes may follow it."""
        if self.quoting is not None:
            self.quoting.turned(self._world.chain)

    def flows(self) -> tuple[Flow, ...]:
        """What has changed on the exchange since the last call."""
        return tuple(
            Flow(source=Source(flow.kind), base=flow.base, quote=flow.quote)
            for flow in self.cex.take_flows()
        )

    @property
    def orders(self) -> tuple[OrderIntent, ...]:
        return tuple(self.cex.orders)

    def _pass(self, candle: Candle, interval: int, following: Candle | None) -> None:
        if self.quoting is None:
            self.cex.pass_candle(candle, interval, following)
            self._now = candle.at + interval
            return
        steps = min(max(interval // max(self._config.quotes.refresh_seconds, 1), 1), MOST_STEPS)
        prices = self._world.street.prices(candle)
        way = [_on_the_way(candle, interval, prices, step, steps) for step in range(1, steps + 1)]
        for here, coming in zip(way, (*way[1:], None), strict=True):
            self._now = here.at_ms // 1000
            self.cex.pass_price(here.at_ms, here.fair, coming)
            if coming is not None:
                self.quoting.refresh(lambda: "", 0)


def _on_the_way(
    candle: Candle, interval: int, prices: Sequence[Decimal], step: int, steps: int
) -> PriceAt:
    """The price after ``step`` of ``steps``: that which the pool's arbitrage sees then."""
    slot = -(-step * len(prices) // steps)  # the slot that has begun ends there
    return PriceAt(
        at_ms=candle.at * 1000 + interval * 1000 * step // steps,
        fair=prices[slot - 1].quantize(COIN_UNIT),
    )


def _whole(amount: Decimal) -> Decimal:
    return amount.quantize(COIN_UNIT, ROUND_DOWN)
