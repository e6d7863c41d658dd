"""What happens to the chain itself: oracle, books, halts, and the account's accidents."""

from __future__ import annotations

from decimal import Decimal

from seawall.account import Missing
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault
from seawall.simulator.play import NEVER
from seawall.units import HOUR, SECOND
from tests.simulator.faults.day import Day, day_of
from tests.simulator.stage import ALICE, COIN, STEP


def oracle(day: Day) -> float:
    market = day.chain.committed.markets["BTC-USD"]
    return float(Decimal(market.price).scaleb(market.spec.oracle_exponent))


def mid(day: Day) -> float:
    book = day.look().advice.books["BTC-USD"]
    assert book.mid_twice is not None
    return book.mid_twice / 2 / 100_000


def oracles(day: Day, blocks: int) -> list[float]:
    found = []
    for _ in range(blocks):
        day.next()
        found.append(oracle(day))
    return found


def test_a_frozen_oracle_keeps_its_price_and_catches_up() -> None:
    frozen = oracles(day_of(Fault(kind=FaultKind.ORACLE_FROZEN, first=3, last=5)), 7)
    calm = oracles(day_of(), 7)

    assert frozen[2] == frozen[3] == frozen[4] == calm[1]
    assert frozen[5:] == calm[5:]


def test_a_lagging_oracle_follows_the_path_late() -> None:
    late = oracles(day_of(Fault(kind=FaultKind.ORACLE_LAGS, first=6, last=8, blocks=3)), 9)
    calm = oracles(day_of(), 9)

    assert late[5:8] == calm[2:5]
    assert late[8] == calm[8]


def test_an_oracle_is_wrong_by_a_tenth_while_the_book_is_right() -> None:
    day = day_of(Fault(kind=FaultKind.ORACLE_WRONG, first=3, last=4, amount=Decimal("-0.10")))
    calm = oracles(day_of(), 5)

    found = oracles(day, 3)

    assert found[2] < 0.91 * calm[2]
    assert mid(day) > 0.99 * calm[2]
    assert oracles(day, 2)[1] == calm[4]


def test_an_oracle_jumps_for_the_blocks_it_is_told_to() -> None:
    day = day_of(Fault(kind=FaultKind.ORACLE_JUMP, first=3, last=3))

    found = oracles(day, 4)

    assert found[2] < 0.91 * found[1]
    assert found[3] > 0.99 * found[1]


def test_a_premium_moves_the_book_and_not_the_oracle() -> None:
    day = day_of(Fault(kind=FaultKind.BOOK_PREMIUM, first=3, last=4))
    calm = day_of()

    day.play(3)
    calm.play(3)

    assert mid(day) > 1.009 * mid(calm)
    assert oracle(day) == oracle(calm)
    assert oracles(day, 3) == oracles(calm, 3)


def test_an_empty_book_fills_nothing_and_comes_back() -> None:
    day = day_of(Fault(kind=FaultKind.BOOK_EMPTY, first=3, last=4))
    day.play(3)

    book = day.look().advice.books["BTC-USD"]
    day.reduce()
    day.play(1)
    held = day.size
    day.play(1)

    assert (book.bids, book.asks) == ((), ())
    assert held == COIN // 2
    assert day.look().advice.books["BTC-USD"].bids


def test_a_one_sided_book_sells_and_does_not_buy() -> None:
    day = day_of(Fault(kind=FaultKind.BOOK_ONE_SIDED, first=3, last=4, ticker="BTC-USD"))
    day.play(3)

    books = day.look().advice.books

    assert not books["BTC-USD"].bids
    assert books["BTC-USD"].asks
    assert books["ETH-USD"].bids


def test_a_thin_book_fills_in_part() -> None:
    day = day_of(Fault(kind=FaultKind.FILLS_PARTIAL, first=3, last=4))
    day.play(3)

    day.reduce(COIN // 2, 99_000)
    day.play(1)

    assert 0 < day.size < COIN // 2


def test_a_halt_lets_time_pass_and_resumes_on_stale_prices() -> None:
    day = day_of(Fault(kind=FaultKind.CHAIN_HALT, first=30, last=30), falls_to=80_000.0)
    day.play(30)
    height, before = day.chain.height, oracle(day)

    ages = []
    while day.player.is_halted:
        day.player.step(NEVER)
        seen = day.look()
        ages.append((seen.seen_at - seen.at) // SECOND)
    at_resume = oracle(day)
    day.play(2)

    assert ages[:3] == [10, 20, 30]
    assert ages[-2] == 2 * HOUR // SECOND - 10
    assert day.chain.height == height + 3
    assert abs(at_resume / before - 1) < 0.001
    assert oracle(day) == 80_000.0
    assert day.look().transfers_blocked_until


def test_a_liquidation_comes_without_a_move_of_the_price() -> None:
    day = day_of(Fault(kind=FaultKind.LIQUIDATION, first=3, last=3), falls_to=100_000.0)

    day.play(8)

    fills = day.look().advice.fills
    assert not isinstance(fills, Missing)
    assert {fill.kind for fill in fills} == {"LIQUIDATED"}
    assert day.size < COIN // 2


def test_a_deleveraging_cuts_the_position_without_an_order() -> None:
    day = day_of(Fault(kind=FaultKind.DELEVERAGING, first=3, last=3))
    equity = day.chain.committed.risk(day.chain.committed.subaccount(ALICE.owner, 0)).nc

    day.play(4)

    fills = day.look().advice.fills
    assert day.size == COIN // 4
    assert not isinstance(fills, Missing)
    assert [(fill.kind, fill.client_id) for fill in fills] == [("DELEVERAGED", None)]
    now = day.chain.committed.risk(day.chain.committed.subaccount(ALICE.owner, 0)).nc
    assert abs(now - equity) < equity // 1_000


def test_the_owners_other_hand_adds_to_the_position() -> None:
    day = day_of(Fault(kind=FaultKind.SECOND_TRADER, first=3, last=3))

    day.play(4)

    fills = day.look().advice.fills
    assert day.size == COIN // 2 + COIN // 10 // STEP * STEP
    assert not isinstance(fills, Missing)
    assert all(fill.client_id is not None for fill in fills)


def test_time_does_not_jump_before_the_last_fault_is_over() -> None:
    day = day_of(Fault(kind=FaultKind.NODE_FROZEN, first=3, last=4), falls_to=100_000.0)

    steps = []
    for _ in range(6):
        before = day.chain.time
        day.player.step(NEVER)
        steps.append((day.chain.time - before) // SECOND)

    assert steps[:5] == [1] * 5
    assert steps[5] > 60


def test_a_market_under_final_settlement_takes_no_order_and_closes_what_is_held() -> None:
    day = day_of(Fault(kind=FaultKind.MARKET_SETTLED, first=3, last=3, ticker="BTC-USD"))
    equity = day.chain.committed.risk(day.chain.committed.subaccount(ALICE.owner, 0)).nc

    day.play(3)
    refused = day.reduce()
    day.play(1)

    now = day.chain.committed.risk(day.chain.committed.subaccount(ALICE.owner, 0)).nc
    assert (refused.codespace, refused.code) == ("clob", 34)
    assert day.size == 0
    assert abs(now - equity) < equity // 1_000
