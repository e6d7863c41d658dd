"""A guard that dies anywhere neither acts twice, nor loses a record, nor forgets a latch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.action import CONDITIONAL, Backstop, Cancel, Reduce, TopUp, stop_ids
from seawall.alarm import Phase
from seawall.simulator.chain import Chain
from tests.agent.crashes import (
    HALF,
    OWNER,
    Guard,
    Points,
    Written,
    play,
    stage,
    written,
)

NEED = 1_500 * 10**6  # what is missing in quote quantums while nothing is cut
KILLS_END_AT = 10  # blocks: everything is sent and resolved by then


def whole_run(folder: Path, guards: int) -> list[str]:
    """The points of a run in which nobody dies, as far as kills go."""
    chain, points = stage(), Points()
    others = [Guard.over(chain, folder / f"{n}.db", Points()) for n in range(1, guards)]
    play(
        chain,
        [Guard.over(chain, folder / "0.db", points), *others],
        blocks=KILLS_END_AT,
        late_blocks=0,
    )
    return points.names


def held(chain: Chain) -> int:
    (position,) = chain.committed.subaccount(OWNER, 0).held
    return position.quantums


def assert_well(chain: Chain, paths: list[Path]) -> None:
    """What holds at the end whoever died when."""
    assert held(chain) == HALF, "cut by half, once"
    paid = sum(event.amount for _, event in chain.history.transfers)
    assert paid <= NEED, "no part of the need is paid twice, cut or not"
    (stop,) = chain.committed.open_orders(OWNER)
    assert stop.order.order_id.client_id in stop_ids(chain.chain_id, OWNER, 0, 0)
    assert not stop.is_triggered
    assert stop.order.quantums == HALF, "the stop that is left is of what is left"
    subaccount = chain.committed.subaccount(OWNER, 0)
    risk = chain.committed.risk(subaccount)
    assert risk.nc - risk.imr >= 2_999 * 10**6, "the target is reached"
    for path in paths:
        assert_recorded(written(path))


def assert_recorded(journal: Written) -> None:
    """Rows agree with one another: ids once, an end for all that was sent, latches kept."""
    ids = [one.id for one in journal.sending]
    assert len(ids) == len(set(ids))
    assert Counter(one.action_id for one in journal.outcomes) == Counter(ids)
    told = [message for tick in journal.ticks for message in tick.decision.messages]
    assert len(told) == len(journal.pages)
    began = [m.key for m in told if m.key == "size/BTC-USD/act" and not m.text.startswith("Still")]
    assert len(began) <= 1
    if began:
        (state,) = journal.last.after.alarms["size/BTC-USD"].levels
        assert state.phase is Phase.LATCHED
    assert journal.last.after.sent == ()
    assert journal.last.after.top_up is None
    assert journal.last.after.cancels == ()
    assert journal.last.after.stops.sent == ()


def stops_watched(chain: Chain) -> Callable[[int], None]:
    """At most two stops of ours at any block; once one has rested, never none under a position."""
    ids = stop_ids(chain.chain_id, OWNER, 0, 0)
    armed = False

    def look(_: int) -> None:
        nonlocal armed
        ours = [
            one
            for one in chain.committed.open_orders(OWNER)
            if one.order.order_id.order_flags == CONDITIONAL and one.order.order_id.client_id in ids
        ]
        assert len(ours) <= 2
        assert ours or not armed, "a moment without"
        armed = bool(ours)

    return look


def test_the_points_are_before_and_after_each_write_and_call(tmp_path: Path) -> None:
    names = whole_run(tmp_path, 1)

    assert {name.partition(" ")[2] for name in names} == {
        "writing start",
        "writing tick, message, sending, family",
        "writing reply",
        "writing tick, outcome, message",
        "writing tick, outcome, message, sending",
        "writing tick, outcome, sending",
        "observing",
        "sending cancel",
        "sending top_up",
        "sending reduce",
        "sending backstop",
    }
    assert names.count("before sending reduce") == names.count("after sending reduce") == 1
    # The first stop, the smaller one after the cut, and the cancel of the first.
    assert names.count("before sending backstop") == names.count("after sending backstop") == 2
    assert names.count("before sending cancel") == 2
    befores = [name for name in names if name.startswith("before")]
    assert len(befores) * 2 == len(names)


@pytest.mark.parametrize("stays_down", [0, 8])
def test_one_guard_dies_at_every_point(tmp_path: Path, stays_down: int) -> None:
    names = whole_run(tmp_path, 1)

    for number, name in enumerate(names):
        chain, points = stage(), Points(kill_at=number)
        path = tmp_path / f"dies-{number}.db"
        guard = Guard.over(chain, path, points, stays_down=stays_down)
        play(chain, [guard], late_blocks=36, between=stops_watched(chain))

        assert points.names[number] == name
        try:
            assert_well(chain, [path])
        except AssertionError as error:
            raise AssertionError(f"killed {name} (point {number}): {error}") from error
        finally:
            guard.journal.close()


def test_beside_another_guard_one_dies_at_every_point(tmp_path: Path) -> None:
    names = whole_run(tmp_path, 2)

    for number, name in enumerate(names):
        chain, points = stage(), Points(kill_at=number)
        paths = [tmp_path / f"{number}-{which}.db" for which in ("dies", "lives")]
        guards = [
            Guard.over(chain, paths[0], points, stays_down=1),
            Guard.over(chain, paths[1], Points(), delay=700),
        ]
        play(chain, guards, late_blocks=36, between=stops_watched(chain))

        assert points.names[number] == name
        try:
            assert_well(chain, paths)
        except AssertionError as error:
            raise AssertionError(f"killed {name} (point {number}): {error}") from error
        finally:
            for guard in guards:
                guard.journal.close()


def test_every_kind_of_action_is_among_what_was_sent(tmp_path: Path) -> None:
    chain = stage()
    guard = Guard.over(chain, tmp_path / "0.db", Points())

    play(chain, [guard])

    assert {type(action) for action in guard.venue.sent} == {Cancel, TopUp, Reduce, Backstop}
