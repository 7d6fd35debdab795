"""The written configuration is the defaults, whole and commented; nothing is overwritten."""

import json
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dexmm.cli import main
from dexmm.config.schema import SECTIONS, load_config, parse_config
from dexmm.config.sources import SECRETS, read_dotenv
from dexmm.config.template import (
    MARKETS,
    MEANINGS,
    OPTIONAL,
    PRESETS,
    configuration,
    secrets_example,
)
from dexmm.sandbox.node.deploy import PAXG_USD_FEED, XAU_USD_FEED
from dexmm.sandbox.node.pools import FACTORY
from dexmm.sandbox.node.token_admin import PAXG, USDT, XAUT


def dexmm(*arguments: object) -> int:
    return main.run([str(argument) for argument in arguments])


@pytest.mark.parametrize("network", list(PRESETS))
def test_the_file_reads_back_as_the_defaults(tmp_path: Path, network: str) -> None:
    assert dexmm("init", "--network", network, "--config", tmp_path / "dexmm.toml") == 0
    written = load_config(tmp_path / "dexmm.toml", {})
    assert written == parse_config(PRESETS[network].values(), tmp_path, "the preset")
    assert written.network.name == network


@pytest.mark.parametrize("market", list(MARKETS))
def test_a_market_by_name_is_its_pool_its_base_and_its_feed(tmp_path: Path, market: str) -> None:
    path = tmp_path / "dexmm.toml"
    assert dexmm("init", "--network", "mainnet", "--market", market, "--config", path) == 0
    written = load_config(path, {})
    assert written == parse_config(PRESETS["mainnet"].values(market), tmp_path, "the preset")
    base, quote = market.split("-")
    assert written.market.pool == pool_of(TOKENS[base], TOKENS[quote], 500)
    assert written.market.base == TOKENS[base]
    feed = XAU_USD_FEED if base == "xaut" else PAXG_USD_FEED
    assert written.market.reference_feed == feed
    assert f'symbol = "{base.upper()}/{quote.upper()}"' in path.read_text()


def pool_of(one: str, other: str, fee: int) -> str:
    """Where Uniswap's factory puts a pool."""
    sides = sorted((one.lower(), other.lower()))
    salt = keccak(
        b"".join(bytes.fromhex(side[2:]).rjust(32, b"\0") for side in sides)
        + fee.to_bytes(32, "big")
    )
    code = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
    return str(to_checksum_address(keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + code)[12:]))


TOKENS = {
    "paxg": PAXG,
    "xaut": XAUT,
    "usdt": USDT,
    "usdc": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
}


def test_every_setting_has_a_meaning_and_no_meaning_is_left_over() -> None:
    settings = {name: set(section.model_fields) for name, section in SECTIONS.items()}
    assert {name: set(meanings) for name, meanings in MEANINGS.items()} == settings


@pytest.mark.parametrize("network", list(PRESETS))
def test_every_setting_stands_in_the_file_once_with_its_meaning(network: str) -> None:
    text = configuration(network)
    for section, meanings in MEANINGS.items():
        head = f"\n# [{section}]\n" if section in OPTIONAL else f"\n[{section}]\n"
        block = text.partition(head)[2].partition("\n\n")[0]
        for key, meaning in meanings.items():
            lines = [
                line
                for line in block.splitlines()
                if line.lstrip("# ").startswith((f"{key} =", f"{key}: "))
            ]
            assert len(lines) == 1, (section, key)
            assert meaning in block


def test_nothing_is_overwritten_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text("precious")
    assert dexmm("init", "--config", path) == 2
    assert path.read_text() == "precious"
    assert not (tmp_path / ".env.example").exists()
    assert "--force" in capsys.readouterr().err
    assert dexmm("init", "--config", path, "--force") == 0
    assert load_config(path, {}).network.name == "sandbox"


def test_an_example_alone_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("precious")
    assert dexmm("init", "--config", tmp_path / "dexmm.toml") == 2
    assert not (tmp_path / "dexmm.toml").exists()


def test_the_answer_is_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a folder" / "market.toml"
    assert dexmm("init", "--network", "mainnet", "--config", path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "network": "mainnet",
        "written": [str(path), str(path.parent / ".env.example")],
    }


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert dexmm("init", "--config", tmp_path / "file" / "dexmm.toml") == 2
    assert capsys.readouterr().err.startswith("dexmm: cannot write ")


@pytest.mark.parametrize("network", list(PRESETS))
def test_the_example_names_every_secret_and_holds_none(tmp_path: Path, network: str) -> None:
    path = tmp_path / ".env"
    path.write_text(secrets_example(network))
    variables = read_dotenv(path)
    assert set(variables.values()) == {""}
    named = {f"DEXMM_{section}__{key}".upper() for section, key in SECRETS}
    if network == "mainnet":
        named.remove("DEXMM_WALLET__PRIVATE_KEY")
    assert set(variables) == named | {"DEXMM_NETWORK__RPC_URLS"}
    (tmp_path / "dexmm.toml").write_text(configuration(network))
    assert load_config(tmp_path / "dexmm.toml", {}).wallet.password is None


def test_an_unknown_network_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dexmm("init", "--network", "goerli", "--config", tmp_path / "x.toml") == 2
    assert "see `dexmm init --help`" in capsys.readouterr().err


@pytest.mark.parametrize("network", list(PRESETS))
def test_the_example_says_how_a_value_with_a_space_and_a_sharp_is_written(
    tmp_path: Path, network: str
) -> None:
    text = secrets_example(network)
    said = [line for line in text.splitlines() if "quotes around it" in line]
    assert said == ["# quotes around it: 'x #y' (without them it would end before the #, as x)."]
    # As it says: with the quotes whole, without them cut.
    for value, read in (("'x #y'", "x #y"), ("x #y", "x"), ("'a\"b c#d'", 'a"b c#d')):
        (tmp_path / ".env").write_text(f"{text}\nDEXMM_EXCHANGE__SECRET={value}\n")
        assert read_dotenv(tmp_path / ".env")["DEXMM_EXCHANGE__SECRET"] == read
