"""Which instances of a rule there are now: one state machine each (RULES.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from seawall.account import Missing, Observation, RestingOrder
from seawall.measures.spec import Family, Instance, Per
from seawall.scenario import ANY_MARKET, Caps


class ScopeLike(Protocol):
    """What a rule's scope says; `markets` and `subaccounts` None are everything."""

    @property
    def per(self) -> Per:
        """What one instance is."""

    @property
    def markets(self) -> Sequence[str] | None:
        """Markets in scope."""

    @property
    def excluded(self) -> Sequence[str]:
        """Markets taken out of scope."""

    @property
    def subaccounts(self) -> Sequence[int] | None:
        """Subaccounts in scope."""


NO_CAPS = Caps()


def instances(
    measure: str,
    family: Family,
    scope: ScopeLike,
    observation: Observation,
    *,
    rule: str,
    caps: Caps = NO_CAPS,
) -> tuple[Instance, ...]:
    """The instances of a rule that an observation has.

    Markets that are held, or have resting orders, or (for cap_use) a cap. A rule that fired on a
    market that is flat by now keeps its instance in its own memory.
    """
    numbers = tuple(
        s.number
        for s in observation.subaccounts
        if scope.subaccounts is None or s.number in scope.subaccounts
    )
    match scope.per:
        case Per.ACCOUNT:
            known = _known(scope, observation)
            return (Instance(markets=known, subaccounts=numbers),) if numbers else ()
        case Per.SUBACCOUNT:
            known = _known(scope, observation)
            return tuple(
                Instance(subaccount=number, markets=known, subaccounts=(number,))
                for number in numbers
            )
        case Per.GROUP:
            known = _known(scope, observation)
            return (Instance(group=rule, markets=known, subaccounts=numbers),) if numbers else ()
        case Per.MARKET:
            if family is Family.LIQUIDATION:
                return _positions(scope, observation, numbers)
            tickers = _watched(measure, scope, observation, numbers, caps)
            return tuple(
                Instance(market=ticker, markets=(ticker,), subaccounts=numbers)
                for ticker in tickers
            )
        case _ as never:
            assert_never(never)


def _has_market(scope: ScopeLike, ticker: str) -> bool:
    if ticker in scope.excluded:
        return False
    return scope.markets is None or ticker in scope.markets or ANY_MARKET in scope.markets


def _known(scope: ScopeLike, observation: Observation) -> tuple[str, ...]:
    """Markets in scope that were read or are held: one that is held but unread must not vanish."""
    read = observation.markets
    unread = [
        position.ticker
        for subaccount in observation.subaccounts
        for position in subaccount.positions
        if position.ticker not in read
    ]
    tickers = (*read, *dict.fromkeys(unread))
    if scope.markets is None and not scope.excluded:
        return tickers
    return tuple(ticker for ticker in tickers if _has_market(scope, ticker))


def _positions(
    scope: ScopeLike, observation: Observation, numbers: Sequence[int]
) -> tuple[Instance, ...]:
    return tuple(
        Instance(
            subaccount=subaccount.number,
            market=position.ticker,
            markets=(position.ticker,),
            subaccounts=(subaccount.number,),
        )
        for subaccount in observation.subaccounts
        if subaccount.number in numbers
        for position in subaccount.positions
        if _has_market(scope, position.ticker)
    )


def _watched(
    measure: str,
    scope: ScopeLike,
    observation: Observation,
    numbers: Sequence[int],
    caps: Caps,
) -> tuple[str, ...]:
    """Tickers with something to watch, in order: held, then resting orders, then typed caps."""
    tickers: dict[str, None] = {}
    for subaccount in observation.subaccounts:
        if subaccount.number in numbers:
            tickers.update(dict.fromkeys(p.ticker for p in subaccount.positions))
    orders: Sequence[RestingOrder] = ()
    if not isinstance(observation.advice.orders, Missing):
        orders = observation.advice.orders
    tickers.update(dict.fromkeys(o.ticker for o in orders if o.subaccount in numbers))
    if measure == "cap_use":
        tickers.update(dict.fromkeys(caps.typed))
        derived = caps.derived
        tickers = {
            ticker: None
            for ticker in tickers
            if ticker in caps.typed or (derived is not None and derived.share(ticker) is not None)
        }
    return tuple(ticker for ticker in tickers if _has_market(scope, ticker))
