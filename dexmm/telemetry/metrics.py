"""The page that Prometheus fetches: the newest turn of each market, and what was counted.

A turn only hands its entry over; the figures are worked out when somebody asks, in a thread of the
page's own. A page that nobody fetches costs a turn nothing, and one that fails fails alone.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from dexmm.engine.loop import DONE, FAILED, HALTED, REFUSED, exit_code
from dexmm.errors import BadInput, Transient
from dexmm.model.entry import Entry
from dexmm.optional_packages import need
from dexmm.telemetry.figures import COUNTED, FIGURES, LABELLED, STEPS, TURNS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

log = logging.getLogger("dexmm.metrics")

MARKET = "market"
RESULTS = {DONE: "done", REFUSED: "refused", HALTED: "halted", FAILED: "failed"}


class Metrics:
    """The newest turn of each market, and how many there were of each kind."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """``names``: of a market, by its configuration's fingerprint."""
        self._names = dict(names)
        self._lock = threading.Lock()
        self._newest: dict[str, Entry] = {}
        self._counts: dict[str, Counter[tuple[str, ...]]] = {
            each.name: Counter() for each in COUNTED
        }

    def turned(self, entry: Entry) -> None:
        """One more turn."""
        market = self._names[entry.config]
        with self._lock:
            self._newest[market] = entry
            self._counts[TURNS.name][(market, RESULTS[exit_code(entry)])] += 1
            self._counts[STEPS.name].update((market, o.step, o.status) for o in entry.outcomes)

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks a collector for."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            newest = dict(self._newest)
            counts = {name: Counter(counted) for name, counted in self._counts.items()}
        for figure in FIGURES:
            gauge = GaugeMetricFamily(figure.name, figure.meaning, labels=[MARKET])
            for market, entry in newest.items():
                if (value := figure.value(entry)) is not None:
                    gauge.add_metric([market], float(value))
            yield gauge
        for labelled in LABELLED:
            gauge = GaugeMetricFamily(
                labelled.name, labelled.meaning, labels=[MARKET, labelled.label]
            )
            for market, entry in newest.items():
                for label, number in labelled.values(entry).items():
                    gauge.add_metric([market, label], number)
            yield gauge
        for each in COUNTED:
            counter = CounterMetricFamily(each.name, each.meaning, labels=[MARKET, *each.labels])
            for labels, number in counts[each.name].items():
                counter.add_metric(list(labels), number)
            yield counter


@contextmanager
def served(listen: str | None, names: Mapping[str, str]) -> Iterator[Metrics]:
    """The metrics, on a page at ``listen`` (HOST:PORT) while this lasts; None: on no page.

    Raises ``BadInput`` where the address is none of this machine's or the extra is missing, and
    ``Transient`` where something else listens there now.
    """
    metrics = Metrics(names)
    if listen is None:
        yield metrics
        return
    prometheus = need("prometheus_client", "metrics")
    registry: CollectorRegistry = prometheus.CollectorRegistry()
    registry.register(metrics)
    prometheus.ProcessCollector(registry=registry)
    shown, _, port = listen.rpartition(":")
    host = shown.strip("[]")
    try:
        server, thread = prometheus.start_http_server(int(port), addr=host, registry=registry)
    except OSError as error:
        raise _refused(listen, error) from None
    log.info("metrics for Prometheus on %s:%d", shown, server.server_port)
    if not _local(host):
        log.warning(
            "metrics.listen is not this machine alone: who reaches %s sees what is held", listen
        )
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _refused(listen: str, error: OSError) -> BadInput | Transient:
    """An address that is in use may be free in a moment: the process before is still ending."""
    line = f"metrics.listen: nothing can listen on {listen}: {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        return Transient(f"{line}; end what listens there, or choose another port")
    return BadInput(f"{line}; choose an address of this machine and a port above 1023")


def _local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
