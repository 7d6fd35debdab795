"""The pool in memory and the deployed bytecode, given the same calls, side by side.

Hypothesis writes sequences of every operation the contract has, good and bad, with payments in
full, short and re-entrant. After each operation the results or the revert reasons are equal,
and so is everything the contract stores: every tick, bitmap word, observation, position, fee
and balance.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import astuple, dataclass, field
from typing import Any

import pytest
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector as selector
from eth_utils import keccak
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dexmm.uniswap.errors import Revert
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.position import pack_position_key
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MIN_SQRT_RATIO,
    get_sqrt_ratio_at_tick,
    max_usable_tick,
    min_usable_tick,
)

GENESIS = 1_700_000_000
MAX_UINT128 = 2**128 - 1
PAYMENT = "(uint256,uint256,uint256,uint256,bool)"
SLOT0 = "(uint160,int24,uint16,uint16,uint16,uint8,bool)"
STATE = f"({SLOT0},uint128,uint256,uint256,uint128,uint128,uint256,uint256)"
TICK = "(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)"
OBSERVATION = "(uint32,int56,uint160,bool)"
POSITION = "(uint128,uint256,uint256,uint128,uint128)"
# All but T, which no call of a pool can reach, and LA, which more than one tick's limit prevents.
REASONS = (
    *("", "I", "LOK", "AI", "R", "TLU", "TLM", "TUM", "LO", "LS", "NP", "M0", "M1"),
    *("AS", "SPL", "IIA", "L", "F0", "F1", "OLD"),
)
RETURNS = {
    "initialize": [],
    "mint": ["uint256", "uint256"],
    "burn": ["uint256", "uint256"],
    "collect": ["uint128", "uint128"],
    "swap": ["int256", "int256"],
    "flash": [],
    "setFeeProtocol": [],
    "collectProtocol": ["uint128", "uint128"],
    "increaseObservationCardinalityNext": [],
    "observe": ["int56[]", "uint160[]"],
    "snapshotCumulativesInside": ["int56", "uint160", "uint32"],
}


@dataclass(frozen=True)
class Payment:
    """What a callback leaves unpaid or pays too much, and whether it re-enters first."""

    short0: int = 0
    short1: int = 0
    extra0: int = 0
    extra1: int = 0
    reenter: bool = False


IN_FULL = Payment()


@dataclass
class World:
    """One pool twice."""

    evm: Any
    fee: int
    tick_spacing: int
    log: Counter[str] = field(default_factory=Counter)
    keys: set[tuple[str, int, int]] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    balance0: int = 0
    balance1: int = 0

    def __post_init__(self) -> None:
        evm = self.evm
        tokens = [evm.deploy("FreeToken") for _ in range(2)]
        factory = evm.deploy("UniswapV3Factory")
        self.owners = [evm.deploy("PoolHarness") for _ in range(2)]
        self.harness = self.owners[0]
        if (self.fee, self.tick_spacing) not in {(500, 10), (3000, 60), (10000, 200)}:
            data = encode(["uint24", "int24"], [self.fee, self.tick_spacing])
            evm.send(factory, selector("enableFeeAmount(uint24,int24)") + data)
        pair = encode(["address", "address", "uint24"], [*tokens, self.fee])
        evm.send(factory, selector("createPool(address,address,uint24)") + pair)
        data = encode(["address"], [self.harness])
        evm.send(factory, selector("setOwner(address)") + data)
        answer = evm.call(factory, selector("getPool(address,address,uint24)") + pair)
        self.address: str = decode(["address"], answer)[0]
        self.pool = Pool(self.fee, self.tick_spacing, evm.timestamp)

    def wait(self, seconds: int) -> None:
        self.evm.timestamp += seconds
        self.pool.timestamp = self.evm.timestamp

    def on_chain(self, name: str, to: str, data: bytes, owner: str | None = None) -> Any:
        """The result of a call through a harness, or the contract's revert reason."""
        attempt = selector("attempt(address,bytes)") + encode(["address", "bytes"], [to, data])
        answer = self.evm.send(owner or self.harness, attempt)
        ok, result = decode(["bool", "bytes"], answer)
        if ok:
            return decode(RETURNS[name], result)
        return reason(result)

    def both(
        self, name: str, expected: Any, to: str, data: bytes, owner: str | None = None
    ) -> bool:
        """Compare one operation's result; whether it went through."""
        assert self.on_chain(name, to, data, owner) == expected, name
        reverted = isinstance(expected, str)
        self.log[name] += 1
        self.log["reverted" if reverted else "done"] += 1
        if reverted:
            self.log[f"reason {expected!r}"] += 1
        return not reverted

    def payment(self, payment: Payment, asked0: int = 0, asked1: int = 0) -> Any:
        """The model's callback; ``asked`` is what a flash loan must return besides the fee."""

        def pay(amount0: int, amount1: int) -> tuple[int, int]:
            if payment.reenter:
                self.pool.mint(self.harness, -60, 60, 1)
            due0, due1 = amount0 + asked0, amount1 + asked1
            arrived0 = due0 - payment.short0 + payment.extra0 if due0 > 0 else 0
            arrived1 = due1 - payment.short1 + payment.extra1 if due1 > 0 else 0
            return arrived0, arrived1

        return pay if payment != IN_FULL else None

    # -- operations -----------------------------------------------------------------------------

    def initialize(self, price: int) -> None:
        expected = result(lambda: self.pool.initialize(price))
        data = selector("initialize(uint160)") + encode(["uint160"], [price])
        self.both("initialize", expected, self.address, data)

    def mint(self, who: int, lower: int, upper: int, amount: int, payment: Payment) -> None:
        owner = self.owners[who]
        expected = result(
            lambda: self.pool.mint(owner, lower, upper, amount, self.payment(payment))
        )
        data = selector(f"mint(address,int24,int24,uint128,{PAYMENT})") + encode(
            ["address", "int24", "int24", "uint128", PAYMENT],
            [self.address, lower, upper, amount, astuple(payment)],
        )
        self.keys.add((owner, lower, upper))
        self.touched |= {lower, upper}
        if self.both("mint", expected, owner, data, owner):
            self.receive(*expected, payment)

    def burn(self, who: int, lower: int, upper: int, amount: int) -> None:
        owner = self.owners[who]
        expected = result(lambda: self.pool.burn(owner, lower, upper, amount))
        data = encode(["int24", "int24", "uint128"], [lower, upper, amount])
        self.both(
            "burn", expected, self.address, selector("burn(int24,int24,uint128)") + data, owner
        )

    def collect(self, who: int, lower: int, upper: int, most0: int, most1: int) -> None:
        owner = self.owners[who]
        expected = result(lambda: self.pool.collect(owner, lower, upper, most0, most1))
        data = selector("collect(address,int24,int24,uint128,uint128)") + encode(
            ["address", "int24", "int24", "uint128", "uint128"], [owner, lower, upper, most0, most1]
        )
        if self.both("collect", expected, self.address, data, owner):
            self.receive(-expected[0], -expected[1], IN_FULL)

    def swap(self, zero_for_one: bool, amount: int, limit: int, payment: Payment) -> None:
        expected = result(
            lambda: self.pool.swap(zero_for_one, amount, limit, self.payment(payment))
        )
        data = selector(f"swap(address,bool,int256,uint160,{PAYMENT})") + encode(
            ["address", "bool", "int256", "uint160", PAYMENT],
            [self.address, zero_for_one, amount, limit, astuple(payment)],
        )
        if self.both("swap", expected, self.harness, data):
            self.receive(*expected, payment)

    def flash(self, amount0: int, amount1: int, payment: Payment) -> None:
        outcome = result(
            lambda: self.pool.flash(amount0, amount1, self.payment(payment, amount0, amount1))
        )
        data = selector(f"flash(address,uint256,uint256,{PAYMENT})") + encode(
            ["address", "uint256", "uint256", PAYMENT],
            [self.address, amount0, amount1, astuple(payment)],
        )
        expected = outcome if isinstance(outcome, str) else ()
        if self.both("flash", expected, self.harness, data):
            self.receive(*outcome, IN_FULL)

    def set_fee_protocol(self, share0: int, share1: int) -> None:
        expected = result(lambda: self.pool.set_fee_protocol(share0, share1))
        data = selector("setFeeProtocol(uint8,uint8)") + encode(
            ["uint8", "uint8"], [share0, share1]
        )
        self.both("setFeeProtocol", expected, self.address, data)

    def collect_protocol(self, most0: int, most1: int) -> None:
        expected = result(lambda: self.pool.collect_protocol(most0, most1))
        data = selector("collectProtocol(address,uint128,uint128)") + encode(
            ["address", "uint128", "uint128"], [self.harness, most0, most1]
        )
        if self.both("collectProtocol", expected, self.address, data):
            self.receive(-expected[0], -expected[1], IN_FULL)

    def grow(self, cardinality: int) -> None:
        expected = result(lambda: self.pool.increase_observation_cardinality_next(cardinality))
        data = encode(["uint16"], [cardinality])
        signature = "increaseObservationCardinalityNext(uint16)"
        self.both(signature.partition("(")[0], expected, self.address, selector(signature) + data)

    def observe(self, agos: list[int]) -> None:
        expected = result(lambda: self.pool.observe(agos))
        data = selector("observe(uint32[])") + encode(["uint32[]"], [agos])
        self.both("observe", expected, self.address, data)

    def snapshot(self, lower: int, upper: int) -> None:
        expected = result(lambda: self.pool.snapshot_cumulatives_inside(lower, upper))
        data = encode(["int24", "int24"], [lower, upper])
        signature = "snapshotCumulativesInside(int24,int24)"
        self.both(signature.partition("(")[0], expected, self.address, selector(signature) + data)

    def receive(self, amount0: int, amount1: int, payment: Payment) -> None:
        self.balance0 += amount0 + (payment.extra0 if amount0 > 0 else 0)
        self.balance1 += amount1 + (payment.extra1 if amount1 > 0 else 0)

    # -- the whole state ------------------------------------------------------------------------

    def read(self, function: str, kinds: list[str], values: list[Any], returns: str) -> Any:
        data = selector(f"{function}({','.join(['address', *kinds])})")
        data += encode(["address", *kinds], [self.address, *values])
        return decode([returns], self.evm.call(self.harness, data))[0]

    def compare(self) -> None:
        pool = self.pool
        slot0 = (
            pool.sqrt_price_x96,
            pool.tick,
            pool.observation_index,
            pool.observation_cardinality,
            pool.observation_cardinality_next,
            pool.fee_protocol,
            pool.unlocked,
        )
        growth = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
        fees = pool.protocol_fees0, pool.protocol_fees1
        whole = (slot0, pool.liquidity, *growth, *fees, self.balance0, self.balance1)
        assert self.read("state", [], [], STATE) == whole
        ticks = sorted({tick for tick in self.touched if abs(tick) < 2**23} | set(pool.ticks))
        infos = [(*astuple(pool.ticks[tick]), tick in pool.ticks) for tick in ticks]
        assert self.read("ticks", ["int24[]"], [ticks], f"{TICK}[]") == tuple(infos)
        words = sorted({tick // self.tick_spacing >> 8 for tick in ticks})
        bits = tuple(pool.ticks.word(word) for word in words)
        assert self.read("words", ["int16[]"], [words], "uint256[]") == bits
        keys = sorted(self.keys)
        hashes = [keccak(pack_position_key(bytes.fromhex(o[2:]), *at)) for o, *at in keys]
        held = tuple(astuple(pool.position(*key)) for key in keys)
        assert self.read("positions", ["bytes32[]"], [hashes], f"{POSITION}[]") == held
        ring = tuple(tuple(row) for row in pool.observations)
        count = len(ring)
        seen = self.read("observations", ["uint256"], [count + 1], f"{OBSERVATION}[]")
        assert seen == (*ring, (0, 0, 0, False))


def result(operation: Any) -> Any:
    """What the model returned, as the contract would, or the reason it reverted."""
    try:
        value = operation()
    except Revert as revert:
        return revert.reason
    return () if value is None else value


def reason(data: bytes) -> str:
    """The string of ``Error(string)``; empty for a bare revert."""
    if not data:
        return ""
    assert data[:4] == selector("Error(string)")
    return str(decode(["string"], data[4:])[0])


# -- what Hypothesis may ask for ------------------------------------------------------------------


def sizes(bits: int) -> st.SearchStrategy[int]:
    """Numbers of every length up to ``bits``, each length as likely as the others."""
    return st.integers(0, bits).flatmap(lambda n: st.integers(0, (1 << n) - 1))


@st.composite
def tick_ranges(draw: st.DrawFn, world_spacing: int) -> tuple[int, int]:
    """Mostly ranges on the grid near the price; some at the ends; a few impossible."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        anywhere = st.integers(-887_300, 887_300)
        return draw(anywhere), draw(anywhere)
    if kind == 1:
        return min_usable_tick(world_spacing), max_usable_tick(world_spacing)
    lower = draw(st.integers(-8, 7))
    upper = draw(st.integers(lower + 1, 8)) if kind > 2 else draw(st.integers(-8, 8))
    reach = draw(st.sampled_from((1, 1, 1, 40, 300)))
    last = max_usable_tick(world_spacing)
    if reach * world_spacing > last // 8:
        reach = 1
    step = reach * world_spacing
    return max(min(lower * step, last), -last), max(min(upper * step, last), -last)


payments = st.one_of(
    *[st.just(IN_FULL)] * 12,
    st.builds(Payment, short0=st.just(1)),
    st.builds(Payment, short1=st.just(1)),
    st.builds(Payment, extra0=sizes(60), extra1=sizes(60)),
    st.just(Payment(reenter=True)),
)
liquidities = st.one_of(
    *[st.integers(10**12, 10**20)] * 6,
    sizes(128),
    st.sampled_from((0, 1, 2**127 - 1, 2**127, MAX_UINT128)),
)
amounts = st.one_of(*[sizes(80)] * 5, sizes(255), st.sampled_from((0, 1, 2**255 - 1)))
starts = st.one_of(
    st.just(2**96),
    *[st.integers(-3000, 3000).map(get_sqrt_ratio_at_tick)] * 2,
    *[st.integers(2**95, 2**97)] * 3,
    st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1),
)
agos = st.lists(st.one_of(st.integers(0, 300), sizes(32)), min_size=1, max_size=4)
MENU = (
    ("mint", 6),
    ("burn", 4),
    ("collect", 3),
    ("swap", 12),
    ("set_fee_protocol", 1),
    ("collect_protocol", 1),
    ("grow", 1),
    ("observe", 2),
    ("snapshot", 1),
    ("flash", 1),
    ("initialize", 1),
)


def play_one(draw: Any, world: World) -> None:
    """One operation, drawn from the whole menu."""
    name = draw(st.sampled_from([name for name, weight in MENU for _ in range(weight)]))
    pool = world.pool
    held = [key for key, info in pool.positions.items() if info.liquidity or info.tokens_owed0]
    if name == "mint":
        ticks = draw(tick_ranges(world.tick_spacing))
        world.mint(draw(st.integers(0, 1)), *ticks, draw(liquidities), draw(payments))
    elif name in ("burn", "collect"):
        if held and draw(st.integers(0, 9)):
            owner, *ticks = draw(st.sampled_from(held))
            who = world.owners.index(owner)
        else:
            who, ticks = draw(st.integers(0, 1)), list(draw(tick_ranges(world.tick_spacing)))
        liquidity = pool.position(world.owners[who], *ticks).liquidity
        if name == "burn":
            part = draw(st.sampled_from((liquidity, liquidity, liquidity // 3, 0, liquidity + 1)))
            world.burn(who, *ticks, draw(st.one_of(*[st.just(part)] * 4, sizes(128))))
        else:
            most = st.one_of(st.just(MAX_UINT128), st.just(MAX_UINT128), sizes(60))
            world.collect(who, *ticks, draw(most), draw(most))
    elif name == "swap":
        zero_for_one = draw(st.booleans())
        amount = draw(amounts) * draw(st.sampled_from((1, -1)))
        world.swap(zero_for_one, amount, draw_limit(draw, world, zero_for_one), draw(payments))
    elif name == "flash":
        world.flash(draw(sizes(80)), draw(sizes(80)), draw(payments))
    elif name == "set_fee_protocol":
        share = st.sampled_from((0, 4, 6, 10, 10, 3, 11))
        world.set_fee_protocol(draw(share), draw(share))
    elif name == "collect_protocol":
        most = st.one_of(st.just(MAX_UINT128), sizes(40))
        world.collect_protocol(draw(most), draw(most))
    elif name == "grow":
        world.grow(draw(st.integers(0, 12)))
    elif name == "observe":
        world.observe(draw(agos))
    elif name == "snapshot":
        world.snapshot(*draw(tick_ranges(world.tick_spacing)))
    else:
        world.initialize(draw(sizes(160)))


def draw_limit(draw: Any, world: World, zero_for_one: bool) -> int:
    """No limit, the exact price of a tick nearby, a price nearby, or any number."""
    kind = draw(st.integers(0, 9))
    if kind < 5:
        return MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
    if kind == 9:
        return draw(sizes(160))
    away = draw(st.integers(1, 600)) * world.tick_spacing
    tick = world.pool.tick + (-away if zero_for_one else away)
    tick = min(max(tick // world.tick_spacing * world.tick_spacing, -887_272), 887_272)
    return get_sqrt_ratio_at_tick(tick) + (draw(st.integers(-2, 2)) if kind == 8 else 0)


def play(data: st.DataObject, evm: Any, operations: int, pauses: tuple[int, ...]) -> Counter[str]:
    """A whole sequence on a new pool, compared after every operation."""
    draw = data.draw
    fee, spacing = draw(
        st.sampled_from(((500, 10), (3000, 60), (10000, 200), (100, 1), (0, 7), (999_999, 16383)))
    )
    world = World(evm, fee, spacing)
    if draw(st.integers(0, 4)) == 0:  # a pool without a price refuses almost everything
        for _ in range(3):
            play_one(draw, world)
            world.compare()
    world.initialize(draw(starts))
    world.compare()
    world.mint(0, *draw(tick_ranges(spacing)), draw(st.integers(10**15, 10**20)), IN_FULL)
    for _ in range(operations):
        world.wait(draw(st.sampled_from(pauses)))
        play_one(draw, world)
        world.compare()
    return world.log


SLOW_BY_NATURE = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.function_scoped_fixture,
    HealthCheck.large_base_example,
)
QUIET = {"deadline": None, "derandomize": True, "suppress_health_check": SLOW_BY_NATURE}


def test_revm_agrees_through_any_sequence(revm: Any) -> None:
    total: Counter[str] = Counter()

    @settings(max_examples=120, phases=(Phase.explicit, Phase.generate), **QUIET)
    @given(st.data())
    def sequence(data: st.DataObject) -> None:
        # The clock starts anywhere, also shortly before 32 bits of seconds run out.
        revm.timestamp = data.draw(st.sampled_from((1_700_000_000, 2**32 - 100, 2**33 + 5)))
        total.update(play(data, revm, 25, (0, 0, 1, 12, 12, 600, 100_000)))

    sequence()
    print(total)
    assert total["done"] > 1000


@pytest.mark.anvil
def test_anvil_agrees_through_any_sequence(anvil_evm: Any) -> None:
    total: Counter[str] = Counter()

    @settings(max_examples=16, phases=(Phase.explicit, Phase.generate), **QUIET)
    @given(st.data())
    def sequence(data: st.DataObject) -> None:
        anvil_evm.timestamp += 12
        total.update(play(data, anvil_evm, 25, (1, 12, 12, 600, 100_000)))

    sequence()
    print(total)
    assert sum(total[name] for name in RETURNS) > 200
    assert total["done"] > 200


def test_every_reason_is_given_where_the_contract_gives_it(revm: Any) -> None:
    revm.timestamp = GENESIS
    world = World(revm, 3000, 60)
    short0, short1 = Payment(short0=1), Payment(short1=1)
    end0, end1 = MIN_SQRT_RATIO + 1, MAX_SQRT_RATIO - 1
    world.observe([0])
    world.mint(0, -60, 60, 1, IN_FULL)
    world.initialize(MIN_SQRT_RATIO - 1)
    world.initialize(2**96)
    world.initialize(2**96)
    world.flash(1, 1, IN_FULL)
    world.burn(0, -60, 60, 0)
    world.mint(0, 60, 60, 1, IN_FULL)
    world.mint(0, -887_280, 60, 1, IN_FULL)
    world.mint(0, -60, 887_280, 1, IN_FULL)
    world.mint(0, -60, 60, 2**127 - 1, IN_FULL)
    world.mint(0, -60, 60, world.pool.max_liquidity_per_tick + 1, IN_FULL)
    world.mint(0, -60, 61, 10**18, IN_FULL)
    world.mint(0, -60, 60, 0, IN_FULL)
    world.mint(0, -60, 60, 10**18, short0)
    world.mint(0, -60, 60, 10**18, short1)
    world.mint(0, -60, 60, 10**18, Payment(reenter=True))
    world.mint(0, -60, 60, 10**18, IN_FULL)
    world.burn(1, -60, 60, 1)
    world.burn(0, -60, 60, 10**18 + 1)
    world.swap(True, 0, end0, IN_FULL)
    world.swap(True, 10**15, 2**96, IN_FULL)
    world.swap(False, 10**15, MAX_SQRT_RATIO, IN_FULL)
    world.swap(True, 10**15, end0, short0)
    world.swap(False, 10**15, end1, short1)
    world.flash(10**15, 10**15, short0)
    world.flash(10**15, 10**15, short1)
    world.set_fee_protocol(3, 4)
    world.observe([1])
    world.snapshot(-120, 60)
    world.compare()
    given = {name.partition(" ")[2] for name in world.log if name.startswith("reason")}
    assert given == {repr(reason) for reason in REASONS}


def test_a_long_market_agrees(revm: Any) -> None:
    """Swaps back and forth over ticks that come, go and change, with fees switched on and off.

    What a swap has learned about a stretch must not outlive a mint, a burn or a fee change.
    """
    rng = random.Random(7)  # noqa: S311 - a repeatable market, not a secret
    revm.timestamp = GENESIS
    world = World(revm, 500, 10)
    world.initialize(2**96)
    world.grow(30)
    world.mint(0, -2000, 2000, 10**18, IN_FULL)
    for turn in range(1500):
        world.wait(rng.choice((0, 12, 60)))
        kind = rng.random()
        if kind < 0.75:
            zero_for_one = world.pool.tick > 0 if rng.random() < 0.3 else rng.random() < 0.5
            amount = rng.randint(1, 2 * 10**16) * rng.choice((1, -1))
            limit = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
            world.swap(zero_for_one, amount, limit, IN_FULL)
        elif kind < 0.9:
            lower = rng.randrange(-400, 390, 10)
            upper = rng.randrange(lower + 10, 410, 10)
            world.mint(rng.randrange(2), lower, upper, rng.randint(10**15, 10**18), IN_FULL)
        elif kind < 0.98:
            (owner, *ticks), held = rng.choice(list(world.pool.positions.items()))
            if held.liquidity:
                part = rng.choice((held.liquidity, held.liquidity // 2, 0))
                world.burn(world.owners.index(owner), *ticks, part)
        else:
            world.set_fee_protocol(rng.choice((0, 4, 6)), rng.choice((0, 4, 10)))
        if turn % 10 == 0:
            world.compare()
    world.compare()
    assert world.log["swap"] > 1000
    assert world.log["reverted"] == 0
