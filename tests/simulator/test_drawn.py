"""Scenarios from a seed: the same every time, playable, and of every kind between them."""

from __future__ import annotations

import pytest

from seawall.simulator.drawn import drawn_script
from seawall.simulator.play import NEVER, Player
from seawall.simulator.setup import chain_on
from seawall.units import HOUR, MINUTE, Millis


def test_a_seed_is_always_the_same_path() -> None:
    first, again = drawn_script(7).path(), drawn_script(7).path()

    moments = [Millis(at) for at in range(first.start, first.end, 7 * MINUTE)]
    assert [first.prices(at) for at in moments] == [again.prices(at) for at in moments]
    assert drawn_script(7) != drawn_script(8)


def test_seeds_draw_every_kind_of_leg_and_both_ways() -> None:
    drawn = [drawn_script(seed) for seed in range(200)]
    legs = [leg for script in drawn for leg in script.legs]

    assert {leg.name for leg in legs} == {"calm", "drift", "gap", "bounce", "storm"}
    assert any(leg.funding for leg in legs)
    ends = [script.path().prices(script.path().end)["BTC-USD"] for script in drawn]
    assert min(ends) < 80_000
    assert max(ends) > 110_000
    assert all(script.path().end - script.path().start < 24 * HOUR for script in drawn)


@pytest.mark.parametrize("seed", range(2))
def test_a_drawn_path_plays_to_its_end(seed: int) -> None:
    path = drawn_script(seed).path()
    player = Player(chain_on(path), path)

    while player.step(NEVER) is not None:
        pass

    assert player.is_over
