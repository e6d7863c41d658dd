"""What a guard did, told by intervention: orders, money exchanged, cost, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from seawall import words
from seawall.action import Ending, Outcome
from seawall.cli.words import clock
from seawall.decide.memory import Decision
from seawall.units import Millis, usd


@dataclass(slots=True, kw_only=True)
class Chapter:
    """One intervention so far; money in quote quantums, a cost > 0 is a loss."""

    name: str
    why: str
    started_at: Millis
    ended_at: Millis | None = None
    end: str = "running"
    orders: int = 0
    fills: int = 0
    exchanged: int = 0
    cost: int = 0
    actions: list[str] = field(default_factory=list)  # ids

    def line(self) -> str:
        """The intervention in one line."""
        exchanged = words.cents(usd(self.exchanged))
        cost = words.cents(usd(self.cost))
        return (
            f"{clock(self.started_at)}  {self.name}: {self.fills} of {self.orders} orders filled, "
            f"{exchanged} exchanged, cost {cost}, {self.end}"
        )

    def as_object(self) -> dict[str, object]:
        """The intervention for `--json`, decimals as strings."""
        return {
            "name": self.name,
            "why": self.why,
            "started_at": clock(self.started_at),
            "ended_at": None if self.ended_at is None else clock(self.ended_at),
            "end": self.end,
            "orders": self.orders,
            "orders_filled": self.fills,
            "exchanged": f"{usd(self.exchanged):f}",
            "cost": f"{usd(self.cost):f}",
        }


@dataclass(slots=True)
class Tale:
    """Every intervention of a run, in order, and the last thing that happened."""

    chapters: dict[str, Chapter] = field(default_factory=dict)
    last: str = "nothing yet"
    _by_action: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _words: dict[str, str] = field(default_factory=dict)

    def hear(self, decision: Decision) -> None:
        """Take in one decision."""
        at = decision.at if decision.at is not None else decision.seen_at
        for started in decision.started:
            self.chapters[started.name] = Chapter(name=started.name, why=started.why, started_at=at)
        for numbered in decision.actions:
            self._by_action[numbered.id] = numbered.asked_by
            self._words[numbered.id] = numbered.what
            for chapter in self._asker(numbered.id):
                chapter.orders += 1
                chapter.actions.append(numbered.id)
        for outcome in decision.outcomes:
            self._note(outcome)
        for ended in decision.ended:
            chapter = self.chapters[ended.name]
            chapter.ended_at, chapter.end = at, str(ended.end)

    def _asker(self, action_id: str) -> list[Chapter]:
        """The first intervention that asked: an action counts once, so that sums add up."""
        names = self._by_action.get(action_id, ())
        return [self.chapters[name] for name in names if name in self.chapters][:1]

    def _note(self, outcome: Outcome) -> None:
        told = self._words.get(outcome.action_id, outcome.action_id)
        if outcome.ending is Ending.NOTHING:
            self.last = f"{clock(outcome.at)[11:]} {told}: no fill"
            return
        exchanged = words.whole_dollars(usd(outcome.quote))
        cost = words.cents(usd(outcome.cost_vs_oracle))
        self.last = f"{clock(outcome.at)[11:]} {told}: {exchanged}, cost {cost}"
        for chapter in self._asker(outcome.action_id):
            chapter.fills += 1
            chapter.exchanged += outcome.quote
            chapter.cost += outcome.cost_vs_oracle
