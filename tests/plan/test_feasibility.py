"""A plan is found where one exists, checked by hand; where none does, what binds is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from seawall import plan
from seawall.action import Plan, RefusalCode
from seawall.measures.view import View
from seawall.plan.demand import Means, UntilDemand
from seawall.units import PPM_ONE, QuoteQuantums
from tests.plan.by_hand import Ledger
from tests.plan.random_accounts import COARSE, coarse_view, random_wants
from tests.plan.stage import closing

ACCOUNTS = 1_000
UNMOVED_BY_CASH = {"gross_exposure", "net_exposure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An account, what is wanted of it, and what may be used; None is no bound."""

    on: View
    wanted: list[UntilDemand]
    cash: int
    notional: int | None
    closed: str | None

    @property
    def means(self) -> Means:
        """The same for the planner."""
        return Means(
            cash=QuoteQuantums(self.cash * PPM_ONE),
            notional_left=None if self.notional is None else QuoteQuantums(self.notional * PPM_ONE),
            closed={} if self.closed is None else closing((0, self.closed)),
        )

    @property
    def ledger(self) -> Ledger:
        """The account by hand; what is closed has no depth."""
        by_hand = Ledger.of(self.on)
        return by_hand if self.closed is None else by_hand.without(self.closed)

    @property
    def offered(self) -> int:
        """Cash that some unmet target offers; less than $10 is not sent."""
        by_hand = self.ledger
        asks = [
            one for one in self.wanted if one.cash_most is not None and not by_hand.holds({}, [one])
        ]
        return self.cash if asks and self.cash >= 10 else 0


def case(chance: Random) -> Case:
    on = coarse_view(chance)
    cash = chance.choice((0, 0, chance.randint(5, 6_000)))
    offer = QuoteQuantums(cash * PPM_ONE) if cash else None
    wanted = [
        replace(one, cash_most=None if one.measure.name in UNMOVED_BY_CASH else offer)
        for one in random_wants(chance, on, 1, 3)
    ]
    return Case(
        on=on,
        wanted=wanted,
        cash=cash,
        notional=chance.choice((None, chance.randint(5_000, 60_000))),
        closed=chance.choice((None, None, *COARSE)),
    )


def is_possible(one: Case, spare: float) -> bool:
    """Whether some steps with all cash reach every target, with that much of the budget spare."""
    most = float("inf") if one.notional is None else one.notional - spare
    return one.ledger.cheapest(one.wanted, one.offered, most) is not None


def binding(one: Case, made: Plan) -> set[RefusalCode]:
    """What truly stands in the way of doing more, by hand."""
    by_hand, found = one.ledger, set[RefusalCode]()
    steps = {
        leg.ticker: leg.quantums // one.on.observation.markets[leg.ticker].step_base_quantums
        for leg in made.legs
    }
    closed = sum(by_hand.places[ticker].step * count for ticker, count in steps.items())
    coarsest = sum(place.step for place in by_hand.places.values())
    if one.notional is not None and closed + 2 * coarsest > one.notional:
        found.add(RefusalCode.BUDGET_NOTIONAL)
    if one.closed is not None:
        found.add(RefusalCode.MARKET_CLOSED)
    for ticker, place in by_hand.places.items():
        is_spent = steps.get(ticker, 0) == len(place.left) - 1
        if is_spent and ticker != one.closed and abs(place.left[-1]) >= place.step:
            found |= {RefusalCode.NO_DEPTH, RefusalCode.BOUND}
    paid = sum(amount for _, amount in made.top_ups) // PPM_ONE
    if one.cash and paid in {0, one.offered}:
        found.add(RefusalCode.FLOAT_SHORT)
    return found


def test_a_plan_is_found_where_one_exists_and_what_binds_is_named_where_none_does() -> None:
    chance = Random(23)
    found, short_of_cash, named = 0, 0, dict[RefusalCode, int]()

    for _ in range(ACCOUNTS):
        one = case(chance)
        made = plan.propose(one.on, one.wanted, one.means)
        assert not made.solver.startswith("greedy: ")

        is_reached = all(claim.reached for claim in made.claims)
        rounding = sum(place.step for place in one.ledger.places.values())
        assert is_reached or not is_possible(one, spare=rounding)
        if is_reached:
            found += bool(made.legs or made.top_ups)
            continue
        missed = [claim.rule for claim in made.claims if not claim.reached]
        refusals = {refusal.what: refusal for refusal in made.dropped}
        true = binding(one, made)
        for key in missed:
            refusal = refusals[f"reach the target of {key}"]
            assert refusal.code in true or (refusal.code is RefusalCode.UNREACHABLE and not true), (
                refusal,
                true,
            )
            named[refusal.code] = named.get(refusal.code, 0) + 1
            if "cash: $" in refusal.detail:  # beside what binds more
                assert RefusalCode.FLOAT_SHORT in true
                short_of_cash += 1

    assert found > ACCOUNTS // 4
    assert short_of_cash
    assert set(named) >= {
        RefusalCode.BUDGET_NOTIONAL,
        RefusalCode.MARKET_CLOSED,
        RefusalCode.NO_DEPTH,
        RefusalCode.UNREACHABLE,
    }
