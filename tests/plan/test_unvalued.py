"""Subaccounts whose margins nobody can tell, or that owe more than they hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import RefusalCode
from seawall.measures.spec import Instance
from seawall.plan import solver
from seawall.plan.demand import Means
from tests.plan.stage import coins, down_to, exposure, until
from tests.see import Held, see, view

HELD: Held = {"BTC-USD": ("0.4", 100_000), "ETH-USD": (5, 4_000), "SOL-USD": (-100, 200)}


@pytest.mark.parametrize("held", [HELD, {t: HELD[t] for t in reversed(list(HELD))}])
def test_beside_a_market_without_a_price_the_others_are_closed_for_their_targets(
    held: Held,
) -> None:
    seen = see(equity=20_000, positions=held)
    unpriced = replace(seen.markets["SOL-USD"], oracle_price=0)
    on = view(replace(seen, markets={**seen.markets, "SOL-USD": unpriced}))
    pair = Instance(markets=("BTC-USD", "ETH-USD"))
    wanted = [exposure(on, "BTC-USD", 25_000), until(on, "net_exposure", "<= 30000", instance=pair)]

    made = plan.propose(on, [*wanted, down_to(("ETH-USD", 2))], Means())

    assert made.solver == solver.version()
    assert all(claim.reached for claim in made.targets)
    assert coins(made, on) == {"BTC-USD": Decimal("0.18"), "ETH-USD": Decimal(3)}
    assert plan.recompute(on, [*wanted, down_to(("ETH-USD", 2))], Means(), made) == made


def test_what_no_price_above_nothing_would_close_is_named_and_not_sent() -> None:
    """$13,000 are owed beside a short of $9,200: the chain would take it only at less than $0."""
    short: Held = {"SOL-USD": (-46, 200)}
    on = view(see(equity=30_000, positions=HELD, children={128: (-13_000, short)}))
    everywhere = Instance(markets=tuple(HELD))

    made = plan.propose(on, [until(on, "gross_exposure", "<= 1000", instance=everywhere)], Means())

    assert {leg.subaccount for leg in made.legs} == {0}
    assert all(leg.worst_subticks > 0 for leg in made.legs)
    (told,) = [one for one in made.dropped if one.what == "close 128/SOL-USD"]
    assert told.code is RefusalCode.CHAIN_REFUSES
    assert told.detail.endswith("add collateral")
