from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from strategy.builders import a_config

from dexmm.decimal_context import YEAR
from dexmm.strategy.trading.quote_profitability import in_words, quote_worth

D = Decimal
STILL = D(0)
QUOTES = a_config(quotes={"half_spread": D("0.5")}).quotes


def test_the_default_brings_more_than_the_usual_fees_of_a_round_of_gold() -> None:
    worth = quote_worth(D("0.001"), D(4000), STILL, a_config().quotes)
    assert (worth.brings, worth.pays, worth.loses) == (10, 8, False)


def test_binances_fees_eat_eight_times_what_quotes_near_the_price_bring() -> None:
    worth = quote_worth(D("0.001"), D(4000), STILL, QUOTES)
    assert (worth.brings, worth.pays, worth.break_even) == (1, 8, 4)
    assert worth.loses
    assert in_words(worth, "PAXG", "USDT") == (
        "a half spread of 0.50 USDT brings 1.00 and pays 8.00 USDT of fees (10 bp maker) for each "
        "PAXG that goes round; it breaks even at a half spread of 4.00 USDT"
    )


def test_no_fee_or_a_rebate_never_loses() -> None:
    assert not quote_worth(D(0), D(4000), STILL, QUOTES).loses
    assert not quote_worth(D("-0.0001"), D(4000), STILL, QUOTES).loses


def test_a_wild_price_widens_the_spread_until_it_pays() -> None:
    wild = D(2) / YEAR.sqrt()
    assert quote_worth(D("0.0001"), D(4000), wild, QUOTES).half_spread > D("0.5")
    assert not quote_worth(D("0.0001"), D(4000), wild, QUOTES).loses


def test_avellanedas_spread_counts_where_it_is_quoted() -> None:
    lean = a_config(quotes={"skew": "avellaneda", "gamma": D("0.1"), "kappa": D("0.05")}).quotes
    worth = quote_worth(D("0.001"), D(4000), STILL, lean)
    assert worth.half_spread == 10 * D(3).ln() or abs(worth.half_spread - D("10.986")) < D("0.001")
    assert not worth.loses


@given(
    st.decimals(0, D("0.01"), places=5),
    st.decimals(1, 10_000, places=2),
    st.decimals(D("0.01"), 100, places=2),
)
def test_it_loses_exactly_where_a_round_does(fee: Decimal, price: Decimal, half: Decimal) -> None:
    quotes = a_config(quotes={"half_spread": half}).quotes
    bid, ask = price - half, price + half
    round_trip = (ask - bid) - fee * (ask + bid)
    assert quote_worth(fee, price, STILL, quotes).loses == (round_trip < 0)
