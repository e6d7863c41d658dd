"""Deposits go one at a time: what the next one will save is not sold while it waits its turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall import plan
from seawall.action import RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import programme
from seawall.plan.demand import Means, UntilDemand
from seawall.units import QuoteQuantums
from tests.plan.stage import coins, guard, until, with_cash
from tests.see import Held, Number, quote, see, view

HELD: Held = {"BTC-USD": ("0.1", 100_000)}
SOL: Held = {"SOL-USD": (100, 200)}  # $20,000, IMR $1,000
CHILD = Instance(subaccount=128)


def two(child: Number = 2_000) -> View:
    """The parent with $1,000 over a tenth of a bitcoin, the child with $2,000 over 100 SOL."""
    return view(see(equity=1_000, positions=HELD, children={128: (child, SOL)}))


def parent_of(on: View, target: int = 1_800, cash: int = 5_000) -> UntilDemand:
    """Some $1,000 more of free collateral; the bitcoin frees $200 of it."""
    return until(on, "free_collateral", f">= {target}", slots=[(0, "BTC-USD")], cash=cash)


def child_of(on: View, target: int = 1_500, cash: int | None = 5_000) -> UntilDemand:
    """Some $500 more of free collateral: of SOL that is half."""
    wanted = until(on, "free_collateral", f">= {target}", instance=CHILD, cash=cash)
    return replace(wanted, name="child#1", key="child", slots=((128, "SOL-USD"),))


def flying(dollars: int = 1_000, later: int = 5_000) -> Means:
    """A deposit into the parent is under way, and the wallet has that much more."""
    return Means(cash_in_flight=((0, quote(dollars)),), cash_later=quote(later))


def test_what_waits_for_its_deposit_is_not_sold_meanwhile() -> None:
    on = two()

    made = plan.propose(on, [parent_of(on), child_of(on)], with_cash(6_000))

    assert made.top_ups == ((0, quote(1_000)),)
    assert made.legs == ()
    assert [claim.reached for claim in made.claims] == [True, False]
    assert made.claims[1].after == made.claims[1].before  # only what is sent is claimed
    (short,) = made.dropped
    assert (short.code, short.what) == (
        RefusalCode.TOP_UP_IN_FLIGHT,
        "reach the target of child",
    )
    assert short.detail.startswith("$500 into 128 come once the deposit before has ended")


def test_while_it_is_under_way_the_other_still_waits_and_nothing_goes_out_twice() -> None:
    on = two()

    made = plan.propose(on, [parent_of(on), child_of(on)], flying())

    assert (made.top_ups, made.legs) == ((), ())
    assert [claim.reached for claim in made.claims] == [True, False]
    assert {one.code for one in made.dropped} == {RefusalCode.TOP_UP_IN_FLIGHT}


@pytest.mark.parametrize(
    ("cash", "later"),
    [(200, 5_000), (5_000, 200)],  # of the level, and of the wallet
)
def test_what_is_needed_beside_the_cash_goes_at_once(cash: int, later: int) -> None:
    on = two()

    for means in (with_cash(1_000 + later), flying(later=later)):
        made = plan.propose(on, [parent_of(on), child_of(on, cash=cash)], means)

        assert 30 < coins(made, on)["SOL-USD"] < 31  # $300 of $500, an IMR of 5%
    none = plan.propose(on, [parent_of(on), child_of(on, cash=None)], with_cash(6_000))
    assert 50 < coins(none, on)["SOL-USD"] < 52


def test_below_its_initial_margin_a_subaccount_waits_for_no_other() -> None:
    on = two(child=900)  # an IMR of $1,000

    for means in (with_cash(6_000), flying()):
        made = plan.propose(on, [parent_of(on), child_of(on, target=400)], means)

        assert made.legs[0].subaccount == 128
        assert made.claims[1].reached
        assert made.solver == plan.solver.version()


def test_size_waits_once_and_not_for_a_second_deposit_into_the_same_subaccount() -> None:
    on = two()

    made = plan.propose(on, [parent_of(on)], flying(900))

    assert [leg.subaccount for leg in made.legs] == [0]
    assert made.top_ups == ()


def test_cash_that_may_not_come_is_waited_for_by_nobody() -> None:
    on = two()
    blocked = replace(flying(), cash_blocked=frozenset({128}))

    for means in (blocked, flying(later=0), flying(later=9)):
        made = plan.propose(on, [parent_of(on), child_of(on)], means)

        assert made.claims[1].reached
        assert made.legs


def test_what_only_waits_cannot_cross_a_trigger() -> None:
    # The cut that goes at once costs $4 of the $2,000; the $200 that come later do not hide it.
    on = two()
    never = replace(guard("equity", "< 1997"), instance=CHILD)

    made = plan.propose(
        on, [parent_of(on), child_of(on, cash=200)], with_cash(6_000), guards=[never]
    )

    assert made.legs
    assert made.let_go == (never.key,)


def test_a_plan_that_waits_is_made_again_from_its_proposal() -> None:
    on = two()
    wanted = [parent_of(on), child_of(on, cash=200)]

    for means in (with_cash(6_000), flying()):
        made = plan.propose(on, wanted, means)

        assert programme.recompute(on, wanted, means, made) == made
        assert QuoteQuantums(200 * 10**6) in {amount for _, _, amount in made.proposal}
