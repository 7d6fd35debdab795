"""Parquet files of pool logs, one row a log, as ``dexmm fetch swaps`` writes them.

Columns: ``block_number`` and ``block_timestamp`` int64, ``log_index`` int32, ``kind`` (swap, mint,
burn, collect, initialize), ``owner`` binary(20), ``tick_lower``, ``tick_upper`` and ``tick``
int32, ``amount`` (the liquidity of a mint or burn), ``amount0``, ``amount1``, ``sqrt_price_x96``
and ``liquidity`` decimal256(76, 0). A field that a kind has not is null. The file's metadata name
the pool: ``dexmm.pool``, ``dexmm.fee_pips``, ``dexmm.tick_spacing``, ``dexmm.token0``,
``dexmm.token1``.

Integers go from Arrow's buffers to columns without becoming Python objects.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dexmm.errors import BadInput
from dexmm.history.event_types import (
    BURN,
    COLLECT,
    INITIALIZE,
    KIND_NAMES,
    MINT,
    SWAP_DOWN,
    EventHistory,
    Events,
)
from dexmm.history.open_file import opened_parquet
from dexmm.history.wide_ints import Wide
from dexmm.model.market import Token
from dexmm.uniswap.pool_state import PoolState

_INTEGERS = ("block_number", "block_timestamp", "log_index", "tick_lower", "tick_upper", "tick")
_WIDE = ("amount", "amount0", "amount1", "sqrt_price_x96", "liquidity")
_COLUMNS = (*_INTEGERS, *_WIDE, "kind", "owner")
_ALWAYS = ("block_number", "block_timestamp", "log_index", "kind")
_RANGE = ("owner", "tick_lower", "tick_upper", "amount0", "amount1")
_NEEDS: dict[int, tuple[str, ...]] = {
    INITIALIZE: ("sqrt_price_x96", "tick"),
    MINT: (*_RANGE, "amount"),
    BURN: (*_RANGE, "amount"),
    COLLECT: _RANGE,
    SWAP_DOWN: ("amount0", "amount1", "sqrt_price_x96", "liquidity", "tick"),
}
_WIDTHS = (8, 12, 16, 20, 24, 32)


def read_logs(path: Path, opening: PoolState | None, opened_at: int | None) -> EventHistory:
    """The logs as they stand: swaps are all of one kind, their inputs are yet to be found.

    Raises ``BadInput`` for a file that is damaged, of other columns or without what a kind needs.
    """
    with opened_parquet(path) as file:
        _check_schema(file.schema_arrow, path)
        pool, fee, spacing, token0, token1 = _facts(file.schema_arrow.metadata or {}, path)
        table = file.read(columns=list(_COLUMNS))
    if not table.num_rows:
        raise BadInput(f"{path} holds no event: choose another file", file=str(path))
    events = events_of(table, opening, path)
    if opening is None:
        if events.kinds[0] != INITIALIZE:
            raise BadInput(
                f"{path} begins at block {events.blocks[0]}, after its pool had opened, and the "
                "state it then had is not known: fetch from the pool's first block on",
                file=str(path),
            )
        opening = PoolState(fee, spacing)
    elif (opening.fee, opening.tick_spacing) != (fee, spacing):
        raise BadInput(f"{path} is of another pool than the opening state", file=str(path))
    return EventHistory(
        source=str(path),
        pool=pool,
        token0=token0,
        token1=token1,
        opened_at=events.timestamps[0] if opened_at is None else opened_at,
        opening=opening,
        events=events,
    )


def _check_schema(schema: Any, path: Path) -> None:
    import pyarrow.types as types

    if missing := [name for name in _COLUMNS if name not in schema.names]:
        raise BadInput(
            f"{path} lacks the columns {', '.join(missing)}: fetch it with dexmm fetch swaps",
            file=str(path),
        )
    right: dict[str, Callable[[Any], bool]] = {
        **dict.fromkeys(_INTEGERS, types.is_integer),
        **dict.fromkeys(_WIDE, types.is_decimal256),
        "kind": lambda kind: types.is_string(getattr(kind, "value_type", kind)),
        "owner": types.is_fixed_size_binary,
    }
    for name, is_right in right.items():
        found = schema.field(name).type
        if not is_right(found) or getattr(found, "scale", 0) != 0:
            raise BadInput(
                f"{path} has {name} of type {found}: fetch it with dexmm fetch swaps",
                file=str(path),
            )


def _facts(
    metadata: dict[bytes, bytes], path: Path
) -> tuple[str, int, int, Token | None, Token | None]:
    found = {key.decode(): value.decode() for key, value in metadata.items() if value}
    try:
        return (
            found["dexmm.pool"],
            int(found["dexmm.fee_pips"]),
            int(found["dexmm.tick_spacing"]),
            _token(found.get("dexmm.token0")),
            _token(found.get("dexmm.token1")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(
            f"{path} does not say which pool it is of ({type(error).__name__} {error}): "
            "fetch it with dexmm fetch swaps",
            file=str(path),
        ) from None


def _token(text: str | None) -> Token | None:
    if not text:
        return None
    facts = json.loads(text)
    return Token(
        address=str(facts["address"]), symbol=str(facts["symbol"]), decimals=int(facts["decimals"])
    )


def events_of(table: Any, opening: PoolState | None, path: Path) -> Events:
    """The columns of such a file as events; ``path`` is named in what is wrong with them.

    Raises ``BadInput`` for a kind that nobody knows, and for one without what it needs.
    """
    import numpy as np
    import pyarrow.compute as compute

    kinds = _kinds(table, path)
    _refuse_nulls(table, kinds, path)
    owners = table.column("owner").combine_chunks().dictionary_encode()
    names = tuple("0x" + bytes(name).hex() for name in owners.dictionary.to_pylist())
    integers = {name: _integers(table.column(name)) for name in _INTEGERS}
    wide = {name: _wide_bytes(table.column(name)) for name in _WIDE}
    prices = wide["sqrt_price_x96"]
    before = opening.sqrt_price_x96 if opening is not None else 0
    # The price that stands after a mint is the one that the last swap left.
    stands = np.isin(kinds, (SWAP_DOWN, INITIALIZE))
    latest = np.maximum.accumulate(np.where(stands, np.arange(1, len(kinds) + 1), 0))
    opened = np.frombuffer(before.to_bytes(32, "little"), np.uint8)
    carried = np.concatenate([opened[None, :], prices])[latest]
    places = compute.fill_null(owners.indices, 0)
    return Events(
        kinds=kinds.astype(np.uint8).tobytes(),
        blocks=integers["block_number"],
        timestamps=integers["block_timestamp"],
        log_indices=integers["log_index"],
        inputs=_narrow(wide["amount"]),
        limits={},
        amounts0=_narrow(wide["amount0"]),
        amounts1=_narrow(wide["amount1"]),
        sqrt_prices=_narrow(carried),
        liquidities=_narrow(wide["liquidity"]),
        ticks=integers["tick"],
        owners=_integers(places),
        ticks_lower=integers["tick_lower"],
        ticks_upper=integers["tick_upper"],
        names=names,
    )


def _kinds(table: Any, path: Path) -> Any:
    import pyarrow as arrow
    import pyarrow.compute as compute

    texts = table.column("kind").cast(arrow.string())
    known = arrow.array(KIND_NAMES[: SWAP_DOWN + 1])
    kinds = compute.index_in(texts, value_set=known)
    if kinds.null_count:
        at = compute.is_null(kinds).to_pylist().index(True)
        raise BadInput(
            f"{path} log {at + 1} is of the unknown kind {texts[at].as_py()!r}: "
            f"it must be one of {', '.join(known.to_pylist())}",
            file=str(path),
        )
    return kinds.to_numpy()


def _refuse_nulls(table: Any, kinds: Any, path: Path) -> None:
    for name in _COLUMNS:
        column = table.column(name)
        if not column.null_count:
            continue
        needing = [kind for kind, needs in _NEEDS.items() if name in needs or name in _ALWAYS]
        absent = column.is_null().to_numpy()
        for kind in needing:
            if (absent & (kinds == kind)).any():
                at = int((absent & (kinds == kind)).argmax())
                raise BadInput(_absent(table, name, kind, at, path), file=str(path))


def _absent(table: Any, name: str, kind: int, at: int, path: Path) -> str:
    if name == "block_timestamp":
        return f"{path} has no block times: fetch it with dexmm fetch swaps --timestamps"
    block, log = (table.column(c)[at].as_py() for c in ("block_number", "log_index"))
    return (
        f"{path}: the {KIND_NAMES[kind]} in block {block}, log {log}, has no {name}: fetch it again"
    )


def _integers(column: Any) -> array[int]:
    import numpy as np
    import pyarrow.compute as compute

    values = compute.fill_null(column, 0).to_numpy().astype(np.int64)
    return array("q", values.tobytes())


def _wide_bytes(column: Any) -> Any:
    """A decimal256 column as 32 little-endian bytes a row; null is 0."""
    import numpy as np
    import pyarrow as arrow

    whole = column.combine_chunks() if isinstance(column, arrow.ChunkedArray) else column
    rows = np.frombuffer(whole.buffers()[1], np.uint8)[: 32 * (whole.offset + len(whole))]
    rows = rows.reshape(-1, 32)[whole.offset :]
    return np.where(whole.is_valid().to_numpy(zero_copy_only=False)[:, None], rows, 0)


def _narrow(rows: Any) -> Wide:
    """The least width whose sign says what all bytes beyond it are."""
    import numpy as np

    for width in _WIDTHS[:-1]:
        sign = np.where(rows[:, width - 1] & 0x80, 0xFF, 0).astype(np.uint8)
        if (rows[:, width:] == sign[:, None]).all():
            return Wide(width, np.ascontiguousarray(rows[:, :width]).tobytes())
    return Wide(32, np.ascontiguousarray(rows).tobytes())
