"""What moves a measure in a rule test, and how far: a series if one may say it, else the account.

A measure that some level brings to a target cannot be said, only reached: by the size of a
position, by money in and out, or by a funding rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import chain

from seawall import words
from seawall.measures import MEASURES, ledger, value_of
from seawall.measures.spec import NoData, Per
from seawall.measures.view import Override, View
from seawall.policy import Policy, ReduceUntil, Rule, TopUpUntil
from seawall.rulefile.explain import values
from seawall.rulefile.report import Place
from seawall.ruletest.actual import instance_named
from seawall.ruletest.amounts import written
from seawall.ruletest.markets import FIXTURE, other
from seawall.ruletest.script import Account, Holding, RuleTest
from seawall.ruletest.series import constant
from seawall.ruletest.stage import Stage
from seawall.units import Millis, Ppm

ALT = other(
    "ALT-USD",
    0,
    oracle=Decimal(20),
    initial=Ppm(50_000),
    maintenance=Ppm(30_000),
    step=Decimal("0.01"),
    tick=Decimal("0.001"),
)
ALT_WORDS = "ALT-USD: {oracle: 20, initial: 5%, maintenance: 3%, step: 0.01, tick: 0.001}"
RICH = Decimal(1_000_000)  # of a child without positions, so that caps stay out of the way
STEPS_MOST = 1 << 40
POSITIONS = (Decimal(2_000), Decimal(500), Decimal(100))  # dollars, tried from the largest
EQUITIES = (1, 10, 100, 1_000, 10_000)  # times what is usual beyond the buffer
GROWTH = Decimal("1.5")  # what a trader makes of the position at the worst moment


class Kind(StrEnum):
    """The word of a test file that moves the measure."""

    SERIES = "series"
    SIZES = "sizes"
    FLOWS = "flows"
    FUNDING = "funding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How a rule's measure is moved, on which account, in which market."""

    kind: Kind
    key: str  # of the series, or the market
    account: Account
    ticker: str
    size: Decimal  # coins at 0s


def driver_of(policy: Policy, rule: Rule) -> Driver | None:
    """How to move a rule's measure; None where a test file has no word for it."""
    if rule.scope.subaccounts is not None and 0 not in rule.scope.subaccounts:
        return None
    ticker = _market_for(policy, rule)
    if ticker is None:
        return None
    return _calmest(policy, rule, _drivers(policy, rule, ticker))


def _drivers(policy: Policy, rule: Rule, ticker: str) -> Iterator[Driver]:
    """The same way to move the measure, on more and more money; then on less size."""
    price, buffer, name = _price(ticker), policy.buffer.parent, rule.measure.name
    if not _is_chased(policy, rule):
        key = name if rule.measure.scenario is None else f"{name}/{rule.measure.scenario}"
        for dollars in POSITIONS:
            for equity in EQUITIES:
                size = _coins(dollars / price)
                money = buffer + 20_000 * equity
                yield _driver(Kind.SERIES, key, ticker, size, equity=money, rich=False)
        return
    largest = _largest(rule)
    for equity in EQUITIES:
        usual = buffer + 30_000 * equity
        match name:
            case "funding_24h":
                size = _coins(Decimal(5_000) / price)
                yield _driver(Kind.FUNDING, ticker, ticker, size, equity=usual, rich=True)
            case "equity" | "free_collateral" | "stress_headroom":
                size = _coins(max(Decimal(1_000), largest * 20) / price)
                start = buffer + largest * 20 * equity
                yield _driver(Kind.FLOWS, ticker, ticker, size, equity=start, rich=True)
            case "gross_exposure" | "net_exposure":
                start = buffer + max(Decimal(20_000), largest * 10) * equity
                yield _driver(Kind.SIZES, ticker, ticker, Decimal(0), equity=start, rich=True)
            case _:
                rich = name != "cap_use"
                yield _driver(Kind.SIZES, ticker, ticker, Decimal(0), equity=usual, rich=rich)


def _calmest(policy: Policy, rule: Rule, drivers: Iterator[Driver]) -> Driver:
    """The first that no other rule minds, also grown by half; the first of all where each does.

    A rule that fires beside the one in question blurs the story, and makes it slow to play.
    """
    first = next(drivers)
    for driver in chain((first,), drivers):
        if not _is_minded(policy, rule, driver, driver.size * GROWTH):
            return driver
    return first


def _is_minded(policy: Policy, rule: Rule, driver: Driver, coins: Decimal) -> bool:
    """Whether a rule with another measure would have something to say."""
    view = _view(policy, driver, coins, Decimal(0))
    return any(
        level.trigger.holds(value)
        for other_rule in policy.rules
        if other_rule.measure != rule.measure
        for value in values(other_rule, policy, view).values()
        if not isinstance(value, NoData)
        for level in other_rule.levels
    )


def _driver(
    kind: Kind, key: str, ticker: str, size: Decimal, *, equity: Decimal, rich: bool
) -> Driver:
    holdings = {0: Holding(equity=equity, positions={ticker: size} if size else {})}
    if rich:
        holdings[128] = Holding(equity=RICH)
    account = Account(holdings=holdings, wallet=Decimal(6_000))
    return Driver(kind=kind, key=key, account=account, ticker=ticker, size=size)


def _is_chased(policy: Policy, rule: Rule) -> bool:
    return any(
        isinstance(do, ReduceUntil | TopUpUntil)
        for one in policy.rules
        if one.measure == rule.measure
        for level in one.levels
        for do in level.do
    )


def _market_for(policy: Policy, rule: Rule) -> str | None:
    """A market in scope, without a typed cap where there is one."""
    there = [t for t in ("BTC-USD", "ETH-USD", "ALT-USD", "SOL-USD") if rule.scope.has_market(t)]
    there = [ticker for ticker in there if ticker not in policy.hands_off.markets]
    return next((t for t in there if t not in policy.caps.typed), next(iter(there), None))


def _price(ticker: str) -> Decimal:
    return (ALT if ticker == ALT.ticker else FIXTURE[ticker]).oracle_dollars


def _coins(size: Decimal) -> Decimal:
    return size.quantize(Decimal("0.001"))


def _largest(rule: Rule) -> Decimal:
    bounds = [b for lv in rule.levels for b in (lv.trigger, lv.target, lv.clear) if b is not None]
    return max(abs(bound.value) for bound in bounds) or Decimal(100)


def override_of(rule: Rule, ticker: str) -> Override:
    """The instance of the rule that the driver moves."""
    name, scenario = rule.measure.name, rule.measure.scenario
    instance: str | None = None
    match rule.scope.per:
        case Per.ACCOUNT:
            pass
        case Per.SUBACCOUNT:
            instance = "0"
        case Per.GROUP:
            instance = rule.id
        case Per.MARKET:
            instance = f"0/{ticker}" if name == "liq_move" else ticker
    return Override(measure=name, scenario=scenario, instance=instance)


def levels_as_input(
    policy: Policy, rule: Rule, driver: Driver, values: Sequence[Decimal]
) -> tuple[Decimal, ...]:
    """The driver's input for each value of the measure, the nearest one on its far side."""
    if driver.kind is Kind.SERIES:
        return tuple(values)
    price = _price(driver.ticker)

    def measured(coins: Decimal, flow: Decimal = Decimal(0)) -> Decimal:
        return _measured(policy, rule, driver, coins, flow)

    match driver.kind:
        case Kind.FUNDING:
            daily = abs(driver.size) * price * 24
            return tuple((value / daily).quantize(Decimal("1E-9")) for value in values)
        case Kind.FLOWS:
            start = measured(driver.size)
            return tuple((value - start).quantize(Decimal("0.01")) for value in values)
        case _:
            step = _step(driver.ticker)
            worse_up = MEASURES[rule.measure.name].worse_up
            return tuple(_size_for(measured, value, step, worse_up=worse_up) for value in values)


def _step(ticker: str) -> Decimal:
    market = ALT if ticker == ALT.ticker else FIXTURE[ticker]
    return market.coins(market.step_base_quantums)


def _size_for(
    measured: Callable[[Decimal], Decimal], value: Decimal, step: Decimal, *, worse_up: bool
) -> Decimal:
    """The smallest size at which the measure is at the value or beyond it."""

    def is_beyond(steps: int) -> bool:
        found = measured(steps * step)
        return found >= value if worse_up else found <= value

    high = 1
    while not is_beyond(high) and high < STEPS_MOST:
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        if is_beyond(middle):
            high = middle
        else:
            low = middle + 1
    return high * step


def _measured(policy: Policy, rule: Rule, driver: Driver, coins: Decimal, flow: Decimal) -> Decimal:
    view = _view(policy, driver, coins, flow)
    whose = override_of(rule, driver.ticker)
    instance = instance_named(whose, policy, view.observation)
    calm = Decimal("-Infinity") if MEASURES[rule.measure.name].worse_up else Decimal("Infinity")
    if isinstance(instance, NoData):
        return calm
    value = value_of(view, whose.measure, instance, whose.scenario)
    return calm if isinstance(value, NoData) else value


def _view(policy: Policy, driver: Driver, coins: Decimal, flow: Decimal) -> View:
    """The driver's account with other coins, and with money that came or went."""
    parent = driver.account.holdings[0]
    holding = replace(parent, equity=parent.equity + flow, positions={driver.ticker: coins})
    account = replace(driver.account, holdings={**driver.account.holdings, 0: holding})
    test = RuleTest(
        name="",
        place=Place(),
        account=account,
        markets={**FIXTURE, ALT.ticker: ALT},
        sizes={driver.ticker: constant(coins)},
    )
    seen = Stage(test).look(Millis(0))
    book, _ = ledger.advance(None, seen, price_band=policy.price_band)
    return View.of(
        seen,
        buffer=policy.buffer,
        caps=policy.caps,
        scenarios=policy.scenarios,
        price_band=policy.price_band,
        ledger=book,
    )


def input_words(driver: Driver, value: Decimal, rule: Rule) -> str:
    """An input as a test file writes it."""
    if driver.kind is Kind.SERIES:
        return words.exact(value, MEASURES[rule.measure.name].unit).replace(",", "_")
    if driver.kind is Kind.FUNDING:
        return f"{value.scaleb(2).normalize():f}%"
    return written(value)


def account_words(driver: Driver) -> str:
    """The account of a driver as a test file writes it."""
    parts = [f"equity: {written(driver.account.holdings[0].equity)}", "float: 6_000"]
    if driver.size:
        parts.append(f"positions: {{{driver.ticker}: {{size: {driver.size.normalize():f}}}}}")
    if len(driver.account.holdings) > 1:
        parts.append(f"children: {{128: {{equity: {written(RICH)}}}}}")
    return "{" + ", ".join(parts) + "}"
