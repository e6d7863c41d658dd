"""Isolated markets: what may be held together, and which collateral pool an account belongs to.

Source: reference MARGIN.md sections 3.2 and 3.3. A pool is named by the perpetual of its isolated
market; None is the pool of all cross-margined accounts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from seawall.simulator.ruler import Held


class Moved(StrEnum):
    """What a trade did to an isolated position."""

    OPENED = "Opened"
    CLOSED = "Closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Collateral that changes pools with an isolated position, in quote quantums."""

    perpetual_id: int
    quote: int
    moved: Moved


def pool_of(held: Iterable[Held], isolated: Collection[int]) -> int | None:
    """The pool that an account's collateral lies in: that of its first position."""
    for one in held:
        return one.perpetual_id if one.perpetual_id in isolated else None
    return None


def violates(held: Iterable[Held], isolated: Collection[int], touched: Collection[int]) -> bool:
    """Whether an update that touches these perpetuals would mix an isolated position with others.

    `held` is what the account holds before it.
    """
    if not touched:
        return False
    holds = {one.perpetual_id for one in held}
    touches_isolated = any(perpetual in isolated for perpetual in touched)
    alone = next((perpetual for perpetual in holds if perpetual in isolated), None)
    if touches_isolated and len(set(touched)) > 1:
        return True
    if alone is not None:
        return set(touched) != {alone}
    return touches_isolated and bool(holds)


def transition(
    held_after: Iterable[Held],
    usdc_after: int,
    usdc_change: int,
    changes: Mapping[int, int],
    isolated: Collection[int],
) -> Transition | None:
    """What changes pools with an update; `changes` are sizes by perpetual. None where nothing."""
    if len(changes) != 1:
        return None
    ((perpetual, change),) = changes.items()
    if perpetual not in isolated:
        return None
    after = sum(one.quantums for one in held_after if one.perpetual_id == perpetual)
    if after == 0:
        return Transition(perpetual_id=perpetual, quote=usdc_after, moved=Moved.CLOSED)
    if after == change:
        quote = usdc_after - usdc_change
        return Transition(perpetual_id=perpetual, quote=quote, moved=Moved.OPENED)
    return None
