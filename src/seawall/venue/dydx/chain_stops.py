"""Our stops as a node has them in the chain's state, held against what the feed tells of them.

A stop is what stands if the guard dies, so the feed's word alone is not enough for one. Our client
ids are known beforehand, two for each position: both are asked for, at one height, now and then
(`clob.Query/StatefulOrder`). What the chain has not is not shown, whatever the feed says; what the
feed does not tell twice in a row, though the chain has it, is shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

import grpc
from v4_proto.dydxprotocol.clob.order_pb2 import OrderId
from v4_proto.dydxprotocol.clob.query_pb2 import (
    QueryStatefulOrderRequest,
    QueryStatefulOrderResponse,
)
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.account import Missing, RestingOrder, Side
from seawall.action import CONDITIONAL, STOP_LIFE, stop_ids
from seawall.errors import VenueError, VenueUnreachable
from seawall.units import SECOND, BaseQuantums, Subticks
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.node import Block, Node
from seawall.venue.dydx.orders import CLIENT_METADATA
from seawall.venue.dydx.pool import Nodes
from seawall.venue.dydx.rpc import Method, status_of

log = logging.getLogger(__name__)

STATEFUL_ORDER = Method("/dydxprotocol.clob.Query/StatefulOrder", QueryStatefulOrderResponse)
BUY = 1  # of the wire's enum
Place = tuple[int, str, int]  # subaccount, ticker, client id


class ChainStops:
    """What a node last said of our stops."""

    def __init__(self, chain_id: str, owner: str) -> None:
        self._chain_id = chain_id
        self._owner = owner
        self._gone: frozenset[tuple[Place, int | None]] = frozenset()
        self._untold: Mapping[Place, RestingOrder] = {}
        self._added: tuple[RestingOrder, ...] = ()

    async def read(
        self,
        nodes: Nodes,
        known_height: int,
        slots: Iterable[tuple[int, Grid]],
        told: tuple[RestingOrder, ...] | Missing,
    ) -> None:
        """Ask a node for the stops of these positions; raises VenueError where none can be asked.

        `told` are the feed's orders now: where they are missing there is nothing to correct.
        """
        asked = tuple(slots)

        async def look(node: Node, block: Block) -> tuple[Block, dict[Place, RestingOrder | None]]:
            places = [
                (number, grid, one)
                for number, grid in asked
                for one in stop_ids(self._chain_id, self._owner, number, grid.clob_pair_id)
            ]
            found = await asyncio.gather(*(self._stop(node, block, *place) for place in places))
            names = [(number, grid.ticker, one) for number, grid, one in places]
            both = zip(names, found, strict=True)
            return block, {name: one for name, one in both if not isinstance(one, Missing)}

        block, found = await nodes.read(look, known_height)
        self._take(block, found, () if isinstance(told, Missing) else told)

    def corrected(
        self, told: tuple[RestingOrder, ...] | Missing
    ) -> tuple[RestingOrder, ...] | Missing:
        """The feed's orders without stops that the chain has not, and with those it has."""
        if isinstance(told, Missing):
            return told
        places = {_place(order) for order in told}
        kept = (o for o in told if (_place(o), o.good_til_block_time) not in self._gone)
        return (*kept, *(order for order in self._added if _place(order) not in places))

    def _take(
        self,
        block: Block,
        found: Mapping[Place, RestingOrder | None],
        told: tuple[RestingOrder, ...],
    ) -> None:
        shown = {_place(order): order for order in told if order.order_flags == CONDITIONAL}
        self._gone = frozenset(
            (place, shown[place].good_til_block_time)
            for place, order in found.items()
            if order is None and place in shown and _began(shown[place]) < block.at
        )
        untold = {
            place: order
            for place, order in found.items()
            if order is not None and place not in shown
        }
        self._added = tuple(o for place, o in untold.items() if self._untold.get(place) == o)
        self._untold = untold
        for number, ticker, one in [place for place, _ in self._gone]:
            log.warning("event=stop_not_on_chain market=%d/%s client_id=%d", number, ticker, one)
        for order in self._added:
            log.warning("event=stop_not_told market=%d/%s", order.subaccount, order.ticker)

    async def _stop(
        self, node: Node, block: Block, number: int, grid: Grid, client_id: int
    ) -> RestingOrder | Missing | None:
        """One stop at the block's height; None where the chain has none under that id.

        Missing where the node does not say: it may serve all else, so it is not held against it.
        """
        request = QueryStatefulOrderRequest(
            order_id=OrderId(
                subaccount_id=SubaccountId(owner=self._owner, number=number),
                client_id=client_id,
                order_flags=CONDITIONAL,
                clob_pair_id=grid.clob_pair_id,
            )
        )
        try:
            answer = await node.wire.read(STATEFUL_ORDER, request, block.height)
        except VenueError as error:
            if (
                isinstance(error, VenueUnreachable)
                and status_of(error) is grpc.StatusCode.NOT_FOUND
            ):
                return None
            log.info("event=stop_not_read reason=%s", error)
            return Missing(reason=str(error))
        order = answer.order_placement.order
        return RestingOrder(
            subaccount=number,
            ticker=grid.ticker,
            side=Side.BUY if order.side == BUY else Side.SELL,
            quantums=BaseQuantums(order.quantums - answer.fill_amount),
            subticks=Subticks(order.subticks),
            client_id=client_id,
            order_flags=CONDITIONAL,
            reduce_only=order.reduce_only,
            good_til_block_time=order.good_til_block_time,
            trigger_subticks=Subticks(order.conditional_order_trigger_subticks),
            is_triggered=answer.triggered,
            ours=order.client_metadata == CLIENT_METADATA,
        )


def _place(order: RestingOrder) -> Place:
    return order.subaccount, order.ticker, order.client_id


def _began(order: RestingOrder) -> int:
    """When one of our stops was asked for, block time: its end is a fixed time after that."""
    return (order.good_til_block_time or 0) * SECOND - STOP_LIFE
