"""Every fault has an effect that the agent's side of the venue sees, and then it is over."""

from __future__ import annotations

import pytest

from seawall.account import Blind, IndexerSizes, Missing, Observation
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault
from seawall.units import SECOND
from seawall.venue import Reply
from tests.simulator.faults.day import FLOAT, day_of, observed
from tests.simulator.stage import ALICE, DOLLAR, STEP


def fault(kind: FaultKind, first: int = 3, last: int = 5, when: When = When.START) -> Fault:
    return Fault(kind=kind, first=first, last=last, when=when)


def test_without_a_fault_the_venue_is_the_venue_in_process() -> None:
    day = day_of()

    seen = day.play(5)

    assert [observed(one).height for one in seen] == [2, 3, 4, 5, 6]
    assert observed(seen[-1]) is not None
    assert observed(seen[-1]).seen_at == day.chain.time
    assert day.reduce().is_accepted


@pytest.mark.parametrize("kind", [FaultKind.NODE_UNAVAILABLE, FaultKind.NODE_SYNCING])
def test_a_node_that_shows_nothing_blinds(kind: FaultKind) -> None:
    day = day_of(fault(kind))

    seen = day.play(6)

    assert [isinstance(one, Blind) for one in seen] == [False, False, True, True, True, False]
    blind = seen[2]
    assert isinstance(blind, Blind)
    assert blind.reasons[0].startswith("node: ")


def test_a_node_that_drops_answers_every_second_call() -> None:
    day = day_of(fault(FaultKind.NODE_DROPS, last=6))

    seen = day.play(7)

    blind = [isinstance(one, Blind) for one in seen]
    assert blind == [False, False, True, False, True, False, False]


def test_a_frozen_node_keeps_its_height_and_loses_what_it_takes() -> None:
    day = day_of(fault(FaultKind.NODE_FROZEN))

    seen = [observed(one) for one in day.play(4)]
    reply = day.reduce()
    day.play(3)

    assert [one.height for one in seen] == [2, 3, 3, 3]
    assert seen[-1].seen_at - seen[-1].at == 2 * SECOND
    assert reply.is_accepted
    assert day.size == day.look().subaccounts[0].positions[0].quantums == 5_000_000_000
    assert day.look().height == day.chain.height


def test_a_node_behind_shows_an_older_height() -> None:
    day = day_of(Fault(kind=FaultKind.NODE_BEHIND, first=10, last=12, blocks=4))

    seen = [observed(one) for one in day.play(13)]

    assert [one.height for one in seen[8:]] == [10, 7, 8, 9, 14]


def test_a_slow_node_answers_late_and_delivers_late() -> None:
    day = day_of(fault(FaultKind.NODE_SLOW))

    seen = observed(day.play(3)[-1])
    reply = day.reduce()
    sizes = []
    for _ in range(3):
        day.next()
        sizes.append(day.size)

    assert seen.seen_at - seen.at == 3 * SECOND
    assert reply.is_unknown
    assert sizes == [5_000_000_000, 5_000_000_000, 5_000_000_000 - STEP]


@pytest.mark.parametrize(
    ("kind", "reply_is", "fills"),
    [
        (FaultKind.BROADCAST_LOST, "unknown", False),
        (FaultKind.NODE_UNAVAILABLE, "unknown", False),
        (FaultKind.NODE_DROPS, "unknown", False),
        (FaultKind.ANSWER_LOST, "unknown", True),
        (FaultKind.ACCEPTED_LOST, "accepted", False),
        (FaultKind.DELIVERED_TWICE, "sdk 19", True),
        (FaultKind.KEY_REVOKED, "dydxaccountplus 1", False),
        (FaultKind.SMART_ACCOUNTS_OFF, "dydxaccountplus 4", False),
    ],
)
def test_a_sent_order_is_answered_and_filled_as_the_fault_says(
    kind: FaultKind, reply_is: str, *, fills: bool
) -> None:
    day = day_of(fault(kind, first=0, last=0, when=When.REDUCE))
    day.play(3)

    reply = day.reduce()
    day.play(2)

    assert spoken(reply) == reply_is
    assert (day.size < 5_000_000_000) is fills


@pytest.mark.parametrize("kind", [FaultKind.ACCEPTED_LOST, FaultKind.NODE_FROZEN])
def test_a_node_that_loses_what_it_takes_judges_and_knows_it(kind: FaultKind) -> None:
    day = day_of(fault(kind, first=1, last=9))
    day.play(2)

    replies = [day.reduce(), day.reduce(), day.top_up(), day.top_up(ahead=1)]

    assert [spoken(one) for one in replies] == ["accepted", "sdk 19", "accepted", "sdk 32"]


def spoken(reply: Reply) -> str:
    if reply.is_unknown:
        return "unknown"
    return "accepted" if reply.is_accepted else f"{reply.codespace} {reply.code}"


def test_a_fault_by_rule_waits_for_its_moment() -> None:
    day = day_of(fault(FaultKind.NODE_UNAVAILABLE, first=1, last=1, when=When.TOP_UP))
    before = day.play(3)

    day.top_up()
    after = day.play(2)

    assert [isinstance(one, Blind) for one in before + after] == [False] * 3 + [True, False]


def test_a_used_sequence_refuses_the_top_up() -> None:
    day = day_of(fault(FaultKind.SEQUENCE_MISMATCH, first=0, last=0, when=When.TOP_UP))
    day.play(2)

    refused = day.top_up()
    day.play(1)
    again = day.top_up()

    assert (refused.codespace, refused.code) == ("sdk", 32)
    assert again.is_accepted
    assert day.chain.committed.wallets[FLOAT].sequence == 1


def test_a_raised_gate_refuses_the_top_up_and_shows() -> None:
    day = day_of(fault(FaultKind.GATE_UP))
    day.play(3)

    blocked = day.look().transfers_blocked_until
    before = day.chain.committed.subaccount(ALICE.owner, 0).usdc
    day.top_up()
    day.play(1)

    assert blocked[0] > day.chain.height
    assert day.chain.committed.subaccount(ALICE.owner, 0).usdc == before


def test_a_revoked_key_reaches_nothing() -> None:
    day = day_of(fault(FaultKind.KEY_REVOKED))
    day.play(3)

    reach = day.look().advice.key_reach

    assert not isinstance(reach, Missing)
    assert not reach.covers(0, 0)


def test_a_stale_indexer_shows_old_advice_under_new_state() -> None:
    day = day_of(Fault(kind=FaultKind.INDEXER_STALE, first=8, last=9, blocks=5))
    day.play(8)

    seen = day.look()

    assert seen.height == 9
    assert isinstance(seen.advice.indexer_sizes, IndexerSizes)
    assert seen.advice.indexer_sizes.height == 4
    assert seen.seen_at - seen.advice.books["BTC-USD"].seen_at == 5 * SECOND


def test_a_torn_indexer_shows_old_sizes_under_its_newest_height() -> None:
    day = day_of(fault(FaultKind.INDEXER_TORN, first=4, last=6))
    day.play(3)
    day.reduce()
    day.play(1)

    sizes = day.look().advice.indexer_sizes

    assert isinstance(sizes, IndexerSizes)
    assert sizes.height == day.chain.height
    assert sizes.quantums[0, "BTC-USD"] == day.size + STEP


def test_a_silent_feed_lets_books_grow_old_and_rest_goes_on() -> None:
    day = day_of(fault(FaultKind.INDEXER_SILENT))
    day.play(2)
    day.reduce()
    day.play(3)

    seen = day.look()

    assert seen.seen_at - seen.advice.books["BTC-USD"].seen_at == 3 * SECOND
    assert not isinstance(seen.advice.fills, Missing)
    assert len(seen.advice.fills) == 1


def test_what_falls_into_a_gap_is_never_shown() -> None:
    day = day_of(fault(FaultKind.INDEXER_GAP))
    day.play(2)
    day.reduce()
    day.play(10)

    fills = day.look().advice.fills

    assert day.size < 5_000_000_000
    assert fills == ()


def test_records_come_in_the_wrong_order() -> None:
    day = day_of(fault(FaultKind.INDEXER_REORDERED, first=14, last=14))
    for _ in range(2):
        day.play(6)
        day.reduce()
    day.play(1)
    right = day.look().advice.fills
    day.play(1)

    wrong = day.look().advice.fills

    assert not isinstance(right, Missing)
    assert not isinstance(wrong, Missing)
    assert len(right) == 2
    assert wrong == right[::-1]
    assert wrong != right


def test_a_crashed_indexer_leaves_only_the_nodes_word() -> None:
    day = day_of(fault(FaultKind.INDEXER_CRASH))
    day.play(3)

    advice = day.look().advice

    assert not advice.books
    assert isinstance(advice.orders, Missing)
    assert isinstance(advice.indexer_sizes, Missing)
    assert not isinstance(advice.key_reach, Missing)


def test_a_limited_indexer_says_so_and_keeps_its_books() -> None:
    day = day_of(fault(FaultKind.INDEXER_RATE_LIMITED))
    day.play(3)

    advice = day.look().advice

    assert isinstance(advice.fills, Missing)
    assert "429" in advice.fills.reason
    assert advice.books["BTC-USD"].bids


def test_a_withdrawal_is_on_the_chain_before_the_indexer_shows_it() -> None:
    day = day_of(Fault(kind=FaultKind.WITHDRAWAL_LATE, first=3, last=3, blocks=6))
    day.play(2)
    before = day.look().subaccounts[0].usdc

    shown = []
    for seen in day.play(9):
        transfers = observed(seen).advice.transfers
        assert not isinstance(transfers, Missing)
        shown.append(len(transfers))

    taken = before - day.look().subaccounts[0].usdc
    assert 999 * DOLLAR < taken <= 1_000 * DOLLAR
    assert shown[:7] == [shown[0]] * 7
    assert shown[7:] == [shown[0] + 1] * 2


def test_a_crossed_book_stands_on_its_head() -> None:
    day = day_of(fault(FaultKind.BOOK_CROSSED))
    day.play(3)

    book = day.look().advice.books["BTC-USD"]

    assert book.bids[0].subticks > book.asks[0].subticks


def test_the_agents_clock_is_off_and_then_right_again() -> None:
    day = day_of(Fault(kind=FaultKind.CLOCK_SKEW, first=2, last=2, seconds=-5))

    offs = [one.seen_at - one.at for one in map(observed, day.play(3))]

    assert offs == [0, -5 * SECOND, 0]


def test_the_same_schedule_gives_the_same_day() -> None:
    def play() -> list[object]:
        day = day_of(fault(FaultKind.NODE_DROPS), fault(FaultKind.SECOND_TRADER))
        seen = day.play(10)
        return [
            (one.height, one.subaccounts) if isinstance(one, Observation) else one for one in seen
        ]

    assert play() == play()
