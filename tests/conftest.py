"""Fixtures that many tests share: a local mainnet, and the folder of real data."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from decimal import getcontext, setcontext
from pathlib import Path

import hypothesis
import pytest

from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.sandbox.node.deploy import GWEI, Deployment, deploy_mainnet

PROJECT = Path(__file__).resolve().parent.parent
# How long an example or its generation takes is the machine's load, not the code's fault.
hypothesis.settings.register_profile(
    "dexmm", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("dexmm")

GENESIS = 1_790_000_000  # 2026-09-21 14:13:20 UTC, a Monday in gold's session


def data_folder() -> Path:
    """Real prices and pool events; ``DEXMM_SHARED_DATA`` names another place."""
    return Path(os.environ.get("DEXMM_SHARED_DATA", PROJECT.parent / "shared" / "data"))


def pytest_configure() -> None:
    """A hang-up and Ctrl-C end what tests start, as in a terminal, even where a runner ignores them
    (nohup, a job of a shell without job control). And what is printed has no width but the one
    that a test gives it: readline, in the process that starts the workers, puts its own there.
    """
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``data`` are skipped, saying why, where the data is absent."""
    if data_folder().is_dir():
        return
    absent = pytest.mark.skip(reason=f"needs the reference data, and {data_folder()} is absent")
    for item in items:
        if "data" in item.keywords:
            item.add_marker(absent)


@pytest.fixture(autouse=True)
def _decimal_context_as_before() -> Iterator[None]:
    """A test that calls ccxt itself leaves its rounding in the thread's context."""
    before = getcontext().copy()
    yield
    setcontext(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return data_folder()


@pytest.fixture(scope="session")
def opened_mainnet() -> Iterator[Deployment]:
    """One local mainnet for all tests of a worker; use ``mainnet``, which cleans up after each."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield deploy_mainnet(anvil)


@pytest.fixture
def mainnet(opened_mainnet: Deployment) -> Iterator[Deployment]:
    """The local mainnet as it opened: PAXG at 4000 USDT, 1 gwei, two hours of oracle history."""
    anvil = opened_mainnet.anvil
    before = anvil.snapshot()
    anvil.set_base_fee(GWEI)  # a snapshot does not hold it
    yield opened_mainnet
    anvil.rpc("anvil_dropAllTransactions")
    anvil.rpc("evm_setAutomine", [True])
    anvil.revert(before)


@pytest.fixture
def anvil(mainnet: Deployment) -> Anvil:
    """The local mainnet's node."""
    return mainnet.anvil
