"""What a guard finds in its journal when it starts: memory, family, whose journal it is."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from seawall.action import Outcome
from seawall.agent.rows import FamilyRow, Kind, StartRow, TickRow, told
from seawall.decide.holds import Holds, with_holds
from seawall.decide.memory import Memory, Message, Urgency
from seawall.errors import OperatorError
from seawall.journal.codec import from_json
from seawall.journal.queries import BREAK, Reader
from seawall.journal.store import Entry, Journal

log = logging.getLogger(__name__)

PANIC_ROWS = 100  # newest ones that are searched for what has no end yet


def family_of(journal: Reader, owner: str) -> tuple[int, ...]:
    """The subaccounts of an owner that a guard has ever seen."""
    before = journal.predecessor()
    numbers = set() if before is None else set(family_of(before, owner))
    for row in journal.rows(Kind.FAMILY):
        if row.body is not None:
            said = from_json(FamilyRow, row.body)
            numbers.update(said.numbers if said.owner == owner else ())
    return tuple(sorted(numbers))


def check_owner(journal: Reader, owner: str, *, chain_id: str, parent: int) -> None:
    """Raise OperatorError where a journal holds the memory of another account or chain."""
    row = journal.last(Kind.START)
    if row is None and (predecessor := journal.predecessor()) is not None:
        row = predecessor.last(Kind.START)
    if row is None or row.body is None:
        return
    begun = from_json(StartRow, row.body)
    is_same_chain = chain_id == begun.chain_id or "" in (chain_id, begun.chain_id)
    if (owner, parent) == (begun.owner, begun.parent) and is_same_chain:
        return
    its = f"{begun.owner}/{begun.parent} on {begun.chain_id or 'its chain'}"
    raise OperatorError(
        f"{journal.path or 'the journal'} is the journal of {its}, not of {owner}/{parent} on "
        f"{chain_id or 'this chain'}; name another file under journal.path, one for each account"
    )


def restore(journal: Reader) -> tuple[Memory, int]:
    """Memory after the last recorded tick, and the last command row it obeyed.

    Where the journal replaced a broken one, memory is that one's, and every command here is new.
    """
    if journal.last(Kind.TICK) is None:
        tick = last_tick(journal.predecessor())
        return (Memory(), 0) if tick is None else (tick.after, 0)
    tick = last_tick(journal)
    return (Memory(), 0) if tick is None else (tick.after, tick.commands_through)


def last_tick(journal: Reader | None) -> TickRow | None:
    """The last tick that was written whole, with what its levels were credited since."""
    row = None if journal is None else journal.last(Kind.TICK)
    if journal is None or row is None or row.body is None:
        return None
    tick, later = from_json(TickRow, row.body), journal.last(Kind.HOLDS)
    if later is None or later.seq < row.seq or later.body is None:
        return tick
    return replace(tick, after=with_holds(tick.after, from_json(Holds, later.body)))


def taken_over(journal: Journal) -> list[Entry]:
    """What the first start after a broken journal says: commands nobody obeyed, and a page."""
    first = journal.get(1)
    if first is None or first.kind != BREAK or journal.last(Kind.START) is not None:
        return []
    broken = journal.predecessor()
    entries: list[Entry] = []
    if broken is not None:
        _, obeyed = restore(broken)
        waiting = broken.rows(Kind.COMMAND, after=obeyed)
        entries = [(Kind.COMMAND, row.body) for row in waiting if row.body is not None]
    cited = json.loads(first.body or "{}")
    page = Message(
        urgency=Urgency.PAGE,
        key="journal/broken",
        text=(
            f"The journal did not verify ({cited['reason']}). It is kept as {cited['file']}; the "
            f"guard goes on from what still verifies, in a new journal. Find out who or what "
            f"changed the file, and look at positions, latches and budgets yourself."
        ),
    )
    log.error("event=page key=%s text=%s", page.key, page.text)
    return [*entries, *told(page)]


def with_open_sends(memory: Memory, journal: Reader) -> Memory:
    """Memory with what panics sent before they died, whose end nobody has written down."""
    rows = journal.newest(PANIC_ROWS, kind=Kind.PANIC)
    afters = [from_json(TickRow, row.body).after for row in rows if row.body is not None]
    if not any(after.sent or after.cancels for after in afters):
        return memory
    known = {one.action_id for one in memory.sent} | {one.action_id for one in memory.cancels}
    for later in journal.rows(Kind.OUTCOME, after=rows[0].seq):
        assert later.body is not None
        known.add(from_json(Outcome, later.body).action_id)
    sent = {one.action_id: one for after in afters for one in after.sent}
    cancels = {one.action_id: one for after in afters for one in after.cancels}
    return replace(
        memory,
        sent=(*memory.sent, *(one for name, one in sent.items() if name not in known)),
        cancels=(*memory.cancels, *(one for name, one in cancels.items() if name not in known)),
    )
