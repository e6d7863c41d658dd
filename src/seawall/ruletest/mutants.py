"""Rules with one change each: thresholds moved, actions dropped, durations zeroed and tripled,
latches removed. A test file that notices none of a kind proves nothing of it.

Changes are made to rules as written, so that a mutant which the rule file would refuse is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from seawall import words
from seawall.measures.spec import Measure, Unit
from seawall.policy import Bound, Do, Flatten, Policy, ReduceUntil, word_of
from seawall.rulefile import Loaded
from seawall.rulefile.draft import LevelDraft, RuleDraft
from seawall.rulefile.fields import Found
from seawall.rulefile.load import with_rules
from seawall.rulefile.report import Place
from seawall.units import Millis

MOVED_BY = Decimal("0.1")  # of a threshold
WHOLE = (Unit.SECONDS, Unit.COUNT)  # units that a file writes without a point
FROM_ZERO = {
    Unit.DOLLARS: Decimal(100),
    Unit.RATIO: Decimal("0.01"),
    Unit.MULTIPLE: Decimal("0.1"),
    Unit.SECONDS: Decimal(1),
    Unit.COUNT: Decimal(1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A policy with one change, and the change in words; `place` is where it stands."""

    rule: str
    level: str
    what: str  # "trigger 9% -> 9.9%"
    place: Place
    policy: Policy

    @property
    def name(self) -> str:
        """RULE/LEVEL and the change."""
        return f"{self.rule}/{self.level} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One level with a change, in words, at its place."""

    level: LevelDraft
    what: str
    place: Place


def mutants_of(loaded: Loaded) -> Iterator[Mutant]:
    """Every mutant that would load and asks for something else, in the order of the file."""
    policy = loaded.policy
    for index, rule in enumerate(loaded.drafts):
        for rank, level in enumerate(rule.levels):
            for change in _changes(level, rule):
                levels = (*rule.levels[:rank], change.level, *rule.levels[rank + 1 :])
                changed = _policy_with(policy, index, replace(rule, levels=levels))
                if changed is not None and changed != policy:
                    yield Mutant(
                        rule=rule.id,
                        level=level.name,
                        what=change.what,
                        place=Place(line=change.place.line, column=change.place.column),
                        policy=changed,
                    )


def _policy_with(policy: Policy, index: int, draft: RuleDraft) -> Policy | None:
    alone = with_rules(policy, [draft])
    if alone is None:
        return None
    rules = (*policy.rules[:index], alone.rules[0], *policy.rules[index + 1 :])
    return replace(policy, rules=rules)


def _changes(level: LevelDraft, rule: RuleDraft) -> Iterator[_Change]:
    assert rule.measure is not None
    yield from _moved_thresholds(level, rule.measure)
    yield from _dropped_actions(level)
    yield from _other_durations(level)
    yield from _without_latch(level)


def _moved_thresholds(level: LevelDraft, measure: Measure) -> Iterator[_Change]:
    for key in ("trigger", "target", "clear"):
        found: Found[Bound] | None = getattr(level, key)
        if found is None or found.value is None:
            continue
        bound = found.value
        for sign in (1, -1):
            moved = replace(bound, value=bound.value + sign * moved_by(bound, level, measure))
            before, after = (words.exact(b.value, measure.unit) for b in (bound, moved))
            changed: Found[Bound] = replace(found, value=moved)
            yield _Change(
                level=_with_bound(level, key, changed),
                what=f"{key} {before} -> {after}",
                place=found.place,
            )


def _with_bound(level: LevelDraft, key: str, found: Found[Bound]) -> LevelDraft:
    match key:
        case "trigger":
            return replace(level, trigger=found)
        case "target":
            return replace(level, target=found)
        case _:
            return replace(level, clear=found)


def moved_by(bound: Bound, level: LevelDraft, measure: Measure) -> Decimal:
    """A tenth of the threshold; of the level's largest where it is zero."""
    if measure.unit in WHOLE:
        return max(Decimal(1), (abs(bound.value) * MOVED_BY).to_integral_value())
    if bound.value:
        return abs(bound.value) * MOVED_BY
    others = [
        abs(found.value.value)
        for found in (level.trigger, level.target, level.clear)
        if found is not None and found.value is not None
    ]
    return max(others) * MOVED_BY or FROM_ZERO[measure.unit]


def _dropped_actions(level: LevelDraft) -> Iterator[_Change]:
    actions = level.do.actions
    for index, action in enumerate(actions):
        if action.value is None or len(actions) == 1:
            continue
        kept = replace(level.do, actions=(*actions[:index], *actions[index + 1 :]))
        if isinstance(action.value, Flatten):
            kept = replace(kept, has_bare_flatten=False)
        yield _Change(
            level=replace(level, do=kept),
            what=f"{word_of(action.value)} dropped",
            place=action.place,
        )


def _without_latch(level: LevelDraft) -> Iterator[_Change]:
    """The latch that is written, and the one that a bare `flatten` brings with it."""
    bare = next((a for a in level.do.actions if isinstance(a.value, Flatten)), None)
    if level.latch is not None:
        place = level.latch.place
    elif level.do.has_bare_flatten and bare is not None:
        place = bare.place
    else:
        return
    loose = replace(level, latch=None, do=replace(level.do, has_bare_flatten=False))
    yield _Change(level=loose, what="latch removed", place=place)


def _other_durations(level: LevelDraft) -> Iterator[_Change]:
    for factor in (0, 3):
        yield _Change(
            level=replace(level, hold=Millis(level.hold * factor)),
            what=_change("for", level.hold, factor),
            place=level.place,
        )
        for key, found in (("clear_for", level.clear_hold), ("cooldown", level.cooldown)):
            if found is None or found.value is None:
                continue
            changed = replace(found, value=Millis(found.value * factor))
            yield _Change(
                level=replace(level, clear_hold=changed)
                if key == "clear_for"
                else replace(level, cooldown=changed),
                what=_change(key, found.value, factor),
                place=found.place,
            )
        for index, action in enumerate(level.do.actions):
            flatten = _flatten_of(action.value)
            if flatten is None:
                continue
            patience = flatten.give_up_after
            changed_flatten = replace(flatten, give_up_after=Millis(patience * factor))
            other: Do = changed_flatten
            if isinstance(action.value, ReduceUntil):
                other = replace(action.value, or_else=changed_flatten)
            actions = list(level.do.actions)
            actions[index] = Found(place=action.place, value=other)
            yield _Change(
                level=replace(level, do=replace(level.do, actions=tuple(actions))),
                what=_change("give_up_after", patience, factor),
                place=action.place,
            )


def _flatten_of(do: Do | None) -> Flatten | None:
    """The flatten that an action is, or falls back on."""
    if isinstance(do, ReduceUntil):
        return do.or_else if isinstance(do.or_else, Flatten) else None
    return do if isinstance(do, Flatten) else None


def _change(key: str, span: Millis, factor: int) -> str:
    return f"{key} {words.duration(span)} -> {words.duration(Millis(span * factor))}"
