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
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from dexmm.config.field_types import (
    ZERO_ADDRESS,
    Address,
    BaseUrl,
    Bp,
    Count,
    Event,
    FilePath,
    Flag,
    Integer,
    JournalUrl,
    Listed,
    ListenAddress,
    MarketName,
    NonNegativeCount,
    NotNegative,
    Number,
    Positive,
    PrivateKey,
    ProxyUrl,
    Seconds,
    Share,
    Slots,
    Url,
    Week,
    Zone,
)
from dexmm.config.sources import read_settings
from dexmm.errors import BadInput

UNISWAP_POSITION_MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
UNISWAP_SWAP_ROUTER = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
NO_POOL = ZERO_ADDRESS
CHAINLINK_PAXG_USD = "0x9944D86CEB9160aF5C5feB251FD671923323f8C3"
CHAINLINK_XAU_USD = "0x214eD9Da11D2fbe465a6fc601a91E62EbEc1a0D6"
CHAINLINK_ETH_USD = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"


# Distances that a pool's fee widens where nothing is configured: arbitrage leaves a pool's price
# anywhere within one fee of the market's, so nothing nearer than two of them says anything.
EDGE_MIN_BP = Decimal(100)
REFERENCE_MAX_BP = Decimal(150)
TWAP_MAX_TICKS = Decimal(100)  # a tick is a basis point
MAX_POOL_BP = Decimal(100)
MAX_SPREAD_BP = Decimal(150)


def beyond_fee(configured: Decimal | None, least: Decimal, fee_pips: int) -> Decimal:
    """``configured``; where nothing is, ``least`` or twice the fee, the larger. Basis points."""
    return _beyond_fee(least, fee_pips) if configured is None else configured


@lru_cache(maxsize=64)  # every turn asks
def _beyond_fee(least: Decimal, fee_pips: int) -> Decimal:
    return max(least, Decimal(2 * fee_pips).scaleb(-2))


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Network(Section):
    name: Literal["sandbox", "fork", "mainnet"]
    # URLs carry API keys: kept secret in every repr, tried in order when the one before is down.
    rpc_urls: Annotated[Listed[Url], Field(min_length=1)] = ()  # needed wherever there is a pool
    chain_id: Annotated[Integer, Field(gt=0)] = 1
    relay_url: Url | None = None  # a private relay; exits fall back to the public one
    proxy: ProxyUrl | None = None  # for nodes and exchange; None: the environment's
    timeout_seconds: Annotated[Integer, Field(gt=0, le=120)] = 10
    confirmations: NonNegativeCount = 2  # blocks on top before a transaction is final

    @property
    def proxy_url(self) -> str | None:
        """As ``proxies.proxy_for`` takes it, credentials included."""
        return None if self.proxy is None else self.proxy.get_secret_value()


class Wallet(Section):
    address: Address | None = None  # None: the keystore's or the key's own
    keystore: FilePath | None = None  # encrypted JSON; relative to the configuration file
    password: SecretStr | None = None
    private_key: PrivateKey | None = None  # sandbox and fork only
    safe_address: Address | None = None  # where `withdraw --to safe` may send everything
    capital_limit: Positive | None = None  # quote: all markets together never count more than this


class MarketSection(Section):
    name: MarketName = "market"  # among several, to people and in --market
    pool: Address = NO_POOL  # absent: no pool at all, quotes on the exchange alone
    base: Address = NO_POOL  # which of the pool's tokens is the inventory; the other is the quote
    price_low: Positive  # absolute corridor, quote per base: outside it nothing is minted
    price_high: Positive
    position_manager: Address = UNISWAP_POSITION_MANAGER
    swap_router: Address = UNISWAP_SWAP_ROUTER
    reference_feed: Address | None = None  # a Chainlink base/quote feed the pool is held against
    reference_heartbeat_seconds: Seconds = 86_400
    eth_feed: Address | None = None  # a Chainlink ETH/quote feed, to put gas beside fees
    eth_price: Positive = Decimal(2500)  # quote per ETH where there is no feed
    weight: Positive = Decimal(1)  # of this market where several divide one token
    budget: Positive | None = None  # quote: this market never counts more than this as its own

    @model_validator(mode="after")
    def _corridor(self) -> Self:
        if self.price_low >= self.price_high:
            raise ValueError("price_low must be below price_high")
        return self

    @model_validator(mode="after")
    def _pool_and_base(self) -> Self:
        if (self.pool == NO_POOL) != (self.base == NO_POOL):
            missing = "pool" if self.pool == NO_POOL else "base"
            raise ValueError(f"needs its {missing}: pool and base go together")
        return self

    @property
    def has_pool(self) -> bool:
        return self.pool != NO_POOL


class Strategy(Section):
    name: Literal["measured", "budget", "avellaneda", "single", "passive", "recentre", "hold"] = (
        "budget"
    )
    band_low: Share = Decimal("0.20")
    band_high: Share = Decimal("0.50")
    target: Share = Decimal("0.35")

    # edges: distance = edge_sigmas * sigma * sqrt(horizon), clamped
    edge_sigmas: Positive = Decimal(2)
    horizon_hours: Positive = Decimal(72)
    edge_min_bp: Bp | None = None  # None: by the pool's fee, see edge_min
    edge_max_bp: Bp = Decimal(1500)
    sigma_annual: Positive = Decimal("0.16")  # until enough of the price has been seen
    sigma_halflife_hours: Positive = Decimal(24)
    sigma_sample_seconds: Seconds = 1800  # prices nearer in time mostly bounce across the fee
    risk_aversion: NotNegative = Decimal("0.5")  # avellaneda: how far the share skews the edges

    # measured: provide only where the pool pays, in the size that pays
    pay_halflife_hours: Positive = Decimal(2016)  # in which half of what the pool paid is forgotten
    pay_measure_hours: Positive = Decimal(12)  # looked at before anything is provided
    pay_horizon_hours: Positive = Decimal(504)  # in which a change must earn its gas
    pay_dwell_hours: NotNegative = Decimal(6)  # how long that must be so

    # triggers
    dwell_seconds: Seconds = 900
    max_age_hours: Positive = Decimal(336)
    regime_ratio: Annotated[Number, Field(gt=1)] = Decimal(2)
    capital_bp: Bp = Decimal(100)  # a deposit worth this much of NAV is a trigger
    min_interval_seconds: Seconds = 1800

    # reaching the target
    liquidity_tolerance_bp: Bp = Decimal(300)  # a range this close in liquidity is left alone
    min_position_quote: Positive = Decimal(20)  # smaller than this is dust, not a position
    pool_swap: Flag = False  # a swap in the pool as the last resort for a share outside its band
    recovery_hours: Positive = Decimal(24)  # how long ranges may try before that
    economic_gate: Flag = True
    max_gas_bp: Bp = Decimal(50)  # of NAV: gas that no income justifies for one earning action
    band_tolerance: Share = Decimal("0.005")  # outside the band by more than this is a trigger

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.band_low < self.target < self.band_high:
            raise ValueError("needs band_low < target < band_high")
        if self.edge_min_bp is not None and self.edge_min_bp >= self.edge_max_bp:
            raise ValueError("edge_min_bp must be below edge_max_bp")
        if self.edge_max_bp >= 10_000:
            raise ValueError("edge_max_bp must be below 10000 (100 %)")
        return self

    def edge_min(self, fee_pips: int) -> Decimal:
        """No edge nearer than this, basis points, in a pool of this fee."""
        least = beyond_fee(self.edge_min_bp, EDGE_MIN_BP, fee_pips)
        return least if self.edge_min_bp is not None else min(least, self.edge_max_bp)


class Guards(Section):
    twap_seconds: Annotated[Integer, Field(ge=60)] = 1800
    twap_max_ticks: Count | None = None  # None: by the pool's fee, see twap_max
    observation_cardinality: Slots = 0  # oracle slots to pay for; 0: never
    reference_max_bp: Bp | None = None  # None: by the pool's fee, see reference_max
    max_block_age_seconds: Seconds = 120
    max_loss_bp: Bp = Decimal(20)  # NAV a re-range may lose at one price
    slippage_bp: Bp = Decimal(50)  # below the simulated amounts, for the minimum of each leg
    max_move_ticks: Count = 2000  # of a range's centre, in one step
    max_drawdown_bp: Bp = Decimal(1500)  # of NAV below its peak: HALT
    max_drawdown_hold_bp: Bp = Decimal(800)  # of NAV against holding, below its best: HALT
    on_halt: Literal["stay", "withdraw"] = "stay"  # of the positions, when one of these two trips
    stop_loss_bp: Bp = Decimal(500)  # price below its reference: REDUCING
    stop_loss_reference: Literal["high", "cost"] = "high"
    stop_loss_release_bp: Bp = Decimal(150)  # closer than this to the reference: it is over
    stop_loss_halflife_hours: Positive = Decimal(336)  # in which half of a high is forgotten
    # The distance is at least so many standard deviations of the price over so many hours.
    stop_loss_sigmas: NotNegative = Decimal("1.5")
    stop_loss_horizon_hours: Positive = Decimal(168)
    stop_loss_share: Annotated[Share, Field(gt=0)] = Decimal("0.08")  # of the base, once a fall
    # where no exchange can sell the part
    stop_loss_in_pool: Literal["band", "swap", "range"] = "band"
    slice_share: Annotated[Share, Field(gt=0)] = Decimal("0.10")  # of the base, in one range
    slice_seconds: Seconds = 3600  # between two swaps; the first wait for a range to be filled
    token_implementations: Listed[Address] = ()  # those trusted; empty: the first one seen
    # UTC. While the base's own market is closed no range follows the price; in an event nothing new
    closed_weekly: Listed[Week] = ("Fri 21:00-Sun 23:00",)  # gold's weekend
    closed_sessions: Listed[Event] = ()  # the same on given days: `dexmm calendar` writes them
    closed_events: Listed[Event] = ()  # "2026-12-16T18:30/2026-12-16T20:00"

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.stop_loss_release_bp >= self.stop_loss_bp:
            raise ValueError("stop_loss_release_bp must be below stop_loss_bp")
        return self

    def twap_max(self, fee_pips: int) -> int:
        """How far a pool of this fee may be from its own mean price, ticks."""
        if self.twap_max_ticks is not None:
            return self.twap_max_ticks
        return int(beyond_fee(None, TWAP_MAX_TICKS, fee_pips))

    def reference_max(self, fee_pips: int) -> Decimal:
        """How far a pool of this fee may be from a reference feed, basis points."""
        return beyond_fee(self.reference_max_bp, REFERENCE_MAX_BP, fee_pips)


class Gas(Section):
    """Caps by class of action: what earns may wait for a cheap block, what protects may not."""

    max_gwei: Positive = Decimal(30)  # re-range, deposit, approvals
    max_exit_gwei: Positive = Decimal(500)  # withdraw
    tip_gwei: NotNegative = Decimal("0.1")
    daily_budget_eth: Positive = Decimal("0.02")
    reserve_eth: NotNegative = Decimal("0.02")  # kept so that an exit can always be paid
    replace_after_blocks: Count = 3
    cancel_after_blocks: Count = 12
    approvals: Literal["exact", "unlimited"] = "exact"


class Loop(Section):
    interval_seconds: Count = 60
    state_dir: FilePath = Path(".dexmm")  # journal, lock and HALT flag; relative to the file
    journal_url: JournalUrl | None = None  # another database than state_dir/journal.sqlite
    receipt_timeout_seconds: Seconds = 180
    halt_after_errors: Count = 10  # turns in a row that failed


class Exchange(Section):
    """Absent as a whole when there is no exchange: the product then runs on the pool alone."""

    id: str = "binance"  # any of ccxt's
    symbol: str = "PAXG/USDT"
    perpetual_id: str | None = None  # ccxt's id of the derivatives exchange; None: no perpetual
    perpetual_symbol: str | None = None  # such as PAXG/USDT:USDT
    triangle: Listed[str] = ()  # ("PAXG/BTC", "BTC/USDT"): a second way to price the base
    api_key: SecretStr | None = None
    secret: SecretStr | None = None
    password: SecretStr | None = None  # the passphrase that OKX and KuCoin ask for
    sandbox: Flag = False  # the exchange's own test network
    base_url: BaseUrl | None = (
        None  # another host for every endpoint: a relay, or the paper exchange
    )
    paper_exchange: Flag | None = None  # base_url is one; None: when it is on this machine
    timeout_seconds: Annotated[Integer, Field(gt=0, le=60)] = 10
    max_ticker_age_seconds: Seconds = 30
    max_clock_skew_ms: Count = 1000
    # the pool against the exchange: beyond, nothing new. None: by the pool's fee, see max_pool
    max_pool_bp: Bp | None = None
    max_spread_bp: Bp | None = None  # between the fair price's sources; None: see max_spread
    cancel_ratio: Share = Decimal("0.30")  # cancelled of sent orders, at most
    cancel_window_seconds: Seconds = 86_400
    # So many count as sent from the start: no exchange judges the ratio of the first few.
    cancel_minimum_orders: Annotated[Integer, Field(ge=0, le=1_000_000)] = 100

    @property
    def is_paper(self) -> bool:
        """Whether ``base_url`` is a paper exchange: no rate limit, and a time of its own."""
        if self.base_url is None:
            return False
        if self.paper_exchange is not None:
            return self.paper_exchange
        return _on_this_machine(self.base_url.get_secret_value())

    @model_validator(mode="after")
    def _paper_somewhere(self) -> Self:
        if self.paper_exchange and self.base_url is None:
            raise ValueError("paper_exchange needs base_url: the paper exchange's address")
        return self

    def max_pool(self, fee_pips: int) -> Decimal:
        """How far a pool of this fee may be from the exchange, basis points."""
        return beyond_fee(self.max_pool_bp, MAX_POOL_BP, fee_pips)

    def max_spread(self, fee_pips: int) -> Decimal:
        """How far the price's sources may be apart, basis points; a fee of 0 where no pool is."""
        return beyond_fee(self.max_spread_bp, MAX_SPREAD_BP, fee_pips)

    @model_validator(mode="after")
    def _triangle(self) -> Self:
        if not self.triangle:
            return self
        base, _, quote = self.symbol.partition("/")
        coins = [part for symbol in self.triangle for part in symbol.split("/")]
        if len(coins) != 4 or (coins[0], coins[3]) != (base, quote) or coins[1] != coins[2]:
            raise ValueError(f"triangle must be a way from {base} to {quote}: {base}/X, X/{quote}")
        return self


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Hedge(Section):
    enabled: Flag = True  # counts only where an exchange is configured
    to: Literal["zone", "target", "bound"] = "zone"
    zone: Zone = "auto"  # half of its width, a share; auto: from cost and risk aversion
    risk_aversion: Positive = Decimal(5)  # relative, of the zone's width
    max_order_base: Positive = Decimal("0.5")
    slippage_bp: Bp = Decimal(20)
    style: Literal["ioc", "post_only", "cheapest"] = "cheapest"
    maker_timeout_seconds: Seconds = 60
    leverage: Annotated[Number, Field(ge=1, le=2)] = Decimal(1)  # whole: 1.5 counts as 1
    # of the mark price, between it and the liquidation: nearer than min, a short is bought back
    # until it is entry away; nearer than entry none is opened
    liquidation_distance_min: Share = Decimal("0.15")
    liquidation_distance_entry: Share = Decimal("0.30")

    @model_validator(mode="after")
    def _nearest(self) -> Self:
        if self.liquidation_distance_min >= self.liquidation_distance_entry:
            raise ValueError("liquidation_distance_min must be below liquidation_distance_entry")
        return self

    @property
    def zone_share(self) -> Decimal | None:
        """Half the zone's configured width; None where it follows from cost."""
        return None if self.zone == "auto" else Decimal(self.zone)

    @property
    def whole_leverage(self) -> Decimal:
        """What an exchange can be set to: ``leverage``, down to a whole number.

        Everything that counts with leverage counts with this one, so that what is counted on and
        what the exchange allows are the same.
        """
        return Decimal(int(self.leverage))


class Quotes(Section):
    enabled: Flag = False
    skew: Literal["bands", "avellaneda"] = "bands"
    half_spread: Positive = Decimal(5)  # quote; at 4,000 a round brings 25 bp and often pays 20
    accept_loss: Flag = False  # quote though each round pays more of fees than it brings
    size_base: Positive = Decimal("0.1")
    refresh_seconds: Count = 5
    back_off_seconds: Count = 10
    tolerance_bp: Bp = Decimal(2)  # an order this near its wanted price stays: it keeps its queue
    levels: Count = 20  # orders a side, at most: those the price left behind stay as deeper ones
    least_levels: Count = 1  # orders a side, as far as the account allows
    spread_sigmas: NotNegative = Decimal("1.75")  # half spread at least: deviations a refresh
    # The spread is up to so much wider on a short cancel budget.
    budget_widen_factor: Annotated[Number, Field(ge=1)] = Decimal("1.25")
    bid_factor_high: Positive = Decimal("0.6")  # of the full spread, share above the band
    bid_factor_mid: Positive = Decimal("0.5")
    bid_factor_low: Positive = Decimal("0.4")
    gamma: Positive = Decimal("0.1")  # avellaneda: risk aversion
    kappa: Positive = Decimal("1.5")  # avellaneda: how fast fills thin out with distance
    horizon_seconds: Count = 3600  # avellaneda: T - t, rolling
    inventory_margin: Share = Decimal("0.05")  # a share beyond its band is quoted on this far
    max_drift: Annotated[Share, Field(gt=0)] = Decimal("0.002")  # of NAV, beside a pool
    closed: Literal["keep", "widen", "shrink", "stop"] = "widen"  # in guards.closed_weekly
    event: Literal["keep", "widen", "shrink", "stop"] = "stop"  # in guards.closed_events
    widen_factor: Annotated[Number, Field(ge=1)] = Decimal(2)  # of the half spread
    shrink_factor: Annotated[Share, Field(gt=0)] = Decimal("0.5")  # of the size

    @model_validator(mode="after")
    def _skewed(self) -> Self:
        low, mid, high = self.bid_factor_low, self.bid_factor_mid, self.bid_factor_high
        if not low <= mid <= high < 1:
            raise ValueError("needs bid_factor_low <= bid_factor_mid <= bid_factor_high < 1")
        if self.least_levels > self.levels:
            raise ValueError("needs least_levels <= levels")
        return self


class Triangle(Section):
    enabled: Flag = False
    min_profit_bp: Bp = Decimal(5)  # net of all fees and depth
    max_base: Positive = Decimal("0.1")


class Metrics(Section):
    listen: ListenAddress | None = None  # where Prometheus may fetch them; None: nowhere


class Config(Section):
    """The whole configuration. ``root`` is the folder its relative paths are relative to."""

    network: Network
    wallet: Wallet = Wallet()
    market: MarketSection
    strategy: Strategy = Strategy()
    guards: Guards = Guards()
    gas: Gas = Gas()
    loop: Loop = Loop()
    exchange: Exchange | None = None
    hedge: Hedge = Hedge()
    quotes: Quotes = Quotes()
    triangle: Triangle = Triangle()
    metrics: Metrics = Metrics()
    root: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _identity(self) -> Self:
        if self.network.name == "mainnet" and self.wallet.private_key is not None:
            raise ValueError(
                "wallet.private_key is for sandbox and fork only; on mainnet use an encrypted "
                "wallet.keystore"
            )
        return self

    @model_validator(mode="after")
    def _somewhere_to_trade(self) -> Self:
        if self.market.has_pool:
            if not self.network.rpc_urls:
                raise ValueError("network.rpc_urls is missing")
        elif self.exchange is None or not self.quotes.enabled:
            raise ValueError(
                "market.pool is missing: name the pool and its base, or quote without a pool "
                "with an [exchange] section and quotes.enabled"
            )
        return self

    @model_validator(mode="after")
    def _safe_is_safe(self) -> Self:
        market = self.market
        traps = (market.pool, market.base, market.position_manager, market.swap_router)
        if self.wallet.safe_address in traps:
            raise ValueError(
                "wallet.safe_address is a contract of the market: what is sent there is lost"
            )
        return self

    @property
    def state_dir(self) -> Path:
        return self.root / self.loop.state_dir

    def public_json(self) -> str:
        """The configuration without its secrets, as one line of JSON with sorted keys."""
        return json.dumps(
            self.model_dump(
                mode="json",
                exclude={
                    "network": {"rpc_urls", "relay_url", "proxy"},
                    "wallet": {"password", "private_key"},
                    "loop": {"journal_url"},
                    "metrics": True,  # who reads along decides nothing
                    "exchange": {"api_key", "secret", "password", "base_url"},
                    **({"market": {"pool", "base"}} if not self.market.has_pool else {}),
                },
            ),
            sort_keys=True,
        )

    def fingerprint(self) -> str:
        """Names a configuration in the journal: equal settings, equal name; no secret counts."""
        global _newest
        newest = _newest  # every turn asks, and a configuration never changes
        if newest is None or newest[0] is not self:
            newest = _newest = self, _fingerprint(_Same(self))
        return newest[1]


_newest: tuple[Config, str] | None = None


class _Same:
    """A configuration by identity: every turn asks for its fingerprint, and it never changes."""

    __slots__ = ("config",)

    def __init__(self, config: Config) -> None:
        self.config = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.config is self.config

    def __hash__(self) -> int:
        return id(self.config)


@lru_cache(maxsize=16)
def _fingerprint(same: _Same) -> str:
    return hashlib.sha256(same.config.public_json().encode()).hexdigest()[:16]


SECTIONS: dict[str, type[Section]] = {
    name: section
    for name, field in Config.model_fields.items()
    for section in (field.annotation, *get_args(field.annotation))  # Exchange | None has two
    if isinstance(section, type) and issubclass(section, Section)
}


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file with its overrides.

    Raises ``BadInput`` with one line per mistake; no value is ever echoed, since a mistake may be
    a secret in the wrong place.
    """
    settings = read_settings(path, environment, SECTIONS)
    return parse_config(settings.values, path.parent, str(path), settings.overrides)


def parse_config(
    settings: Mapping[str, Any],
    root: Path,
    source: str,
    overrides: Mapping[tuple[str, str], str] | None = None,
) -> Config:
    """Settings as nested mappings to a ``Config``; ``BadInput`` names every key that is wrong.

    ``overrides`` says which (section, key) came from which variable instead of from ``source``.
    """
    unknown = ["root"] if "root" in settings else []
    try:
        config = Config.model_validate({**settings, "root": root})
    except ValidationError as error:
        mistakes = [_mistake(e, source, overrides or {}) for e in error.errors()]
    else:
        mistakes = []
    mistakes += [f"{source}: {key} {_unknown((key,))}" for key in unknown]
    if mistakes:
        raise BadInput("\n".join(mistakes))
    return config


def _mistake(error: Any, source: str, overrides: Mapping[tuple[str, str], str]) -> str:
    location = tuple(str(part) for part in error["loc"])
    where = ".".join(location)
    if len(location) > 1 and (variable := overrides.get((location[0], location[1]))):
        where, source = variable, f"environment or .env beside {source}"
    elif location and error["type"] == "extra_forbidden":
        # A section that only a variable has named.
        named = (v for (section, _), v in overrides.items() if section == location[0])
        if variable := next(named, None):
            where, source = variable, f"environment or .env beside {source}"
    return f"{source}: {where + ' ' if where else ''}{_what(error, location)}"


def _what(error: Any, location: tuple[str, ...]) -> str:
    """The mistake as a predicate of its key: "must be above 0"."""
    match error["type"], error.get("ctx", {}):
        case "extra_forbidden", _:
            return _unknown(location)
        case "missing", _:
            section = len(location) == 1
            return f"is missing: add a [{location[0]}] section" if section else "is missing"
        case "model_type" | "dict_type", _:
            return f"must be a section: write [{location[0]}] and its settings below it"
        case (("decimal_parsing" | "decimal_type" | "int_parsing" | "int_type"), _):
            return "must be a number"
        case "int_from_float", _:
            return "must be a whole number"
        case "finite_number", _:
            return "must be a finite number"
        case "greater_than", {"gt": limit}:
            return f"must be above {limit}"
        case "greater_than_equal", {"ge": limit}:
            return f"must be at least {limit}"
        case "less_than_equal", {"le": limit}:
            return f"must be at most {limit}"
        case (("bool_parsing" | "bool_type"), _):
            return "must be true or false"
        case (("string_type" | "path_type"), _):
            return "must be text in quotes"
        case "tuple_type", _:
            return "must be a list of texts in quotes"
        case "too_short", _:
            return "is empty: name at least one"
        case "literal_error", {"expected": expected}:
            return f"must be {expected}"
    return str(error["msg"]).removeprefix("Value error, ")


def _unknown(location: tuple[str, ...]) -> str:
    known: Collection[str] = SECTIONS
    if len(location) > 1 and location[0] in SECTIONS:
        known = SECTIONS[location[0]].model_fields
    near = get_close_matches(location[-1], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; check its spelling and its section"
    return f"is not a setting{hint}"
