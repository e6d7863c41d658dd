"""Real crashes, block by block: what the guard is for, and proof that the venue is not too kind.

The demo's rules and the demo's book, 8x in equal parts of the event's BTC, ETH and SOL, depth as
the venue has it, no float wallet.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.policy import Policy
from seawall.simulator.local import LocalVenue
from seawall.units import SECOND, Millis
from tests.simulation.duel import (
    CRASHES,
    GUARDED,
    BlindToBooks,
    candles_of,
    demo_policy,
    duel,
    event_names,
    side_of,
    window,
    with_slippage,
)
from tests.simulation.promises import assert_kept

pytestmark = pytest.mark.skipif(
    not event_names(), reason=f"no crash data in {CRASHES}: set SEAWALL_DATA to play it"
)

CONTROL = "control_calm_2023-09-04"
WINDOWS = range(4)


@pytest.mark.parametrize("event", event_names())
def test_the_guarded_account_survives_a_whole_event_and_its_plans_keep_their_word(
    event: str, record_property: Callable[[str, object], None]
) -> None:
    result = duel(candles_of(event).path(), side=side_of(event), policy=demo_policy())

    assert GUARDED not in result.liquidated
    assert result.interventions
    assert result.promises.carried
    assert_kept(result.promises, record_property)
    if result.twin <= 0:
        assert result.guarded > result.twin


@pytest.mark.parametrize("index", WINDOWS)
@pytest.mark.parametrize("event", event_names())
def test_the_guarded_account_survives_the_worst_hours_and_its_plans_keep_their_word(
    event: str, index: int, record_property: Callable[[str, object], None]
) -> None:
    result = duel(window(candles_of(event), index), side=side_of(event), policy=demo_policy())

    assert GUARDED not in result.liquidated
    assert_kept(result.promises, record_property)


@pytest.mark.parametrize("side", list(Side))
def test_a_calm_week_raises_no_alarm(side: Side) -> None:
    result = duel(candles_of(CONTROL).path(), side=side, policy=demo_policy(), leverage=Decimal(2))

    assert result.interventions == []
    assert result.guarded == result.twin


def events_lost(
    policy: Policy | None, every: Millis = SECOND, venue: type[LocalVenue] = LocalVenue
) -> set[str]:
    """Events in which a guard of some kind was liquidated in at least one window."""
    lost = set()
    for event in event_names():
        candles, side = candles_of(event), side_of(event)
        for index in WINDOWS:
            path = window(candles, index)
            result = duel(path, side=side, policy=policy, every=every, venue=venue)
            if GUARDED in result.liquidated:
                lost.add(event)
                break
    return lost


def test_a_guard_that_looks_once_a_minute_fails() -> None:
    # Not sixty seconds: it would see each window of six blocks at the same place, and could lose by
    # that alone.
    assert len(events_lost(demo_policy(), every=Millis(61 * SECOND))) >= 2


def test_a_guard_bound_to_30_bps_of_the_oracle_fails() -> None:
    tight = with_slippage(demo_policy(), 3_000)

    assert len(events_lost(tight, venue=BlindToBooks)) >= 2


def test_without_a_guard_the_account_fails() -> None:
    assert len(events_lost(policy=None)) >= 2
