"""A pool in which other people pay fees, at a rate that a test sets, for the strategy that asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from strategy.builders import GWEI, World, a_config

from dexmm.config.schema import Config
from dexmm.decimal_context import DAY, YEAR
from dexmm.model.snapshot import ChainView
from dexmm.strategy.pay.measurement import ARBITRAGE_FEE, ARBITRAGE_GAS
from dexmm.strategy.pay.pool_pay import arbitrage_pays_back, lvr_after_arbitrage_fees, lvr_rate

SIGMA = Decimal("0.16")  # a year, as the configuration believes while the price stands still
ETHER = Decimal(4000)  # its price in quote


def measured_config(**strategy: object) -> Config:
    settings = {"sigma_halflife_hours": 100_000_000, **strategy}  # volatility stays what it is
    return a_config(strategy={"name": "measured", **settings})


@dataclass
class PayingWorld(World):
    """``pool_liquidity`` is the others'; ours is added while it is in range."""

    fees_a_day: Decimal = Decimal(0)  # of others, quote, to all liquidity in range
    growth: int = 0  # of the quote, which is token1 here
    base_fee_wei: int = GWEI // 10

    @property
    def s(self) -> Decimal:
        return Decimal(self.sqrt_price_x96) / 2**96

    @property
    def sigma(self) -> Decimal:
        return SIGMA / YEAR.sqrt()

    @property
    def lvr(self) -> Decimal:
        """lambda, smallest units of quote a second: as the configuration believes."""
        return lvr_rate(self.sigma, self.s)

    @property
    def cost(self) -> Decimal:
        """lambda', smallest units of quote a second."""
        back = arbitrage_pays_back(
            Decimal("0.0005"),
            self.sigma,
            Decimal(12),
            own_fee=ARBITRAGE_FEE,
            transaction=ARBITRAGE_GAS * self.base_fee_wei * ETHER.scaleb(6 - 18),
            liquidity=Decimal(self.pool_liquidity),
            sqrt_price=self.s,
        )
        return lvr_after_arbitrage_fees(self.lvr, 1 - back, Decimal("0.75"))

    def fees_of_ratio(self, ratio: str) -> Decimal:
        """A day, in quote, so that the pool pays this ratio."""
        return (Decimal(ratio) * self.cost * self.pool_liquidity * DAY).scaleb(-6)

    def in_range(self) -> int:
        view = super().view()
        ours = sum(int(p.liquidity) for p in view.positions if p.in_range(view.pool.tick))
        return self.pool_liquidity + ours

    def view(self) -> ChainView:
        view = super().view()
        pool = replace(
            view.pool,
            liquidity=self.in_range(),
            fee_growth_global1_x128=self.growth % 2**256,
        )
        return replace(view, pool=pool)

    def pass_time(self, seconds: int) -> None:
        """Others pay, and arbitrage gives back what the price that does not move here would."""
        total = self.in_range()
        given_back = (self.lvr - self.cost) * total * seconds
        paid = self.fees_a_day.scaleb(6) * seconds / DAY + given_back
        self.growth += int(paid * 2**128 / total)
        super().pass_time(seconds)

    def live(self, hours: int, every: int = 1800) -> list[str]:
        """Turn after turn; the triggers of those that acted."""
        acted = []
        for _ in range(hours * 3600 // every):
            decision, steps = self.turn(every)
            if any(step.kind == "rerange" for step in steps):
                acted.append(str(decision.trigger))
        return acted
