"""Quotes without a pool: a chain that holds nothing, at the exchange's own price.

With ``[market]`` but no ``pool`` in it, the same turns run on the exchange alone. The chain half
of a snapshot is then made up: a pool without liquidity that stands at the mid of the exchange's
book, an empty wallet, no positions. There is nothing to deploy, so the only steps are quotes (and
hedges); the corridor ``price_low`` to ``price_high`` holds as ever.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config.schema import NO_POOL, Config
from dexmm.errors import Transient
from dexmm.model.holdings import Wallet
from dexmm.model.market import Block, Market, PoolState, Token, TokenGuards
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome
from dexmm.model.venue import VenueView
from dexmm.protocols import Cex, Verdict
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, get_tick_at_sqrt_ratio
from dexmm.units import Amount0, Amount1, Liquidity, SqrtPriceX96, Tick, Wei, to_units_down
from dexmm.wiring.paired_observation import Pair, PairedCex, PairedChain

DECIMALS = 18
ETHER = 18
QUOTE_ADDRESS = "0x" + "f" * 40  # another address than the base's: neither is a contract
NO_SWITCHES = TokenGuards(
    paused=None, frozen=(), transfer_fee=None, deprecated=None, implementation=None
)


class NoPool:
    """Where a chain would be. It is never sent anything: no step of a turn is for it."""

    address = NO_POOL

    def observe(self) -> ChainView:
        raise Transient("there is no pool to look at")

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        return Outcome(step=step.kind, status="failed", detail="no pool is configured")


def without_pool(cex: Cex, config: Config) -> tuple[PairedChain, PairedCex]:
    """The two halves of a world on the exchange alone."""

    def read() -> tuple[ChainView, VenueView | None]:
        venue = cex.observe()
        return chain_at(venue, config), venue

    pair = Pair(read)
    return PairedChain(pair, NoPool()), PairedCex(pair, cex)


def chain_at(venue: VenueView, config: Config) -> ChainView:
    """The made-up half. Raises ``Transient`` for a book without a mid, or with one that no pool
    could have: nothing has a price.
    """
    mid = venue.spot_book.mid
    if mid is None:
        raise Transient(f"the {venue.spot.symbol} book is empty or crossed: it has no price")
    market = _market(venue, config)
    root = market.sqrt_price_x96(mid)
    if not MIN_SQRT_RATIO <= root < MAX_SQRT_RATIO:
        raise Transient(f"{mid:.3e} {venue.spot.quote} is no price of {venue.spot.base}")
    return ChainView(
        market=market,
        block=Block(number=0, timestamp=venue.at // 1000, base_fee_wei=0),
        pool=_pool(root, config),
        wallet=Wallet(
            address=NO_POOL,
            amount0=Amount0(0),
            amount1=Amount1(0),
            eth=Wei(to_units_down(config.gas.reserve_eth + 1, ETHER)),
            allowance0=0,
            allowance1=0,
            nonce=0,
            pending_nonce=0,
        ),
        positions=(),
        other_positions=0,
        guards0=NO_SWITCHES,
        guards1=NO_SWITCHES,
        references=(),
        eth_price=Decimal(config.market.eth_price),
    )


def _market(venue: VenueView, config: Config) -> Market:
    return Market(
        chain_id=config.network.chain_id,
        pool=NO_POOL,
        position_manager=config.market.position_manager,
        swap_router=config.market.swap_router,
        token0=Token(address=NO_POOL, symbol=venue.spot.base, decimals=DECIMALS),
        token1=Token(address=QUOTE_ADDRESS, symbol=venue.spot.quote, decimals=DECIMALS),
        base_is_token0=True,
        fee_pips=0,
        tick_spacing=1,
    )


def _pool(root: SqrtPriceX96, config: Config) -> PoolState:
    tick = Tick(get_tick_at_sqrt_ratio(root))
    return PoolState(
        sqrt_price_x96=root,
        tick=tick,
        liquidity=Liquidity(1),  # none at all would read as a pool that anybody can move
        fee_protocol=0,
        fee_growth_global0_x128=0,
        fee_growth_global1_x128=0,
        observation_cardinality=1,
        observation_cardinality_next=max(config.guards.observation_cardinality, 1),
        oldest_observation=0,
        twap_seconds=config.guards.twap_seconds,
        mean_tick=tick,
    )
