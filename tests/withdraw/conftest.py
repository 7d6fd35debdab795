"""A wallet with a configuration on the local mainnet, and the command line to run against it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.deploy import PAXG_USDT_POOL, Deployment
from dexmm.sandbox.node.funding import set_token_balance
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.sandbox.node.token_admin import PAXG, USDT
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

# A throw-away key; its address follows from it.
KEY = "0x" + "5a" * 32
WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
T = TypeVar("T")

SAFE = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


def _load(name: str) -> ModuleType:
    """A module beside this file: tests are not a package."""
    specification = importlib.util.spec_from_file_location(f"withdraw_{name}", HERE / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


cutting_proxy = _load("cutting_proxy")


@dataclass(frozen=True)
class Ran:
    """A command that has ended. A negative code is the signal that ended it."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


class Server:
    """The fork server: processes of the real command line, cheaply."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            text=True,
        )
        assert self._read() == {"ready": True}

    def start(self, **request: object) -> int:
        self._write(request)
        return int(self._read()["pid"])

    def wait(self, pid: int) -> int:
        self._write({"wait": pid})
        return int(self._read()["code"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _write(self, request: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@dataclass
class Running:
    """A command that may still run."""

    server: Server
    pid: int
    out: Path
    err: Path

    def wait(self) -> Ran:
        code = self.server.wait(self.pid)
        return Ran(code, self.out.read_text(), self.err.read_text())


@dataclass
class Scene:
    """One wallet in the PAXG/USDT pool, its state folder, and a proxy between it and the node."""

    mainnet: Deployment
    server: Server
    proxy: Any
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    marked: str = ""
    others: list[Any] = field(default_factory=list)

    @property
    def anvil(self) -> Anvil:
        return self.mainnet.anvil

    @property
    def state_dir(self) -> Path:
        return self.folder / ".dexmm"

    def start(
        self, *arguments: str, cut: Any = None, kill_commit: int | None = None, **settings: str
    ) -> Running:
        """Run ``dexmm ARGUMENTS``; ``cut`` kills it at one of its requests.

        A pair like ``(3, "before")`` is of requests to the node; anything else is the proxy's own.
        """
        self.runs += 1
        out, err = self.folder / f"{self.runs}.out", self.folder / f"{self.runs}.err"
        self.proxy.arm(cutting_proxy.Cut(*cut) if isinstance(cut, tuple) else cut)
        pid = self.server.start(
            argv=[*arguments, "--config", str(self.folder / "dexmm.toml")],
            cwd=str(self.folder),
            env=self.environment(**settings),
            out=str(out),
            err=str(err),
            kill_commit=kill_commit,
        )
        self.proxy.aim(pid)
        return Running(self.server, pid, out, err)

    def run(self, *arguments: str, **how: Any) -> Ran:
        return self.start(*arguments, **how).wait()

    def withdraw(self, *arguments: str, **how: Any) -> Ran:
        return self.run("withdraw", "--json", *arguments, **how)

    def beside(self, command: Callable[[], T]) -> T:
        """Run ``command`` through a proxy of its own, while another one still uses the first."""
        first, second = self.proxy, cutting_proxy.CuttingProxy(self.anvil.url)
        self.proxy, self.settings = second, {**self.settings, "NETWORK__RPC_URLS": second.url}
        try:
            return command()
        finally:
            self.proxy = first
            self.settings.pop("NETWORK__RPC_URLS")
            self.others.append(second)

    def environment(self, **settings: str) -> dict[str, str]:
        """Settings as the command line's environment, over those of the scene."""
        chosen = self.settings | {name.upper(): value for name, value in settings.items()}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DEXMM_WALLET__PRIVATE_KEY": KEY,
            **{f"DEXMM_{name}": value for name, value in chosen.items()},
        }

    def mint(self, below: int, above: int, paxg: str = "1", usdt: str = "4000") -> int:
        """A position of the wallet, from ``below`` to ``above`` ticks around the price."""
        tick = self.tick() // 10 * 10
        return self.mainnet.mint_position(
            WALLET,
            tick + below,
            tick + above,
            int(Decimal(paxg) * 10**18),
            int(Decimal(usdt) * 10**6),
        )

    def tick(self) -> int:
        answer = self.anvil.call(PAXG_USDT_POOL, encode_call("slot0()"))
        return int(decode_answer("uint160,int24", answer[:64])[1])

    def trade(self, paxg: str = "5") -> None:
        """Somebody sells PAXG and buys about as much back: fees for whoever is in range."""
        amount = int(Decimal(paxg) * 10**18)
        usdt = self.mainnet.swap(zero_for_one=True, amount_in=amount)
        self.mainnet.swap(zero_for_one=False, amount_in=usdt)

    def token_ids(self, owner: str = WALLET) -> list[int]:
        """Every NFT of the owner, asked one by one."""
        (count,) = self.ask(POSITION_MANAGER, "uint256", "balanceOf(address)", owner)
        return sorted(
            self.ask(
                POSITION_MANAGER, "uint256", "tokenOfOwnerByIndex(address,uint256)", owner, index
            )[0]
            for index in range(count)
        )

    def position(self, token_id: int) -> tuple[int, int, int, int, int]:
        """(tick_lower, tick_upper, liquidity, owed0, owed1), as the position manager has it."""
        types = "uint96,address,address,address,uint24,int24,int24,uint128" + ",uint256" * 2
        types += ",uint128" * 2
        found = self.ask(POSITION_MANAGER, types, "positions(uint256)", token_id)
        return found[5], found[6], found[7], found[10], found[11]

    def balances(self, owner: str = WALLET) -> tuple[int, int]:
        """(PAXG, USDT) in smallest units."""
        held = self.mainnet.balances(owner)
        return held[PAXG], held[USDT]

    def nonce(self, block: str = "latest") -> int:
        return int(self.anvil.rpc("eth_getTransactionCount", [WALLET, block]), 16)

    def ask(self, target: str, types: str, signature: str, *arguments: object) -> tuple[Any, ...]:
        return decode_answer(types, self.anvil.call(target, encode_call(signature, *arguments)))

    def ranges(self) -> list[tuple[int, int, int, int]]:
        """(token_id, tick_lower, tick_upper, liquidity) of every NFT that holds liquidity."""
        found = [(each, *self.position(each)[:3]) for each in self.token_ids()]
        return [each for each in found if each[3] > 0]

    def push_price(self, ticks: int) -> None:
        """Somebody buys PAXG until the price is ``ticks`` higher."""
        limit = get_sqrt_ratio_at_tick(self.tick() + ticks)
        self.mainnet.swap(zero_for_one=False, amount_in=10**12, sqrt_price_limit_x96=limit)

    def give_away_all_but(self, paxg: str, usdt: str) -> None:
        set_token_balance(self.anvil, PAXG, WALLET, int(Decimal(paxg) * 10**18))
        set_token_balance(self.anvil, USDT, WALLET, int(Decimal(usdt) * 10**6))

    def pass_time(self, seconds: int) -> None:
        self.anvil.set_time(int(self.anvil.block()["timestamp"], 16) + seconds)
        self.anvil.mine()

    def mark(self) -> None:
        """Remember the chain and the state folder; ``rewind`` goes back to them, any number of
        times."""
        self.marked = self.anvil.snapshot()
        shutil.rmtree(self.saved, ignore_errors=True)
        if self.state_dir.exists():
            shutil.copytree(self.state_dir, self.saved)

    def rewind(self) -> None:
        self.anvil.rpc("anvil_dropAllTransactions")
        self.anvil.revert(self.marked)
        shutil.rmtree(self.state_dir, ignore_errors=True)
        if self.saved.exists():
            shutil.copytree(self.saved, self.state_dir)
        self.marked = self.anvil.snapshot()

    @property
    def saved(self) -> Path:
        return self.folder / "saved-state"

    def intents(self) -> list[tuple[str, int]]:
        """(status, nonce) of every intent in the journal, which must be sound."""
        with contextlib.closing(sqlite3.connect(self.state_dir / "journal.sqlite")) as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return journal.execute("SELECT status, nonce FROM intents ORDER BY nonce").fetchall()

    def halted(self) -> bool:
        return (self.state_dir / "HALT").exists()

    def all_out(self) -> bool:
        """No NFT of the wallet holds or is owed anything."""
        return all(self.position(each)[2:] == (0, 0, 0) for each in self.token_ids())

    def until(self, condition: Any, seconds: float = 20) -> None:
        """Wait for something that another process does."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture
def scene(mainnet: Deployment, server: Server, tmp_path: Path) -> Iterator[Scene]:
    """10 PAXG, 40,000 USDT and 5 ETH in the wallet, nothing in the pool yet."""
    proxy = cutting_proxy.CuttingProxy(mainnet.anvil.url)
    made = Scene(mainnet, server, proxy, tmp_path)
    mainnet.fund_wallet(WALLET, eth=Decimal(5), paxg=Decimal(10), usdt=Decimal(40_000))
    (tmp_path / "dexmm.toml").write_text(
        f"""
[network]
name = "sandbox"
rpc_urls = ["{proxy.url}"]
timeout_seconds = 5
confirmations = 0

[wallet]
safe_address = "{SAFE}"

[market]
pool = "{PAXG_USDT_POOL}"
base = "{PAXG}"
price_low = 2000
price_high = 8000
"""
    )
    yield made
    for each in (proxy, *made.others):
        each.close()
