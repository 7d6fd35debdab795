"""Advice: each rule speaks on its own figures, names them, and is silent otherwise."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tune.tune_scene import config_for, figures_of

from dexmm.backtest.advice import advise
from dexmm.config.schema import Config
from dexmm.performance.refusal_counts import Refused

D = Decimal
WELL = {
    "net": D(40),
    "fees": D(60),
    "gas": D(-15),
    "loss_versus_rebalancing": D(-30),
}


def with_exchange(**quotes: object) -> Config:
    return config_for(exchange={"id": "binance"}, quotes={"enabled": True, **quotes})


def only(sentences: tuple[str, ...]) -> str:
    assert len(sentences) == 1
    assert sentences[0].endswith(".")
    return sentences[0]


def test_edges_that_the_pools_fee_keeps_away_are_told_as_such() -> None:
    """Where nothing else is said, the nearest edge follows the fee."""
    config = config_for(strategy={"edge_sigmas": "0.01"})
    in_one, in_other = (
        only(advise(figures_of(fees=D(6)), config, fee_pips=fee)) for fee in (500, 10_000)
    )
    nearest = [config.strategy.edge_min(fee) for fee in (500, 10_000)]
    assert nearest[0] < nearest[1]
    assert f"go below {nearest[0].normalize():f}" in in_one
    assert f"go below {nearest[1].normalize():f}" in in_other


def test_nothing_is_said_when_all_is_well() -> None:
    assert advise(figures_of(**WELL), config_for()) == ()


def test_few_fills_tighten() -> None:
    said = only(advise(figures_of(fees=D(6)), config_for()))
    assert said == (
        "Few fills: the pool paid 0.040 bp of net worth a day with 30.0 % of it deployed; tighten: "
        "strategy.edge_sigmas below 2."
    )


def test_few_fills_names_the_setting_that_binds() -> None:
    config = config_for(strategy={"edge_min_bp": 900})
    assert "strategy.edge_min_bp is what keeps edges away, so go below 900" in only(
        advise(figures_of(fees=D(6)), config)
    )


def test_no_quote_taken_tighten() -> None:
    said = only(advise(figures_of(**WELL), with_exchange()))
    assert said == (
        "Few fills: nobody took a quote in 30.0 days; tighten: quotes.half_spread below 5."
    )
    assert advise(figures_of(**{**WELL, "quoting": D(3)}), with_exchange()) == ()


def test_out_of_range_is_not_few_fills() -> None:
    said = only(advise(figures_of(fees=D(6), time_in_range=D("0.3")), config_for()))
    assert said.startswith("Out of range: no range surrounded the price for 70.0 % of the time")
    assert "strategy.dwell_seconds below 900" in said


@pytest.mark.parametrize(
    ("config", "remedy"),
    [
        (config_for(), "allow strategy.pool_swap as the last resort"),
        (config_for(strategy={"pool_swap": True}), "or a smaller band"),
        (config_for(strategy={"name": "recentre"}), "take the budget strategy"),
        (with_exchange(size_base="0.2"), "quotes.size_base below 0.2"),
    ],
)
def test_share_swings_shrink(config: Config, remedy: str) -> None:
    run = figures_of(
        **{**WELL, "quoting": D(1)},
        share_low=D("0.05"),
        share_high=D("0.61"),
        time_in_band=D("0.8"),
    )
    said = only(advise(run, config))
    assert said.startswith(
        "The share swings: from 0.050 to 0.610, out of its band of 0.2 to 0.5 for 20.0 % of the "
        "time; shrink: "
    )
    assert remedy in said


def test_a_share_just_outside_its_band_for_a_moment_is_no_swing() -> None:
    run = figures_of(**WELL, share_high=D("0.52"), time_in_band=D("0.99"))
    assert advise(run, config_for()) == ()


@pytest.mark.parametrize(
    ("costs", "remedy"),
    [
        ({"gas": D(-90)}, "gas most of all (90.00); widen (strategy.edge_sigmas above 2)"),
        ({"swap_cost": D(-90)}, "swaps most of all (90.00); let ranges try longer"),
        ({"exchange_fees": D(-90)}, "exchange fees most of all (90.00); act less"),
    ],
)
def test_costs_heavy_widen_or_act_less(costs: dict[str, Decimal], remedy: str) -> None:
    said = only(advise(figures_of(**{**WELL, "gas": D(0), **costs}), config_for()))
    assert said.startswith("Costs are heavy: 90.00 against 60.00 of income, ")
    assert remedy in said


def test_costs_without_any_income_are_heavy() -> None:
    assert "3.00 against 0.00 of income" in only(advise(figures_of(gas=D(-3)), config_for()))


def test_gas_that_is_heavy_for_the_capital_asks_for_more_of_it() -> None:
    """Where a guard held re-ranges back for their gas: the same gas is paid for any amount."""
    run = figures_of(**{**WELL, "gas": D(-90)})
    said = only(advise(run, config_for(), (held("economic_gate", 159),)))
    assert "put in more capital, the same gas is paid for any amount; or widen" in said
    assert "capital" not in only(advise(run, config_for(), (held("calendar", 159),)))


def test_sums_that_differ_are_told_apart() -> None:
    lost = {"fees": D("1.0151"), "loss_versus_rebalancing": D("-1.0189"), "gas": D(0)}
    said = only(advise(figures_of(**{**WELL, **lost, "days": D(3)}), config_for()))
    assert "pays: 1.019 against 1.015 of fees" in said
    tiny = {"fees": D("0.0000512"), "loss_versus_rebalancing": D("-0.0000911"), "gas": D(0)}
    said = advise(figures_of(**{**WELL, **tiny, "start": D("0.5")}), config_for())[-1]
    assert "pays: 0.0000911 against 0.0000512 of fees" in said


def test_a_swap_that_the_price_made_good_is_no_cost() -> None:
    assert advise(figures_of(**WELL, swap_cost=D(100)), config_for()) == ()


def test_arbitrage_beyond_the_fees_widen() -> None:
    said = only(advise(figures_of(**{**WELL, "loss_versus_rebalancing": D(-75)}), config_for()))
    assert said.startswith("Arbitrage takes more than the pool pays: 75.00 against 60.00 of fees")


def test_a_halt_comes_first() -> None:
    said = advise(figures_of(gas=D(-3), halted="drawdown"), config_for())
    assert said[0].startswith("It halted itself (drawdown)")
    assert len(said) == 2


def test_hold_has_no_ranges_to_advise_about() -> None:
    run = figures_of(time_in_range=D(0), deployed=D(0))
    assert advise(run, config_for(strategy={"name": "hold"})) == ()


@pytest.mark.parametrize("given", [{"days": D("0.9")}, {"start": D(0), "end": D(0)}])
def test_too_little_says_nothing(given: dict[str, Decimal]) -> None:
    assert advise(figures_of(gas=D(-99), time_in_range=D(0), **given), config_for()) == ()


def held(rule: str, withheld: int, turns: int = 43_200) -> Refused:
    return Refused(rule=rule, turns=turns, withheld=withheld, explanation="gas would cost 6 USDT")


NEVER = {"time_in_range": D(0), "deployed": D(0), "reranges": 0}


def test_what_the_gas_gate_held_back_is_not_told_to_follow_sooner() -> None:
    refusals = (held("calendar", 0), held("economic_gate", 43_000))
    assert only(advise(figures_of(**NEVER), config_for(), refusals)) == (
        "Held back: no range surrounded the price for 100.0 % of the time, because economic_gate "
        "held back what was wanted in 43000 of 43200 turns (gas would cost 6 USDT); put in more "
        "capital, or wait for cheaper gas: the same gas is paid for any amount."
    )
    other = only(advise(figures_of(**NEVER), config_for(), (held("pool_vs_twap", 43_000),)))
    assert "pool_vs_twap held back" in other
    assert "more capital" not in other


def test_a_guard_that_held_back_little_is_not_why_ranges_were_away() -> None:
    run = figures_of(time_in_range=D("0.3"), reranges=4, deployed=D("0.2"))
    said = only(advise(run, config_for(), (held("economic_gate", 12),)))
    assert said.startswith("Out of range")


def test_a_strategy_that_stood_aside_is_not_told_to_follow_sooner() -> None:
    said = only(advise(figures_of(**NEVER), config_for(), (held("calendar", 0),)))
    assert said.startswith("Stood aside: budget placed no range in 30.0 days and no guard held one")
    assert "follow sooner" not in said
    assert "the same gas is paid for any amount" in said


def test_one_that_provides_only_where_it_pays_is_told_that_it_was_aside() -> None:
    measured = config_for(strategy={"name": "measured"})
    said = only(advise(figures_of(time_in_range=D("0.3"), reranges=4), measured, ()))
    assert said.startswith(
        "Mostly aside: no range surrounded the price for 70.0 % of the time; meas"
    )
    assert "follow sooner" not in said


def test_one_that_placed_nothing_is_explained_only_as_far_as_is_known() -> None:
    said = only(advise(figures_of(**NEVER), config_for()))
    assert said.startswith("Nothing placed: budget placed no range in 30.0 days; `dexmm backtest`")
    few = only(advise(figures_of(**NEVER), config_for(), (held("economic_gate", 3),)))
    assert few.startswith("Held back: ")
