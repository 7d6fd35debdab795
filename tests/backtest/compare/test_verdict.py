"""Whether a market pays, in words: from the judge, and from what came out."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from backtest.compare_tracks import track_of

from dexmm.backtest.compare.rows import Kind, row_of
from dexmm.backtest.compare.verdict import Worth, cannot_pay, pays, verdict, worth
from dexmm.config.schema import Config, parse_config
from dexmm.model.market import Market, Token
from dexmm.strategy.rebalance.feasibility import MarketFacts, judge

PAXG, USDT = (
    "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
    "0xdAC17F958D2ee523a2206206994597C13D831ec7",
)
POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
MARKET = Market(
    chain_id=1,
    pool=POOL,
    position_manager=POOL,
    swap_router=POOL,
    token0=Token(address=PAXG, symbol="PAXG", decimals=18),
    token1=Token(address=USDT, symbol="USDT", decimals=6),
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)
FACTS = MarketFacts(
    market=MARKET,
    sqrt_price_x96=MARKET.sqrt_price_x96(Decimal(4000)),
    fee_kept=Decimal("0.75"),
    pool_liquidity=10**15,
    sigma=Decimal("0.00003"),
    nav=Decimal(50_000),
    gas_per_rerange=Decimal(4),
)


def config_of(strategy: str = "budget") -> Config:
    return parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
            "market": {"pool": POOL, "base": PAXG, "price_low": 2000, "price_high": 8000},
            "strategy": {"name": strategy},
        },
        Path(),
        "a test",
    )


def test_at_the_break_even_volume_income_meets_its_cost() -> None:
    found = worth(config_of(), FACTS)
    assert found.break_even_volume is not None
    at = judge(config_of(), replace(FACTS, volume_per_day=found.break_even_volume))
    assert at.income_per_day is not None
    assert abs(at.income_per_day - found.needed) < Decimal("1e-20")
    assert found.volume is None
    assert found.income is None


def test_who_deploys_nothing_has_no_break_even() -> None:
    found = worth(config_of("hold"), FACTS)
    assert found.break_even_volume is None
    told = verdict([row_of(track_of("hold", fees=("0",)), Kind.HOLDING)], found)
    assert told == ("Nobody spent any gas.",)


def test_what_came_from_the_price_is_told_apart() -> None:
    row = row_of(track_of("budget", fees=("30", "30"), gas="10"), Kind.STRATEGY)
    lucky = replace(row, figures=replace(row.figures, net=Decimal(75), divergence=Decimal(25)))
    told = verdict([lucky], None)
    assert "Of what budget made, +50.00 is fees less what arbitrage took and gas" in told[1]
    assert "the other +25.00 is where the price happened to go" in told[1]


def test_who_halted_is_named() -> None:
    row = row_of(track_of("budget", fees=("30",)), Kind.STRATEGY)
    stopped = replace(row, figures=replace(row.figures, halted="a drawdown of 1600 bp"))
    assert "budget halted itself: a drawdown of 1600 bp." in verdict([stopped], None)


HOLD = row_of(track_of("hold", fees=("0", "0")), Kind.HOLDING)


def test_a_market_that_cannot_pay_its_gas() -> None:
    rows = [
        HOLD,
        row_of(track_of("budget", fees=("1", "1"), gas="10"), Kind.STRATEGY),
        row_of(track_of("static", fees=("2", "2"), gas="5"), Kind.STATIC),
    ]
    told = verdict(rows, None)
    assert cannot_pay(rows)
    assert told[0].startswith("This market did not pay")
    assert "static" in told[0]
    assert "−1.00" in told[0]
    assert told[1].startswith("This market cannot pay its gas")


def test_fees_above_gas_and_still_worse_than_holding() -> None:
    rows = [HOLD, row_of(track_of("budget", fees=("9", "9"), gas="1", losses="40"), Kind.STRATEGY)]
    told = verdict(rows, None)
    assert cannot_pay(rows)
    assert told == (
        "This market did not pay: every way of providing liquidity ended at or below plain "
        "holding. The least bad, budget, made −23.00 against it.",
        "Every row that spent gas earned more in fees than its gas.",
        "Against the inventory rebalanced to its target 0 of 1 ended above; the best, budget, "
        "made −20.00 (-2.0 bp) against it.",
    )


def test_a_market_that_pays_some() -> None:
    rows = [
        HOLD,
        row_of(track_of("budget", fees=("30", "30"), gas="10"), Kind.STRATEGY),
        row_of(track_of("static", fees=("1", "1"), gas="5"), Kind.STATIC),
    ]
    told = verdict(rows, None)
    assert not cannot_pay(rows)
    assert told[0].startswith("1 of 2 ways of providing liquidity ended above plain holding")
    assert "budget, by +50.00 (+5.0 bp)" in told[0]
    assert told[1] == "Gas cost more than the fees brought for static."


def test_holding_rebalanced_does_not_make_a_market_pay() -> None:
    lucky = row_of(track_of("rebalanced", fees=("50",)), Kind.HOLDING)
    poor = row_of(track_of("budget", fees=("1",), gas="10"), Kind.STRATEGY)
    assert cannot_pay([lucky, poor])
    assert not pays([lucky, poor], "budget")


def test_who_is_configured_must_have_been_paid_itself() -> None:
    rich = row_of(track_of("static", fees=("50",)), Kind.STATIC)
    poor = row_of(track_of("budget", fees=("1",), gas="10"), Kind.STRATEGY)
    assert not pays([rich, poor], "budget")
    assert pays([rich, poor], "static")
    assert not cannot_pay([rich, poor])


def test_the_volume_that_was_missing() -> None:
    found = Worth(
        strategy="budget",
        symbol="USDT",
        volume=Decimal(100_000),
        gas=Decimal(2),
        arbitrage=Decimal(3),
        income=Decimal(4),
        income_per_volume=Decimal("0.00004"),
        break_even_volume=Decimal(125_000),
    )
    rows = [HOLD, row_of(track_of("budget", fees=("1", "1"), gas="10"), Kind.STRATEGY)]
    told = verdict(rows, found)
    assert "must trade 125 000 USDT a day, and the flow assumed here is 100 000 a day" in told[2]
    # 8 lost in two days: 4 a day, at 0.00004 a unit of volume
    assert told[3].startswith("In this run budget lacked 4.00 USDT a day")
    assert "about 100 000 USDT a day more" in told[3]
