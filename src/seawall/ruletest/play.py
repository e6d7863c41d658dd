"""A rule test played: the one `decide`, tick by tick, with what cannot matter left out.

While every input rests and only holds and cooldowns run, the ticks in between are not made: the
time that they would have credited is written into memory instead. `test_play` holds that against
every tick made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from seawall import intervention
from seawall.account import Observation
from seawall.alarm import CREDIT_MOST, LevelState, Phase, clears_after, latch_release
from seawall.decide import decide
from seawall.decide.memory import Alarm, Decision, Memory
from seawall.decide.pages import REPEAT_AFTER
from seawall.measures.ledger import Ledger
from seawall.measures.view import Overrides
from seawall.policy import FloatSource, Level, Mode, Policy, Rule
from seawall.ruletest.script import RuleTest
from seawall.ruletest.stage import WALLET, Stage
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One tick of a test: when, what was seen, decided and remembered."""

    at: Millis
    seen: Observation
    overrides: Overrides
    memory: Memory
    decision: Decision
    stage: Stage


def as_tested(policy: Policy, test: RuleTest) -> Policy:
    """The policy as tests see it: every rule acts, and a test's float is the wallet to use."""
    rules = tuple(replace(rule, mode=None) if rule.mode else rule for rule in policy.rules)
    source = policy.float_source
    if source is None and test.account.wallet is not None:
        source = FloatSource(address=WALLET)
    # Backstops rest on a chain, which a test has not; rules act as if there were none.
    return replace(policy, rules=rules, float_source=source, backstop=None)


def play(
    policy: Policy, test: RuleTest, stops: Collection[Millis], *, every: bool = False
) -> Iterator[Moment]:
    """Every tick that is made up to the last stop; each stop is one. `every` leaves none out."""
    policy = as_tested(policy, test)
    stage = Stage(test)
    memory = Memory()
    wanted = sorted(stops)
    at = Millis(0)
    while wanted:
        seen, overrides = stage.look(at), stage.overrides(at)
        before = memory
        memory, decision = decide(policy, before, seen, mode=Mode.LIVE, overrides=overrides)
        stage.expect([one.action for one in decision.actions])
        yield Moment(
            at=at,
            seen=seen,
            overrides=overrides,
            memory=memory,
            decision=decision,
            stage=stage,
        )
        while wanted and wanted[0] <= at:
            wanted.pop(0)
        if not wanted:
            return
        steps = 1
        if not every:
            skipping = _Skip(policy, test, stage, before, memory)
            steps += skipping.count(at, wanted[0], decision)
            memory = skipping.over(memory, steps - 1)
        at = Millis(at + steps * test.step)


class _Skip:
    """How many ticks after this one would change nothing but holds, and what those would be."""

    def __init__(
        self, policy: Policy, test: RuleTest, stage: Stage, before: Memory, after: Memory
    ) -> None:
        self._rules: Mapping[str, Rule] = {rule.id: rule for rule in policy.rules}
        self._test, self._stage = test, stage
        self._before, self._after = before, after

    def count(self, at: Millis, stop: Millis, decision: Decision) -> int:
        """Ticks to leave out from the next one on."""
        if decision.is_eventful or not self._is_at_rest(at):
            return 0
        step = self._test.step
        change = self._stage.next_change(at)
        moments = [stop, *([] if change is None else [change])]
        least = min(moments) - at
        now = self._after.at
        assert now is not None
        for page in self._after.pages.values():
            if not page.is_acknowledged:
                least = min(least, page.sent_at + REPEAT_AFTER - now)
        steps = (least - 1) // step
        for key, held in self._after.alarms.items():
            was = self._before.alarms.get(key)
            if was is None or len(was.levels) != len(held.levels):
                return 0
            steps = min(steps, *self._limits(held, was, now))
        return max(0, steps)

    def over(self, memory: Memory, steps: int) -> Memory:
        """Memory as that many ticks without an event would leave it."""
        if steps == 0 or memory.at is None or memory.seen_at is None:
            return memory
        lasts = steps * self._test.step
        alarms = {
            key: replace(
                held,
                levels=tuple(
                    replace(state, held=Millis(state.held + steps * (state.held - was.held)))
                    for state, was in zip(held.levels, self._before.alarms[key].levels, strict=True)
                ),
            )
            for key, held in memory.alarms.items()
        }
        return replace(
            memory,
            alarms=alarms,
            at=Millis(memory.at + lasts),
            seen_at=Millis(memory.seen_at + lasts),
        )

    def _is_at_rest(self, at: Millis) -> bool:
        after, before = self._after, self._before
        return (
            before.at is not None
            and not (after.sent or after.cancels or after.running or after.top_up or after.halt)
            and self._stage.moved_at < at
            and _is_settled(after.ledger)
            and before.alarms.keys() == after.alarms.keys()
            and before.pages == after.pages
            and before.locks == after.locks
        )

    def _limits(self, held: Alarm, was: Alarm, now: Millis) -> Iterator[int]:
        """For each level, how many ticks may pass before the one that changes its phase."""
        rule = self._rules[held.rule]
        for level, state, old in zip(rule.levels, held.levels, was.levels, strict=True):
            yield self._limit(level, state, old, now)

    def _limit(self, level: Level, state: LevelState, old: LevelState, now: Millis) -> int:
        step = self._test.step
        rest = int(1e9)
        if state.phase is not old.phase:
            return 0
        match state.phase:
            case Phase.PENDING | Phase.CLEARING:
                gained = state.held - old.held
                if gained not in (0, min(step, CREDIT_MOST)):
                    return 0
                is_pending = state.phase is Phase.PENDING
                needed = level.hold if is_pending else clears_after(level)
                return rest if gained == 0 else (needed - state.held - 1) // gained
            case Phase.COOLING:
                return (state.cooled_at - now - 1) // step
            case Phase.FIRING:
                restarts = intervention.has_work(level) and not intervention.runs_once(level)
                is_cooling = restarts and state.cooled_at > now
                return (state.cooled_at - now - 1) // step if is_cooling else rest
            case Phase.LATCHED:
                assert state.fired_at is not None
                release = None
                if level.latch is not None:
                    release = latch_release(level.latch, state.fired_at)
                return rest if release is None else (release - now - 1) // step
            case Phase.CLEAR:
                return rest


def _is_settled(book: Ledger | None) -> bool:
    """Whether time alone moves no series: nothing to explain, no peak in the making."""
    if book is None or book.unexplained:
        return False
    return all(one.nav == sample.nav for one in book.series.values() for sample in one.samples)
