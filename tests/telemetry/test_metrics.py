"""The page that Prometheus fetches, fetched over loopback and read by Prometheus' own parser."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families
from strategy.builders import World, a_config

from dexmm.config.schema import NO_POOL, Config
from dexmm.errors import BadInput, Transient
from dexmm.model.decision import Refusal, State
from dexmm.model.entry import Entry
from dexmm.model.steps import Outcome
from dexmm.strategy.decide import decide
from dexmm.telemetry.figures import COUNTED, FIGURES, LABELLED
from dexmm.telemetry.metrics import Metrics, served

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
PLACE = re.compile(r"metrics for Prometheus on (\S+)")

Page = dict[tuple[str, ...], float]


def fetch(url: str) -> Page:
    """Every sample by its name and its labels' values."""
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@contextmanager
def a_page(
    names: dict[str, str], caplog: pytest.LogCaptureFixture, listen: str = "127.0.0.1:0"
) -> Iterator[tuple[Metrics, str]]:
    with caplog.at_level(logging.INFO, "dexmm.metrics"), served(listen, names) as metrics:
        yield metrics, f"http://{PLACE.findall(caplog.text)[-1]}/metrics"


def an_entry(world: World, *outcomes: Outcome) -> Entry:
    snapshot = world.snapshot()
    return Entry(
        id=1,
        at=world.now,
        config=world.config.fingerprint(),
        snapshot=snapshot,
        decision=decide(snapshot, world.config),
        steps=(),
        outcomes=outcomes,
        memory=world.memory,
    )


def names_of(*configs: Config) -> dict[str, str]:
    return {config.fingerprint(): config.market.name for config in configs}


def test_a_turn_is_on_the_page(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_config())
    world.settle()
    entry = an_entry(world, Outcome(step="rerange", status="mined"))
    with a_page(names_of(world.config), caplog) as (metrics, url):
        assert not any(name.startswith("dexmm_") for name, *_ in fetch(url))
        metrics.turned(entry)
        metrics.turned(entry)
        page = fetch(url)
    assert page["dexmm_nav_quote", "market"] == float(entry.decision.nav)
    assert page["dexmm_share_ratio", "market"] == float(entry.decision.share)
    assert page["dexmm_last_turn_timestamp_seconds", "market"] == world.now
    assert page["dexmm_wallet_ether", "market"] == 1
    assert page["dexmm_positions", "market"] == len(world.ranges)
    assert page["dexmm_liquidity_in_range", "market"] == max(
        liquidity for _, _, liquidity in world.ranges.values()
    )
    assert page["dexmm_turns_total", "market", "done"] == 2
    assert page["dexmm_steps_total", "market", "mined", "rerange"] == 2
    states = {state: page["dexmm_state", "market", state] for state in State}
    assert states == {State.ACTIVE: 1, State.REDUCING: 0, State.HALTED: 0}
    assert page["process_resident_memory_bytes",] > 0
    absent = {"dexmm_exchange_base", "dexmm_perpetual_liquidation_distance_ratio"}
    assert not absent & {name for name, *_ in page}


def test_a_guard_is_on_the_page_while_it_bites(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_config(gas={"max_gwei": Decimal("0.001"), "tip_gwei": Decimal(0)}))
    with a_page(names_of(world.config), caplog) as (metrics, url):
        metrics.turned(an_entry(world))
        page = fetch(url)
        assert page["dexmm_refusal", "market", "gas_cap"] == 1
        assert page["dexmm_withheld", "market"] == 1
        assert page["dexmm_turns_total", "market", "refused"] == 1
        entry = an_entry(world)
        metrics.turned(
            replace(entry, decision=replace(entry.decision, refusals=(), withheld=False))
        )
        page = fetch(url)
    assert ("dexmm_refusal", "market", "gas_cap") not in page
    assert page["dexmm_withheld", "market"] == 0


def test_every_exit_code_of_a_turn_has_its_word(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_config())
    entry = an_entry(world)
    halted = replace(entry, decision=replace(entry.decision, state=State.HALTED))
    refused = Outcome(
        step="rerange", status="refused", refusal=Refusal(rule="nav", detail="too much")
    )
    with a_page(names_of(world.config), caplog) as (metrics, url):
        metrics.turned(halted)
        metrics.turned(replace(entry, outcomes=(refused,)))
        metrics.turned(replace(entry, outcomes=(Outcome(step="rerange", status="reverted"),)))
        page = fetch(url)
    counted = {key[2]: value for key, value in page.items() if key[0] == "dexmm_turns_total"}
    assert counted == {"halted": 1, "refused": 1, "failed": 1}


def test_markets_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    one = World(a_config(market={"name": "gold"}))
    other = World(a_config(market={"name": "silver"}), price=Decimal(50))
    with a_page(names_of(one.config, other.config), caplog) as (metrics, url):
        metrics.turned(an_entry(one))
        metrics.turned(an_entry(other))
        page = fetch(url)
    assert page["dexmm_pool_price_quote", "gold"] == pytest.approx(4000, rel=1e-9)
    assert page["dexmm_pool_price_quote", "silver"] == pytest.approx(50, rel=1e-9)


def test_without_a_pool_nothing_is_told_of_one(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_config())
    entry = an_entry(world)
    view = entry.snapshot.chain
    nowhere = replace(view, market=replace(view.market, pool=NO_POOL))
    entry = replace(entry, snapshot=replace(entry.snapshot, chain=nowhere))
    with a_page(names_of(world.config), caplog) as (metrics, url):
        metrics.turned(entry)
        page = fetch(url)
    assert ("dexmm_nav_quote", "market") in page
    of_pools = ("dexmm_pool_", "dexmm_wallet_", "dexmm_block_", "dexmm_positions", "dexmm_gas_")
    assert not [name for name, *_ in page if name.startswith(of_pools)]


def test_an_address_in_use_may_be_free_in_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Transient, match=re.escape(listen)), served(listen, {}):
            pass


def test_an_address_of_another_machine_is_a_mistake() -> None:
    with pytest.raises(BadInput, match=r"metrics\.listen"), served("192.0.2.1:9464", {}):
        pass


def test_a_page_that_others_can_reach_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with a_page({}, caplog, "0.0.0.0:0"):
        pass
    assert "who reaches 0.0.0.0:0 sees what is held" in caplog.text


def test_without_an_address_nothing_listens(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_config())
    with caplog.at_level(logging.INFO), served(None, names_of(world.config)) as metrics:
        metrics.turned(an_entry(world))
    assert "Prometheus" not in caplog.text


@pytest.mark.parametrize("listen", ["9464", ":9464", "127.0.0.1:", "::1:9464", "host:99999"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(BadInput, match=r"metrics\.listen must be a host and a port"):
        a_config(metrics={"listen": listen})


def test_where_the_page_is_decides_nothing() -> None:
    assert a_config(metrics={"listen": "127.0.0.1:9464"}).fingerprint() == a_config().fingerprint()


def test_the_document_has_every_figure_with_its_meaning() -> None:
    rows = [f"| `{each.name}` | | {each.meaning} |" for each in FIGURES]
    rows += [f"| `{each.name}` | `{each.label}` | {each.meaning} |" for each in LABELLED]
    rows += [
        f"| `{each.name}` | {', '.join(f'`{name}`' for name in each.labels)} | {each.meaning} |"
        for each in COUNTED
    ]
    written = [line for line in DOCUMENT.read_text("utf-8").splitlines() if "`dexmm_" in line]
    assert [line for line in written if line.startswith("|")] == rows
