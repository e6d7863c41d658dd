"""Below initial margin: what the chain would refuse of a reduction is not planned."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import RefusalCode
from seawall.measures.spec import NoData
from seawall.plan.demand import Means
from seawall.plan.trial import carried_out
from tests.plan.stage import coins, until
from tests.see import book, quote, see, view

NOTHING = Means()


def test_below_initial_margin_only_levels_that_the_chain_takes_are_planned() -> None:
    seen = see(equity=900, positions={"BTC-USD": ("0.5", 100_000)})  # IMR $1,000, MMR $600
    market = seen.markets["BTC-USD"]
    deep = book(market, levels=[("0.001", "0.1"), ("0.01", "0.1"), ("0.03", "0.3")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))

    made = plan.propose(on, [until(on, "maintenance_usage", "<= 0.01", slippage=50_000)], NOTHING)

    # c <= (NC/MMR) m = 900/600 x 1.2% = 1.8%: the second level, at 1% and the fee, is the last.
    assert coins(made, on) == {"BTC-USD": Decimal("0.2")}
    (leg,) = made.legs
    assert Decimal("0.98") < market.dollars(leg.worst_subticks) / 100_000 < Decimal("0.99")
    assert made.dropped[0].code is RefusalCode.BOUND


def test_cash_that_is_not_landed_does_not_widen_what_the_chain_takes() -> None:
    seen = see(equity=900, positions={"BTC-USD": ("0.5", 100_000)})
    deep = book(seen.markets["BTC-USD"], levels=[("0.001", "0.1"), ("0.03", "0.4")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))
    wanted = until(on, "maintenance_usage", "<= 0.01", slippage=50_000)
    flying = Means(cash_in_flight=((0, quote(5_000)),))

    made = plan.propose(on, [wanted], flying)

    assert coins(made, on) == {"BTC-USD": Decimal("0.1")}


@pytest.mark.parametrize(("second", "sold"), [("0.0114", "0.1"), ("0.0117", "0.05")])
def test_the_last_position_closes_only_where_its_cost_is_within_net_collateral(
    second: str, sold: str
) -> None:
    seen = see(equity=120, positions={"BTC-USD": ("0.1", 100_000)})  # IMR $200, MMR $120
    market = seen.markets["BTC-USD"]
    deep = book(market, levels=[("0.001", "0.05"), (second, "0.05")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))

    made = plan.propose(on, [until(on, "maintenance_usage", "<= 0", slippage=50_000)], NOTHING)

    # NC $120 over $10,000 leaves 1.2%: 1.14% and the fee pass, 1.17% and the fee do not.
    assert coins(made, on) == {"BTC-USD": Decimal(sold)}


def test_the_whole_plan_below_initial_margin_is_taken_by_the_chain_s_rule() -> None:
    for equity in (650, 800, 950):
        on = view(
            see(equity=equity, positions={"BTC-USD": ("0.3", 100_000), "SOL-USD": ("50", 200)})
        )

        made = plan.propose(on, [until(on, "maintenance_usage", "<= 0.3")], NOTHING)

        before = on.risk(0)
        after = carried_out(on, made).risk(0)
        assert not isinstance(before, NoData)
        assert not isinstance(after, NoData)
        assert not before.is_initially_collateralized
        assert made.legs
        assert after.nc * before.mmr >= before.nc * after.mmr  # NC/MMR does not fall
