"""The triangle on the paper exchange: three legs where they pay, none where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.config import load_config
from dexmm.loop import Shutdown, run_once
from dexmm.model.entry import Entry
from dexmm.ops.world import open_world
from dexmm.sandbox.exchange.paper import PaperExchange
from dexmm.sandbox.exchange.settings import QUIET, UNLIMITED, Opening, PaperSettings

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

[triangle]
enabled = true
max_base = 0.05
"""


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    opening = Opening(
        spot={"PAXG": Decimal(2), "USDT": Decimal(14_000), "BTC": Decimal(0)}, margin=Decimal(0)
    )
    settings = PaperSettings(
        accounts=(opening,),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )
    with PaperExchange(settings) as opened:
        yield opened


def one_turn(paper: PaperExchange, folder: Path) -> Entry:
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
    return run_once(open_world(config), Shutdown())


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
