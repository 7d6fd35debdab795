"""The matching engine against its definition, written out the slow way."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.paper_exchange.engine.order_book import Book, match
from dexmm.paper_exchange.engine.orders import Ask, Order, SelfTrade, Side, Status, Type
from dexmm.paper_exchange.engine.rounding import ZERO

D = Decimal


class Recorder:
    """A desk that only writes down what traded."""

    def __init__(self) -> None:
        self.fills: list[tuple[int, int, Decimal, Decimal]] = []

    def room(self, order: Order, price: Decimal) -> Decimal:
        return order.remaining

    def trade(self, maker: Order, taker: Order, price: Decimal, quantity: Decimal) -> None:
        self.fills.append((maker.order_id, taker.order_id, price, quantity))
        for order in (maker, taker):
            order.executed += quantity
            order.status = Status.FILLED if order.remaining == 0 else Status.PARTIALLY_FILLED

    def close(self, order: Order, status: Status) -> None:
        order.status = status


def an_order(
    number: int,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    owner: str = "",
    self_trade: SelfTrade = SelfTrade.NONE,
) -> Order:
    ask = Ask(
        symbol="X",
        side=side,
        type=Type.LIMIT,
        client_order_id=str(number),
        price=price,
        quantity=quantity,
        self_trade=self_trade,
    )
    return Order(order_id=number, owner=owner, ask=ask, created_ms=0, updated_ms=0)


def put(book: Book, desk: Recorder, order: Order) -> None:
    match(book, order, desk, order.price)
    if order.status.is_open:
        book.add(order)


@dataclass
class Plain:
    """One resting order of the definition."""

    number: int
    side: Side
    price: Decimal
    left: Decimal


def by_definition(
    arrivals: list[Plain],
) -> tuple[list[tuple[int, int, Decimal, Decimal]], list[Plain]]:
    """Price, then time: at each step the best of all that cross, the oldest among equals."""
    resting: list[Plain] = []
    fills = []
    for arrival in arrivals:
        sign = arrival.side.sign
        while arrival.left > 0:
            crossing = [
                other
                for other in resting
                if other.side is not arrival.side
                and sign * other.price <= sign * arrival.price
                and other.left > 0
            ]
            if not crossing:
                break
            best = min(crossing, key=lambda o: (sign * o.price, o.number))
            quantity = min(best.left, arrival.left)
            best.left -= quantity
            arrival.left -= quantity
            fills.append((best.number, arrival.number, best.price, quantity))
        if arrival.left > 0:
            resting.append(arrival)
    return fills, [o for o in resting if o.left > 0]


asks = st.tuples(
    st.sampled_from(Side),
    st.integers(min_value=95, max_value=105).map(D),
    st.integers(min_value=1, max_value=9).map(D),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(asks, max_size=40))
def test_it_matches_by_price_and_then_by_time(drawn: list[tuple[Side, Decimal, Decimal]]) -> None:
    book, desk = Book(), Recorder()
    for number, (side, price, quantity) in enumerate(drawn):
        put(book, desk, an_order(number, side, price, quantity))
    plain = [Plain(n, side, price, quantity) for n, (side, price, quantity) in enumerate(drawn)]
    fills, resting = by_definition(plain)
    assert desk.fills == fills
    for side in Side:
        expected = sorted(
            ((o.price, o.number, o.left) for o in resting if o.side is side),
            key=lambda o: (-side.sign * o[0], o[1]),
        )
        assert [(o.price, o.order_id, o.remaining) for o in book.orders(side)] == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(asks, max_size=40))
def test_a_book_is_never_left_crossed(drawn: list[tuple[Side, Decimal, Decimal]]) -> None:
    book, desk = Book(), Recorder()
    for number, (side, price, quantity) in enumerate(drawn):
        put(book, desk, an_order(number, side, price, quantity))
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        assert bid is None or ask is None or bid < ask


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(asks, min_size=1, max_size=30), st.data())
def test_a_cancelled_order_leaves_no_trace(
    drawn: list[tuple[Side, Decimal, Decimal]], data: st.DataObject
) -> None:
    book, desk = Book(), Recorder()
    for number, (side, price, quantity) in enumerate(drawn):
        put(book, desk, an_order(number, side, price, quantity))
    resting = [order for side in Side for order in book.orders(side)]
    if not resting:
        return
    gone = data.draw(st.sampled_from(resting))
    total = sum((q for _, q in book.depth(gone.side, 100)), ZERO)
    book.remove(gone)
    book.remove(gone)
    assert gone not in book
    assert sum((q for _, q in book.depth(gone.side, 100)), ZERO) == total - gone.remaining


def crossing(mode: SelfTrade) -> tuple[Order, Order, Recorder, Book]:
    """One account's own sale at 100, a stranger's at 101, and its own purchase at 101."""
    book, desk = Book(), Recorder()
    own = an_order(1, Side.SELL, D(100), D(5), "me")
    put(book, desk, own)
    put(book, desk, an_order(2, Side.SELL, D(101), D(5), "other"))
    taker = an_order(3, Side.BUY, D(101), D(3), "me", mode)
    put(book, desk, taker)
    return own, taker, desk, book


def test_expire_maker_removes_the_resting_order_and_trades_on() -> None:
    own, taker, desk, book = crossing(SelfTrade.EXPIRE_MAKER)
    assert own.status is Status.EXPIRED_IN_MATCH
    assert own not in book
    assert desk.fills == [(2, 3, D(101), D(3))]
    assert taker.status is Status.FILLED


def test_expire_taker_ends_the_new_order() -> None:
    own, taker, desk, book = crossing(SelfTrade.EXPIRE_TAKER)
    assert own.status is Status.NEW
    assert own in book
    assert taker.status is Status.EXPIRED_IN_MATCH
    assert desk.fills == []


def test_expire_both_ends_both() -> None:
    own, taker, desk, _ = crossing(SelfTrade.EXPIRE_BOTH)
    assert own.status is taker.status is Status.EXPIRED_IN_MATCH
    assert desk.fills == []


def test_none_lets_an_account_trade_with_itself() -> None:
    _, taker, desk, _ = crossing(SelfTrade.NONE)
    assert desk.fills == [(1, 3, D(100), D(3))]
    assert taker.status is Status.FILLED


def test_a_silent_order_is_neither_shown_nor_best() -> None:
    book = Book()
    silent = an_order(1, Side.BUY, D(100), D(5))
    silent.fill_cap, silent.executed = D(2), D(2)
    book.add(silent)
    book.add(an_order(2, Side.BUY, D(99), D(1)))
    assert book.best(Side.BUY) == D(99)
    assert book.depth(Side.BUY, 10) == [(D(99), D(1))]
