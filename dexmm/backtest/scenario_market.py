"""The pool of a backtest, from what its history says, what was asked, and the configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.backtest.run import PAXG, PAXG_USDT, USDT
from dexmm.config.schema import UNISWAP_POSITION_MANAGER, UNISWAP_SWAP_ROUTER, Config
from dexmm.errors import BadInput
from dexmm.history.event_types import EventHistory
from dexmm.model.market import Market, Token
from dexmm.performance.number_format import ETHERS

SPACINGS = {100: 1, 500: 10, 3000: 60, 10_000: 200}
ETHER_DOLLARS = Decimal(2500)  # for defaults alone

PAXG_USDT_MARKET = Market(
    chain_id=1,
    pool=PAXG_USDT,
    position_manager=UNISWAP_POSITION_MANAGER,
    swap_router=UNISWAP_SWAP_ROUTER,
    token0=Token(address=PAXG, symbol="PAXG", decimals=18),
    token1=Token(address=USDT, symbol="USDT", decimals=6),
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketAsked:
    """What of the pool was said; None is what PAXG/USDT 0.05 % has."""

    base: str | None = None  # symbol
    quote: str | None = None
    base_decimals: int | None = None
    quote_decimals: int | None = None
    base_is_token1: bool = False
    fee_pips: int | None = None
    tick_spacing: int | None = None  # None: the one that goes with the fee


def market_asked(market: Market, asked: MarketAsked) -> Market:
    """``market`` with what was said of the pool instead."""
    fee = market.fee_pips if asked.fee_pips is None else asked.fee_pips
    spacing = asked.tick_spacing or _spacing(fee)
    if asked.base_is_token1 and market.base_is_token0:
        market = replace(market, token0=market.quote, token1=market.base, base_is_token0=False)
    return _named(replace(market, fee_pips=fee, tick_spacing=spacing), asked)


def _named(market: Market, asked: MarketAsked) -> Market:
    base = _token(market.base, asked.base, asked.base_decimals)
    quote = _token(market.quote, asked.quote, asked.quote_decimals)
    tokens = (base, quote) if market.base_is_token0 else (quote, base)
    return replace(market, token0=tokens[0], token1=tokens[1])


def _token(token: Token, symbol: str | None, decimals: int | None) -> Token:
    return replace(
        token,
        symbol=symbol or token.symbol,
        decimals=token.decimals if decimals is None else decimals,
    )


def market_of(history: EventHistory, asked: MarketAsked) -> Market:
    """The recorded pool's own market. Raises ``BadInput`` where nobody says what its tokens are."""
    known = history.token0 is not None and history.token1 is not None
    if not known and (asked.base is None or asked.quote is None):
        raise BadInput(
            f"{history.source} does not say which tokens its pool trades: say --base and --quote, "
            "--base-decimals and --quote-decimals, and --base-is-token1 where it is"
        )
    named = Token(address=PAXG, symbol="", decimals=18), Token(address=USDT, symbol="", decimals=6)
    token0, token1 = (history.token0 or named[0], history.token1 or named[1])
    if not known and asked.base_is_token1:
        token0, token1 = token1, token0
    market = Market(
        chain_id=1,
        pool=history.pool,
        position_manager=UNISWAP_POSITION_MANAGER,
        swap_router=UNISWAP_SWAP_ROUTER,
        token0=token0,
        token1=token1,
        base_is_token0=not asked.base_is_token1,
        fee_pips=history.opening.fee,
        tick_spacing=history.opening.tick_spacing,
    )
    return _named(market, asked)


def _spacing(fee_pips: int) -> int:
    if fee_pips not in SPACINGS:
        known = ", ".join(str(fee) for fee in SPACINGS)
        raise BadInput(
            f"no tick spacing goes with a fee of {fee_pips}: say --tick-spacing, or one of {known} "
            "as --fee"
        )
    return SPACINGS[fee_pips]


def as_configured(market: Market, config: Config) -> Market:
    """``market`` under the addresses that the configuration names."""
    section = config.market
    base = replace(market.base, address=section.base)
    tokens = (base, market.quote) if market.base_is_token0 else (market.quote, base)
    return replace(
        market,
        chain_id=config.network.chain_id,
        pool=section.pool,
        position_manager=section.position_manager,
        swap_router=section.swap_router,
        token0=tokens[0],
        token1=tokens[1],
    )


def as_recorded(market: Market, config: Config, source: str) -> Market:
    """The recorded market, the configured token being its base.

    Raises ``BadInput`` when the configuration is of another pool, or of a token that it has not.
    """
    section = config.market
    if section.pool.lower() != market.pool.lower():
        raise BadInput(
            f"{source} is of the pool {market.pool}, and the configuration of {section.pool}: "
            "give the configuration of the recorded pool"
        )
    if section.base.lower() == market.quote.address.lower():
        market = replace(market, base_is_token0=not market.base_is_token0)
    elif section.base.lower() != market.base.address.lower() and named(market):
        raise BadInput(
            f"{source} is of a pool of {market.token0.symbol} and {market.token1.symbol}, and "
            f"market.base {section.base} is neither: correct it"
        )
    return as_configured(market, config)


def named(market: Market) -> bool:
    """Whether the history said which tokens these are."""
    return {market.token0.address, market.token1.address} != {PAXG, USDT}


def ether(config: Config, market: Market) -> Decimal:
    """What an ether costs in quote: one, where the quote is an ether itself."""
    return Decimal(1) if market.quote.symbol in ETHERS else config.market.eth_price


def unit(market: Market) -> Decimal:
    """What a dollar is in quote, nearly enough for defaults."""
    return 1 / ETHER_DOLLARS if market.quote.symbol in ETHERS else Decimal(1)
