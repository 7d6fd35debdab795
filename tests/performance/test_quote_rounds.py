from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from report.report_scene import a_track

from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.venue import Side
from dexmm.performance.quote_rounds import rounds
from dexmm.report.track_report import track_page

D = Decimal


def filled(side: Side, price: str, amount: str = "1", **more: object) -> OrderIntent:
    cost = D(price) * D(amount)
    known = {
        "client_id": f"{side}{price}",
        "account": "binance:a",
        "symbol": "PAXG/USDT",
        "side": side,
        "kind": OrderKind.POST_ONLY,
        "purpose": Purpose.QUOTE,
        "amount": D(amount),
        "price": D(price),
        "reduce_only": False,
        "created_at": 1,
        "filled": D(amount),
        "cost": cost,
        "fee_quote": cost / 1000,
        **more,
    }
    return OrderIntent(**known)  # type: ignore[arg-type]


def test_a_round_at_a_tenth_of_a_percent_pays_eight_for_the_one_it_brought() -> None:
    found = rounds([filled(Side.BUY, "3999.5"), filled(Side.SELL, "4000.5", "2")])
    assert found is not None
    assert (found.base, found.brought, found.paid, found.break_even) == (1, 1, 8, 4)


def test_fees_in_base_and_in_a_third_coin_count_too() -> None:
    buys = filled(Side.BUY, "4000", fee_quote=D(0), fee_base=D("0.001"))
    sells = filled(Side.SELL, "4000", fee_quote=D(0), fee_valued=(("BNB", D("0.005"), D(3)),))
    found = rounds([buys, sells])
    assert found is not None
    assert (found.brought, found.paid) == (0, 7)


def test_one_side_alone_and_hedges_are_no_round() -> None:
    hedge = filled(Side.SELL, "4000", purpose=Purpose.HEDGE)
    assert rounds([filled(Side.BUY, "4000"), hedge]) is None
    assert rounds([]) is None


def test_the_page_says_when_quotes_did_not_pay_their_fees() -> None:
    at_a_loss = (filled(Side.BUY, "3999.5"), filled(Side.SELL, "4000.5"))
    told = track_page(replace(a_track(), orders=at_a_loss)).html()
    assert "The quotes did not pay their fees" in told
    assert "break even at a half spread of" in told
    earning = (filled(Side.BUY, "3990"), filled(Side.SELL, "4010"))
    assert "did not pay their fees" not in track_page(replace(a_track(), orders=earning)).html()
