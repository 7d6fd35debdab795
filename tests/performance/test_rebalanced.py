"""The rebalanced inventory: what keeping a target brings against holding, and what skill is."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.performance.attribution import Flow, Mark, Source, attribute
from dexmm.performance.metrics import skill_of
from dexmm.performance.rebalanced import Rebalancing, market_cost, rebalanced_net

D = Decimal
FREE = Rebalancing(target=D("0.5"), cost=D(0), step=D(0))


def marks_at(*prices: str | int, base: str = "10", quote: str = "40000") -> list[Mark]:
    return [
        Mark(at=day * 86_400, fair_price=D(price), base=D(base), quote=D(quote))
        for day, price in enumerate(prices)
    ]


def test_a_market_costs_the_pools_fee_and_half_a_spread() -> None:
    assert market_cost(500) == D("0.0006")
    assert market_cost(10_000) == D("0.0101")


def test_who_keeps_a_half_gains_from_there_and_back_and_loses_in_a_trend() -> None:
    # Half of it each: a doubling sells 5 of 10 at 8000, and the way back buys them for 4000 each.
    assert rebalanced_net(marks_at(4000, 8000, 4000), FREE) == D(10_000)
    assert rebalanced_net(marks_at(4000, 8000), FREE) == 0  # it trades at the last price
    # 7.5 of base are held from 8000 on, so 16000 is worth 2.5 x 8000 less than to a holder.
    assert rebalanced_net(marks_at(4000, 8000, 16_000), FREE) == D(-20_000)


def test_it_waits_for_a_step_and_pays_for_what_it_trades() -> None:
    near = Rebalancing(target=D("0.5"), cost=D("0.001"))
    assert rebalanced_net(marks_at(4000, 4150, 4000), near) == 0  # 50.92 %: within a step
    sold = (10 - D(40_000 + 42_000) / 2 / 4200).quantize(D("1e-8"))  # at 51.22 %
    assert rebalanced_net(marks_at(4000, 4200), near) == -(sold * D("4.2")).quantize(D("1e-6"))


def test_a_deposit_is_its_own_too() -> None:
    first, second = marks_at(4000, 4000)
    flow = Flow(source=Source.CAPITAL, base=D(1), quote=D(4000))
    brought = Mark(at=2, fair_price=D(4000), base=D(11), quote=D(44_000), flows=(flow,))
    later = Mark(at=3, fair_price=D(8000), base=D(11), quote=D(44_000))
    back = Mark(at=4, fair_price=D(4000), base=D(11), quote=D(44_000))
    assert rebalanced_net([first, second, brought, later, back], FREE) == D(11_000)


@given(
    prices=st.lists(st.integers(2000, 8000), min_size=2, max_size=30),
    cost=st.sampled_from(["0", "0.0006", "0.01"]),
)
def test_costs_never_help_and_nothing_moves_without_the_price(prices: list[int], cost: str) -> None:
    paid = Rebalancing(target=D("0.35"), cost=D(cost))
    still = marks_at(*[prices[0]] * len(prices), base="8.75", quote=f"{16.25 * prices[0]}")
    assert rebalanced_net(still, paid) == 0
    # A round trip at one price: what is bought and sold again brings nothing but its cost.
    there = marks_at(prices[0], prices[1], prices[0])
    free = Rebalancing(target=D("0.35"), cost=D(0))
    assert rebalanced_net(there, paid) <= rebalanced_net(there, free) + D("0.00001")


def test_skill_is_every_trade_against_its_own_moment() -> None:
    """Half of the base sold a unit above the market, then the price falls: luck is no skill."""
    first, last = marks_at(4000, 4000), marks_at(3000)[0]
    sold = Mark(
        at=1,
        fair_price=D(4000),
        base=D(5),
        quote=D(40_000) + 5 * D(4001) - 2,
        flows=(
            Flow(source=Source.LIQUIDITY, base=D(-5), quote=5 * D(4001)),
            Flow(source=Source.GAS, quote=D(-2)),
        ),
    )
    found = attribute([first[0], sold, Mark(at=2, fair_price=last.fair_price, base=sold.base,
                                            quote=sold.quote)])  # fmt: skip
    assert skill_of(found) == 3
    assert found.against_holding == 3 + 5000
