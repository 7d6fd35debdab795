"""The triangle on the paper exchange: three legs where they pay, none where they do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.config.schema import load_config
from dexmm.engine.loop import Shutdown, World, run_once
from dexmm.model.entry import Entry
from dexmm.paper_exchange.engine.settings import QUIET, UNLIMITED, Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.wiring.clock import wall_clock
from dexmm.wiring.live import open_world

CONFIG = """
[network]
name = "sandbox"

[market]
price_low = 2000
price_high = 8000

[guards]
closed_weekly = []

[exchange]
symbol = "PAXG/USDT"
triangle = ["PAXG/BTC", "BTC/USDT"]
max_spread_bp = 300

[quotes]
enabled = true
accept_loss = true

[triangle]
enabled = true
max_base = 0.05
"""


def settings() -> PaperSettings:
    opening = Opening(
        spot={"PAXG": Decimal(2), "USDT": Decimal(14_000), "BTC": Decimal(0)}, margin=Decimal(0)
    )
    return PaperSettings(
        accounts=(opening,),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(settings()) as opened:
        yield opened


def one_turn(paper: PaperExchange, folder: Path) -> Entry:
    return run_once(world_of(paper, folder, wall_clock), Shutdown())


def world_of(paper: PaperExchange, folder: Path, clock: Callable[[], int]) -> World:
    (folder / "dexmm.toml").write_text(CONFIG)
    opening = paper.settings.accounts[0]
    config = load_config(
        folder / "dexmm.toml",
        {
            "DEXMM_EXCHANGE__BASE_URL": paper.url,
            "DEXMM_EXCHANGE__API_KEY": opening.api_key,
            "DEXMM_EXCHANGE__SECRET": opening.secret,
        },
    )
    return open_world(config, exchange_clock=clock)


def misprice(paper: PaperExchange, by: str) -> None:
    """PAXG/BTC away from what the two other markets say it is worth."""
    paper.set_fair_price("PAXGUSDT", Decimal(4000))
    paper.set_fair_price("BTCUSDT", Decimal(100_000))
    paper.set_fair_price("PAXGBTC", Decimal("0.04") * Decimal(by))


@pytest.mark.parametrize(
    ("by", "sides"), [("1.02", ["buy", "sell", "sell"]), ("0.98", ["buy", "buy", "sell"])]
)
def test_three_legs_where_they_pay(
    paper: PaperExchange, tmp_path: Path, by: str, sides: list[str]
) -> None:
    misprice(paper, by)
    entry = one_turn(paper, tmp_path)
    orders = [o.order for o in entry.outcomes if o.order and o.order.purpose == "triangle"]
    assert [order.side for order in orders] == sides
    assert all(order.filled > 0 for order in orders)
    assert paper.imbalance() == {}
    # What comes round is more than what went in: about two per cent less three fees.
    spent = sum(o.cost for o in orders if o.symbol.endswith("/USDT") and o.side == "buy")
    gained = sum(o.cost for o in orders if o.symbol.endswith("/USDT") and o.side == "sell")
    assert gained > spent * Decimal("1.005")


def test_none_where_fees_eat_it_and_it_says_why(paper: PaperExchange, tmp_path: Path) -> None:
    misprice(paper, "1.001")
    entry = one_turn(paper, tmp_path)
    assert [o for o in entry.outcomes if o.order and o.order.purpose == "triangle"] == []
    assert entry.decision.opportunities
    assert all(not found.taken and found.why for found in entry.decision.opportunities)


def test_a_round_is_taken_though_its_books_have_stood_still(tmp_path: Path) -> None:
    """Ten minutes without a change in BTC/USDT; then PAXG/BTC moves 2 % away."""
    start = int(time.time())
    now = [start]
    with PaperExchange(settings(), start_ms=start * 1000) as paper:
        misprice(paper, "1")
        world = world_of(paper, tmp_path, lambda: now[0])
        quiet = run_once(world, Shutdown())
        assert quiet.decision.opportunities == ()
        now[0] += 600
        paper.advance(now[0] * 1000)
        paper.set_fair_price("PAXGBTC", Decimal("0.04") * Decimal("1.02"))
        entry = run_once(world, Shutdown())
    assert entry.snapshot.venue is not None
    assert quiet.snapshot.venue is not None
    still = [seen.snapshot.venue.triangle_books[1] for seen in (quiet, entry)]
    assert (still[0].bids, still[0].asks) == (still[1].bids, still[1].asks)
    (found,) = entry.decision.opportunities
    assert found.taken, found.why
    orders = [o.order for o in entry.outcomes if o.order and o.order.purpose == "triangle"]
    assert [order.symbol for order in orders] == ["PAXG/USDT", "PAXG/BTC", "BTC/USDT"]
    assert all(order.filled > 0 for order in orders)
