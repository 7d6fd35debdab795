"""The whole exchange behind one lock: accounts, markets, time and the state file.

Every visit - a request, a new fair price, time going on - happens inside ``visit()``: one at a
time, and written to the state file before it is answered.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from dexmm.errors import BadInput
from dexmm.paper_exchange.api.fault_injection import Effect, Faults
from dexmm.paper_exchange.api.rate_limits import meters
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.background_book import BP, Taker, takers
from dexmm.paper_exchange.engine.change_set import Changes
from dexmm.paper_exchange.engine.clock import Clock
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.ledger import HOUSE, Ledger
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Order, Side
from dexmm.paper_exchange.engine.perpetual_settlement import HOUR_MS, PerpetualDesk
from dexmm.paper_exchange.engine.rounding import ZERO
from dexmm.paper_exchange.engine.settings import PaperSettings
from dexmm.paper_exchange.engine.settlement import BaseDesk
from dexmm.paper_exchange.engine.spot_settlement import SpotDesk
from dexmm.paper_exchange.engine.symbol_rules import BNB_USDT, Kind, Rules
from dexmm.paper_exchange.store import codec
from dexmm.paper_exchange.store.state import State

LONGEST_STEP_MS = 7 * 86_400_000  # a pause longer than this has no trades in it


class Exchange:
    """``state`` is the file that survives; ``start_ms`` makes time one that is moved by hand."""

    def __init__(
        self, settings: PaperSettings, state: Path | None = None, start_ms: int | None = None
    ) -> None:
        self.settings = settings
        self.state = State(state)
        self.clock = Clock(start_ms)
        self.ledger = Ledger()
        self.changes = Changes()
        self.faults = Faults()
        self._before_fills: dict[str, str] = {}
        self.meters = meters(settings.limits)
        self.spot = {r.symbol: self._market(r) for r in _spot_rules(settings)}
        self.perpetuals = {r.symbol: self._market(r) for r in settings.perpetuals}
        self.markets = {m.key: m for m in [*self.spot.values(), *self.perpetuals.values()]}
        self.desks = {key: self._desk(market) for key, market in self.markets.items()}
        self._basis = dict.fromkeys(self.perpetuals, 0.0)
        self._basis_ms = 0
        self._heard_ms = 0  # until when the crowd was let in
        self._lock = threading.RLock()
        self._open()

    def close(self) -> None:
        with self._lock:
            self.state.close()

    @contextmanager
    def visit(self) -> Iterator[int]:
        """Alone with the exchange; gives the time. What changed is in the file afterwards."""
        with self._lock:
            self.changes.now_ms = self.clock.now_ms()
            before = self._remembered()
            try:
                yield self.changes.now_ms
            finally:
                for _, trade in self.changes.trades:
                    if trade.owner in before:
                        self._before_fills[trade.owner] = before[trade.owner]
                self._commit()

    def lagging(self, account: Account) -> Account:
        """The account as it was before its last fills, while that is being rehearsed."""
        stored = self._before_fills.get(account.name)
        if stored is None:
            return account
        late = Account(name=account.name)
        codec.load_account(stored, late)
        return late

    def _remembered(self) -> dict[str, str]:
        if not self.faults.wait_for(Effect.LAG_BALANCES):
            return {}
        return {name: codec.dump_account(a) for name, a in self.ledger.accounts.items()}

    # Finding things

    def market(self, kind: Kind, symbol: str) -> Market:
        """Raises ``BAD_SYMBOL``."""
        found = (self.spot if kind is Kind.SPOT else self.perpetuals).get(symbol)
        if found is None:
            raise Refused(error_codes.BAD_SYMBOL)
        return found

    def desk(self, market: Market) -> BaseDesk:
        return self.desks[market.key]

    def perpetual_desk(self, market: Market) -> PerpetualDesk:
        desk = self.desks[market.key]
        if not isinstance(desk, PerpetualDesk):
            raise Refused(error_codes.BAD_SYMBOL)
        return desk

    def price_of(self, symbol: str) -> Decimal:
        """A fair price by spot symbol; zero when nobody knows one."""
        market = self.spot.get(symbol)
        return market.fair if market else self.settings.prices.get(symbol, ZERO)

    # The world outside

    def set_fair_price(self, symbol: str, price: Decimal, at_ms: int | None = None) -> None:
        """The price of a spot symbol, and of everything that follows from it.

        ``at_ms`` lets time go on to then first. Raises ``BadInput`` for an unknown symbol or a
        price that cannot be.
        """
        if symbol not in self.spot:
            raise BadInput(f"{symbol} is not traded here: choose one of {', '.join(self.spot)}")
        if not (price.is_finite() and price > 0):
            raise BadInput(f"{price} cannot be the price of {symbol}: it must be above zero")
        with self.visit():
            if at_ms is not None:
                self._advance(at_ms)
            market = self.spot[symbol]
            market.fair, market.pinned = price, True
            self._reprice()

    def advance(self, now_ms: int) -> None:
        """Let time go on to ``now_ms``: takers come, funding is paid, the house refills."""
        with self.visit():
            self._advance(now_ms)
            self._reprice()

    def set_funding_rate(self, symbol: str, rate: Decimal) -> None:
        """The rate that is charged at a perpetual's next funding time."""
        with self.visit():
            self.market(Kind.PERPETUAL, symbol).funding.rate = rate
            self.changes.markets = True

    def set_perpetual_price(self, symbol: str, price: Decimal | None) -> None:
        """A perpetual's mark price, apart from its index; None lets it follow the index again.

        Positions that it leaves without their maintenance margin are taken over at once.
        """
        market = self._perpetual(symbol)
        if price is not None:
            _above_zero(price, f"the price of {symbol}")
        with self.visit():
            market.pinned = price is not None
            market.fair = price if price is not None else market.fair
            self._reprice()

    def set_funding(
        self, symbol: str, rate: Decimal | None = None, in_seconds: Decimal | None = None
    ) -> None:
        """The rate that is charged next (between -1 and 1), and how soon."""
        market = self._perpetual(symbol)
        if rate is not None and not (rate.is_finite() and abs(rate) < 1):
            raise BadInput(f"{rate} cannot be a funding rate: it is a fraction, such as 0.0001")
        if in_seconds is not None and not (in_seconds.is_finite() and in_seconds >= 0):
            raise BadInput(f"{in_seconds} is no number of seconds")
        with self.visit() as now_ms:
            market.funding.rate = market.funding.rate if rate is None else rate
            if in_seconds is not None:
                market.funding.next_ms = now_ms + int(in_seconds * 1000)
            self.changes.markets = True

    def set_account(
        self,
        name: str,
        *,
        spot: Mapping[str, Decimal] | None = None,
        margin: Decimal | None = None,
        hedge_mode: bool | None = None,
        isolated: Mapping[str, bool] | None = None,
    ) -> None:
        """What an account holds and how it is set, all of it or nothing.

        ``spot`` is what is free of each asset and ``margin`` the futures wallet in USDT: the
        difference counts as deposited. ``isolated`` is by perpetual. Neither mode changes while
        there is a position or an order of the kind. Raises ``BadInput``.
        """
        account = self.ledger.accounts.get(name)
        if account is None:
            raise BadInput(
                f"there is no account {name}: choose one of {', '.join(self.ledger.accounts)}"
            )
        for what, amount in {
            **(spot or {}),
            **({"margin": margin} if margin is not None else {}),
        }.items():
            if not (amount.is_finite() and amount >= 0):
                raise BadInput(f"{amount} cannot be the {what} of an account")
        with self.visit():
            futures, changed = account.futures, set(isolated or {})
            for symbol in changed:
                self._perpetual(symbol)
            changed |= (
                set(self.perpetuals) if hedge_mode not in (None, futures.hedge_mode) else set()
            )
            for symbol in changed:
                if futures.position(symbol).amount or self.perpetuals[symbol].open_of(name):
                    raise BadInput(
                        f"{name} has a position or an order in {symbol}: its mode stays as it is"
                    )
            for asset, amount in (spot or {}).items():
                self.ledger.deposit(account, asset, amount - account.free_of(asset))
            if margin is not None:
                self.ledger.deposit_margin(account, margin - futures.wallet)
            futures.hedge_mode = futures.hedge_mode if hedge_mode is None else hedge_mode
            for symbol, alone in (isolated or {}).items():
                (futures.isolated.add if alone else futures.isolated.discard)(symbol)
            self.changes.accounts.add(name)
            self._liquidate()

    def _perpetual(self, symbol: str) -> Market:
        if symbol not in self.perpetuals:
            raise BadInput(
                f"{symbol} is no perpetual here: choose one of {', '.join(self.perpetuals)}"
            )
        return self.perpetuals[symbol]

    def change_rules(self, key: str, **changed: Decimal | bool) -> Rules:
        """Another tick, another lot, trading stopped: from now on, until the process ends."""
        with self.visit():
            if key not in self.markets:
                raise BadInput(f"{key} is no market: choose one of {', '.join(self.markets)}")
            market = self.markets[key]
            market.rules = replace(market.rules, **changed)  # type: ignore[arg-type]
            market.quoted_for = None
            return market.rules

    # Time

    def _advance(self, now_ms: int) -> None:
        start = max(self._heard_ms, now_ms - LONGEST_STEP_MS)
        if now_ms <= start:
            return
        self._heard_ms = now_ms
        crowds = [self._crowd(market, start, now_ms) for market in self.markets.values()]
        for at_ms, _, market, taker in heapq.merge(*crowds, key=lambda event: event[:2]):
            self._fund(at_ms)
            self._set_time(at_ms)
            desk = self.desks[market.key]
            desk.requote()
            desk.take(taker)
        self._fund(now_ms)
        self._set_time(now_ms)

    def _crowd(
        self, market: Market, start_ms: int, end_ms: int
    ) -> Iterator[tuple[int, str, Market, Taker]]:
        if not market.rules.trading:
            return
        seed = f"{self.settings.seed}:{market.key}"
        for taker in takers(market.flow, market.rules, seed, start_ms, end_ms):
            yield taker.at_ms, market.key, market, taker

    def _fund(self, until_ms: int) -> None:
        for market in self.perpetuals.values():
            while market.funding.next_ms <= until_ms:
                self._set_time(market.funding.next_ms)
                self.perpetual_desk(market).pay_funding()
                self._liquidate()

    def _set_time(self, now_ms: int) -> None:
        self.clock.move_to(now_ms)
        self.changes.now_ms = max(self.changes.now_ms, now_ms)

    # Prices

    def _reprice(self) -> None:
        """Move every market to what the prices that were set make of it."""
        for symbol, rule in self.settings.derived.items():
            market = self.spot.get(symbol)
            if market is not None and not market.pinned:
                below = self.price_of(rule.denominator) if rule.denominator else Decimal(1)
                market.fair = self.price_of(rule.numerator) / below
        self._move_basis()
        for market in self.perpetuals.values():
            if market.pinned:
                continue
            stray = Decimal(round(self._basis[market.rules.symbol], 4)).quantize(Decimal("0.0001"))
            away = (self.settings.basis.mean_bp + stray) * BP
            market.fair = (self.price_of(market.rules.index) * (1 + away)).quantize(
                Decimal("0.00000001")
            )
        for market in self.markets.values():
            if market.rules.trading:
                self.desks[market.key].requote()
                self._mark(market)
        self._liquidate()  # at the new quotes: a gap is not closed at yesterday's
        self.changes.markets = True

    def _mark(self, market: Market) -> None:
        (bid, _), (ask, _) = market.touch()
        if bid and ask:
            market.tape.mark((bid + ask) / 2, self.changes.now_ms)

    def _move_basis(self) -> None:
        """An AR(1) around its mean; statistics, so floats until the result."""
        basis, now = self.settings.basis, self.changes.now_ms
        elapsed = now - self._basis_ms
        if elapsed <= 0 or not basis.std_bp:
            return
        memory = 0.5 ** (elapsed / basis.halflife_ms) if self._basis_ms else 0.0
        self._basis_ms = now
        for symbol, stray in self._basis.items():
            dice = random.Random(f"basis:{self.settings.seed}:{symbol}:{now}")  # noqa: S311 - no secret
            draw = dice.gauss(0, float(basis.std_bp)) * (1 - memory * memory) ** 0.5
            self._basis[symbol] = memory * stray + draw

    def _liquidate(self) -> None:
        for market in self.perpetuals.values():
            self.perpetual_desk(market).liquidate()

    # Opening and writing

    def _market(self, rules: Rules) -> Market:
        key = f"{rules.kind}:{rules.symbol}"
        settings = self.settings
        return Market(
            rules=rules,
            shape=settings.shapes.get(key, settings.shape),
            flow=settings.flows.get(key, settings.flow),
            fair=settings.prices.get(rules.symbol, ZERO),
        )

    def _desk(self, market: Market) -> BaseDesk:
        if market.is_perpetual:
            return PerpetualDesk(market, self.ledger, self.changes, self.price_of, self.perpetuals)
        return SpotDesk(market, self.ledger, self.changes, self.price_of)

    def _open(self) -> None:
        self._restore_numbers()
        for opening in self.settings.accounts:
            account = Account(
                name=opening.name,
                api_key=opening.api_key,
                secret=opening.secret,
                permissions=opening.permissions,
                pays_fees_in_bnb=opening.pays_fees_in_bnb,
            )
            self.ledger.accounts[account.name] = account
            stored = self.state.account(account.name)
            if stored is not None:
                codec.load_account(stored, account)
                account.permissions = opening.permissions
                account.pays_fees_in_bnb = opening.pays_fees_in_bnb
                continue
            for asset, amount in opening.spot.items():
                self.ledger.deposit(account, asset, amount)
            self.ledger.deposit_margin(account, opening.margin)
            account.updated_ms = self.changes.now_ms
            self.changes.accounts.add(account.name)
        with self.visit():
            self._open_markets()

    def _restore_numbers(self) -> None:
        if totals := self.state.fact("totals"):
            codec.load_totals(totals, self.ledger)
        if last_id := self.state.fact("last_id"):
            self.changes.last_id = int(last_id)
        if now_ms := self.state.fact("now_ms"):
            self.clock.move_to(int(now_ms))
        if stored := self.state.account(HOUSE):
            codec.load_account(stored, self.ledger.house)
        self.changes.now_ms = self.clock.now_ms()

    def _open_markets(self) -> None:
        self._heard_ms = self.changes.now_ms
        for market in self.perpetuals.values():
            market.funding.rate = self.settings.funding_rate
            market.funding.next_ms = _next_funding(self.changes.now_ms, market.rules)
        for key, market in self.markets.items():
            if stored := self.state.market(key):
                codec.load_market(stored, market)  # funding missed meanwhile is charged next
        waiting = self.state.open_orders()
        self._reprice()
        for key, order in waiting:
            if key in self.markets and order.owner in self.ledger.accounts:
                self._rest_again(self.markets[key], order)

    def _rest_again(self, market: Market, order: Order) -> None:
        """Put a stored order back. Where the house would cross it, the house gives way."""
        for (side, price), quotes in list(market.house.items()):
            crosses = price <= order.price if order.side is Side.BUY else price >= order.price
            if side is order.side.other and crosses:
                for quote in quotes:
                    market.book.remove(quote)
                del market.house[side, price]
                market.quoted_for = None
        market.rest(order)

    def _commit(self) -> None:
        if self.changes.anything:
            self.state.write(self.changes, self.ledger, self.markets)
            self.changes.clear()


def _next_funding(now_ms: int, rules: Rules) -> int:
    every = rules.funding_hours * HOUR_MS
    return now_ms - now_ms % every + every


def _spot_rules(settings: PaperSettings) -> tuple[Rules, ...]:
    """With BNB's own market where an account pays its fees in BNB and it is not listed already."""
    pays = any(opening.pays_fees_in_bnb for opening in settings.accounts)
    listed = any(rules.symbol == BNB_USDT.symbol for rules in settings.spot)
    return (*settings.spot, BNB_USDT) if pays and not listed else settings.spot


def _above_zero(price: Decimal, what: str) -> None:
    if not (price.is_finite() and price > 0):
        raise BadInput(f"{price} cannot be {what}: it must be above zero")
