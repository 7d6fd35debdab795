"""A finished candle file: CSV, CSV compressed, or Parquet with exact decimals."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from dexmm.errors import BadInput
from dexmm.fetch.atomic_output import sync_folder, whole
from dexmm.fetch.candles.candle_part import COLUMNS, Series, discard, part_of
from dexmm.optional_packages import need

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_DIGITS = 38  # of a decimal128


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Candles that the exchange does not have: when the first would open, and how many."""

    at_ms: int
    candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file holds, by its own timestamps. The scales are the most decimals there are."""

    rows: int
    gaps: tuple[Gap, ...]
    price_scale: int = 0
    volume_scale: int = 0

    @property
    def missing(self) -> int:
        """How many candles are missing."""
        return sum(gap.candles for gap in self.gaps)


def suffix_of(output: Path) -> str:
    """Raises ``BadInput`` for a name that says no format."""
    for suffix in SUFFIXES:
        if output.name.endswith(suffix):
            return suffix
    raise BadInput(f"{output} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def finish(output: Path, series: Series, interval_ms: int, end_ms: int) -> Contents:
    """Turn the whole part into the output, which appears at once.

    Raises ``BadInput`` when there is nothing in it.
    """
    part, suffix = part_of(output), suffix_of(output)
    contents = _contents(part, interval_ms, series.since_ms, end_ms)
    if contents.rows == 0:
        discard(output)
        raise BadInput(
            f"{series.venue} has no candle of {series.symbol} in that time: choose a later --since"
        )
    if suffix == ".csv":
        part.replace(output)
        sync_folder(output.parent)
    else:
        with whole(output) as path:
            if suffix == ".csv.gz":
                _compress(part, path)
            else:
                _to_parquet(part, path, contents, series)
    discard(output)
    return contents


def gaps(times_ms: Iterator[int], interval_ms: int, since_ms: int, end_ms: int) -> Iterator[Gap]:
    """What is missing between ``since_ms`` and ``end_ms`` (exclusive), in order."""
    expected = None
    for at_ms in times_ms:
        # Exchanges count candles from the epoch, weeks from a Monday: the first one tells.
        missing = (at_ms - (since_ms if expected is None else expected)) // interval_ms
        if missing:
            yield Gap(at_ms=at_ms - missing * interval_ms, candles=missing)
        expected = at_ms + interval_ms
    if expected is not None and expected < end_ms:
        yield Gap(at_ms=expected, candles=-((expected - end_ms) // interval_ms))


def read_contents(output: Path, series: Series, interval_ms: int, end_ms: int) -> Contents | None:
    """Of a Parquet file that a fetch of these very candles wrote; None when it is not."""
    pq = need("pyarrow.parquet", "backtest")
    pa = need("pyarrow", "backtest")
    try:
        with pq.ParquetFile(output) as file:
            told = file.schema_arrow.metadata or {}
            wanted = {key.encode(): value.encode() for key, value in _metadata(series).items()}
            if any(told.get(key) != value for key, value in wanted.items()):
                return None
            times = file.read(["timestamp_ms"])["timestamp_ms"].to_pylist()
    except (pa.ArrowInvalid, OSError):
        return None
    found = tuple(gaps(iter(times), interval_ms, series.since_ms, end_ms))
    return Contents(rows=len(times), gaps=found)


def _contents(part: Path, interval_ms: int, since_ms: int, end_ms: int) -> Contents:
    times: list[int] = []
    scales = [0, 0]
    with part.open(encoding="ascii", newline="") as file:
        next(file)
        for line in file:
            at_ms, *prices, volume = line.rstrip("\n").split(",")
            times.append(int(at_ms))
            scales[0] = max(scales[0], *map(_decimals, prices))
            scales[1] = max(scales[1], _decimals(volume))
    return Contents(
        rows=len(times),
        gaps=tuple(gaps(iter(times), interval_ms, since_ms, end_ms)),
        price_scale=scales[0],
        volume_scale=scales[1],
    )


def _decimals(text: str) -> int:
    if "e" in text or "E" in text:
        return max(0, -int(Decimal(text).as_tuple().exponent))
    return len(text.partition(".")[2])


def _compress(part: Path, path: Path) -> None:
    # No name and no time in the header: the same candles are the same bytes.
    with (
        part.open("rb") as source,
        path.open("wb") as target,
        gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed)


def _to_parquet(part: Path, path: Path, contents: Contents, series: Series) -> None:
    pa, csv = need("pyarrow", "backtest"), need("pyarrow.csv", "backtest")
    pq = need("pyarrow.parquet", "backtest")
    price = pa.decimal128(_DIGITS, contents.price_scale)
    volume = pa.decimal128(_DIGITS, contents.volume_scale)
    schema = pa.schema(
        list(zip(COLUMNS, [pa.int64(), *[price] * 4, volume], strict=True)),
        metadata=_metadata(series),
    )
    types = csv.ConvertOptions(column_types=schema)
    try:
        table = csv.read_csv(part, convert_options=types)
    except pa.ArrowInvalid as error:
        raise BadInput(
            f"a number has more than {_DIGITS} digits, which Parquet does not hold ({error}): "
            "name an output that ends in .csv"
        ) from None
    pq.write_table(table.cast(schema), path, compression="zstd", use_dictionary=False)


def _metadata(series: Series) -> Mapping[str, str]:
    return {
        "dexmm.exchange": series.venue,
        "dexmm.symbol": series.symbol,
        "dexmm.timeframe": series.timeframe,
        "dexmm.since_ms": str(series.since_ms),
        "dexmm.until_ms": str(series.until_ms or ""),
    }
