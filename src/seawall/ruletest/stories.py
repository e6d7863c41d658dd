"""Stories that make a rule show all of itself: up its ladder and down again, filled and unfilled.

A story visits both sides of every threshold, closer than a mutant moves it, and stays long enough
to tell a duration from its triple. What the rules do in it is recorded as its expectations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from seawall import words
from seawall.measures import MEASURES
from seawall.measures.spec import Measure, Unit
from seawall.policy import Bound, Flatten, Level, Policy, Rule
from seawall.ruletest import actual
from seawall.ruletest.amounts import written
from seawall.ruletest.drive import (
    ALT,
    ALT_WORDS,
    GROWTH,
    Driver,
    Kind,
    account_words,
    driver_of,
    input_words,
    levels_as_input,
)
from seawall.ruletest.mutants import FROM_ZERO, MOVED_BY
from seawall.ruletest.play import Moment, play
from seawall.ruletest.read import parse_suite
from seawall.ruletest.script import STEP, RuleTest
from seawall.units import SECOND, Millis

BREATH = Millis(10 * SECOND)
CHANGES_MOST = 20
QUIET = Millis(70 * SECOND)  # a level that only speaks clears a minute after its trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One value of a story's input, and how long it stays."""

    value: Decimal
    lasts: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A test without its expectations: `body` are its lines, `ends` its last moment.

    `retell` makes the body of the same story up to a moment.
    """

    name: str
    ends: Millis
    retell: Callable[[Millis], tuple[str, ...]]

    @property
    def body(self) -> tuple[str, ...]:
        """Its lines to the end."""
        return self.retell(self.ends)


def stories_of(policy: Policy, rule: Rule) -> Iterator[Story]:
    """Stories of one rule; none where a test file has no word for what it watches."""
    driver = driver_of(policy, rule)
    if driver is None:
        return
    stairs = _stairs(rule)
    inputs = levels_as_input(policy, rule, driver, stairs)
    for rank, level in enumerate(rule.levels):
        upto = inputs[: _reach(rule, rank, stairs)]
        walk = (*_climb(rule, upto), *_descent(rule, upto))
        yield _story(rule, driver, f"climbs to {level.name} and comes down", walk)
    yield _story(rule, driver, "is told again soon after", _again(rule, driver, inputs))
    unfilled = _leap(rule, inputs)
    if not any(isinstance(do, Flatten) for level in rule.levels for do in level.do):
        unfilled = (*unfilled, *_descent(rule, inputs))  # else it would try to the very end
    yield _story(rule, driver, "comes down while nothing fills", unfilled, fills="none")


def _reach(rule: Rule, rank: int, stairs: Sequence[Decimal]) -> int:
    """How many stairs there are below the trigger of the next level; all for the highest."""
    if rank + 1 == len(rule.levels):
        return len(stairs)
    trigger = rule.levels[rank + 1].trigger
    return next((at for at, value in enumerate(stairs) if trigger.holds(value)), len(stairs))


def _stairs(rule: Rule) -> tuple[Decimal, ...]:
    """Values just before and just after every threshold, from calm to worst."""
    measure = MEASURES[rule.measure.name]
    around: set[Decimal] = set()
    for level in rule.levels:
        for bound in (level.trigger, level.target, level.clear):
            if bound is not None:
                away = _half_move(bound, level, measure)
                around.update((bound.value - away, bound.value + away))
    if measure.unit is Unit.COUNT:
        around = {value.to_integral_value() for value in around if value >= 0}
    elif measure.name not in ("free_collateral", "stress_headroom", "equity", "day_loss"):
        around = {max(value, Decimal(0)) for value in around}
    ordered = sorted(around)
    gap = ordered[-1] - ordered[0] or FROM_ZERO[measure.unit]
    calm, worst = ordered[0] - gap, ordered[-1] + gap
    if not measure.worse_up:
        calm, worst, ordered = worst, calm, ordered[::-1]
    if measure.name not in ("free_collateral", "stress_headroom", "equity", "day_loss"):
        calm, worst = max(calm, Decimal(0)), max(worst, Decimal(0))
    return tuple(dict.fromkeys((calm, *ordered)))


def _half_move(bound: Bound, level: Level, measure: Measure) -> Decimal:
    """Half of what a mutant moves a threshold by."""
    if measure.unit is Unit.COUNT:
        return Decimal(1)
    value = abs(bound.value)
    if not value:
        others = [abs(b.value) for b in (level.trigger, level.target, level.clear) if b is not None]
        value = max(others) or FROM_ZERO[measure.unit] / MOVED_BY
    return (value * MOVED_BY / 2).quantize(Decimal("1E-6"))


def _climb(rule: Rule, inputs: Sequence[Decimal]) -> tuple[Stop, ...]:
    lasts = Millis(max(level.hold for level in rule.levels) * 3 + BREATH)
    return tuple(Stop(value=value, lasts=lasts) for value in inputs)


def _descent(rule: Rule, inputs: Sequence[Decimal]) -> tuple[Stop, ...]:
    speaks = any(level.clear is None and not level.acts for level in rule.levels)
    least = QUIET if speaks else BREATH
    lasts = Millis(max(level.clear_hold for level in rule.levels) * 3 + least)
    return tuple(Stop(value=value, lasts=lasts) for value in reversed(inputs[:-1]))


def _again(rule: Rule, driver: Driver, inputs: Sequence[Decimal]) -> tuple[Stop, ...]:
    """Worst, and worst again as soon as that can be, for longer than any cooldown.

    What was sold or deposited is gone from sizes and money, so these go on from where they are.
    """
    top = rule.levels[-1]
    calm, worst = inputs[0], inputs[-1]
    wait = max(level.cooldown for level in rule.levels)
    first = Stop(value=worst, lasts=Millis(top.hold + BREATH))
    last = Millis(top.hold + 3 * wait + 2 * BREATH)
    begin = Stop(value=calm, lasts=BREATH)
    match driver.kind:
        case Kind.SERIES:
            rest = Stop(value=calm, lasts=Millis(top.clear_hold + BREATH))
            return (begin, first, rest, Stop(value=worst, lasts=last))
        case Kind.FUNDING:
            return (begin, first, Stop(value=2 * worst, lasts=last))
        case Kind.SIZES | Kind.FLOWS:
            return (begin, first, Stop(value=2 * worst - calm, lasts=last))


def _leap(rule: Rule, inputs: Sequence[Decimal]) -> tuple[Stop, ...]:
    """From calm to worst at once, and there until every patience has ended three times."""
    patience = max(
        (do.give_up_after for lv in rule.levels for do in lv.do if isinstance(do, Flatten)),
        default=Millis(0),
    )
    hold = max(level.hold for level in rule.levels)
    return (
        Stop(value=inputs[0], lasts=BREATH),
        Stop(value=inputs[-1], lasts=Millis(hold + 3 * patience + BREATH)),
    )


def _story(
    rule: Rule,
    driver: Driver,
    what: str,
    stops: Sequence[Stop],
    *,
    fills: str = "all",
) -> Story:
    return Story(
        name=f"{rule.id} {what}",
        ends=Millis(sum(stop.lasts for stop in stops)),
        retell=lambda upto: tuple(_lines(rule, driver, stops, fills, upto)),
    )


def _lines(
    rule: Rule, driver: Driver, stops: Sequence[Stop], fills: str, upto: Millis
) -> Iterator[str]:
    yield f"account: {account_words(driver)}"
    if driver.ticker == ALT.ticker:
        yield f"markets: {{{ALT_WORDS}}}"
    if fills == "none":
        yield "fills: none"
    begun = _begun(stops, upto)
    if driver.kind is Kind.FLOWS:
        yield f"flows: {{{_flows(driver, begun, rule)}}}"
        return
    said = ", ".join(
        f"{input_words(driver, stop.value, rule)}, {{hold: {words.duration(stop.lasts)}}}"
        for stop in begun
    )
    yield f"{driver.kind}: {{{driver.key}: [{said}]}}"
    if driver.kind is Kind.SERIES and fills == "all":
        yield from _growth(driver, rule, stops, upto)


def _begun(stops: Sequence[Stop], upto: Millis) -> Sequence[Stop]:
    """The stops that begin at a moment or before it, at least the first."""
    at, count = Millis(0), 0
    for stop in stops:
        if at > upto:
            break
        at, count = Millis(at + stop.lasts), count + 1
    return stops[:count]


def _growth(driver: Driver, rule: Rule, stops: Sequence[Stop], upto: Millis) -> Iterator[str]:
    """The trader adds half the position at the worst moment, so that a lock has work."""
    worst = max(range(len(stops)), key=lambda at: _badness(rule, stops[at]))
    after = sum(stop.lasts for stop in stops[:worst]) + stops[worst].lasts - STEP
    at = Millis(after - after % STEP)
    if at > upto:
        return
    more = driver.size * GROWTH
    held = words.duration(at)
    yield f"sizes: {{{driver.ticker}: [{driver.size:f}, {{hold: {held}}}, {more.normalize():f}]}}"


def _badness(rule: Rule, stop: Stop) -> Decimal:
    return stop.value if MEASURES[rule.measure.name].worse_up else -stop.value


def _flows(driver: Driver, stops: Sequence[Stop], rule: Rule) -> str:
    at, before, parts = BREATH, Decimal(0), []
    for stop in stops:
        if stop.value != before:
            amount = input_words(driver, stop.value - before, rule)
            parts.append(f"{words.duration(at)}: {amount}")
            before = stop.value
        at = Millis(at + stop.lasts)
    return ", ".join(parts)


def test_of(story: Story, expectations: Sequence[str]) -> str:
    """A story with its expectations as an item of `tests:`."""
    lines = [f"  - name: {story.name}"]
    lines += [f"    {line}" for line in story.body]
    lines.append("    expect:")
    lines += [f"      - {line}" for line in expectations]
    return "\n".join(lines) + "\n"


def played(policy: Policy, story: Story) -> RuleTest:
    """A story as a test that expects nothing yet."""
    text = "tests:\n" + test_of(story, ["{at: 0s, quiet: true}"])
    return parse_suite(text, policy).tests[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is true at a moment in words of a test file; messages count where a level moved.

    A page repeats on a clock of its own, which is not the rule's.
    """

    state: str
    messages: tuple[str, ...]
    has_moved: bool

    def at(self, moment: Millis) -> str:
        """The expectation of this at a moment."""
        messages = f", messages: [{', '.join(self.messages)}]" if self.has_moved else ""
        return f"{{at: {words.duration(moment)}, {self.state}{messages}}}"

    def differs_from(self, other: Said) -> bool:
        """Whether the expectation of this fails where the other is true."""
        if self.state != other.state:
            return True
        return self.has_moved and self.messages != other.messages


def listen(policy: Policy, test: RuleTest, stops: Sequence[Millis]) -> dict[Millis, Said]:
    """What the rules do at each tick of a story that is made."""
    return {one.at: _said(one, policy) for one in play(policy, test, stops)}


def _said(moment: Moment, policy: Policy) -> Said:
    firing = actual.firing(moment, policy)
    parts = ["quiet: true"]
    if firing:
        parts = [f"firing: {{{', '.join(f'{key}: {level}' for key, level in firing.items())}}}"]
    parts.append(f"plan: [{', '.join(_plan(actual.done(moment, policy)))}]")
    locked = actual.locked(moment)
    if locked:
        parts.append(f"locked: [{', '.join(locked)}]")
    return Said(
        state=", ".join(parts),
        messages=actual.messages(moment),
        has_moved=bool(moment.decision.transitions),
    )


def _plan(done: actual.Done) -> Iterator[str]:
    if done.cancels is not None:
        yield f"{{cancel_orders: {done.cancels}}}"
    if done.top_up:
        yield f"{{top_up: {written(done.top_up)}}}"
    cut = {name: one for name, one in done.cuts.items() if not one.is_flatten}
    if cut:
        sizes = ", ".join(f"{name}: {one.coins.normalize():f}" for name, one in cut.items())
        yield f"{{reduce: {{{sizes}}}}}"
    flat = [name for name, one in done.cuts.items() if one.is_flatten]
    if flat:
        yield f"{{flatten: [{', '.join(flat)}]}}"


def recorded(policy: Policy, story: Story) -> str:
    """A story with what changes in it expected, and the step before each change."""
    test = played(policy, story)
    rough = listen(policy, test, [Millis(story.ends + BREATH)])
    changes = list(_changes(rough))
    if len(changes) > CHANGES_MOST:
        changes = changes[: CHANGES_MOST - 4] + changes[-4:]
    stops = sorted({Millis(at) for one in changes for at in (one - STEP, one) if at >= 0})
    exact = listen(policy, test, stops)
    return test_of(story, [exact[at].at(at) for at in stops])


def _changes(heard: Mapping[Millis, Said]) -> Iterator[Millis]:
    before = ""
    for at, said in heard.items():
        if said.state != before or (said.has_moved and said.messages):
            yield at
        before = said.state
