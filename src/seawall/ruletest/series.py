"""Values over time as a rule test writes them: numbers that step, ramps, holds, and gaps.

    [0%, {to: 12%, over: 3m}, {hold: 90s}, 6.5%, {missing: 3m}]

A number takes no time; what follows a series is its last word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from seawall.rulefile import literals
from seawall.rulefile.fields import Fields, read
from seawall.rulefile.report import Report, nearest
from seawall.rulefile.tree import Entry, Listing, Node, Table, Word, kind_of
from seawall.units import Millis

Literal = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A straight line between two moments of a test; a value of None is no data."""

    start: Millis
    end: Millis
    first: Decimal | None
    last: Decimal | None


@dataclass(frozen=True, slots=True)
class Track:
    """One value over the time of a test, from 0 on."""

    stretches: tuple[Stretch, ...]

    def at(self, moment: Millis) -> Decimal | None:
        """The value at a moment; None where it is no data."""
        found = self.stretches[self._index(moment)]
        if found.first is None or found.last is None:
            return None
        if moment >= found.end or found.first == found.last:
            return found.last
        share = Decimal(moment - found.start) / (found.end - found.start)
        return found.first + (found.last - found.first) * share

    def next_change(self, moment: Millis) -> Millis | None:
        """The next moment with another value: at once on a ramp; None where it rests for good."""
        index = self._index(moment)
        now = self.stretches[index]
        if now.first != now.last and moment < now.end:
            return moment
        return next((one.start for one in self.stretches[index + 1 :]), None)

    def _index(self, moment: Millis) -> int:
        return max(0, bisect_right(self.stretches, moment, key=lambda one: one.start) - 1)


def constant(value: Decimal) -> Track:
    """A value that stays."""
    return Track((Stretch(Millis(0), Millis(0), value, value),))


def read_track(node: Node, literal: Literal, report: Report, key: str) -> Track | None:
    """A series, or one word that stays; None where something in it was refused."""
    if isinstance(node, Word):
        found = read(node, literal, report, key)
        return None if found.value is None else constant(found.value)
    if not isinstance(node, Listing) or not node.items:
        report.refuse(
            node, f"{kind_of(node)}: `{key}` is a value or a list like [0%, {{hold: 1m}}]"
        )
        return None
    track = _Track(literal, report, key)
    for item in node.items:
        track.take(item)
    return track.close()


class _Track:
    """A series while it is being read."""

    def __init__(self, literal: Literal, report: Report, key: str) -> None:
        self._literal, self._report, self._key = literal, report, key
        self._now = Millis(0)
        self._value: Decimal | None = None
        self._was_number = False
        self._is_whole = True
        self._stretches: list[Stretch] = []

    def take(self, node: Node) -> None:
        """One item of the list."""
        if isinstance(node, Word):
            self._number(node)
            return
        self._was_number = False
        if not isinstance(node, Table) or not node.entries:
            self._refuse(
                node, f"{kind_of(node)}: a value, {{to:, over:}}, {{hold:}} or {{missing:}}"
            )
            return
        names = {entry.key.text for entry in node.entries}
        if len(node.entries) == 1 and names <= {"hold", "missing"}:
            self._stretch(node.entries[0])
            return
        if not names & {"to", "over"}:
            key = node.entries[0].key
            kinds = "{to:, over:} ramps, {hold:} stays, {missing:} is no data"
            near = nearest(key.text, ("to", "over", "hold", "missing"))
            hint = kinds if near is None else f"did you mean `{near}`? {kinds}"
            self._refuse(key, f"`{key.text}`: unknown word of a series, {hint}")
            return
        fields = Fields(node, self._report, what="a ramp", known=("to", "over"))
        to = fields.required("to", self._literal, "where the ramp ends")
        over = fields.required("over", _some_time, "how long it takes, like `3m`")
        if to is None or over is None or to.value is None or over.value is None:
            self._is_whole = False
            return
        if self._value is None:
            if self._is_whole:  # else it was refused itself
                self._refuse(node, "a ramp begins at a value, write one before it")
            return
        self._append(over.value, self._value, to.value)
        self._value = to.value

    def close(self) -> Track | None:
        """The whole series; None where something was refused."""
        return Track(tuple(self._stretches)) if self._is_whole else None

    def _number(self, word: Word) -> None:
        found = read(word, self._literal, self._report, self._key)
        if found.value is None:
            self._is_whole = False
            return
        if self._was_number:
            self._refuse(word, f"`{word.text}`: a number takes no time, put {{hold: 1m}} before it")
            return
        self._value, self._was_number = found.value, True
        self._append(Millis(0), found.value, found.value)

    def _stretch(self, entry: Entry) -> None:
        found = read(entry.value, _some_time, self._report, entry.key.text)
        if found.value is None:
            self._is_whole = False
        elif entry.key.text == "missing":
            self._append(found.value, None, None)
        elif not self._stretches:
            self._refuse(entry.key, "`hold`: holds a value, write one before it")
        else:
            self._append(found.value, self._value, self._value)

    def _append(self, lasts: Millis, first: Decimal | None, last: Decimal | None) -> None:
        end = Millis(self._now + lasts)
        self._stretches.append(Stretch(self._now, end, first, last))
        self._now = end

    def _refuse(self, node: Node, message: str) -> None:
        self._report.refuse(node, message)
        self._is_whole = False


def _some_time(text: str) -> Millis:
    span = literals.duration(text)
    if span == 0:
        raise literals.LiteralError(f"`{text}`: more than 0s is expected")
    return span


def next_change(tracks: Sequence[Track], moment: Millis) -> Millis | None:
    """The next moment at which any of them changes; None where all rest for good."""
    moments = [track.next_change(moment) for track in tracks]
    return min((one for one in moments if one is not None), default=None)
