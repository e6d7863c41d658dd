"""What a long run must be: no growth, a journal within its budget, no order that grew a position.

Fed with samples and fills, without processes, so that a test can feed it what a bad day would show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

GROWTH_MOST = 0.05
WARM_UP = 0.25  # of the run, in which caches fill and connections open
WINDOW = 0.25  # of what is left: its first part is held against its last
JOURNAL_BYTES_A_DAY = 50_000_000  # DESIGN.md section 5
JOURNAL_BYTES_AN_EVENT = 40_000  # a tick in which something happened is stored whole
JOURNAL_BYTES_AT_LEAST = 1_000_000  # of a run so short that its start is most of it
FEWEST = 8  # samples that a verdict needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at the guard's process and its journal."""

    at_s: float  # since the guard protected
    rss_bytes: int
    descriptors: int
    cpu_s: float
    journal_bytes: int
    ticks: int
    stored: int  # ticks that are rows of the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A quantity at the beginning and at the end of what follows the warm-up."""

    what: str
    first: float
    last: float

    @property
    def share(self) -> float:
        """Growth as a fraction, < 0 where it shrank."""
        return self.last / self.first - 1 if self.first else float(self.last > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A fill as the venue's own books have it; sizes in coins, `before` signed."""

    client_id: int | None
    height: int
    market: str
    is_buy: bool
    size: Decimal
    before: Decimal

    @property
    def grew(self) -> bool:
        """Whether the position was larger, or on the other side, after it."""
        after = self.before + (self.size if self.is_buy else -self.size)
        return abs(after) > abs(self.before) or after * self.before < 0


def growth_of(samples: Sequence[Sample], what: str, of: Callable[[Sample], float]) -> Growth:
    """How a quantity grew once the guard was warm, by medians, so that one reconnect is no leak."""
    end = samples[-1].at_s
    warm = [one for one in samples if one.at_s >= end * WARM_UP]
    count = max(1, int(len(warm) * WINDOW))
    return Growth(
        what=what,
        first=median(of(one) for one in warm[:count]),
        last=median(of(one) for one in warm[-count:]),
    )


def growths(samples: Sequence[Sample]) -> tuple[Growth, ...]:
    """Everything that must not grow."""
    return (
        growth_of(samples, "rss_bytes", lambda one: one.rss_bytes),
        growth_of(samples, "descriptors", lambda one: one.descriptors),
    )


def journal_budget(sample: Sample) -> int:
    """Bytes that a journal may have by then: a quiet day's share, and what happened.

    Quiet ticks are stored once a minute; every other stored one is an event.
    """
    events = max(0, sample.stored - int(sample.at_s / 60) - 1)
    quiet = int(JOURNAL_BYTES_A_DAY * sample.at_s / 86_400)
    return max(JOURNAL_BYTES_AT_LEAST, quiet + events * JOURNAL_BYTES_AN_EVENT)


def faults_of(
    samples: Sequence[Sample], fills: Sequence[Fill], ours: frozenset[int]
) -> Iterator[str]:
    """Everything that is wrong with a run, in words; `ours` are client ids that the guard sent."""
    if len(samples) < FEWEST:
        yield f"{len(samples)} samples are too few to judge, {FEWEST} are needed: run it for longer"
        return
    for growth in growths(samples):
        if growth.share > GROWTH_MOST:
            yield (
                f"{growth.what} grew by {growth.share:.1%}, from {growth.first:,.0f} to "
                f"{growth.last:,.0f}; {GROWTH_MOST:.0%} is the most"
            )
    last = samples[-1]
    budget = journal_budget(last)
    if last.journal_bytes > budget:
        yield (
            f"the journal has {last.journal_bytes:,} bytes after {last.at_s:.0f} s; "
            f"{budget:,} is the most"
        )
    if last.ticks <= samples[0].ticks:
        yield f"no tick succeeded after the first sample: still {last.ticks}"
    for fill in fills:
        if fill.client_id in ours and fill.grew:
            side = "buy" if fill.is_buy else "sell"
            yield (
                f"height {fill.height}: our {side} of {fill.size} {fill.market} met a position of "
                f"{fill.before} and grew or flipped it"
            )
