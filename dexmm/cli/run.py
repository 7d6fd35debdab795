"""``dexmm run``: the rebalance loop, or one turn of it for cron."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, finish, json_option, load_judged
from dexmm.errors import BadInput, Transient

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
    configs = load_judged(config_path)
    if configs[0].network.name == "mainnet" and not live:
        raise BadInput("this is mainnet and real money: repeat with --live, or rehearse on a fork")
    finish(_once(configs, as_json) if once else _forever(configs))


def _once(configs: Sequence[Config], as_json: bool) -> int:
    """Every market once. A market that cannot be seen now does not keep the others waiting.

    Nobody would look after quotes once this process has ended, so none are placed.
    """
    from dexmm.loop import FAILED, Shutdown, exit_code, run_once, worst
    from dexmm.ops.world import open_worlds

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
                failure = error
                if len(configs) > 1:
                    log.warning("%s skipped: %s", world.config.market.name, error.message)
                continue
            codes.append(exit_code(entry))
            told.append({"market": world.config.market.name, **_facts(entry, codes[-1])})
            if not as_json:
                _tell(entry, codes[-1])
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


def _tell(entry: Entry, code: int) -> None:
    from dexmm.loop import HALTED
    from dexmm.ops.narrate import events, headline

    if lines := events(entry):
        click.echo("\n".join([headline(entry), *(f"  {line}" for line in lines)]))
    elif code == HALTED:
        click.echo(f"dexmm: {entry.decision.reason}; see `dexmm status`", err=True)


def _forever(configs: Sequence[Config]) -> int:
    from dexmm.loop import Shutdown, run_forever
    from dexmm.ops.narrate import events, headline
    from dexmm.ops.world import open_worlds

    shown_of: dict[str, set[str]] = {}

    def seen(entry: Entry) -> None:
        shown = shown_of.setdefault(entry.snapshot.chain.market.pool, set())
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
        worlds = open_worlds(configs)
        for world in worlds:
            judge_market(world)
        return run_forever(worlds, shutdown, seen)


def judge_market(world: World) -> None:
    """Hold the configuration against the market as it is now.

    Refuses, with ``BadInput``, to begin what cannot make sense. Where positions are held already
    it only warns: a loop that a costly day kept from starting could not look after them.
    """
    from dexmm.strategy.judge import judge, market_facts
    from dexmm.turn import observe

    if not world.config.market.has_pool:
        return
    snapshot = observe(world.chain, world.journal, world.clock, world.cex)
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
