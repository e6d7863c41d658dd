"""Stories that make a rule show all of itself: up its ladder and down again, filled and unfilled.

A story visits both sides of every threshold, closer than a mutant moves it, and stays long enough
to tell a duration from its triple. What the rules do in it is recorded as its expectations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from seawall import words
from seawall.measures import MEASURES
from seawall.measures.spec import Measure
from seawall.policy import Bound, Flatten, Level, Policy, ReduceUntil, Rule, TopUpUntil
from seawall.ruletest.amounts import written
from seawall.ruletest.drive import GROWTH, Driver, drivers_of
from seawall.ruletest.mutants import FROM_ZERO, MOVED_BY, WHOLE
from seawall.ruletest.script import STEP, Holding
from seawall.ruletest.steer import Goal, Kind, Stop, steered
from seawall.units import DAY, MINUTE, SECOND, Millis

BREATH = Millis(10 * SECOND)
QUIET = Millis(70 * SECOND)  # a level that only speaks clears a minute after its trigger


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
    """Stories of one rule on the account that suits it best; none where nothing moves it."""
    for driver in drivers_of(policy, rule, _range(rule))[:1]:
        yield from stories_on(policy, rule, driver)


def all_stories_of(policy: Policy, rule: Rule) -> Iterator[Story]:
    """Stories of one rule on every account that can tell them, the best first."""
    for driver in drivers_of(policy, rule, _range(rule)):
        yield from stories_on(policy, rule, driver)


def _range(rule: Rule) -> tuple[Decimal, Decimal]:
    stairs = _stairs(rule)
    return stairs[0], stairs[-1]


def stories_on(policy: Policy, rule: Rule, driver: Driver) -> Iterator[Story]:
    """Stories of one rule on one account; those left out whose values cannot be had there."""
    for what, goals, fills, start in _plots(rule, driver.kind):
        whole = [replace(one, lasts=_in_steps(one.lasts)) for one in goals]
        stops: Sequence[Stop] | None
        if driver.kind is Kind.SERIES:
            stops = [Stop(value=one.value, lasts=one.lasts) for one in whole]
        else:
            stops = steered(policy, rule, driver.course, whole, fills=fills)
        if stops is not None:
            yield _story(rule, driver, what, stops, fills=fills, start=start)


def _in_steps(lasts: Millis) -> Millis:
    return Millis(-(-lasts // STEP) * STEP)


Plot = tuple[str, tuple[Goal, ...], str, str]  # what happens, to which values, fills, start


def _plots(rule: Rule, kind: Kind) -> Iterator[Plot]:
    """What happens to a rule in its stories."""
    stairs = _stairs(rule)
    for rank, level in enumerate(rule.levels):
        upto = stairs[: _reach(rule, rank, stairs)]
        if len(upto) < 2:
            continue
        walk = (*_climb(rule, upto), *_descent(rule, upto))
        yield f"climbs to {level.name} and comes down", walk, "all", ""
    acting = [rank for rank, level in enumerate(rule.levels) if level.acts]
    for rank in reversed(acting):
        name, upto = rule.levels[rank].name, stairs[: _reach(rule, rank, stairs)]
        if len(upto) < 2:
            continue
        yield from _again(rule, rank, kind, upto)
        unfilled = _leap(rule, upto)
        if not any(isinstance(do, Flatten) for level in rule.levels for do in level.do):
            unfilled = (*unfilled, *_descent(rule, upto))  # else it would try to the very end
        yield f"comes down from {name} while nothing fills", unfilled, "none", ""
        yield from _around_the_clock(rule, rank, upto)


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
                if measure.unit in WHOLE:
                    around.add(bound.value)  # nothing lies between it and its neighbour
    if measure.unit in WHOLE:
        around = {value for value in around if value >= 0}
    elif measure.name not in ("free_collateral", "stress_headroom", "equity", "day_loss"):
        around = {max(value, Decimal(0)) for value in around}
    ordered = sorted(around)
    gap = ordered[-1] - ordered[0] or FROM_ZERO[measure.unit]
    calm, worst = ordered[0] - gap, ordered[-1] + gap
    if not measure.worse_up:
        calm, worst, ordered = worst, calm, ordered[::-1]
    if measure.name not in ("free_collateral", "stress_headroom", "equity", "day_loss"):
        calm, worst = max(calm, Decimal(0)), max(worst, Decimal(0))
        if measure.moved_by:  # near nothing it could be had only without a position
            calm = max(calm, ordered[0] / 2)
    return tuple(dict.fromkeys((calm, *ordered)))


def _half_move(bound: Bound, level: Level, measure: Measure) -> Decimal:
    """Half of what a mutant moves a threshold by."""
    if measure.unit in WHOLE:
        return max(Decimal(1), (abs(bound.value) * MOVED_BY / 2).to_integral_value())
    value = abs(bound.value)
    if not value:
        others = [abs(b.value) for b in (level.trigger, level.target, level.clear) if b is not None]
        value = max(others) or FROM_ZERO[measure.unit] / MOVED_BY
    return (value * MOVED_BY / 2).quantize(Decimal("1E-6"))


def _climb(rule: Rule, values: Sequence[Decimal]) -> tuple[Goal, ...]:
    """Up the stairs, a breath on each, and at the top until every `for` is over three times.

    A moved threshold is met a breath earlier or later, and all that follows from it is too.
    """
    *stairs, top = values
    lasts = Millis(max(level.hold for level in rule.levels) * 3 + 2 * BREATH)
    return (*_breaths(stairs), Goal(value=top, lasts=lasts))


def _descent(rule: Rule, values: Sequence[Decimal]) -> tuple[Goal, ...]:
    """Down again likewise, and in the calm until every `clear_for` is over three times."""
    calm, *stairs = values[:-1]
    speaks = any(level.clear is None and not level.acts for level in rule.levels)
    least = QUIET if speaks else BREATH
    lasts = Millis(max(level.clear_hold for level in rule.levels) * 3 + least)
    return (*_breaths(reversed(stairs)), Goal(value=calm, lasts=lasts))


def _breaths(values: Iterable[Decimal]) -> Iterator[Goal]:
    return (Goal(value=value, lasts=BREATH) for value in values)


def _again(rule: Rule, rank: int, kind: Kind, values: Sequence[Decimal]) -> Iterator[Plot]:
    """A level fires, and its trigger is met again: as soon as can be, and once it may fire."""
    level, calm, worst = rule.levels[rank], values[0], values[-1]
    begin = Goal(value=calm, lasts=BREATH)
    first = Goal(value=worst, lasts=Millis(level.hold + 2 * BREATH))
    last = Goal(value=worst, lasts=Millis(level.hold + level.cooldown + 2 * BREATH))
    pause = Goal(value=calm, lasts=Millis(level.clear_hold + BREATH))
    later = Goal(value=calm, lasts=Millis(max(level.clear_hold, level.cooldown) + BREATH))
    name = f"is told of {level.name} again"
    is_clear = kind is not Kind.SERIES and _chases(level)
    soon = (begin, first, last) if is_clear else (begin, first, pause, last)
    yield f"{name} soon after", soon, "all", ""
    yield f"{name} later", (begin, first, later, first), "all", ""


def _chases(level: Level) -> bool:
    return any(isinstance(do, ReduceUntil | TopUpUntil) for do in level.do)


def _around_the_clock(rule: Rule, rank: int, values: Sequence[Decimal]) -> Iterator[Plot]:
    """A latch that lets go at a time of day, soon after the level fires, and what comes then."""
    level = rule.levels[rank]
    if level.latch is None or level.latch.until is None:
        return
    early = Millis(-(-(level.hold + level.clear_hold + 4 * BREATH) // MINUTE) * MINUTE)
    start = Millis((level.latch.until - early) % DAY)
    calm, worst = values[0], values[-1]
    first = Millis(level.hold + 2 * BREATH)
    goals = (
        Goal(value=calm, lasts=BREATH),
        Goal(value=worst, lasts=first),
        Goal(value=calm, lasts=Millis(early - first)),
        Goal(value=worst, lasts=Millis(level.hold + 3 * level.cooldown + 2 * BREATH)),
    )
    yield f"is told of {level.name} around its latch", goals, "all", words.clock(start)


def _leap(rule: Rule, values: Sequence[Decimal]) -> tuple[Goal, ...]:
    """From calm to worst at once, and there until every patience has ended three times."""
    patience = max(
        (do.give_up_after for lv in rule.levels for do in _flattens(lv)), default=Millis(0)
    )
    hold = max(level.hold for level in rule.levels)
    return (
        Goal(value=values[0], lasts=BREATH),
        Goal(value=values[-1], lasts=Millis(hold + 3 * patience + 2 * BREATH)),
    )


def _flattens(level: Level) -> Iterator[Flatten]:
    for do in level.do:
        one = do.or_else if isinstance(do, ReduceUntil) else do
        if isinstance(one, Flatten):
            yield one


def _story(
    rule: Rule,
    driver: Driver,
    what: str,
    stops: Sequence[Stop],
    *,
    fills: str,
    start: str,
) -> Story:
    def retell(upto: Millis) -> tuple[str, ...]:
        said = [f'start: "{start}"'] if start else []
        said += ["fills: none"] if fills == "none" else []
        return (*said, *_lines(rule, driver, stops, fills, upto))

    return Story(
        name=f"{rule.id} {what}",
        ends=Millis(sum(stop.lasts for stop in stops)),
        retell=retell,
    )


def _lines(
    rule: Rule, driver: Driver, stops: Sequence[Stop], fills: str, upto: Millis
) -> Iterator[str]:
    yield f"account: {account_words(driver)}"
    if driver.words:
        yield f"markets: {{{driver.words}}}"
    begun = _begun(stops, upto)
    if driver.kind is Kind.FLOWS:
        if flows := _flows(driver, begun, rule):
            yield f"flows: {{{flows}}}"
        return
    said = ", ".join(
        f"{input_words(driver, stop.value, rule)}, {{hold: {words.duration(stop.lasts)}}}"
        for stop in begun
    )
    yield f"{driver.kind}: {{{driver.key}: [{said}]}}"
    if driver.kind is Kind.SERIES and fills == "all" and driver.course.number == 0:
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
    at, parts = Millis(0), []
    for stop in stops:
        if at and stop.value:
            parts.append(f"{words.duration(at)}: {input_words(driver, stop.value, rule)}")
        at = Millis(at + stop.lasts)
    return ", ".join(parts)


def input_words(driver: Driver, value: Decimal, rule: Rule) -> str:
    """An input as a test file writes it."""
    if driver.kind is Kind.SERIES:
        return words.exact(value, MEASURES[rule.measure.name].unit).replace(",", "_")
    if driver.kind is Kind.FUNDING:
        return f"{value.scaleb(2).normalize():f}%"
    return written(value)


def account_words(driver: Driver) -> str:
    """The account of a driver as a test file writes it."""
    account = driver.account
    parts = [_holding_words(account.holdings[0])]
    if account.wallet is not None:
        parts.append(f"float: {written(account.wallet)}")
    children = [
        f"{number}: {{{_holding_words(holding)}}}"
        for number, holding in account.holdings.items()
        if number
    ]
    if children:
        parts.append(f"children: {{{', '.join(children)}}}")
    return "{" + ", ".join(parts) + "}"


def _holding_words(holding: Holding) -> str:
    positions = ", ".join(
        f"{ticker}: {{size: {size.normalize():f}}}" for ticker, size in holding.positions.items()
    )
    said = f"equity: {written(holding.equity)}"
    return f"{said}, positions: {{{positions}}}" if positions else said
