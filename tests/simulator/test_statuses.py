"""Market statuses: what a market that begins takes, and the ones that the chain never enters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import MarketStatus, Side
from seawall.simulator import messages
from tests.simulator.stage import ALICE, START, STEP, cancel_of, chain_of, next_block, order


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
