"""A journal without a database: turns of the strategy's plain worlds, recorded as entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from strategy.builders import START
from strategy.venue_builders import Both, both

from dexmm.model.entry import Entry
from dexmm.model.order import OrderIntent
from dexmm.model.snapshot import Snapshot
from dexmm.performance.attribution import Flow, Mark, Source
from dexmm.performance.track.journal_track import from_journal
from dexmm.performance.track.track import Track, TrackPoint

D = Decimal


@dataclass
class Recorder:
    """Turns of a wallet in a pool and an account on an exchange, and what they leave behind."""

    scene: Both = field(default_factory=both)
    entries: list[Entry] = field(default_factory=list)

    def turn(self, seconds: int = 60, *, mined_at: Decimal | None = None) -> Entry:
        """One turn; its transactions are mined at the price it saw, unless said otherwise."""
        scene = self.scene
        scene.world.pass_time(seconds)
        snapshot = scene.snapshot()
        if mined_at is not None:
            _move_before_sending(scene, mined_at)
        decision, steps = scene.turn(0)
        entry = Entry(
            id=len(self.entries) + 1,
            at=scene.world.now,
            config=scene.config.fingerprint(),
            snapshot=snapshot,
            decision=decision,
            steps=steps,
            outcomes=scene.outcomes,
            memory=scene.memory,
        )
        self.entries.append(entry)
        return entry

    def earn(self, fees0: int, fees1: int) -> None:
        """Every position's uncollected fees grow by so many units."""
        world = self.scene.world
        for token_id in world.ranges:
            known = world.fees.get(token_id, (0, 0))
            world.fees[token_id] = (known[0] + fees0, known[1] + fees1)

    def track(self, **changes: object) -> Track:
        return from_journal(self.entries, self.orders(), self.scene.config, **changes)

    def orders(self) -> Iterable[OrderIntent]:
        return self.scene.street.orders


def _move_before_sending(scene: Both, price: Decimal) -> None:
    """The price moves after the next look of ``scene`` and before what follows from it."""
    looked = scene.snapshot

    def look() -> Snapshot:
        snapshot = looked()
        scene.price(price)
        del scene.__dict__["snapshot"]
        return snapshot

    scene.__dict__["snapshot"] = look


def total(track: Track, source: Source) -> tuple[Decimal, Decimal]:
    """Base and quote that one source brought."""
    flows = [flow for mark in track.marks for flow in mark.flows if flow.source is source]
    return sum((f.base for f in flows), D(0)), sum((f.quote for f in flows), D(0))


def point(at: int, **changes: object) -> TrackPoint:
    known = TrackPoint(
        at=at,
        fair_price=D(4000),
        pool_price=D(4000),
        share=D("0.35"),
        nav=D(100_000),
        in_range=True,
        ranges=(),
        state="ACTIVE",
    )
    return replace(known, **changes)


def a_track(count: int = 1441, seconds: int = 60, **changes: object) -> Track:
    """A day of minutes that earned a dollar a turn in fees, and paid a cent in gas."""
    flows = (
        Flow(source=Source.FEES, quote=D(1)),
        Flow(source=Source.GAS, quote=D("-0.01")),
    )
    marks = [
        Mark(
            at=START + seconds * number,
            fair_price=D(4000),
            base=D("8.75"),
            quote=65_000 + D("0.99") * number,
            flows=flows if number else (),
        )
        for number in range(count)
    ]
    known = Track(
        name="report",
        source="a journal",
        base="PAXG",
        quote="USDT",
        band_low=D("0.2"),
        band_high=D("0.5"),
        target=D("0.35"),
        interval_seconds=seconds,
        points=tuple(point(START + seconds * number) for number in range(count)),
        marks=tuple(marks),
    )
    return replace(known, **changes)
