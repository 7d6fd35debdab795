"""The wallet's key: an encrypted keystore, or a plain key in a sandbox."""

from __future__ import annotations

import json
import re
import shlex
import stat
from pathlib import Path
from typing import Any

from dexmm.config.schema import Config
from dexmm.errors import BadInput

LOCKED = (
    "the keystore's password is missing: DEXMM_WALLET__PASSWORD is not set or empty, and an empty "
    "password does not open it; set it in .env (in single quotes where it has a space, a # or a "
    "quote) or the environment"
)
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Key:
    """Signs for one address, and shows nothing else of itself."""

    __slots__ = ("_account", "address")

    def __init__(self, account: Any) -> None:
        self._account = account
        self.address: str = account.address

    def __repr__(self) -> str:
        return f"Key(address={self.address!r}, ********)"

    def __reduce__(self) -> str:
        raise TypeError("a key is never copied or stored")

    def sign(self, fields: dict[str, Any]) -> tuple[str, str]:
        """Sign an EIP-1559 transaction. Returns its hash and its bytes, both 0x-hex."""
        signed = self._account.sign_transaction(fields)
        return "0x" + bytes(signed.hash).hex(), "0x" + bytes(signed.raw_transaction).hex()


def load_key(config: Config) -> Key:
    """The configured key. Raises ``BadInput``, which never shows what a secret looks like."""
    wallet = config.wallet
    if wallet.private_key is not None:
        if config.network.name == "mainnet":
            raise BadInput("wallet.private_key is refused on mainnet: use wallet.keystore")
        key = _from_private_key(wallet.private_key.get_secret_value())
    elif wallet.keystore is not None:
        password = wallet.password.get_secret_value() if wallet.password is not None else None
        key = _from_keystore(config.root / wallet.keystore, password)
    else:
        raise BadInput(
            "there is no key to sign with: set wallet.keystore, and its password as "
            "DEXMM_WALLET__PASSWORD in .env or the environment"
        )
    if wallet.address is not None and wallet.address != key.address:
        raise BadInput(f"wallet.address is {wallet.address}, but the key is for {key.address}")
    return key


def wallet_address(config: Config) -> str:
    """Whom to look at, without opening the key when the address is configured."""
    return config.wallet.address or load_key(config).address


def _from_private_key(text: str) -> Key:
    from eth_account import Account

    try:
        return Key(Account.from_key(text.strip()))
    except (ValueError, TypeError):
        # The library's own message quotes what it was given.
        raise BadInput(
            "wallet.private_key is malformed: it must be 64 hexadecimal digits"
        ) from None


def _from_keystore(path: Path, password: str | None) -> Key:
    from eth_account import Account

    keystore = _read_keystore(path)
    try:
        # A keystore may have an empty password, and an empty variable counts as not set.
        return Key(Account.from_key(Account.decrypt(keystore, password or "")))
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        if "MAC" in str(error):
            if not password:
                raise BadInput(LOCKED) from None
            raise BadInput(
                f"the password does not open {path}: check DEXMM_WALLET__PASSWORD"
            ) from None
        raise BadInput(f"{path} is not a keystore that can be read: create it anew") from None


def new_key() -> str:
    """A private key from the operating system's randomness, as 0x-hex."""
    from eth_account import Account

    return "0x" + bytes(Account.create().key).hex()


def encrypted(private_key: str, password: str, expected: str | None = None) -> tuple[str, str]:
    """A keystore's text for a private key, and the key's address; opened once to be sure.

    ``expected`` is the address that it must be of. Raises ``BadInput``, which never shows what a
    secret looks like.
    """
    from eth_account import Account

    text = private_key.strip()
    if len(text.split()) > 1:
        raise BadInput(
            "that is a phrase of words, which opens a whole wallet: export the private key of the "
            "one account, 64 hexadecimal digits"
        )
    if not _PRIVATE_KEY.fullmatch(text):
        raise BadInput("a private key is 64 hexadecimal digits, with or without 0x before them")
    if not password:
        raise BadInput("an empty password protects nothing: choose one")
    try:
        address = str(Account.from_key(text).address)
    except (ValueError, TypeError):
        raise BadInput("no account has such a private key") from None
    if expected is not None and expected.lower() != address.lower():
        raise BadInput(
            f"the key is for {address}, and wallet.address is {expected}: nothing was written"
        )
    keystore = Account.encrypt(Account.from_key(text).key, password)
    if Account.from_key(Account.decrypt(keystore, password)).address != address:
        raise BadInput("the keystore does not open with its own password: nothing was written")
    return json.dumps(keystore) + "\n", address


def _read_keystore(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        if mode & OTHERS:
            raise BadInput(
                f"{path} can be read by others: run `chmod 600 {shlex.quote(str(path))}`"
            )
        keystore = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"there is no keystore at {path}: correct wallet.keystore") from None
    except OSError as error:
        raise BadInput(f"cannot read the keystore {path}: {error.strerror}") from None
    except ValueError:
        raise BadInput(f"{path} is not a JSON keystore") from None
    if not isinstance(keystore, dict):
        raise BadInput(f"{path} is not a JSON keystore")
    return keystore
