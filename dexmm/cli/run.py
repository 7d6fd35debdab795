"""``dexmm run``: the rebalance loop, or one turn of it for cron."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, finish, is_quiet, json_option, load_judged
from dexmm.errors import BadInput, Halt, Transient

if TYPE_CHECKING:
    from dexmm.config.schema import Config
    from dexmm.engine.loop import World
    from dexmm.model.entry import Entry
    from dexmm.model.snapshot import Snapshot

log = logging.getLogger("dexmm.run")


@click.command()
@common_options
@json_option
@click.option(
    "--once",
    is_flag=True,
    help="One turn. With --quiet, as for cron, silent unless something happened.",
)
@click.option("--live", is_flag=True, help="Yes, on mainnet, with real money.")
def run(config_path: Path, as_json: bool, once: bool, live: bool) -> None:
    """Keep the inventory in its band: turn after turn until SIGINT, SIGTERM or SIGHUP.

    The leg in hand is always finished. Exit codes: 0 done, 2 bad configuration, 3 a guard refused
    a wanted action or stands until you act, 4 halted (until `dexmm resume`), 5 not done or not
    known yet, try again later, 6 another process holds the wallet.
    """
    configs = load_judged(config_path)
    if configs[0].network.name == "mainnet" and not live:
        raise BadInput("this is mainnet and real money: repeat with --live, or rehearse on a fork")
    try:
        code = _once(configs, as_json) if once else _forever(configs)
    except Halt as error:
        _keep_halt(configs[0], error)
        raise
    except Transient as error:
        if reason := _halted(configs[0]):
            raise Halt(f"halted: {reason} (and not able to act: {error.message})") from None
        raise
    finish(code)


def _halted(config: Config) -> str:
    """Why nothing may act, where that is seen; empty where it is not, as behind missing rights."""
    from dexmm.store.flags import HaltFlag

    flag = HaltFlag(config.state_dir)
    return flag.reason() if flag.where() else ""


def _keep_halt(config: Config, error: Halt) -> None:
    """Exit code 4 says that HALT is set: nothing acts again before a person has looked."""
    from dexmm.store.flags import HaltFlag

    flag = HaltFlag(config.state_dir)
    if not flag.reason():
        flag.set(error.message)


def _once(configs: Sequence[Config], as_json: bool) -> int:
    """Every market once. A market that cannot be seen now does not keep the others waiting.

    Nobody would look after quotes once this process has ended, so none are placed.
    """
    from dexmm.engine.loop import (
        FAILED,
        HALTED,
        Shutdown,
        exit_code,
        exit_of,
        exit_unseen,
        keep_halted,
        run_once,
        worst,
    )
    from dexmm.wiring.live import open_worlds

    codes: list[int] = []
    told: list[dict[str, object]] = []
    failure: Transient | None = None
    shutdown = Shutdown()
    with shutdown.on_signals():
        for world in open_worlds([_unquoted(config) for config in configs]):
            try:
                if world.journal.memory().seen_at is None:
                    judge_market(world)
                entry = run_once(world, shutdown)
            except Transient as error:
                exit_unseen(world, exit_of(world, several=len(configs) > 1))
                failure = error
                if len(configs) > 1:
                    log.warning("%s skipped: %s", world.config.market.name, error.message)
                continue
            if len(configs) == 1:
                keep_halted(world, entry)
            meanwhile = "" if entry.snapshot.halted else world.journal.halted()
            ended = exit_of(world, several=len(configs) > 1).after(entry.memory.halted, entry)
            if ended is not None and ended.exit_code == FAILED:
                codes.append(FAILED)
            else:
                codes.append(HALTED if meanwhile else exit_code(entry))
            facts = _facts(entry, codes[-1])
            told.append({"market": world.config.market.name, **facts, "exit": ended})
            if not as_json:
                _tell(entry, codes[-1], world.config.market.name if len(configs) > 1 else "")
                if meanwhile and not entry.memory.halted:
                    click.echo(f"dexmm: HALT was set while it ran: {meanwhile}", err=True)
    if failure is not None and not codes:
        raise failure
    code = worst([*codes, *([FAILED] if failure is not None else [])])
    if as_json:
        answer(told[0] if len(configs) == 1 else {"markets": told, "exit_code": code})
    return code


def _unquoted(config: Config) -> Config:
    if not config.quotes.enabled:
        return config
    if not config.market.has_pool:
        raise BadInput("there is nothing but quotes to run, and they need the loop: leave --once")
    quotes = config.quotes.model_copy(update={"enabled": False})
    return config.model_copy(update={"quotes": quotes})


def _tell(entry: Entry, code: int, market: str) -> None:
    """What happened, and one line where nothing did, unless ``--quiet``.

    ``market`` is named where it is one of several.
    """
    from dexmm.engine.loop import FAILED, HALTED, standing
    from dexmm.performance.entry_text import events, headline

    lines = events(entry)
    if not entry.decision.withheld and code != HALTED:
        lines += [f"stands until you act: {r.rule}: {r.detail}" for r in standing(entry)]
    stale = [r.detail for r in entry.decision.refusals if r.rule == "stale_block"]
    stands = f"{market}  {headline(entry)}" if market else headline(entry)
    if lines:
        click.echo("\n".join([stands, *(f"  {line}" for line in lines)]))
    elif code == HALTED:
        click.echo(f"dexmm: {entry.decision.reason}: {_why_halted(entry)}", err=True)
    elif stale and code == FAILED:  # it decided nothing that counts
        click.echo(f"dexmm: {stale[0]}", err=True)
    elif not is_quiet():
        what = "only quotes were moved" if entry.outcomes else "nothing done"
        click.echo(f"{stands}  {what}: {entry.decision.reason}")


def _why_halted(entry: Entry) -> str:
    """What the flag says, or the guards that tripped in this turn."""
    from dexmm.strategy.decide import HALTING

    refusals = [r for r in entry.decision.refusals if r.rule in HALTING]
    flagged = [r.detail for r in refusals if r.rule == "halted"]
    return "; ".join(dict.fromkeys(flagged or [f"{r.rule}: {r.detail}" for r in refusals]))


def _forever(configs: Sequence[Config]) -> int:
    from dexmm.engine.loop import Shutdown, run_forever
    from dexmm.performance.turn_log import TurnLog
    from dexmm.telemetry.metrics import Metrics, served
    from dexmm.wiring.live import open_worlds

    turns = TurnLog()

    def seen(entry: Entry, metrics: Metrics) -> None:
        metrics.turned(entry)
        turns.saw(entry)

    shutdown = Shutdown()
    with shutdown.on_signals():
        worlds = [judge_market(world) for world in open_worlds(configs)]
        names = {w.config.fingerprint(): w.config.market.name for w in worlds}
        with served(configs[0].metrics.listen, names) as metrics:
            return run_forever(worlds, shutdown, lambda entry: seen(entry, metrics))


def judge_market(world: World) -> World:
    """Hold the configuration against the market as it is now; the world as it may run.

    Refuses to begin what cannot make sense: with ``BadInput`` what a person must mend, with
    ``Transient`` what passes by itself. Where positions are held already it only warns: a loop
    that a costly day kept from starting could not look after them. Quotes that lose with every
    round are refused too, or left out where positions are held.
    """
    from dexmm.engine.turn import observe
    from dexmm.strategy.rebalance.feasibility import judge, market_facts
    from dexmm.units import sum_text

    if not (world.config.market.has_pool or world.config.quotes.enabled):
        return world
    snapshot = observe(world.chain, world.journal, world.clock, world.config, world.cex)
    if snapshot.halted:
        return world
    if losing := _losing_quotes(snapshot, world.config):
        if not (world.config.market.has_pool and snapshot.chain.positions):
            raise BadInput(losing)
        log.warning("no quotes are placed: %s", losing)
        world = replace(world, config=_unquoted(world.config))
    if not world.config.market.has_pool:
        return world
    judgement = judge(world.config, market_facts(snapshot, world.config))
    problems = (*judgement.problems, *_silent_feeds(snapshot))
    if problems and not snapshot.chain.positions:
        lasting = tuple(problem for problem in problems if problem not in judgement.passing)
        kind = BadInput if lasting else Transient
        raise kind("\n".join(lasting or problems))
    for line in (*problems, *judgement.notes):
        log.warning("%s", line)
    log.info(
        "edges %.0f bp below and %.0f bp above, expected to be reached %.2f times a day; for gas "
        "and what arbitrage takes the pool must pay %s %s of fees a day (`dexmm doctor` measures "
        "what it pays)",
        judgement.to_bid_bp,
        judgement.to_ask_bp,
        judgement.hits_per_day,
        sum_text(judgement.break_even_per_day or Decimal(0)),
        snapshot.chain.market.quote.symbol,
    )
    return world


def _losing_quotes(snapshot: Snapshot, config: Config) -> str:
    """Why quotes would lose with every round at the account's own fees; empty when they need not,
    or somebody has accepted it."""
    from dexmm.strategy.context.memory_update import sigma_of
    from dexmm.strategy.trading.quote_profitability import ADVICE, in_words, quote_worth

    venue = snapshot.venue
    if not config.quotes.enabled or venue is None or venue.spot_book.mid is None:
        return ""
    sigma = sigma_of(snapshot.memory, config.strategy)
    worth = quote_worth(venue.spot.maker_fee, venue.spot_book.mid, sigma, config.quotes)
    told = in_words(worth, venue.spot.base, venue.spot.quote)
    if not worth.loses:
        log.info("quotes: %s", told)
        return ""
    if config.quotes.accept_loss:
        log.warning("quotes lose with every round (quotes.accept_loss): %s", told)
        return ""
    return f"quotes would lose with every round: {told}; {ADVICE}"


def _silent_feeds(snapshot: Snapshot) -> tuple[str, ...]:
    """Configured feeds that are none: the guard would hold back every deposit, for ever."""
    return tuple(
        f"{reference.name} gives no price: {reference.problem}; check market.reference_feed"
        for reference in snapshot.chain.references
        if reference.price is None
    )


def _facts(entry: Entry, code: int) -> dict[str, object]:
    return {
        "turn": entry.id,
        "block": entry.snapshot.chain.block.number,
        "state": entry.decision.state,
        "trigger": entry.decision.trigger,
        "reason": entry.decision.reason,
        "withheld": entry.decision.withheld,
        "share": entry.decision.share,
        "nav": entry.decision.nav,
        "fair_price": entry.decision.fair_price,
        "refusals": entry.decision.refusals,
        "outcomes": entry.outcomes,
        "exit_code": code,
    }
