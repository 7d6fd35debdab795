"""Answers lose nothing on their way into JSON; logging has the asked-for loudness."""

import dataclasses
import importlib
import json
import logging
import pkgutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path

import pytest

import dexmm.model
from dexmm.cli import common
from dexmm.config.template import configuration
from dexmm.errors import BadInput


class Colour(StrEnum):
    RED = "red"


class Number(Enum):
    BIG = 2**60


@dataclass(frozen=True)
class Noun:
    amount: int
    price: Decimal


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),
        (-(2**256), str(-(2**256))),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (Decimal("-1E-20"), "-0.00000000000000000001"),
        (Colour.RED, "red"),
        (Number.BIG, str(2**60)),
        (Path("a/b"), "a/b"),
        ((1, [Decimal(2)]), [1, ["2"]]),
        ({"a": Noun(2**80, Decimal("1.5"))}, {"a": {"amount": str(2**80), "price": "1.5"}}),
    ],
)
def test_json_without_loss(value: object, form: object) -> None:
    assert common.jsonable(value) == form
    assert json.loads(json.dumps(common.jsonable(value))) == form


@pytest.mark.parametrize("value", [1.5, b"x", {1, 2}, object()])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no exact JSON form"):
        common.jsonable(value)


@pytest.mark.parametrize(
    ("verbosity", "own", "others"),
    [
        (-2, logging.ERROR, logging.ERROR),
        (-1, logging.WARNING, logging.WARNING),
        (0, logging.INFO, logging.WARNING),
        (1, logging.DEBUG, logging.WARNING),
        (2, logging.DEBUG, logging.DEBUG),
    ],
)
def test_loudness(verbosity: int, own: int, others: int) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        common.set_up_logging(verbosity)
        assert logging.getLogger("dexmm.engine.loop").getEffectiveLevel() == own
        assert logging.getLogger("some.library").getEffectiveLevel() == others
        assert len(root.handlers) == 1
    finally:
        root.handlers[:], root.level = before, level
        logging.captureWarnings(False)


def test_settings_that_cannot_make_sense_are_refused_to_what_acts(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(configuration("sandbox"))
    assert common.load_judged(path) == (common.load(path),)
    path.write_text(configuration("sandbox").replace("max_move_ticks = 2000", "max_move_ticks = 5"))
    assert common.load(path).guards.max_move_ticks == 5
    with pytest.raises(BadInput, match="every re-range would be refused"):
        common.load_judged(path)


@pytest.mark.parametrize("value", [0, 7, 2**53, 2**200])
def test_a_field_has_one_type_whatever_its_size(value: int) -> None:
    for name in ("liquidity", "amount0", "eth_wei", "gas_price", "fees1", "sqrt_price_x96"):
        assert common.jsonable({name: value}) == {name: str(value)}
    assert common.jsonable({"fee_growth": (value, 0)}) == {"fee_growth": [str(value), "0"]}


def test_what_the_chain_counts_is_known_by_name() -> None:
    """Every field of a chain's own number types is text, in whatever noun it stands."""
    told = ("Amount0", "Amount1", "Wei", "Liquidity", "SqrtPriceX96")
    nouns = [
        noun
        for module in pkgutil.iter_modules(dexmm.model.__path__, "dexmm.model.")
        for noun in vars(importlib.import_module(module.name)).values()
        if isinstance(noun, type) and dataclasses.is_dataclass(noun)
    ]
    names = {
        field.name
        for noun in nouns
        for field in dataclasses.fields(noun)
        if str(field.type).split(" ")[0] in told
        or field.name.endswith(("_wei", "_x128", "_x96", "gas_price", "_per_gas"))
    }
    assert {"liquidity", "amount0", "fees1", "eth", "max_fee_per_gas"} <= names
    assert names <= common.CHAIN_INTEGERS


def test_a_line_of_the_log_has_its_date_in_utc(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        common.set_up_logging(0)
        before = datetime.now(UTC).replace(microsecond=0)
        logging.getLogger("dexmm.test").info("a word")
        after = datetime.now(UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
    moment, level, words = capsys.readouterr().err.strip().split(" ", 2)
    assert (level, words) == ("INFO", "a word")
    assert moment.endswith("Z")
    assert before <= datetime.fromisoformat(moment) <= after
