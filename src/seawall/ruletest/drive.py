"""On which accounts a rule's story can be told, and what moves its measure there.

A measure that some level brings to a target cannot be said, only reached: by money in and out, by
the size of a position, by its price, or by a funding rate. Other rules look at the same account:
where one of them minds what is done to it, another account may be calmer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from seawall.account import PARENTS, Market
from seawall.measures import MEASURES
from seawall.measures.spec import Family, NoData, Per
from seawall.policy import Policy, ReduceUntil, Rule, TopUpUntil
from seawall.rulefile.explain import values
from seawall.ruletest import steer
from seawall.ruletest.markets import FIXTURE, other
from seawall.ruletest.script import Account, Holding
from seawall.ruletest.steer import Course, Kind
from seawall.units import Ppm

RICH = Decimal(1_000_000)  # of a subaccount without positions: keeps rules of the whole calm
POSITIONS = (Decimal(2_000), Decimal(500), Decimal(100))  # dollars, tried from the largest
NOTIONALS = (Decimal(20_000), Decimal(2_000), Decimal(200_000))  # of a measure that is chased
EQUITIES = (1, 10, 100, 1_000, 10_000)  # times what is usual beyond the buffer
GROWTH = Decimal("1.5")  # what a trader makes of the position at the worst moment
CASH = Decimal(6_000)
DRIVERS_MOST = 6  # accounts on which a rule is told, the calmest


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What moves a rule's measure (`key` of a series, else the market), on which account."""

    course: Course
    key: str
    words: str = ""  # of the market, where the test describes it

    @property
    def kind(self) -> Kind:
        """The word of a test file that moves the measure."""
        return self.course.kind

    @property
    def account(self) -> Account:
        """The account at 0s."""
        return self.course.account

    @property
    def ticker(self) -> str:
        """The market of the position."""
        return self.course.market.ticker

    @property
    def size(self) -> Decimal:
        """Coins at 0s."""
        return self.account.holdings[self.course.number].positions.get(self.ticker, Decimal(0))


class Tier(StrEnum):
    """Margins of a market that a test describes."""

    USUAL = "initial: 5%, maintenance: 3%"
    HEAVY = "initial: 50%, maintenance: 3%"  # a small position takes much of what is free


@dataclass(frozen=True, slots=True)
class _Listed:
    """A market to tell a story in; `words` where a test must describe it."""

    market: Market
    words: str = ""


def drivers_of(policy: Policy, rule: Rule, range_: Sequence[Decimal]) -> tuple[Driver, ...]:
    """Accounts on which the measure can be moved through a range, those first that others let be.

    A rule that fires beside the one in question blurs the story, and makes it slow to play.
    """
    number = _number(policy, rule)
    listed = tuple(_listed(policy, rule))
    if number is None or not listed:
        return ()
    found: list[tuple[int, Driver]] = []
    for driver in _drivers(policy, rule, number, listed):
        opened = _opened(policy, rule, driver, range_[0])
        if opened is None:
            continue
        found.append((_minded(policy, rule, opened, range_[-1]), opened))
        if found[-1][0] == 0 and driver.kind is Kind.SERIES:
            return (opened,)
    return tuple(islice(_calmest_of_each(found), DRIVERS_MOST))


def _calmest_of_each(found: Sequence[tuple[int, Driver]]) -> Iterator[Driver]:
    """The calmest of each way to move the measure, the calmest way first; then the second best."""
    turns: list[tuple[int, int, Driver]] = []
    seen: Counter[tuple[Kind, str, Decimal | None]] = Counter()
    for minded, driver in sorted(found, key=lambda one: one[0]):
        way = (driver.kind, driver.words or driver.ticker, driver.account.wallet)
        turns.append((seen[way], minded, driver))
        seen[way] += 1
    return (driver for _, _, driver in sorted(turns, key=lambda one: one[:2]))


def _number(policy: Policy, rule: Rule) -> int | None:
    """The subaccount of the position: the parent where it is in scope."""
    named = rule.scope.subaccounts
    there = [0, PARENTS] if named is None else sorted(named)
    free = (one for one in there if one % PARENTS == 0)
    return next((one for one in free if one not in policy.hands_off.subaccounts), None)


def _listed(policy: Policy, rule: Rule) -> Iterator[_Listed]:
    """Markets in scope, without a typed cap before those with one, then one that a test makes.

    A rule that watches caps is about those that have one.
    """
    capped, is_about_caps = policy.caps.typed, rule.measure.name == "cap_use"
    other_names = (*(rule.scope.markets or ()), *capped, "ALT-USD")
    names = [
        ticker
        for ticker in dict.fromkeys((*FIXTURE, *other_names))
        if rule.scope.has_market(ticker) and ticker not in policy.hands_off.markets
    ]
    names.sort(key=lambda one: (one in capped) is not is_about_caps)
    for ticker in [one for one in names if one in FIXTURE][:1]:
        yield _Listed(FIXTURE[ticker])
    for ticker in [one for one in names if one not in FIXTURE][:1]:
        for tier in Tier:
            yield _made(ticker, tier)


def _made(ticker: str, tier: Tier) -> _Listed:
    initial = Ppm(500_000 if tier is Tier.HEAVY else 50_000)
    market = other(
        ticker,
        0,
        oracle=Decimal(20),
        initial=initial,
        maintenance=Ppm(30_000),
        step=Decimal("0.01"),
        tick=Decimal("0.001"),
    )
    return _Listed(market, f"{ticker}: {{oracle: 20, {tier}, step: 0.01, tick: 0.001}}")


def _drivers(
    policy: Policy, rule: Rule, number: int, listed: Sequence[_Listed]
) -> Iterator[Driver]:
    name, buffer = rule.measure.name, policy.buffer.parent
    measure = MEASURES[name]
    if not is_chased(policy, rule):
        key = name if rule.measure.scenario is None else f"{name}/{rule.measure.scenario}"
        for dollars in POSITIONS:
            for equity in EQUITIES:
                money = buffer + 20_000 * equity
                yield _driver(Kind.SERIES, listed[0], number, dollars, money, key=key)
        return
    if name == "funding_24h":
        for one in listed:
            for equity in EQUITIES:
                money = buffer + 30_000 * equity
                yield _driver(Kind.FUNDING, one, number, Decimal(5_000), money, rich=True)
        return
    if measure.family is Family.EXPOSURE and number == 0:
        least = max(Decimal(20_000), _largest(rule) * 10)
        for one in listed:
            for equity in EQUITIES:
                money = buffer + (30_000 if name == "cap_use" else least) * equity
                rich = name != "cap_use"
                yield _driver(Kind.SIZES, one, number, Decimal(0), money, rich=rich)
        return
    yield from _margined(policy, rule, number, listed)


def _margined(
    policy: Policy, rule: Rule, number: int, listed: Sequence[_Listed]
) -> Iterator[Driver]:
    """Margins of one subaccount, moved by money or by the price; with cash to add and without."""
    largest = _largest(rule)
    is_money = MEASURES[rule.measure.name].unit == "dollars"
    sizes = (largest * 5, largest, largest * 50) if is_money else NOTIONALS
    rich = rule.scope.per is not Per.ACCOUNT
    child = PARENTS if number == 0 and rule.scope.has_subaccount(PARENTS) else number
    tops_up = any(isinstance(do, TopUpUntil) for level in rule.levels for do in level.do)
    for cash in (CASH, None) if tops_up else (CASH,):
        for one in reversed(listed):
            for dollars in sizes:
                money = policy.buffer.parent + dollars * 2 + largest * 2
                if number == 0:
                    yield _driver(Kind.FLOWS, one, 0, dollars, money, rich=rich, cash=cash)
                if child and rich:
                    yield _driver(Kind.PRICES, one, child, dollars, money, rich=True, cash=cash)


def _driver(
    kind: Kind,
    listed: _Listed,
    number: int,
    dollars: Decimal,
    equity: Decimal,
    *,
    key: str = "",
    rich: bool = False,
    cash: Decimal | None = CASH,
) -> Driver:
    market = listed.market
    size = (dollars / market.oracle_dollars).quantize(Decimal("0.001"))
    holdings = {number: Holding(equity=equity, positions={market.ticker: size} if size else {})}
    if number or rich:
        holdings[0 if number else PARENTS] = Holding(equity=RICH)
    account = Account(holdings=dict(sorted(holdings.items())), wallet=cash)
    return Driver(
        course=Course(kind=kind, market=market, number=number, account=account),
        key=key or market.ticker,
        words=listed.words,
    )


def is_chased(policy: Policy, rule: Rule) -> bool:
    """Whether some level brings the rule's measure to a target, so that no series may say it."""
    return any(
        isinstance(do, ReduceUntil | TopUpUntil)
        for one in policy.rules
        if one.measure == rule.measure
        for level in one.levels
        for do in level.do
    )


def _opened(policy: Policy, rule: Rule, driver: Driver, calm: Decimal) -> Driver | None:
    """The driver on an account whose money makes the measure calm; None where none does."""
    if driver.kind not in (Kind.FLOWS, Kind.PRICES):
        return driver
    course = driver.course
    seen = steer.first_look(course)
    by_money = replace(course, kind=Kind.FLOWS)
    flow = steer.input_for(policy, rule, by_money, steer.view_of(policy, seen), calm)
    if flow is None:
        return None
    holding = course.account.holdings[course.number]
    money = replace(holding, equity=holding.equity + flow)
    account = replace(course.account, holdings={**course.account.holdings, course.number: money})
    return replace(driver, course=replace(course, account=account))


def _minded(policy: Policy, rule: Rule, driver: Driver, worst: Decimal) -> int:
    """How many levels with another measure have something to say, calm and at worst."""
    course = driver.course
    seen = steer.first_look(course)
    seens = [seen]
    if driver.kind is Kind.SERIES:
        if course.number == 0:
            grown = replace(course, kind=Kind.SIZES)
            seens.append(steer.turned(seen, grown, driver.size * (GROWTH - 1)))
    else:
        found = steer.input_for(policy, rule, course, steer.view_of(policy, seen), worst)
        if found is None:
            return 1_000
        seens.append(steer.turned(seen, course, found))
    return sum(
        level.trigger.holds(value)
        for one in seens
        for other_rule in policy.rules
        if other_rule.measure != rule.measure
        for value in values(other_rule, policy, steer.view_of(policy, one)).values()
        if not isinstance(value, NoData)
        for level in other_rule.levels
    )


def _largest(rule: Rule) -> Decimal:
    bounds = [b for lv in rule.levels for b in (lv.trigger, lv.target, lv.clear) if b is not None]
    return max(abs(bound.value) for bound in bounds) or Decimal(100)
