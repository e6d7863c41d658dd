"""Where a venue is reached, whom it shows, and what a guard may sign with there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from seawall.units import Millis
from seawall.venue.dydx.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Addresses, and the account that is shown.

    `children` are subaccounts remembered from before; `markets` are read even without a position.
    """

    chain_id: str
    owner: str
    nodes: tuple[str, ...]
    indexers: tuple[str, ...]
    feeds: tuple[str, ...]
    parent: int = 0
    children: tuple[int, ...] = ()
    markets: frozenset[str] = frozenset()
    float_address: str | None = None
    trading_authenticator: int | None = None
    step_url: str | None = None  # only of a venue that plays prices
    at_any_age: bool = False  # read blocks ahead of our clock too: a panic, a venue's own time
    guard: str = "guard"  # the name by which such a venue knows who has finished its tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys that a guard may sign with; none at all in dry-run."""

    trading: Key | None = field(default=None, repr=False)
    float_wallet: Key | None = field(default=None, repr=False)


def wall_clock() -> Millis:
    """This machine's clock, Unix milliseconds."""
    return Millis(time.time_ns() // 1_000_000)
