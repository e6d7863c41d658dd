"""What a plan claims: targets first, then what cuts of fixed size do to their rule's measure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from seawall import plan
from seawall.action import Plan, RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Means
from seawall.plan.proof import proved
from seawall.policy import MeasureRef
from seawall.units import BaseQuantums, Ppm
from tests.plan.stage import until
from tests.see import book, see, view

NOTHING = Means()
BOTH = Instance(markets=("BTC-USD", "SOL-USD"))


def on_two() -> View:
    return view(see(equity=10_000, positions={"BTC-USD": ("0.2", 100_000), "SOL-USD": (50, 200)}))


def flat(measure: str, key: str = "day") -> CutDemand:
    """All of the bitcoin."""
    return CutDemand(
        name=f"{key}#1",
        key=key,
        measure=MeasureRef(name=measure),
        instance=Instance(subaccount=0),
        keeps=(Keep(subaccount=0, ticker="BTC-USD", quantums=BaseQuantums(0)),),
        max_slippage=Ppm(10_000),
    )


def claimed(made: Plan) -> list[tuple[str, str, bool]]:
    return [(one.rule, one.measure, one.target is not None) for one in made.claims]


def test_a_cut_of_fixed_size_claims_its_measure_before_and_after() -> None:
    on = on_two()

    made = plan.propose(on, [flat("leverage")], NOTHING)

    (claim,) = made.claims
    assert (claim.rule, claim.target, claim.reached) == ("day", None, False)
    assert claim.before == 3
    assert Decimal("1.001") < claim.after < Decimal("1.002")  # $10,000 over $10,000 less the cost
    assert made.targets == ()


def test_targets_are_claimed_first_and_each_instance_once() -> None:
    on = on_two()
    wanted = until(on, "maintenance_usage", "<= 0.02")
    same = flat("maintenance_usage", wanted.key)

    made = plan.propose(on, [flat("leverage"), same, wanted], NOTHING)

    assert claimed(made) == [
        ("maintenance_usage", "maintenance_usage", True),
        ("day", "leverage", False),
    ]
    assert made.targets == made.claims[:1]
    assert proved(on, [flat("leverage"), same, wanted], NOTHING, made, ()) == made


def test_nothing_is_claimed_of_what_has_no_data() -> None:
    on = on_two()

    made = plan.propose(on, [flat("cap_use")], NOTHING)  # and no market has a cap

    assert made.legs
    assert made.claims == ()


def test_nothing_is_claimed_where_only_the_cut_makes_a_value_known() -> None:
    seen = see(equity=10_000, positions={"BTC-USD": ("0.2", 100_000), "SOL-USD": (50, 200)})
    denied = book(seen.markets["BTC-USD"], 90_000)  # a mid that its oracle price is denied by
    books = {**seen.advice.books, "BTC-USD": denied}
    on = view(replace(seen, advice=replace(seen.advice, books=books)))
    far = replace(flat("gross_exposure"), instance=BOTH, max_slippage=Ppm(150_000))

    made = plan.propose(on, [far], NOTHING)

    assert made.legs
    assert made.claims == ()


def test_one_instance_that_two_levels_cut_for_is_claimed_once() -> None:
    on = on_two()

    made = plan.propose(on, [flat("leverage"), replace(flat("leverage"), name="day#2")], NOTHING)

    assert claimed(made) == [("day", "leverage", False)]


def test_a_cut_claims_what_its_measure_is_at_the_oracle_and_not_at_the_mid() -> None:
    seen = see(equity=10_000, positions={"BTC-USD": ("0.2", 100_000), "SOL-USD": (50, 200)})
    books = {**seen.advice.books, "SOL-USD": book(seen.markets["SOL-USD"], 198)}
    on = view(replace(seen, advice=replace(seen.advice, books=books)))

    made = plan.propose(on, [replace(flat("gross_exposure"), instance=BOTH)], NOTHING)

    assert [claim.after for claim in made.claims] == [10_000]


def test_a_cut_that_does_not_do_what_it_claims_is_not_sent() -> None:
    on, wanted = on_two(), [flat("leverage")]
    made = plan.propose(on, wanted, NOTHING)
    false = replace(made, claims=(replace(made.claims[0], after=Decimal(2)),))

    checked = proved(on, wanted, NOTHING, false, ())

    assert checked.legs == ()
    assert [one.code for one in checked.dropped] == [RefusalCode.CLAIM_FAILS]
