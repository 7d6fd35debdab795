from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.builders import START, World, a_config, a_market

from dexmm.model.market import Reference
from dexmm.strategy.exposure.fair_price import fair_price
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import PRICE


def feed(price: str | None, age: int = 0) -> Reference:
    return Reference(
        name="feed",
        price=None if price is None else Decimal(price),
        updated_at=START - age,
        heartbeat_seconds=86_400,
    )


def a_world(**changes: object) -> World:
    return World(a_config(), **changes)  # type: ignore[arg-type]


def test_the_average_is_believed_before_the_price_of_this_moment() -> None:
    pushed = a_world(price=Decimal(4400), mean_price=Decimal(4000))
    assert float(fair_price(pushed.view())) == pytest.approx(4000, rel=1e-4)


def test_with_a_reference_it_is_the_median_of_three() -> None:
    world = a_world(price=Decimal(4400), mean_price=Decimal(4000), references=(feed("4010"),))
    assert fair_price(world.view()) == 4010
    low = a_world(price=Decimal(3000), mean_price=Decimal(4000), references=(feed("3500"),))
    assert fair_price(low.view()) == 3500


def test_a_stale_or_silent_reference_says_nothing() -> None:
    for silent in (feed("5000", age=86_401), feed(None)):
        world = a_world(references=(silent,))
        assert float(fair_price(world.view())) == pytest.approx(4000, rel=1e-4)
    assert fair_price(a_world(oracle=False, references=(feed("5000", age=86_400),)).view()) == 5000


def test_without_any_source_it_is_the_pools_own() -> None:
    world = a_world(oracle=False)
    assert fair_price(world.view()) == world.market.price(world.sqrt_price_x96)


@pytest.mark.parametrize("base_is_token0", [True, False])
def test_a_mean_tick_is_taken_in_its_middle(base_is_token0: bool) -> None:
    world = a_world(market=a_market(base_is_token0=base_is_token0))
    assert float(fair_price(world.view())) == pytest.approx(4000, rel=0.00005)


def test_everything_owned_or_owed_is_exposure() -> None:
    world = a_world(base=Decimal(1), quote=Decimal(1000))
    world.ranges[5] = (-193_680, -193_080, 10**16)
    world.fees[5] = (2 * 10**17, 50 * 10**6)
    found = inventory(world.view(), Decimal(4000))
    position = world.positions()[0]
    assert found.base_total == Decimal("1.2") + Decimal(position.amount0).scaleb(-18)
    assert found.quote_total == 1050 + Decimal(position.amount1).scaleb(-6)
    assert found.nav == found.base_total * 4000 + found.quote_total
    assert found.fees == Decimal("0.2") * 4000 + 50
    assert found.share == PRICE.divide(found.base_total * 4000, found.nav)


def test_an_empty_wallet_has_no_share() -> None:
    empty = a_world(base=Decimal(0), quote=Decimal(0))
    assert inventory(empty.view(), Decimal(4000)).share == 0


def test_the_price_of_valuation_does_not_depend_on_the_callers_context() -> None:
    from decimal import localcontext

    view = replace(a_world().view())
    with localcontext() as context:
        context.prec = 3
        assert fair_price(view) == fair_price(a_world().view())
