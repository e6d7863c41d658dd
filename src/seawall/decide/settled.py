"""What an intervention came to: told once it has ended and the chain has settled what it sent.

The message of a firing says what is wanted and what that should cost; this one says what it did.
An order that several interventions asked for counts whole for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from seawall import words
from seawall.action import Outcome
from seawall.decide import telling
from seawall.decide.memory import Ended, Memory, Message, Tally, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import End
from seawall.measures.spec import NoData
from seawall.policy import Level, Notify, Page
from seawall.units import QuoteQuantums, usd


def note_fill(memory: Memory, names: Collection[str], outcome: Outcome) -> Memory:
    """Memory with a reduction that filled counted for whoever asked for it."""
    return _added(
        memory,
        names,
        Tally(orders=1, quote=outcome.quote, cost=outcome.cost_vs_oracle),
    )


def note_deposit(memory: Memory, names: Collection[str], amount: QuoteQuantums) -> Memory:
    """Memory with a deposit that landed counted for whoever asked for it."""
    return _added(memory, names, Tally(deposited=amount))


def _added(memory: Memory, names: Collection[str], more: Tally) -> Memory:
    known = {each.name for each in memory.running} | memory.tallies.keys()
    tallies = dict(memory.tallies)
    for name in known.intersection(names):
        had = tallies.get(name, Tally())
        tallies[name] = replace(
            had,
            orders=had.orders + more.orders,
            quote=QuoteQuantums(had.quote + more.quote),
            cost=QuoteQuantums(had.cost + more.cost),
            deposited=QuoteQuantums(had.deposited + more.deposited),
        )
    return replace(memory, tallies=tallies)


def tell(
    memory: Memory, ended: Sequence[Ended], watched: Sequence[Watched]
) -> tuple[Memory, tuple[Message, ...]]:
    """Memory without what is settled, and a message for each that had something done."""
    if not (ended or memory.tallies):
        return memory, ()
    ends = {each.name: each.end for each in ended}
    waiting = _waiting(memory)
    running = {each.name for each in memory.running}
    tallies: dict[str, Tally] = {}
    messages: list[Message] = []
    for name in {**memory.tallies, **ends}:
        tally = memory.tallies.get(name, Tally())
        tally = replace(tally, end=ends.get(name, tally.end))
        if name in running or (tally.end is not None and name in waiting):
            tallies[name] = tally
        else:
            messages += _message(name, tally, watched)
    return replace(memory, tallies=tallies), tuple(messages)


def _waiting(memory: Memory) -> frozenset[str]:
    """Interventions that something is still out for."""
    names = {name for sent in memory.sent for name in sent.interventions}
    return frozenset(names | set(() if memory.top_up is None else memory.top_up.interventions))


def _message(name: str, tally: Tally, watched: Sequence[Watched]) -> Iterator[Message]:
    if tally.end not in (End.REACHED, End.GIVEN_UP) or not (tally.orders or tally.deposited):
        return
    key, _, level_name = name.rpartition("#")[0].rpartition("/")
    one = next((each for each in watched if each.key == key), None)
    if one is None:
        return
    level = next((each for each in one.rule.levels if each.name == level_name), None)
    if level is None or not any(isinstance(do, Notify | Page) for do in level.do):
        return
    yield Message(
        urgency=Urgency.NOTIFY,
        key=f"{key}/{level_name}/end",
        text=f"{name} {tally.end}: {_done(tally)}. Now {_now(one, level)}",
    )


def _done(tally: Tally) -> str:
    parts = []
    if tally.deposited:
        parts.append(f"{words.cents(usd(tally.deposited))} deposited")
    if tally.orders:
        orders = "1 order" if tally.orders == 1 else f"{tally.orders} orders"
        parts.append(f"{orders} filled")
        if tally.quote:  # fills that no record told of have no price
            parts.append(f"{words.cents(usd(tally.quote))} exchanged")
            parts.append(f"cost {words.cents(usd(tally.cost))}")
    return ", ".join(parts)


def _now(one: Watched, level: Level) -> str:
    value, clears = telling.measure_words(one), telling.clears(one.rule, level)
    if isinstance(one.value, NoData):
        return f"{value}. {clears}"
    limit = telling.bound_words(level.trigger, one.rule)
    where = "still beyond" if level.trigger.holds(one.value) else "no longer beyond"
    return f"{value}, {where} {limit}. {clears}"
