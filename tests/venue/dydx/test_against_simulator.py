"""The venue over the wires against the simulated dYdX in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

import httpx
import pytest

from seawall import margin
from seawall.account import Missing, Observation, RestingOrder, Side
from seawall.action import (
    STOP_LIFE,
    STOP_TIMEOUT_BLOCKS,
    Backstop,
    Cancel,
    Reduce,
    TopUp,
    client_id,
    good_til_block,
    may_send,
    stop_ids,
    window_of,
)
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks, usd
from seawall.venue.dydx import fields
from seawall.venue.dydx.chain_stops import ChainStops
from seawall.venue.dydx.connection import Connection, Keys
from seawall.venue.dydx.keys import load_key
from seawall.venue.dydx.venue import DydxVenue
from tests.venue.dydx.wires import opened, seen_well

BLOCKS_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    connection: Connection
    mnemonic: str
    float_mnemonic: str
    step: str
    state: str

    def keys(self, monkeypatch: pytest.MonkeyPatch) -> Keys:
        monkeypatch.setenv("TRADING", self.mnemonic)
        monkeypatch.setenv("FLOAT", self.float_mnemonic)
        return Keys(
            trading=load_key("env:TRADING", "keys.trading"),
            float_wallet=load_key("env:FLOAT", "keys.float"),
        )


@contextmanager
def simulated(*options: str) -> Iterator[Simulated]:
    command = [sys.executable, "-m", "seawall.cli", "venue", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = fields.mapping(json.loads(process.stdout.readline()), "venue")
            account = fields.mapping(fields.sequence(said["accounts"], "accounts")[0], "account")
            wallet = fields.mapping(said["float"], "float")
            yield Simulated(
                connection=Connection(
                    chain_id=fields.text(said, "chain_id"),
                    owner=fields.text(account, "address"),
                    nodes=(fields.text(said, "node"),),
                    indexers=(fields.text(said, "indexer"),),
                    feeds=(fields.text(said, "websocket"),),
                    float_address=fields.text(wallet, "address"),
                    at_any_age=True,  # its blocks come faster than our clock
                ),
                mnemonic=fields.text(account, "mnemonic"),
                float_mnemonic=fields.text(wallet, "mnemonic"),
                step=fields.text(said, "step"),
                state=fields.text(said, "state"),
            )
        finally:
            process.terminate()


@pytest.fixture(name="running", scope="module")
def _running() -> Iterator[Simulated]:
    with simulated("--leverage", "3x", "--float", "500", "--speed", "20") as venue:
        yield venue


@asynccontextmanager
async def observing(venue: Simulated, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DydxVenue]:
    async with opened(venue.connection, venue.keys(monkeypatch)) as opened_venue:
        await opened_venue.preflight()
        yield opened_venue


async def next_seen(venue: DydxVenue) -> Observation:
    await venue.wait_for_change(Millis(2_000))
    return seen_well(await venue.observe())


async def first_seen(venue: DydxVenue, is_it: Callable[[Observation], bool]) -> Observation:
    """The first observation of the coming blocks that is looked for."""
    for _ in range(BLOCKS_MOST):
        observation = await next_seen(venue)
        if is_it(observation):
            return observation
    raise AssertionError(f"not seen in {BLOCKS_MOST} blocks")


async def in_a_window(venue: DydxVenue) -> Observation:
    observation = seen_well(await venue.observe())
    while not may_send(observation.height) or not observation.advice.books:
        observation = await next_seen(venue)
    return observation


def has_transfers(seen: Observation) -> bool:
    return not isinstance(seen.advice.transfers, Missing) and bool(seen.advice.transfers)


def half_of(observation: Observation, ticker: str, side: Side = Side.SELL) -> Reduce:
    market = observation.markets[ticker]
    position = observation.subaccount(0).position(ticker)
    assert position is not None
    half = position.quantums // 2 // market.step_base_quantums * market.step_base_quantums
    book = observation.advice.books[ticker]
    levels = book.bids if side is Side.SELL else book.asks
    window = window_of(observation.height)
    return Reduce(
        subaccount=0,
        ticker=ticker,
        clob_pair_id=market.clob_pair_id,
        side=side,
        quantums=BaseQuantums(half),
        subticks=Subticks(levels[-1].subticks),
        window=window,
        good_til_block=good_til_block(window),
        client_id=client_id(
            observation.chain_id, observation.owner, 0, market.clob_pair_id, window
        ),
    )


async def test_a_reduction_fills_once_and_the_feed_tells_it(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        observation = await in_a_window(venue)
        action = half_of(observation, "BTC-USD")

        first = await venue.send(action)
        again = await venue.send(action)
        after = await first_seen(venue, lambda seen: seen.height >= action.good_til_block)

        before, left = (o.subaccount(0).position("BTC-USD") for o in (observation, after))
        assert before is not None
        assert left is not None
        assert first.is_accepted
        assert again.is_unknown
        assert before.quantums - left.quantums == action.quantums
        fills = after.advice.fills
        assert not isinstance(fills, Missing)
        ours = [fill for fill in fills if fill.client_id == action.client_id]
        assert sum(fill.quantums for fill in ours) == action.quantums
        assert all(fill.subticks >= action.subticks for fill in ours)


async def test_an_order_of_the_wrong_side_is_refused_by_the_chain(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        observation = await in_a_window(venue)

        reply = await venue.send(half_of(observation, "ETH-USD", Side.BUY))

        assert (reply.codespace, reply.code) == ("clob", 2001)


async def test_a_top_up_lands_once_for_its_sequence(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        observation = await in_a_window(venue)
        wallet = observation.float_wallet
        assert wallet is not None
        sequence = wallet.sequence

        def is_spent(seen: Observation) -> bool:  # the feed may be ahead of the node
            return seen.float_wallet is not None and seen.float_wallet.sequence > sequence

        action = TopUp(
            subaccount=0,
            amount=QuoteQuantums(100_000_000),
            sequence=wallet.sequence,
            account_number=wallet.account_number,
            timeout_height=observation.height + 20,
        )

        reply = await venue.send(action)
        other = await venue.send(replace(action, amount=QuoteQuantums(50_000_000)))
        after = await first_seen(venue, lambda seen: has_transfers(seen) and is_spent(seen))

        assert reply.is_accepted
        assert (other.codespace, other.code) == ("sdk", 32)
        assert after.float_wallet is not None
        assert after.float_wallet.sequence == wallet.sequence + 1
        assert wallet.balance - after.float_wallet.balance == 100_000_000 + 5_000
        transfers = after.advice.transfers
        assert not isinstance(transfers, Missing)
        assert [transfer.amount for transfer in transfers] == [100_000_000]


async def test_margin_is_the_simulators_to_the_last_quantum_at_every_played_block() -> None:
    with simulated("--leverage", "8x", "--float", "500", "--speed", "0") as venue:
        connection = replace(venue.connection, step_url=venue.step)
        async with opened(connection) as guard, httpx.AsyncClient(trust_env=False) as http:
            heights = []
            for _ in range(5):
                observation = seen_well(await guard.observe())
                said = (await http.get(venue.state)).json()
                told = next(a for a in said["accounts"] if a["address"] == connection.owner)

                risk = margin.risk(observation.subaccount(0), observation.markets)

                assert said["height"] == observation.height
                assert Decimal(told["equity"]) == usd(risk.nc)
                assert Decimal(told["mmr"]) == usd(risk.mmr)
                assert risk.imr is not None
                assert Decimal(told["imr"]) == usd(risk.imr)
                assert observation.seen_at == observation.at
                assert set(observation.advice.books) == {"BTC-USD", "ETH-USD", "SOL-USD"}
                assert not isinstance(observation.advice.transfers, Missing)
                heights.append(observation.height)
                await guard.tick_done(observation.height, observation.at)
                await guard.wait_for_change(Millis(5_000))

    assert heights == sorted(set(heights))


def stop_of(observation: Observation, ticker: str, slot: int = 0) -> Backstop:
    """A stop of the whole position, half of its price away."""
    market = observation.markets[ticker]
    position = observation.subaccount(0).position(ticker)
    assert position is not None
    half = observation.advice.books[ticker].bids[0].subticks // 2
    trigger = half // market.subticks_per_tick * market.subticks_per_tick
    ids = stop_ids(observation.chain_id, observation.owner, 0, market.clob_pair_id)
    return Backstop(
        subaccount=0,
        ticker=ticker,
        clob_pair_id=market.clob_pair_id,
        side=Side.SELL,
        quantums=BaseQuantums(position.quantums),
        trigger_subticks=Subticks(trigger),
        subticks=Subticks(trigger),
        good_til_block_time=(observation.at + STOP_LIFE) // 1_000,
        timeout_height=observation.height + STOP_TIMEOUT_BLOCKS,
        client_id=ids[slot],
    )


def stops_in(seen: Observation, ticker: str) -> list[RestingOrder]:
    orders = seen.advice.orders
    assert not isinstance(orders, Missing)
    return [one for one in orders if one.ticker == ticker and one.order_flags == 32]


async def test_a_stop_rests_is_told_and_goes_only_by_a_cancel_of_its_own_life(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        observation = await in_a_window(venue)
        action = stop_of(observation, "SOL-USD")

        reply = await venue.send(action)
        there = await first_seen(venue, lambda seen: bool(stops_in(seen, "SOL-USD")))
        twice = await venue.send(stop_of(there, "SOL-USD"))
        (order,) = stops_in(there, "SOL-USD")
        late = Cancel(
            subaccount=0,
            ticker="SOL-USD",
            clob_pair_id=action.clob_pair_id,
            client_id=action.client_id,
            order_flags=32,
            good_til_block_time=action.good_til_block_time - 1,
        )
        refused = await venue.send(late)
        right = replace(late, good_til_block_time=action.good_til_block_time)
        cancelled = await venue.send(right)
        await first_seen(venue, lambda seen: not stops_in(seen, "SOL-USD"))

        assert reply.is_accepted
        assert (twice.codespace, twice.code) == ("clob", 3005)
        assert (refused.codespace, refused.code) == ("clob", 29), "of an older stop under this id"
        assert cancelled.is_accepted
        assert (order.side, order.quantums) == (action.side, action.quantums)
        assert order.trigger_subticks == action.trigger_subticks
        assert order.subticks == action.subticks
        assert order.good_til_block_time == action.good_til_block_time
        assert order.reduce_only
        assert order.ours
        assert not order.is_triggered
        assert observation.equity_tiers[-1].orders == 200


async def test_the_chain_s_word_on_a_stop_stands_above_the_feed_s(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        action = stop_of(await in_a_window(venue), "ETH-USD")
        await venue.send(action)
        there = await first_seen(venue, lambda seen: bool(stops_in(seen, "ETH-USD")))
        (order,) = stops_in(there, "ETH-USD")
        chain = ChainStops(there.chain_id, there.owner)
        slots = [(0, venue.grids["ETH-USD"])]
        nothing = Missing(reason="no feed")

        await chain.read(venue.nodes, there.height, slots, ())
        after_one = chain.corrected(())
        await chain.read(venue.nodes, there.height, slots, ())
        assert (after_one, chain.corrected(())) == ((), (order,)), "untold twice: it rests"
        assert chain.corrected((order,)) == (order,), "told by now: once"
        assert chain.corrected(nothing) is nothing

        cancel = Cancel(
            subaccount=0,
            ticker="ETH-USD",
            clob_pair_id=action.clob_pair_id,
            client_id=action.client_id,
            order_flags=32,
            good_til_block_time=action.good_til_block_time,
        )
        await venue.send(cancel)
        gone = await first_seen(venue, lambda seen: not stops_in(seen, "ETH-USD"))
        await chain.read(venue.nodes, gone.height, slots, (order,))
        assert chain.corrected((order,)) == (), "the feed alone still tells it"
        newer = replace(order, good_til_block_time=(order.good_til_block_time or 0) + 60)
        assert chain.corrected((newer,)) == (newer,), "younger than what the chain was asked"
        traders = replace(order, client_id=7)
        await chain.read(venue.nodes, gone.height, slots, (traders, newer))
        assert chain.corrected((traders, newer)) == (traders, newer)


async def test_a_stop_that_comes_too_late_for_its_timeout_never_rests(
    running: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with observing(running, monkeypatch) as venue:
        observation = await in_a_window(venue)
        late = replace(stop_of(observation, "ETH-USD"), timeout_height=observation.height - 1)

        reply = await venue.send(late)

        assert (reply.codespace, reply.code) == ("sdk", 30)
