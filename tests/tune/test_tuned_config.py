"""A tuned configuration is the user's own file, with some values changed and nothing else."""

from __future__ import annotations

import difflib
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.config.multi_market import choose, load_markets
from dexmm.config.schema import Config, load_config
from dexmm.config.template import configuration
from dexmm.errors import BadInput
from dexmm.tune.search_space import Value
from dexmm.tune.tuned_config import check_editable, edited, literal, write_tuned

D = Decimal
POOLS = ("0x7Cb85f75e61226060453a997a7733F76707Df337", "0x5aE13BAAEF0620FdaE1D355495Dc51a17adb4082")
PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
SHORT = f"""\
[network]
name = "mainnet"
rpc_urls = ["http://127.0.0.1:8545"]

[market]
pool = "{POOLS[0]}"
base = "{PAXG}"
price_low = 1000
price_high = 10000
"""
SEVERAL = SHORT.split("[market]")[0] + "".join(
    f"""
[[market]]
name = "{name}"
pool = "{pool}"
base = "{PAXG}"
price_low = 1000
price_high = 10000
"""
    for name, pool in zip(("usdt", "usdc"), POOLS, strict=True)
)


def written(folder: Path, text: str, changes: dict[str, Value]) -> tuple[str, Config]:
    path, out = folder / "dexmm.toml", folder / "tuned.toml"
    path.write_text(text)
    config = load_config(path, {})
    check_editable(path, config, list(changes))
    write_tuned(path, config, changes, out)
    return out.read_text(), load_config(out, {})


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_values_change_and_comments_stay_in_their_column(tmp_path: Path) -> None:
    before = configuration("mainnet")
    after, config = written(
        tmp_path, before, {"strategy.edge_sigmas": D("2.75"), "strategy.name": "avellaneda"}
    )
    assert (config.strategy.edge_sigmas, config.strategy.name) == (D("2.75"), "avellaneda")
    found = changed(before, after)
    assert len(found) == 4
    old, new = (next(line for line in found if line.startswith(f"{s} edge_sigmas")) for s in "-+")
    assert old.index("#") == new.index("#")
    assert old.split("#")[1] == new.split("#")[1]


def test_nothing_changes_when_nothing_changed(tmp_path: Path) -> None:
    before = configuration("mainnet")
    after, _ = written(tmp_path, before, {"strategy.edge_sigmas": 2, "strategy.pool_swap": False})
    assert after == before


def test_a_missing_setting_and_a_missing_section_are_added(tmp_path: Path) -> None:
    text = SHORT + "\n# what to hold\n[strategy]\ndwell_seconds = 900  # patience\n\n# the end\n"
    after, config = written(tmp_path, text, {"strategy.edge_sigmas": D("1.5"), "hedge.to": "bound"})
    assert config.strategy.edge_sigmas == D("1.5")
    assert config.hedge.to == "bound"
    assert changed(text, after) == ["+ edge_sigmas = 1.5", "+ ", "+ [hedge]", '+ to = "bound"']


def test_a_key_of_the_same_name_elsewhere_is_left_alone(tmp_path: Path) -> None:
    text = SHORT + '\n[strategy]\nname = "budget"\n'
    after, config = written(tmp_path, text, {"strategy.name": "single"})
    assert config.network.name == "mainnet"
    assert changed(text, after) == ['- name = "budget"', '+ name = "single"']


@pytest.mark.parametrize(
    "strategy",
    [
        "strategy = { edge_sigmas = 2 }",
        "strategy.edge_sigmas = 2",
        '"strategy".edge_sigmas = 2',
    ],
)
def test_another_way_of_writing_is_not_guessed_at(tmp_path: Path, strategy: str) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(f"{strategy}\n{SHORT}")
    config = load_config(path, {})
    with pytest.raises(BadInput, match="change by hand what cannot be edited in") as error:
        check_editable(path, config, ["strategy.edge_sigmas"])
    assert "  strategy.edge_sigmas = 2" in error.value.message
    assert [file.name for file in tmp_path.iterdir()] == ["dexmm.toml"]


def test_a_quoted_key_is_found_by_reading_back(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(SHORT + '\n[strategy]\n"edge_sigmas" = 2\n')
    with pytest.raises(BadInput, match="change by hand"):
        check_editable(path, load_config(path, {}), ["strategy.edge_sigmas"])


def test_an_override_would_hide_what_is_tuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(SHORT)
    monkeypatch.setenv("DEXMM_STRATEGY__EDGE_SIGMAS", "3")
    config = load_config(path)
    with pytest.raises(BadInput, match=r"EDGE_SIGMAS sets strategy\.edge_sigmas"):
        check_editable(path, config, ["strategy.edge_sigmas"])
    check_editable(path, config, ["strategy.dwell_seconds"])


def test_one_of_several_markets_gets_settings_of_its_own(tmp_path: Path) -> None:
    path, out = tmp_path / "dexmm.toml", tmp_path / "tuned.toml"
    text = SEVERAL + "[market.strategy]\nedge_sigmas = 2 # wide\n\n[guards]\nslippage_bp = 50\n"
    path.write_text(text)
    for name, other in (("usdt", "usdc"), ("usdc", "usdt")):
        config = choose(load_markets(path, {}), name, path)
        write_tuned(path, config, {"strategy.edge_sigmas": D("1.25")}, out)
        found = load_markets(out, {})
        assert choose(found, name, out).strategy.edge_sigmas == D("1.25")
        assert choose(found, other, out).strategy.edge_sigmas == 2
    assert changed(text, out.read_text()) == [
        "- edge_sigmas = 2 # wide",
        "+ edge_sigmas = 1.25 # wide",
    ]


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path, out = tmp_path / "dexmm.toml", tmp_path / "tuned.toml"
    text = "\ufeff" + SHORT + "[strategy]\nedge_sigmas = 2\n"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    write_tuned(path, load_config(path, {}), {"strategy.edge_sigmas": 3}, out)
    assert load_config(out, {}).strategy.edge_sigmas == 3


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(SHORT)
    with pytest.raises(BadInput, match="cannot write"):
        write_tuned(path, load_config(path, {}), {"strategy.edge_sigmas": 3}, tmp_path / "no" / "f")
    with pytest.raises(BadInput, match="cannot read"):
        write_tuned(tmp_path / "no", load_config(path, {}), {}, tmp_path / "f")


@pytest.mark.parametrize(
    ("value", "toml"),
    [
        (True, "true"),
        (D("0.000001"), "0.000001"),
        (D("1E+3"), "1000"),
        (7, "7"),
        ('a"b', '"a\\"b"'),
    ],
)
def test_literals(value: Value, toml: str) -> None:
    assert literal(value) == toml


@settings(max_examples=50)
@given(
    sigmas=st.integers(1, 400).map(lambda n: D(n) / 100),
    dwell=st.integers(0, 10**6),
    gate=st.booleans(),
)
def test_any_value_is_read_back(sigmas: Decimal, dwell: int, gate: bool) -> None:
    changes: dict[str, Value] = {
        "strategy.edge_sigmas": sigmas,
        "strategy.dwell_seconds": dwell,
        "strategy.economic_gate": gate,
    }
    found = tomllib.loads(edited(configuration("mainnet"), changes), parse_float=Decimal)
    assert {name: found["strategy"][name.removeprefix("strategy.")] for name in changes} == changes
