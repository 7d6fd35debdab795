"""What ccxt would send for an order, found out from dry orders: nothing leaves this machine.

For each exchange an instance of its own, with invented keys and one invented market, is asked to
place, find and cancel an order. The request that it would sign is caught before it is signed, and
searched for our client order id. Then the exchange's answer is imitated: a record that has a
different value under every name, so that the one that ccxt takes for the client id is known.

An order "happens once" only where all of this holds; what does not is a reason to refuse:

- the id is in the request, under a name that ccxt or the exchange's documents give it: ccxt hands
  parameters that it does not know on as they are, and an exchange then overlooks them;
- the id comes back with an order;
- orders that rest can be listed, and one that has ended can be found again;
- everything that a request is signed with is something that ``[exchange]`` can hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import localcontext
from functools import lru_cache
from itertools import product
from typing import Any

from dexmm.cex.orders.client_order_id import Form
from dexmm.cex.parsing import Numeral

Ccxt = Any  # ccxt has no types

# The exchange's own name for the id, where ccxt 4.5.90 sends one of its own, or none, instead.
OWN_NAMES = {
    "coinbase": "client_order_id",  # ccxt makes one of its own under this name
    "coinsph": "newClientOrderId",  # its REST API: POST /openapi/v1/order
    "cryptocom": "client_oid",  # its private/create-order; ccxt reads it back from orders
    "bequant": "client_order_id",  # with HitBTC's API
    "fmfwio": "client_order_id",  # with HitBTC's API
    "hitbtc": "client_order_id",  # ccxt takes it for the order's id
    "toobit": "newClientOrderId",  # ccxt makes one of its own under this name
}
# Shorter or stricter than 32 letters and digits, which ccxt does not check.
FORMS = {
    "bitvavo": Form.UUID,
    "blockchaincom": Form.TEXT_18,  # at most 20 (its API's schema)
    "coinbaseexchange": Form.UUID,
    "deepcoin": Form.TEXT_18,  # 1 to 20 letters and digits (its POST /deepcoin/trade/order)
    "kraken": Form.TEXT_18,  # or a UUID (its guide to cl_ord_id)
    "onetrading": Form.UUID,  # as in every example of its API
}
# How long an id may be, where the exchange's documents or a remark in ccxt say so. At the others
# ours is sent in the usual form; whether it is kept whole shows with the first order (``orders``).
LENGTHS = {
    "alpaca": 48,
    "bequant": 32,
    "bigone": 36,
    "binance": 36,
    "binancecoinm": 36,
    "binanceus": 36,
    "binanceusdm": 36,
    "bingx": 40,
    "bitget": 50,
    "blockchaincom": 20,
    "bybit": 36,
    "bybiteu": 36,
    "bybitid": 36,
    "coinbase": 32,
    "cryptocom": 36,
    "deepcoin": 20,
    "fmfwio": 32,
    "gate": 28,
    "gateeu": 28,
    "gemini": 100,
    "hitbtc": 32,
    "htx": 64,
    "kraken": 18,
    "krakenfutures": 100,
    "kucoin": 36,
    "kucoinfutures": 36,
    "latoken": 50,
    "mexc": 32,
    "myokx": 32,
    "okx": 32,
    "okxus": 32,
    "phemex": 40,
    "poloniex": 64,
    "weex": 40,
    "whitebit": 32,
}
# Said of spot orders; of perpetuals nothing was found.
SPOT_LENGTHS = frozenset({"coinbase", "mexc", "poloniex"})
# Of those that neither ccxt nor a well-known document tells, where it was found.
LENGTH_SOURCES = {
    "alpaca": "docs.alpaca.markets, Create an Order for an Account: client_order_id, at most 48",
    "coinbase": "Hummingbot's connector coinbase_advanced_trade sends up to 32 there",
    "deepcoin": "www.deepcoin.com/docs/DeepCoinTrade/order: clOrdId, letters and numbers, 1 to 20",
    "mexc": "Hummingbot's connector mexc sends up to 32 there",
    "poloniex": "api-docs.poloniex.com/spot/api/private/order: clientOrderId, at most 64",
}
NUMBERS = frozenset({"backpack", "bitfinex", "bitopro", "ndax", "woo"})  # ids are whole numbers
KNOWN_KEYS = frozenset({"apiKey", "secret", "password"})  # that [exchange] can hold

UNIFIED = "clientOrderId"  # ccxt's own name for it
DIGEST = "0123456789abcdef0123456789abcdef"
PRICE = "4321.98"
AMOUNTS = {False: "0.1234", True: "3"}  # perpetuals are counted in whole contracts
OTHER_IDS = frozenset({"userref"})  # Kraken's ccxt looks an order up by another id than it sends
LOWER_CASE_TIMES = frozenset({"krakenfutures"})  # "IOC" would be dropped, and the order rest
# By which ccxt's parsers take a record for an error, a request's echo or a list of events.
FIRST = "7000000"
NOT_OF_ORDERS = frozenset(
    {
        "code",
        "msg",
        "error",
        "errorCode",
        "errorMessage",
        "errorMsg",
        "success",
        "usingCost",
        "orderEvents",
        "order",
        "status",
        "statusReport",
    }
)
ASKING = ("safe_string", "safe_string_2", "safe_string_n", "safe_value", "safe_value_2")


def length_of(exchange_id: str, *, contract: bool) -> int | None:
    """How many characters a client order id may have; None where nothing was found to say so."""
    if contract and exchange_id in SPOT_LENGTHS:
        return None
    return LENGTHS.get(exchange_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What an exchange carries for us; ``reasons`` are why it cannot be used, in words."""

    field: str = ""  # the exchange's name for the client id; empty when it is not sent
    forms: tuple[Form, ...] = ()  # in which an id arrives whole, the preferred one first
    post_only: bool = False  # the request is another one with it than without
    ioc: bool = False
    find_by_name: bool = False  # an order can be asked for by our id
    cancel_by_name: bool = False
    reasons: tuple[str, ...] = ()


class _Caught(Exception):
    """The request, before it was signed."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__("caught")
        self.params = params


class _NotBuilt(Exception):
    """ccxt built no such request; the text says why."""


def kind_of(exchange_id: str) -> type:
    """ccxt's own class, which leaves numbers as text and sends our id under the exchange's name.

    Amounts and prices that are given as text compare as numbers: KuCoin's perpetuals ask
    ``amount < 1``.
    """
    import ccxt

    base = getattr(ccxt, exchange_id)
    name = OWN_NAMES.get(exchange_id, UNIFIED)

    def create_order(
        self: Ccxt,
        symbol: str,
        type: str,  # noqa: A002 - ccxt's names
        side: str,
        amount: Any,
        price: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        renamed = {(name if key == UNIFIED else key): v for key, v in (params or {}).items()}
        if exchange_id in LOWER_CASE_TIMES and "timeInForce" in renamed:
            renamed["timeInForce"] = str(renamed["timeInForce"]).lower()
        return base.create_order(
            self, symbol, type, side, _numeral(amount), _numeral(price), renamed
        )

    return type(exchange_id, (base,), {"number": str, "create_order": create_order})


def _numeral(value: Any) -> Any:
    return Numeral(value) if isinstance(value, str) else value


def form_of(exchange_id: str, *, contract: bool) -> Form:
    """In which ids are written there. The usual one where none arrives: it is refused anyway."""
    return next(iter(carried(exchange_id, contract=contract).forms), Form.TEXT_32)


@lru_cache(maxsize=256)
def carried(exchange_id: str, *, contract: bool) -> Carried:
    """From dry orders; the same for every account. ``contract``: of its perpetuals, not of spot."""
    dry = _Dry(exchange_id, contract=contract)
    if reasons := tuple(dry.unusable()):
        return Carried(reasons=reasons)
    forms = [FORMS[exchange_id]] if exchange_id in FORMS else list(Form)
    field, fitting, why = "", [], ""
    for form in forms:
        client_id = form.write("q", DIGEST)
        try:
            params = dry.order({UNIFIED: client_id})
        except _NotBuilt as error:
            why = why or str(error)
            continue
        if found := dry.name_of(params, client_id):
            field = field or found
            fitting.append(form)
    if not fitting:
        return Carried(reasons=(why or f"ccxt does not send {_ids(contract)} there",))
    client_id = fitting[0].write("q", DIGEST)
    find = dry.asks_by_name("fetch_order", client_id)
    return Carried(
        field=field,
        forms=tuple(fitting),
        post_only=dry.differs({"postOnly": True}),
        ioc=dry.differs({"timeInForce": "IOC"}),
        find_by_name=find,
        cancel_by_name=dry.asks_by_name("cancel_order", client_id),
        reasons=tuple(dry.unfindable(field, by_name=find)),
    )


def _ids(contract: bool) -> str:
    return "our client ids with perpetual orders" if contract else "our client ids with orders"


class _Dry:
    """One exchange without a network."""

    def __init__(self, exchange_id: str, *, contract: bool) -> None:
        self.id = exchange_id
        self.contract = contract
        self.symbol = "PAXG/USDT:USDT" if contract else "PAXG/USDT"
        self.exchange = kind_of(exchange_id)(
            {"apiKey": "12345678", "secret": "c2VjcmV0", "password": "p"}
        )
        market = _market(self.exchange, self.symbol, contract=contract)
        self.exchange.set_markets([market], {})
        # Asked of the exchange before the first order otherwise.
        self.exchange.accounts = [{"id": "1", "type": "spot", "code": None, "info": {}}]
        self.exchange.is_unified_enabled = lambda *_, **__: [True, True]
        self._asked: set[str] = set()
        for name in ASKING:
            setattr(self.exchange, name, self._watched(getattr(self.exchange, name)))

    def unusable(self) -> Iterator[str]:
        has = self.exchange.has
        needed = self.exchange.requiredCredentials
        foreign = sorted(name for name, must in needed.items() if must and name not in KNOWN_KEYS)
        if foreign:
            yield f"its requests are signed with {', '.join(foreign)}, which [exchange] has not"
        kind = "swap" if self.contract else "spot"
        if has.get(kind) is False:
            yield f"ccxt knows no {'perpetuals' if self.contract else 'spot market'} there"
        if self.id in NUMBERS:
            yield "its client ids are whole numbers, by which our orders cannot be told from others"

    def unfindable(self, field: str, *, by_name: bool) -> Iterator[str]:
        has = self.exchange.has
        if not self._comes_back(field):
            yield "ccxt does not read the client id of an order that the exchange tells of"
        if has.get("fetchOpenOrders") is not True:
            yield "ccxt cannot list its open orders"
        behind = has.get("fetchMyTrades") is True and has.get("fetchOrder") is True
        ended = any(has.get(name) is True for name in ("fetchOrders", "fetchClosedOrders"))
        if not (by_name or ended or behind):
            yield "ccxt cannot find an order there that has ended"
        if has.get("cancelOrder") is not True:
            yield "ccxt cannot cancel an order there"

    def order(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What would be sent for a limit order."""
        amount = AMOUNTS[self.contract]
        arguments = (self.symbol, "limit", "buy", amount, PRICE, dict(params))
        return self._caught("create_order", arguments, PRICE)

    def name_of(self, params: Mapping[str, Any], client_id: str) -> str:
        """The name under which the id is sent; empty when nobody would read it there."""
        name = next((name for name, value in _leaves(params) if str(value) == client_id), "")
        if name != UNIFIED or UNIFIED in self._asked:
            return name
        plain = self.order({})  # handed on as it was? Not where ccxt makes one of that name itself
        return name if any(other == UNIFIED for other, _ in _leaves(plain)) else ""

    def differs(self, params: Mapping[str, Any]) -> bool:
        """Whether ccxt makes anything of ``params``."""
        try:
            plain, again, other = self.order({}), self.order({}), self.order(params)
        except _NotBuilt:
            return False
        chance = {name for name, _ in set(_texts(plain)) ^ set(_texts(again))}  # random, or a time
        return any(name not in chance for name, _ in set(_texts(plain)) ^ set(_texts(other)))

    def asks_by_name(self, method: str, client_id: str) -> bool:
        try:
            params = self._caught(method, (None, self.symbol, {UNIFIED: client_id}), client_id)
        except _NotBuilt:
            return False
        name = next((name for name, value in _leaves(params) if str(value) == client_id), "")
        return name not in OTHER_IDS and (name != UNIFIED or UNIFIED in self._asked)

    def _comes_back(self, field: str) -> bool:
        market = self.exchange.market(self.symbol)
        for named, without in product((False, True), (frozenset[str](), NOT_OF_ORDERS)):
            answer = _Answer(named, without, field)
            try:
                told = self.exchange.parse_order(answer, market).get(UNIFIED)
            except Exception:  # noqa: BLE001, S112 - an invented record can break any parser
                continue
            if told is not None and str(told) in answer.given:
                return True
        return False

    def _caught(self, method: str, arguments: Sequence[Any], mark: str) -> Mapping[str, Any]:
        """The request in which ``mark`` is; any other gets an empty answer."""

        def fetch2(
            path: str,
            api: Any = "public",
            verb: str = "GET",
            params: Mapping[str, Any] | None = None,
            headers: Any = None,
            body: Any = None,
            config: Any = None,
        ) -> Any:
            told = params if isinstance(params, Mapping) else {"": params}
            if any(mark in str(value) for _, value in _leaves(told)):
                raise _Caught(told)
            if verb == "POST" and "auth" not in str(path):
                posted.append(told)
            return {}

        posted: list[Mapping[str, Any]] = []
        self._asked.clear()
        self.exchange.fetch2 = fetch2
        try:
            with localcontext():  # ccxt leaves its own rounding in the thread's context
                getattr(self.exchange, method)(*arguments)
        except _Caught as caught:
            return caught.params
        except Exception as error:  # noqa: BLE001 - whatever ccxt or an empty answer makes of it
            if posted and method == "create_order":  # its price is written as another number
                return posted[-1]
            words = str(error).removeprefix(self.id).strip()[:100]
            raise _NotBuilt(
                f"ccxt builds no order there: {words or type(error).__name__}"
            ) from None
        if posted and method == "create_order":
            return posted[-1]
        raise _NotBuilt("ccxt builds no order there")

    def _watched(self, original: Any) -> Any:
        def asking(record: Any, keys: Any, *rest: Any) -> Any:
            wanted = keys if isinstance(keys, list) else (keys, *(r for r in rest if r is not None))
            self._asked.update(key for key in wanted if key == UNIFIED)
            return original(record, keys, *rest)

        return asking


class _Answer(dict[Any, str]):
    """Has another number under every name but those of ``without``.

    ``named``: says so when it is asked whether it has one, where others only look.
    """

    def __init__(self, named: bool, without: frozenset[str], field: str) -> None:
        super().__init__({field: FIRST})  # for parsers that copy the record first
        self._named = named
        self._without = without
        self._values: dict[Any, str] = {}

    @property
    def given(self) -> frozenset[str]:
        return frozenset({FIRST, *self._values.values()})

    def __contains__(self, name: object) -> bool:
        return self._named and name not in self._without

    def __getitem__(self, name: Any) -> str:
        if name in self._without:
            raise KeyError(name)
        return self._values.setdefault(name, str(int(FIRST) + 1 + len(self._values)))

    def get(self, name: Any, default: Any = None) -> Any:
        return self[name] if self.__contains__(name) else default


def _market(exchange: Ccxt, symbol: str, *, contract: bool) -> dict[str, Any]:
    import ccxt

    steps = exchange.precisionMode == ccxt.TICK_SIZE
    market: dict[str, Any] = exchange.safe_market_structure(
        {
            "id": "PAXGUSDT",
            "uppercaseId": "PAXGUSDT",
            "lowercaseId": "paxgusdt",
            "numericId": 1,
            "symbol": symbol,
            "base": "PAXG",
            "quote": "USDT",
            "baseId": "PAXG",
            "quoteId": "USDT",
            "settle": "USDT" if contract else None,
            "settleId": "USDT" if contract else None,
            "type": "swap" if contract else "spot",
            "spot": not contract,
            "margin": False,
            "swap": contract,
            "future": False,
            "option": False,
            "contract": contract,
            "linear": True if contract else None,
            "inverse": False if contract else None,
            "contractSize": 1 if contract else None,
            "active": True,
            "taker": 0.001,
            "maker": 0.001,
            "precision": {"amount": 0.0001 if steps else 4, "price": 0.01 if steps else 6},
            "limits": {"amount": {"min": 0.0001}, "price": {}, "cost": {"min": 1}, "leverage": {}},
            "info": {"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"]},
        }
    )
    return market


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value with the name that is nearest to it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _texts(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in _leaves(params)]
