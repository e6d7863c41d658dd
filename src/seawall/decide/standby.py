"""The second of two guards, which leaves what is wanted to the first and acts where nobody does.

Two guards that act on the same state may reach for one target in different markets, where their
books differ, and together sell more than was wanted: order ids only keep them from selling twice in
one market. So a standby waits for as many blocks as an order of the first may live since the need
began. It counts heights alone: however late either of them sees a block, what the first sent when
the need began is filled or dead by then. An order of the first that the feed tells of, filled or
not, begins the wait anew, and so does, once until that one shows itself, a cut that nobody has
explained yet: the venue may liquidate block by block, and its records come late. Cancels and stops
on the chain are kept by both at once, and a panic waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seawall import action
from seawall.account import Observation
from seawall.action import Reduce, RefusalCode, TopUp
from seawall.decide import panic
from seawall.decide.memory import Cause, Change, Memory, Message, Numbered, Urgency
from seawall.plan.demand import Demand, Reason

KEY = "standby"
# An order is sent at most two blocks after its need began, and dead a window later.
WAIT_BLOCKS = action.WINDOW_BLOCKS + 2


def follow(
    memory: Memory, asked: Sequence[Demand], changes: Sequence[Change], seen: Observation
) -> Memory:
    """Memory with the height since which the first guard might have served what is `asked` now.

    Of a guard that leaves nothing to another, nothing is asked.
    """
    if not asked or panic.is_running(memory):
        return replace(memory, left_since=None, left_doubted=False)
    if memory.left_since is None or _is_at_work(memory, changes, seen):
        return replace(memory, left_since=seen.height, left_doubted=False)
    if _may_be_at_work(memory) and not memory.left_doubted:
        return replace(memory, left_since=seen.height, left_doubted=True)
    return memory


def _is_at_work(memory: Memory, changes: Sequence[Change], seen: Observation) -> bool:
    """Whether the first guard shows that it lives: an order of it was told of, or has filled."""
    own = {(one.action.subaccount, one.action.ticker) for one in memory.sent}
    window = action.window_of(seen.height)
    if any(slot not in own and newest >= window for slot, newest in seen.advice.tried.items()):
        return True
    return any(change.cause is Cause.OTHER_GUARD for change in changes)


def _may_be_at_work(memory: Memory) -> bool:
    """Whether a cut was seen now that no record explains; a liquidation's may be late as well."""
    return any(one.since == memory.height and not one.ours for one in memory.unexplained)


def why_left(memory: Memory, seen: Observation) -> Reason | None:
    """Why nothing is sold or paid in now; None where it is not left to the first guard."""
    if memory.left_since is None:
        return None
    until = memory.left_since + WAIT_BLOCKS
    if seen.height >= until:
        return None
    return RefusalCode.LEFT_TO_FIRST, f"left to the first guard up to block {until:,}"


def takes_over(memory: Memory, numbered: Sequence[Numbered]) -> Iterator[Message]:
    """A page where the standby acts: the first guard may be gone."""
    acts = [one for one in numbered if isinstance(one.action, Reduce | TopUp)]
    if memory.left_since is None or not acts:
        return
    wanted = ", ".join(sorted({name for one in acts for name in one.asked_by}))
    yield Message(
        urgency=Urgency.PAGE,
        key=KEY,
        text=(
            f"No order of the first guard was seen for {WAIT_BLOCKS} blocks, and {wanted} asks for "
            f"one: this standby acts now ({'; '.join(one.what for one in acts)}). Look whether the "
            f"first lives: `seawall health` on its machine."
        ),
    )
