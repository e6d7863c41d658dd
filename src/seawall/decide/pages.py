"""Pages repeat every five minutes of the agent's clock until they are acknowledged.

A page about a state (blind, a key that fails) ends with the state too, and says so. What happened
(a level fired, the venue liquidated) was to be read, and is not unhappened by what came after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seawall import units, words
from seawall.decide.memory import Memory, Message, PageState, Repeats, Urgency
from seawall.units import Millis

REPEAT_AFTER = Millis(5 * units.MINUTE)


def repeat_pages(
    memory: Memory, messages: Iterable[Message], standing: frozenset[str], seen_at: Millis
) -> tuple[Memory, tuple[Message, ...]]:
    """New messages less those already standing, and pages that are due again.

    `standing` are the keys that are still true: of the others those are forgotten that are about a
    state, or acknowledged.
    """
    pages = {
        key: replace(page, is_over=key not in standing)
        for key, page in memory.pages.items()
        if key in standing or not (page.lasts or page.is_acknowledged)
    }
    out: list[Message] = []
    for message in messages:
        if message.urgency is Urgency.PAGE and message.repeats is not Repeats.BY_ITSELF:
            before = memory.pages.get(message.key)
            if before is not None and not before.is_over:
                continue
            lasts = message.repeats is Repeats.WHILE_SO
            pages[message.key] = PageState(
                text=message.text, sent_at=seen_at, said_at=seen_at, lasts=lasts
            )
        out.append(message)
    for key, page in pages.items():
        if not page.is_acknowledged and seen_at - page.sent_at >= REPEAT_AFTER:
            pages[key] = replace(page, sent_at=seen_at)
            out.append(_again(key, page))
    return replace(memory, pages=pages), tuple(out)


def _again(key: str, page: PageState) -> Message:
    """A page that nobody has acknowledged; of what may be over it says when it was said."""
    lead = "Still"
    if page.is_over and page.said_at is not None:
        lead = f"Said at {words.clock(Millis(page.said_at % units.DAY))} and not acknowledged"
    return Message(
        urgency=Urgency.PAGE,
        key=key,
        text=f"{lead}: {page.text}",
        repeats=Repeats.WHILE_SO if page.lasts else Repeats.UNTIL_READ,
    )
