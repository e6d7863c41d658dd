"""A played venue on a bad day: what its faults make the guard see, block by block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx

from seawall.account import Blind, Missing, Observation, Seen
from seawall.simulator.play import AWAKE
from seawall.venue.dydx.venue import DydxVenue
from tests.venue.dydx.test_against_simulator import simulated
from tests.venue.dydx.wires import opened, seen_well, until

BLOCKS = 25
OPTIONS = ("--leverage", "3x", "--float", "500", "--speed", "0", "--hold", "--rest-lag", "0")
FAULTS = """\
faults:
  - {kind: node_unavailable, first: 3, last: 4}
  - {kind: node_behind, first: 9, last: 9, blocks: 3}
  - {kind: book_crossed, first: 15, last: 15, ticker: BTC-USD}
  - {kind: withdrawal_late, first: 17, last: 17, blocks: 4}
  - {kind: gate_up, first: 23, last: 23}  # no money moves after it
"""


async def test_the_guard_sees_what_each_fault_says_and_then_is_well_again(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FAULTS)

    with simulated(*OPTIONS, "--faults", str(file)) as venue:
        connection = replace(venue.connection, step_url=venue.step)
        async with opened(connection) as guard:
            day = await lived(guard, venue.step.replace("/step", "/start"))

    blind = {block: seen.reasons[0] for block, seen in day.items() if isinstance(seen, Blind)}
    assert list(blind) == [3, 4]
    assert "UNAVAILABLE" in blind[3]
    assert [seen_well(day[block]).height for block in (8, 9, 10)] == [9, 7, 11]
    assert 0 not in seen_well(day[22]).transfers_blocked_until
    assert seen_well(day[23]).transfers_blocked_until[0] == 24 + 50
    tops = [top(day[block]) for block in (14, 15, 16)]
    assert all(bid < ask for bid, ask in tops)  # the guard drops what the newer level crossed
    assert tops[1][0] >= tops[0][1]
    assert tops[2][0] < tops[1][0]
    assert money_out(day[17]) == money_out(day[18]) == money_out(day[21]) == 0
    assert taken(day[17], day[18]) > 0  # on the chain at once
    assert money_out(day[22]) == 1


async def lived(guard: DydxVenue, start: str) -> dict[int, Seen]:
    """What the guard sees after so many blocks; the venue waits for it at each."""
    first = seen_well(await guard.observe())
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(start, json={})
    day: dict[int, Seen] = {}
    for block in range(1, BLOCKS):
        height = first.height + block
        await guard.tick_done(height - 1, idle_until=AWAKE)
        await until(lambda height=height: guard.block_height >= height)  # type: ignore[misc]
        day[block] = await guard.observe()
    return day


def top(seen: Seen) -> tuple[int, int]:
    """Best bid and best ask."""
    book = seen_well(seen).advice.books["BTC-USD"]
    return book.bids[0].subticks, book.asks[0].subticks


def money_out(seen: Seen) -> int:
    transfers = seen_well(seen).advice.transfers
    assert not isinstance(transfers, Missing)
    return sum(one.amount < 0 for one in transfers)


def taken(before: Seen, after: Seen) -> int:
    one, other = seen_well(before), seen_well(after)
    return _usdc(one) - _usdc(other)


def _usdc(seen: Observation) -> int:
    return seen.subaccount(0).usdc
