"""A search space as people write it, in TOML.

    [space]
    "strategy.edge_sigmas" = { low = "1", high = "4", step = "0.25" }
    "strategy.dwell_seconds" = { low = 300, high = 9600, step = 300, log = true }
    "strategy.name" = { choices = ["budget", "avellaneda"] }

    [objectives]                      # the first decides, the others break its ties
    rebalanced_bp_per_day = "maximise"

    [constraints]
    max_drawdown_bp = "<= 300"
    time_in_band = ">= 0.95"

Whatever is missing comes from the default space of the strategy. A mistake is one ``BadInput`` that
says how to mend it: a search runs for hours, and must not turn out to have searched something else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dexmm.config.schema import SECTIONS, Config
from dexmm.config.sources import SECRETS
from dexmm.errors import BadInput
from dexmm.tune.default_space import DEFAULT, default_text
from dexmm.tune.objectives import METRICS, SCORES, Constraint, Objective
from dexmm.tune.search_space import Parameter, Space, Value, number, refused, setting

MOST_VALUES = 10_000
MOST_OBJECTIVES = 3  # beyond, almost everything is on the frontier and nothing is chosen

SEARCHED_SECTIONS = ("strategy", "hedge", "quotes", "triangle")
SEARCHED_BESIDE = (
    "guards.stop_loss_bp",
    "guards.stop_loss_release_bp",
    "guards.stop_loss_reference",
    "guards.stop_loss_halflife_hours",
    "guards.stop_loss_sigmas",
    "guards.stop_loss_horizon_hours",
    "guards.stop_loss_share",
    "guards.stop_loss_in_pool",
    "guards.slice_share",
    "guards.slice_seconds",
    "loop.interval_seconds",
)
PROTECTING = ("guards", "gas")

_TABLES = ("space", "objectives", "constraints")
_ENTRY = ("low", "high", "step", "log", "choices")
_BOUND = re.compile(r"\s*(<=|>=)\s*([^<>=\s]+)\s*")
_DIRECTIONS = {"maximise": True, "maximize": True, "minimise": False, "minimize": False}


def read_space(
    path: Path, config: Config, score: str | None = None, *, exchange: bool = False
) -> Space:
    """The space in a file, checked against the configuration it is going to vary.

    ``score``: one of ``SCORES`` to be the objective, where the file names none. ``exchange``:
    whether there is one, for what the file leaves to the default.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(
            f"there is no search space at {path}: leave --space away for the default one"
        ) from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    return parse_space(text, config, str(path), score, exchange=exchange)


def default_space(config: Config, score: str | None = None, *, exchange: bool = False) -> Space:
    """What decides in this strategy, and on the exchange where there is one.

    Raises ``BadInput`` where nothing does.
    """
    text = default_text(config, exchange=exchange)
    found = parse_space(text, config, "the default space")
    return replace(found, objectives=(scored_by(score or next(iter(SCORES))),))


def scored_by(score: str) -> Objective:
    """The objective that goes by this name."""
    return Objective(metric=SCORES[score], maximise=True)


def parse_space(
    text: str, config: Config, source: str, score: str | None = None, *, exchange: bool = False
) -> Space:
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source} is not valid TOML: {error}") from None
    except InvalidOperation:
        raise BadInput(f"{source} holds a number that cannot be read") from None
    _known(tables, _TABLES, source, "table")
    own = default_text(config, exchange=exchange) if "space" not in tables else DEFAULT
    default = tomllib.loads(own, parse_float=Decimal)
    for name in _TABLES:
        if not isinstance(tables.get(name, {}), dict):
            raise BadInput(f"{source}: {name} must be a table: write [{name}]")
    entries = _flat(tables.get("space", default["space"]))
    objectives = _objectives(tables.get("objectives", default["objectives"]), source)
    if score is not None:
        if "objectives" in tables:
            raise BadInput(f"{source} has [objectives] of its own: leave --score or those away")
        objectives = (scored_by(score),)
    space = Space(
        parameters=tuple(_parameter(name, entry, config, source) for name, entry in entries),
        objectives=objectives,
        constraints=_constraints(tables.get("constraints", default["constraints"]), source),
        source=source,
    )
    if space.size < 2:
        raise BadInput(
            f"{source}: there is nothing to search: give [space] a setting with several values"
        )
    return space


def _flat(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Both ways to write it: "strategy.edge_sigmas" in quotes, and a table [space.strategy]."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        if key in SECTIONS and isinstance(value, dict):
            found += [(f"{key}.{inner}", entry) for inner, entry in value.items()]
        else:
            found.append((key, value))
    return found


def _parameter(name: str, entry: object, config: Config, source: str) -> Parameter:
    where = f"{source}: {name}"
    _searchable(name, config, where)
    if isinstance(entry, list):
        entry = {"choices": entry}
    if not isinstance(entry, dict):
        raise BadInput(
            f'{where} is one value: write {{ low = "1", high = "4", step = "0.25" }} or '
            "{ choices = [...] }"
        )
    _known(entry, _ENTRY, where, "key")
    if "choices" in entry:
        if len(entry) > 1:
            raise BadInput(f"{where} has choices and a range: keep one of them")
        return _choices(name, entry["choices"], config, where)
    return _range(name, entry, config, where)


def _searchable(name: str, config: Config, where: str) -> None:
    section, _, key = name.partition(".")
    if section not in SECTIONS:
        raise BadInput(f"{where} is not a setting{_near(name, _all_settings())}")
    if key not in SECTIONS[section].model_fields:
        known = [f"{section}.{field}" for field in SECTIONS[section].model_fields]
        raise BadInput(f"{where} is not a setting{_near(name, known)}")
    if (section, key) in SECRETS:
        raise BadInput(f"{where} is a secret and cannot be searched: remove it")
    if section in SEARCHED_SECTIONS or name in SEARCHED_BESIDE:
        return
    if section in PROTECTING:
        raise BadInput(
            f"{where} protects from what no history shows, so a search would only loosen it: "
            "set it yourself"
        )
    raise BadInput(
        f"{where} cannot be searched: only settings of {', '.join(SEARCHED_SECTIONS)} can, and "
        f"{', '.join(SEARCHED_BESIDE)}"
    )


def _all_settings() -> list[str]:
    return [f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields]


def _choices(name: str, listed: object, config: Config, where: str) -> Parameter:
    if not isinstance(listed, list) or not listed:
        raise BadInput(f"{where} has no choices: list at least one")
    numeric = isinstance(_now(config, name), int | Decimal) and not isinstance(
        _now(config, name), bool
    )
    values = tuple(_choice(value, numeric, where) for value in listed)
    if len({str(value) for value in values}) < len(values):
        raise BadInput(f"{where} has the same choice twice: list each once")
    for value in values:
        _accepted(name, value, config, where)
    return Parameter(
        name=name, values=values, ordered=numeric and list(values) == sorted(values, key=_size)
    )


def _choice(value: object, numeric: bool, where: str) -> Value:
    if numeric:
        return _number(value, "a choice", where)
    if isinstance(value, bool | str):
        return value
    raise BadInput(f"{where} has a choice that is neither text nor true or false")


def _size(value: Value) -> Decimal:
    return Decimal(value)


def _now(config: Config, name: str) -> object:
    return None if getattr(config, name.partition(".")[0]) is None else setting(config, name)


def _range(name: str, entry: Mapping[str, Any], config: Config, where: str) -> Parameter:
    if missing := [key for key in ("low", "high", "step") if key not in entry]:
        raise BadInput(f"{where} lacks its {' and '.join(missing)}: a range has low, high and step")
    low, high, step = (Decimal(_number(entry[key], key, where)) for key in ("low", "high", "step"))
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise BadInput(f"{where} has a log that is not true or false")
    if low > high:
        raise BadInput(f"{where} has its low {low} above its high {high}: swap them")
    if step <= 0:
        raise BadInput(f"{where} has the step {step}: it must be above 0")
    if (high - low) % step:
        raise BadInput(
            f"{where} has a step of {step} that does not divide {low} to {high}: the last value "
            f"would be {high - (high - low) % step}"
        )
    count = int((high - low) / step) + 1
    if count > MOST_VALUES:
        raise BadInput(f"{where} has {count} values: take a larger step, at most {MOST_VALUES}")
    if log and (low % step or low <= 0):
        raise BadInput(f"{where} is logarithmic, so its low must be a multiple of its step above 0")
    for value in (number(low), number(high), number(low + step)):
        _accepted(name, value, config, where)
    return Parameter(
        name=name,
        values=tuple(number(low + i * step) for i in range(count)),
        log_from=int(low / step) if log else 0,
    )


def _number(value: object, what: str, where: str) -> int | Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise InvalidOperation
        found = Decimal(value)
    except InvalidOperation:
        raise BadInput(f"{where} has {what} that is not a number") from None
    if not found.is_finite() or (found and abs(found.adjusted()) > 36):
        raise BadInput(f"{where} has {what} that is not a number of sane size")
    return number(found)


def _accepted(name: str, value: Value, config: Config, where: str) -> None:
    """The setting itself takes the value; whether it goes with others is seen when it is tried."""
    for problem in refused(config, {name: value}):
        if problem.startswith(f"{name} "):
            raise BadInput(f"{where} cannot be {value}: it {problem.removeprefix(f'{name} ')}")


def _objectives(table: Mapping[str, Any], source: str) -> tuple[Objective, ...]:
    where = f"{source}: [objectives]"
    if not table:
        raise BadInput(f'{where} is empty: name one, such as net_bp_per_day = "maximise"')
    if len(table) > MOST_OBJECTIVES:
        raise BadInput(
            f"{where} has {len(table)}, at most {MOST_OBJECTIVES} can be weighed: make the others "
            "constraints"
        )
    _known(table, METRICS, where, "objective")
    return tuple(_objective(name, way, where) for name, way in table.items())


def _objective(name: str, way: object, where: str) -> Objective:
    best = "maximise" if METRICS[name].higher_is_better else "minimise"
    maximise = _DIRECTIONS.get(way) if isinstance(way, str) else None
    if maximise is None:
        raise BadInput(f'{where} {name} must be "maximise" or "minimise"')
    if maximise != METRICS[name].higher_is_better:
        raise BadInput(f'{where} {name} is {METRICS[name].meaning}, which a search should "{best}"')
    return Objective(metric=name, maximise=maximise)


def _constraints(table: Mapping[str, Any], source: str) -> tuple[Constraint, ...]:
    where = f"{source}: [constraints]"
    _known(table, METRICS, where, "constraint")
    found: list[Constraint] = []
    for name, bounds in table.items():
        own = _bounds(name, bounds, where)
        _possible(name, own, where)
        found += own
    return tuple(found)


def _bounds(name: str, written: object, where: str) -> list[Constraint]:
    parts = written.split(",") if isinstance(written, str) else []
    matches = [_BOUND.fullmatch(part) for part in parts]
    if not matches or None in matches:
        raise BadInput(f'{where} {name} must be a bound such as "<= 300" or ">= 0.2, <= 0.5"')
    return [
        Constraint(
            metric=name,
            at_least=match[1] == ">=",
            bound=Decimal(_number(match[2], "a bound", f"{where} {name}")),
        )
        for match in matches
        if match is not None
    ]


def _possible(name: str, constraints: Sequence[Constraint], where: str) -> None:
    metric = METRICS[name]
    least = [c.bound for c in constraints if c.at_least]
    most = [c.bound for c in constraints if not c.at_least]
    for bound in (*least, *most):
        too_high = bound in least and metric.most is not None and bound > metric.most
        if too_high or (bound in most and metric.least is not None and bound < metric.least):
            raise BadInput(
                f"{where} {name} can never hold: it is from {metric.least} to "
                f"{'any number' if metric.most is None else metric.most}"
            )
    if least and most and max(least) > min(most):
        raise BadInput(
            f"{where} {name} contradicts itself: nothing is both at least {max(least)} and at "
            f"most {min(most)}"
        )


def _known(table: Mapping[str, Any], known: Collection[str], where: str, what: str) -> None:
    for key in table:
        if key not in known:
            raise BadInput(f"{where}: {key} is no {what}{_near(key, known)}")


def _near(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(list(known)[:20])}"
