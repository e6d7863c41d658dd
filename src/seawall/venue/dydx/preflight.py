"""What is checked once before a venue is relied on: the chain, the account, and the key."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable

import grpc

from seawall.account import PARENTS, KeyReach, Missing
from seawall.errors import NoSuchSubaccount, SettingsError, VenueError, VenueUnreachable
from seawall.venue.dydx.indexer import Indexer
from seawall.venue.dydx.key_state import KeyState
from seawall.venue.dydx.node import Block, Node
from seawall.venue.dydx.pool import Nodes
from seawall.venue.dydx.rpc import status_of

log = logging.getLogger(__name__)

TESTED_VERSION = (9, 8)


async def check_chain(nodes: Nodes, chain_id: str) -> None:
    """Refuse a node of another chain; say once where a node is newer than what was tested.

    Raises SettingsError, and VenueUnreachable where no node answers.
    """
    reasons = []
    for node in nodes.all:
        try:
            info = await node.info()
        except VenueUnreachable as error:
            if status_of(error) is not grpc.StatusCode.UNIMPLEMENTED:
                reasons.append(str(error))
            continue
        if info.chain_id != chain_id:
            raise SettingsError(
                f"{node.url} is a node of {info.chain_id}, but venue.chain_id is {chain_id}: "
                "correct venue.nodes or venue.chain_id"
            )
        numbers = re.findall(r"\d+", info.version)
        if tuple(int(number) for number in numbers[:2]) > TESTED_VERSION:
            tested = ".".join(str(number) for number in TESTED_VERSION)
            log.warning(
                "event=node_newer url=%s version=%s tested=%s", node.url, info.version, tested
            )
    if len(reasons) == len(nodes.all):
        raise VenueUnreachable(
            f"no node answers: {'; '.join(reasons)}; look at the network, or correct venue.nodes"
        )


async def check_family(
    nodes: Nodes, indexer: Indexer, owner: str, parent: int, numbers: Iterable[int]
) -> None:
    """Refuse an account that nobody has ever seen; raises NoSuchSubaccount or VenueUnreachable.

    A node answers for an unknown subaccount with an empty one, so only the indexer can tell a
    subaccount that was emptied from one that never was. A child alone is an account too.
    """

    async def read(node: Node, block: Block) -> bool:
        held = (node.is_unknown(owner, number, block.height) for number in numbers)
        return all(await asyncio.gather(*held))

    if not await nodes.read(read, 0):
        return
    refusal = f"no such subaccount: {owner}/{parent}: the chain holds nothing for it"
    try:
        known = await indexer.subaccounts(owner)
    except NoSuchSubaccount:
        raise NoSuchSubaccount(
            f"{refusal} and the indexer has never seen it: check account.address"
        ) from None
    except VenueError as error:
        raise NoSuchSubaccount(
            f"{refusal}, and whether it was ever used cannot be asked: {error}"
        ) from error
    if not any(number % PARENTS == parent for number in known):
        said = ", ".join(str(n) for n in sorted(known)) or "none"
        raise NoSuchSubaccount(f"{refusal}; known for this address: {said}")


def refuse_wide_key(state: KeyState) -> None:
    """Refuse a trading key that could do more than trade what it names; raises SettingsError."""
    beyond = list(state.beyond)
    if isinstance(state.reach, KeyReach):
        beyond += ["trade for every subaccount"] if state.reach.subaccounts is None else []
        beyond += ["trade every market"] if state.reach.clob_pairs is None else []
    if beyond:
        raise SettingsError(
            f"keys.trading can {'; '.join(beyond)}. Whoever steals it can do that too: make a key "
            "with `keys new`, permit it with `keys grant` and revoke this one, or run with "
            "--allow-wide-key"
        )


def refuse_without_permission(state: KeyState) -> None:
    """Refuse a key that the owner has not permitted; raises SettingsError."""
    if isinstance(state.reach, Missing):
        raise SettingsError(f"keys.trading cannot act: {state.reach.reason}")
