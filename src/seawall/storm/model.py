"""A simple model of every level, told only the values: phases must agree with it tick by tick.

It keeps what it knew after each tick, so that a guard that comes back to an older tick is held to
what was true then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from seawall.account import Blind, Observation, Seen
from seawall.agent import TickRow
from seawall.decide.holds import Holds
from seawall.decide.memory import Decision, Memory, Rearm
from seawall.measures.spec import NoData, Value
from seawall.policy import Level, NoDataMode, Policy, Rule
from seawall.units import DAY

CREDIT_MOST = 5_000
QUIET_MS = 60_000
PANIC = "panic"  # the operator's own rule, in no file


@dataclass(frozen=True, slots=True)
class Life:
    """One level of one instance: its phase in words, time held, and what its cooldown allows."""

    phase: str = "clear"
    held: int = 0
    fired_at: int = 0
    cooled_at: int = 0


Lives = Mapping[tuple[str, str], Life]


@dataclass(frozen=True, slots=True)
class Known:
    """What the model knows after a tick."""

    lives: Lives
    at: int | None
    seen_at: int | None


NOTHING = Known({}, None, None)


class Model:
    """The levels of one policy, as one guard should have them."""

    def __init__(self, policy: Policy) -> None:
        self._rules = {rule.id: rule for rule in policy.rules}
        self._known = NOTHING
        self._after: dict[int, Known] = {}

    def restart(self, row: TickRow | None, holds: Holds | None) -> Iterator[str]:
        """The guard came back to its last recorded tick; what disagrees there.

        `holds` are the credits that it wrote later: until then no level changed its phase.
        """
        if row is None:
            self._known = NOTHING
            return
        later = None if holds is None else self._at(holds)
        if holds is not None and later is None:
            later = self._with(holds)
            yield from self._overcredited(holds)
        self._known = self._after.get(row.decision.tick - 1, NOTHING)
        yield from self.follow(row.decision, row.seen, row.after)
        if later is not None:
            self._known = self._after[row.decision.tick] = later

    def _at(self, holds: Holds) -> Known | None:
        """What was known after the tick of that moment."""
        moments = ((one.at, one.seen_at) for one in self._after.values())
        found = dict(zip(moments, self._after.values(), strict=True))
        return found.get((holds.at, holds.seen_at))

    def _with(self, holds: Holds) -> Known:
        """What was known last, credited as the tick says that died before it could be followed."""
        lives = {
            (key, level): replace(life, held=holds.held.get(key, {}).get(level, life.held))
            for (key, level), life in self._known.lives.items()
        }
        return Known(lives, holds.at, holds.seen_at)

    def _overcredited(self, holds: Holds) -> Iterator[str]:
        """Levels that a tick credited with more than the time since the one before it."""
        known = self._known
        by_block = 0 if holds.at is None else _credit(known.at, holds.at)
        by_agent = 0 if holds.seen_at is None else _credit(known.seen_at, holds.seen_at)
        for (key, level), life in known.lives.items():
            held = holds.held.get(key, {}).get(level, life.held)
            by = by_agent if _is_by_agent(self._rules[key.partition("/")[0]]) else by_block
            if not 0 <= held - life.held <= by:
                yield f"{key}/{level} wrote {held} ms held; {life.held} + {by} is the most"

    def follow(self, decision: Decision, seen: Seen, after: Memory) -> Iterator[str]:
        """Step every level that the tick has a reading of; what disagrees, in words."""
        known = self._rearmed(decision)
        at = known.at if isinstance(seen, Blind) else seen.at
        now = seen.seen_at if at is None else at
        by_block = 0
        if isinstance(seen, Observation):
            by_block = _credit(known.at, seen.at)
        by_agent = _credit(known.seen_at, seen.seen_at)
        lives: dict[tuple[str, str], Life] = {}
        for reading in decision.readings:
            if reading.key == PANIC:
                continue
            rule = self._rules[reading.key.partition("/")[0]]
            by = by_agent if _is_by_agent(rule) else by_block
            for level in rule.levels:
                name = (reading.key, level.name)
                old = known.lives.get(name, Life())
                lives[name] = _step(rule, level, old, reading.value, credited=by, at=now)
        for each in decision.ended:
            key, _, level_name = each.name.rpartition("#")[0].rpartition("/")
            name = (key, level_name)
            if name in lives:
                level = next(
                    one
                    for one in self._rules[key.partition("/")[0]].levels
                    if one.name == level_name
                )
                lives[name] = replace(lives[name], cooled_at=now + level.cooldown)
        yield from self._compare(lives, after)
        for name, life in known.lives.items():
            if name not in lives and name[0] in after.alarms:
                lives[name] = life
        self._known = Known(lives, at, seen.seen_at)
        self._after[decision.tick] = self._known

    def _rearmed(self, decision: Decision) -> Known:
        """What was known, with the latches open that the operator released in this tick."""
        wanted = [one.key for one in decision.commands if isinstance(one, Rearm)]
        known = self._known
        lives = {
            name: replace(life, phase="clear", held=0)
            if life.phase == "latched" and any(is_about(name[0], one) for one in wanted)
            else life
            for name, life in known.lives.items()
        }
        return replace(known, lives=lives) if wanted else known

    def _compare(self, lives: Lives, after: Memory) -> Iterator[str]:
        for (key, level_name), life in lives.items():
            held = after.alarms.get(key)
            phase = "clear"
            if held is not None:
                names = [level.name for level in self._rules[held.rule].levels]
                phase = held.levels[names.index(level_name)].phase.value
            if phase != life.phase:
                yield f"{key}/{level_name} is {phase}, the model says {life.phase}"


def is_about(key: str, wanted: str) -> bool:
    """Whether RULE[/INSTANCE] is what a command names, or an instance of it."""
    return wanted in ("", key) or key.startswith(f"{wanted}/")


def _is_by_agent(rule: Rule) -> bool:
    return rule.measure.name == "input_age" or rule.no_data is NoDataMode.FIRE


def _credit(before: int | None, now: int) -> int:
    return 0 if before is None else max(0, min(CREDIT_MOST, now - before))


def _step(rule: Rule, level: Level, old: Life, value: Value, *, credited: int, at: int) -> Life:
    if old.phase == "latched":
        return replace(old, phase="clear", held=0) if _is_released(level, old, at) else old
    if isinstance(value, NoData):
        if rule.no_data is NoDataMode.HOLD:
            return old
        is_met, may_clear = True, False
    else:
        is_met = level.trigger.holds(value)
        may_clear = not is_met if level.clear is None else level.clear.holds(value)
    if old.phase in ("firing", "clearing"):
        if may_clear:
            return _leave(level, old, credited, at)
        return old if old.phase == "firing" else replace(old, phase="firing")
    if not is_met:
        return old if old.phase == "clear" else replace(old, phase="clear", held=0)
    held = 0 if old.phase == "clear" else old.held + (credited if old.phase == "pending" else 0)
    if old.phase != "cooling" and held < level.hold:
        return replace(old, phase="pending", held=held)
    if at < old.cooled_at:
        return replace(old, phase="cooling", held=held)
    return replace(old, phase="firing", held=0, fired_at=at)


def _leave(level: Level, old: Life, credited: int, at: int) -> Life:
    acts = any(do.kind not in ("notify", "page") for do in level.do)
    wanted: int = level.clear_hold
    if level.clear is None and not acts:
        wanted = max(wanted, QUIET_MS)
    held = 0 if old.phase == "firing" else old.held + credited
    if held < wanted:
        return replace(old, phase="clearing", held=held)
    latched = replace(old, phase="latched", held=0)
    if level.latch is not None and not _is_released(level, latched, at):
        return latched
    return replace(old, phase="clear", held=0)


def _is_released(level: Level, life: Life, at: int) -> bool:
    """Whether a clock has let go of a latch since it fired."""
    if level.latch is None or level.latch.until is None:
        return False
    first = life.fired_at // DAY * DAY + level.latch.until
    return at >= (first if first > life.fired_at else first + DAY)
