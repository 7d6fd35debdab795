"""No secret is printed, logged or written, wherever it comes from."""

import io
import logging
from pathlib import Path

import pytest

from dexmm.cli import common
from dexmm.config.schema import load_config
from dexmm.telemetry import redact

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
HASH = "0x" + "ab" * 32
CONFIG = """
[network]
name = "sandbox"
proxy = "http://me:mumble7@proxy.example:3128"
rpc_urls = ["https://user:sesame1@node.example:8545/v2/aBcDeFgHiJkLmNoP?key=zZyYxXwW"]
[market]
pool = "0x7Cb85f75e61226060453a997a7733F76707Df337"
base = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
price_low = 1000
price_high = 9000
"""
SECRETS = (
    KEY, "sesame1", "aBcDeFgHiJkLmNoP", "zZyYxXwW", "correct horse", "mumble7", "murmur8"
)  # fmt: skip


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_hidden", set())
    monkeypatch.setenv("HTTPS_PROXY", "http://me:murmur8@other.example:3128")
    path = tmp_path / "dexmm.toml"
    path.write_text(CONFIG)
    environment = {"DEXMM_WALLET__PRIVATE_KEY": KEY, "DEXMM_WALLET__PASSWORD": "correct horse"}
    redact.hide_config(load_config(path, environment))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", ["{}", "0x{}", "x={}.", "('{}')", "[{}]", "https://h/{}/y"])
@pytest.mark.usefixtures("hidden")
def test_what_the_configuration_hides_is_masked_everywhere(secret: str, form: str) -> None:
    for spelling in (secret, secret.upper(), secret.lower()):
        assert spelling not in redact.redact(form.format(spelling))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            "no answer from https://node.example/v2/secretpath",
            "no answer from https://node.example/***",
        ),
        ("wss://u:p@node.example:1/x", "wss://***@node.example:1/***"),
        ("GET http://127.0.0.1:8545: refused", "GET http://127.0.0.1:8545: refused"),
        ("'http://127.0.0.1:8545/'", "'http://127.0.0.1:8545/'"),
        ("postgresql://me:pw@db/journal", "postgresql://***@db/***"),
        ("password=hunter22 and more", "password=*** and more"),
        ('{"password": "hunter22", "a": 1}', '{"password": ***, "a": 1}'),
        ("private_key: 0xabc", "private_key: ***"),
        ("PRIVATE KEY = 0xabc", "PRIVATE KEY = ***"),
        ("DEXMM_WALLET__PASSWORD=hunter22", "DEXMM_WALLET__PASSWORD=***"),
        (f"mined {HASH}", f"mined {HASH}"),
        ("the password does not open it", "the password does not open it"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_the_rest_is_left(text: str, masked: str) -> None:
    assert redact.redact(text) == masked


def test_a_short_word_is_no_secret_and_does_not_garble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_hidden", set())
    redact.hide("a")
    redact.hide("")
    assert redact.redact("a banana") == "a banana"


@pytest.mark.usefixtures("hidden")
def test_log_lines_and_tracebacks_of_any_library_are_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        common.set_up_logging(2)
        library = logging.getLogger("some.library")
        library.debug("POST %s with %s", "https://node.example/v2/aBcDeFgHiJkLmNoP", KEY)
        try:
            raise OSError(f"sesame1 at 0x{KEY}")
        except OSError:
            library.exception("failed")
    finally:
        root.handlers[:], root.level = before, level
        logging.captureWarnings(False)
    text = stream.getvalue()
    assert "Traceback" in text
    assert "POST https://node.example/***" in text
    for secret in SECRETS:
        assert secret not in text
