"""The guard around the tick: what it does once, what it writes, and what it finds at a start."""

from seawall.agent.guard import Agent
from seawall.agent.recall import check_owner, family_of, last_tick, restore, with_open_sends
from seawall.agent.rows import FamilyRow, Kind, ReplyRow, StartRow, TickRow, told

__all__ = [
    "Agent",
    "FamilyRow",
    "Kind",
    "ReplyRow",
    "StartRow",
    "TickRow",
    "check_owner",
    "family_of",
    "last_tick",
    "restore",
    "told",
    "with_open_sends",
]
