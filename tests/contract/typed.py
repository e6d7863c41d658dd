"""A client by other hands: typed-dydx checks every answer against types of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from typed_core.exceptions import ApiError
from typed_dydx import Dydx
from typed_dydx.chain import Chain
from typed_dydx.indexer import Indexer
from typed_dydx.node.market import Market
from typed_dydx.protos.cosmos.base import v1beta1 as coins
from typed_dydx.protos.cosmos.tx import v1beta1 as tx
from typed_dydx.protos.dydxprotocol import sending, subaccounts

from seawall.simulator.envelope import USDC_DENOM
from seawall.units import decode_serializable_int
from tests.contract.client import CONDITIONAL, LONG_TERM, SHORT_TERM, Levels, Row, Wanted
from tests.simulator.serve.running import Running

FLAGS = {SHORT_TERM: "SHORT_TERM", LONG_TERM: "LONG_TERM", CONDITIONAL: "CONDITIONAL"}


class TypedListening:
    """A subscription."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 (not worth its types here)
        self.snapshot: Row = stream.reply
        self._messages = aiter(stream)

    async def next(self) -> Row:
        contents: Row = await anext(self._messages)
        return contents


class TypedClient:
    """typed-dydx."""

    def __init__(self, venue: Running, client: Any) -> None:  # noqa: ANN401 (as above)
        self._address = venue.trader.address
        self._client = client
        self._data = client.indexer.data

    @classmethod
    async def connect(cls, venue: Running) -> TypedClient:
        at = venue.endpoints
        chain = Chain.from_hosts(
            grpc_host=at.host,
            comet_base_url=at.rest,
            modules={"port": at.grpc_port, "ssl": False},
        )
        client = Dydx.new(
            venue.trader.mnemonic,
            indexer=Indexer.mainnet(http_url=at.rest, ws_url=at.websocket),
            chain=chain,
            chain_id=venue.server.node.chain.chain_id,
            usdc_denom=USDC_DENOM,
        )
        return cls(venue, await client.__aenter__())

    async def markets(self) -> Mapping[str, Row]:
        found: Mapping[str, Row] = (await self._data.get_markets())["markets"]
        return found

    async def book(self, ticker: str) -> tuple[Levels, Levels]:
        book = await self._data.get_order_book(ticker)
        return _levels(book["bids"]), _levels(book["asks"])

    async def trades(self, ticker: str) -> list[Row]:
        return _rows((await self._data.get_trades(ticker))["trades"])

    async def candles(self, ticker: str, resolution: str) -> list[Row]:
        found = await self._data.get_candles(ticker, resolution=resolution)
        return _rows(found["candles"])

    async def funding(self, ticker: str) -> list[Row]:
        return _rows((await self._data.get_historical_funding(ticker))["historicalFunding"])

    async def sparklines(self) -> Mapping[str, list[Decimal]]:
        found: Mapping[str, list[Decimal]] = await self._data.get_sparklines("ONE_DAY")
        return found

    async def subaccounts(self) -> list[Row]:
        return _rows((await self._data.get_subaccounts(self._address))["subaccounts"])

    async def subaccount(self) -> Row:
        found = await self._data.get_subaccount(self._address, subaccount=0)
        return _row(found["subaccount"])

    async def family(self) -> Row:
        return _row(await self._data.get_parent_subaccount(self._address, parent_subaccount=0))

    async def positions(self, status: str) -> list[Row]:
        found = await self._data.list_positions(self._address, subaccount=0, status=status)
        return _rows(found["positions"])

    async def assets(self) -> list[Row]:
        return _rows(await self._data.get_asset_positions(self._address, subaccount=0))

    async def orders(self, status: str) -> list[Row]:
        found = await self._data.list_orders(address=self._address, subaccount=0, status=status)
        return _rows(found)

    async def order(self, order_id: str) -> Row:
        return _row(await self._data.get_order(order_id))

    async def fills(self) -> list[Row]:
        return _rows((await self._data.get_fills(address=self._address, subaccount=0))["fills"])

    async def family_fills(self) -> list[Row]:
        return _rows(
            (await self._data.get_parent_fills(address=self._address, parent_subaccount=0))["fills"]
        )

    async def fills_paged(self, limit: int) -> AsyncIterator[Row]:
        """Every fill, asked for page by page."""
        pages = self._data.get_fills_paged(address=self._address, subaccount=0, limit=limit)
        async for page in pages:
            for row in page if isinstance(page, list | tuple) else [page]:
                yield row

    async def transfers(self) -> list[Row]:
        return _rows((await self._data.get_transfers(self._address, subaccount=0))["transfers"])

    async def payments(self) -> list[Row]:
        found = await self._data.get_funding_payments(address=self._address, subaccount=0)
        return _rows(found["fundingPayments"])

    async def profits(self) -> list[Row]:
        return _rows(await self._data.get_historical_pnl(self._address, subaccount=0))

    async def indexer_height(self) -> int:
        return int((await self._data.get_height())["height"])

    async def time(self) -> datetime:
        told: datetime = (await self._data.get_time())["iso"]
        return told

    async def compliance(self) -> str:
        return str((await self._data.get_compliance_screen(self._address))["status"])

    async def block_height(self) -> int:
        return int((await self._client.node.public.get_latest_block()).block.header.height)

    async def sequence(self) -> int:
        return int((await self._client.chain.auth.account_info(self._address)).info.sequence)

    async def balance(self) -> int:
        answer = await self._client.node.public.get_balance(address=self._address, denom=USDC_DENOM)
        return int(answer.balance.amount)

    async def oracle(self, market_id: int) -> int:
        return int((await self._client.node.public.get_price(market_id)).market_price.price)

    async def clob_pairs(self) -> list[int]:
        return [pair.id for pair in (await self._client.node.public.get_clob_pairs()).clob_pair]

    async def held(self) -> Mapping[int, int]:
        found = await self._client.node.public.get_subaccount(owner=self._address)
        return {
            one.perpetual_id: decode_serializable_int(one.quantums)
            for one in found.subaccount.perpetual_positions
        }

    async def place(self, wanted: Wanted) -> str:
        market = (await self.markets())["BTC-USD"]
        order = {
            "flags": FLAGS[wanted.flags],
            "side": wanted.side,
            "size": wanted.size,
            "price": str(wanted.price),
            "client_id": wanted.client_id,
            "reduce_only": wanted.reduce_only,
            "good_til_block_time" if wanted.flags else "good_til_block": wanted.good_til,
        }
        if wanted.is_immediate:
            order["time_in_force"] = "IMMEDIATE_OR_CANCEL"
        if wanted.flags == CONDITIONAL:
            order["condition_type"] = "STOP_LOSS"
            order["conditional_order_trigger_subticks"] = wanted.stop_subticks
        try:
            await self._client.node.place_order(market, order=order)
        except ApiError as error:
            return str(error)
        return ""

    async def cancel(self, wanted: Wanted) -> str:
        market = Market.from_payload((await self.markets())["BTC-USD"])
        name = market.order_id(
            owner=self._address,
            subaccount_number=0,
            client_id=wanted.client_id,
            order_flags=wanted.flags,
        )
        until = "good_til_block_time" if wanted.flags else "good_til_block"
        try:
            await self._client.node.cancel_order(name, **{until: wanted.good_til})
        except ApiError as error:
            return str(error)
        return ""

    async def deposit(self, quantums: int) -> str:
        message = sending.MsgDepositToSubaccount(
            sender=self._address,
            recipient=subaccounts.SubaccountId(owner=self._address, number=0),
            asset_id=0,
            quantums=quantums,
        )
        fee = tx.Fee(amount=[coins.Coin(denom=USDC_DENOM, amount="5000")], gas_limit=200_000)
        try:
            await self._client.node.tx.sign_and_broadcast([message], fee=fee, simulate=True)
        except ApiError as error:
            return str(error)
        return ""

    @asynccontextmanager
    async def listen(self, channel: str, name: str) -> AsyncIterator[TypedListening]:
        async with self._manager(channel, name) as stream:
            yield TypedListening(stream)

    def _manager(self, channel: str, name: str) -> Any:  # noqa: ANN401 (as above)
        streams = self._client.indexer.streams
        first, _, second = name.partition("/")
        match channel:
            case "v4_markets":
                return streams.markets(batched=False)
            case "v4_block_height":
                return streams.block_height(batched=False)
            case "v4_orderbook":
                return streams.orders(name, batched=False)
            case "v4_trades":
                return streams.trades(name, batched=False)
            case "v4_candles":
                return streams.candles(first, resolution=second, batched=False)
            case "v4_subaccounts":
                return streams.subaccounts(first, subaccount=int(second), batched=False)
            case _:
                return streams.parent_subaccounts(first, subaccount=int(second), batched=False)

    async def close(self) -> None:
        await self._client.close()


def _levels(levels: list[Row]) -> Levels:
    return [(one["price"], one["size"]) for one in levels]


def _row(found: Row) -> Row:
    return found


def _rows(found: list[Row]) -> list[Row]:
    return found
