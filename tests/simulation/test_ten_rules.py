"""Each of the ten shipped rules fires in a shipped scenario, played with its faults, in process.

The whole agent guards an account of the size that config/rules.yaml is written for; a scenario is
played until what is expected of it has fired, and no longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.agent import Agent
from seawall.decide.memory import Decision
from seawall.journal.store import Journal
from seawall.policy import Mode, Policy
from seawall.rulefile import load
from seawall.simulator.faults.local import FaultyVenue
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.messages import SubaccountId
from seawall.simulator.play import NEVER
from seawall.simulator.script import Script, load_script
from seawall.simulator.setup import chain_on, equal_parts, fund, open_book
from seawall.units import SECOND, Millis
from tests.simulation.duel import EQUITY, GUARDED, ROOT, at_once

CONFIG = ROOT / "config"
SLOW = Millis(5 * SECOND)  # the longest that one tick credits to a `for`

# What fires in which scenario, at which leverage of an equal book and at which pace of blocks.
FIRING: Mapping[str, tuple[str, Millis, frozenset[tuple[str, str]]]] = {
    "flash-crash": (
        "8",
        SECOND,
        frozenset(
            {
                ("account-drawdown", "panic"),
                ("day-loss", "act"),
                ("market-cap", "act"),
                ("collateral-floor", "act"),
                ("liq-move", "act"),
                ("twin-gap-survival", "act"),
            }
        ),
    ),
    "key-revoked": ("3", SECOND, frozenset({("key-reach", "watch"), ("alt-basket", "act")})),
    "dark-night": ("8", SECOND, frozenset({("sources-disagree", "watch")})),
    "funding-trap": ("0.9", SLOW, frozenset({("funding-drain", "act")})),
}


def policy() -> Policy:
    return load(CONFIG / "rules.yaml").policy


def fired_in(decision: Decision) -> set[tuple[str, str]]:
    """Rules and levels that began to fire in a tick."""
    return {
        (one.key.partition("/")[0], one.level)
        for one in decision.transitions
        if one.after == "firing"
    }


def played(
    script: Script, leverage: str, block_time: Millis, until: frozenset[tuple[str, str]]
) -> tuple[set[tuple[str, str]], list[Decision]]:
    """What fired until all of `until` had, and the eventful decisions."""
    path = script.path()
    chain = chain_on(path)
    fund(chain, GUARDED, 0, EQUITY)
    book = equal_parts(EQUITY, Decimal(leverage), sorted(path.tickers), Side.BUY)
    open_book(chain, GUARDED, 0, book)
    victim = SubaccountId(owner=GUARDED, number=0)
    player = FaultyPlayer(chain, path, script.faults, victim=victim, block_time=block_time)
    journal = Journal.open(":memory:")
    venue = FaultyVenue(player, GUARDED)
    agent = Agent.resume(venue, journal, policy(), digest="shipped", mode=Mode.LIVE, owner=GUARDED)
    fired, told = set[tuple[str, str]](), list[Decision]()
    idle = NEVER
    while not until <= fired and player.step(idle) is not None:
        decision = at_once(agent.tick())
        if decision.is_eventful:
            told.append(decision)
        fired |= fired_in(decision)
        wakes = agent.idle_until()
        idle = NEVER if wakes is None else wakes
    journal.verify()
    return fired, told


def test_the_scenarios_between_them_ask_for_every_shipped_rule() -> None:
    asked = {rule for _, _, expected in FIRING.values() for rule, _ in expected}

    assert len(policy().rules) == 10
    assert asked == {rule.id for rule in policy().rules}


@pytest.mark.parametrize("name", FIRING)
def test_the_shipped_rules_fire_where_they_should(name: str) -> None:
    leverage, block_time, expected = FIRING[name]
    script = load_script(CONFIG / "scenarios" / f"{name}.yaml")

    fired, told = played(script, leverage, block_time, expected)

    assert fired >= expected
    rules = {rule.id: rule for rule in policy().rules}
    started = {one.name.partition("/")[0] for decision in told for one in decision.started}
    spoken = {message.key.partition("/")[0] for decision in told for message in decision.messages}
    for rule, level in expected:
        wanted = next(one for one in rules[rule].levels if one.name == level)
        assert rule in (started if wanted.acts else spoken), (rule, level)
