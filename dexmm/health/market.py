"""What only the node can tell: the network, the pool and its trade, the wallet, the guards."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from decimal import Decimal

from dexmm.chain.all_nodes import LAG_BLOCKS, Node, node_heads
from dexmm.chain.client import ChainClient
from dexmm.chain.observe.lens import LENS_ADDRESS
from dexmm.chain.observe.pool_ticks import read_pool
from dexmm.chain.observe.token_probes import BARRED
from dexmm.chain.rpc.abi import ALLOWANCE
from dexmm.chain.rpc.client import Rpc, RpcError
from dexmm.chain.rpc.parsing import word
from dexmm.config.schema import Config
from dexmm.errors import DexmmError, NodeError
from dexmm.health.check import Check, fail, ok, warn
from dexmm.health.status import Sight
from dexmm.model.market import Token, TokenGuards
from dexmm.model.nodes import NodeFailure
from dexmm.model.snapshot import ChainView
from dexmm.performance.entry_text import digits, price_digits
from dexmm.performance.pool_depth import measure_depth
from dexmm.performance.pool_volume import Flow, left_to_liquidity, measure_flow
from dexmm.units import ETHER_DECIMALS, to_decimal

ONE_PERCENT = 100  # basis points
REFUSED = 3
SLOT_SECONDS = 12
# Ether, bitcoin and dollars on the chain whose contracts have no list of frozen accounts.
WITHOUT_FREEZE = {
    "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",  # WETH
    "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599",  # WBTC
    "0x6B175474E89094C44Da98b954EedeAC495271d0F",  # DAI
}
PASSING = {"gas_cap", "gas_budget", "calendar", "min_interval", "stop_loss"}  # by themselves
TOLD_ELSEWHERE = {"halted", "oracle_history", "stale_block"}
RETURN_ONE = "0x600160005260206000f3"  # PUSH 1, MSTORE, RETURN 32 bytes


def node(chain: ChainClient, config: Config) -> Iterator[Check]:
    """Is it the right network, up to date, and able to do what one-request reads need?"""
    rpc = chain.rpc
    started = time.perf_counter()
    software = rpc.call("web3_clientVersion")
    took = (time.perf_counter() - started) * 1000
    yield ok(
        "node",
        f"{rpc.name} is {software}, chain {config.network.chain_id}, answers in {took:.0f} ms",
    )
    if rpc.call("eth_syncing"):
        yield fail("sync", f"{rpc.name} is still syncing", "wait, or name another node", 5)
    yield _overrides(rpc)
    yield from _others(rpc, config)


def block(sight: Sight, config: Config) -> Check:
    """How old the newest block is by this machine's clock, which a local chain need not follow."""
    here = sight.snapshot.chain.block
    if config.network.name != "mainnet":
        return ok("block", f"{here.number}, in the {config.network.name}'s own time")
    age = sight.snapshot.observed_at - here.timestamp
    line = f"{here.number}, {age} s old"
    if age > config.guards.max_block_age_seconds:
        return fail("block", line, "the node or this machine's clock is behind", 5)
    return ok("block", line)


def pool(sight: Sight) -> Iterator[Check]:
    """What the pool itself says."""
    view = sight.snapshot.chain
    market = view.market
    fee = Decimal(market.fee_pips).scaleb(-4)
    kept = (
        fee * left_to_liquidity(view.pool.fee_protocol, zero_for_one=True),
        fee * left_to_liquidity(view.pool.fee_protocol, zero_for_one=False),
    )
    price = market.price(view.pool.sqrt_price_x96)
    yield ok(
        "pool",
        f"{market.base.symbol}/{market.quote.symbol} {fee.normalize():f} %, of which liquidity "
        f"keeps {min(kept).normalize():f} %; price {price_digits(price)}, fair "
        f"{price_digits(sight.decision.fair_price)}",
    )
    yield _oracle(view)


def depth(chain: ChainClient, view: ChainView) -> Check:
    """What a trade must bring to move the price 1 % each way."""
    market = view.market
    try:
        state, _ = read_pool(chain.rpc, market)
        found = measure_depth(state, market, market.price(state.sqrt_price_x96), ONE_PERCENT)
    except DexmmError as error:
        return warn("depth", f"cannot be measured: {error.message}")
    line = (
        f"buying with {digits(found.quote_up, 0)} {market.quote.symbol} moves the price up 1 %, "
        f"selling {digits(found.base_down, 2)} {market.base.symbol} moves it down 1 %"
    )
    if not state.liquidity:
        return warn("depth", f"nothing is for sale at this price; {line}")
    return ok("depth", line)


def flow(chain: ChainClient, view: ChainView) -> tuple[Check, Flow | None]:
    """What traded lately, and what it paid to liquidity."""
    symbol = view.market.quote.symbol
    try:
        found = measure_flow(
            chain.rpc,
            view.market,
            view.pool.fee_protocol,
            view.block.number,
            view.pool.sqrt_price_x96,
        )
    except NodeError as error:
        return warn("flow", f"cannot be measured: {error.message}", "use a node with logs"), None
    line = (
        f"{found.swaps} swaps in {found.blocks} blocks ({_span(found.seconds)}): "
        f"{digits(found.per_day(found.swaps), 1)} a day, {digits(found.per_day(found.volume), 0)} "
        f"{symbol} a day, {digits(found.per_day(found.fees), 2)} {symbol} a day of fees to all "
        "liquidity in range"
    )
    if not found.swaps:
        return warn("flow", line, "a pool that nobody trades in cannot pay its gas"), found
    return ok("flow", line), found


def tokens(view: ChainView) -> Iterator[Check]:
    """Which of its issuer's powers over each token the guards can see."""
    for token, seen in (
        (view.market.token0, view.guards0),
        (view.market.token1, view.guards1),
    ):
        yield _token(token, seen)


def _token(token: Token, seen: TokenGuards) -> Check:
    name = f"token {token.symbol}"
    watched = [
        word
        for word, known in (
            ("freeze", seen.freeze_known),
            ("pause", seen.paused is not None),
            ("transfer fee", seen.transfer_fee is not None),
            ("deprecation", seen.deprecated is not None),
        )
        if known
    ]
    code = f"; its code can change, now {seen.implementation}" if seen.implementation else ""
    if seen.freeze_known:
        return ok(name, f"watched for {_listed(watched)}{code}")
    if token.address in WITHOUT_FREEZE and not seen.implementation:
        return ok(name, "its issuer can freeze nobody")
    blind = "of none of its issuer's powers" if seen.unknown else "of no freeze"
    return warn(
        name,
        f"none of {', '.join(f.signature for f in BARRED)} answers: the guards would see {blind}"
        + (f", only of {_listed(watched)}" if watched else "")
        + code,
        "read the token's source for a freeze under another name before it holds your money",
    )


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def reference(view: ChainView) -> Iterator[Check]:
    for each in view.references:
        age = view.block.timestamp - each.updated_at
        if each.price is None:
            yield warn(each.name, each.problem, "check market.reference_feed")
        else:
            detail = f"{price_digits(each.price)}, {_span(age)} old (at most "
            yield ok(each.name, f"{detail}{_span(each.heartbeat_seconds)})")
    if not view.references:
        yield warn(
            "reference",
            "the pool is held against nothing but its own past",
            "set market.reference_feed to a Chainlink feed of the base",
        )


def wallet(chain: ChainClient, sight: Sight, config: Config) -> Iterator[Check]:
    """Ether for the way out, something to put to work, and who may take it."""
    view = sight.snapshot.chain
    eth = to_decimal(view.wallet.eth, ETHER_DECIMALS)
    line = f"{view.wallet.address} has {digits(eth, 4)} ETH"
    reserve = config.gas.reserve_eth
    if eth < reserve:
        advice = f"send it ether: gas.reserve_eth is {reserve}"
        yield fail("ether", f"{line}, under the reserve that pays an exit", advice, REFUSED)
    else:
        yield ok("ether", line)
    base, quote = view.market.base_quote(view.wallet.amount0, view.wallet.amount1)
    held = (
        f"{digits(base, 6)} {view.market.base.symbol}, {digits(quote, 2)} "
        f"{view.market.quote.symbol} idle, {len(view.positions)} positions in this market"
    )
    if sight.decision.nav < config.strategy.min_position_quote:
        yield warn("inventory", held, "send it something to work with")
    else:
        yield ok("inventory", held)
    yield _approvals(chain, view, config)


def guards(sight: Sight, but: Collection[str] = ()) -> Iterator[Check]:
    """Every guard that bites now and has no line of its own, in its own words; none of ``but``."""
    passed_over = {*TOLD_ELSEWHERE, *but}
    bites = [refusal for refusal in sight.decision.refusals if refusal.rule not in passed_over]
    for refusal in bites:
        name = f"guard {refusal.rule}"
        if refusal.rule in PASSING:
            yield warn(name, refusal.detail)
        else:
            yield fail(name, refusal.detail, exit_code=REFUSED)
    if not bites:
        yield ok("guards", "none bites")


def _overrides(rpc: Rpc) -> Check:
    """One read in one request rests on it; without it there are slower ways."""
    call = {"to": LENS_ADDRESS, "data": "0x"}
    try:
        answer = rpc.call("eth_call", [call, "latest", {LENS_ADDRESS: {"code": RETURN_ONE}}])
        supported = word(answer, "a probe") == 1
    except (RpcError, NodeError):
        supported = False
    if supported:
        return ok("state override", "the node runs the snapshot lens in place")
    return warn("state override", "refused: snapshots take a larger request, depth cannot be read")


def _others(rpc: Rpc, config: Config) -> Iterator[Check]:
    """Every other node: its newest block, how old that is, and its chain. The first one is told
    apart when it is not the one that is asked."""
    if not rpc.alternatives:
        return
    current = rpc.endpoints[0]
    heads = list(zip(rpc.nodes(), node_heads(rpc, config), strict=True))
    best = max((head.head.number for _, head in heads if isinstance(head, Node)), default=0)
    for number, (node, answer) in enumerate(heads):
        if node.endpoints[0] is not current:
            name = "spare node" if number else "first node"
            yield _other(name, node, answer, best, config)


def _other(name: str, node: Rpc, answer: Node | NodeFailure, best: int, config: Config) -> Check:
    away = "is turned away: " if name == "first node" else ""
    if isinstance(answer, NodeFailure):
        foreign = bool(node.endpoints[0].foreign)
        line = answer.reason if answer.name in answer.reason else f"{answer.name}: {answer.reason}"
        if away:
            line = f"{answer.name} {away}{answer.reason.removeprefix(answer.name).strip()}"
        advice = "correct network.rpc_urls"
        return fail(name, line, advice) if foreign else warn(name, line, advice)
    head = answer.head
    age = ""
    if config.network.name == "mainnet":
        age = f", {max(int(time.time()) - head.timestamp, 0)} s old"
    line = f"{head.name} answers: block {head.number}{age}, chain {head.chain_id}"
    behind = best - head.number
    if behind >= LAG_BLOCKS:
        late = f"{line}, {behind} blocks behind the newest"
        return warn(name, late, "it is asked only when no other answers: name a better one")
    if away:
        return warn(name, f"{line}; another is asked, as it failed when it was", "run it again")
    return ok(name, line)


def _oracle(view: ChainView) -> Check:
    state = view.pool
    history = max(view.block.timestamp - state.oldest_observation, 0)
    line = (
        f"reaches back {_span(history)} of the {_span(state.twap_seconds)} that are averaged, "
        f"{state.observation_cardinality} of {state.observation_cardinality_next} slots"
    )
    if state.mean_tick is None:
        slots = state.twap_seconds // SLOT_SECONDS
        advice = f"set guards.observation_cardinality = {slots}, or shorten guards.twap_seconds"
        return fail("oracle", line, advice, REFUSED)
    return ok("oracle", f"{line}; {state.tick - state.mean_tick:+d} ticks off the average")


def _approvals(chain: ChainClient, view: ChainView, config: Config) -> Check:
    """Allowances that are left over; exact ones are used up by what they were given for."""
    market = view.market
    found = []
    for token, to_manager in (
        (market.token0, view.wallet.allowance0),
        (market.token1, view.wallet.allowance1),
    ):
        asked = ALLOWANCE(view.wallet.address, market.swap_router)
        call = {"to": token.address, "data": "0x" + asked.hex()}
        to_router = word(chain.rpc.call("eth_call", [call, "latest"]), "an allowance")
        found += [
            f"{token.symbol} to the {spender}"
            for spender, amount in (("position manager", to_manager), ("swap router", to_router))
            if amount
        ]
    if not found:
        return ok("approvals", "none is open")
    line = f"open: {', '.join(found)}"
    if config.gas.approvals == "exact":
        return warn("approvals", line, "exact ones are used up; revoke what you did not give")
    return ok("approvals", line)


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{Decimal(seconds) / size:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds} s"
