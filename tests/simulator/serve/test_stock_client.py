"""The stock client, unmodified, trades on the simulated venue as it does on the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal

import grpc
import pytest
from dydx_v4_client import OrderFlags
from dydx_v4_client.indexer.rest.constants import OrderType
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient
from dydx_v4_client.indexer.socket.websocket import IndexerSocket
from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.node.market import Market
from dydx_v4_client.node.message import subaccount
from dydx_v4_client.wallet import Wallet
from v4_proto.dydxprotocol.clob.order_pb2 import Order

from seawall.simulator.keys import demo_key
from seawall.simulator.serve.launch import Cast
from seawall.units import decode_serializable_int
from tests.simulator.serve.running import Running, running

USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"


@pytest.fixture
def venue() -> Iterator[Running]:
    with running(cast=Cast(accounts=1, equity=Decimal(10_000))) as served:
        yield served


async def connect(venue: Running) -> tuple[NodeClient, Wallet]:
    node = await NodeClient.connect(venue.network.node)
    trader = venue.trader
    return node, await Wallet.from_mnemonic(node, trader.mnemonic, trader.address)


async def market(venue: Running, ticker: str) -> Market:
    indexer = IndexerClient(venue.network.rest_indexer, api_timeout=5)
    answer = await indexer.markets.get_perpetual_markets(ticker)
    return Market(answer["markets"][ticker])


def order(venue: Running, of: Market, client_id: int, **fields: object) -> Order:
    known: dict[str, object] = {
        "order_type": OrderType.LIMIT,
        "side": Order.Side.SIDE_BUY,
        "size": 0.1,
        "price": 101_000,
        "time_in_force": Order.TimeInForce.TIME_IN_FORCE_UNSPECIFIED,
        "reduce_only": False,
        "good_til_block": 20,
    }
    name = of.order_id(venue.trader.address, 0, client_id, OrderFlags.SHORT_TERM)
    return of.order(name, **{**known, **fields})


async def test_it_reads_account_balance_block_and_parameters(venue: Running) -> None:
    node, wallet = await connect(venue)

    account = await node.get_account(venue.trader.address)
    balance = await node.get_account_balance(venue.trader.address, USDC)
    balances = await node.get_account_balances(venue.trader.address)
    block = await node.latest_block()
    info = await node.get_node_info()

    assert wallet.address == venue.trader.address == account.address
    assert (balance.balance.amount, balances.balances[0].denom) == ("1000000000", USDC)
    assert block.block.header.chain_id == "seawall-sim-1"
    assert await node.latest_block_height() == 1
    assert info.default_node_info.network == "seawall-sim-1"
    assert [p.id for p in (await node.get_clob_pairs()).clob_pair] == [0, 1, 5]
    assert (await node.get_clob_pair(5)).step_base_quantums == 1_000_000
    assert (await node.get_perpetual(1)).perpetual.params.ticker == "ETH-USD"
    assert len((await node.get_perpetuals()).perpetual) == 3
    assert len((await node.get_prices()).market_prices) == 3
    assert (await node.get_price(0)).price == 10_000_000_000
    assert (await node.get_user_fee_tier(wallet.address)).tier.taker_fee_ppm == 500
    assert len((await node.get_equity_tier_limit_config()).stateful_order_equity_tiers) == 6
    assert not (await node.get_authenticators(wallet.address)).account_authenticators
    assert len((await node.get_subaccounts()).subaccount) == 1
    gate = await node.get_withdrawal_and_transfer_gating_status(0)
    assert gate.withdrawals_and_transfers_unblocked_at_block == 0


async def test_a_deposit_lands_in_the_next_block_and_can_be_looked_up(venue: Running) -> None:
    node, wallet = await connect(venue)
    owner = venue.trader.address

    sent = await node.deposit(wallet, owner, subaccount(owner, 0), 0, 250_000_000)

    assert sent.tx_response.code == 0
    assert (await node.get_account(owner)).sequence == 0  # committed state only
    venue.next_block()
    assert (await node.get_account(owner)).sequence == 1
    held = await node.get_subaccount(owner, 0)
    assert decode_serializable_int(held.asset_positions[0].quantums) == 10_250_000_000
    left = int((await node.get_account_balance(owner, USDC)).balance.amount)
    assert left == 1_000_000_000 - 250_000_000 - 4_950  # gas 110000 x 1.8 at 0.025
    assert (await node.query_transaction(sent.tx_response.txhash)).signatures


async def test_it_trades_cancels_and_reads_back(venue: Running) -> None:
    node, wallet = await connect(venue)
    indexer = IndexerClient(venue.network.rest_indexer, api_timeout=5)
    owner, btc = venue.trader.address, await market(venue, "BTC-USD")

    bought = await node.place_order(wallet, order(venue, btc, 1))
    venue.next_block()

    assert bought.tx_response.code == 0
    held = await node.get_subaccount(owner, 0)
    assert decode_serializable_int(held.perpetual_positions[0].quantums) == 1_000_000_000
    shown = (await indexer.account.get_subaccount(owner, 0))["subaccount"]
    assert shown["openPerpetualPositions"]["BTC-USD"]["size"] == "0.1"
    fills = (await indexer.account.get_subaccount_fills(owner, 0))["fills"]
    assert {fill["market"] for fill in fills} == {"BTC-USD"}
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.1")

    resting = order(venue, btc, 2, side=Order.Side.SIDE_SELL, price=120_000)
    await node.place_order(wallet, resting)
    venue.next_block()
    open_orders = await indexer.account.get_subaccount_orders(owner, 0, status="BEST_EFFORT_OPENED")
    cancelled = await node.cancel_order(wallet, resting.order_id, good_til_block=20)
    venue.next_block()

    assert [(one["clientId"], one["price"]) for one in open_orders] == [("2", "120000")]
    assert cancelled.tx_response.code == 0
    assert await indexer.account.get_subaccount_orders(owner, 0, status="BEST_EFFORT_OPENED") == []

    close = order(
        venue,
        btc,
        3,
        side=Order.Side.SIDE_SELL,
        size=5,  # more than the position: reduce-only cuts it
        price=99_000,
        time_in_force=Order.TimeInForce.TIME_IN_FORCE_IOC,
        reduce_only=True,
    )
    closed = await node.place_order(wallet, close)
    venue.next_block()

    assert closed.tx_response.code == 0
    assert not (await node.get_subaccount(owner, 0)).perpetual_positions
    shown = (await indexer.account.get_subaccount(owner, 0))["subaccount"]
    assert shown["openPerpetualPositions"] == {}
    assert Decimal(9_900) < Decimal(shown["equity"]) < Decimal(10_000)


async def test_a_reduce_only_order_without_a_position_is_refused(venue: Running) -> None:
    node, wallet = await connect(venue)
    btc = await market(venue, "BTC-USD")
    ioc = Order.TimeInForce.TIME_IN_FORCE_IOC

    nothing = await node.place_order(
        wallet, order(venue, btc, 1, time_in_force=ioc, reduce_only=True)
    )
    resting = await node.place_order(wallet, order(venue, btc, 2, reduce_only=True))

    assert (nothing.tx_response.code, nothing.tx_response.codespace) == (2001, "clob")
    assert (resting.tx_response.code, resting.tx_response.codespace) == (9003, "clob")


async def test_the_same_bytes_are_known_whether_they_were_taken_or_refused(venue: Running) -> None:
    node, wallet = await connect(venue)
    btc = await market(venue, "BTC-USD")
    good, bad = order(venue, btc, 1), order(venue, btc, 2, good_til_block=500)

    codes = []
    for placed in (good, good, bad, bad):
        answer = await node.place_order(wallet, placed)
        codes.append((answer.tx_response.codespace, answer.tx_response.code))

    assert codes == [("", 0), ("sdk", 19), ("clob", 11), ("sdk", 19)]


async def test_a_wrong_key_sequence_number_or_chain_is_refused_with_its_code(
    venue: Running,
) -> None:
    node, wallet = await connect(venue)
    owner, btc = venue.trader.address, await market(venue, "BTC-USD")
    stranger = demo_key(99, "stranger")
    node.sequence_manager = None

    forged = Wallet(KeyPair.from_mnemonic(stranger.mnemonic), wallet.account_number, 0)
    wrong_key = await node.place_order(forged, order(venue, btc, 1))
    wrong_account = Wallet(wallet.key, wallet.account_number + 7, 0)
    wrong_number = await node.place_order(wrong_account, order(venue, btc, 1))
    node.builder.chain_id = "dydx-mainnet-1"
    wrong_chain = await node.place_order(wallet, order(venue, btc, 1))
    node.builder.chain_id = "seawall-sim-1"
    wallet.sequence = 5
    with pytest.raises(grpc.RpcError, match="account sequence mismatch, expected 0, got 5"):
        await node.deposit(wallet, owner, subaccount(owner, 0), 0, 1_000_000)

    assert (wrong_key.tx_response.codespace, wrong_key.tx_response.code) == ("sdk", 8)
    assert (wrong_number.tx_response.codespace, wrong_number.tx_response.code) == ("sdk", 4)
    assert (wrong_chain.tx_response.codespace, wrong_chain.tx_response.code) == ("sdk", 4)


async def test_an_unknown_address_has_no_account_and_an_empty_subaccount(venue: Running) -> None:
    node, _ = await connect(venue)
    stranger = demo_key(99, "stranger").address

    with pytest.raises(grpc.RpcError) as missing:
        await node.get_account(stranger)

    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert not (await node.get_subaccount(stranger, 0)).asset_positions


def test_the_stock_socket_hears_its_account_and_the_markets(venue: Running) -> None:
    heard: list[dict[str, object]] = []
    done = threading.Event()

    def on_message(socket: IndexerSocket, message: dict[str, object]) -> None:
        heard.append(message)
        if message["type"] == "connected":
            socket.markets.subscribe(batched=False)
            socket.order_book.subscribe("BTC-USD")
            socket.subaccounts.subscribe(venue.trader.address, 0)
        if [m["type"] for m in heard].count("subscribed") == 3:
            done.set()
            socket.close()

    socket = IndexerSocket(venue.network.websocket_indexer, on_message=on_message)
    thread = threading.Thread(target=socket.run_forever)
    thread.start()

    assert done.wait(10)
    thread.join(10)
    assert [m["type"] for m in heard] == ["connected", "subscribed", "subscribed", "subscribed"]
    assert [m["message_id"] for m in heard] == [0, 1, 2, 3]
    assert json.dumps(heard[3]["contents"]).count(venue.trader.address) == 1


async def test_the_stock_indexer_client_reads_histories_and_the_family(venue: Running) -> None:
    venue.next_block()
    indexer = IndexerClient(venue.network.rest_indexer, api_timeout=5)
    address, account = venue.trader.address, indexer.account

    candles = await indexer.markets.get_perpetual_market_candles("BTC-USD", "1MIN")
    family = await account.get_parent_subaccount(address, 0)

    assert candles["candles"][0]["close"] == "100000"
    assert [one["subaccountNumber"] for one in family["subaccount"]["childSubaccounts"]] == [0]
    assert await account.list_parent_orders(address, 0) == []
    assert await account.get_parent_fills(address, 0) == {"fills": []}
    assert await account.get_parent_transfers(address, 0) == {"transfers": []}
    assert await account.get_parent_subaccount_positions(address, 0) == {"positions": []}
    assets = await account.get_parent_subaccount_asset_positions(address, 0)
    assert [one["size"] for one in assets["positions"]] == ["10000"]
