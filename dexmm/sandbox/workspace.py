"""The folder of one sandbox: its configuration, its key, its journal, and where its chain is.

It is an ordinary configuration folder, so that every command of the product works on a kept
sandbox. ``chain.json`` marks it as ours: only a folder that has it is ever cleared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from dexmm.config.schema import Config, load_config
from dexmm.errors import BadInput, NodeError, unusable
from dexmm.model.market import Market
from dexmm.sandbox.node.deploy import ETH_USD_FEED, PAXG_USD_FEED
from dexmm.sandbox.node.rpc import Rpc

KEPT = Path(".dexmm") / "sandbox"
CONFIG, SECRETS, CHAIN, STATE = "dexmm.toml", ".env", "chain.json", "state"
_OURS = {CONFIG, SECRETS, CHAIN, STATE}
_SETTABLE = ("strategy", "guards", "gas", "hedge", "quotes", "triangle")
_SETTING = re.compile(rf"({'|'.join(_SETTABLE)})\.([a-z_]+)=([^\r\n]*)")

_TEMPLATE = """\
# A {network} of its own, written by `dexmm sandbox`. Its key is in .env beside this file, and
# everybody can derive it: never send it anything real.

[network]
name = "{network}"
rpc_urls = ["{url}"]

[market]
pool = "{pool}"
base = "{base}"
price_low = {price_low}
price_high = {price_high}
reference_feed = "{reference_feed}"
eth_feed = "{eth_feed}"

[strategy]
name = "{strategy}"

[loop]
interval_seconds = {interval_seconds}
state_dir = "{state}"
"""

_EXCHANGE = """
[exchange]
id = "binance"
symbol = "PAXG/USDT"
perpetual_id = "binanceusdm"
perpetual_symbol = "PAXG/USDT:USDT"
base_url = "{url}"

[quotes]
enabled = {quotes}
half_spread = {half_spread}
refresh_seconds = {refresh_seconds}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the paper exchange is, and the keys of the one account on it."""

    url: str
    api_key: str
    secret: str = field(repr=False)
    half_spread: Decimal
    quotes: bool = False
    refresh_seconds: int = 5  # between two looks at the quotes, as the sandbox makes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    folder: Path

    @property
    def config_path(self) -> Path:
        return self.folder / CONFIG

    def prepare(self) -> None:
        """Make the folder, or clear what an earlier sandbox left in it.

        Raises ``BadInput`` when it holds anything else, or a chain that still runs.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            raise unusable(
                f"cannot use the folder {self.folder}", error, "choose another --state-dir"
            ) from None
        if not found:
            return
        if CHAIN not in found or found - _OURS:
            raise BadInput(
                f"{self.folder} is not a sandbox's folder, and what is in it is left alone: "
                "choose another --state-dir"
            )
        self._refuse_running()
        shutil.rmtree(self.folder / STATE, ignore_errors=True)
        for name in (CONFIG, SECRETS, CHAIN):
            (self.folder / name).unlink(missing_ok=True)

    def write(
        self,
        *,
        url: str,
        pid: int,
        market: Market,
        price: Decimal,
        strategy: str,
        interval_seconds: int,
        key: str,
        fork: bool,
        desk: Desk | None = None,
        settings: tuple[str, ...] = (),
    ) -> Config:
        """Write configuration and key, and read them back as the product does.

        ``settings`` are further ones, as ``strategy.edge_sigmas=1``. Raises ``BadInput`` for one
        that is none, ``Transient`` for a full disk.
        """
        overrides = [_override(setting) for setting in settings]
        text = _TEMPLATE.format(
            network="fork" if fork else "sandbox",
            url=url,
            pool=market.pool,
            base=market.base.address,
            price_low=(price / 2).quantize(Decimal("0.01")),
            price_high=(price * 2).quantize(Decimal("0.01")),
            reference_feed=PAXG_USD_FEED,
            eth_feed=ETH_USD_FEED,
            strategy=strategy,
            interval_seconds=interval_seconds,
            state=STATE,
        )
        if desk is not None:
            text += _EXCHANGE.format(
                url=desk.url,
                quotes=str(desk.quotes).lower(),
                half_spread=desk.half_spread,
                refresh_seconds=desk.refresh_seconds,
            )
        private = [
            f"DEXMM_WALLET__PRIVATE_KEY={key}\n",
            *overrides,
            *(
                [
                    f"DEXMM_EXCHANGE__API_KEY={desk.api_key}\n",
                    f"DEXMM_EXCHANGE__SECRET={desk.secret}\n",
                ]
                if desk is not None
                else []
            ),
        ]
        try:
            (self.folder / CHAIN).write_text(json.dumps({"url": url, "pid": pid}) + "\n")
            self.config_path.write_text(text)
            secrets = os.open(self.folder / SECRETS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(secrets, "w") as file:
                file.writelines(private)
        except OSError as error:
            raise unusable(
                f"cannot write to {self.folder}", error, "choose another --state-dir"
            ) from None
        # The caller's own DEXMM_ variables may name mainnet: none of them applies here.
        return load_config(self.config_path, {})

    def _refuse_running(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            chain = json.loads((self.folder / CHAIN).read_text())
            if _is_anvil(str(chain["url"])) and _is_alive(int(chain["pid"])):
                raise BadInput(
                    f"the sandbox kept in {self.folder} still runs: end it with "
                    f"`kill {chain['pid']}`, or choose another --state-dir",
                    pid=chain["pid"],
                )


def _override(setting: str) -> str:
    """A line of ``.env`` that sets it."""
    found = _SETTING.fullmatch(setting)
    if found is None:
        raise BadInput(
            f"--set {setting} is no setting of a sandbox: write SECTION.KEY=VALUE, the section one "
            f"of {', '.join(_SETTABLE)}"
        )
    section, key, value = found.groups()
    return f"DEXMM_{section.upper()}__{key.upper()}={json.dumps(value)}\n"


def throwaway_key(seed: int) -> str:
    """The sandbox wallet's key. Public knowledge by design, and the same for the same seed: an
    address's zero bytes show in the gas, which must be the same too."""
    return "0x" + hashlib.sha256(f"dexmm sandbox wallet {seed}".encode()).hexdigest()


def _is_anvil(url: str) -> bool:
    node = Rpc(url)
    try:
        return "anvil" in str(node.rpc("web3_clientVersion")).lower()
    except NodeError:
        return False
    finally:
        node.disconnect()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
