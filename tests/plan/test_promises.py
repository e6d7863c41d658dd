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
from tests.see import see, view

NOTHING = Means()


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


def test_a_cut_that_does_not_do_what_it_claims_is_not_sent() -> None:
    on, wanted = on_two(), [flat("leverage")]
    made = plan.propose(on, wanted, NOTHING)
    false = replace(made, claims=(replace(made.claims[0], after=Decimal(2)),))

    checked = proved(on, wanted, NOTHING, false, ())

    assert checked.legs == ()
    assert [one.code for one in checked.dropped] == [RefusalCode.CLAIM_FAILS]
