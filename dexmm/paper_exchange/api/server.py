"""The exchange over HTTP: who asks, what they may, what is rehearsed, and the answer.

Only loopback is served. ``/paper/...`` is for whoever runs the exchange: faults, the fair price,
and the proof that no money was made. A browser is refused there, whatever page it shows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from aiohttp import web

from dexmm.errors import BadInput
from dexmm.paper_exchange.api import futures_account, perpetual, spot, spot_orders, wallet
from dexmm.paper_exchange.api.endpoint import Call, Endpoint, Security
from dexmm.paper_exchange.api.fault_injection import Armed, Effect, FaultRule, parse_rule
from dexmm.paper_exchange.api.query import Query
from dexmm.paper_exchange.api.rate_limits import Limited, Meter
from dexmm.paper_exchange.api.signing import check_signature, check_timestamp, identify
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.error_codes import Problem, Refused
from dexmm.paper_exchange.engine.symbol_rules import Kind
from dexmm.paper_exchange.exchange import Exchange

ENDPOINTS: dict[str, Endpoint] = {
    **spot.ENDPOINTS,
    **spot_orders.ENDPOINTS,
    **wallet.ENDPOINTS,
    **perpetual.ENDPOINTS,
    **futures_account.ENDPOINTS,
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
INTERNAL_ERROR = Problem(
    -1001, "Internal error; unable to process your request. Please try again.", 503
)
USUAL_PROBLEMS = {
    -1000: Problem(-1000, "An unknown error occurred while processing the request."),
    -1003: error_codes.TOO_MANY_REQUESTS,
    -1013: error_codes.filter_failure("LOT_SIZE"),
    -1015: error_codes.TOO_MANY_ORDERS,
    -1021: error_codes.TIMESTAMP_OUTSIDE,
    -1022: error_codes.BAD_SIGNATURE,
    -2010: error_codes.INSUFFICIENT_BALANCE,
    -2011: error_codes.UNKNOWN_ORDER,
    -2013: error_codes.NO_SUCH_ORDER,
    -2015: error_codes.UNKNOWN_KEY,
    -2019: error_codes.MARGIN_INSUFFICIENT,
    -2022: error_codes.REDUCE_ONLY_REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    path: str
    query_string: str
    body: str
    api_key: str | None
    query: Query

    @property
    def kind(self) -> Kind:
        return Kind.PERPETUAL if self.path.startswith("/fapi/") else Kind.SPOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    def response(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=self.body,
            content_type="application/json",
            headers=self.headers,
        )


ACCOUNT_KEYS = {"account", "spot", "margin", "position_mode", "margin_mode"}


def _object(body: str, known: set[str]) -> Mapping[str, object]:
    given = json.loads(body)
    if not isinstance(given, dict) or not given or set(given) - known:
        raise BadInput(f"the body must be a JSON object with {', '.join(sorted(known))}")
    return given


def _number(value: object, what: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise BadInput(f"{value!r} is not {what}") from None


class Server:
    """Answers requests for one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if _host_of(request) not in LOOPBACK:
            return web.Response(status=403, text="this exchange answers on loopback only")
        path, _, query_string = request.raw_path.partition("?")
        body = await request.text() if request.body_exists else ""
        if path.startswith("/paper/"):
            return self._manage(request, path, body)
        asked = Asked(
            method=request.method,
            path=path,
            query_string=query_string,
            body=body,
            api_key=request.headers.get("X-MBX-APIKEY"),
            query=Query(dict(parse_qsl(query_string) + parse_qsl(body))),
        )
        symbol = asked.query.values.get("symbol", "")
        armed = self.exchange.faults.next(asked.method, path, symbol)
        if armed is None:
            return self.answer(asked).response()
        return await self._rehearse(armed, asked, request)

    # The exchange itself

    def answer(self, asked: Asked, fault: FaultRule | None = None) -> Answer:
        """Do what is asked, unless it may not be done."""
        endpoint = ENDPOINTS.get(f"{asked.method} {asked.path}")
        meter = self.exchange.meters["futures" if asked.kind is Kind.PERPETUAL else "spot"]
        with self.exchange.visit() as now_ms:
            try:
                if endpoint is None:
                    raise Refused(error_codes.NO_ENDPOINT)
                told = self._perform(endpoint, asked, meter, now_ms, fault)
                status, headers = 200, dict[str, str]()
            except Refused as refused:
                status, told, headers = _tell(refused.problem)
            except Limited as limited:
                status, told, headers = _tell(limited.problem)
                headers["Retry-After"] = str(limited.retry_after_s)
            headers |= meter.answer_headers(with_orders=endpoint is not None and endpoint.is_order)
        return Answer(status=status, body=_json(told), headers=headers)

    def _perform(
        self,
        endpoint: Endpoint,
        asked: Asked,
        meter: Meter,
        now_ms: int,
        fault: FaultRule | None,
    ) -> object:
        meter.charge(endpoint.cost(asked.query), now_ms)
        caller = None
        if endpoint.security is not Security.PUBLIC:
            caller = self._authenticate(endpoint, asked)
        if endpoint.is_order:
            meter.charge_order(now_ms)
        return endpoint.handle(
            Call(
                exchange=self.exchange,
                query=asked.query,
                kind=asked.kind,
                now_ms=now_ms,
                caller=caller,
                fault=fault,
            )
        )

    def _authenticate(self, endpoint: Endpoint, asked: Asked) -> Account:
        account = identify(self.exchange.ledger, asked.api_key)
        check_timestamp(asked.query, self.exchange.clock)
        check_signature(account, asked.query, asked.query_string, asked.body)
        may = account.permissions
        futures = asked.kind is Kind.PERPETUAL
        if endpoint.security is Security.TRADE and not (may.futures if futures else may.trade):
            raise Refused(error_codes.UNKNOWN_KEY)
        return account

    # Rehearsals

    async def _rehearse(
        self, armed: Armed, asked: Asked, request: web.BaseRequest
    ) -> web.StreamResponse:
        rule = armed.rule
        match rule.effect:
            case Effect.RATE_LIMIT | Effect.SERVER_ERROR | Effect.REJECT:
                if rule.applied:
                    self.answer(asked)
                return _refusal(rule).response()
            case Effect.TIMEOUT_BEFORE:
                return await _silence(request, rule.seconds)
            case Effect.TIMEOUT_AFTER:
                self.answer(asked)
                return await _silence(request, rule.seconds)
            case Effect.DROP:
                return _drop(request, self.answer(asked))
            case Effect.TRUNCATE:
                answer = self.answer(asked)
                half = answer.body[: len(answer.body) // 2]
                return Answer(status=answer.status, body=half, headers=answer.headers).response()
            case Effect.STALE:
                return self._stale(armed, asked).response()
            case Effect.SUSPEND | Effect.PRECISION:
                self._change_rules(rule, asked)
        return self.answer(asked, rule).response()

    def _stale(self, armed: Armed, asked: Asked) -> Answer:
        """As an HTTP cache does, which says how long it has kept what it repeats."""
        name = f"{asked.path} {asked.query.values.get('symbol', '')}"
        answer = self.answer(asked)
        with self.exchange.visit() as now_ms:
            status, body, at_ms = armed.kept.setdefault(name, (answer.status, answer.body, now_ms))
        age = {"Age": str((now_ms - at_ms) // 1000)}
        return Answer(status=status, body=body, headers=answer.headers | age)

    def _change_rules(self, rule: FaultRule, asked: Asked) -> None:
        symbol = rule.symbol or asked.query.values.get("symbol", "")
        changed: dict[str, Decimal | bool] = {}
        if rule.effect is Effect.SUSPEND:
            changed["trading"] = False
        if rule.tick_size:
            changed["tick_size"] = rule.tick_size
        if rule.step_size:
            changed |= {"step_size": rule.step_size, "min_quantity": rule.step_size}
        self.exchange.change_rules(f"{asked.kind}:{symbol}", **changed)

    # Whoever runs it

    def _manage(self, request: web.BaseRequest, path: str, body: str) -> web.Response:
        if "Origin" in request.headers:
            return web.Response(status=403, text="not from a browser")
        try:
            told = self._managed(request.method, path, body)
        except BadInput as error:
            return web.json_response({"error": error.message}, status=400)
        except ValueError:
            return web.json_response({"error": "the body must be JSON"}, status=400)
        if told is None:
            return web.json_response({"error": f"there is no {path}"}, status=404)
        return Answer(status=200, body=_json(told), headers={}).response()

    def _managed(self, method: str, path: str, body: str) -> object | None:
        match method, path:
            case "GET", "/paper/faults":
                return [
                    {**asdict(a.rule), "seen": a.seen, "happened": a.happened}
                    for a in self.exchange.faults.armed
                ]
            case "POST", "/paper/faults":
                given = json.loads(body)
                rules = [parse_rule(one) for one in (given if isinstance(given, list) else [given])]
                for rule in rules:
                    self.exchange.faults.add(rule)
                return {"added": len(rules)}
            case "DELETE", "/paper/faults":
                self.exchange.faults.clear()
                return {"cleared": True}
            case "POST", "/paper/price":
                return self._set_price(json.loads(body))
            case "POST", "/paper/funding":
                return self._set_funding(_object(body, {"symbol", "rate", "in_seconds"}))
            case "POST", "/paper/account":
                return self._set_account(_object(body, ACCOUNT_KEYS))
            case "GET", "/paper/status":
                return self._status()
        return None

    def _set_price(self, given: object) -> object:
        if not isinstance(given, dict) or {"symbol", "price"} - set(given):
            raise BadInput("a price must be a JSON object with symbol and price")
        symbol = str(given["symbol"])
        if given.get("market", "spot") == "perpetual":
            price = None if given["price"] is None else _number(given["price"], "a price")
            self.exchange.set_perpetual_price(symbol, price)
            return {"symbol": symbol, "market": "perpetual", "price": price}
        price = _number(given["price"], "a price")
        self.exchange.set_fair_price(symbol, price)
        return {"symbol": given["symbol"], "price": str(price)}

    def _set_funding(self, given: Mapping[str, object]) -> object:
        numbers = {
            name: _number(given[name], name) for name in ("rate", "in_seconds") if name in given
        }
        self.exchange.set_funding(str(given.get("symbol", "")), **numbers)
        return {"symbol": given.get("symbol"), **numbers}

    def _set_account(self, given: Mapping[str, object]) -> object:
        spot, isolated = given.get("spot", {}), given.get("margin_mode", {})
        if not isinstance(spot, dict) or not isinstance(isolated, dict):
            raise BadInput("spot and margin_mode must be objects, by asset and by symbol")
        mode = given.get("position_mode")
        if mode not in (None, "one-way", "hedge"):
            raise BadInput("position_mode must be one-way or hedge")
        if set(isolated.values()) - {"cross", "isolated"}:
            raise BadInput("margin_mode must be cross or isolated for each symbol")
        name = str(given.get("account", self.exchange.settings.accounts[0].name))
        self.exchange.set_account(
            name,
            spot={asset: _number(amount, asset) for asset, amount in spot.items()},
            margin=_number(given["margin"], "margin") if "margin" in given else None,
            hedge_mode=None if mode is None else mode == "hedge",
            isolated={symbol: how == "isolated" for symbol, how in isolated.items()},
        )
        return {"account": name, **given}

    def _status(self) -> object:
        with self.exchange.visit() as now_ms:
            return {
                "now_ms": now_ms,
                "prices": {key: str(m.fair) for key, m in self.exchange.markets.items()},
                "open_orders": {key: len(m.open) for key, m in self.exchange.markets.items()},
                "fees_earned": {k: str(v) for k, v in self.exchange.ledger.income.items()},
                "imbalance": {k: str(v) for k, v in self.exchange.ledger.imbalance().items()},
                "open_interest": {
                    k: str(v) for k, v in self.exchange.ledger.open_interest().items()
                },
            }


def _refusal(rule: FaultRule) -> Answer:
    headers: dict[str, str] = {}
    if rule.effect is Effect.RATE_LIMIT:
        problem = error_codes.BANNED if rule.status == 418 else error_codes.TOO_MANY_REQUESTS
        headers["Retry-After"] = str(int(rule.seconds))
    elif rule.effect is Effect.SERVER_ERROR:
        problem = INTERNAL_ERROR
    else:
        problem = USUAL_PROBLEMS.get(rule.code, Problem(rule.code, rule.msg))
    status, told, _ = _tell(
        Problem(rule.code or problem.code, rule.msg or problem.msg, rule.status or problem.status)
    )
    return Answer(status=status, body=_json(told), headers=headers)


async def _silence(request: web.BaseRequest, seconds: Decimal) -> web.Response:
    """Say nothing for a while, and then hang up."""
    await asyncio.sleep(float(seconds))
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=504)


def _drop(request: web.BaseRequest, answer: Answer) -> web.Response:
    """Send half of what was promised, and hang up."""
    if request.transport is not None:
        head = (
            f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(answer.body)}\r\n\r\n"
        )
        request.transport.write(head.encode() + answer.body[: len(answer.body) // 2])
        request.transport.close()
    return answer.response()


def _tell(problem: Problem) -> tuple[int, object, dict[str, str]]:
    return problem.status, {"code": problem.code, "msg": problem.msg}, {}


def _json(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":"), default=str).encode()


def _host_of(request: web.BaseRequest) -> str:
    host = request.headers.get("Host", "")
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
