"""Tracks made by hand, whose figures can be told without running anything."""

from decimal import Decimal

from dexmm.model.decision import Refusal
from dexmm.performance.attribution import Flow, Mark, Source
from dexmm.performance.track.track import Action, RangeShown, Track, TrackPoint

DAY = 86_400
START = 1_704_067_200
BAND = (Decimal("0.20"), Decimal("0.50"), Decimal("0.35"))
GATE = Refusal(rule="economic_gate", detail="gas would cost more than it brings")


def track_of(
    name: str,
    *,
    fees: tuple[str, ...] = (),
    gas: str = "0",
    losses: str = "0",
    shares: tuple[str, ...] = (),
    refusals: tuple[Refusal, ...] = (),
) -> Track:
    """A day a point at 4000 a piece of base: 10 base and 60 000 quote, or as ``shares`` say.

    ``fees`` (quote) come one a day; gas is paid and ``losses`` suffered on the first day.
    """
    days = len(fees)
    base, quote, price = Decimal(10), Decimal(60_000), Decimal(4000)
    marks = [Mark(at=START, fair_price=price, base=base, quote=quote)]
    for day, fee in enumerate(fees, start=1):
        flows = [Flow(source=Source.FEES, quote=Decimal(fee))]
        if day == 1:
            flows += [
                Flow(source=Source.GAS, quote=-Decimal(gas)),
                Flow(source=Source.LIQUIDITY, quote=-Decimal(losses)),
            ]
        quote += sum((flow.quote for flow in flows), Decimal(0))
        marks.append(
            Mark(
                at=START + day * DAY,
                fair_price=price,
                base=base,
                quote=quote,
                flows=tuple(flows),
                leg=1,
            )
        )
    seen = shares or ("0.4",) * (days + 1)
    return Track(
        name=name,
        source="made by hand",
        base="PAXG",
        quote="USDT",
        band_low=BAND[0],
        band_high=BAND[1],
        target=BAND[2],
        interval_seconds=DAY,
        points=tuple(
            TrackPoint(
                at=mark.at,
                fair_price=mark.fair_price,
                pool_price=mark.fair_price,
                share=Decimal(share),
                nav=mark.net_worth,
                in_range=bool(fees),
                ranges=(RangeShown(low=Decimal(3800), high=Decimal(4200), value=Decimal(50_000)),),
                state="ACTIVE",
                refusals=refusals,
            )
            for mark, share in zip(marks, seen, strict=True)
        ),
        marks=tuple(marks),
        actions=(Action(at=START, kind="rerange", status="mined", reason="made", leg=1),),
        assumptions=("nothing is real",),
    )
