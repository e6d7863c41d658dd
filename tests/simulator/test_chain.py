"""Blocks: what runs when, at which price; money that moves; the gate; funding; determinism."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator import setup
from seawall.simulator.ante import Ante
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.messages import (
    Deposit,
    Message,
    Send,
    SubaccountId,
    Transfer,
    Withdraw,
)
from seawall.simulator.wallets import Gate
from seawall.units import HOUR, Millis, QuoteQuantums
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    MIDS,
    START,
    STEP,
    blocks,
    chain_of,
    give,
    next_block,
    order,
    usdc,
)

WALLET = "dydx1float"
CHILD = SubaccountId(owner=ALICE.owner, number=128)


def deposit(dollars: int, recipient: SubaccountId = ALICE) -> Deposit:
    return Deposit(sender=WALLET, recipient=recipient, quantums=dollars * DOLLAR)


def withdraw(dollars: int) -> Withdraw:
    return Withdraw(sender=ALICE, recipient=WALLET, quantums=dollars * DOLLAR)


def with_wallet(settings: ChainSettings | None = None, dollars: int = 1_000) -> Chain:
    chain = chain_of(settings=settings)
    setup.fund_wallet(chain, WALLET, Decimal(dollars))
    return chain


def test_the_oracle_follows_the_mid_one_block_late() -> None:
    chain = chain_of()

    first = next_block(chain, BTC=99_000)
    price_then = chain.committed.markets["BTC-USD"].price
    second = next_block(chain, BTC=98_000)

    assert first.prices == ()
    assert price_then == 100_000 * 10**5
    assert [(p.ticker, p.price) for p in second.prices] == [("BTC-USD", 99_000 * 10**5)]


def test_prices_are_rounded_to_the_oracles_exponent() -> None:
    chain = chain_of(mids={**MIDS, "BTC-USD": Decimal("100000.000014")})

    assert chain.committed.markets["BTC-USD"].price == 10_000_000_001
    assert chain.committed.markets["SOL-USD"].price == 20_000_000_000


def test_orders_of_a_block_are_judged_at_the_oracle_of_the_block_before() -> None:
    chain = chain_of({ALICE: 10})
    next_block(chain, BTC=120_000)  # the oracle still says 100,000
    chain.check(order(Side.BUY, COIN // 20, 130_000))

    block = next_block(chain)

    # What costs 121,000 a coin and is valued at 100,000 loses a sixth at once.
    assert block.fills == ()


def test_the_same_inputs_give_the_same_hashes() -> None:
    def run() -> list[str]:
        chain = with_wallet()
        give(chain, ALICE, COIN)
        chain.check(order(Side.SELL, COIN // 2, reduce_only=True))
        chain.check(deposit(10), "TX")
        moves = [next_block(chain, BTC=100_000 - 137 * n) for n in range(20)]
        return [block.hash for block in moves]

    first, second = run(), run()

    assert first == second
    assert len(set(first)) == len(first)


def test_another_event_gives_another_hash() -> None:
    quiet, traded = chain_of(), chain_of()
    traded.check(order(Side.SELL, STEP))

    assert next_block(quiet).hash != next_block(traded).hash


def test_older_states_stay_readable_until_they_are_pruned() -> None:
    chain = chain_of(settings=ChainSettings(history_blocks=3))
    give(chain, ALICE, COIN)
    chain.check(order(Side.SELL, COIN, reduce_only=True))
    blocks(chain, 2)

    before, after = chain.at_height(1), chain.at_height(2)

    assert before is not None
    assert after is not None
    assert before.subaccount(ALICE.owner, 0).quantums(0) == COIN
    assert after.subaccount(ALICE.owner, 0).quantums(0) == 0
    assert chain.at_height(4) is None
    next_block(chain)
    assert chain.at_height(1) is None
    assert chain.block(2) is not None


def test_an_unknown_subaccount_is_empty_not_missing() -> None:
    account = chain_of().committed.subaccount("dydx1nobody", 7)

    assert (account.usdc, account.held, account.id.number) == (0, (), 7)


def test_a_deposit_lands_in_the_next_block() -> None:
    chain = with_wallet()
    money = chain.total_money()

    assert chain.check(deposit(400), "TX").is_accepted
    assert usdc(chain, ALICE) == 100_000 * DOLLAR
    block = next_block(chain)

    assert usdc(chain, ALICE) == 100_400 * DOLLAR
    assert chain.committed.wallets[WALLET].balance == 600 * DOLLAR
    assert [(r.tx, r.code) for r in block.results] == [("TX", 0)]
    assert [(t.amount, t.recipient, t.tx) for t in block.transfers] == [(400 * DOLLAR, ALICE, "TX")]
    assert chain.total_money() == money


def test_a_deposit_beyond_the_wallet_is_accepted_and_fails_in_its_block() -> None:
    chain = with_wallet(dollars=100)

    assert chain.check(deposit(101), "TX").is_accepted
    block = next_block(chain)

    (result,) = block.results
    assert (result.code, result.codespace) == (5, "sdk")
    assert block.transfers == ()
    assert usdc(chain, ALICE) == 100_000 * DOLLAR


MALFORMED: list[tuple[Message, int, str]] = [
    (deposit(0), 2, "sending"),
    (Deposit(sender=WALLET, recipient=ALICE, quantums=1, asset_id=1), 1101, "sending"),
    (deposit(1, SubaccountId(owner="x", number=128_001)), 200, "subaccounts"),
    (withdraw(0), 2, "sending"),
    (Transfer(sender=ALICE, recipient=ALICE, amount=1), 1, "sending"),
    (Transfer(sender=ALICE, recipient=BOB, amount=0), 2, "sending"),
    (Transfer(sender=ALICE, recipient=BOB, amount=1, asset_id=1), 1101, "sending"),
]


@pytest.mark.parametrize(("message", "code", "codespace"), MALFORMED)
def test_malformed_money_messages_are_refused_at_once(
    message: Message, code: int, codespace: str
) -> None:
    answer = with_wallet().check(message)

    assert (answer.code, answer.codespace) == (code, codespace)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_send_of_nothing_is_taken_and_refused_in_its_block(amount: int) -> None:
    chain = with_wallet()
    answer = chain.check(Send(sender=WALLET, recipient="dydx1new", amount=amount))

    block = next_block(chain)

    assert answer.is_accepted
    assert [(one.codespace, one.code) for one in block.results] == [("sdk", 10)]
    assert block.transfers == ()


@pytest.mark.parametrize(("dollars", "code"), [(98_000, 0), (98_001, 102)])
def test_what_leaves_an_account_must_leave_its_initial_margin(dollars: int, code: int) -> None:
    chain = with_wallet()
    give(chain, ALICE, COIN)  # IMR $2,000
    chain.check(withdraw(dollars))

    (result,) = next_block(chain).results

    assert result.code == code
    assert "NewlyUndercollateralized" in result.log or code == 0


def test_transfers_and_sends_move_between_accounts_and_wallets() -> None:
    chain = with_wallet()
    money = chain.total_money()
    chain.check(Transfer(sender=ALICE, recipient=CHILD, amount=5 * DOLLAR))
    chain.check(Send(sender=WALLET, recipient="dydx1new", amount=7 * DOLLAR))

    next_block(chain)

    assert usdc(chain, CHILD) == 5 * DOLLAR
    new = chain.committed.wallets["dydx1new"]
    assert (new.balance, new.sequence) == (7 * DOLLAR, 0)
    assert new.account_number != chain.committed.wallets[WALLET].account_number
    assert chain.total_money() == money


@pytest.mark.parametrize(
    ("gate", "deposits", "withdrawals"),
    [
        (Gate.DEPOSITS_TOO, 102, 102),
        (Gate.SPARES_DEPOSITS, 0, 102),
        (Gate.OFF, 0, 0),
    ],
)
def test_the_gate_refuses_what_its_rule_says(gate: Gate, deposits: int, withdrawals: int) -> None:
    chain = with_wallet(ChainSettings(gate=gate))
    chain.record_negative()
    for message in (deposit(1), withdraw(1), Send(sender=WALLET, recipient="y", amount=1)):
        chain.check(message)

    codes = [result.code for result in next_block(chain).results]

    assert codes == [deposits, withdrawals, 0]


@pytest.mark.parametrize(("blocks_later", "code"), [(49, 102), (50, 0)])
def test_the_gate_opens_after_fifty_blocks(blocks_later: int, code: int) -> None:
    chain = with_wallet()
    chain.record_outage()
    until = chain.committed.blocked_until()
    blocks(chain, blocks_later - 1)
    chain.check(deposit(1))

    (result,) = next_block(chain).results

    assert until == 51
    assert result.code == code
    assert ("WithdrawalsAndTransfersBlocked" in result.log) is (code == 102)


def test_sequences_and_fees_count_at_once_for_checks_and_with_the_block_for_reads() -> None:
    chain = with_wallet()
    money = chain.total_money()
    ante = Ante(payer=WALLET, fee=QuoteQuantums(DOLLAR), sequence=0)
    assert chain.check(deposit(1_000), ante=ante).is_accepted

    pending = chain.pending_account(WALLET)
    committed = chain.committed.wallets[WALLET]
    next_block(chain)

    assert pending is not None
    assert (pending.sequence, pending.balance) == (1, 999 * DOLLAR)
    assert (committed.sequence, committed.balance) == (0, 1_000 * DOLLAR)
    assert chain.committed.wallets[WALLET] == pending
    assert chain.total_money() == money


def test_a_fee_beyond_the_wallet_is_refused() -> None:
    chain = with_wallet()

    ante = Ante(payer=WALLET, fee=QuoteQuantums(1_001 * DOLLAR), sequence=0)
    answer = chain.check(deposit(1), ante=ante)

    assert (answer.code, answer.codespace) == (5, "sdk")
    assert next_block(chain).results == ()
    assert chain.pending_account("dydx1nobody") is None


def test_a_sequence_is_used_up_although_the_message_fails() -> None:
    chain = with_wallet(dollars=1)
    chain.check(deposit(2))
    chain.increment_sequence(WALLET)

    next_block(chain)

    assert chain.committed.wallets[WALLET].sequence == 1


def test_funding_moves_the_index_on_the_hour_and_settles_when_touched() -> None:
    chain = with_wallet()
    give(chain, ALICE, COIN)
    give(chain, BOB, -COIN)
    chain.set_hourly_rate("BTC-USD", Decimal("0.0001"))
    to_the_hour = (HOUR - START % HOUR) // 1_000

    before = next_block(chain, seconds=to_the_hour - 1)
    on_the_hour = next_block(chain)

    assert before.funding == ()
    rates = {tick.ticker: tick.rate_8h_ppm for tick in on_the_hour.funding}
    assert rates == {"BTC-USD": 800, "ETH-USD": 0, "SOL-USD": 0}
    owed = 10 * DOLLAR  # 0.01% of $100,000
    alice = chain.committed.subaccount(ALICE.owner, 0)
    assert alice.usdc == 0  # $100,000 in cash paid for the coin, not settled yet
    assert chain.committed.risk(alice).nc == 100_000 * DOLLAR - owed
    chain.check(deposit(1))
    next_block(chain)
    assert usdc(chain, ALICE) == DOLLAR - owed
    risk = chain.committed.risk(chain.committed.subaccount(BOB.owner, 0))
    assert risk.nc == 100_000 * DOLLAR + owed


def test_every_hour_that_a_jump_crosses_is_paid() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    chain.set_hourly_rate("BTC-USD", Decimal("0.0001"))

    block = next_block(chain, seconds=3 * 3_600)

    assert [tick.funding_index for tick in block.funding if tick.ticker == "BTC-USD"] == [
        1_000,
        2_000,
        3_000,
    ]


def test_the_chain_is_quiet_only_when_the_next_block_would_do_nothing() -> None:
    chain = with_wallet()
    assert chain.is_quiet

    chain.check(deposit(1))
    queued = chain.is_quiet
    next_block(chain)
    ran = chain.is_quiet
    next_block(chain, BTC=99_990)
    oracle_behind = chain.is_quiet
    next_block(chain)
    caught_up = chain.is_quiet
    chain.check(order(Side.SELL, STEP))
    next_block(chain)
    refilling = chain.is_quiet

    assert (queued, ran, oracle_behind, caught_up, refilling) == (
        False,
        True,
        False,
        True,
        False,
    )


def test_block_time_must_grow() -> None:
    chain = chain_of()

    with pytest.raises(AssertionError, match="must grow"):
        chain.advance(Millis(START), {})
