"""The venue in process: what is observed is committed state, what is sent is what wires carry."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from seawall import margin
from seawall.account import IndexerSizes, Missing, Observation, Side
from seawall.action import Action, Cancel, Reduce, TopUp, client_id, good_til_block, window_of
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.local import LocalVenue
from seawall.simulator.messages import SubaccountId, Transfer
from seawall.simulator.play import AWAKE, NEVER
from seawall.simulator.seen import OWN_METADATA
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks
from seawall.venue import Reply, Venue
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    STEP,
    TICK,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
)

FLOAT = "dydx1float"
CHILD = SubaccountId(owner=ALICE.owner, number=128)


def stage() -> tuple[Chain, LocalVenue]:
    chain = chain_of({ALICE: 10_000, CHILD: 500, BOB: 1_000_000})
    setup.fund_wallet(chain, FLOAT, Decimal(1_000))
    give(chain, ALICE, COIN // 2)
    return chain, LocalVenue(chain, ALICE.owner, float_address=FLOAT)


def look(venue: Venue) -> Observation:
    seen = asyncio.run(venue.observe())
    assert isinstance(seen, Observation)
    return seen


def send(venue: Venue, action: Action) -> Reply:
    return asyncio.run(venue.send(action))


def reduce(chain: Chain, quantums: int = STEP, dollars: int = 99_000) -> Reduce:
    window = window_of(chain.height)
    return Reduce(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        side=Side.SELL,
        quantums=BaseQuantums(quantums),
        subticks=Subticks(dollars * TICK),
        window=window,
        good_til_block=good_til_block(window),
        client_id=client_id(chain.chain_id, ALICE.owner, 0, 0, window),
    )


def top_up(
    chain: Chain,
    dollars: int = 100,
    sequence: int = 0,
    account_number: int | None = None,
    timeout_height: int | None = None,
) -> TopUp:
    known = chain.committed.wallets[FLOAT].account_number
    return TopUp(
        subaccount=0,
        amount=QuoteQuantums(dollars * DOLLAR),
        sequence=sequence,
        account_number=known if account_number is None else account_number,
        timeout_height=chain.height + 20 if timeout_height is None else timeout_height,
    )


def test_an_observation_is_the_committed_state_at_the_newest_height() -> None:
    chain, venue = stage()
    next_block(chain, BTC=99_000)
    next_block(chain)

    seen = look(venue)

    assert (seen.height, seen.at, seen.seen_at) == (3, chain.time, chain.time)
    assert (seen.chain_id, seen.owner) == ("seawall-sim-1", ALICE.owner)
    assert [s.number for s in seen.subaccounts] == [0, 128]
    assert seen.markets["BTC-USD"].oracle_dollars == 99_000
    assert seen.markets["BTC-USD"].open_interest == chain.committed.markets["BTC-USD"].open_interest
    assert seen.taker_fee_ppm == 500
    assert seen.float_wallet is not None
    assert seen.float_wallet.balance == 1_000 * DOLLAR
    assert seen.transfers_blocked_until == {}


def test_the_guards_margin_equals_the_referees() -> None:
    chain, venue = stage()
    give(chain, ALICE, -30 * 10**7, "SOL-USD")
    next_block(chain, BTC=97_531, SOL=Decimal("199.87"))
    next_block(chain)
    seen = look(venue)

    theirs = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))
    ours = margin.risk(seen.subaccount(0), seen.markets)

    assert (ours.nc, ours.imr, ours.mmr) == tuple(theirs)


def test_advice_tells_books_orders_fills_transfers_sizes_and_reach() -> None:
    chain, venue = stage()
    chain.check(limit(Side.BUY, STEP, 95_000, client_id=7, good_til_block=20))
    chain.check(order(Side.SELL, STEP, who=BOB, client_id=8))
    chain.check(order(Side.SELL, STEP, client_id=9, reduce_only=True))
    chain.check(Transfer(sender=ALICE, recipient=CHILD, amount=5 * DOLLAR))
    chain.check(Transfer(sender=BOB, recipient=ALICE, amount=3 * DOLLAR))
    next_block(chain)

    advice = look(venue).advice

    book = advice.books["BTC-USD"]
    assert (book.bids, book.asks) == (chain.book("BTC-USD").bids, chain.book("BTC-USD").asks)
    assert book.mid_twice == 2 * 100_000 * TICK
    assert not isinstance(advice.orders, Missing)
    assert [(o.client_id, o.quantums, o.good_til_block, o.ours) for o in advice.orders] == [
        (7, STEP, 20, False)
    ]
    assert not isinstance(advice.fills, Missing)
    assert [(f.client_id, f.quantums, f.height, f.kind) for f in advice.fills] == [
        (9, STEP, 2, "LIMIT")
    ]
    assert not isinstance(advice.transfers, Missing)
    assert [(t.subaccount, t.amount, t.counterpart) for t in advice.transfers] == [
        (128, 5 * DOLLAR, 0),
        (0, -5 * DOLLAR, 128),
        (0, 3 * DOLLAR, None),
    ]
    assert advice.indexer_sizes == IndexerSizes(
        height=2, quantums={(0, "BTC-USD"): BaseQuantums(COIN // 2 - STEP)}
    )
    assert not isinstance(advice.key_reach, Missing)
    assert advice.key_reach.covers(128, 5)
    assert not isinstance(advice.funding, Missing)
    assert advice.funding["BTC-USD"].rate == 0


def test_funding_is_told_per_hour_and_never_as_a_receipt() -> None:
    chain, venue = stage()
    chain.set_hourly_rate("ETH-USD", Decimal("-0.00002"))

    funding = look(venue).advice.funding

    assert not isinstance(funding, Missing)
    eth = funding["ETH-USD"]
    assert eth.rate == Decimal("-0.00002")
    assert eth.p90_long == 0
    assert eth.p90_short == Decimal("0.00002")


def test_an_old_observation_keeps_its_book() -> None:
    chain, venue = stage()
    before = look(venue)
    bids = chain.book("BTC-USD").bids

    next_block(chain, BTC=90_000)

    assert before.advice.books["BTC-USD"].bids == bids
    assert look(venue).advice.books["BTC-USD"].bids != bids


def test_what_did_not_change_is_the_same_object() -> None:
    chain, venue = stage()
    next_block(chain)
    first = look(venue)
    next_block(chain, SOL=199)
    next_block(chain)
    second = look(venue)

    assert second.markets["BTC-USD"] is first.markets["BTC-USD"]
    assert second.markets["SOL-USD"] is not first.markets["SOL-USD"]
    assert second.subaccounts is first.subaccounts
    assert second.float_wallet is first.float_wallet


def test_a_delay_is_injected_into_the_agents_clock() -> None:
    chain, _ = stage()
    late = LocalVenue(chain, ALICE.owner, delay=Millis(700))

    seen = look(late)

    assert seen.seen_at - seen.at == 700
    assert seen.advice.books["ETH-USD"].seen_at == seen.seen_at
    assert seen.float_wallet is None


def test_the_gate_is_shown_for_every_guarded_subaccount() -> None:
    chain, venue = stage()
    chain.record_negative()

    assert look(venue).transfers_blocked_until == {0: 51, 128: 51}


def test_a_stranger_is_seen_as_empty() -> None:
    chain, _ = stage()

    seen = look(LocalVenue(chain, "dydx1nobody"))

    assert [(s.number, s.usdc, s.positions) for s in seen.subaccounts] == [(0, 0, ())]


def test_a_reduction_is_one_reduce_only_attempt() -> None:
    chain, venue = stage()

    assert send(venue, reduce(chain, 2 * STEP)).is_accepted
    block = next_block(chain)

    (ended,) = block.orders
    assert ended.order.reduce_only
    assert ended.order.client_metadata == OWN_METADATA
    assert position(chain, ALICE) == COIN // 2 - 2 * STEP


def test_the_same_bytes_are_known_even_when_they_were_refused() -> None:
    chain, venue = stage()
    wrong = reduce(chain, STEP + 1)

    first, second = send(venue, wrong), send(venue, wrong)

    assert (first.code, first.codespace) == (12, "clob")
    assert (second.code, second.codespace) == (19, "sdk")


def test_a_cancel_takes_the_order_off() -> None:
    chain, venue = stage()
    chain.check(limit(Side.BUY, STEP, 95_000, client_id=7, good_til_block=20))
    next_block(chain)
    (resting,) = chain.committed.open_orders(ALICE.owner)

    for good_til in (19, None):  # too early to work; then the widest there is
        cancel = Cancel(
            subaccount=0,
            ticker="BTC-USD",
            clob_pair_id=0,
            client_id=resting.order.order_id.client_id,
            order_flags=0,
            good_til_block=good_til,
        )
        assert send(venue, cancel).is_accepted
        next_block(chain)
        assert bool(chain.committed.open_orders(ALICE.owner)) is (good_til == 19)


def test_a_top_up_lands_with_the_next_block_and_uses_its_sequence() -> None:
    chain, venue = stage()

    reply = send(venue, top_up(chain, 100))
    next_block(chain)

    assert reply.is_accepted
    seen = look(venue)
    assert seen.float_wallet is not None
    assert (seen.float_wallet.balance, seen.float_wallet.sequence) == (900 * DOLLAR, 1)
    assert not isinstance(seen.advice.transfers, Missing)
    assert [(t.subaccount, t.amount) for t in seen.advice.transfers] == [(0, 100 * DOLLAR)]


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"sequence": 3}, 32, "account sequence mismatch, expected 0, got 3"),
        ({"account_number": 9}, 4, "signature verification failed"),
        ({"timeout_height": 1}, 30, "timeout height: 1"),
        ({"timeout_height": 2}, 0, ""),  # and fails in block 3
    ],
)
def test_a_top_up_is_refused_for_what_it_was_signed_with(
    changed: dict[str, int], code: int, words: str
) -> None:
    chain, venue = stage()
    next_block(chain)

    reply = send(venue, top_up(chain, **changed))

    assert reply.code == code
    assert words in reply.log


def test_two_top_ups_of_one_sequence_are_one() -> None:
    chain, venue = stage()

    replies = [send(venue, top_up(chain, dollars)) for dollars in (10, 20, 10)]

    assert [reply.code for reply in replies] == [0, 32, 19]


def test_a_top_up_pays_gas_where_it_costs_some() -> None:
    chain, _ = stage()
    venue = LocalVenue(chain, ALICE.owner, float_address=FLOAT, gas_fee=QuoteQuantums(2 * DOLLAR))
    send(venue, top_up(chain, 100))
    next_block(chain)

    assert chain.committed.wallets[FLOAT].balance == 898 * DOLLAR


@pytest.mark.parametrize("address", [None, "dydx1unknown"])
def test_a_top_up_without_a_funded_wallet_is_refused(address: str | None) -> None:
    chain, _ = stage()
    venue = LocalVenue(chain, ALICE.owner, float_address=address)

    reply = send(venue, top_up(chain))

    assert (reply.code, reply.codespace) == (9, "sdk")
    assert look(venue).float_wallet is None


def test_a_tick_that_is_done_says_how_far_time_may_jump() -> None:
    chain, venue = stage()
    before = venue.idle_until

    asyncio.run(venue.tick_done(chain.height, Millis(chain.time + 5_000)))
    known = venue.idle_until
    asyncio.run(venue.tick_done(chain.height, None))
    never = venue.idle_until
    next_block(chain)

    assert before == venue.idle_until == AWAKE
    assert known == chain.time - 1_000 + 5_000
    assert never == NEVER


def test_waiting_and_closing_need_nothing() -> None:
    _, venue = stage()

    asyncio.run(venue.wait_for_change(Millis(10)))
    asyncio.run(venue.close())
