"""The text of ``dexmm.toml`` and ``.env.example``: every setting, its meaning and its default.

The settings themselves are ``config``'s; this file holds their meanings. A test fails when one
has no meaning here, or when the written file is read back as anything but the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dexmm.config.schema import (
    CHAINLINK_ETH_USD,
    CHAINLINK_PAXG_USD,
    CHAINLINK_XAU_USD,
    SECTIONS,
    Section,
)
from dexmm.config.sources import PREFIX, SECRETS

PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
PAXG_USDT_500 = "0x7Cb85f75e61226060453a997a7733F76707Df337"
PAXG_USDC_500 = "0x5aE13BAAEF0620FdaE1D355495Dc51a17adb4082"
XAUT = "0x68749665FF8D2d112Fa859AA293F07A622782F38"
XAUT_USDT_500 = "0x6546055f46e866a4B9a4A13e81273e3152BAE5dA"

SECTION_TITLES = {
    "network": "Which chain, and whom to ask about it",
    "wallet": "Whose money. Secrets go to .env, never in here",
    "market": "One Uniswap v3 pool. What the pool itself knows is read from it",
    "strategy": "What to hold",
    "guards": "What is never done, whatever the strategy wants",
    "gas": "What transactions may cost",
    "loop": "When, and where its memory is kept",
    "exchange": "A centralised exchange, through ccxt. Without this section there is none.\n"
    "# Keys go to .env; a key that may withdraw is not needed, and better not given",
    "hedge": "What ranges cannot bring back is traded on the exchange",
    "quotes": "Two-sided quotes on the exchange, refreshed between turns",
    "triangle": "base/quote against base/X x X/quote on the exchange",
    "metrics": "Figures of every turn for Prometheus; needs the metrics extra",
}
OPTIONAL = {"exchange"}  # absent as a whole unless somebody fills it in
SEVERAL = """\
# Several pools over one wallet: write [[market]] for each instead of [market], each with a name,
# and below it whatever it has of its own, such as [market.exchange] symbol or [market.strategy].
# A token that several trade is divided by their weights."""

MEANINGS = {
    "network": {
        "name": "sandbox or fork (an Anvil node), or mainnet (real money; needs --live to run)",
        "rpc_urls": "nodes, http or https, tried in order; one with an API key belongs in .env",
        "chain_id": "what the node must say it is",
        "relay_url": "a private relay for transactions; exits fall back to the public nodes",
        "proxy": "an HTTP proxy for nodes and exchange, before HTTPS_PROXY's; direct is none",
        "timeout_seconds": "how long a node may take to answer",
        "confirmations": "blocks on top of a transaction before it counts as final",
    },
    "wallet": {
        "address": "whom to look at; without it, the keystore's own address",
        "keystore": "encrypted JSON key file, relative to this file, readable by you alone",
        "password": "of the keystore",
        "private_key": "64 hexadecimal digits; sandbox and fork only",
        "safe_address": "where `dexmm withdraw --to safe` may send everything",
        "capital_limit": "in quote: all markets together never count more than this as theirs",
    },
    "market": {
        "pool": "the pool's address",
        "base": "the token whose share is kept in its band; the pool's other token is the quote",
        "price_low": "quote per base; below it nothing is put into the pool",
        "price_high": "quote per base; above it nothing is put into the pool",
        "position_manager": "Uniswap's NonfungiblePositionManager",
        "swap_router": "Uniswap's SwapRouter",
        "reference_feed": "Chainlink base/USD feed that the pool's price is held against",
        "reference_heartbeat_seconds": "older than this, the feed is stale and nothing is minted",
        "eth_feed": "Chainlink ETH/USD feed, to put gas beside fees",
        "eth_price": "quote per ETH where there is no eth_feed",
        "name": "of this market, among several",
        "weight": "of this market where several divide one token",
        "budget": "in quote: this market never counts more than this as its own",
    },
    "strategy": {
        "name": "measured, budget, avellaneda, single, passive, recentre or hold",
        "band_low": "least share of the inventory's value in base, 0 to 1",
        "band_high": "greatest share, 0 to 1",
        "target": "the share that ranges pull towards, 0 to 1",
        "edge_sigmas": "an edge is this many standard deviations of the price away, ...",
        "horizon_hours": "... over this many hours",
        "edge_min_bp": "no edge nearer than this, basis points of the price; unset: 100, or "
        "twice the pool's fee where that is more",
        "edge_max_bp": "no edge farther than this, basis points of the price",
        "sigma_annual": "volatility a year until enough has been seen; 0.16 is 16 %",
        "sigma_halflife_hours": "how fast what was seen of volatility is forgotten",
        "sigma_sample_seconds": "prices nearer in time than this are not compared for it",
        "risk_aversion": "avellaneda: how far the share skews the edges, 0 is not at all",
        "pay_halflife_hours": "measured: how fast what the pool has paid is forgotten",
        "pay_measure_hours": "measured: how long the pool is watched before anything is provided",
        "pay_horizon_hours": "measured: how long a change of size has to earn its gas",
        "pay_dwell_hours": "measured: how long a change must have been worth it",
        "dwell_seconds": "how long the price must stay beyond an edge before ranges follow",
        "max_age_hours": "a range older than this is made anew",
        "regime_ratio": "volatility this many times what the range was made for is a new regime",
        "capital_bp": "a deposit worth this much of the inventory is put to work, basis points",
        "min_interval_seconds": "between two re-ranges",
        "liquidity_tolerance_bp": "a range this close in liquidity is left alone, basis points",
        "min_position_quote": "smaller than this is dust, not a position; in quote",
        "pool_swap": "may swap in the pool, as the last resort for a share outside its band",
        "recovery_hours": "how long ranges may try before that",
        "economic_gate": "re-range only when fees and risk pay for the gas",
        "max_gas_bp": "of the inventory's value, for one re-range; basis points",
        "band_tolerance": "outside the band by more than this share is a trigger, 0 to 1",
    },
    "guards": {
        "twap_seconds": "window of the pool's time-weighted average price",
        "twap_max_ticks": "how far the pool's price may be from it; a tick is 0.01 %; unset: 100, "
        "or twice the pool's fee where that is more",
        "observation_cardinality": "oracle slots to pay for when the window is longer than the "
        "pool's history; 0 is never",
        "reference_max_bp": "how far the pool may be from the reference feed, basis points; unset: "
        "150, or twice the pool's fee where that is more",
        "max_block_age_seconds": "a newest block older than this means a node that lags",
        "max_loss_bp": "value a re-range may lose at one price, basis points",
        "slippage_bp": "each leg's minimum below its simulated amount, basis points",
        "max_move_ticks": "how far a range's centre may move at once",
        "max_drawdown_bp": "value below its peak, basis points: halts; what is in the pool stays "
        "there unless on_halt is withdraw",
        "max_drawdown_hold_bp": "value against never having traded, basis points: halts, as above",
        "on_halt": "when one of these two has halted it: stay (positions stay in the pool, go on "
        "gaining and losing with the price, and nothing looks after them) or withdraw (everything "
        "is taken out at once, orders cancelled and the perpetual closed, as by `dexmm withdraw`)",
        "stop_loss_bp": "price below its reference, basis points: sells part of the base, once",
        "stop_loss_reference": "high (the highest price seen) or cost (what was paid)",
        "stop_loss_release_bp": "closer than this to the reference, basis points: buys again",
        "stop_loss_halflife_hours": "how fast a high is forgotten",
        "stop_loss_sigmas": "that is at least so many standard deviations of the price, ...",
        "stop_loss_horizon_hours": "... over this many hours",
        "stop_loss_share": "of the base, sold once in a fall, 0 to 1",
        "stop_loss_in_pool": "where no exchange can sell it: band (new ranges are made around a "
        "lower band), swap (at once in the pool, in slices of hedge.max_order_base) or range (it "
        "is offered in one range above the price)",
        "slice_share": "of the base, offered in one such range at most, 0 to 1",
        "slice_seconds": "between two such swaps; how long a range waits at first, each next one "
        "twice as long",
        "token_implementations": "trusted code behind upgradable tokens; empty: the first seen",
        "closed_weekly": "when the base's own market is closed (gold's weekend), UTC: ranges do "
        "not follow the price then; [] for a base that trades all week",
        "closed_sessions": "the same on given days, start/end in UTC: `dexmm calendar` writes the "
        "holidays and early closes of gold's own market",
        "closed_events": "start/end in UTC, like 2026-12-16T18:30/2026-12-16T20:00: no new "
        "liquidity then",
    },
    "gas": {
        "max_gwei": "for what earns: re-ranges, deposits, approvals",
        "max_exit_gwei": "for what gets out: withdraw",
        "tip_gwei": "offered to the block's builder",
        "daily_budget_eth": "spent in a day (UTC) at most by all markets, exits not counted",
        "reserve_eth": "always left in the wallet, so that an exit can be paid",
        "replace_after_blocks": "a transaction waiting this long is offered more",
        "cancel_after_blocks": "one waiting this long is cancelled",
        "approvals": "exact (for each use) or unlimited",
    },
    "loop": {
        "interval_seconds": "between two turns of `dexmm run`",
        "state_dir": "folder of the journal, the lock and the HALT flag, relative to this file",
        "journal_url": "another database than journal.sqlite in state_dir",
        "receipt_timeout_seconds": "how long a turn waits for a transaction it sent",
        "halt_after_errors": "turns in a row that failed before it halts",
    },
    "exchange": {
        "id": "one of ccxt's, such as binance, okx, kucoin; doctor says whether it will do",
        "symbol": "where the base is bought and sold",
        "perpetual_id": "ccxt's id of the derivatives exchange, for shorts when spot base runs out",
        "perpetual_symbol": "the perpetual there",
        "triangle": "two symbols from the base to the quote: a second way to price it",
        "api_key": "may read and trade, not withdraw",
        "secret": "of that key",
        "password": "the passphrase that OKX and KuCoin ask for",
        "sandbox": "the exchange's own test network",
        "base_url": "another host for every endpoint: a relay, or `dexmm paper`'s",
        "paper_exchange": "base_url is one: no rate limit, no clock; unset: when on this machine; "
        "false for a tunnel to a real exchange",
        "timeout_seconds": "how long the exchange may take to answer",
        "max_ticker_age_seconds": "an answer older than this is stale and nothing is traded on it",
        "max_clock_skew_ms": "between this machine's clock and the exchange's",
        "max_pool_bp": "how far the pool may be from the exchange, basis points; unset: 100, or "
        "twice the pool's fee where that is more",
        "max_spread_bp": "how far the price's sources may be apart, basis points; unset: 150, or "
        "twice the pool's fee where that is more",
        "cancel_ratio": "cancelled of sent orders at most, 0 to 1",
        "cancel_window_seconds": "over which that is counted",
        "cancel_minimum_orders": "so many orders count as sent from the start: the ratio of the "
        "first few is judged by no exchange",
    },
    "hedge": {
        "enabled": "may trade on the exchange; counts only where there is one",
        "to": "zone (the edge of a no-trade zone around the target, kept within the band too), "
        "target (of the band) or bound (the edge that was left), for a share outside its band",
        "zone": "half of its width as a share, or auto: from the cost of a trade and risk_aversion",
        "risk_aversion": "the higher, the narrower the zone",
        "max_order_base": "one slice at most, in base",
        "slippage_bp": "worst price of a slice, beyond the best one, basis points",
        "style": "ioc (take), post_only (rest), or cheapest of both and the pool",
        "maker_timeout_seconds": "how long a resting hedge may wait",
        "leverage": "of a short, 1 or 2; whole, as exchanges take it: 1.5 counts as 1",
        "liquidation_distance_min": "a short whose liquidation price is nearer to the mark price "
        "than this is bought back until it is _entry away; 0 to 1, of the mark price",
        "liquidation_distance_entry": "no short is opened that would be liquidated nearer than "
        "this; 0 to 1, of the mark price",
    },
    "quotes": {
        "enabled": "quote both sides; works without a pool too: leave market.pool and base away",
        "skew": "bands (three steps) or avellaneda (continuous)",
        "half_spread": "in quote; a round brings twice as much and pays the maker fee twice",
        "accept_loss": "quote though each round pays more of fees than it brings: `dexmm doctor` "
        "says at which half spread it breaks even",
        "size_base": "of one order",
        "refresh_seconds": "between two looks at the quotes",
        "back_off_seconds": "of silence after an error",
        "max_drift": "beside a pool: of NAV, how far trades here may carry the inventory away",
        "tolerance_bp": "an order this near its wanted price keeps its place, basis points; never "
        "more than half of the wanted distance",
        "levels": "orders a side, at most: one that the price has left behind stays as a deeper "
        "level instead of being cancelled",
        "least_levels": "orders a side, at least, as far as the account allows: when the nearest "
        "is filled another stands until the next refresh",
        "spread_sigmas": "the half spread is at least so many standard deviations of the price "
        "between two refreshes",
        "budget_widen_factor": "on a short cancel budget the spread is up to so much wider",
        "bid_factor_high": "bands: of the full spread, below the price, share above the band",
        "bid_factor_mid": "the same, share inside the band",
        "bid_factor_low": "the same, share below the band",
        "inventory_margin": "a share that the price took out of its band is quoted on this far, "
        "0 to 1",
        "closed": "in guards.closed_weekly: keep, widen, shrink or stop",
        "event": "in guards.closed_events: keep, widen, shrink or stop",
        "widen_factor": "of the half spread",
        "shrink_factor": "of the size, 0 to 1",
        "gamma": "avellaneda: risk aversion",
        "kappa": "avellaneda: how fast fills thin out with distance",
        "horizon_seconds": "avellaneda: how far ahead",
    },
    "triangle": {
        "enabled": "trade round it when that pays",
        "min_profit_bp": "net of all fees and depth, basis points",
        "max_base": "of one round",
    },
    "metrics": {
        "listen": "host and port of the page; who reaches it sees what is held, so keep it local",
    },
}

EXAMPLES = {
    "strategy.edge_min_bp": "100",
    "guards.twap_max_ticks": "100",
    "guards.reference_max_bp": "150",
    "exchange.max_pool_bp": "100",
    "exchange.max_spread_bp": "150",
    "network.relay_url": '"https://relay.example"',
    "wallet.address": '"0x..."',
    "wallet.keystore": '"keystore.json"',
    "wallet.safe_address": '"0x..."',
    "wallet.capital_limit": "100000",
    "market.budget": "50000",
    "exchange.perpetual_id": '"binanceusdm"',
    "exchange.perpetual_symbol": '"PAXG/USDT:USDT"',
    "network.proxy": '"http://proxy.example:3128"',
    "exchange.paper_exchange": "false",
    "exchange.base_url": '"http://127.0.0.1:8710"',
    "metrics.listen": '"127.0.0.1:9464"',
    "loop.journal_url": '"sqlite:////absolute/path/journal.sqlite"',
}

COMMENT_COLUMN = 44


@dataclass(frozen=True, slots=True)
class MarketPreset:
    """A well-known pool of mainnet, and what its price is held against."""

    title: str
    pool: str
    base: str
    reference_feed: str
    exchange: dict[str, str]  # what the section that is commented out suggests


MARKETS = {
    "paxg-usdt": MarketPreset(
        title="PAXG/USDT 0.05 %",
        pool=PAXG_USDT_500,
        base=PAXG,
        reference_feed=CHAINLINK_PAXG_USD,
        exchange={},
    ),
    "paxg-usdc": MarketPreset(
        title="PAXG/USDC 0.05 %",
        pool=PAXG_USDC_500,
        base=PAXG,
        reference_feed=CHAINLINK_PAXG_USD,
        exchange={"symbol": "PAXG/USDC"},
    ),
    "xaut-usdt": MarketPreset(
        title="XAUt/USDT 0.05 %",
        pool=XAUT_USDT_500,
        base=XAUT,
        reference_feed=CHAINLINK_XAU_USD,
        exchange={"id": "okx", "symbol": "XAUT/USDT"},
    ),
}
DEFAULT_MARKET = "paxg-usdt"


@dataclass(frozen=True, slots=True)
class Preset:
    """What a configuration must say because there is no default for it."""

    network: str
    intro: str
    price_low: int
    price_high: int

    def values(self, market: str = DEFAULT_MARKET) -> dict[str, dict[str, Any]]:
        chosen = MARKETS[market]
        # On a chain of one's own nobody else decides whether a pool pays.
        strategy = "budget" if self.network == "sandbox" else "measured"
        return {
            "strategy": {"name": strategy},
            "network": {"name": self.network, "rpc_urls": ["http://127.0.0.1:8545"]},
            "market": {
                "pool": chosen.pool,
                "base": chosen.base,
                "price_low": self.price_low,
                "price_high": self.price_high,
                "reference_feed": chosen.reference_feed,
                "eth_feed": CHAINLINK_ETH_USD,
            },
        }


PRESETS = {
    "sandbox": Preset(
        network="sandbox",
        intro="A local chain, such as `dexmm sandbox --keep` leaves running.",
        price_low=1000,
        price_high=10_000,
    ),
    "fork": Preset(
        network="fork",
        intro="A rehearsal on a copy of mainnet, such as `anvil --fork-url URL`.",
        price_low=2500,
        price_high=8000,
    ),
    "mainnet": Preset(
        network="mainnet",
        intro="Mainnet, with real money. `dexmm doctor` checks it; `dexmm run --live` acts.",
        price_low=2500,
        price_high=8000,
    ),
}


def configuration(network: str, market: str = DEFAULT_MARKET) -> str:
    """A commented ``dexmm.toml`` for one network and one of ``MARKETS``."""
    preset, chosen = PRESETS[network], MARKETS[market]
    required = {**preset.values(market), "exchange": chosen.exchange}
    blocks = [
        f"# dexmm: {chosen.title} on Uniswap v3.\n# {preset.intro}\n#\n"
        "# Every setting is here with its value. A line that is commented out is not set.\n"
        f"# Any setting can be overridden as {PREFIX}<SECTION>__<KEY> in .env or the environment."
    ]
    for name, section in SECTIONS.items():
        lines = [f"# {SECTION_TITLES[name]}."]
        settings = [f"[{name}]", *_settings(name, section, required.get(name, {}))]
        if name in OPTIONAL:
            settings = [line if line.startswith("#") else f"# {line}" for line in settings]
        blocks.append("\n".join([*([SEVERAL] if name == "market" else []), *lines, *settings]))
    return "\n\n".join(blocks) + "\n"


def secrets_example(network: str) -> str:
    """A ``.env.example``: the variables that hold secrets, all empty."""
    lines = [
        "# Copy to .env, fill in what you need, and run `chmod 600 .env`. Never commit it.",
        "# An empty variable counts as not set. A value with a space, a # or a quote needs single",
        "# quotes around it: 'x #y' (without them it would end before the #, as x).",
        "",
        f"# {MEANINGS['network']['rpc_urls']}; separated by commas",
        f"{PREFIX}NETWORK__RPC_URLS=",
        "",
    ]
    for section, key in sorted(SECRETS):
        if key == "private_key" and network == "mainnet":
            continue
        lines += [f"# {MEANINGS[section][key]}", f"{PREFIX}{section.upper()}__{key.upper()}=", ""]
    return "\n".join(lines)


def _settings(name: str, section: type[Section], required: dict[str, Any]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        meaning = MEANINGS[name][key]
        if (name, key) in SECRETS:
            yield f"# {key}: {meaning}; only as {PREFIX}{name.upper()}__{key.upper()} in .env"
            continue
        value = required[key] if key in required else field.get_default()
        if value is None:
            setting = f"# {key} = {EXAMPLES[f'{name}.{key}']}"
        else:
            setting = f"{key} = {_toml(value)}"
        if len(setting) < COMMENT_COLUMN:
            yield f"{setting:<{COMMENT_COLUMN}}# {meaning}"
        else:
            yield from (f"# {meaning}", setting)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str | Path):
        return f'"{value}"'
    raise TypeError(f"no TOML for {type(value).__name__}")
