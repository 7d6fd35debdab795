"""``ChainClient``: the chain as a turn sees it. ``observe`` is one HTTP request; ``send`` makes a
step happen at most once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dexmm.chain.all_nodes import ask_nodes, each, prefer_newest
from dexmm.chain.identity import check_chain_id, check_identity
from dexmm.chain.observe.chain_view import Header, Look, chain_view
from dexmm.chain.observe.market import read_market
from dexmm.chain.observe.snapshot_reader import SnapshotReader
from dexmm.chain.rpc.client import Rpc
from dexmm.chain.send.broadcast import Broadcaster
from dexmm.chain.send.intent_status import Receipts, hashes, in_flight, judged
from dexmm.chain.send.keys import load_key, wallet_address
from dexmm.chain.send.sender import Sender, Verdict
from dexmm.chain.send.tx_manager import Heads, Pilot, is_superseded
from dexmm.config.schema import Config
from dexmm.errors import BadInput, Halt, Transient
from dexmm.model.intent import Intent, IntentLog, IntentStatus
from dexmm.model.market import Market
from dexmm.model.nodes import NodeFailure, NodeView, NodeViews
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome

Clock = Callable[[], int]


def connect(
    config: Config,
    intents: IntentLog,
    clock: Clock,
    *,
    stop: Callable[[], str] | None = None,
    read_only: bool = False,
    rescue: bool = False,
) -> ChainClient:
    """Check the key, the node and the market, in that order, and return the chain.

    An exit (a step that only takes value out) replaces whatever waits at the wallet's first free
    nonce; in ``rescue``, which is for withdraw, every step counts as one.

    ``stop`` is asked while waiting for receipts; a reason ends the wait and leaves the intent
    open. ``read_only`` needs ``wallet.address`` and no key, and changes nothing, not even the
    record of an intent.

    Raises ``BadInput``, ``Halt`` (another network than configured) or ``NodeError``.
    """
    key = None if read_only else load_key(config)
    address = wallet_address(config) if key is None else key.address
    seconds, proxy = config.network.timeout_seconds, config.network.proxy_url
    rpc = Rpc([url.get_secret_value() for url in config.network.rpc_urls], seconds, proxy)
    rpc.require(lambda node: check_identity(node, config))
    if rpc.alternatives:
        prefer_newest(rpc, config)
    market = _market(rpc, config)
    reader = SnapshotReader(rpc, config, market, address)
    pilot, heads = None, Heads()
    if key is not None:
        relay_url = config.network.relay_url
        relays = [relay_url.get_secret_value()] if relay_url is not None else []
        relay = Rpc(relays, seconds, proxy) if relays else None
        if relay is not None:
            relay.stand_beside(rpc)
        broadcaster = Broadcaster(rpc, relay)
        pilot = Pilot(rpc, broadcaster, intents, key, config, clock, stop or (lambda: ""), heads)
    sender = Sender(rpc, pilot, intents, market, address, config, clock, heads, rescue=rescue)
    return ChainClient(rpc, reader, intents, market, address, config, sender, pilot, clock, heads)


def _market(rpc: Rpc, config: Config) -> Market:
    """The market as the first node shows it that knows it: one without the chain's state answers
    as if there were no such contract. Raises ``BadInput`` when no node does."""
    found: list[BadInput] = []
    for _ in range(1 + rpc.alternatives):
        try:
            return read_market(rpc, config)
        except BadInput as error:
            found.append(error)
            rpc.turn_away()
    raise found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look and what it means."""

    look: Look
    receipts: Receipts
    view: ChainView


class ChainClient:
    """One wallet in one market on one network; implements ``protocols.Chain``."""

    def __init__(
        self,
        rpc: Rpc,
        reader: SnapshotReader,
        intents: IntentLog,
        market: Market,
        address: str,
        config: Config,
        sender: Sender,
        pilot: Pilot | None,
        clock: Clock,
        heads: Heads,
    ) -> None:
        self.rpc = rpc
        self.market = market
        self.address = address
        self._reader = reader
        self._intents = intents
        self._config = config
        self._sender = sender
        self._pilot = pilot
        self._clock = clock
        self._heads = heads
        self._newest_timestamp: int | None = None

    def __repr__(self) -> str:
        return f"ChainClient({self.rpc.name}, wallet {self.address}, pool {self.market.pool})"

    def observe(self) -> ChainView:
        """Everything at one block, in one request unless the chain moved meanwhile.

        A node that fails, is behind what is known of the chain, or turns out to be of another
        network is passed over for the next; the newest block that any of them shows is taken.
        Open intents are brought up to date: what a reorganisation dropped is broadcast again, the
        same bytes. Raises ``Transient``, or ``Halt`` when no node is of the right network.
        """
        stored = self._intents.open_intents(self.address, self._config.network.chain_id)
        sight = self._sight(hashes(*stored))
        header = sight.look.header
        self._newest_timestamp = header.timestamp
        self._heads.newest = header.number
        current = [self._brought_up_to_date(i, sight.look, sight.receipts) for i in stored]
        flying = tuple(
            in_flight(i, header.number, sight.look.nonce) for i in current if not i.status.final
        )
        return replace(sight.view, in_flight=flying)

    @property
    def newest_block(self) -> int:
        """The highest block that is known of; 0 before the first look."""
        return self._heads.newest

    def newest_timestamp(self) -> int:
        """When the newest block that was observed was made: the clock of a world of its own."""
        if self._newest_timestamp is None:
            self.observe()
        assert self._newest_timestamp is not None  # noqa: S101 - observing has set it
        return self._newest_timestamp

    def observe_each(self, *, late_seconds: float | None = None) -> NodeViews:
        """A whole look through every configured node, side by side; two requests each.

        With ``late_seconds``, nodes that answer so much later than the first are not waited for.
        Nothing is stored, sent or turned away by it. Raises nothing: a node that does not answer,
        or answers for another network, is told under ``failures``.
        """
        nodes = ask_nodes(self.rpc, self._config, late_seconds=late_seconds)
        usable = [node.rpc for node in nodes.usable]
        looks = each(usable, self._look_through, late_seconds=late_seconds)
        return NodeViews(
            seen=tuple(look for look in looks if isinstance(look, NodeView)),
            failures=(*nodes.failures, *(f for f in looks if isinstance(f, NodeFailure))),
        )

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        """Simulate ``step``, ask ``verdict``, and make it happen at most once.

        A connection that only reads simulates and asks, and then refuses with ``read_only``.
        """
        return self._sender.send(step, verdict)

    def _sight(self, tx_hashes: Sequence[str]) -> Sight:
        """Through the current node, or through the one with the newest block where it fails or is
        behind."""
        best: tuple[Sight, Rpc] | None = None
        failures: list[Transient | Halt] = []
        for _ in range(1 + self.rpc.alternatives):
            try:
                sight = self._see(tx_hashes)
            except Halt as halt:
                failures.append(halt)
                if self.rpc.alternatives:
                    self.rpc.distrust(halt.message)
                continue
            except Transient as error:
                failures.append(error)
                self.rpc.turn_away()
                continue
            if best is None or sight.look.header.number > best[0].look.header.number:
                best = sight, self.rpc.current()
            if not self._is_behind(sight.look.header):
                break
            self.rpc.turn_away()
        if best is None:
            raise next((f for f in failures if isinstance(f, Transient)), failures[0])
        self.rpc.prefer(best[1])
        return best[0]

    def _see(self, tx_hashes: Sequence[str]) -> Sight:
        look, receipts = self._reader.look(tx_hashes)
        check_chain_id(look.seen.chain_id, self._config)
        view = chain_view(look, self.market, self._config, self.address, ())
        return Sight(look=look, receipts=receipts, view=view)

    def _is_behind(self, header: Header) -> bool:
        """Another node has shown a newer block, or the machine's clock says that there is one: a
        sandbox or a fork lives in its own time."""
        age = self._clock() - header.timestamp
        by_clock = age > self._config.guards.max_block_age_seconds
        on_mainnet = self._config.network.name == "mainnet"
        return header.number < self._heads.newest or (on_mainnet and by_clock)

    def _look_through(self, node: Rpc) -> NodeView:
        reader = SnapshotReader(node, self._config, self.market, self.address)
        look, _ = reader.look(())
        check_chain_id(look.seen.chain_id, self._config)
        view = chain_view(look, self.market, self._config, self.address, ())
        return NodeView(name=node.name, view=view)

    def _brought_up_to_date(self, intent: Intent, look: Look, receipts: Receipts) -> Intent:
        head, confirmations = look.header.number, self._config.network.confirmations
        now = judged(intent, receipts, head, confirmations)
        if now.status is IntentStatus.OPEN and is_superseded(
            self.rpc, now, look.nonce, head, confirmations
        ):
            now = replace(now, status=IntentStatus.SUPERSEDED)
        if self._pilot is None or now == intent:
            return now
        self._intents.save(now)
        if intent.status is IntentStatus.MINED and now.status is IntentStatus.OPEN:
            self._pilot.resend(now, intent.tx_hash)
        return now
