"""The real world around a withdraw: it must open where the loop's own world would not.

A journal that is missing, damaged or locked costs a warning. The intents it held are then
unknown: what still waits to be mined is seen in the wallet's nonces, and replaced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Generic, TypeVar

from dexmm.cex.exchange import account_of
from dexmm.chain.all_nodes import each
from dexmm.chain.client import ChainClient, connect
from dexmm.chain.observe.snapshot_reader import LATEST_BLOCK, parse_header
from dexmm.chain.rpc.abi import BALANCE_OF, Answer
from dexmm.chain.rpc.client import OTHERS_SECONDS, Request, Rpc, expect
from dexmm.chain.rpc.parsing import data
from dexmm.chain.send.keys import wallet_address
from dexmm.config.schema import Config
from dexmm.errors import DexmmError, NodeError
from dexmm.model.intent import Intent, IntentLog, IntentStatus
from dexmm.model.nodes import NodeFailure, NodeView, NodeViews
from dexmm.model.order import OrderIntent, OrderLog
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome
from dexmm.protocols import Cex, Verdict
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.lease import WalletLease, lock_folder
from dexmm.store.orders import SqlOrderLog
from dexmm.wiring.clock import wall_clock
from dexmm.withdraw.report import Halted

log = logging.getLogger("dexmm.withdraw.withdraw")

L = TypeVar("L")
T = TypeVar("T")


class Forgiving(Generic[L]):
    """A record that is asked while it works, and left alone from the moment it does not."""

    def __init__(self, open_record: Callable[[], L], what: str) -> None:
        self._open = open_record
        self._what = what
        self._record: L | None = None
        self._failed = False

    def ask(self, question: Callable[[L], T]) -> T | None:
        if self._failed:
            return None
        try:
            if self._record is None:
                self._record = self._open()
            return question(self._record)
        except (DexmmError, ValueError, OSError) as error:
            self._failed = True
            why = error.message if isinstance(error, DexmmError) else type(error).__name__
            log.warning("going on without the %s: %s", self._what, why)
            return None


class ForgivingIntentLog:
    """Intents in the journal while it works, and in memory from the moment it does not.

    Memory keeps everything saved here, so that nothing of this process is forgotten when the
    journal fails half-way. With ``read_only`` nothing is written to the journal.
    """

    def __init__(self, journal: Callable[[], IntentLog], *, read_only: bool) -> None:
        self._journal = Forgiving(journal, "journal")
        self._read_only = read_only
        self._saved: dict[str, Intent] = {}

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        stored = self._journal.ask(lambda journal: journal.open_intents(wallet, chain_id)) or ()
        if self._read_only:
            # As if never seen mined: what a reorganisation drops is then not broadcast again.
            stored = tuple(replace(intent, status=IntentStatus.OPEN) for intent in stored)
        known = {intent.id: intent for intent in stored} | self._saved
        still_open = (i for i in known.values() if not i.status.final)
        return tuple(sorted(still_open, key=lambda intent: intent.nonce))

    def save(self, intent: Intent) -> None:
        self._saved[intent.id] = intent
        if not self._read_only:
            self._journal.ask(lambda journal: journal.save(intent))


class ForgivingOrderLog:
    """As ``ForgivingIntentLog``, for exchange orders: the exchange itself knows what rests."""

    def __init__(self, journal: Callable[[], OrderLog], *, read_only: bool) -> None:
        self._journal = Forgiving(journal, "record of orders")
        self._read_only = read_only
        self._saved: dict[str, OrderIntent] = {}

    def open_orders(self, account: str) -> tuple[OrderIntent, ...]:
        stored = self._journal.ask(lambda journal: journal.open_orders(account)) or ()
        return tuple(order for order in self._known(stored) if not order.status.final)

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        stored = self._journal.ask(lambda journal: journal.orders_since(account, since)) or ()
        return tuple(order for order in self._known(stored) if order.created_at >= since)

    def save_order(self, order: OrderIntent) -> None:
        self._saved[order.client_id] = order
        if not self._read_only:
            self._journal.ask(lambda journal: journal.save_order(order))

    def _known(self, stored: tuple[OrderIntent, ...]) -> tuple[OrderIntent, ...]:
        return tuple(({order.client_id: order for order in stored} | self._saved).values())


class ExitChain:
    """Implements ``withdraw.steps.ExitChain`` over a client."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client

    def observe(self) -> ChainView:
        return self._client.observe()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        return self._client.send(step, verdict)

    def survey(self, view: ChainView | None) -> NodeViews:
        rpc = self._client.rpc
        if rpc.alternatives:
            late = OTHERS_SECONDS if view is None else None
            return self._client.observe_each(late_seconds=late)
        alone = () if view is None else (NodeView(name=rpc.name, view=view),)
        return NodeViews(seen=alone, failures=())

    def holds(self, address: str) -> tuple[int, int]:
        market = self._client.market
        requests: list[Request] = [
            (
                "eth_call",
                [{"to": token.address, "data": "0x" + BALANCE_OF(address).hex()}, "latest"],
            )
            for token in (market.token0, market.token1)
        ]
        head, *answers = self._client.rpc.batch([LATEST_BLOCK, *requests])
        if (number := parse_header(head).number) < self._client.newest_block:
            self._client.rpc.turn_away()
            raise NodeError(
                f"what {address} holds was told of block {number}, which is not the newest"
            )
        held = [Answer(data(expect(each), "a balance"), "a balance").uint(0) for each in answers]
        return held[0], held[1]

    def knows(self, tx_hash: str) -> bool:
        def ask(node: Rpc) -> bool:
            return node.call("eth_getTransactionByHash", [tx_hash]) is not None

        found = each(self._client.rpc.nodes(), ask)
        if all(isinstance(answer, NodeFailure) for answer in found):
            raise NodeError("; ".join(a.reason for a in found if isinstance(a, NodeFailure)))
        return any(answer is True for answer in found)

    def prefer(self, node: str) -> None:
        rpc = self._client.rpc
        for _ in range(rpc.alternatives):
            if rpc.name == node:
                return
            rpc.turn_away()


class ExitWorld:
    """Implements ``withdraw.World``."""

    def __init__(self, config: Config, *, dry_run: bool) -> None:
        self._config = config
        self._dry_run = dry_run

    def set_halt(self, reason: str) -> None:
        flag = HaltFlag(self._config.state_dir)
        before = flag.reason() if flag.where() else ""
        if not before:
            flag.set(reason)
        elif not before.startswith(reason):
            flag.set(f"{reason} (it was halted before: {before})")

    def halted(self) -> Halted:
        flag = HaltFlag(self._config.state_dir)
        where = flag.where()
        return Halted(
            reason=flag.reason() if where else "",
            places=tuple(str(place) for place in where),
            at_its_place=flag.path in where,
        )

    def lease(self, timeout_seconds: float) -> AbstractContextManager[None]:
        pool = self._config.market.has_pool
        address = wallet_address(self._config) if pool else account_of(self._config)
        folder = lock_folder(self._config)
        return WalletLease(folder, self._config.network.chain_id, address).held(timeout_seconds)

    def connect(self) -> ExitChain:
        intents = ForgivingIntentLog(self._journal, read_only=self._dry_run)
        client = connect(self._config, intents, wall_clock, rescue=True, read_only=self._dry_run)
        return ExitChain(client)

    def now(self) -> int | None:
        return wall_clock() if self._config.network.name == "mainnet" else None

    def exchange(self) -> Cex | None:
        if self._config.exchange is None:
            return None
        from dexmm.cex.client import open_client

        orders = ForgivingOrderLog(self._orders, read_only=self._dry_run)
        return open_client(self._config, orders, wall_clock, watch_only=self._dry_run)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def tell(self, line: str) -> None:
        log.info("%s", line)

    def warn(self, line: str) -> None:
        log.warning("%s", line)

    def _orders(self) -> OrderLog:
        return SqlOrderLog(open_database(journal_url(self._config), durable=True))

    def _journal(self) -> IntentLog:
        return SqlIntentLog(open_database(journal_url(self._config), durable=True))


class HaltedExitWorld(ExitWorld):
    """As above, for an exit that a guard's halt has asked for (``halted_exit``), with the client of
    the exchange that the loop has.

    HALT keeps the guard's reason. Of ``several`` markets it is not set, for it would stop the
    others as well: the halt of one of them is in its journal, from before the exit.
    """

    def __init__(self, config: Config, cex: Cex | None, reason: str, *, several: bool) -> None:
        super().__init__(config, dry_run=False)
        self._cex = cex
        self._reason = reason
        self._several = several

    def set_halt(self, reason: str) -> None:
        if not self._several and not HaltFlag(self._config.state_dir).where():
            super().set_halt(self._reason)

    def halted(self) -> Halted:
        if not self._several:
            return super().halted()
        return Halted(reason=self._reason, places=("the journal",), at_its_place=True)

    def exchange(self) -> Cex | None:
        return self._cex
