"""Whether a test holds: each expectation against what the rules did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from seawall import words
from seawall.measures import MEASURES
from seawall.measures.spec import NoData, Unit
from seawall.policy import Policy
from seawall.rulefile.report import Place
from seawall.ruletest import actual
from seawall.ruletest.actual import Cut, Done
from seawall.ruletest.play import Moment, play
from seawall.ruletest.script import Expect, Limits, Number, Part, PartKind, RuleTest, Size, SizeUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that was not as expected, at its place in the test file."""

    test: str
    place: Place
    at: str
    what: str

    def __str__(self) -> str:
        return f"`{self.test}` at {self.at}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one test went, and the levels (RULE/LEVEL) that fired in it."""

    test: RuleTest
    failures: tuple[Failure, ...]
    fired: frozenset[str]


def run(policy: Policy, test: RuleTest) -> Result:
    """A test from beginning to end, with everything that fails."""
    fired: set[str] = set()
    failures: list[Failure] = []
    for moment, found in _judged(policy, test):
        failures.extend(found)
        fired.update(_fired(moment, policy))
    return Result(test=test, failures=tuple(failures), fired=frozenset(fired))


def fails(policy: Policy, test: RuleTest) -> bool:
    """Whether a test fails, looked at no further than its first failure."""
    return any(found for _, found in _judged(policy, test))


def _judged(policy: Policy, test: RuleTest) -> Iterator[tuple[Moment, tuple[Failure, ...]]]:
    expected = {one.at: one for one in test.expect}
    for moment in play(policy, test, expected.keys()):
        expect = expected.get(moment.at)
        found = () if expect is None else tuple(_judge(test, expect, moment, policy))
        yield moment, found


def _fired(moment: Moment, policy: Policy) -> Iterator[str]:
    rules = {rule.id for rule in policy.rules}
    for change in moment.decision.transitions:
        rule = change.key.split("/")[0]
        if change.after == "firing" and rule in rules:
            yield f"{rule}/{change.level}"


def _judge(test: RuleTest, expect: Expect, moment: Moment, policy: Policy) -> Iterator[Failure]:
    for what in _faults(expect, moment, policy):
        yield Failure(test=test.name, place=expect.place, at=words.duration(expect.at), what=what)


def _faults(expect: Expect, moment: Moment, policy: Policy) -> Iterator[str]:
    yield from _firing_faults(expect.firing, actual.firing(moment, policy), policy)
    if expect.plan is not None:
        yield from plan_faults(expect.plan, actual.done(moment, policy))
    for number in expect.measures:
        yield from _number_fault(number, moment, policy, "")
    for number in expect.after:
        yield from _number_fault(number, moment, policy, "after the plan ")
    if expect.messages is not None and expect.messages != actual.messages(moment):
        yield f"messages {_list(actual.messages(moment))}, expected {_list(expect.messages)}"
    if expect.locked is not None and expect.locked != actual.locked(moment):
        yield f"locked {_list(actual.locked(moment))}, expected {_list(expect.locked)}"


def _firing_faults(
    expected: Mapping[str, str], found: Mapping[str, str], policy: Policy
) -> Iterator[str]:
    ranks = {rule.id: [level.name for level in rule.levels] for rule in policy.rules}
    covered: set[str] = set()
    for key, level in expected.items():
        meant = [k for k in found if k == key or k.startswith(f"{key}/")]
        covered.update(meant)
        names = ranks[key.split("/")[0]]
        highest = max((found[k] for k in meant), key=names.index, default=None)
        if highest is None:
            yield f"{key} does not fire, expected {level}"
        elif highest != level:
            yield f"{key} fires at {highest}, expected {level}"
    for key, level in found.items():
        if key not in covered:
            yield f"{key}/{level} fires, nothing was expected of it"


def plan_faults(expected: Iterable[Part], done: Done) -> Iterator[str]:
    """Every part of a plan that is missing, too much, or of another size."""
    parts = {part.kind: part for part in expected}
    cancel = parts.get(PartKind.CANCEL)
    which = "" if cancel is None else cancel.which
    if which != (done.cancels or ""):
        yield f"plan cancels {done.cancels or 'nothing'}, expected {which or 'nothing'}"
    top_up = parts.get(PartKind.TOP_UP)
    if top_up is None or top_up.dollars is None:
        if done.top_up:
            yield f"plan deposits {words.dollars(done.top_up)}, expected nothing"
    elif not top_up.dollars.holds(done.top_up):
        wanted = _within(top_up.dollars, Unit.DOLLARS)
        yield f"plan deposits {words.dollars(done.top_up)}, expected {wanted}"
    reduce, flatten = parts.get(PartKind.REDUCE), parts.get(PartKind.FLATTEN)
    sizes = {} if reduce is None else reduce.sizes
    flat = {name for name, cut in done.cuts.items() if cut.is_flatten}
    yield from _flatten_faults(flatten, flat)
    for name in dict.fromkeys((*sizes, *(n for n in done.cuts if n not in flat))):
        yield from _size_fault(name, sizes.get(name), done.cuts.get(name))


def _flatten_faults(part: Part | None, flat: set[str]) -> Iterator[str]:
    if part is None:
        if flat:
            yield f"plan flattens {_list(sorted(flat))}, expected nothing"
    elif part.markets is None:
        if not flat:
            yield "plan flattens nothing, expected all"
    elif set(part.markets) != flat:
        yield f"plan flattens {_list(sorted(flat))}, expected {_list(part.markets)}"


def _size_fault(name: str, wanted: Size | None, cut: Cut | None) -> Iterator[str]:
    if wanted is None:
        assert cut is not None
        yield f"plan reduces {name} by {cut.coins:f}, expected nothing"
    elif cut is None:
        yield f"plan does not reduce {name}"
    elif not is_of_size(wanted, cut):
        share = words.show(cut.coins / cut.held, Unit.RATIO)
        unit = Unit.RATIO if wanted.unit is SizeUnit.SHARE else Unit.COUNT
        expected = _within(wanted.limits, unit)
        yield f"plan reduces {name} by {cut.coins:f} ({share}), expected {expected}"


def is_of_size(wanted: Size, cut: Cut) -> bool:
    """Whether a cut is as large as was expected, a share within one step of the market."""
    if wanted.unit is SizeUnit.COINS:
        return wanted.limits.holds(cut.coins)
    slack = cut.step / cut.held
    least, most = wanted.limits.least, wanted.limits.most
    share = cut.coins / cut.held
    return (least is None or share > least - slack) and (most is None or share < most + slack)


def _number_fault(number: Number, moment: Moment, policy: Policy, when: str) -> Iterator[str]:
    value = actual.number_now(moment, policy, number.measure, after=bool(when))
    if isinstance(value, NoData):
        yield f"{when}{number.text}: no data ({value.reason})"
    elif not _holds(number.operator, value, number.value):
        unit = MEASURES[number.measure.measure].unit
        yield f"{when}{number.text}: it is {words.show(value, unit)}"


def _holds(operator: str, value: Decimal, bound: Decimal) -> bool:
    match operator:
        case "==":
            return value == bound
        case ">=":
            return value >= bound
        case ">":
            return value > bound
        case "<=":
            return value <= bound
        case _:
            assert operator == "<"
            return value < bound


def _within(limits: Limits, unit: Unit) -> str:
    ends = [words.exact(end, unit) for end in (limits.least, limits.most) if end is not None]
    return " to ".join(dict.fromkeys(ends)) or "any"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items) or "nothing"
