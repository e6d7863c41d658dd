"""A decision as lines for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from seawall import words
from seawall.action import Outcome
from seawall.alarm import Phase
from seawall.decide.memory import Cause, Decision, Memory
from seawall.units import Millis, usd


def clock(at: Millis) -> str:
    """A moment as `2020-03-12 10:41:07Z`."""
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def lines_of(decision: Decision) -> Iterator[str]:
    """What happened in one tick, a line each; nothing where nothing did."""
    at = clock(decision.at if decision.at is not None else decision.seen_at)
    for started in decision.started:
        yield f"{at}  start    {started.name}: {started.why}"
    for message in decision.messages:
        yield f"{at}  {message.urgency:<7}  {message.text}"
    for numbered in decision.actions:
        yield f"{at}  send     {numbered.id}: {numbered.what}"
    for numbered in decision.on_paper:
        yield f"{at}  would    {numbered.what}"
    for outcome in decision.outcomes:
        yield f"{at}  outcome  {outcome_words(outcome)}"
    for change in decision.changes:
        if change.cause is not Cause.GUARD:
            name = f"{change.subaccount}/{change.ticker}"
            yield f"{at}  changed  {name} by {change.cause}"
    for ended in decision.ended:
        yield f"{at}  end      {ended.name}: {ended.end}"
    if decision.has_new_refusal:
        for refusal in decision.refusals:
            yield f"{at}  refused  {refusal.what}: {refusal.code}, {refusal.detail}"


def standing(memory: Memory, now: Millis) -> Iterator[str]:
    """What still holds from before a start, a line each: a pause, latches, pages that nobody read.

    A guard that starts again must not look freer than it is. `now` is the agent's clock.
    """
    if memory.pause is not None and memory.pause.until > now:
        until = clock(memory.pause.until)
        yield f"paused  until {until}: nothing is sent; seawall pause 1s ends it"
    latched = [
        key
        for key, held in memory.alarms.items()
        if any(state.phase is Phase.LATCHED for state in held.levels)
    ]
    if latched:
        yield f"latched {', '.join(latched)}: until seawall rearm"
    waiting = [key for key, page in memory.pages.items() if not page.is_acknowledged]
    if waiting:
        yield f"pages   {', '.join(waiting)}: repeated until seawall ack"


def meant(word: str, names: Iterable[str]) -> str | None:
    """The rule, instance or whole name that was most likely meant; None where none is close."""
    from seawall.rulefile.report import nearest

    parts = [name.split("/") for name in names]
    known = ["/".join(each[:end]) for each in parts for end in range(1, len(each) + 1)]
    return nearest(word, dict.fromkeys(known))


def outcome_words(outcome: Outcome) -> str:
    """How an action ended, with what it exchanged and cost."""
    if not outcome.quote:
        return f"{outcome.action_id}: {outcome.ending}"
    quote = words.cents(usd(outcome.quote))
    cost = words.cents(usd(outcome.cost_vs_oracle))
    return f"{outcome.action_id}: {outcome.ending}, {quote} exchanged, cost {cost}"
