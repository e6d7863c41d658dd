"""The client library of dYdX itself, unmodified: NodeClient, IndexerClient, IndexerSocket."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from dydx_v4_client.indexer.candles_resolution import CandlesResolution
from dydx_v4_client.indexer.rest.constants import OrderType
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient
from dydx_v4_client.indexer.socket.websocket import IndexerSocket
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.node.market import Market
from dydx_v4_client.node.message import subaccount
from dydx_v4_client.wallet import Wallet
from v4_proto.dydxprotocol.clob.order_pb2 import Order

from seawall.simulator.envelope import USDC_DENOM
from seawall.units import decode_serializable_int
from tests.contract.client import CONDITIONAL, Levels, Row, Wanted
from tests.simulator.serve.running import Running

WITHIN_S = 5


class StockListening:
    """A subscription of the socket that runs in a thread of its own."""

    def __init__(self, heard: queue.Queue[Row], snapshot: Row) -> None:
        self._heard = heard
        self.snapshot = snapshot

    async def next(self) -> Row:
        message = await asyncio.to_thread(self._heard.get, timeout=WITHIN_S)
        contents: Row = message["contents"]
        return contents


class StockClient:
    """dydx-v4-client."""

    def __init__(self, venue: Running, node: NodeClient, wallet: Wallet) -> None:
        self._venue = venue
        self._address = venue.trader.address
        self._node = node
        self._wallet = wallet
        self._indexer = IndexerClient(venue.network.rest_indexer, api_timeout=WITHIN_S)

    @classmethod
    async def connect(cls, venue: Running) -> StockClient:
        node = await NodeClient.connect(venue.network.node)
        wallet = await Wallet.from_mnemonic(node, venue.trader.mnemonic, venue.trader.address)
        return cls(venue, node, wallet)

    async def markets(self) -> Mapping[str, Row]:
        found: Mapping[str, Row] = (await self._indexer.markets.get_perpetual_markets())["markets"]
        return found

    async def book(self, ticker: str) -> tuple[Levels, Levels]:
        book = await self._indexer.markets.get_perpetual_market_orderbook(ticker)
        return _levels(book["bids"]), _levels(book["asks"])

    async def trades(self, ticker: str) -> list[Row]:
        return _rows(await self._indexer.markets.get_perpetual_market_trades(ticker), "trades")

    async def candles(self, ticker: str, resolution: str) -> list[Row]:
        markets = self._indexer.markets
        return _rows(await markets.get_perpetual_market_candles(ticker, resolution), "candles")

    async def funding(self, ticker: str) -> list[Row]:
        found = await self._indexer.markets.get_perpetual_market_historical_funding(ticker)
        return _rows(found, "historicalFunding")

    async def sparklines(self) -> Mapping[str, list[Decimal]]:
        found = await self._indexer.markets.get_perpetual_market_sparklines()
        return {ticker: [Decimal(one) for one in line] for ticker, line in found.items()}

    async def subaccounts(self) -> list[Row]:
        return _rows(await self._indexer.account.get_subaccounts(self._address), "subaccounts")

    async def subaccount(self) -> Row:
        found: Row = await self._indexer.account.get_subaccount(self._address, 0)
        return _row(found["subaccount"])

    async def family(self) -> Row:
        found = await self._indexer.account.get_parent_subaccount(self._address, 0)
        return _row(found["subaccount"])

    async def positions(self, status: str) -> list[Row]:
        found = await self._indexer.account.get_subaccount_perpetual_positions(
            self._address, 0, status=status
        )
        return _rows(found, "positions")

    async def assets(self) -> list[Row]:
        found = await self._indexer.account.get_subaccount_asset_positions(self._address, 0)
        return _rows(found, "positions")

    async def orders(self, status: str) -> list[Row]:
        found: list[Row] = await self._indexer.account.get_subaccount_orders(
            self._address, 0, status=status
        )
        return found

    async def order(self, order_id: str) -> Row:
        return _row(await self._indexer.account.get_order(order_id))

    async def fills(self) -> list[Row]:
        return _rows(await self._indexer.account.get_subaccount_fills(self._address, 0), "fills")

    async def family_fills(self) -> list[Row]:
        return _rows(await self._indexer.account.get_parent_fills(self._address, 0), "fills")

    async def transfers(self) -> list[Row]:
        found = await self._indexer.account.get_subaccount_transfers(self._address, 0)
        return _rows(found, "transfers")

    async def payments(self) -> list[Row]:
        found = await self._indexer.account.get_funding_payments(self._address, 0)
        return _rows(found, "fundingPayments")

    async def profits(self) -> list[Row]:
        found = await self._indexer.account.get_subaccount_historical_pnls(self._address, 0)
        return _rows(found, "historicalPnl")

    async def indexer_height(self) -> int:
        return int((await self._indexer.utility.get_height())["height"])

    async def time(self) -> datetime:
        return datetime.fromisoformat((await self._indexer.utility.get_time())["iso"])

    async def compliance(self) -> str:
        return str((await self._indexer.utility.compliance_screen(self._address))["status"])

    async def block_height(self) -> int:
        return int(await self._node.latest_block_height())

    async def sequence(self) -> int:
        return int((await self._node.get_account(self._address)).sequence)

    async def balance(self) -> int:
        answer = await self._node.get_account_balance(self._address, USDC_DENOM)
        return int(answer.balance.amount)

    async def oracle(self, market_id: int) -> int:
        return int((await self._node.get_price(market_id)).price)

    async def clob_pairs(self) -> list[int]:
        return [int(pair.id) for pair in (await self._node.get_clob_pairs()).clob_pair]

    async def held(self) -> Mapping[int, int]:
        found = await self._node.get_subaccount(self._address, 0)
        return {
            one.perpetual_id: decode_serializable_int(one.quantums)
            for one in found.perpetual_positions
        }

    async def place(self, wanted: Wanted) -> str:
        market = Market((await self.markets())["BTC-USD"])
        name = market.order_id(self._address, 0, wanted.client_id, wanted.flags)
        is_short = not wanted.flags
        tif = Order.TimeInForce
        stop = Order.ConditionType.CONDITION_TYPE_STOP_LOSS
        order = market.order(
            name,
            order_type=OrderType.LIMIT,
            side=Order.Side.Value(f"SIDE_{wanted.side}"),
            size=float(wanted.size),
            price=wanted.price,
            time_in_force=tif.TIME_IN_FORCE_IOC
            if wanted.is_immediate
            else tif.TIME_IN_FORCE_UNSPECIFIED,
            reduce_only=wanted.reduce_only,
            good_til_block=wanted.good_til if is_short else None,
            good_til_block_time=None if is_short else wanted.good_til,
            condition_type=stop if wanted.flags == CONDITIONAL else None,
            conditional_order_trigger_subticks=wanted.stop_subticks,
        )
        return _refusal(await self._node.place_order(self._wallet, order))

    async def cancel(self, wanted: Wanted) -> str:
        market = Market((await self.markets())["BTC-USD"])
        name = market.order_id(self._address, 0, wanted.client_id, wanted.flags)
        until = "good_til_block_time" if wanted.flags else "good_til_block"
        return _refusal(
            await self._node.cancel_order(self._wallet, name, **{until: wanted.good_til})
        )

    async def deposit(self, quantums: int) -> str:
        to = subaccount(self._address, 0)
        return _refusal(await self._node.deposit(self._wallet, self._address, to, 0, quantums))

    @asynccontextmanager
    async def listen(self, channel: str, name: str) -> AsyncIterator[StockListening]:
        heard: queue.Queue[Row] = queue.Queue()

        def on_message(app: IndexerSocket, message: Row) -> None:
            if message["type"] == "connected":
                _subscribe(app, channel, name)
            else:
                heard.put(message)

        socket = IndexerSocket(self._venue.network.websocket_indexer, on_message=on_message)
        thread = threading.Thread(target=socket.run_forever)
        thread.start()
        try:
            said = await asyncio.to_thread(heard.get, timeout=WITHIN_S)
            assert said["type"] == "subscribed", said
            yield StockListening(heard, said["contents"])
        finally:
            socket.close()
            await asyncio.to_thread(thread.join, WITHIN_S)

    async def close(self) -> None:
        self._node.channel.close()


def _subscribe(app: IndexerSocket, channel: str, name: str) -> None:
    """Subscribe as the library does; it has no class for the family and for block height."""
    match channel:
        case "v4_markets":
            app.markets.subscribe(batched=False)
        case "v4_orderbook":
            app.order_book.subscribe(name, batched=False)
        case "v4_trades":
            app.trades.subscribe(name, batched=False)
        case "v4_candles":
            ticker, resolution = name.split("/")
            app.candles.subscribe(ticker, CandlesResolution(resolution), batched=False)
        case "v4_subaccounts":
            address, number = name.split("/")
            app.subaccounts.subscribe(address, int(number))
        case _:
            app.send(json.dumps({"type": "subscribe", "channel": channel, "id": name}))


def _refusal(answer: Any) -> str:  # noqa: ANN401 (the stubs have no types)
    """Why the chain refused; nothing where it accepted."""
    return str(answer.tx_response.raw_log) if answer.tx_response.code else ""


def _levels(levels: list[Row]) -> Levels:
    return [(Decimal(one["price"]), Decimal(one["size"])) for one in levels]


def _row(found: Row) -> Row:
    return found


def _rows(found: Row, key: str) -> list[Row]:
    rows: list[Row] = found[key]
    return rows
