"""Candle files: a folder of `<MARKET>__*.csv.gz` becomes bars of one length, or is refused.

Columns ts,open,high,low,close,volume; `ts` is the bar's opening time. Finer files are merged to
the bar asked for, so that markets fall together; coarser ones stay as they are. Every refusal
names file, line and remedy.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path as FilePath

from seawall.errors import PriceFileError
from seawall.simulator.prices import Bar, Line, Path, walk
from seawall.units import MINUTE, Millis

COLUMNS = ["ts", "open", "high", "low", "close", "volume"]
DEFAULT_BAR = Millis(30 * MINUTE)
SUFFIX = ".csv.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One market's bars, all `length` long and without a gap."""

    ticker: str
    length: Millis
    bars: tuple[Bar, ...]

    @property
    def end(self) -> Millis:
        """When the last bar closes."""
        return Millis(self.bars[-1].at + self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """What a folder holds for the venue's markets, and what was left out and why."""

    folder: str
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()

    def path(self) -> Path:
        """The walk through all bars, over the time that every market covers."""
        lines: dict[str, Line] = {s.ticker: walk(s.bars, s.length) for s in self.series}
        return Path(
            lines,
            start=Millis(max(s.bars[0].at for s in self.series)),
            end=Millis(min(s.end for s in self.series)),
            name=self.folder,
        )


def load_candles(folder: FilePath, markets: Sequence[str], bar: Millis = DEFAULT_BAR) -> Candles:
    """Read the candle files of the venue's markets in a folder.

    Raises PriceFileError for a missing folder or file, two files of one market, a malformed row,
    bars out of order, or a gap.
    """
    if not folder.is_dir():
        raise PriceFileError(
            f"{folder}: no such folder: give one with a file <MARKET>__*{SUFFIX} per market"
        )
    found: dict[str, list[FilePath]] = {}
    for file in sorted(folder.glob(f"*__*{SUFFIX}")):
        found.setdefault(file.name.split("__")[0], []).append(file)
    wanted = [ticker for ticker in markets if ticker in found]
    if not wanted:
        raise PriceFileError(
            f"{folder}: no price file for {', '.join(markets)}: expected "
            f"{markets[0]}__*{SUFFIX}, found {', '.join(sorted(found)) or 'no candle file'}"
        )
    ignored = [ticker for ticker in found if ticker not in markets]
    notes = []
    if ignored:
        notes.append(f"{folder}: ignored, the venue has no such market: {', '.join(ignored)}")
    absent = [ticker for ticker in markets if ticker not in found]
    if absent:
        notes.append(f"{folder}: no price file for {', '.join(absent)}: played without")
    series = tuple(_load_market(ticker, found[ticker], bar) for ticker in wanted)
    return Candles(folder=str(folder), series=series, notes=tuple(notes))


def merge(series: Series, bar: Millis) -> Series:
    """The same prices in bars of `bar`; a series that is as coarse already stays as it is."""
    if series.length >= bar:
        return series
    groups: dict[int, list[Bar]] = {}
    for one in series.bars:
        groups.setdefault(one.at // bar * bar, []).append(one)
    bars = tuple(
        Bar(
            at=Millis(at),
            open=group[0].open,
            high=max(one.high for one in group),
            low=min(one.low for one in group),
            close=group[-1].close,
        )
        for at, group in groups.items()
    )
    return Series(ticker=series.ticker, length=bar, bars=bars)


def _load_market(ticker: str, files: Sequence[FilePath], bar: Millis) -> Series:
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise PriceFileError(
            f"{files[0].parent}: more than one file for {ticker} ({names}): keep one of them"
        )
    file = files[0]
    bars = _read(file)
    length = _length(file, bars)
    if length < bar and bar % length:
        raise PriceFileError(
            f"{file}: bars of {length // 1_000} s do not fit into bars of {bar // 1_000} s: "
            "choose a multiple with --bar"
        )
    return merge(Series(ticker=ticker, length=length, bars=bars), bar)


def _read(file: FilePath) -> tuple[Bar, ...]:
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
            rows = list(csv.reader(text))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise PriceFileError(f"{file}: cannot be read ({error}): give a gzipped CSV") from error
    if not rows or rows[0] != COLUMNS:
        seen = ",".join(rows[0]) if rows else "an empty file"
        raise PriceFileError(f"{file}:1: found {seen}: expected the header {','.join(COLUMNS)}")
    return tuple(_bar(file, number, row) for number, row in enumerate(rows[1:], start=2))


def _bar(file: FilePath, number: int, row: Sequence[str]) -> Bar:
    """One row as a bar; PriceFileError where it is none."""
    place = f"{file}:{number}"
    if len(row) != len(COLUMNS):
        raise PriceFileError(
            f"{place}: {len(row)} columns: expected {len(COLUMNS)}, {','.join(COLUMNS)}"
        )
    try:
        moment = datetime.fromisoformat(row[0])
        opened, high, low, close = (float(word) for word in row[1:5])
    except ValueError as error:
        raise PriceFileError(
            f"{place}: {error}: expected 2022-11-08T00:00:00Z and four prices"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    is_ordered = low <= min(opened, close) and max(opened, close) <= high
    if not (low > 0 and isfinite(high) and is_ordered):
        raise PriceFileError(
            f"{place}: open {opened}, high {high}, low {low}, close {close}: expected "
            "0 < low <= open, close <= high; correct or remove the row's market"
        )
    at = Millis(int(moment.timestamp()) * 1_000)
    return Bar(at=at, open=opened, high=high, low=low, close=close)


def _length(file: FilePath, bars: Sequence[Bar]) -> Millis:
    """The distance between bars, the same throughout; PriceFileError where it is not."""
    if len(bars) < 2:
        raise PriceFileError(f"{file}: {len(bars)} bars: at least two are needed to play a path")
    steps = [after.at - before.at for before, after in pairwise(bars)]
    for number, step in enumerate(steps, start=3):
        if step <= 0:
            raise PriceFileError(
                f"{file}:{number}: bar is not after the one before: sort the file by ts, "
                "one row per bar"
            )
    length = min(steps)
    for number, step in enumerate(steps, start=3):
        if step != length:
            raise PriceFileError(
                f"{file}:{number}: gap of {(step - length) // 1_000} s before this bar (bars are "
                f"{length // 1_000} s apart): fill it, or play another window or folder"
            )
    return Millis(length)
