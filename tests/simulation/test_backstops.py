"""The guard dies, prices fall, and what it left on the chain closes the book."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from seawall import stress
from seawall.account import Side
from seawall.agent import Agent
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import parse
from seawall.simulator.local import LocalVenue
from seawall.simulator.play import AWAKE, Player
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.setup import chain_on, equal_parts, fund, open_book
from seawall.units import MINUTE, SECOND, Millis
from tests.simulation.duel import at_once

PRICES = {"BTC-USD": 60_000.0, "ETH-USD": 3_000.0, "SOL-USD": 150.0}
START = Millis(1_700_000_000_000)
EQUITY = Decimal(30_000)
RULES = """
scenarios:
  twin-gap: {BTC-USD: -10%, ETH-USD: -10%, "*": -15%, over: 1h, slippage: 150bps, both_signs: true}
backstop: {scenario: twin-gap, at: 60%, slippage: 500bps}
rules:
  - id: size
    why: "Nothing but the stops acts here."
    measure: gross_exposure
    trigger: "> $9_000_000"
    do: [page]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a day ended: what is left, who was liquidated, what stops the chain still holds."""

    equity: int
    twin: int
    liquidated: frozenset[str]
    held: int  # positions of the guarded account
    stops: int


def falling(percent: float) -> Path:
    """Five minutes of calm, then all three fall together over ten minutes, then rest."""
    lines = {
        ticker: Line(
            [
                Point(START, price),
                Point(Millis(START + 5 * MINUTE), price),
                Point(Millis(START + 15 * MINUTE), price * (1 - percent / 100)),
            ]
        )
        for ticker, price in PRICES.items()
    }
    return Path(lines, start=START, end=Millis(START + 20 * MINUTE), name="falling")


def day(path: Path, *, leverage: int, side: Side = Side.BUY, lives: Millis = MINUTE) -> Day:
    """Two equal books on one path; the guard of one of them ticks for a while, then is dead."""
    chain = chain_on(path)
    for owner in ("guarded", "twin"):
        fund(chain, owner, 0, EQUITY)
        parts = equal_parts(EQUITY, Decimal(leverage), sorted(PRICES), side)
        open_book(chain, owner, 0, parts)
    journal = Journal.open(":memory:")
    agent = Agent.resume(
        LocalVenue(chain, "guarded"),
        journal,
        parse(RULES).policy,
        digest="stops",
        mode=Mode.LIVE,
        owner="guarded",
    )
    player, hit = Player(chain, path), set()
    while (block := player.step(AWAKE)) is not None:
        hit |= {one.subaccount.owner for one in block.liquidations}
        hit |= {one.subaccount.owner for one in block.deleveragings}
        if block.time < START + lives:
            at_once(agent.tick())
    journal.close()
    state = chain.committed
    return Day(
        equity=state.risk(state.subaccount("guarded", 0)).nc,
        twin=state.risk(state.subaccount("twin", 0)).nc,
        liquidated=frozenset(hit),
        held=len(state.subaccount("guarded", 0).held),
        stops=len(state.open_orders("guarded")),
    )


@pytest.mark.parametrize("side", list(Side))
def test_after_the_guard_has_died_its_stops_close_the_book(side: Side) -> None:
    percent = 25 if side is Side.BUY else -25

    ended = day(falling(percent), leverage=5, side=side)

    assert ended.liquidated == {"twin"}
    assert ended.held == 0
    assert ended.stops == 0, "each had its one attempt"
    assert ended.equity > max(ended.twin, 0) + 5_000 * 10**6


def test_a_book_that_falls_together_needs_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    covered = day(falling(25), leverage=5)
    monkeypatch.setattr(stress, "fatal_move_of", lambda *_: Decimal("Infinity"))
    alone = day(falling(25), leverage=5)

    assert "guarded" not in covered.liquidated
    assert "guarded" in alone.liquidated, "by its own move each market had twice as far to go"


def test_a_guard_that_lives_moves_its_stops_away_and_none_goes_off_in_a_bleed() -> None:
    path = falling(8)

    ended = day(path, leverage=5, lives=Millis(30 * MINUTE))

    assert ended.liquidated == frozenset()
    assert (ended.held, ended.stops) == (3, 3)


def test_a_dead_guards_stops_that_are_not_reached_stay() -> None:
    ended = day(falling(4), leverage=5)

    assert (ended.held, ended.stops) == (3, 3)
    assert ended.equity == ended.twin


def test_they_are_there_within_seconds_of_the_first_tick() -> None:
    ended = day(falling(25), leverage=5, lives=Millis(4 * SECOND))

    assert ended.held == 0
