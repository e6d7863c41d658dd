"""A plan whose claims do not hold is not sent, and triggers are let go one by one, by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import claims
from seawall.plan.demand import Means
from seawall.plan.desk import desk_of
from seawall.plan.greedy import Guard
from seawall.plan.programme import from_proposal
from seawall.plan.proof import proved, restated
from seawall.plan.trial import carried_out
from seawall.units import BaseQuantums, QuoteQuantums
from tests.plan.stage import bound, coins, exposure, guard, until, with_cash
from tests.see import book, quote, see, view

HEDGED = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)}
BOTH = Instance(markets=("BTC-USD", "ETH-USD"))


def hedged() -> View:
    return view(see(equity=10_000, positions=HEDGED))


def net(limit: int) -> Guard:
    return replace(guard("net_exposure", f"> {limit}"), instance=BOTH)


def test_a_plan_that_does_what_it_claims_passes_whole() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4")]

    made = plan.propose(on, wanted, Means())

    assert made.legs
    assert proved(on, wanted, Means(), made, ()) == made


@pytest.mark.parametrize("part", ["size", "quote", "claim"])
def test_a_plan_whose_claims_do_not_hold_is_not_sent(part: str) -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4")]
    made = plan.propose(on, wanted, Means())
    leg, claim = made.legs[0], made.claims[0]
    step = on.observation.markets[leg.ticker].step_base_quantums
    match part:
        case "size":
            filled = leg.expected_quantums - step
            quoted = leg.expected_quote * filled // leg.expected_quantums
            less = replace(
                leg,
                expected_quantums=BaseQuantums(filled),
                expected_quote=QuoteQuantums(quoted),
            )
            false = replace(made, legs=(less, *made.legs[1:]))
        case "quote":
            worse = replace(leg, expected_quote=QuoteQuantums(leg.expected_quote - quote(500)))
            false = replace(made, legs=(worse, *made.legs[1:]))
        case _:
            false = replace(made, claims=(replace(claim, after=Decimal(3), reached=False),))

    checked = proved(on, wanted, Means(), false, ())

    assert (checked.legs, checked.top_ups, checked.claims) == ((), (), ())
    assert [one.code for one in checked.dropped] == [RefusalCode.CLAIM_FAILS]


def test_a_deposit_that_does_not_do_what_it_claims_is_not_sent_either() -> None:
    on = view(see(equity=1_000, positions={"BTC-USD": ("0.05", 100_000)}))
    wanted = [until(on, "free_collateral", ">= 1000", cash=3_000)]
    made = plan.propose(on, wanted, with_cash(3_000))

    checked = proved(on, wanted, Means(), replace(made, top_ups=((0, quote(99)),)), ())

    assert (made.legs, made.top_ups) == ((), ((0, quote(100)),))
    assert checked.top_ups == ()
    assert [one.code for one in checked.dropped] == [RefusalCode.CLAIM_FAILS]


def test_what_is_left_of_a_plan_that_was_cut_short_is_claimed_anew() -> None:
    on = hedged()
    wanted = [exposure(on, "BTC-USD", 25_000), exposure(on, "ETH-USD", 15_000)]
    made = plan.propose(on, wanted, Means(), guards=[net(12_000)])
    bought = [leg for leg in made.legs if leg.ticker == "ETH-USD"]

    left = restated(on, wanted, Means(), replace(made, legs=tuple(bought)), [net(12_000)])

    assert [claim.reached for claim in made.claims] == [True, True]
    assert [claim.after for claim in left.claims] == [30_000, 15_000]
    assert [claim.reached for claim in left.claims] == [False, True]
    assert (made.let_go, left.let_go) == ((), ("net_exposure/act",))  # 30,000 less 15,000
    assert [one.code for one in left.dropped] == [RefusalCode.CROSSES_TRIGGER]
    assert restated(on, wanted, Means(), left, [net(12_000)]).let_go == left.let_go


@pytest.mark.parametrize(("limit", "let_go"), [(14_900, ("net_exposure/act",)), (15_100, ())])
def test_a_plan_that_was_cut_short_lets_go_what_is_met_at_the_oracle(
    limit: int, let_go: tuple[str, ...]
) -> None:
    seen = see(equity=10_000, positions=HEDGED)
    books = {**seen.advice.books, "BTC-USD": book(seen.markets["BTC-USD"], 101_500)}
    on = view(replace(seen, advice=replace(seen.advice, books=books)))
    wanted = [exposure(on, "BTC-USD", 30_200), exposure(on, "ETH-USD", 15_000)]
    made = plan.propose(on, wanted, Means())
    bought = [leg for leg in made.legs if leg.ticker == "ETH-USD"]

    left = restated(on, wanted, Means(), replace(made, legs=tuple(bought)), [net(limit)])

    assert left.let_go == let_go  # though it is 450 more at the mid
    assert [claim.reached for claim in left.claims] == [False, True]  # $30,450 at the mid


def test_a_plan_that_would_fire_a_level_it_has_not_named_is_not_sent() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5", slots=[(0, "ETH-USD")])]
    made = plan.propose(on, wanted, Means(), guards=[net(10_100)])

    unnamed = proved(on, wanted, Means(), replace(made, let_go=()), [net(10_100)])

    assert made.let_go == ("net_exposure/act",)
    assert made.legs
    assert unnamed.legs == ()
    assert unnamed.dropped[-1].code is RefusalCode.CLAIM_FAILS
    assert "would fire net_exposure/act" in unnamed.dropped[-1].detail


def test_only_the_trigger_that_cannot_be_kept_is_let_go() -> None:
    on = hedged()
    tight = replace(net(10_100), key="tight")
    loose = replace(guard("gross_exposure", "> 50500"), key="loose", instance=BOTH)
    wanted = [until(on, "leverage", "<= 4.5", slots=[(0, "ETH-USD")])]

    made = plan.propose(on, wanted, Means(), guards=[loose, tight])

    assert made.let_go == ("tight",)
    assert made.claims[0].reached


def test_a_trigger_that_stands_in_the_way_of_another_goes_alone() -> None:
    on = hedged()
    one = replace(net(10_100), key="first")
    other = replace(guard("net_exposure", "> 12000"), key="second", instance=BOTH)
    wanted = [until(on, "leverage", "<= 4.85", slots=[(0, "ETH-USD")])]  # buys back $1,500

    made = plan.propose(on, wanted, Means(), guards=[one, other])

    assert made.let_go == ("first",)
    assert [one.what for one in made.dropped] == ["keep first from firing"]


def test_an_inclusive_trigger_is_not_stood_upon() -> None:
    seen = see(equity=10_000, positions=HEDGED)
    dear = book(seen.markets["BTC-USD"], half_spread="0.004")
    books = {**seen.advice.books, "BTC-USD": dear}
    on = view(replace(seen, advice=replace(seen.advice, books=books)))
    at = replace(net(12_000), trigger=bound(">= 12000"))
    wanted = [until(on, "leverage", "<= 4.5")]  # by ETH alone, which is cheap, were it not for net

    made = plan.propose(on, wanted, Means(), guards=[at])

    net_after = claims.value_of(carried_out(on, made), at.measure, at.instance)
    assert (made.let_go, made.claims[0].reached) == ((), True)
    assert isinstance(net_after, Decimal)
    assert 11_900 < net_after < 12_000


def test_steps_are_added_where_rounding_left_a_claim_open() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5")]
    made = plan.propose(on, wanted, Means())
    desk = desk_of(on, wanted, Means(), scenarios=(), guards=())
    ((number, ticker, cut),) = made.proposal
    step = on.observation.markets[ticker].step_base_quantums

    mended = from_proposal(desk, ((number, ticker, cut - 7 * step),), let_go=(), short=())
    too_little = from_proposal(desk, ((number, ticker, cut - 60 * step),), let_go=(), short=())

    assert not isinstance(mended, Guard)
    assert mended is not None
    assert mended.legs == made.legs
    assert too_little is None  # more than 50 steps are not added


def test_a_trigger_that_no_step_mends_is_handed_back() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5", slots=[(0, "ETH-USD")])]
    desk = desk_of(on, wanted, Means(), scenarios=(), guards=[net(10_100)])

    made = from_proposal(desk, ((0, "ETH-USD", 1_250_000_000),), let_go=(), short=())

    assert isinstance(made, Guard)
    assert made.key == "net_exposure/act"


def test_a_stored_proposal_makes_the_same_plan_bit_for_bit() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5"), until(on, "free_collateral", ">= 9300")]
    guards = [net(10_100)]

    for demands in (wanted, wanted[:1], [until(on, "leverage", "<= 0.5", slippage=1_000)]):
        made = plan.propose(on, demands, Means(), guards=guards)

        assert plan.recompute(on, demands, Means(), made, guards=guards) == made


def test_a_programme_that_may_do_nothing_is_not_made_again_as_a_greedy_plan() -> None:
    on, spent = hedged(), Means(notional_left=quote(0))
    wanted = [until(on, "leverage", "<= 4.5")]

    made = plan.propose(on, wanted, spent)

    assert made.solver.startswith("highs ")
    assert (made.legs, made.proposal) == ((), ())
    assert plan.recompute(on, wanted, spent, made) == made


def test_a_greedy_plan_is_made_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5")]
    with monkeypatch.context() as broken:
        broken.setattr("seawall.plan.solver.solve", lambda _: None)
        made = plan.propose(on, wanted, Means())

    assert made.solver.startswith("greedy: ")
    assert plan.recompute(on, wanted, Means(), made) == made
    assert coins(made, on)
