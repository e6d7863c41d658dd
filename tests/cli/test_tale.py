"""The demo's tale: every action counts once, for the first intervention that asked for it."""

from __future__ import annotations

from seawall.action import Cancel, Ending, Outcome
from seawall.cli.tale import Tale
from seawall.decide.memory import Decision, Numbered, Started
from seawall.policy import Mode
from seawall.units import Millis, QuoteQuantums

AT = Millis(1_583_992_800_000)


def test_an_order_that_two_interventions_ask_for_counts_as_its_fill_does() -> None:
    cancel = Cancel(subaccount=0, ticker="BTC-USD", clob_pair_id=0, client_id=1, order_flags=0)
    started = tuple(Started(name=name, why="so", mode=Mode.LIVE) for name in ("a#1", "b#2"))
    asked = Numbered(id="1.0", action=cancel, asked_by=("a#1", "b#2"), what="sell")
    outcome = Outcome(
        action_id="1.0", ending=Ending.FILLED, height=2, at=AT, quote=QuoteQuantums(5_000_000)
    )
    tale = Tale()

    tale.hear(Decision(tick=1, height=1, at=AT, seen_at=AT, started=started, actions=(asked,)))
    tale.hear(Decision(tick=2, height=2, at=AT, seen_at=AT, outcomes=(outcome,)))

    counted = {name: (one.orders, one.fills) for name, one in tale.chapters.items()}
    assert counted == {"a#1": (1, 1), "b#2": (0, 0)}
