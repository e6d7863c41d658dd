"""What the guard says reaches people once, whoever is dead meanwhile, and across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from seawall.agent import Kind
from seawall.decide.memory import Repeats
from seawall.journal.queries import BREAK
from seawall.journal.store import Journal
from seawall.notify.courier import MESSAGE, STUCK_MOST, Courier, End
from seawall.notify.messenger import Messenger, Tone
from tests.notify.receivers import Hanging, Remembering, deliveries, message, page, say
from tests.venue.dydx.wires import until


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "seawall.db") as journal:
        yield journal


def courier_of(journal: Journal, *messengers: Messenger, deadline_s: float = 5.0) -> Courier:
    return Courier(
        journal,
        messengers,
        account="dydx1owner/0",
        deadline_s=deadline_s,
        poll_s=0.005,
        pause_s=0.001,
    )


def has_carried(memory: Remembering, words: str) -> bool:
    return any(words in each.body for each in memory.carried)


@asynccontextmanager
async def running(courier: Courier) -> AsyncIterator[Courier]:
    task = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_rows_that_are_carried_are_those_that_the_agent_writes() -> None:
    assert MESSAGE == Kind.MESSAGE


async def test_a_message_is_carried_and_its_delivery_is_a_row(journal: Journal) -> None:
    memory = Remembering()
    async with running(courier_of(journal, memory)):
        seq = say(journal, message("drawdown 7%"))

        await until(lambda: bool(memory.carried))
        await until(lambda: deliveries(journal)[-1].end is End.SENT)

    (notice,) = memory.carried
    assert notice.tone is Tone.NOTIFY
    assert "NOTIFY drawdown 7%" in notice.body
    assert notice.title == "Seawall dydx1owner/0: 1 message"
    sent = deliveries(journal)[-1]
    assert (sent.messenger, sent.through, sent.messages) == ("memory#1", seq, 1)
    journal.verify()


async def test_what_waits_is_one_notice_with_pages_first_and_the_head(journal: Journal) -> None:
    memory = Remembering()
    courier = courier_of(journal, memory)
    say(journal, message("a number"), page("call me", "liq-move/0/BTC-USD/act"))
    head = journal.head()

    await courier.flush(5.0)

    (notice,) = memory.carried
    assert notice.tone is Tone.PAGE
    assert notice.body.splitlines() == [
        "PAGE call me",
        "NOTIFY a number",
        "Repeats every 5 minutes until: seawall ack liq-move/0/BTC-USD/act",
        f"journal {head.seq}:{head.hash}",
    ]


@pytest.mark.parametrize(
    ("repeats", "said"),
    [
        ((Repeats.UNTIL_READ,), "Repeats every 5 minutes until: seawall ack a/0"),
        ((Repeats.WHILE_SO,), "Repeats every 5 minutes while it lasts, until: seawall ack a/0"),
        ((Repeats.UNTIL_READ, Repeats.UNTIL_READ), "Repeats every 5 minutes until: seawall ack"),
        (
            (Repeats.UNTIL_READ, Repeats.WHILE_SO),
            "Repeats every 5 minutes, some only while they last, until: seawall ack",
        ),
        ((Repeats.BY_ITSELF,), ""),
    ],
)
async def test_a_notice_promises_no_more_repeats_than_there_are(
    journal: Journal, repeats: tuple[Repeats, ...], said: str
) -> None:
    memory = Remembering()
    courier = courier_of(journal, memory)
    say(journal, *(replace(page("x", f"a/{n}"), repeats=one) for n, one in enumerate(repeats)))

    await courier.flush(5.0)

    (notice,) = memory.carried
    assert [line for line in notice.body.splitlines() if "epeats" in line] == [said] * bool(said)


async def test_newer_words_about_the_same_level_take_the_place_of_older_ones(
    journal: Journal,
) -> None:
    memory = Remembering()
    courier = courier_of(journal, memory)
    say(journal, page("first", "a/act"), page("other", "b/act"), page("Still: first", "a/act"))

    await courier.flush(5.0)

    (notice,) = memory.carried
    assert notice.body.splitlines()[:2] == ["PAGE other", "PAGE Still: first"]
    assert notice.title.endswith("2 pages")


async def test_a_failed_delivery_is_recorded_and_tried_again(journal: Journal) -> None:
    memory = Remembering(failures_left=2)
    async with running(courier_of(journal, memory)):
        say(journal, page("call me"))

        await until(lambda: bool(memory.carried))
        await until(lambda: deliveries(journal)[-1].end is End.SENT)

    ends = [row.end for row in deliveries(journal)]
    assert ends == [End.BEGUN, End.FAILED, End.FAILED, End.SENT]
    assert len(memory.carried) == 1


async def test_an_error_of_a_service_is_told_by_its_kind_alone(journal: Journal) -> None:
    memory = Remembering(error=ValueError("https://secret-token@service"))
    async with running(courier_of(journal, memory)):
        say(journal, page("call me"))

        await until(lambda: deliveries(journal)[-1].end is End.FAILED)
        memory.error = None
        await until(lambda: bool(memory.carried))

    assert deliveries(journal)[1].reason == "it raised ValueError"


async def test_a_messenger_that_hangs_holds_up_neither_another_nor_the_loop(
    journal: Journal,
) -> None:
    memory, hanging = Remembering(), Hanging()
    try:
        async with running(courier_of(journal, memory, hanging, deadline_s=60.0)):
            say(journal, page("call me"))
            await until(lambda: hanging.calls == 1)

            for number in range(3):  # the loop goes round, and ticks would too
                say(journal, page(f"again {number}"))
                told = f"again {number}"
                await until(partial(has_carried, memory, told))

            assert hanging.calls == 1
            assert not hanging.let_go.is_set()
    finally:
        hanging.let_go.set()


async def test_a_messenger_that_always_hangs_holds_a_few_threads_and_no_more(
    journal: Journal,
) -> None:
    hanging = Hanging()
    try:
        async with running(courier_of(journal, hanging, deadline_s=0.002)) as courier:
            say(journal, page("call me"))

            await until(lambda: courier.lanes[0].failures > 2 * STUCK_MOST)

            assert hanging.calls == STUCK_MOST
        reasons = [row.reason for row in deliveries(journal) if row.end is End.FAILED]
        assert reasons[0] == "no answer within 0.002 s"
        assert reasons[-1].startswith(f"{STUCK_MOST} tries hang")
    finally:
        hanging.let_go.set()


async def test_a_restart_tells_what_was_not_told_and_nothing_twice(journal: Journal) -> None:
    first = Remembering()
    told = courier_of(journal, first)
    say(journal, message("before"))
    await told.flush(5.0)
    say(journal, message("while it was down"))

    second = Remembering()
    await courier_of(journal, second).flush(5.0)
    third = Remembering()
    await courier_of(journal, third).flush(5.0)

    assert len(first.carried) == 1
    assert "before" not in second.carried[0].body
    assert "while it was down" in second.carried[0].body
    assert third.carried == []


async def test_a_crash_before_the_first_delivery_loses_nothing(journal: Journal) -> None:
    courier_of(journal, Remembering())
    say(journal, page("said and never carried"))

    memory = Remembering()
    await courier_of(journal, memory).flush(5.0)

    assert "said and never carried" in memory.carried[0].body


async def test_a_restart_tells_again_what_failed(journal: Journal) -> None:
    failing = courier_of(journal, Remembering(failures_left=1))
    say(journal, page("call me"))
    await failing.flush(5.0)
    assert deliveries(journal)[-1].end is End.FAILED

    memory = Remembering()
    await courier_of(journal, memory).flush(5.0)

    assert "call me" in memory.carried[0].body


async def test_after_a_restart_each_messenger_goes_on_where_it_ended(journal: Journal) -> None:
    told, behind = Remembering("told#1"), Remembering("behind#2", failures_left=1)
    courier = courier_of(journal, told, behind)
    say(journal, page("call me"))
    await courier.flush(5.0)

    again, late = Remembering("told#1"), Remembering("behind#2")
    await courier_of(journal, again, late).flush(5.0)

    assert again.carried == []
    assert "call me" in late.carried[0].body


async def test_a_messenger_that_stays_dead_fills_no_journal(journal: Journal) -> None:
    async with running(courier_of(journal, Remembering(failures_left=10_000))) as courier:
        say(journal, page("call me"))

        await until(lambda: courier.lanes[0].failures >= 8)

    failed = [row for row in deliveries(journal) if row.end is End.FAILED]
    assert len(failed) <= 1 + courier.lanes[0].failures.bit_length()


async def test_a_messenger_that_is_new_is_not_told_the_past(journal: Journal) -> None:
    say(journal, page("last year"))
    memory = Remembering()

    await courier_of(journal, memory).flush(5.0)

    assert memory.carried == []


async def test_why_a_journal_took_the_place_of_a_broken_one_is_told_to_all(
    tmp_path: Path,
) -> None:
    first, second = Remembering("memory#1"), Remembering("memory#2")
    with Journal.open(tmp_path / "seawall.db") as journal:
        journal.append(BREAK, '{"reason": "row 7"}')
        say(journal, page("it did not verify"))
        async with running(courier_of(journal, first, second)):
            await until(lambda: bool(first.carried and second.carried))
            await until(lambda: [each.end for each in deliveries(journal)].count(End.SENT) == 2)
        later = Remembering("memory#3")
        async with running(courier_of(journal, later)):
            say(journal, message("drawdown 7%"))
            await until(lambda: has_carried(later, "drawdown 7%"))

    assert has_carried(first, "it did not verify")
    assert has_carried(second, "it did not verify")
    assert not has_carried(later, "it did not verify")


async def test_what_the_journal_did_not_take_is_told_all_the_same(journal: Journal) -> None:
    memory = Remembering()
    async with running(courier_of(journal, memory)) as courier:
        courier.say(page("the disk is full"))

        await until(lambda: bool(memory.carried))
        say(journal, message("later"))
        await until(lambda: len(memory.carried) == 2)

    assert "the disk is full" in memory.carried[0].body
    assert "the disk is full" not in memory.carried[1].body
