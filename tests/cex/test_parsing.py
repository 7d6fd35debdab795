"""Numerals that compare, and steps out of how an exchange rounds."""

from __future__ import annotations

from decimal import Decimal

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.cex.ccxt_session import Lane, Pause
from dexmm.cex.dry_orders import _market
from dexmm.cex.instruments import Markets
from dexmm.cex.parsing import Numeral, ones_like, step_of_rounding

D = Decimal
PAXG = "PAXG/USDT"
decimals = st.decimals(D("-1e12"), D("1e12"), allow_nan=False, places=8)


@given(decimals, decimals)
def test_numerals_compare_as_numbers(one: Decimal, other: Decimal) -> None:
    left, right = Numeral(one), Numeral(other)
    assert (left < right) is (one < other)
    assert (left <= right) is (one <= other)
    assert (left > int(other)) is (one > int(other))
    assert (left >= int(other)) is (one >= int(other))
    assert left == str(one)


def test_a_numeral_is_compared_with_numbers_alone() -> None:
    assert Numeral("10") > 9
    with pytest.raises(TypeError):
        _ = Numeral("1") < None


@pytest.mark.parametrize(
    ("rounded", "step"), [("1111.1", "0.1"), ("11111", "1"), ("111110", "10"), ("0.0011", "0.0001")]
)
def test_the_step_of_a_rounding(rounded: str, step: str) -> None:
    assert step_of_rounding(rounded) == D(step)


@pytest.mark.parametrize(
    ("price", "step"),
    [
        ("4321.98", "0.1"),
        ("43219.8", "1"),
        ("432198", "10"),
        ("43.2198", "0.001"),
        ("0.0432198", "0.000001"),
        ("9999", "1"),  # the next tick is 10000, of which 0.1 is no step
        ("10001", "1"),
    ],
)
def test_five_significant_digits(price: str, step: str) -> None:
    """Bitfinex counts five in a price, and eight digits after the point in an amount."""
    bitfinex = ccxt.bitfinex()
    market = _market(bitfinex, PAXG, contract=False)
    market["precision"] = {"price": 5, "amount": 8}
    market["maker"] = market["taker"] = "0.001"
    market["limits"]["amount"]["min"], market["limits"]["cost"]["min"] = "0.0001", "1"
    bitfinex.set_markets([market], {})
    bitfinex.load_markets = lambda *_: bitfinex.markets
    bitfinex.has["fetchTradingFee"] = False
    asked: list[str] = []
    bitfinex.fetch_ticker = lambda symbol: asked.append(symbol) or {"last": price}
    markets = Markets(Lane(bitfinex, Pause()), (), lambda: 0)
    found = markets.instrument(PAXG)
    assert (found.price_step, found.amount_step) == (D(step), D("0.00000001"))
    markets.instrument(PAXG)
    assert asked == [PAXG]
    on_step = bitfinex.price_to_precision(PAXG, str(D(price).quantize(found.price_step)))
    assert D(on_step) == D(price).quantize(found.price_step)


@given(st.decimals(D("1e-8"), D("1e8"), allow_nan=False, places=8).filter(bool))
def test_ones_are_at_least_as_large(value: Decimal) -> None:
    ones = D(ones_like(value))
    assert set(ones_like(value)) <= set("01.")
    assert ones.adjusted() in (value.adjusted(), value.adjusted() + 1)
