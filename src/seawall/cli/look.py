"""One look at an address, without a key: how the verbs that only read come to an observation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, assert_never

from seawall.errors import SettingsError, VenueUnreachable

if TYPE_CHECKING:
    from seawall.account import Observation
    from seawall.settings import Settings


async def observe(
    settings: Settings,
    address: str | None = None,
    *,
    markets: Iterable[str] = (),
    float_address: str | None = None,
) -> Observation:
    """The newest state of an address (default: the settings' own) with its children.

    `markets` are read even where nothing is held in them. The feed is not opened and no step is
    taken in a venue that plays prices, so books and orders are missing from the advice.
    Raises SettingsError for a malformed address or another chain, NoSuchSubaccount for an account
    that nobody has ever seen, and VenueUnreachable where no node shows its state.
    """
    from seawall.account import Blind, Observation
    from seawall.settings import address_fault
    from seawall.venue.dydx.connection import Connection
    from seawall.venue.dydx.venue import DydxVenue

    owner = settings.account.address if address is None else address
    if fault := address_fault(owner):
        raise SettingsError(fault)
    venue = DydxVenue(
        Connection(
            chain_id=settings.venue.chain_id,
            owner=owner,
            nodes=settings.venue.nodes,
            indexers=settings.venue.indexers,
            feeds=settings.venue.feeds,
            parent=settings.account.parent,
            markets=frozenset(markets),
            float_address=float_address,
        )
    )
    try:
        await venue.preflight()
        seen = await venue.observe()
    finally:
        await venue.close()
    match seen:
        case Observation():
            return seen
        case Blind():
            raise VenueUnreachable("; ".join(seen.reasons))
        case _:
            assert_never(seen)
