"""Candle files: merged, walked, or refused with file, line and remedy."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seawall.errors import PriceFileError
from seawall.simulator.candles import DEFAULT_BAR, load_candles
from seawall.simulator.markets import TICKERS
from seawall.units import HOUR, MINUTE, Millis

HEADER = "ts,open,high,low,close,volume"
NOON = datetime(2022, 11, 8, 12, tzinfo=UTC)


def row(minute: int, opened: float, high: float, low: float, close: float) -> str:
    at = (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{at},{opened},{high},{low},{close},1"


def write(folder: Path, rows: Sequence[str], name: str = "BTC-USD__x__5m.csv.gz") -> Path:
    with gzip.open(folder / name, "wt") as file:
        file.write("\n".join([HEADER, *rows]) + "\n")
    return folder / name


FINE = [row(5 * n, 100 + n, 100 + n, 99 + n, 100 + n) for n in range(12)]


def test_finer_bars_are_merged_and_coarser_ones_stay(tmp_path: Path) -> None:
    write(tmp_path, FINE)
    hours = [row(60 * n, 10, 11, 9, 10.5) for n in range(2)]
    write(tmp_path, hours, "ETH-USD__x__1h.csv.gz")

    btc, eth = load_candles(tmp_path, TICKERS).series

    assert [s.length for s in (btc, eth)] == [DEFAULT_BAR, HOUR]
    first, second = btc.bars
    assert (first.open, first.high, first.low, first.close) == (100, 105, 99, 105)
    assert (second.open, second.high, second.low, second.close) == (106, 111, 105, 111)
    assert second.at - first.at == 30 * MINUTE


def test_the_bar_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path, FINE)

    (series,) = load_candles(tmp_path, TICKERS, Millis(10 * MINUTE)).series

    assert (series.length, len(series.bars)) == (10 * MINUTE, 6)


def test_the_path_covers_what_every_market_has(tmp_path: Path) -> None:
    write(tmp_path, FINE)
    write(tmp_path, [row(30 + 60 * n, 10, 11, 9, 10.5) for n in range(3)], "SOL-USD__x.csv.gz")

    path = load_candles(tmp_path, TICKERS).path()

    noon = int(NOON.timestamp() * 1_000)
    assert (path.start, path.end) == (noon + 30 * MINUTE, noon + 60 * MINUTE)
    assert path.tickers == ("BTC-USD", "SOL-USD")


def test_markets_that_the_venue_does_not_have_are_named_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path, FINE)
    (tmp_path / "DOGE-USD__broken.csv.gz").write_bytes(b"not even gzip")

    candles = load_candles(tmp_path, TICKERS)

    assert [s.ticker for s in candles.series] == ["BTC-USD"]
    assert any("DOGE-USD" in note for note in candles.notes)
    assert any("ETH-USD, SOL-USD" in note for note in candles.notes)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="no such folder: give one"):
        load_candles(tmp_path / "absent", TICKERS)


def test_a_folder_without_the_venues_markets_is_refused(tmp_path: Path) -> None:
    write(tmp_path, FINE, "DOGE-USD__x.csv.gz")

    with pytest.raises(PriceFileError, match=r"no price file for BTC-USD.*found DOGE-USD"):
        load_candles(tmp_path, TICKERS)


def test_two_files_of_one_market_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FINE)
    write(tmp_path, FINE, "BTC-USD__y.csv.gz")

    with pytest.raises(PriceFileError, match=r"more than one file for BTC-USD.*keep one"):
        load_candles(tmp_path, TICKERS)


BAD = {
    "no header": ([*FINE][:0], "", r":1: found .*expected the header ts,open"),
    "column missing": (["2022-11-08T12:00:00Z,1,2,3"], HEADER, r":2: 4 columns: expected 6"),
    "not a time": (["noon,1,1,1,1,1"], HEADER, r":2: .*expected 2022-11-08T00:00:00Z"),
    "not a number": (["2022-11-08T12:00:00Z,1,x,1,1,1"], HEADER, r":2: could not convert"),
    "not finite": (["2022-11-08T12:00:00Z,1,inf,1,1,1"], HEADER, r":2: open 1.0, high inf"),
    "nan": (["2022-11-08T12:00:00Z,nan,2,1,1,1"], HEADER, r":2: open nan"),
    "zero": (["2022-11-08T12:00:00Z,1,2,0,1,1"], HEADER, r":2: .*0 < low"),
    "high below close": (["2022-11-08T12:00:00Z,1,2,1,3,1"], HEADER, r":2: .*close <= high"),
    "one bar": (FINE[:1], HEADER, r"1 bars: at least two"),
    "out of order": ([*FINE[:2], FINE[0]], HEADER, r":4: bar is not after the one before: sort"),
    "twice": ([*FINE[:2], FINE[1]], HEADER, r":4: bar is not after"),
    "gap": ([*FINE[:3], FINE[4]], HEADER, r":5: gap of 300 s before this bar.*fill it, or play"),
    "gap at first": ([FINE[0], *FINE[2:5]], HEADER, r":3: gap of 300 s"),
}


@pytest.mark.parametrize(("rows", "header", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_its_line(
    tmp_path: Path, rows: Sequence[str], header: str, message: str
) -> None:
    file = tmp_path / "BTC-USD__x.csv.gz"
    with gzip.open(file, "wt") as text:
        text.write("\n".join([header, *rows]) + "\n")

    with pytest.raises(PriceFileError, match=message) as refused:
        load_candles(tmp_path, TICKERS)

    assert str(file) in str(refused.value)


@pytest.mark.parametrize("content", [b"plain text", b"\x1f\x8b\x08\x00broken"])
def test_a_file_that_is_not_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "BTC-USD__x.csv.gz").write_bytes(content)

    with pytest.raises(PriceFileError, match=r"cannot be read .*give a gzipped CSV"):
        load_candles(tmp_path, TICKERS)


def test_bars_that_do_not_divide_the_bar_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FINE)

    with pytest.raises(PriceFileError, match="choose a multiple with --bar"):
        load_candles(tmp_path, TICKERS, Millis(7 * MINUTE))
