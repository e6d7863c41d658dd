"""What the settings say of a plan stays as it is in a reload, which judges by what cash costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seawall.arming import Reloaded
from seawall.journal.store import Journal
from seawall.units import Ppm
from tests.decide.guarded import FLOAT, WALLET, ladder
from tests.see import AT, see
from tests.test_arming import start

CASH_OR_SIZE = ladder(
    '{name: act, trigger: "< $29_000", target: ">= $29_850", do: [page, '
    "{top_up: {until: target, max: $3_000}}, "
    "{reduce: {until: target, max_slippage: 60bps, or_else: page}}]}",
    head=FLOAT,
    measure="free_collateral",
    scope="{subaccounts: [0]}",
)


@pytest.mark.parametrize(("cash_price", "does"), [(0, "deposits $"), (50_000, "sells $")])
def test_what_cash_costs_stays_as_the_settings_say_and_weighs_in_the_words_of_a_reload(
    tmp_path: Path, cash_price: int, does: str
) -> None:
    journal, rules = Journal.open(":memory:", clock=lambda: AT), tmp_path / "rules.yaml"
    calm = CASH_OR_SIZE.replace("< $29_000", "< $9_000")
    post = start(rules, calm, journal)
    post.agent.policy = replace(post.agent.policy, cash_price=Ppm(cash_price), is_standby=True)
    seen = see(equity=31_000, positions={"BTC-USD": (1, 100_000)}, float=5_000)
    assert seen.float_wallet is not None
    wallet = replace(seen.float_wallet, address=WALLET)
    post.venue.seen = replace(seen, float_wallet=wallet)

    post.save(CASH_OR_SIZE.replace("< $29_000", "< $29_500"))
    kept_out = post.ask()
    in_force = post.ask(arms=True)

    assert kept_out.end is Reloaded.KEPT_OUT
    assert f"would act now: {does}" in kept_out.words[-1]
    assert in_force.end is Reloaded.IN_FORCE
    assert post.agent.policy.cash_price == cash_price
    assert post.agent.policy.is_standby
