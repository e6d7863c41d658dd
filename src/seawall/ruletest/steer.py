"""Steering: what to do to an account now so that a computed measure takes a value.

What the guard sold or deposited is gone from sizes and money, so a story is steered as it is
played: each input is worked out from the account as it is at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from seawall import margin, units
from seawall.account import Funding, Market, Observation, Subaccount
from seawall.measures import MEASURES, ledger, value_of
from seawall.measures.spec import NoData, Per, Value
from seawall.measures.view import Override, View
from seawall.policy import Policy, Rule
from seawall.rulefile.report import Place
from seawall.ruletest.actual import instance_named
from seawall.ruletest.markets import FIXTURE, priced
from seawall.ruletest.play import play
from seawall.ruletest.script import STEP, Account, Fills, RuleTest
from seawall.ruletest.series import Stretch, Track
from seawall.ruletest.stage import Stage
from seawall.units import Millis, QuoteQuantums

ADDITIVE = ("equity", "free_collateral", "stress_headroom")  # a dollar is a dollar
CENT = Decimal("0.01")
RATE = Decimal("1E-9")  # of funding per hour
PRICE_PARTS = 100_000  # a price moves by this part of itself
REACH = 1 << 40  # steps that an input may go


class Kind(StrEnum):
    """The word of a test file that moves a measure."""

    SERIES = "series"
    SIZES = "sizes"
    FLOWS = "flows"
    PRICES = "prices"
    FUNDING = "funding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is moved, in which market and subaccount of which account at 0s."""

    kind: Kind
    market: Market
    number: int
    account: Account

    @property
    def unit(self) -> Decimal:
        """The smallest change of the input."""
        market = self.market
        match self.kind:
            case Kind.FLOWS:
                return CENT
            case Kind.SIZES:
                return market.coins(market.step_base_quantums)
            case Kind.FUNDING:
                return RATE
            case _:
                return market.oracle_dollars / PRICE_PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A value that the measure shall take, and how long it stays."""

    value: Decimal
    lasts: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One input of a story and how long it stays: a level of it, or the money that moves."""

    value: Decimal
    lasts: Millis


def first_look(course: Course) -> Observation:
    """The account at 0s."""
    return Stage(_test_of(course)).look(Millis(0))


def view_of(policy: Policy, seen: Observation) -> View:
    """What measures look at, as if the guard had begun now."""
    book, _ = ledger.advance(None, seen, price_band=policy.price_band)
    return policy.view(seen, book)


def turned(seen: Observation, course: Course, amount: Decimal) -> Observation:
    """The observation with an input: dollars in, coins bought, a price, or a funding rate."""
    ticker = course.market.ticker
    match course.kind:
        case Kind.FLOWS:
            return _with(seen, course.number, lambda one: _paid(one, units.quote_down(amount)))
        case Kind.SIZES:
            market = seen.markets[ticker]
            bought = int(amount.scaleb(-market.atomic_resolution))
            worth = abs(margin.notional(market, units.BaseQuantums(bought)))

            def trade(one: Subaccount) -> Subaccount:
                settled = margin.settle(one, seen.markets)
                return margin.with_fill(settled, market, bought, worth, 0)

            return _with(seen, course.number, trade) if bought else seen
        case Kind.PRICES:
            market = priced(seen.markets[ticker], amount)
            return replace(seen, markets={**seen.markets, ticker: market})
        case Kind.FUNDING:
            rate = Funding(rate=amount, p90_long=Decimal(0), p90_short=Decimal(0))
            assert isinstance(seen.advice.funding, dict)
            advice = replace(seen.advice, funding={**seen.advice.funding, ticker: rate})
            return replace(seen, advice=advice)
        case Kind.SERIES:
            return seen


def _with(
    seen: Observation, number: int, change: Callable[[Subaccount], Subaccount]
) -> Observation:
    changed = (change(one) if one.number == number else one for one in seen.subaccounts)
    return replace(seen, subaccounts=tuple(changed))


def _paid(one: Subaccount, amount: QuoteQuantums) -> Subaccount:
    return replace(one, usdc=QuoteQuantums(one.usdc + amount))


def input_for(
    policy: Policy, rule: Rule, course: Course, view: View, value: Decimal
) -> Decimal | None:
    """The input at which the measure is at a value or just beyond it; None where none is.

    Beyond is the side that is worse. Inputs are as `turned` takes them.
    """
    seen = view.observation
    measure = MEASURES[rule.measure.name]

    def measured(steps: int) -> Value:
        there = policy.view(turned(seen, course, origin + steps * course.unit), view.ledger)
        return _measured(policy, rule, course.market.ticker, there, course.number)

    def is_beyond(steps: int) -> bool:
        found = measured(steps)
        if isinstance(found, NoData):
            return False
        return found >= value if measure.worse_up else found <= value

    origin = Decimal(0)
    if course.kind is Kind.PRICES:
        origin = seen.markets[course.market.ticker].oracle_dollars
    if course.kind is Kind.FLOWS and rule.measure.name in ADDITIVE:
        now = measured(0)
        return None if isinstance(now, NoData) else (value - now).quantize(CENT)
    towards = -1 if _is_eased(course, rule, seen) else 1
    least, most = _reach(course, seen, towards)
    steps = _nearest(lambda n: is_beyond(n * towards), least=least, most=most)
    return None if steps is None else origin + steps * towards * course.unit


def _is_eased(course: Course, rule: Rule, seen: Observation) -> bool:
    """Whether more of the input makes the measure better."""
    if course.kind is Kind.PRICES:
        position = seen.subaccount(course.number).position(course.market.ticker)
        is_long = position is None or position.quantums > 0
        return is_long is not (rule.measure.name in ("gross_exposure", "net_exposure", "cap_use"))
    return course.kind is Kind.FLOWS


def _reach(course: Course, seen: Observation, towards: int) -> tuple[int, int]:
    """How far an input may go back and on, in steps: no price below zero, no size beyond flat."""
    if course.kind is Kind.PRICES:
        down = int(seen.markets[course.market.ticker].oracle_dollars / course.unit) - 1
        return (-REACH, down) if towards < 0 else (-down, REACH)
    if course.kind is Kind.SIZES:
        position = seen.subaccount(course.number).position(course.market.ticker)
        held = Decimal(0) if position is None else course.market.coins(position.quantums)
        return -int(max(held, Decimal(0)) / course.unit), REACH
    return -REACH, REACH


def _nearest(is_beyond: Callable[[int], bool], *, least: int, most: int) -> int | None:
    """The smallest number of steps that is beyond, where more steps never lead back."""
    low, high = 0, 1
    if is_beyond(0):
        low, high = -1, 0
        while low > least and is_beyond(low):
            low, high = max(least, low * 4), low
        if low <= least and is_beyond(max(low, least)):
            return least
    else:
        while not is_beyond(high):
            if high == most:
                return None
            low, high = high, min(most, high * 4)
    while high - low > 1:
        middle = (low + high) // 2
        if is_beyond(middle):
            high = middle
        else:
            low = middle
    return high


def _measured(policy: Policy, rule: Rule, ticker: str, view: View, number: int) -> Value:
    whose = override_of(rule, ticker, number)
    instance = instance_named(whose, policy, view.observation)
    if isinstance(instance, NoData):
        return instance
    return value_of(view, whose.measure, instance, whose.scenario)


def override_of(rule: Rule, ticker: str, number: int = 0) -> Override:
    """The instance of the rule that an input in that subaccount moves."""
    name, scenario = rule.measure.name, rule.measure.scenario
    instance: str | None = None
    match rule.scope.per:
        case Per.ACCOUNT:
            pass
        case Per.SUBACCOUNT:
            instance = str(number)
        case Per.GROUP:
            instance = rule.id
        case Per.MARKET:
            instance = f"{number}/{ticker}" if name == "liq_move" else ticker
    return Override(measure=name, scenario=scenario, instance=instance)


def _test_of(course: Course, *, fills: str = "all") -> RuleTest:
    ticker = course.market.ticker
    return RuleTest(
        name="",
        place=Place(),
        account=course.account,
        markets={**FIXTURE, ticker: course.market},
        fills=Fills(fills),
    )


def steered(
    policy: Policy, rule: Rule, course: Course, goals: Sequence[Goal], *, fills: str = "all"
) -> tuple[Stop, ...] | None:
    """The inputs that bring the measure to each goal in turn; None where one is out of reach."""
    script = _Script(course, fills)
    first: Decimal | None = course.market.oracle_dollars  # at which the account was opened
    if course.kind is not Kind.PRICES:
        view = view_of(policy, first_look(course))
        first = input_for(policy, rule, course, view, goals[0].value)
    if first is None:
        return None
    script.begin(first)
    starts = [Millis(sum(goal.lasts for goal in goals[:at])) for at in range(1, len(goals))]
    due = {Millis(start - STEP): goal for start, goal in zip(starts, goals[1:], strict=True)}
    for moment in play(policy, script.test, list(due)):
        goal = due.get(moment.at)
        if goal is None:
            continue
        assert moment.memory.ledger is not None
        seen = moment.stage.after(moment.seen, [one.action for one in moment.decision.actions])
        if fills == "none":
            seen = moment.seen
        view = replace(view_of(policy, seen), ledger=moment.memory.ledger)
        found = input_for(policy, rule, course, view, goal.value)
        if found is None:
            return None
        script.go_on(Millis(moment.at + STEP), found)
    return script.stops(goals)


class _Script:
    """The inputs of a test that is being played: what comes next is written while it is read."""

    def __init__(self, course: Course, fills: str) -> None:
        self._course = course
        self._inputs: list[Decimal] = []
        self._flows: dict[Millis, Decimal] = {}
        self._tracks: dict[str, Track] = {}
        self._starts: list[Millis] = []
        words = {
            Kind.SIZES: "sizes",
            Kind.PRICES: "prices",
            Kind.FUNDING: "funding",
        }
        test = replace(_test_of(course, fills=fills), flows=self._flows)
        if course.kind in words:
            test = replace(test, **{words[course.kind]: self._tracks})  # type: ignore[arg-type]
        self.test = test

    def begin(self, first: Decimal) -> None:
        """The input at 0s."""
        if self._course.kind is Kind.SIZES:
            first += self._held()
        self._take(Millis(0), Decimal(0) if self._course.kind is Kind.FLOWS else first)

    def go_on(self, at: Millis, amount: Decimal) -> None:
        """The next input; a size that is bought is added to those that the trader bought before."""
        if self._course.kind is Kind.SIZES:
            amount += self._inputs[-1]
        self._take(at, amount)

    def stops(self, goals: Sequence[Goal]) -> tuple[Stop, ...]:
        """The inputs with how long each stays."""
        return tuple(
            Stop(value=value, lasts=goal.lasts)
            for value, goal in zip(self._inputs, goals, strict=True)
        )

    def _held(self) -> Decimal:
        holding = self._course.account.holdings[self._course.number]
        return holding.positions.get(self._course.market.ticker, Decimal(0))

    def _take(self, at: Millis, amount: Decimal) -> None:
        self._inputs.append(amount)
        self._starts.append(at)
        if self._course.kind is Kind.FLOWS:
            if at:
                self._flows[at] = amount
            return
        ends = (*self._starts[1:], at)
        self._tracks[self._course.market.ticker] = Track(
            tuple(
                Stretch(start, end, value, value)
                for start, end, value in zip(self._starts, ends, self._inputs, strict=True)
            )
        )
