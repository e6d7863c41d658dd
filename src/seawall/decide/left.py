"""What a standby remembers of what it leaves to the first guard: a plain value, stored as it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A wait that began at a height, for what was wanted by then."""

    since: int
    wanted: tuple[str, ...]  # by whom
    has_acted: bool = False  # the standby itself, and nothing of the first was seen since
    was_doubted: bool = False  # an unexplained cut has begun it anew, which it may do once
