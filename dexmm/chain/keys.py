"""The wallet's key: an encrypted keystore, or a plain key in a sandbox."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from dexmm.config import Config
from dexmm.errors import BadInput

LOCKED = (
    "the keystore's password is missing: DEXMM_WALLET__PASSWORD is not set or empty, and an empty "
    "password does not open it; set it in .env (in single quotes where it has a space, a # or a "
    "quote) or the environment"
)
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


def _read_keystore(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        if mode & OTHERS:
            raise BadInput(f"{path} can be read by others: run `chmod 600 {path}`")
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
