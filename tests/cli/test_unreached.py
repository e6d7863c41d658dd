"""A guard's terminal says once which positions no rule reaches, also those that come later."""

from __future__ import annotations

from seawall.cli.unreached import Unreached
from tests.decide.guarded import guarded, ladder, policy_of

CUT = (
    '{name: act, trigger: "> $90_000", clear: "< $1_000", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
NARROW = ladder(CUT, scope="{markets: [BTC-USD]}")


def test_a_position_that_no_rule_reaches_is_said_once_and_again_when_it_is_back() -> None:
    world, unreached = guarded(NARROW), Unreached()

    def said() -> list[str]:
        world.tick()
        return list(unreached.new(world.policy, world.memory))

    assert said() == []
    world.trade("ETH-USD", "1")
    line = "0/ETH-USD is held and no rule's scope reaches it"
    assert [said(), said()] == [[line], []]
    world.trade("ETH-USD", "-1")
    assert said() == []
    world.trade("ETH-USD", "1")
    assert said() == [line]


def test_other_rules_are_looked_at_anew() -> None:
    world, unreached = guarded(ladder(CUT)), Unreached()
    world.tick()
    assert list(unreached.new(world.policy, world.memory)) == []

    found = list(unreached.new(policy_of(NARROW.replace("BTC", "SOL")), world.memory))

    assert found == ["0/BTC-USD is held and no rule's scope reaches it"]


def test_before_the_first_state_there_is_nothing_to_say() -> None:
    world, unreached = guarded(NARROW), Unreached()
    world.blind()

    assert list(unreached.new(world.policy, world.memory)) == []
