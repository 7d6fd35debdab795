from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.decimal_context import YEAR
from dexmm.strategy.pay.pool_pay import (
    INFINITE,
    arbitrage_keeps,
    arbitrage_pays_back,
    best_liquidity,
    break_even_liquidity,
    earned_rate,
    growth_between,
    lvr_after_arbitrage_fees,
    lvr_rate,
    net_rate,
    others_fee_rate,
    pay_ratio,
    pool_pay,
    worth_of_best,
)
from dexmm.units import PRICE

BLOCK = Decimal(12)
FIVE_BP = Decimal("0.0005")
RATES = st.decimals(min_value="1e-9", max_value="1e6", allow_nan=False, places=9)
LIQUIDITIES = st.decimals(min_value="1e-3", max_value="1e15", allow_nan=False, places=3)
SHARES = st.decimals(min_value=0, max_value=1, allow_nan=False, places=6)
FEES = st.sampled_from([Decimal(f) / 1_000_000 for f in (100, 500, 3000, 10_000)])
SIGMAS = st.decimals(min_value="1e-6", max_value="1e-2", allow_nan=False, places=6)


def per_root_second(annual: str) -> Decimal:
    return Decimal(annual) / YEAR.sqrt()


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(12, "0.15"), (60, "0.28"), (300, "0.47"), (900, "0.60"), (3600, "0.75"), (14400, "0.86")],
)
def test_what_arbitrage_keeps_is_the_papers(seconds: int, kept: str) -> None:
    found = arbitrage_keeps(FIVE_BP, per_root_second("0.20"), Decimal(seconds))
    assert round(found, 2) == Decimal(kept)


def test_a_quarter_to_the_protocol_leaves_arbitrage_costing_over_a_third_of_lvr() -> None:
    keeps = arbitrage_keeps(FIVE_BP, per_root_second("0.20"), BLOCK)
    assert round(lvr_after_arbitrage_fees(Decimal(1), keeps, Decimal("0.75")), 2) == Decimal("0.36")


def test_nothing_is_kept_of_a_still_price_and_all_of_it_without_a_fee() -> None:
    assert arbitrage_keeps(FIVE_BP, Decimal(0), BLOCK) == 0
    assert arbitrage_keeps(Decimal(0), per_root_second("0.20"), BLOCK) == 1


def test_lvr_of_a_year_at_a_known_volatility() -> None:
    """sigma^2 / 8 of the value of a full range: at L sqrt(P) = 1 a full range is worth 2."""
    assert round(lvr_rate(per_root_second("0.20"), Decimal(1)) * YEAR / 2, 9) == Decimal("0.005")


def test_growth_is_counted_across_the_counters_end() -> None:
    assert growth_between(2**256 - 3, 4) == 7
    assert growth_between(10, 10) == 0


def test_what_is_earned_values_the_base_at_the_price() -> None:
    base, quote = 3 * 2**128, 5 * 2**128
    assert earned_rate(base, quote, Decimal(4000), 10) == Decimal("1200.5")


@given(SIGMAS, SIGMAS, FEES)
def test_more_volatility_keeps_more(one: Decimal, other: Decimal, fee: Decimal) -> None:
    low, high = sorted((one, other))
    assert arbitrage_keeps(fee, low, BLOCK) <= arbitrage_keeps(fee, high, BLOCK)


@given(SIGMAS, FEES)
def test_without_costs_of_its_own_arbitrage_pays_back_what_it_does_not_keep(
    sigma: Decimal, fee: Decimal
) -> None:
    back = arbitrage_pays_back(fee, sigma, BLOCK)
    assert abs(back + arbitrage_keeps(fee, sigma, BLOCK) - 1) <= Decimal("1e-45")


@given(SIGMAS, FEES, RATES, RATES, st.decimals(1, 1e9, places=3))
def test_the_more_a_transaction_costs_the_later_arbitrage_comes_and_the_less_it_pays_back(
    sigma: Decimal, fee: Decimal, one: Decimal, other: Decimal, liquidity: Decimal
) -> None:
    low, high = (
        arbitrage_pays_back(fee, sigma, BLOCK, transaction=cost, liquidity=liquidity)
        for cost in sorted((one, other))
    )
    assert 0 <= high <= low <= 1


def test_in_a_pool_as_thin_as_paxg_usdt_half_of_the_loss_comes_back() -> None:
    """5 bp, 17 % a year, a million of L sqrt(P), 0.1125 a transaction: late by 6.7 bp."""
    back = arbitrage_pays_back(
        FIVE_BP,
        per_root_second("0.17"),
        BLOCK,
        own_fee=Decimal("0.0001"),
        transaction=Decimal("0.1125"),
        liquidity=Decimal(23_590),
        sqrt_price=Decimal(43),
    )
    assert round(back, 2) == Decimal("0.51")


@given(RATES, SHARES, SHARES)
def test_arbitrage_costs_no_more_than_lvr_and_no_less_than_it_keeps(
    lvr: Decimal, keeps: Decimal, fee_kept: Decimal
) -> None:
    after = lvr_after_arbitrage_fees(lvr, keeps, fee_kept)
    assert lvr * keeps <= after <= lvr


@given(RATES, LIQUIDITIES, RATES, st.decimals(min_value="0.01", max_value=10, places=3))
def test_no_other_liquidity_nets_more_than_the_best(
    fees: Decimal, others: Decimal, loss: Decimal, factor: Decimal
) -> None:
    best = best_liquidity(fees, others, loss)
    worth = worth_of_best(fees, others, loss)
    slack = (worth + fees + loss * others) * Decimal("1e-30")
    assert abs(net_rate(fees, others, loss, best) - worth) <= slack
    with localcontext(PRICE):
        for other in (best * factor, best + others * factor):
            assert net_rate(fees, others, loss, other) <= worth + slack


@given(RATES, LIQUIDITIES, RATES)
def test_it_pays_exactly_where_the_ratio_is_above_one(
    fees: Decimal, others: Decimal, loss: Decimal
) -> None:
    with localcontext() as context:
        context.prec = 80  # so that the quotient here is no less exact than the product there
        ratio_above = fees > loss * others
    paid = best_liquidity(fees, others, loss)
    assert (paid > 0) == ratio_above
    assert (worth_of_best(fees, others, loss) > 0) == ratio_above
    assert (break_even_liquidity(fees, others, loss) > 0) == ratio_above


@given(RATES, LIQUIDITIES, RATES)
def test_past_the_break_even_ours_loses(fees: Decimal, others: Decimal, loss: Decimal) -> None:
    end = break_even_liquidity(fees, others, loss)
    if not end:
        return
    slack = (fees + loss * (others + end)) * Decimal("1e-30")
    assert abs(net_rate(fees, others, loss, end)) <= slack
    assert net_rate(fees, others, loss, end + others) < 0
    assert best_liquidity(fees, others, loss) <= end + others * Decimal("1e-30")


@given(RATES, RATES, LIQUIDITIES, RATES)
def test_more_flow_never_asks_for_less_and_more_loss_never_for_more(
    one: Decimal, other: Decimal, others: Decimal, loss: Decimal
) -> None:
    low, high = sorted((one, other))
    assert best_liquidity(low, others, loss) <= best_liquidity(high, others, loss)
    assert best_liquidity(loss, others, high) <= best_liquidity(loss, others, low)


@settings(max_examples=50)
@given(RATES, SIGMAS, FEES, SHARES)
def test_arbitrage_alone_pays_nobody(
    root: Decimal, sigma: Decimal, fee: Decimal, fee_kept: Decimal
) -> None:
    """Where only arbitrage trades, g is what it gives back, and nothing is left of others."""
    lvr = lvr_rate(sigma, root)
    keeps = arbitrage_keeps(fee, sigma, BLOCK)
    with localcontext(PRICE):
        given_back = lvr - lvr_after_arbitrage_fees(lvr, keeps, fee_kept)
    found = pool_pay(
        earned=given_back,
        sigma=sigma,
        sqrt_price=root,
        fee=fee,
        fee_kept=fee_kept,
        block_seconds=BLOCK,
    )
    assert abs(found.others) <= lvr * Decimal("1e-45")  # the last of 50 digits
    assert found.ratio <= Decimal("1e-40")


def test_the_ratio_of_a_pool_whose_others_pay_one_and_a_half_times_the_loss() -> None:
    lvr, after = Decimal(10), Decimal("3.6")
    earned = (lvr - after) + Decimal("1.5") * after
    others = others_fee_rate(earned, lvr, after)
    assert pay_ratio(others, after) == Decimal("1.5")
    assert pay_ratio(Decimal(-1), after) == 0


def test_the_best_answer_in_round_numbers() -> None:
    """Others pay 4 a second on 100 of liquidity and arbitrage costs 0.01: as much again is best."""
    fees, others, loss = Decimal(4), Decimal(100), Decimal("0.01")
    assert best_liquidity(fees, others, loss) == 100
    assert worth_of_best(fees, others, loss) == 1
    assert break_even_liquidity(fees, others, loss) == 300
    assert net_rate(fees, others, loss, Decimal(100)) == 1


def test_a_price_that_never_moves_has_no_best_but_a_worth() -> None:
    assert best_liquidity(Decimal(2), Decimal(5), Decimal(0)) == INFINITE
    assert worth_of_best(Decimal(2), Decimal(5), Decimal(0)) == pytest.approx(Decimal(2))
    assert pay_ratio(Decimal(2), Decimal(0)) == INFINITE


def test_an_empty_pool_asks_for_nothing_however_it_paid() -> None:
    assert best_liquidity(Decimal(2), Decimal(0), Decimal(1)) == 0
    assert best_liquidity(Decimal(-2), Decimal(10), Decimal(1)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: lvr_rate(Decimal(-1), Decimal(1)),
        lambda: arbitrage_keeps(Decimal(1), Decimal(1), BLOCK),
        lambda: best_liquidity(Decimal(1), Decimal(-1), Decimal(1)),
        lambda: lvr_after_arbitrage_fees(Decimal(1), Decimal("1.1"), Decimal(1)),
        lambda: earned_rate(1, 1, Decimal(1), 0),
        lambda: lvr_rate(Decimal("NaN"), Decimal(1)),
    ],
)
def test_what_no_market_has_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        wrong()  # type: ignore[operator]


def test_the_callers_context_changes_nothing() -> None:
    exact = best_liquidity(Decimal(7), Decimal(3), Decimal("0.3"))
    with localcontext() as context:
        context.prec = 4
        assert best_liquidity(Decimal(7), Decimal(3), Decimal("0.3")) == exact
