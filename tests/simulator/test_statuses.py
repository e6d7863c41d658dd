"""Market statuses: what a market that begins takes, and the ones that the chain never enters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import MarketStatus, Side
from seawall.simulator import messages
from seawall.simulator.events import FillKind
from seawall.units import QuoteQuantums
from tests.simulator.stage import (
    ALICE,
    COIN,
    DOLLAR,
    START,
    STEP,
    blocks,
    cancel_of,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
)


@pytest.mark.parametrize(
    ("side", "dollars", "tif", "flags", "code"),
    [
        (Side.BUY, 100_000, messages.POST_ONLY, messages.SHORT_TERM, 0),
        (Side.BUY, 100_001, messages.POST_ONLY, messages.SHORT_TERM, 34),
        (Side.SELL, 100_000, messages.POST_ONLY, messages.SHORT_TERM, 0),
        (Side.SELL, 99_999, messages.POST_ONLY, messages.SHORT_TERM, 34),
        (Side.BUY, 90_000, messages.GOOD_TIL_TIME, messages.SHORT_TERM, 34),
        (Side.SELL, 90_000, messages.IMMEDIATE_OR_CANCEL, messages.SHORT_TERM, 34),
        (Side.BUY, 90_000, messages.POST_ONLY, messages.LONG_TERM, 34),
    ],
)
def test_a_market_that_begins_takes_post_only_orders_on_their_side_of_the_oracle(
    side: Side, dollars: int, tif: int, flags: int, code: int
) -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    chain.set_status("BTC-USD", MarketStatus.INITIALIZING)

    asked = order(side, STEP, dollars, time_in_force=tif, flags=flags)
    asked = replace(asked, good_til_block_time=START // 1_000 + 60 if flags else 0)

    assert chain.check(asked).code == code


def test_orders_of_a_market_that_begins_may_be_cancelled() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    chain.set_status("BTC-USD", MarketStatus.INITIALIZING)
    bid = order(Side.BUY, STEP, 90_000, time_in_force=messages.POST_ONLY)
    chain.check(bid)
    next_block(chain)

    assert chain.check(cancel_of(bid)).is_accepted
    next_block(chain)
    assert not chain.committed.open_orders(ALICE.owner)


@pytest.mark.parametrize("status", ["PAUSED", "CANCEL_ONLY", "POST_ONLY"])
def test_the_chain_has_no_transition_to_the_other_statuses(status: str) -> None:
    with pytest.raises(AssertionError, match="no transition"):
        chain_of().set_status("BTC-USD", MarketStatus(status))


def test_a_market_under_final_settlement_fills_no_resting_order() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_000))
    next_block(chain)
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    seen = [next_block(chain, BTC=90_000) for _ in range(3)]

    assert [block.fills for block in seen] == [()] * 3
    assert position(chain, ALICE) == 0


def test_settlement_cancels_what_is_in_state_and_leaves_short_term_orders_to_their_block() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_000, good_til_block=6))
    chain.check(
        order(
            Side.BUY,
            STEP,
            98_000,
            client_id=2,
            flags=messages.LONG_TERM,
            good_til_block_time=START // 1_000 + 3_600,
            time_in_force=messages.GOOD_TIL_TIME,
        )
    )
    blocks(chain, 2)
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    left = [len(chain.committed.open_orders(ALICE.owner)) for _ in blocks(chain, 1)]
    blocks(chain, 2)

    assert left == [1]
    assert chain.height == 6
    assert chain.committed.open_orders(ALICE.owner) == ()


def test_an_order_that_runs_late_meets_the_status_of_its_market() -> None:
    chain = chain_of()
    chain.set_execution_delay(3)
    assert chain.check(order(Side.BUY, STEP, 101_000)).is_accepted
    next_block(chain)
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    fills = [fill for block in blocks(chain, 4) for fill in block.fills]

    assert fills == []


def test_what_is_liquidatable_under_final_settlement_is_closed_at_the_oracle() -> None:
    chain = chain_of()
    give(chain, ALICE, 2 * COIN)
    risk = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))
    chain.endow(ALICE, QuoteQuantums(int(risk.mmr * 9 / 10) - int(risk.nc)))
    next_block(chain)
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    seen = blocks(chain, 3)

    fills = [fill for block in seen for fill in block.fills]
    assert [(fill.kind, fill.quote) for fill in fills] == [
        (FillKind.DELEVERAGED, 200_000 * DOLLAR),
    ]
    assert not any(block.liquidations for block in seen)
    assert position(chain, ALICE) == 0
