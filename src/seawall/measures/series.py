"""Units and NAV of one owner's equity, and the peak that a spike cannot make (RULES.md section 2).

NAV is 1 at the first observation. A deposit issues units at the NAV just before it, a withdrawal
redeems them. Where everything is withdrawn the NAV is kept. Equity at or below zero ends the
series; the next deposit begins a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from seawall.units import DAY, MINUTE, SECOND, Millis, QuoteQuantums

PEAK_WINDOW = MINUTE
NAV_STEP = Decimal("1E-15")  # finer is the noise of dividing


@dataclass(frozen=True, slots=True)
class Sample:
    """The lowest NAV from a block time up to the next sample's."""

    at: Millis
    nav: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Units, NAV and peak of one owner of equity; a unit is one quote quantum at NAV 1.

    `samples` give the lowest NAV of the trailing minute, oldest and lowest first. `flow_nav` is the
    NAV just before a change that is not explained yet: it may turn out to be a flow. `is_ended`
    after equity fell to zero or below: NAV 0 until money comes in again.
    """

    units: Decimal
    nav: Decimal
    peak: Decimal
    day: int  # days since 1970-01-01
    day_nav: Decimal
    samples: tuple[Sample, ...]
    generation: int = 1
    flow_nav: Decimal | None = None
    is_ended: bool = False


class Turn(StrEnum):
    """What became of a series in one step."""

    CARRIED = "carried"
    ENDED = "ended"
    BEGUN = "begun"


def begin(equity: QuoteQuantums, at: Millis, *, generation: int = 1) -> Series:
    """A series that starts at NAV 1; one that starts without equity waits for the first deposit."""
    nav = Decimal(1) if equity >= 0 else Decimal(0)
    return Series(
        units=Decimal(max(equity, 0)),
        nav=nav,
        peak=Decimal(1),
        day=at // DAY,
        day_nav=Decimal(1),
        samples=(Sample(at, nav),),
        generation=generation,
        is_ended=equity < 0,
    )


def carry(
    series: Series, *, equity: int, flow: int, residual: int, believed: bool, at: Millis
) -> tuple[Series, Turn]:
    """The series after an observation.

    `flow` is what is known to have come in (> 0) or left, `residual` the same that nothing
    explains yet; both are inside `equity`. A NAV is taken where nothing is left to explain and
    prices are `believed`.
    """
    if residual != 0 and series.flow_nav is None and series.units > 0:
        before = equity - residual - flow
        nav = _nav(before, series.units) if believed and before > 0 else series.nav
        series = replace(series, flow_nav=nav)
    if flow != 0:
        series, turn = _flow(series, equity - residual, flow, believed=believed, at=at)
        if turn is not Turn.CARRIED:
            return series, turn
    if residual == 0 and series.flow_nav is not None:
        series = replace(series, flow_nav=None)
    if residual != 0 or not believed or series.is_ended or series.units == 0:
        return series, Turn.CARRIED
    if equity <= 0:
        nothing = Decimal(0)
        ended = replace(
            series,
            units=nothing,
            nav=nothing,
            samples=(Sample(at, nothing),),
            is_ended=True,
        )
        return ended, Turn.ENDED
    return _mark(series, equity, at), Turn.CARRIED


def _flow(
    series: Series, equity: int, flow: int, *, believed: bool, at: Millis
) -> tuple[Series, Turn]:
    """Units issued or redeemed at the NAV just before `flow`, which is inside `equity`."""
    before = equity - flow
    is_ruined = series.units > 0 and before <= 0 and believed and series.flow_nav is None
    if series.is_ended or is_ruined:
        if flow > 0 and equity > 0:
            fresh = begin(QuoteQuantums(equity), at, generation=series.generation + 1)
            return fresh, Turn.BEGUN
        return series, Turn.CARRIED
    if series.units == 0:
        issued = Decimal(max(equity, 0)) / series.nav
        return replace(series, units=issued), Turn.CARRIED
    nav = series.flow_nav
    if nav is None:
        nav = _nav(before, series.units) if believed else series.nav
    if equity <= 0:
        # All withdrawn: the NAV is kept for the money that comes back.
        return replace(series, units=Decimal(0), nav=nav), Turn.CARRIED
    return _issue(series, flow, nav), Turn.CARRIED


def _issue(series: Series, amount: int, nav: Decimal) -> Series:
    return replace(series, units=max(series.units + Decimal(amount) / nav, Decimal(0)))


def accept(series: Series, residual: int) -> Series:
    """The series with an unexplained change taken as a flow at the NAV just before it."""
    if residual == 0 or series.flow_nav is None:
        return series
    return replace(_issue(series, residual, series.flow_nav), flow_nav=None)


def rebased(series: Series, equity: QuoteQuantums, at: Millis) -> Series:
    """The series with its peak at the NAV of `equity`; one that ended begins anew on new equity."""
    if series.is_ended:
        return begin(equity, at, generation=series.generation + 1) if equity > 0 else series
    if equity <= 0 or series.units == 0:
        return replace(series, peak=series.nav, samples=(Sample(at, series.nav),))
    nav = _nav(equity, series.units)
    return replace(series, nav=nav, peak=nav, samples=(Sample(at, nav),))


def _mark(series: Series, equity: int, at: Millis) -> Series:
    nav = _nav(equity, series.units)
    samples = _lowest(series.samples, nav, at)
    day = at // DAY
    return Series(
        units=series.units,
        nav=nav,
        peak=max(series.peak, samples[0].nav),
        day=day,
        day_nav=series.day_nav if day == series.day else nav,
        samples=samples,
        generation=series.generation,
    )


def _nav(equity: int, shares: Decimal) -> Decimal:
    # A series that has not ended is never at zero: flows are divided by its NAV.
    return max((Decimal(equity) / shares).quantize(NAV_STEP), NAV_STEP).normalize()


def _lowest(samples: tuple[Sample, ...], nav: Decimal, at: Millis) -> tuple[Sample, ...]:
    """Samples from which the first is the lowest NAV of the minute that ends at `at`.

    A NAV replaces every later-or-equal higher one and takes over their time, so the row rises.
    The NAV in force when the minute began stays in it: after a gap one price makes no peak.
    Of each second only the lowest is kept, so the row has at most 62 entries.
    """
    end, since = len(samples), at
    while end > 0 and samples[end - 1].nav >= nav:
        end -= 1
        since = samples[end].at
    kept = samples[:end]
    if end == 0 or kept[-1].at // SECOND != since // SECOND:
        kept = (*kept, Sample(since, nav))
    first = 0
    while first + 1 < len(kept) and kept[first + 1].at <= at - PEAK_WINDOW:
        first += 1
    return kept[first:]
