"""One contestant through a scenario: its track, in the shape that the live code's runs have.

Those without a live strategy look on as rarely as the live code may: at every move of the price by
``doze.STRIDE``, and at least once in ``doze.LONGEST``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from dexmm.backtest.compare.contestants import (
    Contestant,
    Holding,
    Live,
    Rebalanced,
    Static,
    opening_steps,
)
from dexmm.backtest.compare.rows import Row, row_of
from dexmm.backtest.event_world import assumed, run_scenario, world_of
from dexmm.backtest.fast_forward import LONGEST, STRIDE
from dexmm.backtest.recorder import Recorder
from dexmm.backtest.run import Scenario, Watch, complete, finish, with_strategy
from dexmm.backtest.sensitivity import AtRatio, at_ratio
from dexmm.errors import BadInput
from dexmm.model.decision import Decision, State, Trigger
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import ChainStep, Outcome
from dexmm.performance.attribution import Flow, Mark, Source
from dexmm.performance.metrics import figures
from dexmm.performance.rebalanced import Keeper, Rebalancing
from dexmm.performance.track.track import Action, Track, TrackPoint
from dexmm.sim.candle_world import CandleWorld, Doze, World
from dexmm.sim.chain.chain import SimChain
from dexmm.sim.replay.event_replay import EventWorld
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import PRICE

ZERO = Decimal(0)

Look = Callable[[World], None]


def play_row(scenario: Scenario, contestant: Contestant, watch: Watch) -> Row:
    """What ``workers`` runs in a process of its own."""
    return row_of(play(scenario, contestant, watch), contestant.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Who runs over which history, and at which pay ratio; None: the scenario's own."""

    history: int
    who: Contestant
    ratio: Decimal | None = None


def play_entrant(scenarios: Sequence[Scenario], entrant: Entrant, watch: Watch) -> Row | AtRatio:
    """As ``play_row``; at another ratio only what the run came to."""
    scenario, ratio = scenarios[entrant.history], entrant.ratio
    if ratio is None:
        return play_row(scenario, entrant.who, watch)
    return at_ratio(ratio, figures(play(replace(scenario, pay_ratio=ratio), entrant.who, watch)))


def play(scenario: Scenario, contestant: Contestant, watch: Watch) -> Track:
    """The whole history, in a world of its own. Raises ``BadInput`` as ``run_backtest`` does."""
    match contestant:
        case Live():
            config = contestant.config or scenario.config
            decided = with_strategy(replace(scenario, config=config), contestant.strategy)
            track = run_scenario(decided, watch).track
        case Static() | Holding():
            track = _look_on(scenario, contestant, watch)
        case Rebalanced():
            track = _rebalance(scenario, contestant, watch)
    return replace(track, name=contestant.name, assumptions=assumed(scenario))


def _look_on(scenario: Scenario, who: Static | Holding, watch: Watch) -> Track:
    world = _alone(scenario)
    recorder = Recorder(world.chain.market)
    turns = 0

    def look(world: World) -> None:
        nonlocal turns
        view, tally, moves = world.chain.observe(), world.chain.tally, world.take_moves()
        steps = tuple(opening_steps(view, who)) if isinstance(who, Static) and not turns else ()
        turns += 1
        outcomes = tuple(_sent(world.chain, step, who.name) for step in steps)
        recorder.saw(
            _entry(view, world.fair_price, turns, steps, outcomes),
            world.fair_price,
            tally,
            moves=moves,
        )

    _pass(world, scenario, look, watch)
    chain = world.chain
    moves = world.take_moves()
    recorder.ended(chain.observe(), None, world.fair_price, chain.tally, moves=moves)
    return finish(recorder, scenario, turns, "").track


def _alone(scenario: Scenario) -> CandleWorld | EventWorld:
    """A world without an exchange, all of the capital in the wallet."""
    return world_of(complete(replace(scenario, exchange=None)))


def _sent(chain: SimChain, step: ChainStep, name: str) -> Outcome:
    outcome = chain.send(step, lambda _simulation: None)
    if outcome.status != "mined":
        raise BadInput(
            f"{name} could not {step.kind} with this capital: {outcome.detail}; raise --capital, "
            "or leave it out of the comparison"
        )
    return outcome


def _pass(world: CandleWorld | EventWorld, scenario: Scenario, look: Look, watch: Watch) -> None:
    """Look at every turn, or at those that a sleeper would take."""
    moved = world.advance()
    if not moved:
        raise BadInput("the history is shorter than the time between two turns")
    while moved:
        look(world)
        if scenario.every_turn:
            moved = world.advance()
        else:
            moved = world.advance_to(_nap(world))
        watch(*world.progress)


def _nap(world: World) -> Doze:
    fair, sqrt = world.fair_price, world.chain.sqrt_price_x96
    half = int(sqrt * STRIDE) // 2  # of the square root
    return Doze(
        until=world.chain.timestamp + LONGEST,
        fair_low=fair * (1 - STRIDE),
        fair_high=fair * (1 + STRIDE),
        sqrt_low_x96=sqrt - half,
        sqrt_high_x96=sqrt + half,
    )


def _entry(
    view: ChainView,
    fair_price: Decimal,
    number: int,
    steps: tuple[ChainStep, ...],
    outcomes: tuple[Outcome, ...],
) -> Entry:
    """A turn of somebody who decides once and then only looks."""
    held = inventory(view, fair_price)
    return Entry(
        id=number,
        at=view.block.timestamp,
        config="",
        snapshot=Snapshot(observed_at=view.block.timestamp, chain=view),
        decision=Decision(
            state=State.ACTIVE,
            trigger=Trigger.START if steps else None,
            reason="minted once, to be left alone" if steps else "nothing to decide",
            targets=(),
            swap=None,
            observation_cardinality=view.pool.observation_cardinality_next,
            refusals=(),
            withheld=False,
            fair_price=fair_price,
            share=held.share,
            nav=held.nav,
            sigma=ZERO,
        ),
        steps=steps,
        outcomes=outcomes,
        memory=Memory(),
    )


def _rebalance(scenario: Scenario, who: Rebalanced, watch: Watch) -> Track:
    world = _alone(scenario)
    market, strategy = scenario.market, scenario.config.strategy
    trader = _Trader(world, who, strategy.target, who.cost_in(market))
    _pass(world, scenario, trader.look, watch)
    recorder = Recorder(market)
    recorder.points, recorder.marks, recorder.actions = trader.points, trader.marks, trader.actions
    return finish(recorder, scenario, len(trader.points), "").track


class _Trader:
    """Base and quote at the target share, traded at the fair price whenever they stray."""

    def __init__(self, world: World, who: Rebalanced, target: Decimal, cost: Decimal) -> None:
        held = inventory(world.chain.observe(), world.fair_price)
        terms = Rebalancing(target=target, cost=cost, step=who.step)
        self._keeper = Keeper(held.base_total, held.quote_total, terms)
        self.points: list[TrackPoint] = []
        self.marks: list[Mark] = []
        self.actions: list[Action] = []

    def look(self, world: World) -> None:
        at, fair = world.chain.timestamp, world.fair_price
        flows: tuple[Flow, ...] = ()
        if self.marks:
            flows = self._trade(at, fair)
        base, quote = self._keeper.base, self._keeper.quote
        self.marks.append(Mark(at=at, fair_price=fair, base=base, quote=quote, flows=flows))
        with localcontext(PRICE):
            nav = base * fair + quote
            self.points.append(
                TrackPoint(
                    at=at,
                    fair_price=fair,
                    pool_price=world.chain.market.price(world.chain.sqrt_price_x96),
                    share=base * fair / nav,
                    nav=nav,
                    in_range=False,
                    ranges=(),
                    state=State.ACTIVE.value,
                )
            )

    def _trade(self, at: int, fair: Decimal) -> tuple[Flow, ...]:
        trade = self._keeper.trade(fair)
        if trade is None:
            return ()
        self.actions.append(
            Action(
                at=at,
                kind="hedge",
                status="done",
                reason=f"the share strayed to {trade.share * 100:.1f} %",
                turnover_quote=abs(trade.base) * fair,
            )
        )
        return (Flow(source=Source.SWAP, base=trade.base, quote=trade.quote),)


def sentences(contestants: Sequence[Contestant], scenario: Scenario) -> tuple[str, ...]:
    """What those without a live strategy are assumed to do."""
    told = []
    if scenario.exchange is not None:
        told.append(
            "Only live strategies use the exchange, and a part of their capital is there; the "
            "others have all of theirs on chain."
        )
    if static := [who.name for who in contestants if isinstance(who, Static)]:
        told.append(
            f"{', '.join(static)}: minted once at the first turn with as much as both tokens can "
            "pay for at the range's ratio, and never moved; the rest stays idle, so that nobody "
            "begins with another exposure than the others."
        )
    for who in contestants:
        if isinstance(who, Holding):
            told.append(f"{who.name}: the inventory of the start, without fees and without gas.")
        if isinstance(who, Rebalanced):
            cost = (who.cost_in(scenario.market) * 10_000).normalize()
            told.append(
                f"{who.name}: no liquidity; base is traded back to "
                f"{scenario.config.strategy.target * 100:.0f} % at the fair price and a cost of "
                f"{cost:f} bp whenever the share is more than "
                f"{(who.step * 100).normalize():f} % of the whole away from it."
            )
    return tuple(told)
