"""Numbers of a test file: plain ones are dollars, coins and prices; measures keep their units."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import assert_never

from seawall.account import Market
from seawall.measures import MEASURES
from seawall.measures.spec import Family, Per, Unit
from seawall.measures.view import Override
from seawall.policy import Policy, Rule
from seawall.rulefile import literals
from seawall.rulefile.fields import read
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Report, did_you_mean
from seawall.rulefile.tree import Listing, Node
from seawall.ruletest.script import Account, Limits, Size, SizeUnit
from seawall.units import Millis

_PLAIN = re.compile(rf"([+-]?)\$?({literals.DIGITS}(?:\.\d{{1,10}})?)", re.ASCII)
_BOUND = re.compile(r"(==|>=|<=|>|<)\s*(\S.*)", re.DOTALL)


def plain(text: str) -> Decimal:
    """Dollars, coins or a price, signed, `$` or not; raises LiteralError."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        meant = [f"`{each}`" for each in literals.regrouped(text) if _PLAIN.fullmatch(each)]
        likely = literals.meant(text, Unit.DOLLARS)
        if not meant and likely is not None and _PLAIN.fullmatch(likely):
            meant = [f"`{likely.replace('$', '')}`"]
        hint = f", did you mean {' or '.join(meant)}?" if meant else ""
        raise LiteralError(f"`{text}`: expected a plain number like `23_000` or `-0.06`{hint}")
    return Decimal(f"{found[1]}{found[2].replace('_', '')}")


def coins(text: str) -> Decimal:
    """A size in coins, signed; raises LiteralError."""
    if "$" in text:
        raise LiteralError(f"`{text}`: a size is in coins, like `0.06`")
    return plain(text)


def coins_closed(text: str) -> Decimal:
    """Coins above zero; raises LiteralError."""
    if "$" in text:
        raise LiteralError(f"`{text}`: expected coins or a share, like `0.02` or `33%`")
    return positive(text)


def positive(text: str) -> Decimal:
    """A plain number above zero; raises LiteralError."""
    value = plain(text)
    if value <= 0:
        raise LiteralError(f"`{text}`: above 0 is expected")
    return value


def in_unit(unit: Unit) -> Callable[[str], Decimal]:
    """A literal of a measure's unit; dollars and counts may be plain."""

    def literal(text: str) -> Decimal:
        if unit is Unit.DOLLARS and _PLAIN.fullmatch(text):
            return plain(text)
        return literals.amount(text, unit)

    return literal


def bound_in(unit: Unit) -> Callable[[str], tuple[str, Decimal]]:
    """An operator, `==` among them, and a value of a measure's unit."""

    def literal(text: str) -> tuple[str, Decimal]:
        found = _BOUND.fullmatch(text)
        if found is None:
            raise LiteralError(f'`{text}`: expected an operator and a value, like "== 0%"')
        return found[1], in_unit(unit)(found[2])

    return literal


def moment(text: str) -> Millis:
    """A time since the start of the test; raises LiteralError."""
    return literals.duration(text)


def dollars_within(node: Node, report: Report) -> Limits | None:
    """An amount, or a range of two; None where it was refused."""
    return _range(node, plain, report, "top_up")


def size_of(node: Node, report: Report, key: str) -> Size | None:
    """`33%`, `0.02`, `all`, or a range of two of a kind; None where it was refused."""
    unit = SizeUnit.SHARE if _is_share(node) else SizeUnit.COINS
    limits = _range(node, _share if unit is SizeUnit.SHARE else coins_closed, report, key)
    return None if limits is None else Size(unit=unit, limits=limits)


def _is_share(node: Node) -> bool:
    first = node.items[0] if isinstance(node, Listing) and node.items else node
    text = getattr(first, "text", "")
    return text == "all" or text.endswith(("%", "bps"))


def _share(text: str) -> Decimal:
    return Decimal(1) if text == "all" else Decimal(literals.share(text)).scaleb(-6)


def _range(
    node: Node, literal: Callable[[str], Decimal], report: Report, key: str
) -> Limits | None:
    if not isinstance(node, Listing):
        found = read(node, literal, report, key)
        return None if found.value is None else Limits(least=found.value, most=found.value)
    if len(node.items) != 2:
        report.refuse(node, f"`{key}`: a range has two ends, like [0.01, 0.02]")
        return None
    least, most = (read(item, literal, report, key).value for item in node.items)
    if least is None or most is None:
        return None
    if least > most:
        report.refuse(node, f"`{key}`: the range ends before it begins")
        return None
    return Limits(least=least, most=most)


def measure_named(text: str, policy: Policy) -> Override:
    """MEASURE[/SCENARIO][/INSTANCE]; raises LiteralError for one that is not there."""
    name, *rest = text.split("/")
    measure = MEASURES.get(name)
    if measure is None:
        raise LiteralError(f"`{name}`: unknown measure, {did_you_mean(name, MEASURES)}")
    scenario = None
    if measure.needs_scenario:
        scenario = rest.pop(0) if rest else ""
        if scenario not in policy.scenarios:
            hint = did_you_mean(scenario, sorted(policy.scenarios))
            raise LiteralError(f"`{text}`: {name} names a scenario, like {name}/SCENARIO/0; {hint}")
    return Override(measure=name, scenario=scenario, instance="/".join(rest) if rest else None)


def unheard(whose: Override, policy: Policy, markets: Mapping[str, Market]) -> str:
    """Why no rule would hear of this measure by that instance; else empty."""
    name = whose.instance
    watching = [
        rule
        for rule in policy.rules
        if (rule.measure.name, rule.measure.scenario) == (whose.measure, whose.scenario)
    ]
    plain = "/".join(filter(None, (whose.measure, whose.scenario)))
    if not watching:
        watched = dict.fromkeys(
            "/".join(filter(None, (rule.measure.name, rule.measure.scenario)))
            for rule in policy.rules
        )
        return f"no rule watches `{plain}`, so this moves nothing; {did_you_mean(plain, watched)}"
    if name is None or any(_is_of(name, rule, markets) for rule in watching):
        return ""
    told = ", ".join(f"{rule.id} per {rule.scope.per}" for rule in watching)
    return f"no rule watches such an instance ({told}); `{plain}` is every one"


def absent(whose: Override, account: Account, traded: Collection[str]) -> str:
    """Why the account of a test has no such instance; else empty. `traded` are in its parent."""
    number, _, ticker = (whose.instance or "").rpartition("/")
    if ticker.isdecimal():
        number, ticker = ticker, ""
    if not number.isdecimal():
        return ""
    holding = account.holdings.get(int(number))
    if holding is None:
        there = ", ".join(f"`{each}`" for each in account.holdings)
        return f"the account has no subaccount {number}, there is {there}"
    held = (*holding.positions, *(traded if int(number) == 0 else ()))
    if ticker and ticker not in held:
        return f"subaccount {number} never holds {ticker}, {did_you_mean(ticker, held)}"
    return ""


def _is_of(name: str, rule: Rule, markets: Mapping[str, Market]) -> bool:
    """Whether an instance of a rule can have this name."""
    number, _, ticker = name.rpartition("/")
    match rule.scope.per:
        case Per.ACCOUNT:
            return False  # the whole account has no name
        case Per.GROUP:
            return name == rule.id
        case Per.SUBACCOUNT:
            return name.isdecimal() and rule.scope.has_subaccount(int(name))
        case Per.MARKET:
            is_banded = MEASURES[rule.measure.name].family is Family.LIQUIDATION
            return number.isdecimal() is is_banded and (
                ticker in markets and rule.scope.has_market(ticker)
            )
        case _ as never:
            assert_never(never)


def written(value: Decimal) -> str:
    """A plain number as a test file writes it: `23_000`, `-0.06`."""
    return f"{value.normalize():,f}".replace(",", "_")
