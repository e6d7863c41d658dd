"""Cash in a plan: one deposit, whole dollars, as little as will do, where a level offers it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import Plan, RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import greedy, programme
from seawall.plan.demand import Means, UntilDemand
from seawall.plan.desk import desk_of
from seawall.policy import HandsOff
from tests.plan.stage import until, with_cash
from tests.see import Held, quote, see, view

HELD: Held = {"BTC-USD": ("0.1", 100_000)}
CHILD = Instance(subaccount=128)


def worth(equity: object = 1_000, child: object = 1_000) -> View:
    """The parent and a child, each with a tenth of a bitcoin and so much equity."""
    return view(see(equity=str(equity), positions=HELD, children={128: (str(child), HELD)}))


def feed(
    on: View, target: object, *, number: int = 0, cash: object = 5_000, slippage: int | None = None
) -> UntilDemand:
    """Bring the equity of a subaccount to so many dollars, by cash alone if nothing is said."""
    return until(
        on,
        "equity",
        f">= {target}",
        instance=Instance(subaccount=number),
        cash=str(cash),
        slippage=slippage,
    )


@pytest.fixture(params=["greedy", "programme"])
def propose(request: pytest.FixtureRequest) -> object:
    """Both planners keep these promises."""
    return greedy.propose if request.param == "greedy" else programme.propose


def plan_of(propose: object, on: View, *wanted: UntilDemand, means: Means | None = None) -> Plan:
    assert callable(propose)
    made = propose(on, list(wanted), means or with_cash(6_000))
    assert isinstance(made, Plan)
    assert not made.solver.startswith("greedy: ")  # for want of a point
    return made


@pytest.mark.parametrize(
    ("equity", "target", "deposit"),
    [
        (1_000, 2_000, 1_000),
        ("1000.000001", 2_000, 1_000),  # a millionth less would do: up to a dollar
        (1_000, "2000.000001", 1_001),
        (1_990, 2_000, 10),  # the least that is worth a transaction
    ],
)
def test_a_deposit_is_as_many_whole_dollars_as_the_target_takes(
    propose: object, equity: object, target: object, deposit: int
) -> None:
    on = worth(equity)

    made = plan_of(propose, on, feed(on, target))

    assert made.top_ups == ((0, quote(deposit)),)
    assert made.claims[0].reached


def test_what_takes_less_than_ten_dollars_takes_ten_and_none_of_a_wallet_with_less(
    propose: object,
) -> None:
    on = worth(1_991)

    assert plan_of(propose, on, feed(on, 2_000)).top_ups == ((0, quote(10)),)
    assert plan_of(propose, on, feed(on, 2_000), means=with_cash(9)).top_ups == ()


@pytest.mark.parametrize(("level", "wallet", "deposit"), [(300, 6_000, 300), (5_000, 250, 250)])
def test_where_it_does_not_suffice_all_that_level_and_wallet_give_is_deposited(
    propose: object, level: int, wallet: int, deposit: int
) -> None:
    on = worth()

    made = plan_of(propose, on, feed(on, 2_000, cash=level), means=with_cash(wallet))

    assert made.top_ups == ((0, quote(deposit)),)
    assert not made.claims[0].reached


@pytest.mark.parametrize(("wallet", "deposits"), [(10, ((0, quote(10)),)), ("9.99", ())])
def test_a_wallet_with_less_than_ten_dollars_is_named(
    wallet: object, deposits: tuple[tuple[int, int], ...]
) -> None:
    on = worth()

    made = greedy.propose(on, [feed(on, 2_000)], with_cash(str(wallet)))

    assert made.top_ups == deposits
    said = [(one.code, one.what, one.detail) for one in made.dropped]
    assert said == (
        []
        if deposits
        else [(RefusalCode.FLOAT_SHORT, "top up 0", "$9 may be used, at least $10 is needed")]
    )


def test_one_deposit_goes_out_and_it_is_the_largest_whatever_the_order(propose: object) -> None:
    on = worth(1_000, 500)
    parent, child = feed(on, 2_000), replace(feed(on, 2_000, number=128), name="child#1")

    for wanted in ((parent, child), (child, parent)):
        assert plan_of(propose, on, *wanted).top_ups == ((128, quote(1_500)),)


def test_a_second_deposit_however_small_waits_for_the_first(propose: object) -> None:
    on = worth(1_000, "999.5")
    parent, child = feed(on, 2_000), replace(feed(on, 1_000, number=128), name="child#1")

    assert plan_of(propose, on, parent, child).top_ups == ((0, quote(1_000)),)


def test_what_needs_no_cash_or_may_get_none_keeps_it_from_no_other(propose: object) -> None:
    on = worth(1_000, 1_000)
    parent, child = feed(on, 2_000), replace(feed(on, 2_000, number=128), name="child#1")
    holds = replace(feed(on, 900), name="holds#1")
    no_cash = replace(feed(on, 2_000), name="size#1", cash_most=None)
    penniless = replace(feed(on, 2_000, cash=5), name="poor#1")
    blocked = replace(with_cash(6_000), cash_blocked=frozenset({0}))

    assert plan_of(propose, on, parent, child, means=blocked).top_ups == ((128, quote(1_000)),)
    for first in (holds, no_cash, penniless):
        assert plan_of(propose, on, first, child).top_ups == ((128, quote(1_000)),)


def test_of_equal_deposits_the_first_goes() -> None:
    on = worth()
    parent, child = feed(on, 2_000), replace(feed(on, 2_000, number=128), name="child#1")

    assert greedy.propose(on, [parent, child], with_cash(6_000)).top_ups[0][0] == 0
    assert greedy.propose(on, [child, parent], with_cash(6_000)).top_ups[0][0] == 128
    for wanted in ([parent, child], [child, parent]):
        assert programme.propose(on, wanted, with_cash(6_000)).top_ups[0][0] == 0


def test_cash_for_a_measure_of_the_account_goes_to_the_first_subaccount_in_scope(
    propose: object,
) -> None:
    on = worth(1_000, 1_000)
    scoped = until(
        on, "equity", ">= 1500", instance=Instance(subaccounts=(128,)), cash=5_000, slippage=None
    )

    assert plan_of(propose, on, scoped).top_ups == ((128, quote(500)),)
    assert replace(scoped, instance=Instance(subaccounts=(0, 128))).cash_to == 0
    assert replace(scoped, instance=Instance()).cash_to == 0


def test_cash_under_way_is_counted_and_not_sent_again(propose: object) -> None:
    on = worth()
    flying = replace(with_cash(6_000), cash_in_flight=((0, quote(400)),))

    made = plan_of(propose, on, feed(on, 2_000), means=flying)

    assert made.top_ups == ((0, quote(600)),)
    assert made.claims[0].reached
    assert made.claims[0].after == Decimal(2_000)


def test_what_a_level_offers_most_is_the_most_of_a_subaccount() -> None:
    on = worth()
    small, large = feed(on, 2_000, cash=300), feed(on, 3_000, cash=700)
    child = feed(on, 2_000, number=128, cash=900)

    def most(number: int, *wanted: UntilDemand, **words: object) -> int:
        means = replace(with_cash(6_000), **words)  # type: ignore[arg-type]
        return desk_of(on, wanted, means, scenarios=(), guards=()).most_cash(number)

    assert most(0, small, large, child) == 700
    assert most(128, small, large, child) == 900
    assert most(0, large, child, cash_blocked=frozenset({0})) == 0
    assert most(0, child) == 0
    flying = ((128, quote(1)), (0, quote(1)))
    assert most(0, large, cash=quote(0), cash_later=quote(500)) == 500
    assert most(0, large, cash=quote(0), cash_later=quote(500), cash_in_flight=flying) == 0
    assert most(0, replace(large, cash_most=quote(10))) == 10
    assert most(0, replace(large, cash_most=quote("9.999999"))) == 0


@pytest.mark.parametrize(("cash", "is_unreachable"), [(999, True), (1_000, False), (0, True)])
def test_a_target_is_unreachable_where_all_the_cash_there_is_would_not_do(
    cash: int, *, is_unreachable: bool
) -> None:
    on = worth()

    assert plan.is_unreachable(on, feed(on, 2_000), quote(cash), HandsOff()) is is_unreachable
    assert (
        plan.is_unreachable(on, feed(on, 2_000, number=128), quote(cash), HandsOff())
        is is_unreachable
    )
    assert not plan.is_unreachable(on, feed(on, 1_000), quote(0), HandsOff())
    assert plan.is_unreachable(on, feed(on, "1000.000002"), 1, HandsOff())
    assert not plan.is_unreachable(on, feed(on, "1000.000001"), 1, HandsOff())
