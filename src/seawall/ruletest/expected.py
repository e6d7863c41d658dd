"""What a rule test expects, at which times: exact where it speaks, silent nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from seawall import words
from seawall.account import Market
from seawall.decide.memory import Urgency
from seawall.measures import MEASURES
from seawall.policy import CancelWhich, Policy
from seawall.rulefile import literals
from seawall.rulefile.fields import Fields, choice, read, which_market, words_of
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Report, did_you_mean
from seawall.rulefile.tree import Listing, Node, Table, Word, kind_of
from seawall.ruletest import amounts
from seawall.ruletest.script import Expect, Number, Part, PartKind, Size
from seawall.units import Millis

KEYS = ("at", "firing", "quiet", "plan", "after", "measures", "messages", "locked")


def read_expectations(
    node: Node, policy: Policy, step: Millis, markets: Mapping[str, Market], report: Report
) -> tuple[Expect, ...]:
    """The expectations of one test, in order of time; an empty list is refused."""
    if not isinstance(node, Listing) or not node.items:
        report.refuse(node, "`expect`: empty, a test that expects nothing cannot fail")
        return ()
    found: list[Expect] = []
    for item in node.items:
        one = _read_one(item, policy, step, markets, report)
        if one is None:
            continue
        if found and one.at <= found[-1].at:
            report.refuse(one.place, "`at`: times go forward, each once")
        found.append(one)
    return tuple(found)


def _read_one(
    node: Node, policy: Policy, step: Millis, markets: Mapping[str, Market], report: Report
) -> Expect | None:
    fields = Fields(node, report, what="an expectation", known=KEYS)
    at = fields.required("at", literals.duration, "when, since the start, like `2m45s`")
    firing = _read_firing(fields, policy)
    plan = fields.node("plan")
    messages, locked = fields.node("messages"), fields.node("locked")
    expect = Expect(
        place=at.place if at is not None else node,
        at=Millis(0) if at is None or at.value is None else at.value,
        firing=firing,
        plan=None if plan is None else _read_plan(plan, markets, report),
        after=_read_numbers(fields, "after", policy),
        measures=_read_numbers(fields, "measures", policy),
        messages=None if messages is None else _choices(messages, report),
        locked=None if locked is None else _markets(locked, markets, report, "locked"),
    )
    if expect.at % step:
        near = words.duration(Millis(round(expect.at / step) * step))
        report.refuse(
            expect.place,
            f"`{words.duration(expect.at)}`: not on a step of the test, which is {step // 1000}s, "
            f"did you mean `{near}`?",
        )
    return expect if at is not None and at.value is not None else None


def _read_firing(fields: Fields, policy: Policy) -> dict[str, str]:
    """RULE[/INSTANCE] to level; nothing is said by `quiet: true`, and only by it."""
    report, node = fields.report, fields.node("firing")
    quiet = fields.read("quiet", literals.flag)
    if node is None and (quiet is None or (quiet.value is not None and not quiet.value)):
        report.refuse(fields.place, "`firing` or `quiet: true`: one of them must be said")
    if node is not None and quiet is not None:
        report.refuse(fields.place_of("quiet"), "`quiet`: beside `firing`, say one of them")
    if node is None:
        return {}
    if not isinstance(node, Table) or not node.entries:
        report.refuse(node, "`firing`: a table like {RULE: LEVEL}; for nothing say `quiet: true`")
        return {}
    rules = {rule.id: rule for rule in policy.rules}
    firing: dict[str, str] = {}
    for entry in node.entries:
        name = entry.key.text.split("/")[0]
        if name not in rules:
            hint = did_you_mean(name, rules)
            report.refuse(entry.key, f"`{name}`: unknown rule, {hint}")
            continue
        levels = [level.name for level in rules[name].levels]
        level = entry.value.text if isinstance(entry.value, Word) else ""
        if level not in levels:
            hint = did_you_mean(level, levels)
            report.refuse(entry.value, f"`{level}`: no level of {name}, {hint}")
            continue
        firing[entry.key.text] = level
    return firing


def _read_plan(
    node: Node, markets: Mapping[str, Market], report: Report
) -> tuple[Part, ...] | None:
    if not isinstance(node, Listing):
        report.refuse(
            node, f"{kind_of(node)}: `plan` is a list like [{{reduce: {{BTC-USD: 33%}}}}]"
        )
        return None
    parts: list[Part] = []
    order = list(PartKind)
    for item in node.items:
        part = _read_part(item, markets, report)
        if part is None:
            continue
        if parts and order.index(part.kind) <= order.index(parts[-1].kind):
            names = ", ".join(order)
            report.refuse(part.place, f"`{part.kind}`: parts stand in their order, {names}")
        parts.append(part)
    return tuple(parts)


def _read_part(node: Node, markets: Mapping[str, Market], report: Report) -> Part | None:
    if not isinstance(node, Table) or len(node.entries) != 1:
        report.refuse(node, f"{kind_of(node)}: one part each, like {{flatten: all}}")
        return None
    entry = node.entries[0]
    key, value = entry.key.text, entry.value
    if key not in tuple(PartKind):
        hint = did_you_mean(key, PartKind)
        if key in ("lock", "locked"):
            hint = "it stands beside `plan`, like `locked: [BTC-USD]`"
        report.refuse(entry.key, f"`{key}`: no part of a plan, {hint}")
        return None
    kind = PartKind(key)
    match kind:
        case PartKind.CANCEL:
            which = read(value, choice(*CancelWhich), report, key).value
            return Part(place=entry.key, kind=kind, which=which or "")
        case PartKind.TOP_UP:
            return Part(place=entry.key, kind=kind, dollars=amounts.dollars_within(value, report))
        case PartKind.REDUCE:
            return Part(place=entry.key, kind=kind, sizes=_read_sizes(value, markets, report))
        case PartKind.FLATTEN:
            is_all = isinstance(value, Word) and value.text == "all"
            if isinstance(value, Word) and not is_all:
                report.refuse(value, f"`{value.text}`: `flatten` takes `all` or a list of markets")
                return None
            named = None if is_all else _markets(value, markets, report, key)
            return Part(place=entry.key, kind=kind, markets=named)


def _read_sizes(node: Node, markets: Mapping[str, Market], report: Report) -> dict[str, Size]:
    if not isinstance(node, Table) or not node.entries:
        report.refuse(node, f"{kind_of(node)}: `reduce` is a table like {{BTC-USD: 33%}}")
        return {}
    sizes: dict[str, Size] = {}
    for entry in node.entries:
        if _is_slot(entry.key, markets, report):
            size = amounts.size_of(entry.value, report, entry.key.text)
            if size is not None:
                sizes[entry.key.text] = size
    return sizes


def _read_numbers(fields: Fields, key: str, policy: Policy) -> tuple[Number, ...]:
    node, report = fields.node(key), fields.report
    if node is None:
        return ()
    if not isinstance(node, Table) or not node.entries:
        report.refuse(node, f'{kind_of(node)}: `{key}` is a table like {{drawdown: "== 0%"}}')
        return ()
    numbers = []
    for entry in node.entries:
        try:
            measure = amounts.measure_named(entry.key.text, policy)
        except LiteralError as error:
            report.refuse(entry.key, str(error))
            continue
        literal = amounts.bound_in(MEASURES[measure.measure].unit)
        found = read(entry.value, literal, report, entry.key.text)
        if found.value is not None and isinstance(entry.value, Word):
            operator, value = found.value
            numbers.append(
                Number(
                    place=entry.key,
                    measure=measure,
                    operator=operator,
                    value=value,
                    text=f"{entry.key.text} {entry.value.text}",
                )
            )
    return tuple(numbers)


def _choices(node: Node, report: Report) -> tuple[str, ...]:
    if not isinstance(node, Listing):
        report.refuse(node, f"{kind_of(node)}: `messages` is a list like [page]")
        return ()
    said = (read(item, choice(*Urgency), report, "messages").value for item in node.items)
    return tuple(sorted(one for one in said if one is not None))


def _markets(
    node: Node, markets: Mapping[str, Market], report: Report, key: str
) -> tuple[str, ...]:
    named = words_of(node, report, key)
    return tuple(sorted(word.text for word in named if _is_slot(word, markets, report)))


def _is_slot(word: Word, markets: Mapping[str, Market], report: Report) -> bool:
    """Whether a word is [NUMBER/]TICKER of a market of the test."""
    ticker = word.text.split("/")[-1]
    if ticker not in markets:
        report.refuse(word, f"`{ticker}`: unknown market, {which_market(ticker, markets)}")
        return False
    return True
