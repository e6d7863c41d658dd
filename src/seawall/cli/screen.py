"""What the demo shows: prices, time, and the two accounts side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seawall import margin, stress, units, words
from seawall.account import Market, Position, Subaccount
from seawall.cli.words import clock
from seawall.measures.spec import Unit
from seawall.units import BaseQuantums, Millis, QuoteQuantums

COLUMNS = ("guarded", "unguarded")
ROWS = (
    "equity",
    "maintenance usage",
    "liquidation band",
    "positions",
    "lowest headroom",
    "fees and slippage",
    "last action",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One account as the venue reports it, in dollars."""

    equity_start: Decimal
    equity: Decimal
    mmr: Decimal
    lowest_headroom: Decimal
    fees: Decimal
    slippage_cost: Decimal
    is_liquidated: bool
    positions: Mapping[str, tuple[Decimal, Decimal]]  # signed coins, notional
    last_fill: str

    @classmethod
    def of(cls, said: Mapping[str, object]) -> Self:
        """The standing in one entry of the venue's state."""
        positions, fills = said["positions"], said["fills"]
        assert isinstance(positions, dict)
        assert isinstance(fills, list)
        return cls(
            equity_start=Decimal(str(said["equity_start"])),
            equity=Decimal(str(said["equity"])),
            mmr=Decimal(str(said["mmr"])),
            lowest_headroom=Decimal(str(said["lowest_headroom"])),
            fees=Decimal(str(said["fees"])),
            slippage_cost=Decimal(str(said["slippage_cost"])),
            is_liquidated=bool(said["liquidated"]),
            positions={
                ticker: (Decimal(one["size"]), Decimal(one["notional"]))
                for ticker, one in positions.items()
            },
            last_fill=_fill_words(fills[0]) if fills else "nothing yet",
        )

    @property
    def outcome(self) -> str:
        """How it stands with the account, in a word or two."""
        if not self.is_liquidated:
            return "standing"
        return "liquidated" if self.equity > 0 else "liquidated to nothing"

    def as_object(self) -> dict[str, object]:
        """The account for `--json`, decimals as strings."""
        return {
            "liquidated": self.is_liquidated,
            "equity_start": f"{self.equity_start:f}",
            "equity_end": f"{self.equity:f}",
            "lowest_headroom": f"{self.lowest_headroom:f}",
            "fees": f"{self.fees:f}",
            "slippage_cost": f"{self.slippage_cost:f}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything on the screen at one moment."""

    path: str
    at: Millis
    progress: float
    speed: float  # path seconds per second
    prices: Mapping[str, Decimal]
    standings: tuple[Standing, Standing]  # guarded, unguarded
    last_action: str


FILL_WORDS = {
    "LIQUIDATED": "liquidated: ",
    "DELEVERAGED": "deleveraged: ",
    "OFFSETTING": "deleveraged against: ",
}


def _fill_words(fill: Mapping[str, str]) -> str:
    quote = words.whole_dollars(Decimal(fill["quote"]))
    kind = FILL_WORDS.get(fill["kind"], "")
    moment = fill["at"][11:19]
    return f"{moment}Z {kind}{fill['side'].lower()} {fill['market']}: {quote}"


def render(frame: Frame, markets: Mapping[str, Market]) -> RenderableType:
    """The screen as something rich can print."""
    prices = "   ".join(f"{t} {words.cents(p)}" for t, p in sorted(frame.prices.items()))
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=1.0, completed=frame.progress, width=40),
        f"{frame.progress:.0%}",
        Text(f"{clock(frame.at)}, {frame.speed:,.0f}x real time", style="dim"),
    )
    head = Group(Text(prices, style="bold"), bar)
    return Panel(
        Group(head, Text(), _table(frame, markets)),
        title=f"seawall demo: {frame.path}",
        title_align="left",
    )


def _table(frame: Frame, markets: Mapping[str, Market]) -> Table:
    table = Table(expand=True, show_edge=False)
    table.add_column("", no_wrap=True, style="dim", width=18)
    for name in COLUMNS:
        table.add_column(name, ratio=1)
    cells = [_cells(standing, markets) for standing in frame.standings]
    cells[0][-1] = Text(frame.last_action)
    for row, (left, right) in zip(ROWS, zip(*cells, strict=True), strict=True):
        table.add_row(row, left, right)
    return table


def _cells(standing: Standing, markets: Mapping[str, Market]) -> list[Text]:
    change = standing.equity / standing.equity_start - 1
    style = "red" if standing.is_liquidated else "green"
    cost = standing.fees + standing.slippage_cost
    return [
        Text(
            f"{words.whole_dollars(standing.equity)} "
            f"({words.show(change, Unit.RATIO)}), {standing.outcome}",
            style=style,
        ),
        Text(usage_words(standing)),
        Text(band_words(standing, markets)),
        Text(_position_words(standing)),
        Text(words.whole_dollars(standing.lowest_headroom)),
        Text(words.cents(cost)),
        Text(standing.last_fill),
    ]


def usage_words(standing: Standing) -> str:
    """Maintenance usage, 100% is liquidation."""
    if not standing.positions:
        return "0%, no position"
    if standing.equity <= 0:
        return "no equity left"
    return words.show(standing.mmr / standing.equity, Unit.RATIO)


def band_words(standing: Standing, markets: Mapping[str, Market]) -> str:
    """How far the nearest market may move, alone, in dollars per coin and in per cent."""
    subaccount = _subaccount(standing, markets)
    nearest = stress.nearest_fatal_market(subaccount, markets)
    if nearest is None:
        return "none: no single market can take it"
    if nearest.band.move <= 0:
        return "none left: liquidatable now"
    room = words.cents(nearest.band.band)
    move = words.show(nearest.band.move, Unit.RATIO)
    return f"{room} per {nearest.ticker.removesuffix('-USD')} ({move})"


def _position_words(standing: Standing) -> str:
    if not standing.positions:
        return "flat"
    return ", ".join(
        f"{ticker.removesuffix('-USD')} {words.whole_dollars(notional)}"
        for ticker, (_, notional) in sorted(standing.positions.items())
    )


def _subaccount(standing: Standing, markets: Mapping[str, Market]) -> Subaccount:
    """The account in chain units, so that the band is the chain's own arithmetic."""
    positions = tuple(
        Position(
            ticker=ticker,
            quantums=BaseQuantums(int(size.scaleb(-markets[ticker].atomic_resolution))),
            funding_index=markets[ticker].funding_index,
        )
        for ticker, (size, _) in standing.positions.items()
    )
    worth = sum(margin.notional(markets[one.ticker], one.quantums) for one in positions)
    usdc = QuoteQuantums(units.quote_down(standing.equity) - worth)
    return Subaccount(number=0, usdc=usdc, positions=positions)
