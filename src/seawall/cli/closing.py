"""Cancel and close everything from a second shell, beside a guard or without one.

It is the guard's own tick with one rule (decide/panic.py): the same windows and order ids, rows
before sends, outcomes from the chain. So the chain carries out each cut once, whoever else sends
it. The command row tells a guard that runs, or starts later, to do and to remember the same; what
a panic that died has sent is followed to its end by that guard, or by the next panic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from seawall.account import Missing, Observation, Seen
from seawall.agent import Agent, Kind, with_open_sends
from seawall.decide import decide
from seawall.decide.memory import Decision, Memory, Panic
from seawall.decide.waiting import in_time
from seawall.journal.codec import to_json
from seawall.journal.lock import panicking
from seawall.journal.store import Journal
from seawall.policy import HandsOff, Mode, Policy
from seawall.units import SECOND, Millis
from seawall.venue import Venue

TICKS_MOST = 1_000_000  # of one panic: its action ids begin at its row times this
BEYOND_REACH = ", the trading key cannot trade it: close it by hand, or `seawall keys grant` it"
CONFIRMATION = Millis(5 * SECOND)  # to wait for advice before a rehearsal goes on without


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What still stands; nothing where it is done, and `unverified` where that cannot be told.

    Positions that are hands-off stay open, and nothing is left to be done about them.
    """

    positions: tuple[str, ...] = ()
    beyond_reach: tuple[str, ...] = ()  # those of the positions that the key cannot trade
    hands_off: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    unverified: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the chain shows neither position nor order, hands-off aside."""
        return not (self.positions or self.orders or self.unverified)


def left_of(seen: Seen, hands_off: HandsOff) -> Left:
    """What an observation still shows."""
    if not isinstance(seen, Observation):
        return Left(unverified="; ".join(seen.reasons))
    held = [(one.number, position.ticker) for one in seen.subaccounts for position in one.positions]
    kept = tuple(f"{n}/{ticker}" for n, ticker in held if hands_off.covers(n, ticker))
    positions = tuple(f"{n}/{ticker}" for n, ticker in held if not hands_off.covers(n, ticker))
    beyond = tuple(
        f"{n}/{ticker}" for n, ticker in seen.beyond_reach() if not hands_off.covers(n, ticker)
    )
    left = Left(positions=positions, beyond_reach=beyond, hands_off=kept)
    orders = seen.advice.orders
    if isinstance(orders, Missing):
        return replace(left, unverified=f"resting orders: {orders.reason}")
    resting = tuple(
        f"{order.subaccount}/{order.ticker} order {order.client_id}"
        for order in orders
        if not hands_off.covers(order.subaccount, order.ticker)
    )
    return replace(left, orders=resting)


async def close_everything(
    venue: Venue,
    journal: Journal,
    hands_off: HandsOff,
    *,
    patience: Millis,
    heard: Callable[[Decision], None],
) -> Left:
    """Write the command, then tick until the chain shows nothing left; what is left if not.

    `patience` runs on the agent's clock and on the journal's, since a venue that plays prices may
    have stopped its own. Raises JournalUnwritable: no trace, no act.
    """
    with panicking(journal.path) as is_only:
        return await _close(
            venue, journal, hands_off, patience=patience, heard=heard, is_only=is_only
        )


async def _close(
    venue: Venue,
    journal: Journal,
    hands_off: HandsOff,
    *,
    patience: Millis,
    heard: Callable[[Decision], None],
    is_only: bool,
) -> Left:
    """The same; what another panic has sent is its own to follow while it lives."""
    seq = journal.append(Kind.COMMAND, to_json(Panic()), durable=True)
    memory = Memory(tick=seq * TICKS_MOST)
    agent = Agent(
        venue,
        journal,
        Policy(hands_off=hands_off),
        digest=Kind.PANIC,
        mode=Mode.LIVE,
        memory=with_open_sends(memory, journal) if is_only else memory,
        commands_through=seq - 1,
        ticks_as=Kind.PANIC,
    )
    began, first = journal.now(), None
    while True:
        decision = await agent.tick()
        heard(decision)
        assert agent.seen is not None
        left = left_of(agent.seen, hands_off)
        first = decision.seen_at if first is None else first
        if left.is_done and not agent.memory.sent:
            return left
        if max(decision.seen_at - first, journal.now() - began) >= patience:
            return left if not left.is_done else Left(unverified="an order may still fill")
        await venue.wait_for_change(SECOND)


async def rehearse(venue: Venue, hands_off: HandsOff) -> tuple[Seen, Decision]:
    """What a panic would do now, and what it was seen on; nothing is written or sent."""
    seen = await venue.observe()
    first = seen.seen_at
    while left_of(seen, hands_off).unverified and seen.seen_at - first < CONFIRMATION:
        await venue.wait_for_change(SECOND)
        seen = await venue.observe()
    policy = Policy(hands_off=hands_off)
    judged = in_time(seen) if isinstance(seen, Observation) else seen
    _, decision = decide(policy, Memory(), judged, mode=Mode.DRY_RUN, commands=(Panic(),))
    return seen, decision


def words_of(left: Left) -> Iterator[str]:
    """What is left, a line each."""
    if left.unverified:
        yield f"not verified: {left.unverified}"
    for position in left.positions:
        beyond = position in left.beyond_reach
        yield f"still open: {position}{BEYOND_REACH if beyond else ''}"
    for order in left.orders:
        yield f"still resting: {order}"
    for position in left.hands_off:
        yield f"left open, hands_off in the rule file: {position}"
