"""All of ccxt's exchanges in one table: which can be used, how orders are named, or why not.

``python -m dexmm.cex.overview > docs/exchanges.md`` writes it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from dexmm.cex.capabilities import Capabilities, capabilities
from dexmm.cex.dry_orders import LENGTH_SOURCES, carried, form_of, kind_of, length_of

HEAD = """\
# ccxt's exchanges

ccxt {version}. Written by `python -m dexmm.cex.overview`, which places dry orders:
what ccxt would send is caught before it is signed, and searched for our client order id. No
exchange was asked. Those that are documented and tested (Binance, OKX, KuCoin) are so against their
own protocol; for the others this table is what ccxt does, and a first day with small sizes is
advised.

- **id**: the name under which our client order id is sent, and how it is written there.
- **room**: how many characters an id may have, by the exchange's documents or a remark in ccxt;
  *not confirmed* where neither was found to say so. Whether an id is kept whole shows with the
  first order: one that is not is followed by the exchange's id, and no other is placed there.
- **found**, **cancelled**: by our id; *list* and *own id* mean that the order is looked for among
  the account's orders, and cancelled by the exchange's id.
- **prices**: how ccxt counts them.
- *refused*: `dexmm run` ends with exit code 2, and `dexmm doctor` fails, with these words. *hedge
  only*: without post-only orders it can hedge and cannot quote.
"""


def overview() -> str:
    """Markdown. Takes about a second, and no network."""
    import ccxt

    parts = [HEAD.format(version=ccxt.__version__)]
    for title, contract in (("Spot (`exchange.id`)", False), ("Perpetuals", True)):
        usable, refused = [], []
        for exchange_id in ccxt.exchanges:
            exchange = kind_of(exchange_id)()
            if not contract and exchange.has.get("spot") is False:
                continue
            if contract and exchange.has.get("swap") is not True:
                continue
            form = form_of(exchange_id, contract=contract)
            can = capabilities(exchange, contract=contract, form=form)
            why = can.unfit or can.missing(quotes=False)
            if why:
                refused.append(f"| {exchange_id} | {'; '.join(why)} |")
            else:
                usable.append(_row(exchange_id, can, contract=contract))
        name = "Perpetuals (`exchange.perpetual_id`)" if contract else title
        parts.append("\n".join([f"## {name}", "", *_table(USABLE, usable)]))
        parts.append("\n".join(["Refused:", "", *_table(REFUSED, refused)]))
    sources = [f"- {exchange_id}: {source}" for exchange_id, source in LENGTH_SOURCES.items()]
    parts.append("\n".join(["## Where the room for an id was found", "", *sources]))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


USABLE = ("exchange", "id", "written as", "room", "found", "cancelled", "prices", "for")
REFUSED = ("exchange", "why")


def _row(exchange_id: str, can: Capabilities, *, contract: bool) -> str:
    cells = (
        exchange_id,
        carried(exchange_id, contract=contract).field,
        can.form.value,
        str(length_of(exchange_id, contract=contract) or "not confirmed"),
        "by id" if can.find_by_name else "list",
        "by id" if can.cancel_by_name else "own id",
        can.precision.value,
        "quotes and hedges" if can.post_only else "hedges only",
    )
    return "| " + " | ".join(cells) + " |"


def _table(head: tuple[str, ...], rows: list[str]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from rows


if __name__ == "__main__":
    sys.stdout.write(overview())
