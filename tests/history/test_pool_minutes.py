"""Minutes of a pool: read strictly, and each known only when it is over."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.errors import BadInput
from dexmm.history.pool_minutes import MinuteHistory, read_minutes
from dexmm.model.market import Market, Token
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

HEADER = (
    "timestamp_utc,netAmount0,netAmount1,closeTick,openTick,lowestTick,highestTick,"
    "inAmount0,inAmount1,currentLiquidity"
)
START = 1_658_188_800  # 2022-07-19 00:00 UTC
HUGE = 41_904_775_239_614_695_519  # beyond 64 bits


def row(minute: int, **values: object) -> str:
    fields: dict[str, object] = {
        "timestamp_utc": f"2022-07-19 {minute // 60:02}:{minute % 60:02}:00",
        "netAmount0": -5,
        "netAmount1": HUGE,
        "closeTick": 202_693 + minute,
        "openTick": 202_656,
        "lowestTick": 202_649,
        "highestTick": 202_697 + minute,
        "inAmount0": 7,
        "inAmount1": HUGE + 11,
        "currentLiquidity": 422_680_516_552_367_239,
    }
    return ",".join(str(value) for value in (fields | values).values())


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / "minutes.csv"
    file.write_text("\n".join((header, *rows)) + "\n")
    return file


def usdc_weth(*, base_is_token0: bool) -> Market:
    return Market(
        chain_id=137,
        pool="0x45",
        position_manager="",
        swap_router="",
        token0=Token(address="0x0", symbol="USDC", decimals=6),
        token1=Token(address="0x1", symbol="WETH", decimals=18),
        base_is_token0=base_is_token0,
        fee_pips=500,
        tick_spacing=10,
    )


def test_a_row_is_read_whole(tmp_path: Path) -> None:
    history = read_minutes(write(tmp_path, row(0), row(1)))
    minute = history.minute(1)
    assert (minute.at, minute.known_at) == (START + 60, START + 120)
    assert (minute.net_amount0, minute.net_amount1) == (-5, HUGE)
    assert (minute.in_amount0, minute.in_amount1) == (7, HUGE + 11)
    ticks = (minute.open_tick, minute.close_tick, minute.lowest_tick, minute.highest_tick)
    assert ticks == (202_656, 202_694, 202_649, 202_698)
    assert minute.liquidity == 422_680_516_552_367_239
    assert not minute.filled
    assert (len(history), history.filled, history.stale_closes) == (2, 0, 0)
    with pytest.raises(IndexError):
        history.minute(2)


def test_demeters_header_and_gzip_are_read_too(tmp_path: Path) -> None:
    plain = read_minutes(write(tmp_path, row(0), row(1)))
    file = tmp_path / "minutes.csv.gz"
    text = "\n".join((HEADER.replace("timestamp_utc", "timestamp"), row(0), row(1)))
    file.write_bytes(gzip.compress(text.encode()))
    other = read_minutes(file)
    assert [other.minute(i) for i in (0, 1)] == [plain.minute(i) for i in (0, 1)]


def test_missing_minutes_stand_still_and_are_counted(tmp_path: Path) -> None:
    history = read_minutes(write(tmp_path, row(0), row(3)))
    assert (len(history), history.filled) == (4, 2)
    for index in (1, 2):
        minute = history.minute(index)
        assert minute.filled
        assert minute.at == START + 60 * index
        ticks = (minute.open_tick, minute.close_tick, minute.lowest_tick, minute.highest_tick)
        assert set(ticks) == {202_693}
        assert minute.liquidity == 422_680_516_552_367_239
        amounts = (minute.net_amount0, minute.net_amount1, minute.in_amount0, minute.in_amount1)
        assert set(amounts) == {0}


def test_a_close_beyond_its_own_minute_is_kept_and_counted(tmp_path: Path) -> None:
    history = read_minutes(write(tmp_path, row(0), row(1, closeTick=202_800)))
    assert history.stale_closes == 1
    assert history.minute(1).close_tick == 202_800
    candle = history.candles(usdc_weth(base_is_token0=True)).candle(1)
    assert candle.high == candle.close > candle.open


@pytest.mark.parametrize(
    ("rows", "number", "says"),
    [
        ([row(0), row(0)], 3, "repeats the time"),
        ([row(1), row(0)], 3, "older than the row before"),
        ([row(0, timestamp_utc="2022-07-10 00:00:00"), row(0)], 3, "gap of 216 hours"),
        ([row(0, timestamp_utc="2022-07-19 00:00:30")], 2, "whole minute"),
        ([row(0, timestamp_utc="2022-07-19 02:00:00+02:00")], 2, "must be UTC"),
        ([row(0, timestamp_utc="2022-07-19T00:00:00Z")], 2, "must be UTC"),
        ([row(0, timestamp_utc="1658188800000")], 2, "must be UTC"),
        ([row(0, timestamp_utc="2022-02-30 00:00:00")], 2, "must be UTC"),
        ([row(0, closeTick=900_000)], 2, "tick outside"),
        ([row(0, lowestTick=202_660)], 2, "opens outside"),
        ([row(0, currentLiquidity=-1)], 2, "negative liquidity"),
        ([row(0, inAmount0=-1)], 2, "less token0 coming in"),
        ([row(0, inAmount1=HUGE - 1)], 2, "less token1 coming in"),
        ([row(0, netAmount0="1.5")], 2, "whole number"),
        ([row(0, netAmount0="")], 2, "whole number"),
        ([row(0), "", row(1)[:60]], 4, "cut short"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: list[str], number: int, says: str) -> None:
    file = write(tmp_path, *rows)
    with pytest.raises(BadInput, match=says) as caught:
        read_minutes(file)
    assert f"{file} row {number} " in caught.value.message


def test_a_bad_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file of minutes"):
        read_minutes(tmp_path / "absent.csv")
    with pytest.raises(BadInput, match=r"lacks the columns .*closeTick"):
        read_minutes(write(tmp_path, row(0), header=HEADER.replace("closeTick", "tick")))
    with pytest.raises(BadInput, match="holds no minute"):
        read_minutes(write(tmp_path))
    file = tmp_path / "cut.csv.gz"
    file.write_bytes(gzip.compress("\n".join((HEADER, row(0), row(1))).encode())[:-9])
    with pytest.raises(BadInput, match="truncated or damaged"):
        read_minutes(file)


def test_candles_of_either_token(tmp_path: Path) -> None:
    history = read_minutes(write(tmp_path, row(0, inAmount0=5 * 10**9, netAmount0=10**9), row(1)))
    market = usdc_weth(base_is_token0=True)
    dollar, ether = (
        history.candles(usdc_weth(base_is_token0=base)).candle(0) for base in (True, False)
    )
    exact = market.price(get_sqrt_ratio_at_tick(202_656))
    assert abs(dollar.open / exact - 1) < Decimal("1e-11")
    assert ether.low < ether.close < ether.open < ether.high
    assert dollar.low < dollar.open < dollar.close < dollar.high
    assert dollar.high * ether.low == pytest.approx(1, rel=Decimal("1e-9"))
    assert dollar.volume == 9000  # 5,000 in and 4,000 out
    assert dollar.at == START


@pytest.mark.data
def test_the_polygon_pools_minutes(shared_data: Path) -> None:
    file = "polygon_usdc_weth_500_minute_2022-07-19_2022-08-22.csv.gz"
    history: MinuteHistory = read_minutes(shared_data / "univ3" / file)
    assert (len(history), history.filled, history.stale_closes) == (50_400, 10, 3316)
    assert history.minute(1).net_amount1 == HUGE
    path = history.candles(usdc_weth(base_is_token0=False))
    assert (len(path), path.filled) == (50_400, 10)
    one = 10**path.price_decimals
    assert 1000 * one < min(path.low_units) < max(path.high_units) < 2100 * one
