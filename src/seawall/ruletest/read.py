"""A test file from text to Suite, with every fault said at once and at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from seawall.account import Market, RestingOrder
from seawall.errors import Problem, RuleFileError
from seawall.measures import MEASURES
from seawall.measures.view import Override
from seawall.policy import Policy, ReduceUntil, TopUpUntil
from seawall.rulefile import literals
from seawall.rulefile.fields import Fields, choice, read, which_market
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Report
from seawall.rulefile.tree import Entry, Listing, Node, Table, Word, kind_of, read_tree
from seawall.ruletest import amounts
from seawall.ruletest.accounts import read_account, read_markets, read_resting
from seawall.ruletest.expected import read_expectations
from seawall.ruletest.markets import FIXTURE
from seawall.ruletest.script import NOON, STEP, Account, Expect, Fills, RuleTest, Suite
from seawall.ruletest.series import Literal, Track, read_track
from seawall.units import Millis

CONSEQUENCE: Final = "Nothing was tested."
KEYS: Final = ("rules", "require", "defaults", "tests")
SHARED: Final = (
    "step", "start", "account", "markets", "fills", "series", "prices", "funding", "sizes",
    "resting",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What a test begins with: the defaults of the file, or of the test itself."""

    step: Millis = STEP
    start: Millis = NOON
    account: Account | None = None
    has_account: bool = False  # one was written, refused perhaps
    markets: Mapping[str, Market]
    fills: Fills = Fills.ALL
    series: Mapping[Override, Track]
    prices: Mapping[str, Track]
    funding: Mapping[str, Track]
    sizes: Mapping[str, Track]
    resting: tuple[RestingOrder, ...] = ()


def load_suite(path: Path, policy: Policy) -> Suite:
    """The tests of a file; raises RuleFileError with every problem."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(file=str(path), line=1, column=1, message=f"cannot be read: {reason}")
        raise RuleFileError((problem,), CONSEQUENCE) from None
    return parse_suite(text, policy, file=str(path))


def rules_named(path: Path) -> str | None:
    """The rule file that a test file names; None where it names none that can be read."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return None
    # One line says it as people write it: the rest of the file need not be read twice.
    line = next((one for one in text.splitlines() if one.startswith("rules:")), text)
    root = read_tree(line, Report(str(path)))
    for entry in root.entries if isinstance(root, Table) else ():
        if entry.key.text == "rules" and isinstance(entry.value, Word):
            return entry.value.text or None
    return None


def is_rule_file(path: Path) -> bool:
    """Whether a file lists rules and no tests: somebody named the one for the other."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError):
        return False
    if any(line.startswith("tests:") for line in lines):
        return False
    listed = (line.removeprefix("rules:").strip() for line in lines if line.startswith("rules:"))
    return any(not after or after[0] in "#[" for after in listed)


def parse_suite(text: str, policy: Policy, *, file: str = "rules.test.yaml") -> Suite:
    """The tests of a text; raises RuleFileError with every problem, in order of lines."""
    report = Report(file, CONSEQUENCE)
    root = read_tree(text, report)
    if root is None:
        report.raise_problems()
    assert root is not None
    fields = Fields(root, report, what="a test file", known=KEYS)
    rules = fields.value("rules", str, "rules.yaml")
    needs_levels, least = _read_require(fields)
    nothing = _Setting(markets=FIXTURE, series={}, prices={}, funding={}, sizes={})
    defaults = fields.node("defaults")
    setting = nothing
    if defaults is not None:
        inner = Fields(defaults, report, what="`defaults`", known=SHARED)
        setting = _read_setting(inner, nothing, policy)
    tests = _read_tests(fields, setting, policy)
    report.raise_problems()
    return Suite(
        file=file, rules=rules, tests=tests, needs_levels=needs_levels, mutation_least=least
    )


def _read_require(fields: Fields) -> tuple[bool, Decimal | None]:
    node = fields.node("require")
    if node is None:
        return False, None
    inner = Fields(node, fields.report, what="`require`", known=("coverage", "mutation"))
    coverage = inner.read("coverage", choice("levels"))
    mutation = inner.read("mutation", literals.share)
    least = None if mutation is None or mutation.value is None else mutation.value
    return coverage is not None, None if least is None else Decimal(least).scaleb(-6)


def _read_tests(fields: Fields, setting: _Setting, policy: Policy) -> tuple[RuleTest, ...]:
    node = fields.require("tests", "a file that tests nothing proves nothing")
    report = fields.report
    if node is None:
        return ()
    if not isinstance(node, Listing) or not node.items:
        report.refuse(node, f"{kind_of(node)}: `tests` is a list of tests, at least one")
        return ()
    tests: list[RuleTest] = []
    for item in node.items:
        test = _read_test(item, setting, policy, report)
        if test is None:
            continue
        if test.name in (other.name for other in tests):
            report.refuse(test.place, f"`{test.name}`: a second test with this name")
        tests.append(test)
    return tuple(tests)


def _read_test(node: Node, setting: _Setting, policy: Policy, report: Report) -> RuleTest | None:
    known = ("name", *SHARED, "flows", "expect")
    fields = Fields(node, report, what="a test", known=known)
    name = fields.required("name", _sentence, "one sentence that says what holds")
    setting = _read_setting(fields, setting, policy)
    expect = fields.require("expect", "a test that expects nothing cannot fail")
    if not setting.has_account and fields.is_readable:
        report.refuse(node, "`account`: missing here and in `defaults`, like {equity: 23_000}")
    expected: tuple[Expect, ...] = ()
    if expect is not None:
        expected = read_expectations(expect, policy, setting.step, setting.markets, report)
    if name is None or name.value is None or setting.account is None:
        return None
    return RuleTest(
        name=name.value,
        place=name.place,
        account=setting.account,
        markets=setting.markets,
        start=setting.start,
        step=setting.step,
        fills=setting.fills,
        series=setting.series,
        prices=setting.prices,
        funding=setting.funding,
        sizes=setting.sizes,
        flows=_read_flows(fields, setting.step),
        resting=setting.resting,
        expect=expected,
    )


def _read_setting(fields: Fields, before: _Setting, policy: Policy) -> _Setting:
    """A test's own words over the defaults: tables of series are merged by name."""
    report = fields.report
    setting = replace(
        before,
        step=fields.value("step", _step, before.step),
        start=fields.value("start", literals.time_of_day, before.start),
        fills=Fills(fields.value("fills", choice(*Fills), str(before.fills))),
        markets=read_markets(fields.node("markets"), before.markets, report),
    )
    account = fields.node("account")
    if account is not None:
        read = read_account(account, setting.markets, report)
        setting = replace(setting, account=read, has_account=True)
    resting = fields.node("resting")
    if resting is not None:
        setting = replace(setting, resting=read_resting(resting, setting.markets, report))
    setting = replace(
        setting,
        prices={**before.prices, **_by_market(fields, "prices", amounts.positive, setting)},
        funding={**before.funding, **_by_market(fields, "funding", literals.ratio, setting)},
        sizes={**before.sizes, **_by_market(fields, "sizes", amounts.coins, setting)},
    )
    return replace(setting, series={**before.series, **_read_series(fields, policy, setting)})


def _entries(fields: Fields, key: str) -> tuple[Entry, ...]:
    node = fields.node(key)
    if node is None:
        return ()
    if not isinstance(node, Table):
        fields.report.refuse(node, f"{kind_of(node)}: `{key}` is a table of names and values")
        return ()
    return node.entries


def _read_series(fields: Fields, policy: Policy, setting: _Setting) -> dict[Override, Track]:
    found: dict[Override, Track] = {}
    report = fields.report
    for entry in _entries(fields, "series"):
        key = entry.key.text
        try:
            whose = amounts.measure_named(key, policy)
        except LiteralError as error:
            report.refuse(entry.key, str(error))
            continue
        chasing = _chased_by(whose, policy)
        if chasing is not None:
            report.refuse(
                entry.key,
                f"`{key}`: is moved by `until: target` of {chasing}, so a series cannot say it; "
                "move price, size, funding or equity instead",
            )
            continue
        unheard = amounts.unheard(whose, policy, setting.markets)
        if not unheard and setting.account is not None:
            unheard = amounts.absent(whose, setting.account, setting.sizes)
        if unheard:
            report.refuse(entry.key, f"`{key}`: {unheard}")
            continue
        literal = amounts.in_unit(MEASURES[whose.measure].unit)
        track = read_track(entry.value, literal, report, key)
        if track is not None:
            found[whose] = track
    return found


def _chased_by(whose: Override, policy: Policy) -> str | None:
    """The rule that brings this measure to a target; None where none does."""
    for rule in policy.rules:
        if (rule.measure.name, rule.measure.scenario) != (whose.measure, whose.scenario):
            continue
        if any(isinstance(do, ReduceUntil | TopUpUntil) for lv in rule.levels for do in lv.do):
            return rule.id
    return None


def _by_market(fields: Fields, key: str, literal: Literal, setting: _Setting) -> dict[str, Track]:
    found: dict[str, Track] = {}
    for entry in _entries(fields, key):
        if entry.key.text not in setting.markets:
            hint = which_market(entry.key.text, setting.markets)
            fields.report.refuse(entry.key, f"`{entry.key.text}`: unknown market, {hint}")
            continue
        track = read_track(entry.value, literal, fields.report, entry.key.text)
        if track is not None and any(one.first is None for one in track.stretches):
            fields.report.refuse(entry.value, f"`missing`: only a measure can be, not `{key}`")
        elif track is not None:
            found[entry.key.text] = track
    return found


def _read_flows(fields: Fields, step: Millis) -> dict[Millis, Decimal]:
    flows: dict[Millis, Decimal] = {}
    for entry in _entries(fields, "flows"):
        at = read(entry.key, amounts.moment, fields.report, "flows").value
        amount = read(entry.value, amounts.plain, fields.report, entry.key.text).value
        if at is None or amount is None:
            continue
        if at % step or at == 0:
            fields.report.refuse(entry.key, f"`{entry.key.text}`: no step of the test after 0s")
        flows[at] = amount
    return flows


def _step(text: str) -> Millis:
    step = literals.duration(text)
    if not 0 < step <= STEP:
        raise LiteralError(
            f"`{text}`: a step of 1s to 5s is expected; a tick adds at most 5s to a `for`, and "
            "what rests is skipped anyway"
        )
    return step


def _sentence(text: str) -> str:
    if not text:
        raise LiteralError("`name`: empty, one sentence that says what holds is expected")
    return " ".join(text.split())
