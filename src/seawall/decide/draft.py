"""The decision of one tick while it is being made."""

from __future__ import annotations

from dataclasses import dataclass, field

from seawall.action import Outcome, Refusal
from seawall.decide.memory import Change, Ended, Message, Reading, Started, Transition
from seawall.intervention import Intervention


@dataclass(slots=True)
class Draft:
    """What the parts of a tick add to the decision; lives for one call of `decide`."""

    readings: list[Reading] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    displaced: dict[str, Intervention] = field(default_factory=dict)  # superseded now, by key
    fired: list[str] = field(default_factory=list)  # RULE[/INSTANCE]/LEVEL that began to fire
    messages: list[Message] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
