"""Frozen settings, parsed strictly: TOML, then ``.env``, then the environment.

Precedence, lowest first: defaults here, the TOML file, ``.env`` beside it, the environment. An
override is spelled ``DEXMM_<SECTION>__<KEY>`` (``DEXMM_STRATEGY__BAND_HIGH=0.45``). A key that
nobody knows is an error wherever it stands: a misspelt limit must not be an absent limit.

Secrets (the keystore's password, a sandbox key) are read from ``.env`` and the environment alone;
in the TOML file they are an error. ``None`` means that something is absent, never "use a default".
Everything that the pool itself knows (tick spacing, decimals, fee, protocol fee) is read from the
pool and cannot be configured.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from dexmm.errors import BadInput

PREFIX = "DEXMM_"
UNISWAP_POSITION_MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
UNISWAP_SWAP_ROUTER = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
CHAINLINK_PAXG_USD = "0x9944D86CEB9160aF5C5feB251FD671923323f8C3"
CHAINLINK_ETH_USD = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"

_HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


def _checksummed(address: str) -> str:
    """EIP-55. An address in one case carries no checksum and gains one; mixed case must match."""
    if not _HEX_ADDRESS.fullmatch(address):
        raise ValueError("is not an address: expected 0x and 40 hexadecimal digits")
    from eth_utils.address import to_checksum_address  # heavy, and only needed here

    checksummed = to_checksum_address(address)
    digits = address[2:]
    if digits not in (digits.lower(), digits.upper()) and address != checksummed:
        raise ValueError(
            f"has a wrong checksum: a digit is mistyped, or it should be {checksummed}"
        )
    return str(checksummed)


def _no_float(value: object) -> object:
    """Money never passes through a float: TOML numbers arrive here as Decimal already."""
    if isinstance(value, float):
        raise ValueError("is a binary float; write the number as text")
    return value


def _split_list(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


Address = Annotated[str, AfterValidator(_checksummed)]
Number = Annotated[Decimal, BeforeValidator(_no_float), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Network(Section):
    name: Literal["sandbox", "fork", "mainnet"]
    # URLs carry API keys: kept secret in every repr, tried in order when the one before is down.
    rpc_urls: Annotated[tuple[SecretStr, ...], BeforeValidator(_split_list), Field(min_length=1)]
    chain_id: Annotated[int, Field(gt=0)] = 1
    relay_url: SecretStr | None = None  # a private relay; exits fall back to the public one
    timeout_seconds: Annotated[int, Field(gt=0, le=120)] = 10
    confirmations: Annotated[int, Field(ge=0)] = 2  # blocks on top before a transaction is final


class Wallet(Section):
    address: Address | None = None  # None: the keystore's or the key's own
    keystore: Path | None = None  # encrypted JSON; relative to the configuration file
    password: SecretStr | None = None
    private_key: SecretStr | None = None  # sandbox and fork only
    safe_address: Address | None = None  # where `withdraw --to safe` may send everything


class MarketSection(Section):
    pool: Address
    base: Address  # which of the pool's tokens is the inventory; the other is the quote
    price_low: Positive  # absolute corridor, quote per base: outside it nothing is minted
    price_high: Positive
    position_manager: Address = UNISWAP_POSITION_MANAGER
    swap_router: Address = UNISWAP_SWAP_ROUTER
    reference_feed: Address | None = None  # a Chainlink base/quote feed the pool is held against
    reference_heartbeat_seconds: Seconds = 86_400
    eth_feed: Address | None = None  # a Chainlink ETH/quote feed, to put gas beside fees
    eth_price: Positive = Decimal(4000)  # quote per ETH where there is no feed

    @model_validator(mode="after")
    def _corridor(self) -> Self:
        if self.price_low >= self.price_high:
            raise ValueError("price_low must be below price_high")
        return self


class Strategy(Section):
    name: Literal["budget", "avellaneda", "single", "passive", "recentre", "hold"] = "budget"
    band_low: Share = Decimal("0.20")
    band_high: Share = Decimal("0.50")
    target: Share = Decimal("0.35")

    # edges: distance = edge_sigmas * sigma * sqrt(horizon), clamped
    edge_sigmas: Positive = Decimal(2)
    horizon_hours: Positive = Decimal(72)
    edge_min_bp: Positive = Decimal(100)
    edge_max_bp: Positive = Decimal(1500)
    sigma_annual: Positive = Decimal("0.16")  # until enough of the price has been seen
    sigma_halflife_hours: Positive = Decimal(24)
    risk_aversion: NotNegative = Decimal("0.5")  # avellaneda: how far the share skews the edges

    # triggers
    dwell_seconds: Seconds = 900
    max_age_hours: Positive = Decimal(336)
    regime_ratio: Annotated[Number, Field(gt=1)] = Decimal(2)
    capital_bp: Positive = Decimal(100)  # a deposit worth this much of NAV is a trigger
    min_interval_seconds: Seconds = 1800

    # reaching the target
    liquidity_tolerance_bp: Positive = Decimal(300)  # a range this close in liquidity is left alone
    min_position_quote: Positive = Decimal(20)  # smaller than this is dust, not a position
    pool_swap: bool = False  # a swap in the pool as the last resort for a share outside its band
    recovery_hours: Positive = Decimal(24)  # how long ranges may try before that
    economic_gate: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.band_low < self.target < self.band_high:
            raise ValueError("needs band_low < target < band_high")
        if self.edge_min_bp >= self.edge_max_bp:
            raise ValueError("edge_min_bp must be below edge_max_bp")
        if self.edge_max_bp >= 10_000:
            raise ValueError("edge_max_bp must be below 10000 (100 %)")
        return self


class Guards(Section):
    twap_seconds: Annotated[int, Field(ge=60)] = 1800
    twap_max_ticks: Annotated[int, Field(gt=0)] = 100
    observation_cardinality: Annotated[int, Field(ge=0, le=65_535)] = 0  # 0: never pay for slots
    reference_max_bp: Positive = Decimal(150)
    max_block_age_seconds: Seconds = 120
    max_loss_bp: Positive = Decimal(20)  # NAV a re-range may lose at one price
    slippage_bp: Positive = Decimal(50)  # below the simulated amounts, for the minimum of each leg
    max_move_ticks: Annotated[int, Field(gt=0)] = 2000  # of a range's centre, in one step
    max_drawdown_bp: Positive = Decimal(1500)  # of NAV below its peak: HALT
    max_drawdown_hold_bp: Positive = Decimal(800)  # of NAV against holding, below its best: HALT
    stop_loss_bp: Positive = Decimal(500)  # price below its reference: REDUCING
    stop_loss_reference: Literal["high", "cost"] = "high"
    stop_loss_release_bp: Positive = Decimal(250)  # closer than this to the reference: ACTIVE again
    slice_share: Annotated[Share, Field(gt=0)] = Decimal("0.10")  # of the base, each slice
    slice_seconds: Seconds = 3600
    token_implementations: tuple[Address, ...] = ()  # those trusted; empty: the first one seen

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.stop_loss_release_bp >= self.stop_loss_bp:
            raise ValueError("stop_loss_release_bp must be below stop_loss_bp")
        return self


class Gas(Section):
    """Caps by class of action: what earns may wait for a cheap block, what protects may not."""

    max_gwei: Positive = Decimal(30)  # re-range, deposit, approvals
    max_exit_gwei: Positive = Decimal(500)  # withdraw
    tip_gwei: NotNegative = Decimal("0.1")
    daily_budget_eth: Positive = Decimal("0.02")
    reserve_eth: NotNegative = Decimal("0.02")  # kept so that an exit can always be paid
    replace_after_blocks: Annotated[int, Field(gt=0)] = 3
    cancel_after_blocks: Annotated[int, Field(gt=0)] = 12
    approvals: Literal["exact", "unlimited"] = "exact"


class Loop(Section):
    interval_seconds: Annotated[int, Field(gt=0)] = 60
    state_dir: Path = Path(".dexmm")  # journal, lock and HALT flag; relative to the file
    journal_url: SecretStr | None = None  # another database than state_dir/journal.sqlite
    receipt_timeout_seconds: Seconds = 180
    halt_after_errors: Annotated[int, Field(gt=0)] = 10  # turns in a row that failed


class Config(Section):
    """The whole configuration. ``root`` is the folder its relative paths are relative to."""

    network: Network
    wallet: Wallet = Wallet()
    market: MarketSection
    strategy: Strategy = Strategy()
    guards: Guards = Guards()
    gas: Gas = Gas()
    loop: Loop = Loop()
    root: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _identity(self) -> Self:
        if self.network.name == "mainnet" and self.wallet.private_key is not None:
            raise ValueError(
                "wallet.private_key is for sandbox and fork only; on mainnet use an encrypted "
                "wallet.keystore"
            )
        return self

    @property
    def state_dir(self) -> Path:
        return self.root / self.loop.state_dir

    def public_json(self) -> str:
        """The configuration without its secrets, as one line of JSON with sorted keys."""
        import json

        return json.dumps(
            self.model_dump(
                mode="json",
                exclude={
                    "network": {"rpc_urls", "relay_url"},
                    "wallet": {"password", "private_key"},
                    "loop": {"journal_url"},
                },
            ),
            sort_keys=True,
        )

    def fingerprint(self) -> str:
        """Names a configuration in the journal: equal settings, equal name; no secret counts."""
        return hashlib.sha256(self.public_json().encode()).hexdigest()[:16]


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file with its overrides.

    Raises ``BadInput`` with one line per mistake; no value is ever echoed, since a mistake may be
    a secret in the wrong place.
    """
    settings = _read_toml(path)
    _refuse_secrets(settings, path)
    for name, value in _overrides(path.parent / ".env", environment).items():
        section, _, key = name.partition("__")
        settings.setdefault(section.lower(), {})[key.lower()] = value
    return parse_config(settings, path.parent, source=str(path))


def parse_config(settings: Mapping[str, Any], root: Path, source: str) -> Config:
    """Settings as nested mappings to a ``Config``; ``BadInput`` names every key that is wrong."""
    try:
        return Config.model_validate({**settings, "root": root})
    except ValidationError as error:
        mistakes = "\n".join(f"  {_where(e['loc'])}: {_what(e)}" for e in error.errors())
        raise BadInput(f"{source} is not a valid configuration:\n{mistakes}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file, parse_float=Decimal)
    except FileNotFoundError:
        raise BadInput(
            f"there is no configuration at {path}: write one with `dexmm init --config {path}`"
        ) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from None


def _refuse_secrets(settings: Mapping[str, Any], path: Path) -> None:
    for section, values in settings.items():
        if not isinstance(values, Mapping):
            continue
        for key, value in values.items():
            named = (section, key) in {("wallet", "password"), ("wallet", "private_key")}
            looks = isinstance(value, str) and _PRIVATE_KEY.fullmatch(value.strip())
            if named or looks:
                raise BadInput(
                    f"{path} holds a secret at {section}.{key}: move it to .env or the environment "
                    f"as {PREFIX}{section.upper()}__{key.upper()}, and treat it as exposed"
                )


def _overrides(dotenv: Path, environment: Mapping[str, str] | None) -> dict[str, str]:
    from dotenv import dotenv_values

    found = dict(dotenv_values(dotenv)) if dotenv.is_file() else {}
    found |= dict(os.environ if environment is None else environment)
    return {
        name.removeprefix(PREFIX): value
        for name, value in found.items()
        if name.startswith(PREFIX) and "__" in name and value is not None
    }


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "configuration"


def _what(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a setting; check its spelling and its section"
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).removeprefix("Value error, ")
