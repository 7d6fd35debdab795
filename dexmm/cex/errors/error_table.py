"""What each documented exchange means by its error codes, and what is known after one.

ccxt sorts codes into its own classes, and what a class says is not always what the exchange said:
Binance's -2015 is an ``AuthenticationError`` until the first private call has succeeded and a
``DDoSProtection`` ever after; OKX's "API key doesn't exist" has no class; a repeated client order
id is an ``InvalidOrder`` like any other. So the code decides where the exchange documents it, then
the HTTP status, and ccxt's class only where both are silent (``errors``).

Sources, all public:

===========  ==================================================================================
binance      developers.binance.com/docs/binance-spot-api-docs/errors and .../rest-api/
             http-return-codes
usdm         developers.binance.com/docs/derivatives/usds-margined-futures/error-code and
             .../general-info (the three meanings of HTTP 503)
okx          www.okx.com/docs-v5/en/#error-code (REST API: public, API class, trading class)
kucoin       www.kucoin.com/docs-new/error-code and www.kucoin.com/docs/errors-code/spot-errors-code
===========  ==================================================================================

A 5xx says that the exchange itself does not know: whatever code comes with it, the fate is unknown,
except where the documents call it a certain failure (``certain``).
"""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.cex.errors.call_outcome import Fate

REFUSED, NOT_FOUND, THROTTLED, BUSY = Fate.REFUSED, Fate.NOT_FOUND, Fate.THROTTLED, Fate.BUSY
CLOCK, DENIED, RESTRICTED = Fate.CLOCK, Fate.DENIED, Fate.RESTRICTED
UNABLE, UNKNOWN = Fate.UNABLE, Fate.UNKNOWN

# Documents by ccxt's id; Binance's futures are told by the path that was asked.
DOCUMENTED = {
    "binance": "binance",
    "binanceusdm": "usdm",
    "okx": "okx",
    "okxus": "okx",
    "myokx": "okx",
    "kucoin": "kucoin",
    "kucoinfutures": "kucoin",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an exchange's documents: these codes, with this text in them, mean this."""

    codes: str  # separated by spaces; a final "*" stands for any digits
    fate: Fate
    status: int  # the HTTP status that it is documented with
    text: str = ""  # part of the message, where one code stands for several things
    filters: bool = False  # steps, minimums or the symbol's status may have changed
    certain: bool = False  # documented as a failure even with a 5xx

    def concerns(self, code: str, text: str) -> bool:
        return self.text in text and any(
            code == each or (each.endswith("*") and code.startswith(each[:-1]))
            for each in self.codes.split()
        )


# The messages that -2010 and -2011 come with are documented beside the codes.
_REJECTED = "-1010 -2010 -2011"

BINANCE = (
    Row(_REJECTED, UNKNOWN, 400, "Duplicate order sent"),  # one of this name is there: ours
    Row(_REJECTED, DENIED, 400, "This action is disabled on this account"),
    Row(_REJECTED, DENIED, 400, "This account may not place or cancel orders"),
    Row(_REJECTED, DENIED, 400, "Rest API trading is not enabled"),
    Row(_REJECTED, RESTRICTED, 400, "This symbol is restricted for this account"),
    Row(_REJECTED, RESTRICTED, 400, "This symbol is not permitted for this account"),
    Row(_REJECTED, REFUSED, 400, "Market is closed", filters=True),
    Row("-2011", NOT_FOUND, 400),
    Row("-2013 -2026", NOT_FOUND, 400),
    Row("-2010 -2021 -2022", REFUSED, 400),
    Row("-1002 -1022 -1099 -2008 -2014 -2015", DENIED, 401),
    Row("-1003 -1015", THROTTLED, 429),
    Row("-1021", CLOCK, 400),
    Row("-1013 -1111 -1122", REFUSED, 400, filters=True),
    Row("-1014 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1112", REFUSED, 400),
    Row("-1114 -1115 -1116 -1117 -1118 -1119 -1127 -1128 -1130 -1131", REFUSED, 400),
    Row("-1020 -1121", UNABLE, 400),
    Row("-1000 -1001 -1004 -1006 -1007 -1008 -1010 -1016", UNKNOWN, 500),
)

USDM = (
    Row("-1008", BUSY, 503, certain=True),
    Row("-1000 -1001 -1006 -1007 -1010 -1016", UNKNOWN, 503),
    Row("-4116", UNKNOWN, 400),  # one of this name is there: ours
    Row("-1002 -1005 -1011 -1022 -1099 -1109 -2014 -2015 -2017", DENIED, 401),
    Row("-4088 -4109 -4192", DENIED, 400),
    Row("-1003 -1015", THROTTLED, 429),
    Row("-1021", CLOCK, 400),
    Row("-2011 -2013", NOT_FOUND, 400),
    Row("-1013 -1111 -1122 -4001 -4002 -4003 -4004 -4005", REFUSED, 400, filters=True),
    Row("-4013 -4014 -4023 -4140 -4141 -4164", REFUSED, 400, filters=True),
    Row("-1014 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1112", REFUSED, 400),
    Row("-1114 -1115 -1116 -1117 -1118 -1119 -1127 -1128 -1130 -1136", REFUSED, 400),
    Row("-2010 -2012 -2018 -2019 -2020 -2021 -2022 -2023 -2024 -2025", REFUSED, 400),
    Row("-2026 -2027 -2028 -4000 -4015 -4016 -4024 -4028 -4045", REFUSED, 400),
    Row("-4046 -4047 -4048 -4050 -4051 -4059 -4060 -4061 -4062", REFUSED, 400),
    Row("-4087 -4118 -4131 -4161 -4183 -4184 -4202 -4203 -4205", REFUSED, 400),
    Row("-5021 -5022", REFUSED, 400),
    Row("-1020 -1121", UNABLE, 400),
)

OKX = (
    Row("51011 51016 50071", UNKNOWN, 200),  # one of this name is there: ours
    Row("50004", UNKNOWN, 400),
    Row("50026 51149", UNKNOWN, 500),
    Row("50007 50008 50009 50010 50012 50027 50028 50029 50030 50041", DENIED, 200),
    Row("50119 50120 51009 51010 51024", DENIED, 200),
    Row("50035", DENIED, 403),
    Row("50100", DENIED, 400),
    Row("50101 50103 50104 50105 50106 50107 50108 50109 50110", DENIED, 401),
    Row("50111 50113 50114", DENIED, 401),
    Row("50032 50033 50051 50052 50059 50060 50121 51155", RESTRICTED, 200),
    Row("50011 50040 50061", THROTTLED, 200),
    Row("50013 51113 51115", THROTTLED, 429),
    Row("50001", UNKNOWN, 503),
    Row("50005", BUSY, 410),
    Row("50017 50018 50019 50020 50021 50022 50023 50046 50062", BUSY, 200),
    Row("50102 50112", CLOCK, 401),
    Row("51400 51401 51402 51405 51603", NOT_FOUND, 200),
    Row("51001 51002 51012 51014 51015", UNABLE, 200),
    Row("51021 51022 51027 51028 51029 51030", REFUSED, 200, filters=True),
    Row("51000", REFUSED, 400, filters=True),
    Row("50122 51005 51006 51007 51020 51101 51120 51121 51122 51150", REFUSED, 200, filters=True),
    Row("50000 50002 50006 50014 50015 50016", REFUSED, 400),
    Row("50024 50025 50036 50037 50042 51003 51004 51008 51023", REFUSED, 200),
    Row("51102 51103 51104 51105 51106 51107 51112 51116 51127 51129", REFUSED, 200),
    Row("51131 51137 51138 51169 51170 51174 51185 51203 51205", REFUSED, 200),
    Row("51403 51404 51407 51410 51412 51510 51511 51512 51513", REFUSED, 200),
)

KUCOIN = (
    Row("400100", NOT_FOUND, 200, "order_not_exist"),
    Row("400100", REFUSED, 200, "account.available.amount"),
    Row("400100", REFUSED, 200, filters=True),
    Row("400200", REFUSED, 200, "Forbidden to place an order", filters=True),
    Row("400001 400003 400004 400005 400006 400007 400008 400009", DENIED, 401),
    Row("400010 400200 400201 400202", DENIED, 401),
    Row("400700 411100", DENIED, 200),
    Row("4003* 400500 200009", RESTRICTED, 200),
    Row("400002", CLOCK, 401),
    Row("429000", THROTTLED, 429),
    Row("200001 200002 400600 600203", REFUSED, 200, filters=True),
    Row("200003 200004", REFUSED, 200),
    Row("404000", UNABLE, 404),
    Row("500000", UNKNOWN, 500),
)

TABLE = {"binance": BINANCE, "usdm": USDM, "okx": OKX, "kucoin": KUCOIN}

# USD-M futures' 503 that is no code but a sentence: "100% failure".
CERTAIN_SENTENCES = {"usdm": "Service Unavailable"}


def documents_of(exchange_id: str, url: str) -> str:
    """Which of the tables an answer from ``url`` belongs to; empty where there is none."""
    found = DOCUMENTED.get(exchange_id, "")
    futures = found in ("binance", "usdm") and ("/fapi/" in url or "/dapi/" in url)
    return "usdm" if futures else found


def row_for(documents: str, code: str, text: str) -> Row | None:
    """The first line of the documents that names this code and text."""
    return next((row for row in TABLE.get(documents, ()) if row.concerns(code, text)), None)
