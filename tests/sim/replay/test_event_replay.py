"""A pool's recorded life, replayed: exact without us, honest with us, and blind to its future."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim.replay.history_scene import (
    CENTRE,
    FEE,
    OWNER,
    SPACING,
    Scribe,
    chain_of,
    life,
    market_of,
    write_logs,
)

from dexmm.errors import BadInput
from dexmm.history.event_types import Collected, EventHistory, Swapped
from dexmm.history.wide_ints import Wide
from dexmm.sim.agents.base_fee import BaseFee
from dexmm.sim.agents.market_simulator import FEED_DEVIATION, Feed
from dexmm.sim.agents.traders import arbitrage
from dexmm.sim.candle_world import Doze
from dexmm.sim.replay.event_replay import EventWorld, apply, bring_back, cut, replay
from dexmm.sim.replay.pool_events import read_events
from dexmm.sim.replay.swap_inputs import resolved
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState
from dexmm.uniswap.position import PositionInfo, uncollected_fees
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

GOLDEN = "wbtc_weth_3000_blocks_16944668_16951788.json.gz"


@pytest.fixture(scope="module")
def lived() -> Scribe:
    return life(7, 200)


@pytest.fixture(scope="module")
def history(lived: Scribe, tmp_path_factory: pytest.TempPathFactory) -> EventHistory:
    return read_events(write_logs(tmp_path_factory.mktemp("logs"), lived.rows))


@pytest.fixture(scope="module")
def opened(history: EventHistory) -> EventHistory:
    """From the first swap on: the pool has a price and liquidity."""
    first = next(event for event in history.events if isinstance(event, Swapped))
    return cut(history, since=first.timestamp - 1)


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> EventHistory:
    return read_events(shared_data / "univ3" / GOLDEN)


def without_oracle(state: PoolState) -> PoolState:
    return replace(
        state,
        observations=(),
        ticks={
            tick: replace(
                info,
                tick_cumulative_outside=0,
                seconds_per_liquidity_outside_x128=0,
                seconds_outside=0,
            )
            for tick, info in state.ticks.items()
        },
    )


# Without us


def test_a_replay_ends_in_the_very_state_the_pool_ended_in(
    history: EventHistory, lived: Scribe
) -> None:
    pool = history.opened()
    for event in history.events:  # collects included
        apply(pool, event)
    assert pool.state() == lived.pool.state()


@pytest.mark.parametrize("arbitrage", [False, True])
def test_the_lean_replay_is_the_same_but_for_what_others_collect(
    history: EventHistory, lived: Scribe, arbitrage: bool
) -> None:
    pool = history.opened()
    replay(pool, history, arbitrage=arbitrage)
    expected = lived.pool.state()
    assert replace(pool.state(), positions={}) == replace(expected, positions={})


def test_what_others_collect_is_not_taken_from_whoever_shares_their_range(
    history: EventHistory,
) -> None:
    """The position manager's record in the pool is one for all of its NFTs of a range."""
    whole, lean = history.opened(), history.opened()
    for event in history.events:
        apply(whole, event)
    replay(lean, history)
    collected = {e.tick_lower for e in history.events if isinstance(e, Collected)}
    for key, position in lean.positions.items():
        left = whole.positions[key].tokens_owed0
        assert (position.tokens_owed0 > left) == (key[1] in collected)


def test_time_never_goes_back_in_the_pool(opened: EventHistory) -> None:
    pool = opened.opened()
    pool.timestamp = late = opened.events.timestamps[6] + 5  # our own transaction's block
    replay(pool, opened, 0, 7)
    assert pool.timestamp == late
    replay(pool, opened, 7, 9)
    assert pool.timestamp == opened.events.timestamps[8]


def test_any_cut_of_the_history_leads_to_the_same_end(history: EventHistory) -> None:
    times = history.events.timestamps
    expected = history.opened()
    replay(expected, history)
    for since in (times[30], times[120] - 1, times[-1] - 1):
        part = cut(history, since=since)
        assert len(part.events) == sum(at > since for at in times)
        pool = part.opened()
        replay(pool, part)
        assert pool.state() == expected.state()
    first = cut(history, until=times[99])
    assert list(first.events) == [e for e in history.events if e.timestamp <= times[99]]


def test_a_period_without_events_is_refused(history: EventHistory) -> None:
    for period in ({"since": history.ends_at}, {"until": history.opened_at - 1}):
        with pytest.raises(BadInput, match="no event in the period"):
            cut(history, **period)
    with pytest.raises(BadInput, match="no event in the period"):
        cut(history, since=history.opened_at - 1)


# The golden day


@pytest.mark.data
def test_the_golden_day_ends_bit_for_bit_as_recorded(
    golden: EventHistory, shared_data: Path
) -> None:
    record = json.loads(gzip.decompress((shared_data / "univ3" / GOLDEN).read_bytes()))
    pool = golden.opened()
    replay(pool, golden)
    end = record["after"]
    assert pool.sqrt_price_x96 == int(end["slot0"]["sqrtPriceX96"])
    assert pool.tick == end["slot0"]["tick"]
    assert pool.liquidity == int(end["liquidity"])
    assert pool.fee_growth_global0_x128 == int(end["feeGrowthGlobal0X128"])
    assert pool.fee_growth_global1_x128 == int(end["feeGrowthGlobal1X128"])
    growths = [
        (int(event["feeGrowthGlobal0X128"]), int(event["feeGrowthGlobal1X128"]))
        for event in record["events"]
    ]
    kinds = [type(event).__name__ for event in golden.events]
    assert [kinds.count(kind) for kind in ("Swapped", "Minted", "Burned")] == [329, 19, 31]
    pool = golden.opened()
    for event, growth in zip(golden.events, growths, strict=True):
        assert apply(pool, event) == (event.amount0, event.amount1)  # type: ignore[union-attr]
        assert (pool.fee_growth_global0_x128, pool.fee_growth_global1_x128) == growth


@pytest.mark.data
def test_the_seven_ranges_of_the_golden_day_come_out_exactly(
    golden: EventHistory, shared_data: Path
) -> None:
    rows = json.loads((shared_data / "univ3" / "wbtc_weth_range_fees.json").read_text())
    chain = chain_of(golden)
    start = chain.pool.sqrt_price_x96
    ranges = [(row["tickLower"], row["tickUpper"]) for row in rows]
    nfts = [PositionInfo(10**15, *chain.pool.fee_growth_inside(*ticks)) for ticks in ranges]
    world = EventWorld(chain, golden, 300)
    while world.advance():
        pass
    pool = chain.pool
    for row, ticks, nft in zip(rows, ranges, nfts, strict=True):
        fees = uncollected_fees(nft, *pool.fee_growth_inside(*ticks))
        assert fees == (int(row["fees0"]), int(row["fees1"]))
        edges = [get_sqrt_ratio_at_tick(tick) for tick in ticks]
        for when, price in (("start", start), ("end", pool.sqrt_price_x96)):
            amounts = get_amounts_for_liquidity(price, *edges, nft.liquidity)
            assert amounts == (int(row[f"amounts0_{when}"]), int(row[f"amounts1_{when}"]))
    assert len(rows) == 7


@pytest.mark.data
def test_the_golden_days_inputs_are_found_from_its_logs_alone(golden: EventHistory) -> None:
    events = golden.events
    unknown = [
        0 if isinstance(event, Swapped) else amount
        for event, amount in zip(events, events.inputs.span(0, len(events)), strict=True)
    ]
    found = resolved(replace(golden, events=replace(events, inputs=Wide.of(unknown))))
    assert list(found.events) == list(events)


# Contradictions


def spoiled(lived: Scribe, number: int, **values: Any) -> list[dict[str, Any]]:
    rows = [dict(row) for row in lived.rows]
    rows[number] |= values
    return rows


def place_of(lived: Scribe, kind: str, nth: int = 3) -> int:
    return [i for i, row in enumerate(lived.rows) if row["kind"] == kind][nth]


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("burn", {"amount": 10**30}, "more liquidity would be removed than there is"),
        ("burn", {"tick_lower": CENTRE - 105}, "contradicts the pool's state"),
        ("burn", {"amount1": 5}, "an event before it is missing"),
        ("mint", {"tick_upper": CENTRE + 10_001}, "not a multiple of the pool's tick spacing"),
        ("swap", {"sqrt_price_x96": 2**90}, "does not reach"),
        ("swap", {"liquidity": 12345}, "does not reach"),
        ("swap", {"amount0": 5, "amount1": 5}, "has no input"),
        ("swap", {"amount0": -5, "amount1": -7}, "has no input"),
        ("swap", {"block_number": 3}, "comes after"),
        ("swap", {"block_timestamp": 3}, "a time that is not its block's"),
        ("initialize", {"tick": CENTRE + 5}, "a tick that is not its price's"),
    ],
)
def test_an_event_that_contradicts_the_pool_is_named(
    lived: Scribe, tmp_path: Path, kind: str, change: dict[str, Any], says: str
) -> None:
    number = place_of(lived, kind, 0 if kind == "initialize" else 3)
    path = write_logs(tmp_path, spoiled(lived, number, **change))
    with pytest.raises(BadInput, match=says) as caught:
        read_events(path)
    block = change.get("block_number", lived.rows[number]["block_number"])
    where = f"the {kind} in block {block}, log {lived.rows[number]['log_index']},"
    assert where in caught.value.message
    assert "\n" not in caught.value.message


def test_a_collect_may_have_paid_what_flash_loans_had_brought(
    lived: Scribe, tmp_path: Path
) -> None:
    number = place_of(lived, "collect")
    rows = spoiled(lived, number, amount1=lived.rows[number]["amount1"] + 5)
    assert len(read_events(write_logs(tmp_path, rows)).events) == len(rows)


def test_an_event_twice_and_an_event_left_out_are_found(lived: Scribe, tmp_path: Path) -> None:
    number = place_of(lived, "swap", 40)
    doubled = [*lived.rows[: number + 1], *lived.rows[number:]]
    with pytest.raises(BadInput, match="comes after"):
        read_events(write_logs(tmp_path, doubled))
    missing = [*lived.rows[:number], *lived.rows[number + 1 :]]
    with pytest.raises(BadInput, match="does not reach"):
        read_events(write_logs(tmp_path, missing))


def test_two_times_in_one_block_are_found(lived: Scribe, tmp_path: Path) -> None:
    blocks = [row["block_number"] for row in lived.rows]
    number = next(i for i in range(10, len(blocks)) if blocks[i] == blocks[i - 1])
    late = lived.rows[number]["block_timestamp"] + 1
    with pytest.raises(BadInput, match="a time that is not its block's"):
        read_events(write_logs(tmp_path, spoiled(lived, number, block_timestamp=late)))


def test_what_the_pool_refuses_in_a_replay_is_named_too(history: EventHistory) -> None:
    events = history.events
    place = next(i for i, event in enumerate(events) if type(event).__name__ == "Burned")
    inputs = events.inputs.span(0, len(events))
    inputs[place] = 10**30
    broken = replace(history, events=replace(events, inputs=Wide.of(inputs)))
    with pytest.raises(BadInput, match="contradicts the pool's state") as caught:
        replay(broken.opened(), broken)
    assert caught.value.facts["log_index"] == events.log_indices[place]


# What a swap asked for


def test_inputs_are_found_from_what_was_recorded(lived: Scribe, history: EventHistory) -> None:
    """As asked, or as an input that nobody can tell from it."""
    swaps = [event for event in history.events if isinstance(event, Swapped)]
    found = [(event.amount_specified, event.sqrt_price_limit_x96) for event in swaps]
    kinds = {(amount > 0, limit is None) for amount, limit in found}
    assert kinds == {(True, True), (False, True), (True, False)}
    for asked, (amount, limit) in zip(lived.asked, found, strict=True):
        if limit is None and asked[1] is None:
            # An exact output may be told as the exact input that has the same effect.
            assert amount == asked[0] or (asked[0] < 0 < amount)


def test_a_swap_through_a_pool_without_liquidity_is_resolved(tmp_path: Path) -> None:
    scribe = Scribe()
    scribe.initialize()
    scribe.next_block()
    scribe.swap(True, 10**6, get_sqrt_ratio_at_tick(CENTRE - 500))
    scribe.next_block()
    scribe.swap(False, 10**6, get_sqrt_ratio_at_tick(CENTRE + 500))
    history = read_events(write_logs(tmp_path, scribe.rows))
    pool = history.opened()
    replay(pool, history)
    assert pool.state() == scribe.pool.state()
    assert scribe.rows[-1]["amount1"] == 0


# With us


def ours(history: EventHistory, liquidity: int = 10**17) -> Pool:
    pool = history.opened()
    pool.mint("us", CENTRE - 1000, CENTRE + 1000, liquidity)
    return pool


def test_our_liquidity_earns_and_the_price_stays_within_the_fee(opened: EventHistory) -> None:
    with_us, bare = ours(opened), opened.opened()
    for i in range(len(opened.events)):
        replay(with_us, opened, i, i + 1, arbitrage=True)
        replay(bare, opened, i, i + 1)
        events = opened.events
        if i + 1 == len(events) or events.blocks[i + 1] != events.blocks[i]:
            ratio = (Decimal(with_us.sqrt_price_x96) / bare.sqrt_price_x96) ** 2
            assert 1 - Decimal(FEE) / 10**6 - Decimal("1e-20") <= ratio
            assert ratio <= 1 / (1 - Decimal(FEE) / 10**6) + Decimal("1e-20")
    with_us.burn("us", CENTRE - 1000, CENTRE + 1000, 0)
    held = with_us.position("us", CENTRE - 1000, CENTRE + 1000)
    assert held.tokens_owed0 > 0
    assert held.tokens_owed1 > 0
    assert with_us.fee_growth_global1_x128 < bare.fee_growth_global1_x128


def test_without_the_arbitrageur_our_presence_makes_the_pool_stray(opened: EventHistory) -> None:
    strayed = ours(opened, 10**19)
    replay(strayed, opened)
    held = ours(opened, 10**19)
    replay(held, opened, arbitrage=True)
    recorded = opened.events.sqrt_prices[len(opened.events) - 1]
    assert abs(strayed.sqrt_price_x96 - recorded) > abs(held.sqrt_price_x96 - recorded)


@settings(max_examples=60, deadline=None)
@given(st.integers(-300, 300), st.integers(0, 2**60), st.booleans())
def test_the_arbitrageur_trades_as_the_sandboxs_does(
    ticks: int, offset: int, base_is_token0: bool
) -> None:
    pool = Pool(FEE, SPACING, 1)
    pool.initialize(get_sqrt_ratio_at_tick(CENTRE + ticks) + offset % 10**20)
    pool.mint(OWNER, CENTRE - 1000, CENTRE + 1000, 10**18)
    twin = pool.copy()
    recorded = get_sqrt_ratio_at_tick(CENTRE) + offset
    scene = EventHistory(
        source="",
        pool="",
        token0=None,
        token1=None,
        opened_at=1,
        opening=pool.state(),
        events=None,  # type: ignore[arg-type]  # nothing happens here
    )
    market = market_of(scene, base_is_token0=base_is_token0)
    bring_back(pool, recorded)
    swap = arbitrage(market, twin.sqrt_price_x96, market.price(recorded))
    if swap is not None:
        twin.swap(swap.zero_for_one, swap.amount_in, swap.sqrt_price_limit_x96)
    assert abs(pool.sqrt_price_x96 - twin.sqrt_price_x96) <= 2


def test_a_swap_to_a_limit_is_not_made_beyond_it(history: EventHistory) -> None:
    """Another arbitrageur has been there: with deep liquidity of ours and prices far apart."""
    limited = cut(history, since=history.events.timestamps[10])
    pool = limited.opened()
    assert limited.events.limits
    first = min(limited.events.limits)
    event = limited.events[first]
    assert isinstance(event, Swapped)
    replay(pool, limited, 0, first)
    beyond = event.sqrt_price_limit_x96 or 0
    if pool.sqrt_price_x96 != beyond:
        pool.swap(pool.sqrt_price_x96 > beyond, 2**127, beyond)
    before = pool.state()
    replay(pool, limited, first, first + 1)
    assert pool.state() == before


# The world


def seen(world: EventWorld) -> tuple[Any, ...]:
    return world.chain.observe(), world.fair_price, world.chain.pool.state(), world.progress[0]


def future_changed(history: EventHistory, after: int, seed: int) -> EventHistory:
    """The same until ``after`` (timestamp, seconds); other swaps from then on, or none at all."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable future
    events = history.events
    first = sum(at <= after for at in events.timestamps)
    inputs = events.inputs.span(0, len(events))
    prices = events.sqrt_prices.span(0, len(events))
    for i in range(first, len(events)):
        if events.kinds[i] >= 4:
            inputs[i] = inputs[i] * dice.randint(2, 5)
        prices[i] = prices[i] * dice.randint(90, 110) // 100
    later = [at + (i >= first) * 7 for i, at in enumerate(events.timestamps)]
    return replace(
        history,
        events=replace(
            events,
            inputs=Wide.of(inputs),
            sqrt_prices=Wide.of(prices),
            timestamps=type(events.timestamps)("q", later),
        ),
    )


@pytest.mark.parametrize("turn", [1, 7, 20])
def test_no_turn_sees_what_comes_after_it(opened: EventHistory, turn: int) -> None:
    """Change everything after a turn's time: up to and with that turn nothing seen differs."""
    interval = 60
    until = opened.opened_at + turn * interval
    worlds = []
    for history in (opened, future_changed(opened, until, turn)):
        chain = chain_of(history)
        world = EventWorld(chain, history, interval)
        chain.manager.mint("wallet", CENTRE - 500, CENTRE + 500, (10**18, 10**12), (0, 0))
        worlds.append(world)
    for _ in range(turn):
        assert all(world.advance() for world in worlds)
        assert seen(worlds[0]) == seen(worlds[1])
        assert worlds[0].chain.timestamp <= until
    assert all(world.advance() for world in worlds)
    assert seen(worlds[0]) != seen(worlds[1])  # the change was one that shows


def test_at_a_turn_all_has_happened_whose_block_is_no_later(opened: EventHistory) -> None:
    world, events = EventWorld(chain_of(opened), opened, 60), opened.events
    turns = 0
    while world.advance():
        turns += 1
        at = opened.opened_at + 60 * turns
        assert world.chain.timestamp == world.chain.block.timestamp == at
        done = [e for e in events if e.timestamp <= at]
        price = events.sqrt_prices[len(done) - 1] if done else opened.opening.sqrt_price_x96
        assert world.fair_price == world.chain.market.price(price)
        assert world.chain.pool.sqrt_price_x96 == price  # nobody of ours is there
    assert world.progress == (turns, turns)
    assert opened.ends_at <= world.chain.timestamp < opened.ends_at + 60
    assert world.chain.block.number == 1 + turns + len(set(events.blocks))


def test_a_turn_comes_after_the_transactions_of_the_one_before(opened: EventHistory) -> None:
    world = EventWorld(chain_of(opened), opened, 12)
    world.advance()
    world.chain.mine(world.chain.timestamp + 12)
    world.chain.mine(world.chain.timestamp + 12)
    before = world.chain.timestamp
    world.advance()
    assert world.chain.timestamp == before + 1


@pytest.mark.parametrize("constant", [False, True])
def test_feeds_speak_when_they_are_due(opened: EventHistory, constant: bool) -> None:
    chain = chain_of(opened, reference_feed="gold")
    at, price = opened.opened_at, chain.market.price(opened.opening.sqrt_price_x96)
    feed = Feed(name="gold", heartbeat_seconds=600, said=price, said_at=at, constant=constant)
    world = EventWorld(chain, opened, 60, feeds=[feed])
    said, expected, heard = (at, price), [], []
    while world.advance():
        price = said[1] if constant else world.fair_price
        moved = abs(price / said[1] - 1) >= FEED_DEVIATION
        if moved or chain.timestamp - said[0] >= 600:
            said = (chain.timestamp, price)
            expected.append(said)
        heard += [(r.updated_at, r.price) for r in chain.observe().references]
    assert list(dict.fromkeys(heard)) == expected
    assert 1 < len(expected) < world.progress[0] - 5


def test_the_base_fee_walks_only_where_it_is_asked_to(opened: EventHistory) -> None:
    def fees(base_fee: BaseFee | None) -> list[int]:
        world, found = EventWorld(chain_of(opened), opened, 60, base_fee=base_fee), []
        while world.advance():
            found.append(world.chain.base_fee_wei)
        return found

    walk = BaseFee(1)
    assert set(fees(None)) == {10**9}
    walked = fees(BaseFee(1))
    assert walked == [walk.next_wei() for _ in walked]


def test_a_sleeper_wakes_at_the_first_turn_that_it_asked_for(opened: EventHistory) -> None:
    def doze(until: int, below: int) -> Doze:
        wide = {"fair_low": Decimal(0), "fair_high": Decimal(10**9)}
        return Doze(until=until, sqrt_low_x96=below, sqrt_high_x96=2**160, **wide)

    awake, late = EventWorld(chain_of(opened), opened, 60), opened.opened_at + 10**7
    prices = []
    while awake.advance():
        prices.append(awake.chain.pool.sqrt_price_x96)
    lowest = min(prices)
    sleeper = EventWorld(chain_of(opened), opened, 60)
    assert sleeper.advance_to(doze(late, lowest + 1))
    assert sleeper.progress[0] == prices.index(lowest) + 1
    sleeper = EventWorld(chain_of(opened), opened, 60)
    assert sleeper.advance_to(doze(opened.opened_at + 301, 0))
    assert sleeper.progress[0] == 6
    assert sleeper.advance_to(doze(late, 0))
    assert sleeper.progress[0] == len(prices)
    assert seen(sleeper) == seen(awake)
    assert not sleeper.advance_to(doze(late, 0))


def test_another_pools_history_is_refused(opened: EventHistory, history: EventHistory) -> None:
    other = replace(opened, opening=replace(opened.opening, fee=3000))
    with pytest.raises(BadInput, match="fee 3000"):
        EventWorld(chain_of(opened), other, 60)
    with pytest.raises(BadInput, match="before its pool had a price"):
        EventWorld(chain_of(opened), history, 60)
    later = cut(opened, since=opened.events.timestamps[50])
    with pytest.raises(BadInput, match="another price"):
        EventWorld(chain_of(opened), later, 60)


def test_a_protocols_share_can_be_given(opened: EventHistory) -> None:
    pools = [h.opened() for h in (opened, opened.with_fee_protocol(68))]
    for pool in pools:
        replay(pool, opened)
    assert pools[0].sqrt_price_x96 == pools[1].sqrt_price_x96
    assert pools[1].protocol_fees0 > pools[0].protocol_fees0 == 0
    ratio = pools[1].fee_growth_global0_x128 / pools[0].fee_growth_global0_x128
    assert ratio == pytest.approx(0.75, abs=1e-3)
