"""A local mainnet: Uniswap v3's real bytecode at its canonical addresses, with token doubles.

A contract's address follows from its creator and the creator's nonce, so impersonating Uniswap's
deployer at the nonces it had lands every contract where mainnet has it. What was deployed by
accounts whose nonces are of no use here (PAXG, WETH9, Multicall3, the price feeds) is put in its
place as code. On a fork of mainnet nothing is deployed: ``adopt_fork`` only checks what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node import pools, token_admin
from dexmm.sandbox.node.abi_encode import encode_arguments, encode_call
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.artifacts import Artifact, contract, npm
from dexmm.sandbox.node.funding import add_token_balance, token_balance
from dexmm.sandbox.node.pools import FACTORY, POSITION_MANAGER, SWAP_ROUTER
from dexmm.sandbox.node.token_admin import PAXG, PAXG_V1, USDT, XAUT
from dexmm.sim.chain.background_liquidity import Layer, Stake, background
from dexmm.units import sqrt_from_price, to_units_down

TICK_LENS = "0xbfd8137f7d1516D3ea5cA83523914859ec47F573"
QUOTER = "0xb27308f9F90D607463bb33eA1BeBb41C27CE5AB6"
QUOTER_V2 = "0x61fFE014bA17989E743c5F6cB21bF9697530B21e"
NFT_DESCRIPTOR = "0x42B24A95702b9986e82d421cC3568932790A48Ec"
POSITION_DESCRIPTOR = "0x91ae842A5Ffd8d12023116943e72A606179294f3"
POSITION_DESCRIPTOR_PROXY = "0xEe6A57eC80ea46401049E92587E52f5Ec1c24785"
WETH9 = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
PARENT_HASHES = "0x0000F90827F1C53a10cb7A02335B175320002935"
PAXG_USD_FEED = "0x9944D86CEB9160aF5C5feB251FD671923323f8C3"
XAU_USD_FEED = "0x214eD9Da11D2fbe465a6fc601a91E62EbEc1a0D6"
ETH_USD_FEED = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
PAXG_USDT_POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
XAUT_USDT_POOL = "0x6546055f46e866a4B9a4A13e81273e3152BAE5dA"

UNISWAP_DEPLOYER = "0x6C9FC64A53c1b71FB3f9Af64d1ae3A4931A5f4E9"
USDT_DEPLOYER = "0x36928500Bc1dCd7af6a2B4008875CC336b927D57"
USDT_DEPLOYER_NONCE = 6

PAXG_DECIMALS = 18
XAUT_DECIMALS = 6
USDT_DECIMALS = 6
FEE_PIPS = 500
ETHER = 10**18
GWEI = 10**9

_CORE = "@uniswap/v3-core/artifacts/contracts/"
_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts/"
# Mainnet's descriptor is that of the first periphery release.
_PERIPHERY_1_0_0 = "v3-periphery-1.0.0/artifacts/contracts/"
_PROXY = "v3-periphery-1.0.0/node_modules/@openzeppelin/contracts/build/contracts/"


def account(label: str) -> str:
    """An address for a part in the play, the same in every run; nobody has its key."""
    return str(to_checksum_address(keccak(text=f"dexmm sandbox {label}")[-20:]))


@dataclass(frozen=True, kw_only=True)
class MainnetOptions:
    """What the local mainnet looks like when it opens.

    ``price`` is USDT per PAXG. ``fee_protocol`` is the denominator of Uniswap's share of the swap
    fee, 0 for none. ``age_seconds`` is how old the pool's oracle history is at the end, and
    ``base_fee`` (wei) what gas costs then.
    """

    price: Decimal = Decimal(4000)
    eth_price: Decimal = Decimal(4000)
    fee_protocol: int = 4
    observation_cardinality: int = 720
    layers: tuple[Layer | Stake, ...] = field(default_factory=background)
    age_seconds: int = 7200
    base_fee: int = GWEI


@dataclass(frozen=True)
class Deployment:
    """A chain with a market on it, and the means to set the stage."""

    anvil: Anvil
    pool: str
    token0: str
    token1: str
    fee_pips: int
    tick_spacing: int
    fork: bool

    def fund_wallet(
        self,
        address: str,
        *,
        eth: Decimal = Decimal(0),
        paxg: Decimal = Decimal(0),
        usdt: Decimal = Decimal(0),
    ) -> None:
        """Give ``address`` that much more, in whole tokens."""
        if eth:
            self.anvil.set_balance(address, self.anvil.balance(address) + to_units_down(eth, 18))
        if paxg:
            self.add_tokens(PAXG, address, to_units_down(paxg, PAXG_DECIMALS))
        if usdt:
            self.add_tokens(USDT, address, to_units_down(usdt, USDT_DECIMALS))

    def add_tokens(self, token: str, address: str, units: int) -> None:
        """Give ``address`` that many more smallest units of any token."""
        add_token_balance(self.anvil, token, address, units)

    def balances(self, address: str) -> Mapping[str, int]:
        """ETH in wei under ``eth``, the pool's tokens in smallest units under their addresses."""
        tokens = {
            token: token_balance(self.anvil, token, address) for token in (self.token0, self.token1)
        }
        return {"eth": self.anvil.balance(address), **tokens}

    def create_token(self, symbol: str, decimals: int) -> str:
        """Deploy an ERC-20 by the book; returns its address."""
        maker = account("token maker")
        self.anvil.set_balance(maker, 100 * ETHER)
        code = contract("PlainToken").creation_code()
        named = encode_arguments("string,string,uint8", symbol, symbol, decimals)
        receipt = self.anvil.send_as(maker, None, code + named)
        return str(to_checksum_address(receipt["contractAddress"]))

    def create_pool(self, token_a: str, token_b: str, fee_pips: int, sqrt_price_x96: int) -> str:
        """Another pool, in either token order; a price of 0 leaves it without one."""
        maker = account("pool maker")
        return pools.create_pool(self.anvil, maker, token_a, token_b, fee_pips, sqrt_price_x96)

    def mint_position(
        self,
        owner: str,
        tick_lower: int,
        tick_upper: int,
        amount0: int,
        amount1: int,
        *,
        pool: str | None = None,
    ) -> int:
        """Fund ``owner`` as far as needed and mint for it; returns the NFT's id."""
        return pools.mint_position(
            self.anvil, owner, pool or self.pool, tick_lower, tick_upper, amount0, amount1
        )

    def swap(
        self,
        *,
        zero_for_one: bool,
        amount_in: int,
        trader: str | None = None,
        pool: str | None = None,
        sqrt_price_limit_x96: int = 0,
    ) -> int:
        """Somebody swaps exactly ``amount_in``; returns what came out, in smallest units."""
        return pools.swap(
            self.anvil,
            trader or account("trader"),
            pool or self.pool,
            zero_for_one=zero_for_one,
            amount_in=amount_in,
            sqrt_price_limit_x96=sqrt_price_limit_x96,
        )

    def set_price_feeds(self, price: Decimal, updated_at: int = 0) -> None:
        """Both gold feeds say ``price`` (USD), as of ``updated_at`` or of the next block."""
        for feed in (PAXG_USD_FEED, XAU_USD_FEED):
            token_admin.set_feed(self.anvil, feed, to_units_down(price, 8), updated_at)


def deploy_mainnet(anvil: Anvil, options: MainnetOptions | None = None) -> Deployment:
    """Build the local mainnet on a fresh chain of id 1; takes about a second.

    Raises BadInput when the npm artifacts are missing, NodeError when a contract does not land
    where mainnet has it (the chain was not fresh).
    """
    chosen = options or MainnetOptions()
    start = int(anvil.block()["timestamp"], 16)
    # All in one second, however slow the machine is: the oracle's history must not depend on that.
    anvil.rpc("anvil_setBlockTimestampInterval", [0])
    _place_code(anvil)
    _place_tokens(anvil)
    _deploy_uniswap(anvil)
    _open_pool(anvil, chosen)
    for feed, price in (
        (PAXG_USD_FEED, chosen.price),
        (XAU_USD_FEED, chosen.price),
        (ETH_USD_FEED, chosen.eth_price),
    ):
        token_admin.set_feed(anvil, feed, to_units_down(price, 8))
    anvil.rpc("anvil_removeBlockTimestampInterval")
    now = int(anvil.block()["timestamp"], 16)
    anvil.set_base_fee(chosen.base_fee)
    anvil.set_time(max(start + chosen.age_seconds, now + 1))
    anvil.mine()
    return _describe(anvil, PAXG_USDT_POOL, fork=False)


def forget_parents(anvil: Anvil) -> None:
    """Blocks whose cost does not grow with the chain's length.

    Since Prague every block writes its parent's hash into a contract (EIP-2935), and Anvil works
    out the root of all storage for every block: after 6,000 blocks an empty one takes 4 ms instead
    of 0.03 ms. Without the contract's code nothing is written, as the EIP has it; the opcode
    BLOCKHASH does not need it, and no contract here asks it.
    """
    anvil.set_code(PARENT_HASHES, b"")


def adopt_fork(anvil: Anvil, pool: str = PAXG_USDT_POOL) -> Deployment:
    """Use what a fork of mainnet has.

    Raises BadInput when it is not of mainnet or has no such pool.
    """
    if int(anvil.rpc("eth_chainId"), 16) != 1:
        raise BadInput("The fork is not of Ethereum mainnet: its chain id is not 1.")
    for name, address in (("pool", pool), ("position manager", POSITION_MANAGER)):
        if not anvil.code(address):
            raise BadInput(f"The fork has no {name} at {address}: is it a node of mainnet?")
    return _describe(anvil, pool, fork=True)


def _describe(anvil: Anvil, pool: str, *, fork: bool) -> Deployment:
    facts = pools.pool_facts(anvil, pool)
    return Deployment(
        anvil=anvil,
        pool=pool,
        token0=str(to_checksum_address(facts.token0)),
        token1=str(to_checksum_address(facts.token1)),
        fee_pips=facts.fee_pips,
        tick_spacing=facts.tick_spacing,
        fork=fork,
    )


def _place_code(anvil: Anvil) -> None:
    for address, name in ((WETH9, "Weth9Double"), (MULTICALL3, "Multicall3Double")):
        anvil.set_code(address, contract(name).deployed_bytecode)
    for feed, description in (
        (PAXG_USD_FEED, "PAXG / USD"),
        (XAU_USD_FEED, "XAU / USD"),
        (ETH_USD_FEED, "ETH / USD"),
    ):
        anvil.set_code(feed, contract("ChainlinkDouble").deployed_bytecode)
        anvil.set_balance(feed, ETHER)
        anvil.send_as(feed, feed, encode_call("setDescription(string)", description))


def _place_tokens(anvil: Anvil) -> None:
    issuer, admin = account("paxg issuer"), account("paxg proxy admin")
    anvil.set_code(PAXG_V1, contract("PaxgDouble").deployed_bytecode)
    anvil.set_code(PAXG, contract("PaxgProxy").deployed_bytecode)
    anvil.set_storage(PAXG, token_admin.PAXG_IMPLEMENTATION_SLOT, int(PAXG_V1, 16))
    anvil.set_storage(PAXG, token_admin.PAXG_ADMIN_SLOT, int(admin, 16))
    anvil.set_balance(issuer, ETHER)
    anvil.send_as(issuer, PAXG, encode_call("initialize(address)", issuer))

    supply = 10**11 * 10**USDT_DECIMALS
    named = encode_arguments(
        "uint256,string,string,uint256", supply, "Tether USD", "USDT", USDT_DECIMALS
    )
    code = contract("UsdtDouble").creation_code() + named
    _create(anvil, USDT_DEPLOYER, USDT_DEPLOYER_NONCE, code, USDT)


def place_xaut(anvil: Anvil) -> str:
    """Put XAUt where mainnet has it: Tether's newer code behind an EIP-1967 proxy; its address."""
    code, admin, issuer = (account(f"xaut {part}") for part in ("code", "proxy admin", "issuer"))
    anvil.set_code(code, contract("XautDouble").deployed_bytecode)
    anvil.set_code(XAUT, npm(_PROXY + "TransparentUpgradeableProxy.json").deployed_bytecode)
    anvil.set_storage(XAUT, token_admin.EIP1967_IMPLEMENTATION_SLOT, int(code, 16))
    anvil.set_storage(XAUT, token_admin.EIP1967_ADMIN_SLOT, int(admin, 16))
    anvil.set_balance(issuer, ETHER)
    named = encode_call(
        "initialize(address,string,string,uint8)", issuer, "Tether Gold", "XAUt", XAUT_DECIMALS
    )
    anvil.send_as(issuer, XAUT, named)
    return XAUT


def _deploy_uniswap(anvil: Anvil) -> None:
    deployer = UNISWAP_DEPLOYER
    both = encode_arguments("address,address", FACTORY, WETH9)
    manager = encode_arguments("address,address,address", FACTORY, WETH9, POSITION_DESCRIPTOR_PROXY)
    proxy = encode_arguments("address,address,bytes", POSITION_DESCRIPTOR, account("admin"), b"")
    descriptor = _artifact(_PERIPHERY_1_0_0, "NonfungibleTokenPositionDescriptor").creation_code(
        NFTDescriptor=NFT_DESCRIPTOR
    )
    contracts: tuple[tuple[int, bytes, str], ...] = (
        (0, _artifact(_CORE, "UniswapV3Factory").creation_code(), FACTORY),
        (2, _artifact(_PERIPHERY, "TickLens", "lens/").creation_code(), TICK_LENS),
        (3, _artifact(_PERIPHERY, "Quoter", "lens/").creation_code() + both, QUOTER),
        (4, _artifact(_PERIPHERY, "SwapRouter").creation_code() + both, SWAP_ROUTER),
        (
            5,
            _artifact(_PERIPHERY_1_0_0, "NFTDescriptor", "libraries/").creation_code(),
            NFT_DESCRIPTOR,
        ),
        (6, descriptor + encode_arguments("address", WETH9), POSITION_DESCRIPTOR),
        (
            7,
            npm(_PROXY + "TransparentUpgradeableProxy.json").creation_code() + proxy,
            POSITION_DESCRIPTOR_PROXY,
        ),
        (
            8,
            _artifact(_PERIPHERY, "NonfungiblePositionManager").creation_code() + manager,
            POSITION_MANAGER,
        ),
        (13, _artifact(_PERIPHERY, "QuoterV2", "lens/").creation_code() + both, QUOTER_V2),
    )
    for nonce, code, address in contracts:
        _create(anvil, deployer, nonce, code, address)


def _artifact(package: str, name: str, folder: str = "") -> Artifact:
    return npm(f"{package}{folder}{name}.sol/{name}.json")


def _create(anvil: Anvil, creator: str, nonce: int, code: bytes, expected: str) -> None:
    """Create a contract with the very nonce that puts it at its mainnet address.

    The nonces between are spent on nothing rather than set: Anvil's pool of transactions may not
    have heard of a nonce that was set, and then never mines what follows.
    """
    anvil.set_balance(creator, 100 * ETHER)
    next_nonce = int(anvil.rpc("eth_getTransactionCount", [creator, "latest"]), 16)
    for skipped in range(next_nonce, nonce):
        anvil.send_as(creator, creator, nonce=skipped)
    receipt = anvil.send_as(creator, None, code, nonce=nonce)
    address = to_checksum_address(receipt["contractAddress"])
    if address != expected:
        raise NodeError(f"A contract landed at {address} instead of {expected}: is the chain new?")


def _open_pool(anvil: Anvil, options: MainnetOptions) -> None:
    maker = account("pool maker")
    sqrt_price_x96 = sqrt_from_price(
        options.price, PAXG_DECIMALS, USDT_DECIMALS, base_is_token0=True
    )
    pools.create_pool(anvil, maker, PAXG, USDT, FEE_PIPS, sqrt_price_x96)
    pools.grow_observations(anvil, maker, PAXG_USDT_POOL, options.observation_cardinality)
    if options.fee_protocol:
        pools.set_fee_protocol(anvil, PAXG_USDT_POOL, options.fee_protocol)
    for layer in options.layers:
        owner = account(layer.owner)
        if isinstance(layer, Stake):
            pools.add_stake(anvil, PAXG_USDT_POOL, replace(layer, owner=owner))
        else:
            owned = replace(layer, owner=owner)
            pools.add_layer(anvil, PAXG_USDT_POOL, owned, USDT_DECIMALS)
