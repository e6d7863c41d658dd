"""A picture of headroom: what moves of BTC and ETH leave of one subaccount.

The ground shows those two moves alone, with every other price as it is and no slippage. A scenario
is marked where its own moves of BTC and ETH are, and coloured by its own headroom: with its other
markets, its slippage and its funding. So a mark that differs from the ground shows what they cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seawall import stress, units, words
from seawall.errors import OperatorError
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.scenario import Scenario
from seawall.stress import Footing
from seawall.stress.sweep import headrooms, sweep
from seawall.units import PPM_ONE, Ppm, QuoteQuantums

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

ACROSS, UP = "BTC-USD", "ETH-USD"
STEPS = 40  # from the middle to an edge
REACH_LEAST = 0.20
MARGIN = 1.25  # room around the farthest scenario
DOTS_PER_INCH = 130
COLOURS = "RdYlGn"  # zero is yellow
LABEL_GAP = 0.03  # from a mark to its name, of the distance from the middle to an edge
LABEL_HEIGHT = 0.05  # of one line of text, in the same

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point of the picture: moves as fractions, headroom in dollars."""

    name: str
    across: float
    up: float
    headroom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Headroom in dollars over moves; `rooms` has a row per move of ETH, from the lowest."""

    title: str
    moves: Floats
    rooms: Floats
    today: Mark
    marks: tuple[Mark, ...]

    @property
    def step(self) -> float:
        """Distance of neighbouring moves."""
        return float(self.moves[1] - self.moves[0])


def picture_of(view: View, number: int) -> Picture:
    """The picture of one subaccount under the scenarios of a view.

    Raises OperatorError where the subaccount cannot be valued.
    """
    stand, now = view.footing(number), view.risk(number)
    if isinstance(stand, NoData):
        raise OperatorError(f"nothing to draw: {stand.reason}")
    assert not isinstance(now, NoData)
    subaccount, markets = view.observation.subaccount(number), view.observation.markets
    buffer = view.buffer_of(number)
    marks = []
    for scenario in view.scenarios.values():
        sign = stress.worse_sign(stand, scenario)
        room = stress.headroom(subaccount, markets, stand, scenario, buffer)
        marks.append(_mark(scenario, sign, float(units.usd(room))))
    moves = _moves(_reach(marks))
    rooms = _ground(stand, moves, buffer)
    while rooms.min() >= 0 and moves[-1] < 1:
        moves = _moves(min(2 * moves[-1], 1.0))  # up to where the zero line is
        rooms = _ground(stand, moves, buffer)
    seen = view.observation
    return Picture(
        title=f"subaccount {number} of {seen.owner}, height {seen.height:,}",
        moves=moves,
        rooms=rooms,
        today=Mark(
            name="today",
            across=0.0,
            up=0.0,
            headroom=float(units.usd(now.nc - buffer - now.mmr)),
        ),
        marks=tuple(marks),
    )


def _mark(scenario: Scenario, sign: int, headroom: float) -> Mark:
    across, up = (max(sign * scenario.shock(ticker), -PPM_ONE) / PPM_ONE for ticker in (ACROSS, UP))
    return Mark(name=scenario.name, across=across, up=up, headroom=headroom)


def _reach(marks: Sequence[Mark]) -> float:
    farthest = max((max(abs(mark.across), abs(mark.up)) for mark in marks), default=0.0)
    return max(REACH_LEAST, farthest * MARGIN)


def _moves(reach: float) -> Floats:
    """Moves from -reach to +reach in whole ppm, of which one is exactly today; none below -100%."""
    step = int(reach * PPM_ONE) // STEPS
    steps: Floats = np.arange(-STEPS, STEPS + 1, dtype=np.float64) * step
    return steps[steps >= -PPM_ONE] / PPM_ONE


def _ground(stand: Footing, moves: Floats, buffer: QuoteQuantums) -> Floats:
    """Headroom in dollars for every pair of moves."""
    ppm = [Ppm(round(move * PPM_ONE)) for move in moves]
    pairs = [Scenario(name="", shocks={ACROSS: across, UP: up}) for up in ppm for across in ppm]
    rooms = headrooms(stand, sweep(pairs, stand.tickers), buffer) / PPM_ONE
    shaped: Floats = rooms.reshape(len(ppm), len(ppm))
    return shaped


def write(view: View, number: int, file: Path) -> None:
    """Draw a subaccount into a file; raises OperatorError where that cannot be done."""
    figure = draw(picture_of(view, number))
    try:
        figure.savefig(file, dpi=DOTS_PER_INCH, format="png")
    except OSError as error:
        raise OperatorError(f"{file}: cannot be written: {error.strerror}") from None


def draw(picture: Picture) -> Figure:
    """The picture as a figure; its artists are named `ground`, `zero`, `today`, `scenarios`."""
    try:
        from matplotlib.colors import Normalize
        from matplotlib.figure import Figure
    except ImportError:
        raise OperatorError(
            "--plot needs matplotlib: install Seawall with its extra `plot`"
        ) from None
    figure = Figure(figsize=(9, 7.2), layout="constrained")
    axes = figure.add_subplot()
    per_cent = picture.moves * 100
    widest = float(np.abs(picture.rooms).max()) or 1.0
    norm = Normalize(-widest, widest)
    ground = axes.pcolormesh(
        per_cent, per_cent, picture.rooms, shading="nearest", cmap=COLOURS, norm=norm
    )
    ground.set_gid("ground")
    bar = figure.colorbar(ground, ax=axes, label="headroom in dollars")
    bar.formatter = dollar_ticks()
    bar.update_ticks()
    if picture.rooms.min() < 0 < picture.rooms.max():
        zero = axes.contour(per_cent, per_cent, picture.rooms, levels=[0], colors="black")
        zero.set_gid("zero")
        axes.plot([], [], color="black", label="zero: liquidation, buffer kept")
    _scatter(axes, picture, norm)
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.axvline(0, color="grey", linewidth=0.5)
    axes.set_xlabel(f"move of {ACROSS} in per cent")
    axes.set_ylabel(f"move of {UP} in per cent")
    axes.set_title(f"{picture.title}\nground: these two alone; marks: whole scenarios", fontsize=9)
    axes.legend(loc="upper left", fontsize=8)
    return figure


def _scatter(axes: Axes, picture: Picture, norm: Normalize) -> None:
    marks = picture.marks
    if marks:
        drawn = axes.scatter(
            [mark.across * 100 for mark in marks],
            [mark.up * 100 for mark in marks],
            c=[mark.headroom for mark in marks],
            s=90,
            edgecolors=["red" if mark.headroom < 0 else "black" for mark in marks],
            linewidths=1.5,
            zorder=3,
            label="scenario, worse sign; red is broken",
            cmap=COLOURS,
            norm=norm,
        )
        drawn.set_gid("scenarios")
    today = picture.today
    drawn = axes.scatter([0], [0], marker="*", s=160, color="black", zorder=4, label="today")
    drawn.set_gid("today")
    _label(axes, (*marks, today), edge=float(picture.moves[-1]) * 100)


def _label(axes: Axes, marks: Sequence[Mark], *, edge: float) -> None:
    """Name each mark on its outer side, from above to below, no line of text over another."""
    lowest = {True: edge, False: edge}
    for mark in sorted(marks, key=lambda one: -one.up):
        is_left = mark.across < 0
        height = min(mark.up * 100, lowest[is_left] - edge * LABEL_HEIGHT)
        lowest[is_left] = height
        axes.text(
            mark.across * 100 + edge * (-LABEL_GAP if is_left else LABEL_GAP),
            height,
            f"{mark.name} {words.whole_dollars(Decimal(mark.headroom))}",
            horizontalalignment="right" if is_left else "left",
            verticalalignment="center",
            fontsize=8,
        )


def dollar_ticks() -> FuncFormatter:
    """Ticks as whole dollars."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: words.whole_dollars(Decimal(value)))
