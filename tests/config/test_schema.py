"""Every way a configuration can be wrong: one clear line, exit code 2, and no value shown."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest

from dexmm.config.schema import SECTIONS, Config, load_config, parse_config
from dexmm.errors import BadInput

POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
PHRASE = "test test test test test test test test test test test junk"

GOOD: dict[str, dict[str, object]] = {
    "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:8545"]},
    "market": {"pool": POOL, "base": PAXG, "price_low": 2000, "price_high": 6000},
}


def toml(settings: dict[str, dict[str, object]]) -> str:
    lines = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def with_setting(section: str, line: str) -> str:
    """The good file with one more line in a section, which replaces an equal key."""
    key = line.partition("=")[0].strip()
    settings = {name: dict(values) for name, values in GOOD.items()}
    settings.setdefault(section, {}).pop(key, None)
    return toml(settings).replace(f"[{section}]\n", f"[{section}]\n{line}\n")


def write(folder: Path, text: str) -> Path:
    path = folder / "dexmm.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistake(folder: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        load_config(write(folder, text), environment or {})
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    return caught.value.message


def test_a_minimal_file_gets_every_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, toml(GOOD)), {})
    assert config == parse_config(GOOD, tmp_path, "here")
    assert config.strategy.band_high == Decimal("0.50")
    assert config.state_dir == tmp_path / ".dexmm"


@pytest.mark.parametrize(
    ("section", "line", "says"),
    [
        # wrong units
        ("strategy", "band_high = 50", "strategy.band_high is a share and must be from 0 to 1"),
        ("strategy", "band_low = -0.1", "strategy.band_low is a share"),
        ("strategy", "target = 35", "35 % is written 0.35"),
        ("strategy", "edge_min_bp = 0.01", "strategy.edge_min_bp is in basis points"),
        ("guards", "max_loss_bp = 20000", "guards.max_loss_bp is in basis points"),
        ("gas", "max_gwei = 1e40", "gas.max_gwei is out of all proportion"),
        ("market", "price_low = 1e-40", "market.price_low is out of all proportion"),
        ("loop", "interval_seconds = 0", "loop.interval_seconds must be above 0"),
        ("loop", "interval_seconds = 60000000", "loop.interval_seconds must be at most 1000000"),
        ("strategy", "dwell_seconds = -1", "strategy.dwell_seconds must be at least 0"),
        ("guards", "observation_cardinality = 65536", "must be at most 65535"),
        # wrong types
        ("strategy", "band_high = inf", "strategy.band_high must be a finite number"),
        ("strategy", "band_high = nan", "strategy.band_high must be a finite number"),
        ("strategy", 'band_high = "-inf"', "strategy.band_high must be a finite number"),
        ("market", "price_high = inf", "market.price_high must be a finite number"),
        ("market", 'price_high = "lots"', "market.price_high must be a number"),
        ("market", "price_high = true", "market.price_high must be a number, not true or false"),
        ("market", "price_high = [6000]", "market.price_high must be a number"),
        ("market", "price_high = 2026-01-01", "market.price_high must be a number"),
        ("loop", "interval_seconds = 1.5", "loop.interval_seconds must be a whole number"),
        ("loop", "interval_seconds = true", "loop.interval_seconds must be a number"),
        ("strategy", "pool_swap = 1", "strategy.pool_swap must be true or false"),
        ("strategy", 'pool_swap = "perhaps"', "strategy.pool_swap must be true or false"),
        (
            "strategy",
            'name = "martingale"',
            "strategy.name must be 'measured', 'budget', 'avellaneda'",
        ),
        ("network", 'name = "goerli"', "network.name must be 'sandbox', 'fork' or 'mainnet'"),
        ("loop", "state_dir = 5", "loop.state_dir must be text in quotes"),
        ("market", "pool = 7", "market.pool must be text in quotes"),
        # addresses
        ("market", f'pool = "{POOL[:-1]}"', "market.pool is not an address"),
        ("market", f'pool = "{POOL[2:]}"', "market.pool is not an address"),
        ("market", f'pool = "{POOL[:-1]}8"', "market.pool has a wrong checksum"),
        ("market", f'pool = "{POOL}0"', "market.pool is not an address"),
        ("market", 'pool = "paxg.eth"', "market.pool is an ENS name"),
        ("wallet", f'safe_address = "0x{"0" * 40}"', "wallet.safe_address is the zero address"),
        ("wallet", f'safe_address = "{POOL}"', "wallet.safe_address is a contract of the market"),
        ("guards", f'token_implementations = ["{POOL[:-1]}"]', "is not an address"),
        # URLs
        ("network", "rpc_urls = []", "network.rpc_urls is empty"),
        ("network", 'rpc_urls = ""', "network.rpc_urls is empty"),
        ("network", "rpc_urls = 8545", "network.rpc_urls must be a list"),
        ("network", 'rpc_urls = ["wss://node/x"]', "network.rpc_urls.0 is a websocket URL"),
        ("network", 'rpc_urls = ["ftp://node"]', "network.rpc_urls.0 is not a URL"),
        ("network", 'rpc_urls = ["127.0.0.1:8545"]', "network.rpc_urls.0 is not a URL"),
        ("network", 'rpc_urls = ["http://"]', "network.rpc_urls.0 is not a URL"),
        ("network", 'rpc_urls = ["http://node:99999"]', "network.rpc_urls.0 is not a URL"),
        ("network", 'rpc_urls = ["http://a", "http:b"]', "network.rpc_urls.1 is not a URL"),
        ("network", 'relay_url = "relay"', "network.relay_url is not a URL"),
        ("network", 'rpc_urls = ["http://a/k#ey"]', "network.rpc_urls.0 has a # in it"),
        ("network", 'rpc_urls = ["http://a/k\\ney"]', "network.rpc_urls.0 is not a URL"),
        ("network", 'relay_url = "http://relay/#"', "network.relay_url has a # in it"),
        ("network", 'proxy = "http://proxy:3128/x"', "network.proxy is not a proxy"),
        ("network", 'proxy = "http://proxy:3128?x=1"', "network.proxy is not a proxy"),
        ("exchange", 'base_url = "http://relay?key=1"', "exchange.base_url has a ? in it"),
        ("exchange", 'base_url = "http://relay/x?"', "exchange.base_url has a ? in it"),
        ("exchange", 'base_url = "http://relay#x"', "exchange.base_url has a # in it"),
        (
            "exchange",
            'base_url = "http://u:pw@relay"',
            "exchange.base_url has a user or a password",
        ),
        ("exchange", 'base_url = "http://u@relay"', "exchange.base_url has a user or a password"),
        ("exchange", 'base_url = "relay"', "exchange.base_url is not a URL"),
        ("loop", 'journal_url = "nosql://x"', "loop.journal_url is not a database URL"),
        # relations
        ("market", "price_high = 1000", "market price_low must be below price_high"),
        ("strategy", "target = 0.6", "strategy needs band_low < target < band_high"),
        ("strategy", "edge_min_bp = 1500", "strategy edge_min_bp must be below edge_max_bp"),
        ("guards", "stop_loss_release_bp = 500", "stop_loss_release_bp must be below"),
        # unknown keys
        ("strategy", "band_hihg = 0.5", "strategy.band_hihg is not a setting; did you mean"),
        ("strategy", "zzz = 1", "strategy.zzz is not a setting; check its spelling"),
        ("strategies", 'name = "budget"', "strategies is not a setting; did you mean strategy?"),
        ("market", "tick_spacing = 10", "market.tick_spacing is not a setting"),
        ("root", 'x = "/"', "root is not a setting"),
    ],
)
def test_one_mistake_is_one_line_that_names_its_key(
    tmp_path: Path, section: str, line: str, says: str
) -> None:
    message = mistake(tmp_path, with_setting(section, line))
    assert says in message
    assert message.startswith(f"{tmp_path / 'dexmm.toml'}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "network is missing: add a [network] section"),
        ("[network]\nname = 'fork'\n", "market is missing: add a [market] section"),
        ("network = 'mainnet'\n", "network must be a section: write [network]"),
        ("[[market]]\npool = 1\n", "market must be a section: write [market]"),
        ("[network]\n[network]\n", "twice"),
        ("[network]\nname = 'fork'\nname = 'fork'\n", "not valid TOML"),
        ("[network\n", "not valid TOML"),
        ("band_high = 0.5%\n", "not valid TOML"),
        ("x = " + "[" * 5000, "not valid TOML"),
        ("x = " + "9" * 5000, "not valid TOML"),
    ],
)
def test_a_malformed_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    assert says in mistake(tmp_path, text)


def test_several_mistakes_are_told_together(tmp_path: Path) -> None:
    message = mistake(tmp_path, with_setting("strategy", "band_low = 20\nbandhigh = 5"))
    assert len(message.splitlines()) == 2
    assert "strategy.band_low" in message
    assert "did you mean band_high?" in message


@pytest.mark.parametrize("section", ["wallet", "market", "network", "gas", "nonsense"])
@pytest.mark.parametrize(
    "form", ['"{}"', '"0x{}"', "0x{}", '"my key is {}"', '["{}"]', '{{a="{}"}}']
)
def test_a_private_key_in_the_file_is_refused_and_never_shown(
    tmp_path: Path, section: str, form: str
) -> None:
    message = mistake(tmp_path, with_setting(section, "note = " + form.format(KEY)))
    assert f"secret at {section}.note" in message
    assert "treat it as exposed" in message
    assert KEY[:12] not in message


@pytest.mark.parametrize(
    "line",
    [
        f"# {KEY}",
        f"rpc_urls = http://{KEY}",
        f"{KEY} = 1",
    ],
)
def test_a_private_key_hides_in_no_comment_and_no_broken_line(tmp_path: Path, line: str) -> None:
    message = mistake(tmp_path, toml(GOOD) + line + "\n")
    assert "looks like a private key in line" in message
    assert KEY[:12] not in message


@pytest.mark.parametrize("key", ["password", "private_key"])
def test_named_secrets_belong_in_the_environment(tmp_path: Path, key: str) -> None:
    message = mistake(tmp_path, with_setting("wallet", f'{key} = "hunter22"'))
    assert f"DEXMM_WALLET__{key.upper()}" in message
    assert "hunter22" not in message


def test_a_recovery_phrase_is_a_secret(tmp_path: Path) -> None:
    message = mistake(tmp_path, with_setting("wallet", f'keystore = "{PHRASE}"'))
    assert "secret at wallet.keystore" in message
    assert "junk" not in message


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("DEXMM_WALLET__PRIVATE_KEY", KEY[:-1], "is not a private key"),
        ("DEXMM_NETWORK__RPC_URLS", "wss://node/v2/aBcDeFgH", "is a websocket URL"),
        ("DEXMM_NETWORK__RPC_URLS", "http://ok,gopher://v2/aBcDeFgH", "is not a URL"),
        ("DEXMM_STRATEGY__BAND_HIGH", "50", "must be from 0 to 1"),
        ("DEXMM_STRATEGY__BAND_HIHG", "0.5", "did you mean band_high?"),
        ("DEXMM_STRATEGIES__NAME", "hold", "did you mean strategy?"),
        ("DEXMM_STRATEGY_BAND_HIGH", "0.5", "with two underscores between section and key"),
        ("DEXMM_STRATEGY", "hold", "with two underscores between section and key"),
        ("DEXMM_STRATEGY__", "hold", "is not a setting"),
    ],
)
def test_a_wrong_override_names_its_variable_and_not_its_value(
    tmp_path: Path, variable: str, value: str, says: str
) -> None:
    message = mistake(tmp_path, toml(GOOD), {variable: value})
    assert says in message
    assert variable in message or "STRATEGIES" in variable
    assert value not in message.replace(str(tmp_path), "")  # a folder's name may hold it
    assert "aBcDeFgH" not in message


def test_precedence_is_file_then_dotenv_then_environment(tmp_path: Path) -> None:
    path = write(tmp_path, with_setting("strategy", "band_high = 0.41"))
    assert load_config(path, {}).strategy.band_high == Decimal("0.41")
    (tmp_path / ".env").write_text("DEXMM_STRATEGY__BAND_HIGH=0.42\nOTHER=1\n")
    assert load_config(path, {}).strategy.band_high == Decimal("0.42")
    found = load_config(path, {"DEXMM_STRATEGY__BAND_HIGH": "0.43", "PATH": "/bin"})
    assert found.strategy.band_high == Decimal("0.43")


def test_an_override_reaches_a_section_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = write(tmp_path, toml(GOOD))
    urls = {"DEXMM_NETWORK__RPC_URLS": "http://a/1, https://b/2", "DEXMM_GAS__MAX_GWEI": "7"}
    config = load_config(path, urls)
    assert [url.get_secret_value() for url in config.network.rpc_urls] == [
        "http://a/1",
        "https://b/2",
    ]
    assert config.gas.max_gwei == 7


def test_an_empty_variable_is_not_set_but_an_unknown_one_still_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, toml(GOOD))
    assert load_config(path, {"DEXMM_WALLET__PASSWORD": ""}).wallet.password is None
    assert load_config(path, {"DEXMM_SHARED_DATA": "/data"}) == load_config(path, {})


def test_an_override_cannot_reach_into_a_section_that_is_not_one(tmp_path: Path) -> None:
    message = mistake(tmp_path, "strategy = 1\n" + toml(GOOD), {"DEXMM_STRATEGY__NAME": "hold"})
    assert "strategy must be a section" in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b'A=1\nDEXMM_STRATEGY__BAND_HIGH="0.4\n', "line 2: expected NAME=value"),
        (b"=5\n", "expected NAME=value"),
    ],
)
def test_a_dotenv_that_cannot_be_read_whole_is_an_error(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    message = mistake(tmp_path, toml(GOOD))
    assert f"{tmp_path / '.env'}" in message
    assert says in message


def test_a_dotenv_value_is_taken_literally(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEXMM_WALLET__PASSWORD='a${HOME}b c'\n")
    password = load_config(write(tmp_path, toml(GOOD)), {}).wallet.password
    assert password is not None
    assert password.get_secret_value() == "a${HOME}b c"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("name", ["dexmm.toml", ".env"])
def test_a_file_without_permission_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    path = write(tmp_path, toml(GOOD))
    (tmp_path / name).chmod(0)
    with pytest.raises(BadInput, match=r"cannot read .*Permission denied"):
        load_config(path, {})


def test_no_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="dexmm init --config"):
        load_config(tmp_path / "none.toml", {})


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        load_config(tmp_path, {})
    (tmp_path / ".env").mkdir()
    assert "is a folder" in mistake(tmp_path, toml(GOOD))


def test_another_encoding_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_bytes(toml(GOOD).encode("utf-16"))
    with pytest.raises(BadInput, match="is not UTF-8 text"):
        load_config(path, {})


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(toml(GOOD), encoding="utf-8-sig")
    assert load_config(path, {}).network.name == "sandbox"


def test_mainnet_takes_no_bare_key(tmp_path: Path) -> None:
    text = with_setting("network", 'name = "mainnet"')
    message = mistake(tmp_path, text, {"DEXMM_WALLET__PRIVATE_KEY": KEY})
    assert "sandbox and fork only" in message
    assert KEY[:12] not in message


def test_binary_floats_never_enter(tmp_path: Path) -> None:
    settings = {**GOOD, "strategy": {"band_high": 0.5}}
    with pytest.raises(BadInput, match="binary float"):
        parse_config(settings, tmp_path, "a test")
    assert type(load_config(write(tmp_path, toml(settings)), {}).strategy.band_high) is Decimal


def test_addresses_in_one_case_gain_their_checksum(tmp_path: Path) -> None:
    for spelling in (POOL.lower(), "0x" + POOL[2:].upper(), POOL):
        path = write(tmp_path, with_setting("market", f'pool = "{spelling}"'))
        assert load_config(path, {}).market.pool == POOL


def test_secrets_are_in_no_repr_and_no_public_form(tmp_path: Path) -> None:
    environment = {
        "DEXMM_WALLET__PRIVATE_KEY": KEY,
        "DEXMM_WALLET__PASSWORD": "hunter22",
        "DEXMM_NETWORK__RPC_URLS": "https://user:sesame@node.example/v2/aBcDeFgH",
        "DEXMM_NETWORK__PROXY": "http://user:mumble@proxy.example:3128",
        "DEXMM_LOOP__JOURNAL_URL": "sqlite:///opensesame",
        "DEXMM_EXCHANGE__API_KEY": "thekeytoexchange",
        "DEXMM_EXCHANGE__SECRET": "hushhushhush",
    }
    config = load_config(write(tmp_path, toml(GOOD)), environment)
    for text in (repr(config), str(config), config.public_json(), config.model_dump_json()):
        for secret in (KEY, "hunter22", "sesame", "aBcDeFgH", "thekeyto", "hushhush", "mumble"):
            assert secret not in text


def test_the_fingerprint_follows_settings_and_ignores_secrets(tmp_path: Path) -> None:
    path = write(tmp_path, toml(GOOD))
    plain = load_config(path, {}).fingerprint()
    assert load_config(path, {"DEXMM_WALLET__PASSWORD": "hunter22"}).fingerprint() == plain
    assert load_config(path, {"DEXMM_STRATEGY__BAND_HIGH": "0.49"}).fingerprint() != plain


def test_every_section_is_known() -> None:
    assert set(SECTIONS) == set(Config.model_fields) - {"root"}


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_line_shows_one_line_and_no_traceback(tmp_path: Path, as_json: bool) -> None:
    path = write(tmp_path, with_setting("wallet", f'private_key = "{KEY}"'))
    arguments = ["status", "--config", str(path)] + ["--json"] * as_json
    done = subprocess.run(
        [sys.executable, "-m", "dexmm.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("dexmm: ")
    assert KEY not in done.stdout + done.stderr
    if as_json:
        assert json.loads(done.stdout)["exit_code"] == 2
    else:
        assert done.stdout == ""


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "https://u:p@proxy", "direct"])
def test_a_proxy(tmp_path: Path, proxy: str) -> None:
    path = write(tmp_path, toml(GOOD))
    assert load_config(path, {}).network.proxy_url is None
    assert load_config(path, {"DEXMM_NETWORK__PROXY": proxy}).network.proxy_url == proxy


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://proxy.example:1080", "SOCKS proxy, which is not supported"),
        ("proxy.example:3128", "expected http:// or https://"),
        ("ftp://proxy.example", "expected http:// or https://"),
    ],
)
def test_what_is_no_proxy_is_refused(tmp_path: Path, proxy: str, words: str) -> None:
    path = write(tmp_path, toml(GOOD))
    with pytest.raises(BadInput, match=words) as refused:
        load_config(path, {"DEXMM_NETWORK__PROXY": proxy})
    assert "proxy.example" not in refused.value.message


def test_an_empty_variable_in_the_environment_does_not_hide_what_dotenv_says(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, toml(GOOD))
    (tmp_path / ".env").write_text("DEXMM_WALLET__PASSWORD='x #y'\n")
    password = load_config(path, {"DEXMM_WALLET__PASSWORD": " "}).wallet.password
    assert password is not None
    assert password.get_secret_value() == "x #y"


def test_the_package_itself_offers_what_the_schema_defines() -> None:
    package = import_module("dexmm.config")
    assert package.Config is Config
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = package.Nothing
