"""The plain advice an operator expects, each sentence with the figures that led to it. Pure.

    halted         it stopped itself                                     mend the cause first
    held back      no range around the price, and a guard held back
                   what was wanted in most of the turns without           what that guard asks for
    stood aside    no range was ever placed, and none was wanted, or
                   a strategy that provides only where it pays was
                   aside for AWAY of the time                             another market, more flow
    few fills      fees below FEW_FEES_BP a day, though in range, or
                   quotes that nobody took                                tighten
    out of range   no range around the price for AWAY of the time         follow sooner, or widen
    share swings   out of its band for OUT_OF_BAND of the time, or
                   further than BEYOND outside it                         shrink
    costs heavy    gas, swaps and exchange fees above COSTLY of the
                   income                                                 widen, or act less
    arbitrage      takes more than fees pay                               widen, or another pool

A rule whose figures say nothing says nothing, and none speaks about less than ``LEAST_DAYS``. The
thresholds are conventions, stated here so that they can be argued with:

- FEW_FEES_BP: 0.05 bp of net worth a day is 0.18 % a year, less than a deposit pays anywhere;
- COSTLY: half of the income going into costs leaves nothing for the risk;
- AWAY: a range that is away half of the time has half of its capital asleep;
- OUT_OF_BAND: the band is a promise, and one turn in fifty may break it while ranges restore it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext

from dexmm.config.schema import Config
from dexmm.decimal_context import BP, YEAR
from dexmm.performance.metrics import Figures
from dexmm.performance.refusal_counts import Refused
from dexmm.strategy.ranges.range_edges import distance
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.units import PRICE, bp, sum_places, sum_text

ZERO = Decimal(0)
LEAST_DAYS = Decimal(1)
FEW_FEES_BP = Decimal("0.05")
AWAY = Decimal("0.5")
OUT_OF_BAND = Decimal("0.02")
BEYOND = Decimal("0.03")  # of share
COSTLY = Decimal("0.5")
HELD = Decimal("0.5")  # of the turns without a range
MOST_PLACES = 8
GAS_RULES = {"economic_gate", "gas_budget", "gas_cap"}


def advise(
    run: Figures,
    config: Config,
    refusals: Sequence[Refused] | None = None,
    *,
    fee_pips: int = 0,
) -> tuple[str, ...]:
    """What to change, most urgent first; at most one sentence for each rule, none when all is well.

    ``run`` is what ``config`` did, backtested or live, in a pool of this fee, and ``refusals`` what
    its guards refused; None: nobody kept it.
    """
    with localcontext(PRICE):
        return tuple(_advise(run, config, refusals, fee_pips))


def _advise(
    run: Figures, config: Config, refusals: Sequence[Refused] | None, fee_pips: int
) -> Iterator[str]:
    if run.halted:
        yield f"It halted itself ({run.halted}): mend that before anything else is compared."
    if run.days < LEAST_DAYS or run.start <= 0:
        return
    if STRATEGIES[config.strategy.name].most_ranges and config.market.has_pool:
        yield from _out_of_range(run, config, refusals)
        yield from _few_fills(run, config, fee_pips)
    yield from _idle_quotes(run, config)
    yield from _swings(run, config)
    yield from _heavy_costs(run, config, refusals or ())
    yield from _arbitrage(run, config)


def _out_of_range(
    run: Figures, config: Config, refusals: Sequence[Refused] | None
) -> Iterator[str]:
    away = 1 - run.time_in_range
    if away <= AWAY:
        return
    never = not run.reranges and not run.deployed
    if never and refusals is None:
        yield (
            f"Nothing placed: {config.strategy.name} placed no range in {run.days:.1f} days; "
            "`dexmm backtest` with these settings says whether a guard held it back, and which."
        )
        return
    held = max(refusals or (), key=lambda refused: refused.withheld, default=None)
    least = 0 if never else HELD * away * run.turns
    if held is not None and held.withheld > least:
        yield (
            f"Held back: no range surrounded the price for {_percent(away)} of the time, because "
            f"{held.rule} held back what was wanted in {held.withheld} of {run.turns} turns "
            f"({held.explanation}); {_allowing(held.rule, config)}."
        )
        return
    if never:
        yield (
            f"Stood aside: {config.strategy.name} placed no range in {run.days:.1f} days and no "
            "guard held one back: it expects none to pay its gas here; look for a pool with more "
            "flow of others (dexmm scout), or put in more capital: the same gas is paid for any "
            "amount."
        )
        return
    if STRATEGIES[config.strategy.name].needs_pay:
        yield (
            f"Mostly aside: no range surrounded the price for {_percent(away)} of the time; "
            f"{config.strategy.name} provides only while it expects other people's fees to be more "
            "than arbitrage takes; look for a pool with more flow of others (dexmm scout)."
        )
        return
    yield (
        f"Out of range: no range surrounded the price for {_percent(away)} of the time; let ranges "
        f"follow sooner (strategy.dwell_seconds below {config.strategy.dwell_seconds}, "
        f"strategy.max_age_hours below {_plain(config.strategy.max_age_hours)}) or widen them."
    )


def _allowing(rule: str, config: Config) -> str:
    """What the guard asks for that held everything back."""
    if rule in GAS_RULES:
        return "put in more capital, or wait for cheaper gas: the same gas is paid for any amount"
    return "see what it asks for in its section of the configuration"


def _few_fills(run: Figures, config: Config, fee_pips: int) -> Iterator[str]:
    fees = bp(run.fees, run.start) / run.days
    if fees >= FEW_FEES_BP or 1 - run.time_in_range > AWAY or _heavy(run):
        return
    yield (
        f"Few fills: the pool paid {fees:.3f} bp of net worth a day with {_percent(run.deployed)} "
        f"of it deployed; tighten: {_nearer(config, fee_pips)}."
    )


def _nearer(config: Config, fee_pips: int) -> str:
    """The setting that holds the edges where they are: the clamp when it binds."""
    settings = config.strategy
    sigma = (settings.sigma_annual**2 / YEAR).sqrt()
    least = settings.edge_min(fee_pips)
    if distance(sigma, settings, fee_pips) * BP <= least:
        return f"strategy.edge_min_bp is what keeps edges away, so go below {_plain(least)}"
    return f"strategy.edge_sigmas below {_plain(settings.edge_sigmas)}"


def _idle_quotes(run: Figures, config: Config) -> Iterator[str]:
    if not config.quotes.enabled or config.exchange is None:
        return
    if run.quoting or run.exchange_fees:
        return
    yield (
        f"Few fills: nobody took a quote in {run.days:.1f} days; tighten: quotes.half_spread below "
        f"{_plain(config.quotes.half_spread)}."
    )


def _swings(run: Figures, config: Config) -> Iterator[str]:
    band = config.strategy
    outside = 1 - run.time_in_band
    beyond = max(run.share_high - band.band_high, band.band_low - run.share_low, ZERO)
    if outside <= OUT_OF_BAND and beyond <= BEYOND:
        return
    yield (
        f"The share swings: from {run.share_low:.3f} to {run.share_high:.3f}, out of its band of "
        f"{_plain(band.band_low)} to {_plain(band.band_high)} for {_percent(outside)} of the time; "
        f"shrink: {_smaller(config)}."
    )


def _smaller(config: Config) -> str:
    if config.quotes.enabled and config.exchange is not None:
        return f"quotes.size_base below {_plain(config.quotes.size_base)}, or a smaller band"
    if config.strategy.name not in {"budget", "avellaneda"}:
        return f"{config.strategy.name} bounds no share: take the budget strategy"
    if not config.strategy.pool_swap and config.exchange is None:
        return "put less to work (market.budget), or allow strategy.pool_swap as the last resort"
    return "put less to work (market.budget), or a smaller band"


def _heavy_costs(run: Figures, config: Config, refusals: Sequence[Refused]) -> Iterator[str]:
    if not _heavy(run):
        return
    costs = _costs(run)
    what = max(costs, key=lambda name: costs[name])
    spent, income = _apart(sum(costs.values(), ZERO), _income(run))
    yield (
        f"Costs are heavy: {spent} against {income} of income, {what} most of all "
        f"({sum_text(costs[what])}); {_cheaper(what, config, refusals)}."
    )


def _cheaper(what: str, config: Config, refusals: Sequence[Refused]) -> str:
    settings = config.strategy
    if what == "gas":
        short = any(held.rule in GAS_RULES and held.withheld for held in refusals)
        more = "put in more capital, the same gas is paid for any amount; or " if short else ""
        return (
            f"{more}widen (strategy.edge_sigmas above {_plain(settings.edge_sigmas)}) or act less "
            f"(strategy.dwell_seconds above {settings.dwell_seconds}, strategy.max_age_hours above "
            f"{_plain(settings.max_age_hours)})"
        )
    if what == "swaps":
        return f"let ranges try longer (strategy.recovery_hours above {settings.recovery_hours})"
    if config.quotes.enabled:
        return f"widen (quotes.half_spread above {_plain(config.quotes.half_spread)})"
    return 'act less (hedge.to = "bound", or a wider band)'


def _arbitrage(run: Figures, config: Config) -> Iterator[str]:
    lost = -run.loss_versus_rebalancing
    if lost <= run.fees or not run.fees or not STRATEGIES[config.strategy.name].most_ranges:
        return
    taken, paid = _apart(lost, run.fees)
    yield (
        f"Arbitrage takes more than the pool pays: {taken} against {paid} of fees; widen "
        f"(strategy.edge_sigmas above {_plain(config.strategy.edge_sigmas)}), or look for a pool "
        "with more flow of others."
    )


def _heavy(run: Figures) -> bool:
    return sum(_costs(run).values()) > COSTLY * _income(run)


def _costs(run: Figures) -> dict[str, Decimal]:
    """A swap that the price made good afterwards cost nothing."""
    costs = {"gas": -run.gas, "swaps": -run.swap_cost, "exchange fees": -run.exchange_fees}
    return {name: max(cost, ZERO) for name, cost in costs.items()}


def _income(run: Figures) -> Decimal:
    return max(run.fees, ZERO) + max(run.quoting, ZERO)


def _apart(one: Decimal, other: Decimal) -> tuple[str, str]:
    """Two sums for people, to the cent; where that does not tell them apart, to where it does."""
    places = max(sum_places(one), sum_places(other))
    while places < MOST_PLACES and one != other and f"{one:.{places}f}" == f"{other:.{places}f}":
        places += 1
    return f"{one:.{places}f}", f"{other:.{places}f}"


def _percent(part: Decimal) -> str:
    return f"{part * 100:.1f} %"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
