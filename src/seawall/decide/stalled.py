"""Interventions that get no further: a person hears it within a minute or so, with the reason.

Retries go on whatever happens; what must not happen is that they go on in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seawall.account import Observation
from seawall.action import Refusal
from seawall.decide import telling
from seawall.decide.memory import Memory, Message, Repeats, Urgency
from seawall.decide.waiting import PACING
from seawall.intervention import Intervention, stalled_key
from seawall.policy import Mode
from seawall.units import SECOND

NO_FILL = "nothing fills within the bound"


def standing(memory: Memory) -> Iterator[Intervention]:
    """Interventions that are stalled and have no page of a late flatten."""
    for each in memory.running:
        if each.is_stalled and each.mode is Mode.LIVE and not each.has_given_up:
            yield each


def pages(memory: Memory, refusals: Sequence[Refusal], seen: Observation) -> Iterator[Message]:
    """A page for each; not in a tick that only waits for its window, which knows no reason."""
    if memory.halt is not None or any(refusal.code in PACING for refusal in refusals):
        return
    reason = telling.wait_words(refusals) or NO_FILL
    for each in standing(memory):
        waits_s = (seen.at - each.progress_at) // SECOND
        yield Message(
            urgency=Urgency.PAGE,
            key=stalled_key(each),
            repeats=Repeats.WHILE_SO,
            text=(
                f"{each.name} has got no further for {waits_s} s: {reason}. It goes on trying in "
                f"every window; `seawall ack` stops this page. Closing by hand is safe."
            ),
        )
