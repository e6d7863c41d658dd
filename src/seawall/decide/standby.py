"""The second of two guards, which leaves what is wanted to the first and acts where nobody does.

Two guards that act on the same state may reach for one target in different markets, where their
books differ, and together sell more than was wanted: order ids only keep them from selling twice in
one market. So a standby waits for as many blocks as an order of the first may live since the need
began. It counts heights alone: however late either of them sees a block, what the first sent when
the need began is filled or dead by then. An order of the first that the feed tells of, filled or
not, begins the wait anew, and so does, once until that one shows itself, a cut that nobody has
explained yet: the venue may liquidate block by block, and its records come late. Where a wait is
over and neither of them can do a thing, as of a budget that is used up, a new need begins it anew.
Cancels and stops on the chain are kept by both at once, and a panic waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seawall import action
from seawall.account import Observation
from seawall.action import Reduce, RefusalCode, TopUp
from seawall.decide import panic
from seawall.decide.left import Left
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
        return replace(memory, left=None)
    names = tuple(sorted({one.name for one in asked}))
    left, begun = memory.left, Left(since=seen.height, wanted=names)
    if left is None or _is_at_work(memory, changes, seen):
        return replace(memory, left=begun)
    if _may_be_at_work(memory) and not left.was_doubted:
        return replace(memory, left=replace(begun, was_doubted=True))
    is_over, is_new = _ends(left) <= seen.height, not set(names) <= set(left.wanted)
    if is_over and is_new and not left.has_acted:
        return replace(memory, left=begun)
    return replace(memory, left=replace(left, wanted=names))


def _ends(left: Left) -> int:
    return left.since + WAIT_BLOCKS


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
    if memory.left is None or _ends(memory.left) <= seen.height:
        return None
    until = _ends(memory.left)
    return RefusalCode.LEFT_TO_FIRST, f"left to the first guard up to block {until:,}"


def note_acts(memory: Memory, numbered: Sequence[Numbered]) -> Memory:
    """Memory in which the first guard is taken for gone, where the standby is about to act."""
    if memory.left is None or not _acts(numbered):
        return memory
    return replace(memory, left=replace(memory.left, has_acted=True))


def _acts(numbered: Sequence[Numbered]) -> list[Numbered]:
    return [one for one in numbered if isinstance(one.action, Reduce | TopUp)]


def takes_over(memory: Memory, numbered: Sequence[Numbered]) -> Iterator[Message]:
    """A page where the standby acts: the first guard may be gone."""
    acts = _acts(numbered)
    if memory.left is None or not acts:
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
