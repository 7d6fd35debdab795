"""Binance's refusals: a status, a code and its text. ``raise Refused(problem)`` answers one.

Codes and texts are Binance's own (spot "Error codes" and derivatives "Error Code" pages); a
client that matches on either must not be able to tell this exchange from the real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Problem:
    code: int
    msg: str
    status: int = 400


class Refused(Exception):
    """A request that is answered with a problem: the client's fault, not the exchange's."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code} {problem.msg}")
        self.problem = problem


def mandatory(name: str) -> Problem:
    return Problem(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def not_required(name: str) -> Problem:
    return Problem(-1106, f"Parameter '{name}' sent when not required.")


def illegal_characters(name: str, legal: str) -> Problem:
    return Problem(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def too_precise(name: str) -> Problem:
    return Problem(-1111, f"Parameter '{name}' has too much precision.")


def filter_failure(name: str) -> Problem:
    return Problem(-1013, f"Filter failure: {name}")


def rejected(reason: str) -> Problem:
    return Problem(-2010, reason)


def price_above(highest: Decimal) -> Problem:
    return Problem(-4016, f"Limit price can't be higher than {highest:.2f}.")


def price_below(lowest: Decimal) -> Problem:
    return Problem(-4024, f"Limit price can't be lower than {lowest:.2f}.")


def leverage_invalid(leverage: object) -> Problem:
    return Problem(-4028, f"Leverage {leverage} is not valid")


def min_notional_perpetual(notional: object) -> Problem:
    return Problem(
        -4164,
        f"Order's notional must be no smaller than {notional} (unless you choose reduce only).",
    )


BAD_KEY_FORMAT = Problem(-2014, "API-key format invalid.", 401)
UNKNOWN_KEY = Problem(-2015, "Invalid API-key, IP, or permissions for action.", 401)
BAD_SIGNATURE = Problem(-1022, "Signature for this request is not valid.")
TIMESTAMP_AHEAD = Problem(
    -1021, "Timestamp for this request was 1000ms ahead of the server's time."
)
TIMESTAMP_OUTSIDE = Problem(-1021, "Timestamp for this request is outside of the recvWindow.")
RECV_WINDOW_TOO_LARGE = Problem(-1131, "recvWindow must be less than 60000.")
TOO_PRECISE = Problem(-1111, "Precision is over the maximum defined for this asset.")
BAD_SYMBOL = Problem(-1121, "Invalid symbol.")
BAD_INTERVAL = Problem(-1120, "Invalid interval.")
BAD_SIDE = Problem(-1117, "Invalid side.")
BAD_ORDER_TYPE = Problem(-1116, "Invalid orderType.")
BAD_TIME_IN_FORCE = Problem(-1115, "Invalid timeInForce.")
BAD_PARAMETERS = Problem(-1128, "Combination of optional parameters invalid.")
NO_ORDER_ID = Problem(
    -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
)
NO_ENDPOINT = Problem(-1000, "This path is not one that the paper exchange knows.", 404)

INSUFFICIENT_BALANCE = rejected("Account has insufficient balance for requested action.")
DUPLICATE_ORDER = rejected("Duplicate order sent.")
WOULD_TAKE = rejected("Order would immediately match and take.")
MARKET_CLOSED = Problem(-1013, "Market is closed.")
UNKNOWN_ORDER = Problem(-2011, "Unknown order sent.")
NO_SUCH_ORDER = Problem(-2013, "Order does not exist.")

MARGIN_INSUFFICIENT = Problem(-2019, "Margin is insufficient.")
REDUCE_ONLY_REJECTED = Problem(-2022, "ReduceOnly Order is rejected.")
PRICE_BELOW_ZERO = Problem(-4001, "Price less than 0.")
PRICE_ABOVE_MAXIMUM = Problem(-4002, "Price greater than max price.")
QUANTITY_BELOW_ZERO = Problem(-4003, "Quantity less than or equal to zero.")
QUANTITY_BELOW_MINIMUM = Problem(-4004, "Quantity less than min quantity.")
QUANTITY_ABOVE_MAXIMUM = Problem(-4005, "Quantity greater than max quantity.")
PRICE_BELOW_MINIMUM = Problem(-4013, "Price less than min price.")
PRICE_OFF_TICK = Problem(-4014, "Price not increased by tick size.")
QUANTITY_OFF_STEP = Problem(-4023, "Quantity not increased by step size.")
MARGIN_TYPE_SAME = Problem(-4046, "No need to change margin type.")
MARGIN_TYPE_ORDERS = Problem(-4047, "Margin type cannot be changed if there exists open orders.")
MARGIN_TYPE_POSITION = Problem(-4048, "Margin type cannot be changed if there exists position.")
POSITION_SIDE_SAME = Problem(-4059, "No need to change position side.")
POSITION_SIDE_MISMATCH = Problem(-4061, "Order's position side does not match user's setting.")
NOT_SUPPORTED = Problem(-4084, "Method is not allowed currently. Coming soon.")
DUPLICATE_CLIENT_ID = Problem(-4116, "ClientOrderId is duplicated.")
COUNTERPARTY_PRICE = Problem(
    -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
)
SYMBOL_CLOSED = Problem(-4141, "Symbol is closed.")
NOT_MODIFIED = Problem(-5027, "No need to modify the order.")
WOULD_NOT_MAKE = Problem(
    -5022,
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history",
)
MAX_OPEN_ORDERS = Problem(-2025, "Reach max open order limit.")
TRANSFER_TOO_LARGE = Problem(-5013, "Asset transfer failed: insufficient balance")
TOO_MANY_REQUESTS = Problem(
    -1003,
    "Too much request weight used; please use WebSocket Streams for live updates to avoid "
    "polling the API.",
    429,
)
TOO_MANY_ORDERS = Problem(-1015, "Too many new orders; please slow down.", 429)
BANNED = Problem(
    -1003, "Way too much request weight used; IP banned until the time in Retry-After.", 418
)
