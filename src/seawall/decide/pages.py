"""Pages repeat every five minutes of the agent's clock until acknowledged or no longer true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seawall import units
from seawall.decide.memory import Memory, Message, PageState, Urgency
from seawall.units import Millis

REPEAT_AFTER = Millis(5 * units.MINUTE)


def repeat_pages(
    memory: Memory, messages: Iterable[Message], standing: frozenset[str], seen_at: Millis
) -> tuple[Memory, tuple[Message, ...]]:
    """New messages less those already standing, and pages that are due again.

    `standing` are the keys that are still true: a page whose key is not among them is forgotten,
    unless the shell reported it, which alone knows whether it is true.
    """
    pages = {
        key: page
        for key, page in memory.pages.items()
        if key in standing or (page.is_reported and not page.is_acknowledged)
    }
    out: list[Message] = []
    for message in messages:
        if message.urgency is Urgency.PAGE:
            if message.key in pages:
                continue
            pages[message.key] = PageState(text=message.text, sent_at=seen_at)
        out.append(message)
    for key, page in pages.items():
        if not page.is_acknowledged and seen_at - page.sent_at >= REPEAT_AFTER:
            pages[key] = replace(page, sent_at=seen_at)
            out.append(Message(urgency=Urgency.PAGE, key=key, text=f"Still: {page.text}"))
    return replace(memory, pages=pages), tuple(out)
