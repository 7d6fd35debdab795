"""What may be searched: exact values, and one clear sentence for every space that is wrong."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tune.tune_scene import config_for, figures_of, space_for

from dexmm.errors import BadInput
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.tune.default_space import DEFAULT, default_text
from dexmm.tune.objectives import (
    METRICS,
    SCORES,
    Constraint,
    Objective,
    measure,
    together,
)
from dexmm.tune.search_space import Parameter, configured, refused, setting
from dexmm.tune.space_file import default_space, parse_space, read_space

D = Decimal
CONFIG = config_for()


def mistake(text: str) -> str:
    with pytest.raises(BadInput) as error:
        parse_space(text, CONFIG, "space.toml")
    assert "\n" not in error.value.message
    assert error.value.message.startswith("space.toml")
    return error.value.message


def one(entry: str, name: str = "strategy.edge_sigmas") -> str:
    return f'[space]\n"{name}" = {entry}\n'


def parameter(entry: str, name: str = "strategy.edge_sigmas") -> Parameter:
    return parse_space(one(entry, name), CONFIG, "space.toml").parameters[0]


def test_a_range_is_exact_steps_with_both_ends() -> None:
    found = parameter('{ low = "1", high = "2", step = "0.25" }')
    assert found.values == (1, D("1.25"), D("1.5"), D("1.75"), 2)
    assert found.ordered
    assert [type(value) for value in found.values] == [int, Decimal, Decimal, Decimal, int]


def test_numbers_of_toml_are_as_exact_as_text() -> None:
    assert parameter("{ low = 0.1, high = 0.3, step = 0.1 }").values == (
        D("0.1"),
        D("0.2"),
        D("0.3"),
    )


def test_a_logarithmic_range_counts_from_its_low() -> None:
    found = parameter("{ low = 300, high = 900, step = 300, log = true }", "strategy.dwell_seconds")
    assert (found.values, found.log_from) == ((300, 600, 900), 1)


@pytest.mark.parametrize(
    ("name", "entry", "ordered"),
    [
        ("strategy.dwell_seconds", "{ choices = [0, 900, 3600] }", True),
        ("strategy.dwell_seconds", "[900, 0, 3600]", False),
        ("strategy.name", '["budget", "avellaneda"]', False),
        ("strategy.economic_gate", "[true, false]", False),
        ("hedge.to", '["target", "bound"]', False),
        ("guards.stop_loss_bp", "[400, 500]", True),
    ],
)
def test_choices_keep_their_order(name: str, entry: str, ordered: bool) -> None:
    found = parameter(entry, name)
    assert found.ordered is ordered
    given_values = entry.removeprefix("{ choices = ").removesuffix(" }")
    assert list(found.values) == tomllib.loads(f"a = {given_values}")["a"]


def test_a_table_of_a_section_means_the_same_as_dotted_names() -> None:
    table = '[space.strategy]\nedge_sigmas = { low = "1", high = "4", step = "1" }\n'
    dotted = one('{ low = "1", high = "4", step = "1" }')
    spaces = [parse_space(text, CONFIG, "s") for text in (table, dotted)]
    assert spaces[0].parameters == spaces[1].parameters
    assert spaces[0].fingerprint() == spaces[1].fingerprint()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[space]\n", "nothing to search"),
        (one("[2]"), "nothing to search"),
        (one("[]"), "has no choices"),
        (one('{ low = "4", high = "1", step = "1" }'), "low 4 above its high 1"),
        (one('{ low = "1", high = "4", step = "0" }'), "the step 0: it must be above 0"),
        (one('{ low = "1", high = "4", step = "-1" }'), "the step -1: it must be above 0"),
        (one('{ low = "1", high = "4", step = "0.7" }'), "step of 0.7 that does not divide"),
        (one('{ low = "1", high = "4" }'), "lacks its step"),
        (one('{ low = "1" }'), "lacks its high and step"),
        (one('{ low = "a", high = "4", step = "1" }'), "low that is not a number"),
        (one('{ low = "nan", high = "4", step = "1" }'), "not a number of sane size"),
        (one('{ low = "1", high = "4", step = "0.0001" }'), "30001 values: take a larger step"),
        (one('{ low = "0.3", high = "1.3", step = "0.5", log = true }'), "multiple of its step"),
        (one('{ low = "1", high = "4", step = "1", log = 1 }'), "a log that is not true or false"),
        (one('{ low = "0", high = "4", step = "1" }'), "cannot be 0: it must be above 0"),
        (one("[1, -1]"), "cannot be -1: it must be above 0"),
        (one('["wide"]'), "a choice that is not a number"),
        (one("[1, 2, 1.0]"), "the same choice twice"),
        (one("2"), "is one value: write"),
        (one("{ lo = 1, high = 4, step = 1 }"), "lo is no key; did you mean low?"),
        (one("{ choices = [1, 2], step = 1 }"), "choices and a range"),
        (one("[1]", "strategy.edge_sigma"), "did you mean strategy.edge_sigmas?"),
        (one("[1]", "stratgy.edge_sigmas"), "did you mean strategy.edge_sigmas?"),
        (one("[1]", "zzz"), "zzz is not a setting; known are"),
        (one('["a", "b"]', "wallet.private_key"), "is a secret and cannot be searched"),
        (one('["a", "b"]', "exchange.api_key"), "is a secret and cannot be searched"),
        (one('["http://a"]', "network.rpc_urls"), "network.rpc_urls cannot be searched"),
        (one("[1, 2]", "guards.max_loss_bp"), "protects from what no history shows"),
        (one("[1, 2]", "gas.max_gwei"), "protects from what no history shows"),
        (one('["budgt"]', "strategy.name"), "cannot be budgt: it must be 'measured'"),
        (one('{ low = "0.5", high = "1.5", step = "0.5" }', "strategy.target"), "is a share"),
        (one("[900, 901.5]", "strategy.dwell_seconds"), "cannot be 901.5"),
        ('[objectives]\nprofit = "maximise"\n', "profit is no objective"),
        ('[objectives]\nnet_bp = "maximise"\n', "did you mean net_bp_per_day?"),
        ('[objectives]\nnet_bp_per_day = "up"\n', 'must be "maximise" or "minimise"'),
        ('[objectives]\nmax_drawdown_bp = "maximise"\n', 'a search should "minimise"'),
        ("[objectives]\n", "is empty: name one"),
        ('[constraints]\nprofit = "<= 1"\n', "profit is no constraint"),
        ("[constraints]\ntime_in_band = 0.9\n", 'must be a bound such as "<= 300"'),
        ('[constraints]\ntime_in_band = "> 0.9"\n', 'must be a bound such as "<= 300"'),
        ('[constraints]\ntime_in_band = ">= much"\n', "a bound that is not a number"),
        ('[constraints]\ntime_in_band = ">= 1.2"\n', "can never hold: it is from 0 to 1"),
        ('[constraints]\nmax_drawdown_bp = "<= -1"\n', "can never hold: it is from 0"),
        ('[constraints]\nshare_high = ">= 0.5, <= 0.4"\n', "both at least 0.5 and at most 0.4"),
        ("[spce]\n", "spce is no table; did you mean space?"),
        ("space = 1\n", "space must be a table"),
        ("[space\n", "is not valid TOML"),
    ],
)
def test_a_wrong_space_is_one_clear_sentence(text: str, said: str) -> None:
    assert said in mistake(text)


def test_four_objectives_are_too_many() -> None:
    names = ("net_bp_per_day", "fees_bp_per_day", "time_in_band", "time_in_range")
    text = "[objectives]\n" + "".join(f'{name} = "maximise"\n' for name in names)
    assert "at most 3 can be weighed" in mistake(text)


def test_no_value_of_a_secret_is_repeated() -> None:
    assert "hunter2" not in mistake(one('["hunter2"]', "exchange.secret"))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no search space at"):
        read_space(tmp_path / "none.toml", CONFIG)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_space(tmp_path / "bytes.toml", CONFIG)
    with pytest.raises(BadInput, match="cannot read"):
        read_space(tmp_path, CONFIG)


def test_the_default_space_is_a_file_and_holds_the_default_configuration(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(DEFAULT)
    written = read_space(tmp_path / "space.toml", CONFIG)
    default = default_space(CONFIG)
    assert written.parameters == default.parameters
    assert default.place(CONFIG) is not None
    objectives = [str(objective) for objective in default.objectives]
    assert objectives == ["maximise rebalanced_bp_per_day"]
    assert [str(constraint) for constraint in default.constraints] == ["time_in_band >= 0.95"]


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "hold"])
@pytest.mark.parametrize("exchange", [False, True])
def test_each_strategy_has_a_space_that_holds_it_as_it_is(name: str, exchange: bool) -> None:
    venue = {"exchange": {"id": "binance"}} if exchange else {}
    config = config_for(strategy={"name": name}, quotes={"enabled": exchange}, **venue)
    space = default_space(config, exchange=exchange)
    assert space.place(config) is not None
    names = {parameter.name for parameter in space.parameters}
    assert ("strategy.pay_dwell_hours" in names) == (name == "measured")
    assert ("strategy.edge_sigmas" in names) == (name != "measured")
    assert ("strategy.risk_aversion" in names) == (name == "avellaneda")
    assert ({"hedge.to", "quotes.half_spread"} <= names) == exchange
    # The same as a file, and what a file leaves out is the strategy's own.
    text = default_text(config, exchange=exchange)
    assert parse_space(text, config, "f").parameters == space.parameters
    rest = parse_space('[constraints]\ndeployed = ">= 0"\n', config, "f", exchange=exchange)
    assert rest.parameters == space.parameters
    configured(config, space.settings({p.name: 0 for p in space.parameters if p.name != "x"}))


def test_quotes_are_searched_around_what_is_configured() -> None:
    config = config_for(
        strategy={"name": "hold"},
        exchange={"id": "binance"},
        quotes={"enabled": True, "half_spread": "2", "spread_sigmas": "2.5"},
        hedge={"enabled": False},
    )
    space = default_space(config, exchange=True)
    values = {parameter.name: parameter.values for parameter in space.parameters}
    assert values == {
        "quotes.half_spread": (1, D("1.5"), 2, 3, 4, 6),
        "quotes.spread_sigmas": (0, 1, D("1.75"), D("2.5"), 3),
    }
    assert space.place(config) is not None


def test_a_strategy_without_liquidity_has_nothing_to_search() -> None:
    config = config_for(strategy={"name": "hold"})
    with pytest.raises(BadInput, match="the strategy hold provides no liquidity"):
        default_space(config)
    assert parse_space(one("[1, 2]"), config, "f").size == 2


def test_a_score_goes_by_a_plain_name_and_never_against_a_file(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    for score, metric in SCORES.items():
        assert [o.metric for o in default_space(CONFIG, score).objectives] == [metric]
        path.write_text(one("[1, 2]"))
        assert [o.metric for o in read_space(path, CONFIG, score).objectives] == [metric]
    path.write_text(one("[1, 2]") + '[objectives]\ndeployed = "maximise"\n')
    assert [o.metric for o in read_space(path, CONFIG).objectives] == ["deployed"]
    with pytest.raises(BadInput, match=r"has \[objectives\] of its own: leave --score or those"):
        read_space(path, CONFIG, "skill")


def test_a_run_is_scored_by_each_yardstick() -> None:
    run = figures_of(net=D(10), rebalanced=D(-40), skill=D(25), days=D(1), start=D(10_000))
    measured = measure(run)
    assert [measured[metric] for metric in SCORES.values()] == [50, 10, 25]
    assert measure(figures_of(net=D(10), days=D(1)))["skill_bp_per_day"] == 0


def test_what_a_file_leaves_out_is_the_defaults() -> None:
    text = '[constraints]\nmax_drawdown_bp = "<= 300"\n'
    found = parse_space(text, CONFIG, "space.toml")
    assert found.parameters == default_space(CONFIG).parameters
    assert list(map(str, found.constraints)) == ["max_drawdown_bp <= 300"]


def test_a_place_and_its_configuration_are_each_others_inverse() -> None:
    space = space_for(CONFIG)
    place = {"strategy.edge_sigmas": 3, "strategy.dwell_seconds": 2}
    config = configured(CONFIG, space.settings(place))
    assert setting(config, "strategy.edge_sigmas") == D("1.25")
    assert setting(config, "strategy.dwell_seconds") == 3600
    assert space.place(config) == place
    assert space.place(configured(CONFIG, {"strategy.edge_sigmas": D("1.3")})) is None
    assert space.size == 15 * 4


def test_settings_that_do_not_go_together_say_why() -> None:
    assert refused(CONFIG, {"strategy.edge_min_bp": 1500}) == (
        "strategy edge_min_bp must be below edge_max_bp",
    )
    assert refused(CONFIG, {"strategy.edge_min_bp": 200}) == ()


def test_nothing_but_the_settings_changes() -> None:
    changed = configured(CONFIG, {"strategy.edge_sigmas": D("1.25")})
    back = configured(changed, {"strategy.edge_sigmas": CONFIG.strategy.edge_sigmas})
    assert back.public_json() == CONFIG.public_json()
    assert changed.network == CONFIG.network


@settings(max_examples=50, deadline=None)
@given(
    low=st.integers(1, 500),
    step=st.integers(1, 50),
    count=st.integers(2, 40),
    places=st.integers(0, 3),
)
def test_a_range_holds_every_step_exactly(low: int, step: int, count: int, places: int) -> None:
    scale = D(10) ** -places
    first, each = low * scale, step * scale
    last = first + (count - 1) * each
    found = parameter(f'{{ low = "{first}", high = "{last}", step = "{each}" }}')
    assert [D(value) for value in found.values] == [first + each * i for i in range(count)]
    assert [found.index(D(value)) for value in found.values] == list(range(count))


def test_equal_spaces_have_equal_fingerprints_and_others_not() -> None:
    prints = {
        parse_space(one(entry), CONFIG, source).fingerprint()
        for source, entry in (
            ("a", '{ low = "1", high = "2", step = "0.5" }'),
            ("b", "[1, 1.5, 2.0]"),
            ("c", '{ low = "1", high = "3", step = "0.5" }'),
            ("d", '{ low = "1", high = "2", step = "0.5", log = true }'),
        )
    }
    assert len(prints) == 3


def test_true_is_no_number_one() -> None:
    assert parameter("[true, false]", "strategy.pool_swap").index(1) is None
    assert parameter("[1, 2]").index(True) is None
    assert parameter("[1, 2]").index(D("2.0")) == 1


def test_metrics_are_per_day_so_that_stretches_compare() -> None:
    month = measure(figures_of(net=D(-30), fees=D(60), gas=D(-15), reranges=10, days=D(30)))
    assert month["net_bp_per_day"] == D("-0.2")
    assert month["fees_bp_per_day"] == D("0.4")
    assert month["gas_bp_per_day"] == D("0.1")
    week = measure(figures_of(net=D(-7), fees=D(14), gas=D("-3.5"), days=D(7)))
    assert week["net_bp_per_day"] == month["net_bp_per_day"]
    assert set(month) == set(METRICS)


def test_a_run_of_no_time_and_no_money_has_metrics_too() -> None:
    assert measure(figures_of(days=D(0), start=D(0)))["net_bp_per_day"] == 0


def test_stretches_together_weigh_rates_by_days_and_keep_extremes() -> None:
    short = measure(figures_of(net=D(50), days=D(10), max_drawdown_bp=D(80), share_low=D("0.3")))
    long = measure(figures_of(net=D(0), days=D(30), max_drawdown_bp=D(20), share_low=D("0.1")))
    both = together([(D(10), short), (D(30), long)])
    assert both["net_bp_per_day"] == D("0.25")
    assert (both["max_drawdown_bp"], both["share_low"]) == (D(80), D("0.1"))


def test_bounds_include_themselves() -> None:
    most = Constraint(metric="max_drawdown_bp", at_least=False, bound=D(300))
    least = Constraint(metric="time_in_band", at_least=True, bound=D("0.9"))
    assert most.violation(D(300)) == 0
    assert most.violation(D(330)) == D("0.1")
    assert least.violation(D("0.81")) == D("0.1")
    assert least.violation(D(1)) < 0
    assert Constraint(metric="share_low", at_least=False, bound=D(0)).violation(D("0.2")) > 0


def test_an_objective_knows_which_way_is_better() -> None:
    assert Objective(metric="net_bp_per_day", maximise=True).better(D(2)) == 2
    assert Objective(metric="max_drawdown_bp", maximise=False).better(D(2)) == -2
