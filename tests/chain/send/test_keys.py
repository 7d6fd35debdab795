"""Keys: loaded when they are right, one clear sentence when not, and never shown."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from dexmm.chain.send.keys import load_key, wallet_address
from dexmm.config.schema import Config, parse_config
from dexmm.errors import BadInput

KEY = "0x" + "22" * 32
ADDRESS = Account.from_key(KEY).address
OTHER = Account.from_key("0x" + "33" * 32).address
PASSWORD = "correct horse"


def config(root: Path, name: str = "sandbox", **wallet: Any) -> Config:
    market = {
        "pool": OTHER,
        "base": ADDRESS,
        "price_low": Decimal(1),
        "price_high": Decimal(2),
    }
    network = {"name": name, "rpc_urls": ["http://127.0.0.1:1"]}
    settings = {"network": network, "wallet": wallet, "market": market}
    return parse_config(settings, root, "the test")


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)))
    path.chmod(0o600)
    return path


def test_a_keystore_opens_relative_to_the_configuration(tmp_path: Path, keystore: Path) -> None:
    settings = config(tmp_path, "mainnet", keystore=Path("key.json"), password=PASSWORD)
    assert load_key(settings).address == ADDRESS
    assert wallet_address(settings) == ADDRESS


def test_a_wrong_or_missing_password_says_so(tmp_path: Path, keystore: Path) -> None:
    with pytest.raises(BadInput, match="password does not open") as caught:
        load_key(config(tmp_path, keystore=keystore, password="wrong horse"))
    assert "horse" not in str(caught.value)
    with pytest.raises(BadInput, match="DEXMM_WALLET__PASSWORD"):
        load_key(config(tmp_path, keystore=keystore))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keystore_that_others_can_read_is_refused(
    tmp_path: Path, keystore: Path, mode: int
) -> None:
    keystore.chmod(mode)
    with pytest.raises(BadInput, match="chmod 600"):
        load_key(config(tmp_path, keystore=keystore, password=PASSWORD))


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"version": 3}', "\xff"])
def test_a_file_that_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(BadInput, match=str(path)):
        load_key(config(tmp_path, keystore=path, password=PASSWORD))


def test_a_missing_keystore_and_no_key_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no keystore at"):
        load_key(config(tmp_path, keystore=tmp_path / "none.json", password=PASSWORD))
    with pytest.raises(BadInput, match="no key to sign with"):
        load_key(config(tmp_path))


def test_another_address_than_the_keys(tmp_path: Path, keystore: Path) -> None:
    with pytest.raises(BadInput, match=f"wallet.address is {OTHER}"):
        load_key(config(tmp_path, keystore=keystore, password=PASSWORD, address=OTHER))


def test_reading_needs_the_address_alone(tmp_path: Path) -> None:
    assert wallet_address(config(tmp_path, "mainnet", address=OTHER)) == OTHER


def test_a_key_never_shows_itself(tmp_path: Path) -> None:
    key = load_key(config(tmp_path, private_key=KEY))
    shown = repr(key) + str(key) + f"{key}"
    assert ADDRESS in shown
    assert "22" * 8 not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_keystore_may_have_an_empty_password(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "", kdf="pbkdf2", iterations=2)))
    path.chmod(0o600)
    assert load_key(config(tmp_path, keystore=path)).address == ADDRESS


def test_a_password_that_is_empty_is_told_as_such(tmp_path: Path, keystore: Path) -> None:
    with pytest.raises(BadInput, match="is not set or empty, and an empty password does not open"):
        load_key(config(tmp_path, keystore=keystore))
