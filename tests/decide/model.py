"""The state machine of RULES.md once more, written as stories instead of states.

A level is a coroutine that tells its life in order: wait for the trigger, hold, wait for the
cooldown, fire, clear, wait for the latch. Where it stands in the story is its state. Times are
whole seconds of block time. Nothing here is shared with the code under test except its words.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from fractions import Fraction

DAY = 24 * 3_600
MOST_PER_TICK = 5
QUIET = 60  # a level that only speaks clears after this
SLOW = 30  # between two tries of a flatten that gave up


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One level as the model knows it; values are dollars, times seconds."""

    name: str
    trigger: int  # fires above
    clear: int | None  # clears below
    hold: int = 0
    clear_hold: int = 0
    cooldown: int = 60
    latch: str = ""  # "", "manual", or "00:00Z"
    keep: Fraction | None = None  # share of each position that `amount` or `flatten` leaves
    target: int | None = None  # `until`: at most
    patience: int | None = None  # of a flatten: `give_up_after`

    @property
    def acts(self) -> bool:
        return self.keep is not None or self.target is not None


@dataclass(slots=True)
class Moment:
    """What a level is told of one tick."""

    now: int
    value: Fraction | None
    credit: int
    rearmed: bool
    resting_until: int


Story = Generator[str, Moment, None]


def life(rung: Rung) -> Story:
    """The endless story of a level; yields its phase after each moment."""
    moment = yield "clear"
    while True:
        moment = yield from _until_it_fires(rung, moment)
        fired_at = moment.now
        moment = yield from _until_it_clears(rung, moment)
        if rung.latch:
            moment = yield from _until_it_is_released(rung, moment, fired_at)


def _until_it_fires(rung: Rung, moment: Moment) -> Generator[str, Moment, Moment]:
    while True:
        while moment.value is None or not moment.value > rung.trigger:
            moment = yield "clear"
        held = 0
        while held < rung.hold:
            moment = yield "pending"
            while moment.value is None:
                moment = yield "pending"
            if not moment.value > rung.trigger:
                break
            held += moment.credit
        else:
            while moment.now < moment.resting_until:
                moment = yield "cooling"
                while moment.value is None:
                    moment = yield "cooling"
                if not moment.value > rung.trigger:
                    break
            else:
                return moment


def _until_it_clears(rung: Rung, moment: Moment) -> Generator[str, Moment, Moment]:
    wanted = rung.clear_hold
    if not rung.acts and rung.clear is None:
        wanted = max(wanted, QUIET)
    moment = yield "firing"
    while True:
        while moment.value is None or not _is_clear(rung, moment.value):
            moment = yield "firing"
        held = 0
        while held < wanted:
            moment = yield "clearing"
            while moment.value is None:
                moment = yield "clearing"
            if not _is_clear(rung, moment.value):
                break
            held += moment.credit
        else:
            return moment


def _is_clear(rung: Rung, value: Fraction) -> bool:
    return not value > rung.trigger if rung.clear is None else value < rung.clear


def _until_it_is_released(
    rung: Rung, moment: Moment, fired_at: int
) -> Generator[str, Moment, Moment]:
    """A released level has told this moment: it fires again at the next one at the earliest."""
    if rung.latch == "manual":
        while True:
            moment = yield "latched"
            if moment.rearmed:
                return moment
    midnight = (fired_at // DAY + 1) * DAY
    while moment.now < midnight:
        moment = yield "latched"
        if moment.rearmed:
            return moment
    return (yield "clear")


@dataclass(slots=True)
class Campaign:
    """An intervention: whose it is, and what it wants of the one position."""

    name: str
    rank: int
    began: int
    most: int | None = None  # lots that may stay
    target: int | None = None  # dollars that may stay
    has_lost_patience: bool = False
    tried: int | None = None


@dataclass(slots=True)
class Guard:
    """A rule of one instance over one position, in lots."""

    key: str
    rungs: list[Rung]
    lot: Fraction  # coins in a lot, the market's step
    stories: list[Story] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    campaign: Campaign | None = None
    rests: list[int] = field(default_factory=list)
    spent: list[bool] = field(default_factory=list)  # has acted in this firing
    stopped: list[bool] = field(default_factory=list)  # a person ended what it did in this firing
    count: int = 0
    seen_at: int | None = None

    def __post_init__(self) -> None:
        self.stories = [life(rung) for rung in self.rungs]
        self.phases = [next(story) for story in self.stories]
        self.rests = [0 for _ in self.rungs]
        self.spent = [False for _ in self.rungs]
        self.stopped = [False for _ in self.rungs]

    def see(
        self,
        now: int,
        value: Fraction | None,
        lots: int,
        *,
        rearmed: bool = False,
        is_told_to_stop: bool = False,
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """One observation: names of interventions that start, and (name, end) of those that end.

        A person can stop what had lost its patience by the observation before.
        """
        stops = is_told_to_stop and self.campaign is not None and self.campaign.has_lost_patience
        credit = 0 if self.seen_at is None else min(MOST_PER_TICK, now - self.seen_at)
        self.seen_at = now
        for rank, story in enumerate(self.stories):
            told = Moment(
                now=now,
                value=value,
                credit=credit,
                rearmed=rearmed,
                resting_until=self.rests[rank],
            )
            was = self.phases[rank]
            self.phases[rank] = story.send(told)
            if self._fires(rank) and was not in ("firing", "clearing"):
                self.spent[rank] = self.stopped[rank] = False
        ended = self._end(now, value, lots, stops=stops)
        started, superseded = self._start(now, value, lots)
        return started, ended + superseded

    def _fires(self, rank: int) -> bool:
        return self.phases[rank] in ("firing", "clearing")

    def _end(
        self, now: int, value: Fraction | None, lots: int, *, stops: bool
    ) -> list[tuple[str, str]]:
        one = self.campaign
        if one is None:
            return []
        patience = self.rungs[one.rank].patience
        if patience is not None and now - one.began >= patience:
            one.has_lost_patience = True
        if stops:
            self.stopped[one.rank] = True
            return [self._leave(now, one, "given up")]
        if (one.most is not None and lots <= one.most) or (
            one.target is not None and value is not None and value <= one.target
        ):
            return [self._leave(now, one, "reached")]
        return []

    def _leave(self, now: int, one: Campaign, how: str) -> tuple[str, str]:
        self.campaign = None
        self.rests[one.rank] = now + self.rungs[one.rank].cooldown
        return one.name, how

    def _start(
        self, now: int, value: Fraction | None, lots: int
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """The hardest rung whose turn it is goes ahead, over an easier one that is at work."""
        acting = [r for r, rung in enumerate(self.rungs) if rung.acts and self._fires(r)]
        free = self._free_of_stops()
        ready = [rank for rank in acting if rank >= free and self._is_ready(rank, now, value)]
        at_work = self.campaign
        if not ready or (at_work is not None and ready[-1] <= at_work.rank):
            return [], []
        rank = ready[-1]
        rung = self.rungs[rank]
        ended = [] if at_work is None else [self._leave(now, at_work, "superseded")]
        for lower in acting:
            if lower == rank or (lower < rank and self.rungs[lower].keep is not None):
                self.spent[lower] = True
        self.count += 1
        self.campaign = Campaign(name=f"{self.key}/{rung.name}#{self.count}", rank=rank, began=now)
        if rung.keep is None:
            self.campaign.target = rung.target
        else:
            self.campaign.most = lots - int(lots * (1 - rung.keep))
        return [self.campaign.name], ended

    def _free_of_stops(self) -> int:
        """The easiest rung above all that a person stopped and that are not over yet."""
        standing = ("firing", "clearing", "latched")
        stopped = [
            r for r, phase in enumerate(self.phases) if self.stopped[r] and phase in standing
        ]
        return max(stopped, default=-1) + 1

    def _is_ready(self, rank: int, now: int, value: Fraction | None) -> bool:
        rung = self.rungs[rank]
        if value is None or not value > rung.trigger or now < self.rests[rank]:
            return False
        return rung.keep is None or not self.spent[rank]

    def wants(self, now: int, price: int, value: Fraction | None, lots: int) -> int:
        """Lots that the running intervention wants closed now."""
        one = self.campaign
        if one is None:
            return 0
        if one.has_lost_patience and one.tried is not None and now - one.tried < SLOW:
            return 0
        if one.most is not None:
            return max(0, lots - one.most)
        assert one.target is not None
        if value is None or value <= one.target:
            return 0
        return lots - int(one.target / (price * self.lot))

    def sent(self, now: int) -> None:
        """Told that an order for the running intervention went out."""
        assert self.campaign is not None
        self.campaign.tried = now
