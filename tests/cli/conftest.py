"""A funded account on the local mainnet with its configuration; logging as it was before."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.cli import main
from dexmm.config.template import configuration
from dexmm.sandbox.node.deploy import Deployment


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("dexmm")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])
    logging.captureWarnings(False)


WALLET_KEY = "0x" + "5a" * 32


@dataclass(frozen=True)
class Account:
    """A funded wallet on the local mainnet, and the configuration that is about it."""

    config: Path
    address: str
    deployment: Deployment

    def dexmm(self, command: str, *arguments: object) -> int:
        """Run one command in this process. Returns its exit code."""
        return main.run([command, "--config", str(self.config), *map(str, arguments)])

    def override(self, **variables: object) -> None:
        """Add settings to the account's .env: ``STRATEGY__TARGET=...``."""
        with (self.config.parent / ".env").open("a", encoding="utf-8") as file:
            file.writelines(f"DEXMM_{name}={value}\n" for name, value in variables.items())


@pytest.fixture
def account(mainnet: Deployment, tmp_path: Path) -> Account:
    """10 PAXG, 70 000 USDT and 5 ether, and everything as ``dexmm init`` writes it."""
    from eth_account import Account as Signer

    address = Signer.from_key(WALLET_KEY).address
    mainnet.fund_wallet(address, paxg=Decimal(10), usdt=Decimal(70_000), eth=Decimal(5))
    config = tmp_path / "dexmm.toml"
    config.write_text(configuration("sandbox"), encoding="utf-8")
    made = Account(config, address, mainnet)
    made.override(NETWORK__RPC_URLS=mainnet.anvil.url, WALLET__PRIVATE_KEY=WALLET_KEY)
    return made
