"""Drafts without a fault to rules: defaults are filled in here (RULES.md section 1)."""

from __future__ import annotations

from seawall.policy import Bound, Do, Latch, Level, NoDataMode, Rule
from seawall.rulefile.draft import LevelDraft, RuleDraft
from seawall.rulefile.fields import Found
from seawall.units import MINUTE, Millis


def rule_of(draft: RuleDraft) -> Rule:
    """The rule of a draft in which nothing was refused."""
    assert draft.measure_ref is not None
    assert draft.scope is not None
    no_data = None if draft.no_data is None else draft.no_data.value
    return Rule(
        id=draft.id,
        why=draft.why,
        measure=draft.measure_ref,
        scope=draft.scope,
        levels=tuple(_level_of(level) for level in draft.levels),
        no_data=NoDataMode.HOLD if no_data is None else no_data,
        mode=draft.mode,
        line=draft.place.line,
    )


def _level_of(draft: LevelDraft) -> Level:
    trigger = _bound(draft.trigger)
    assert trigger is not None
    target = _bound(draft.target)
    clear = _bound(draft.clear)
    return Level(
        name=draft.name,
        trigger=trigger,
        target=target,
        clear=target if clear is None else clear,
        hold=draft.hold,
        clear_hold=_clear_hold(draft),
        cooldown=_cooldown(draft),
        latch=_latch(draft),
        do=_actions(draft),
    )


def _bound(found: Found[Bound] | None) -> Bound | None:
    return None if found is None else found.value


def _actions(draft: LevelDraft) -> tuple[Do, ...]:
    return tuple(do for _, do in draft.do)


def _latch(draft: LevelDraft) -> Latch | None:
    """A bare `flatten` latches until `rearm`, unless the level says how it is latched."""
    if draft.latch is not None:
        return draft.latch.value
    return Latch() if draft.do.has_bare_flatten else None


def _cooldown(draft: LevelDraft) -> Millis:
    """As written, else a minute."""
    if draft.cooldown is None or draft.cooldown.value is None:
        return MINUTE
    return draft.cooldown.value


def _clear_hold(draft: LevelDraft) -> Millis:
    """As written; a minute for a level that only speaks and has no line to clear at."""
    if draft.clear_hold is not None and draft.clear_hold.value is not None:
        return draft.clear_hold.value
    speaks_only = not draft.do.acts and draft.clear is None and draft.target is None
    return MINUTE if speaks_only else Millis(0)
