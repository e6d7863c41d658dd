"""The indexer's REST about accounts: each list for one subaccount and for a whole family.

A family is a parent (below 128) with its children; its sums are sums, not one margin pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from aiohttp import web

from seawall.account import PARENTS
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve import asking, history_shapes, shapes
from seawall.simulator.serve.asking import Refused, answer
from seawall.simulator.serve.chronicle import Payment
from seawall.simulator.serve.condition import Condition
from seawall.simulator.serve.indexer import Indexer
from seawall.simulator.serve.profits import Tick
from seawall.simulator.serve.records import OrderRecord, Records, TransferRecord
from seawall.simulator.serve.shapes import Json, Value
from seawall.simulator.state import Account, State
from seawall.units import Millis

OF_FAMILY = "/parentSubaccountNumber"
BLOCKED = "this address may not use the indexer"
Lister = Callable[[web.Request, "Asked"], web.Response]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The subaccounts that a list is wanted of."""

    accounts: tuple[SubaccountId, ...]
    is_family: bool


class Accounts:
    """Paths of accounts over an indexer; `history` is the state of a past height, where kept."""

    def __init__(
        self, shown: Indexer, condition: Condition, history: Callable[[int], State | None]
    ) -> None:
        self._shown = shown
        self._condition = condition
        self._history = history

    def routes(self) -> list[web.RouteDef]:
        """Every path served; those of families stand before /orders/ID, which would take them."""
        get = web.get
        owner = "/v4/addresses/{address}"
        lists: dict[str, Lister] = {
            "perpetualPositions": self._positions,
            "assetPositions": self._assets,
            "orders": self._orders,
            "fills": self._fills,
            "transfers": self._transfers,
            "fundingPayments": self._payments,
            "historical-pnl": self._profits,
        }
        single = [get(f"/v4/{name}", self._of_one(make)) for name, make in lists.items()]
        family = [get(f"/v4/{n}{OF_FAMILY}", self._of_family(make)) for n, make in lists.items()]
        return [
            get(owner, self._address),
            get(owner + "/subaccountNumber/{number}", self._subaccount),
            get(owner + "/parentSubaccountNumber/{number}", self._parent),
            *single,
            *family,
            get("/v4/fundingPayments/parentSubaccount", self._of_family(self._payments)),
            get("/v4/transfers/between", self._between),
            get("/v4/orders/{order}", self._order),
        ]

    def _of_one(self, make: Lister) -> asking.Handler:
        async def handler(request: web.Request) -> web.Response:
            self._check_allowed()
            asked = Asked(accounts=(asking.account(request),), is_family=False)
            return make(request, asked)

        return handler

    def _of_family(self, make: Lister) -> asking.Handler:
        async def handler(request: web.Request) -> web.Response:
            self._check_allowed()
            named = asking.parent(request)
            own = self._shown.state.subaccounts_of(named.owner)
            children = tuple(one.id for one in own if one.id.number % PARENTS == named.number)
            return make(request, Asked(accounts=children, is_family=True))

        return handler

    async def _address(self, request: web.Request) -> web.Response:
        self._check_allowed()
        owner = asking.address(request)
        found = [self._body(one.id) for one in self._shown.state.subaccounts_of(owner)]
        if not found:
            raise Refused(404, f"No subaccounts found for address {owner}")
        return answer({"subaccounts": found, "totalTradingRewards": "0"})

    async def _subaccount(self, request: web.Request) -> web.Response:
        self._check_allowed()
        named = asking.account(request)
        if named not in self._shown.state.accounts:
            raise Refused(
                404,
                f"No subaccount found with address {named.owner} and "
                f"subaccountNumber {named.number}",
            )
        return answer({"subaccount": self._body(named)})

    async def _parent(self, request: web.Request) -> web.Response:
        self._check_allowed()
        named = asking.parent(request)
        body = family(self._shown, named, self._body)
        if body is None:
            raise Refused(
                404,
                f"No subaccounts found for address {named.owner} and "
                f"parentSubaccountNumber {named.number}",
            )
        return answer({"subaccount": body})

    def _positions(self, request: web.Request, asked: Asked) -> web.Response:
        statuses = request.query.get("status", "OPEN").split(",")
        rows: list[Json] = []
        if "OPEN" in statuses:
            rows += self._parts(asked, "openPerpetualPositions")
        if "CLOSED" in statuses:
            state = self._shown.state
            wanted = set(asked.accounts)
            rows += [
                shapes.position(one, state, None)
                for one in self._shown.records.closed
                if one.subaccount in wanted
            ]
        return answer(asking.page(request, rows, "positions", _as_is))

    def _assets(self, request: web.Request, asked: Asked) -> web.Response:
        rows = self._parts(asked, "assetPositions")
        return answer(asking.page(request, rows, "positions", _as_is))

    def _orders(self, request: web.Request, asked: Asked) -> web.Response:
        state = self._shown.state
        rows = [
            one
            for named in asked.accounts
            for one in self._shown.records.orders_of(named)
            if shapes.is_listed(one) and matches(request, one)
        ]
        rows.sort(key=_latest, reverse=request.query.get("returnLatestOrders", "true") == "true")
        shown = [shapes.order(one, state) for one in self._ordered(rows)]
        return answer(shown[: asking.limit_of(request)])

    async def _order(self, request: web.Request) -> web.Response:
        record = self._shown.records.orders.get(request.match_info["order"])
        if record is None or not shapes.is_listed(record):
            raise Refused(404, f"Unable to find order id {request.match_info['order']}")
        return answer(shapes.order(record, self._shown.state))

    def _fills(self, request: web.Request, asked: Asked) -> web.Response:
        query, wanted, state = request.query, set(asked.accounts), self._shown.state
        for given, other in (("market", "marketType"), ("marketType", "market")):
            if given in query and other not in query:
                raise Refused(400, f"{other} must be provided if {given} is provided", other)
        rows = [
            one
            for one in self._shown.records.fills
            if one.event.subaccount in wanted and query.get("market") in (None, one.event.ticker)
        ]
        found = self._ordered(asking.until(request, rows))
        return answer(asking.page(request, found, "fills", lambda one: shapes.fill(one, state)))

    def _transfers(self, request: web.Request, asked: Asked) -> web.Response:
        """Transfers of one account; of a family only those with others, not between children."""
        wanted = set(asked.accounts)
        rows = [
            one
            for one in self._shown.records.transfers
            if 1 <= len(_ends(one, wanted)) <= (1 if asked.is_family else 2)
        ]
        found = self._ordered(asking.until(request, rows))
        return answer(
            asking.page(
                request, found, "transfers", lambda one: shapes.transfer(one, _ends(one, wanted)[0])
            )
        )

    async def _between(self, request: web.Request) -> web.Response:
        """Transfers between two accounts, and what the recipient got in the end."""
        self._check_allowed()
        query = request.query
        source, recipient = (
            SubaccountId(
                owner=query.get(f"{end}Address", ""),
                number=asking.integer(
                    query.get(f"{end}SubaccountNumber", ""), f"{end}SubaccountNumber"
                ),
            )
            for end in ("source", "recipient")
        )
        ends = {source, recipient}
        rows = [
            one
            for one in self._shown.records.transfers
            if {one.event.sender, one.event.recipient} == ends
        ]
        found = asking.until(request, rows)
        net = sum(
            one.event.amount if one.event.recipient == recipient else -one.event.amount
            for one in found
        )
        body = asking.page(
            request, found, "transfersSubset", lambda one: shapes.transfer(one, source)
        )
        return answer({**body, "totalNetTransfers": shapes.text(Decimal(net).scaleb(-6))})

    def _payments(self, request: web.Request, asked: Asked) -> web.Response:
        ticker = request.query.get("ticker")
        rows: list[Payment] = self._shown.chronicle.paid_to(asked.accounts, ticker)
        found = asking.since(request, rows, "afterOrAt")
        return answer(asking.page(request, found, "fundingPayments", history_shapes.payment))

    def _profits(self, request: web.Request, asked: Asked) -> web.Response:
        rows: list[Tick] = self._shown.chronicle.profits.ticks_of(asked.accounts)
        found = asking.since(request, asking.until(request, rows))
        return answer(asking.page(request, found, "historicalPnl", history_shapes.profit))

    def _body(self, named: SubaccountId) -> Json:
        """One subaccount: today's, or torn, an older one under today's height."""
        state = self._shown.state
        torn = self._condition.torn_lag
        old = self._history(state.height - torn) if torn else None
        seen = old or state
        body = shapes.subaccount(seen.subaccount(named.owner, named.number), seen, self._records)
        return {**body, "latestProcessedBlockHeight": str(state.height)} if old else body

    @property
    def _records(self) -> Records:
        return self._shown.records

    def _parts(self, asked: Asked, key: str) -> list[Json]:
        """Positions or assets of every account, each with its subaccount number."""
        found: list[Json] = []
        for named in asked.accounts:
            parts = self._body(named)[key]
            assert isinstance(parts, dict)
            found.extend(parts.values())
        return found

    def _ordered(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows[::-1] if self._condition.is_reordering else rows

    def _check_allowed(self) -> None:
        if self._condition.is_blocking:
            raise Refused(403, BLOCKED, code="COMPLIANCE_BLOCKED")


def family(
    indexer: Indexer, named: SubaccountId, show: Callable[[SubaccountId], Json] | None = None
) -> Json | None:
    """A parent subaccount with its children; sums only, None where there is nothing."""

    def plain(one: SubaccountId) -> Json:
        account: Account = indexer.state.subaccount(one.owner, one.number)
        return shapes.subaccount(account, indexer.state, indexer.records)

    children = [
        (show or plain)(one.id)
        for one in indexer.state.subaccounts_of(named.owner)
        if one.id.number % PARENTS == named.number
    ]
    if not children:
        return None
    return {
        "address": named.owner,
        "parentSubaccountNumber": named.number,
        "equity": _sum(child["equity"] for child in children),
        "freeCollateral": _sum(child["freeCollateral"] for child in children),
        "childSubaccounts": children,
    }


def matches(request: web.Request, record: OrderRecord) -> bool:
    """Whether an order is what a query asks for."""
    query, order = request.query, record.event.order
    block = asking.height(request, "goodTilBlockBeforeOrAt")
    time = asking.moment(request, "goodTilBlockTimeBeforeOrAt")
    is_short = order.order_id.is_short_term
    return (
        query.get("ticker") in (None, record.ticker)
        and query.get("side") in (None, "" if order.side is None else order.side.value)
        and ("status" not in query or shapes.order_status(record) in query["status"].split(","))
        and ("type" not in query or shapes.order_type(record) in query["type"].split(","))
        and (block is None or (is_short and order.good_til_block <= block))
        and (time is None or (not is_short and Millis(order.good_til_block_time * 1_000) <= time))
    )


def _latest(record: OrderRecord) -> tuple[int, int, int]:
    """Orders by their end: those of a time come after those of a block."""
    order = record.event.order
    return (order.good_til_block_time, order.good_til_block, record.updated_height)


def _ends(record: TransferRecord, wanted: set[SubaccountId]) -> list[SubaccountId]:
    ends: Iterable[SubaccountId | str] = (record.event.sender, record.event.recipient)
    return [end for end in ends if isinstance(end, SubaccountId) and end in wanted]


def _sum(numbers: Iterable[Value]) -> str:
    return shapes.text(sum((Decimal(str(number)) for number in numbers), Decimal(0)))


def _as_is(row: Json) -> Json:
    return row
