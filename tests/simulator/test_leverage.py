"""Custom leverage: what is taken, what it does to margin, and how it goes over the wire."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError

from seawall.account import Side
from seawall.simulator import leverage_wire, messages
from seawall.simulator.chain import Chain
from seawall.simulator.leverage_wire import read_fields
from seawall.simulator.messages import SubaccountId, UpdateLeverage
from seawall.simulator.serve.queries import QUERIES
from seawall.simulator.serve.queries.answer import Constants
from seawall.venue.dydx.leverage import decode_response, encode_request
from tests.simulator.stage import ALICE, COIN, chain_of, give, next_block, order, position

LEVERAGE = "/dydxprotocol.clob.Query/Leverage"
RATE_LIMITS = "/dydxprotocol.clob.Query/BlockRateLimitConfiguration"


def brake(*entries: tuple[int, int], who: SubaccountId = ALICE) -> UpdateLeverage:
    return UpdateLeverage(subaccount=who, entries=entries)


def put(chain: Chain, *entries: tuple[int, int]) -> int:
    assert chain.check(brake(*entries)).is_accepted
    return next_block(chain).results[0].code


def test_a_brake_raises_imr_and_stops_new_risk_but_not_reductions() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN // 2)
    before = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))

    assert put(chain, (0, 1_000_000)) == 0
    after = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))
    chain.check(order(Side.BUY, COIN, 110_000))
    bought = next_block(chain)
    chain.check(order(Side.SELL, COIN // 4, 90_000, client_id=2, reduce_only=True))
    next_block(chain)

    assert (after.imr, after.mmr) == (before.imr * 50, before.mmr)
    assert sum(fill.quantums for fill in bought.fills) < COIN
    assert position(chain, ALICE) < COIN


@pytest.mark.parametrize(
    ("entries", "space", "code"),
    [
        ((), "clob", 11002),
        (((0, 0),), "clob", 11002),
        (((0, 1_000_001),), "clob", 11002),
        (((99, 0),), "clob", 11002),
        (((0, 20_000), (0, 30_000)), "clob", 11002),
        (((99, 20_000),), "clob", 8),
        (((0, 19_999), (99, 20_000)), "clob", 8),
        (((0, 19_999),), "subaccounts", 701),
        (((0, 20_000),), "", 0),
    ],
)
def test_what_the_chain_takes(entries: tuple[tuple[int, int], ...], space: str, code: int) -> None:
    answer = chain_of().check(brake(*entries))

    assert (answer.codespace, answer.code) == (space, code)


def test_a_brake_the_account_cannot_hold_is_refused_when_it_arrives() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN * 2)

    refused = chain.check(brake((0, 1_000_000)))
    next_block(chain)

    assert (refused.codespace, refused.code) == ("subaccounts", 703)
    assert put(chain, (0, 500_000)) == 0


def test_a_brake_counts_at_once_for_what_is_sent_after_it() -> None:
    chain = chain_of()
    bid = order(
        Side.BUY,
        COIN * 2,
        90_000,
        flags=messages.LONG_TERM,
        good_til_block_time=chain.time // 1_000 + 60,
        time_in_force=messages.GOOD_TIL_TIME,
    )

    assert chain.check(brake((0, 1_000_000))).is_accepted
    assert chain.check(bid).code == 3007


def test_updates_of_leverage_have_a_rate_of_their_own() -> None:
    chain = chain_of()

    codes = [chain.check(brake((0, ppm))).code for ppm in (30_000, 40_000)]
    next_block(chain)

    assert codes == [0, 5001]
    assert chain.check(brake((0, 40_000))).is_accepted


def test_the_node_tells_the_rate_in_the_field_that_the_package_does_not_know() -> None:
    chain = chain_of()
    constants = Constants(settings=chain.settings, version="9.8.1")

    answer = QUERIES[RATE_LIMITS].respond(constants, chain.committed, b"")
    (config,) = dict(read_fields(answer)).values()
    assert isinstance(config, bytes)

    assert dict(read_fields(config))[5] == b"\x08\x01\x10\x01"  # one in one block


def test_the_check_forgets_what_was_stored_before() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    assert put(chain, (0, 900_000)) == 0
    give(chain, ALICE, 10 * 10**9, "ETH-USD")

    assert put(chain, (1, 1_000_000)) == 0

    account = chain.committed.subaccount(ALICE.owner, 0)
    risk = chain.committed.risk(account)
    assert account.custom_imf_ppm == {0: 900_000, 1: 1_000_000}
    assert risk.nc < risk.imr


def test_the_node_tells_it_as_the_guard_reads_it() -> None:
    chain = chain_of()
    put(chain, (5, 300_000), (0, 50_000))
    constants = Constants(settings=chain.settings, version="9.8.1")

    def asked(owner: str) -> bytes:
        return QUERIES[LEVERAGE].respond(constants, chain.committed, encode_request(owner, 0))

    assert decode_response(asked(ALICE.owner)) == {0: 50_000, 5: 300_000}
    assert asked("dydx1nobody") == b""


def test_an_update_is_read_from_its_bytes() -> None:
    named = b"\x0a\x0adydx1alice"  # number 0 is left out
    raw = b"\x0a\x0c" + named + leverage_wire.entries_bytes(2, ((5, 300_000),))

    assert leverage_wire.read_update(raw) == brake((5, 300_000))
    for cut in (raw[:-1], b"\x08\x01", b"\x0d"):
        with pytest.raises(DecodeError):
            leverage_wire.read_update(cut)
