"""Instances are named as the contract says, and exist where there is something to watch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from seawall.account import Missing, Side
from seawall.measures import MEASURES
from seawall.measures.instances import NO_CAPS, instances
from seawall.measures.spec import Instance, Per
from seawall.scenario import Caps, DerivedCaps
from seawall.units import Ppm
from tests.see import MARKETS, SOL, Held, resting, see

PARENT: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": (-1, 4_000)}
SEEN = see(positions=PARENT, children={128: (500, {"SOL-USD": (1, 200)})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A rule's scope."""

    per: Per
    markets: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    subaccounts: tuple[int, ...] | None = None


def found(
    measure: str, scope: Scope, *, caps: Caps = NO_CAPS, seen: object = SEEN
) -> tuple[Instance, ...]:
    assert isinstance(seen, type(SEEN))
    return instances(measure, MEASURES[measure].family, scope, seen, rule="basket", caps=caps)


def names(measure: str, scope: Scope, *, caps: Caps = NO_CAPS, seen: object = SEEN) -> list[str]:
    return [str(one) for one in found(measure, scope, caps=caps, seen=seen)]


@pytest.mark.parametrize(
    ("measure", "scope", "expected"),
    [
        ("drawdown", Scope(per=Per.ACCOUNT), [""]),
        ("drawdown", Scope(per=Per.SUBACCOUNT), ["0", "128"]),
        ("leverage", Scope(per=Per.SUBACCOUNT), ["0", "128"]),
        ("leverage", Scope(per=Per.SUBACCOUNT, subaccounts=(128,)), ["128"]),
        ("liq_move", Scope(per=Per.MARKET), ["0/BTC-USD", "0/ETH-USD", "128/SOL-USD"]),
        ("liq_move", Scope(per=Per.MARKET, excluded=("BTC-USD",)), ["0/ETH-USD", "128/SOL-USD"]),
        ("liq_move", Scope(per=Per.MARKET, subaccounts=(128,)), ["128/SOL-USD"]),
        ("gross_exposure", Scope(per=Per.MARKET), ["BTC-USD", "ETH-USD", "SOL-USD"]),
        ("gross_exposure", Scope(per=Per.MARKET, markets=("ETH-USD",)), ["ETH-USD"]),
        ("gross_exposure", Scope(per=Per.MARKET, subaccounts=(0,)), ["BTC-USD", "ETH-USD"]),
        ("gross_exposure", Scope(per=Per.GROUP, markets=("*",)), ["basket"]),
        ("source_gap", Scope(per=Per.MARKET), ["BTC-USD", "ETH-USD", "SOL-USD"]),
        ("input_age", Scope(per=Per.ACCOUNT), [""]),
        ("cap_use", Scope(per=Per.MARKET), []),
        ("drawdown", Scope(per=Per.ACCOUNT, subaccounts=(7,)), []),
        ("gross_exposure", Scope(per=Per.GROUP, subaccounts=(7,)), []),
    ],
)
def test_instances_are_named_by_what_they_watch(
    measure: str, scope: Scope, expected: list[str]
) -> None:
    assert names(measure, scope) == expected


def test_one_market_in_two_subaccounts_is_one_exposure_and_two_bands() -> None:
    seen = see(positions=PARENT, children={128: (500, {"BTC-USD": (1, 100_000)})})

    assert names("gross_exposure", Scope(per=Per.MARKET), seen=seen) == ["BTC-USD", "ETH-USD"]
    assert names("liq_move", Scope(per=Per.MARKET), seen=seen) == [
        "0/BTC-USD",
        "0/ETH-USD",
        "128/BTC-USD",
    ]


def test_a_group_holds_every_market_in_scope() -> None:
    (group,) = found("gross_exposure", Scope(per=Per.GROUP, excluded=("BTC-USD",)))

    assert group.markets == ("ETH-USD", "SOL-USD")
    assert group.subaccounts == (0, 128)


def test_a_market_that_is_held_but_was_not_read_stays_in_scope() -> None:
    unread = {ticker: one for ticker, one in MARKETS.items() if ticker != "BTC-USD"}

    (account,) = found("gross_exposure", Scope(per=Per.ACCOUNT), seen=replace(SEEN, markets=unread))

    assert "BTC-USD" in account.markets


def test_a_resting_order_makes_an_instance_of_its_market() -> None:
    order = resting(SOL, Side.BUY, 1, 100)
    ours = see(positions=PARENT, orders=(order,))
    theirs = see(positions=PARENT, orders=(replace(order, subaccount=128),))

    assert names("open_order_risk", Scope(per=Per.MARKET), seen=ours)[-1] == "SOL-USD"
    assert names("open_order_risk", Scope(per=Per.MARKET), seen=theirs) == ["BTC-USD", "ETH-USD"]


def test_orders_that_were_not_read_take_no_instance_away() -> None:
    seen = see(positions=PARENT, orders=Missing(reason="indexer down"))

    assert names("open_order_risk", Scope(per=Per.MARKET), seen=seen) == ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        (Caps(typed={"SOL-USD": Decimal(1), "DOGE-USD": Decimal(1)}), ["SOL-USD", "DOGE-USD"]),
        (
            Caps(
                derived=DerivedCaps(max_drawdown=Ppm(1), scenario="gap", shares={"BTC-USD": Ppm(1)})
            ),
            ["BTC-USD"],
        ),
        (
            Caps(derived=DerivedCaps(max_drawdown=Ppm(1), scenario="gap", shares={"*": Ppm(1)})),
            ["BTC-USD", "ETH-USD", "SOL-USD"],
        ),
    ],
)
def test_a_cap_makes_an_instance_and_no_cap_makes_none(caps: Caps, expected: list[str]) -> None:
    assert names("cap_use", Scope(per=Per.MARKET), caps=caps) == expected
