"""A stretch of a market's journal as a track, with what of it could not be read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from dexmm.config.schema import Config
from dexmm.model.entry import Entry
from dexmm.model.order import OrderIntent
from dexmm.performance.track.journal_track import from_journal
from dexmm.performance.track.track import Track
from dexmm.store.journal import SqlJournal
from dexmm.wiring.journal_access import borrowed_orders
from dexmm.wiring.shared_wallet import account_of_market, orders_of

WEEK = 7 * 86_400  # an order may rest for so long before it fills
TELL_EVERY = 20_000  # turns read

log = logging.getLogger("dexmm.report")


def recorded(
    journal: SqlJournal,
    configs: Sequence[Config],
    config: Config,
    stretch: tuple[int, int],
    errors: tuple[str, ...] = (),
    seen: Callable[[Entry], None] | None = None,
) -> Track:
    """What the turns of ``stretch`` saw and did; from and until are timestamps, 0 is open.

    On mainnet an open end is now: a silence that lasts until now is one. ``configs`` are all
    markets of the configuration, ``seen`` is called with every turn read. Raises ``BadInput`` when
    no turn is on record in that time.
    """
    start, end = stretch
    if not end and config.network.name == "mainnet":
        end = int(time.time())
    progress = _Progress(seen)
    return from_journal(
        (entry for entry in journal.entries(start) if not end or entry.at <= end),
        (o for o in orders_on_record(configs, config, start) if not end or o.created_at <= end),
        config,
        source=f"journal of {config.market.name} on {config.network.name}",
        began=start if _had_begun(journal, start) else 0,
        ended=end,
        errors=errors,
        seen=progress,
        unreadable=lambda: tuple(each.turn for each in journal.unreadable),
    )


def orders_on_record(
    configs: Sequence[Config], config: Config, start: int
) -> tuple[OrderIntent, ...]:
    """This market's, a week further back; others that share its account have books of their own."""
    if config.exchange is None:
        return ()
    account = account_of_market(config)
    found = borrowed_orders(config).orders_since(account, max(start - WEEK, 0))
    return orders_of(config, configs, found)


def _had_begun(journal: SqlJournal, start: int) -> bool:
    """Whether anything ran before: a silence before the first turn of all is no outage."""
    first = journal.began_at()
    return first is not None and first < start


class _Progress:
    """Says how far reading has come: a year of turns takes minutes."""

    def __init__(self, seen: Callable[[Entry], None] | None) -> None:
        self._read = 0
        self._seen = seen

    def __call__(self, entry: Entry) -> None:
        self._read += 1
        if self._read % TELL_EVERY == 0:
            log.info("read %d turns, to turn %d", self._read, entry.id)
        if self._seen is not None:
            self._seen(entry)
