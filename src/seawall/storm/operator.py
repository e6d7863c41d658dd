"""The operator on a bad day: commands at moments of chance, as rows of each guard's journal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from seawall.agent import Kind
from seawall.decide.memory import Acknowledge, Command, Panic, Pause, Rearm, Rebase
from seawall.errors import JournalUnwritable
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.units import SECOND, Millis

MOST = 4
PAUSES_S = (5, 30, 120)
PAUSE_LATEST = 150  # blocks before the end of the chaos, so that none outlasts the calm after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One command, at a block counted from the first one played."""

    block: int
    command: Command


def orders_for(chance: random.Random, rules: Sequence[str], *, blocks: int) -> tuple[Order, ...]:
    """One to four commands within so many blocks, in order."""
    drawn = [
        Order(block=chance.randint(1, blocks - PAUSE_LATEST), command=_command(chance, rules))
        for _ in range(chance.randint(1, MOST))
    ]
    return tuple(sorted(drawn, key=lambda one: one.block))


def _command(chance: random.Random, rules: Sequence[str]) -> Command:
    about = chance.choice(("", *rules))
    match chance.randrange(12):
        case 0 | 1 | 2:
            return Pause(duration=Millis(chance.choice(PAUSES_S) * SECOND))
        case 3 | 4:
            return Acknowledge(key=about, stops_flatten=chance.random() < 0.5)
        case 5 | 6:
            return Rearm(key=chance.choice((*rules, "panic")))
        case 7 | 8 | 9:
            return Rebase()
        case _:
            return Panic()


def write(journal: Journal, order: Order) -> bool:
    """Add the row, past whatever kills the guard; False where the disk takes none."""
    try:
        # The operator's own process: the guard's death does not lie in its steps.
        Journal.append_all(journal, ((Kind.COMMAND, to_json(order.command)),), durable=True)
    except JournalUnwritable:
        return False
    return True
