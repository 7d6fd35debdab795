"""The baselines once more, on the exact pool, turn by turn with the live strategies' own functions.

What the vectorised path is held against. Amounts are integers, rules are ``strategy/strategies``
in decimals, the street's blocks are those of every simulation, and the figures come from a track
whose accounts close.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, localcontext

from dexmm.backtest.recorder import Recorder
from dexmm.backtest.vectorised.baselines import Baseline, Rule
from dexmm.config.schema import Config
from dexmm.config.schema import Strategy as Settings
from dexmm.history.packed_candles import packed
from dexmm.model.decision import Decision, Role, State
from dexmm.model.entry import Entry
from dexmm.model.market import Block, Market, Token
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import Allowance, Approve, ChainStep, Mint, Removal, Rerange
from dexmm.performance.metrics import Figures, figures
from dexmm.performance.track.track import Track
from dexmm.sim.agents.market_simulator import Street
from dexmm.sim.agents.noise_flow import Flow
from dexmm.sim.agents.price_process import PricePath
from dexmm.sim.agents.price_walk import walk_of
from dexmm.sim.agents.traders import PoolSwap
from dexmm.sim.candle_world import CandleWorld
from dexmm.sim.chain.chain import SimChain, Terms
from dexmm.sim.chain.dry_run import Purse
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.strategy.ranges.held_ranges import HeldRange, Side, edges_of
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.strategy.ranges.range_input import Range, Situation, Stake, ranges
from dexmm.strategy.ranges.slippage_bounds import removal_minimums
from dexmm.strategy.ranges.strategies.passive import passive
from dexmm.strategy.ranges.strategies.recentre import recentre
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity_rounding_up
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick, max_usable_tick
from dexmm.units import PRICE, Amount0, Amount1, to_units_down

WALLET = "0x00000000000000000000000000000000000000AA"
PAXG = Token(address="0x45804880De22913dAFE09f4980848ECE6EcbAf78", symbol="PAXG", decimals=18)
USDT = Token(address="0xdAC17F958D2ee523a2206206994597C13D831ec7", symbol="USDT", decimals=6)
OTHERS = 18 * 10**16  # liquidity, as deep as the simulated pool around its price


def market_of(*, mirrored: bool = False, fee_pips: int = 500, tick_spacing: int = 10) -> Market:
    tokens = (USDT, PAXG) if mirrored else (PAXG, USDT)
    return Market(
        chain_id=1,
        pool="0x7Cb85f75e61226060453a997a7733F76707Df337",
        position_manager="0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
        swap_router="0xE592427A0AEce92De3Edee1F18E0157C05861564",
        token0=tokens[0],
        token1=tokens[1],
        base_is_token0=not mirrored,
        fee_pips=fee_pips,
        tick_spacing=tick_spacing,
    )


def config_of(market: Market, **sections: dict[str, object]) -> Config:
    return Config.model_validate(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
            "market": {
                "pool": market.pool,
                "base": market.base.address,
                "price_low": "1",
                "price_high": "1000000",
            },
            **sections,
        }
    )


class CountingChain(SimChain):
    """Knows how many swaps its pool has seen."""

    swaps = 0

    def swap(self, swap: PoolSwap) -> tuple[int, int]:
        self.swaps += 1
        return super().swap(swap)


def exact_figures(
    path: PricePath,
    market: Market,
    baseline: Baseline,
    *,
    flow: Flow | None = None,
    seed: int = 1,
    others: int = OTHERS,
) -> tuple[Figures, int]:
    """Without gas; and how many swaps there were."""
    maker = Maker(path, market, baseline, flow, seed, others)
    return maker.play(), maker.chain.swaps


class Maker:
    def __init__(
        self,
        path: PricePath,
        market: Market,
        baseline: Baseline,
        flow: Flow | None,
        seed: int,
        others: int,
    ) -> None:
        first = path.candles[0]
        pool = Pool(market.fee_pips, market.tick_spacing, timestamp=first.at)
        pool.initialize(market.sqrt_price_x96(first.open))
        pool.set_fee_protocol(baseline.fee_protocol % 16, baseline.fee_protocol >> 4)
        top = max_usable_tick(market.tick_spacing)
        pool.mint("others", -top, top, others)
        walk = walk_of(path, seed)
        street = Street(market, flow, path.interval_seconds, seed, first.open, (), walk=walk)
        self.market, self.baseline, self.ladder = market, baseline, Ladder.of(market)
        self.settings = Settings(
            edge_sigmas=Decimal("1E-9"),
            edge_min_bp=baseline.edge_bp,
            edge_max_bp=baseline.edge_bp + 1,
        )
        self.chain = CountingChain(
            Terms(
                market=market,
                wallet=WALLET,
                gas_of=lambda _step: 0,
                tip_wei=0,
                twap_seconds=1800,
                eth_price=Decimal(4000),
            ),
            PositionManager(pool, market.position_manager),
            self._purse(first.open),
            Block(number=0, timestamp=first.at, base_fee_wei=0),
        )
        self.world = CandleWorld(self.chain, street, walk, packed(path))
        self.sides: dict[int, Side] = {}
        self.beyond_since: int | None = None
        self.source = path.source

    def _purse(self, price: Decimal) -> Purse:
        market, one = self.market, self.baseline
        base = to_units_down(one.capital * one.target / price, market.base.decimals)
        quote = to_units_down(one.capital * (1 - one.target), market.quote.decimals)
        amounts = (base, quote) if market.base_is_token0 else (quote, base)
        return Purse(amount0=amounts[0], amount1=amounts[1], eth=10**18)

    def play(self) -> Figures:
        recorder = Recorder(self.market)
        turn = 0
        while self.world.advance():
            view, tally, moves = self.chain.observe(), self.chain.tally, self.world.take_moves()
            with localcontext(PRICE):
                steps = tuple(self._steps(view, first=turn == 0))
            outcomes = tuple(self.chain.send(step, lambda _simulation: None) for step in steps)
            assert all(outcome.status == "mined" for outcome in outcomes)
            entry = replace(_looked(view, turn), steps=steps, outcomes=outcomes)
            recorder.saw(entry, self.world.fair_price, tally, moves=moves)
            turn += 1
        moves = self.world.take_moves()
        recorder.ended(
            self.chain.observe(), None, self.world.fair_price, self.chain.tally, moves=moves
        )
        return figures(
            Track(
                name=self.baseline.rule.value,
                source=self.source,
                base="PAXG",
                quote="USDT",
                band_low=self.baseline.band_low,
                band_high=self.baseline.band_high,
                target=self.baseline.target,
                interval_seconds=60,
                points=tuple(recorder.points),
                marks=tuple(recorder.marks),
                actions=tuple(recorder.actions),
            )
        )

    def _steps(self, view: ChainView, *, first: bool) -> Iterator[ChainStep]:
        if self.baseline.rule is Rule.HOLD or not (first or self._due(view)):
            return
        here = self._situation(view)
        wanted = [r for r in self._wanted(here) if self._worth(here, r)]
        if not wanted and not view.positions:
            return
        mints, sides = [], []
        left0 = view.wallet.amount0 + sum(p.amount0 + p.fees0 for p in view.positions)
        left1 = view.wallet.amount1 + sum(p.amount1 + p.fees1 for p in view.positions)
        for one in wanted:
            lower, upper = self.ladder.ticks(one.bid, one.ask)
            amount0, amount1 = get_amounts_for_liquidity_rounding_up(
                view.pool.sqrt_price_x96,
                get_sqrt_ratio_at_tick(lower),
                get_sqrt_ratio_at_tick(upper),
                one.liquidity,
            )
            amount0, amount1 = min(amount0, left0), min(amount1, left1)  # rounded up above
            left0, left1 = left0 - amount0, left1 - amount1
            mints.append(
                Mint(
                    tick_lower=lower,
                    tick_upper=upper,
                    amount0_desired=Amount0(amount0),
                    amount1_desired=Amount1(amount1),
                    amount0_min=Amount0(0),
                    amount1_min=Amount1(0),
                    role=one.role,
                )
            )
            sides.append(_side(here, one))
        if mints:
            yield Approve(
                allowances=tuple(
                    Allowance(
                        token=token.address,
                        spender=self.market.position_manager,
                        amount=2**255,
                        current=0,
                    )
                    for token in (self.market.token0, self.market.token1)
                )
            )
        yield Rerange(
            removals=tuple(
                Removal(
                    token_id=p.token_id,
                    liquidity=p.liquidity,
                    amount0_min=Amount0(0),
                    amount1_min=Amount1(0),
                    burn=True,
                )
                for p in view.positions
            ),
            mints=tuple(mints),
            deadline=2**40,
        )
        next_id = self.chain.manager.next_id
        self.sides = {next_id + number: side for number, side in enumerate(sides)}
        self.beyond_since = None

    def _due(self, view: ChainView) -> bool:
        if self.baseline.rule not in {Rule.RECENTRE, Rule.PASSIVE} or not view.positions:
            return False
        bid, ask = edges_of(self._held(view), self.ladder)
        s = self.ladder.root(view.pool.sqrt_price_x96)
        if self.ladder.root_at(bid) < s < self.ladder.root_at(ask):
            self.beyond_since = None
            return False
        now = view.block.timestamp
        self.beyond_since = now if self.beyond_since is None else self.beyond_since
        return now - self.beyond_since >= self.baseline.dwell_seconds

    def _held(self, view: ChainView) -> tuple[HeldRange, ...]:
        return tuple(
            HeldRange(
                bid=self.ladder.range_of(p)[0],
                ask=self.ladder.range_of(p)[1],
                liquidity=p.liquidity,
                positions=(p,),
                side=self.sides[p.token_id],
            )
            for p in view.positions
        )

    def _situation(self, view: ChainView) -> Situation:
        ladder, sqrt = self.ladder, view.pool.sqrt_price_x96
        wallet = ladder.base_quote(view.wallet.amount0, view.wallet.amount1)
        stakes = []
        for held in self._held(view):
            (p,) = held.positions
            least = removal_minimums(
                sqrt, p.tick_lower, p.tick_upper, p.liquidity, self.baseline.slippage_bp
            )
            there = ladder.base_quote(p.amount0, p.amount1)
            sure = ladder.base_quote(least[0] + p.fees0, least[1] + p.fees1)
            stakes.append(
                Stake(
                    bid=held.bid,
                    ask=held.ask,
                    base=Decimal(there[0]),
                    quote=Decimal(there[1]),
                    sure_base=Decimal(sure[0]),
                    sure_quote=Decimal(sure[1]),
                )
            )
        return Situation(
            ladder=ladder,
            settings=self.settings,
            s=ladder.root(sqrt),
            floor=ladder.floor(sqrt),
            ceiling=ladder.ceiling(sqrt),
            base=Decimal(0),
            quote=Decimal(0),
            sigma=Decimal("1E-9"),
            fee=Decimal(self.market.fee_pips) / 1_000_000,
            wallet_base=Decimal(wallet[0]),
            wallet_quote=Decimal(wallet[1]),
            stakes=tuple(stakes),
        )

    def _wanted(self, here: Situation) -> tuple[Range, ...]:
        if self.baseline.rule is Rule.PASSIVE:
            return passive(here)
        if self.baseline.rule is Rule.FULL_RANGE:
            edges = (-self.ladder.top, self.ladder.top)
            most = here.most(*edges, here.wallet_base, here.wallet_quote)
            return ranges((edges, most, Role.BASE))
        return recentre(here)

    def _worth(self, here: Situation, one: Range) -> bool:
        least = self.baseline.min_position_quote.scaleb(self.market.quote.decimals)
        return here.value(one.bid, one.ask, Decimal(one.liquidity)) >= least


def _side(here: Situation, one: Range) -> Side:
    if here.floor >= one.ask:
        return Side.BID
    return Side.ASK if here.ceiling <= one.bid else Side.BOTH


def _looked(view: ChainView, number: int) -> Entry:
    return Entry(
        id=number,
        at=view.block.timestamp,
        config="",
        snapshot=Snapshot(observed_at=view.block.timestamp, chain=view),
        decision=Decision(
            state=State.ACTIVE,
            trigger=None,
            reason="",
            targets=(),
            swap=None,
            observation_cardinality=0,
            refusals=(),
            withheld=False,
            fair_price=Decimal(0),
            share=Decimal(0),
            nav=Decimal(0),
            sigma=Decimal(0),
        ),
        steps=(),
        outcomes=(),
        memory=Memory(),
    )


def exact_pool_prices(
    path: PricePath, market: Market, flow: Flow | None = None, others: int = OTHERS
) -> list[float]:
    """Quote per base at each turn, in a pool that holds no liquidity of ours."""
    hold = Baseline(rule=Rule.HOLD)
    maker = Maker(path, market, hold, flow, 1, others)
    prices = []
    while maker.world.advance():
        prices.append(float(market.price(maker.chain.sqrt_price_x96)))
    return prices
