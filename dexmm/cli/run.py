"""``dexmm run``: the rebalance loop, or one turn of it for cron."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, finish, json_option, load_judged
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from dexmm.config import Config
    from dexmm.loop import World
    from dexmm.model.entry import Entry

log = logging.getLogger("dexmm.run")


@click.command()
@common_options
@json_option
@click.option("--once", is_flag=True, help="One turn, for cron; quiet unless something happened.")
@click.option("--live", is_flag=True, help="Yes, on mainnet, with real money.")
def run(config_path: Path, as_json: bool, once: bool, live: bool) -> None:
    """Keep the inventory in its band: turn after turn until SIGINT or SIGTERM.

    The leg in hand is always finished. Exit codes: 0 done, 2 bad configuration, 3 a guard refused
    a wanted action, 4 halted, 5 try again later, 6 another process holds the wallet.
    """
    config = load_judged(config_path)
    if config.network.name == "mainnet" and not live:
        raise BadInput("this is mainnet and real money: repeat with --live, or rehearse on a fork")
    finish(_once(config, as_json) if once else _forever(config))


def _once(config: Config, as_json: bool) -> int:
    from dexmm.loop import HALTED, Shutdown, exit_code, run_once
    from dexmm.ops.narrate import events, headline
    from dexmm.ops.world import open_world

    shutdown = Shutdown()
    with shutdown.on_signals():
        world = open_world(config)
        if world.journal.memory().seen_at is None:
            judge_market(world)
        entry = run_once(world, shutdown)
    code = exit_code(entry)
    if as_json:
        answer(_facts(entry, code))
    elif lines := events(entry):
        click.echo("\n".join([headline(entry), *(f"  {line}" for line in lines)]))
    elif code == HALTED:
        click.echo(f"dexmm: {entry.decision.reason}; see `dexmm status`", err=True)
    return code


def _forever(config: Config) -> int:
    from dexmm.loop import Shutdown, run_forever
    from dexmm.ops.narrate import events, headline
    from dexmm.ops.world import open_world

    shown: set[str] = set()

    def seen(entry: Entry) -> None:
        log.info("%s", headline(entry))
        for line in events(entry):
            log.info("  %s", line)
        # A guard that bites while nothing is wanted is said once, not every turn.
        rules = {refusal.rule for refusal in entry.decision.refusals}
        for refusal in entry.decision.refusals:
            if refusal.rule not in shown and not entry.decision.withheld:
                log.info("  guard %s bites: %s", refusal.rule, refusal.detail)
        for rule in shown - rules:
            log.info("  guard %s has let go", rule)
        shown.clear()
        shown.update(rules)

    shutdown = Shutdown()
    with shutdown.on_signals():
        world = open_world(config)
        judge_market(world)
        return run_forever(world, shutdown, seen)


def judge_market(world: World) -> None:
    """Hold the configuration against the market as it is now.

    Refuses, with ``BadInput``, to begin what cannot make sense. Where positions are held already
    it only warns: a loop that a costly day kept from starting could not look after them.
    """
    from dexmm.strategy.judge import judge, market_facts
    from dexmm.turn import observe

    snapshot = observe(world.chain, world.journal, world.clock)
    if snapshot.halted:
        return
    judgement = judge(world.config, market_facts(snapshot, world.config))
    if judgement.problems and not snapshot.chain.positions:
        raise BadInput("\n".join(judgement.problems))
    for line in judgement.problems + judgement.notes:
        log.warning("%s", line)
    log.info(
        "edges %.0f bp below and %.0f bp above, expected to be reached %.2f times a day; "
        "break-even at %.2f a day",
        judgement.to_bid_bp,
        judgement.to_ask_bp,
        judgement.hits_per_day,
        judgement.break_even_per_day or 0,
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
