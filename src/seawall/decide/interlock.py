"""The interlock: a market that is cut again and again within a while is being fought over.

RULES.md section 5, `interlocks.max_interventions`. Interventions count, once per market that they
sent an order in, never their attempts. Once `count` of them touched a market within `over`, a level
that was among them waits `over` from the end of its last one. Levels that page are exempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from seawall import words
from seawall.action import Refusal, RefusalCode
from seawall.decide.memory import Memory, Message, Repeats, Touch, Urgency
from seawall.policy import Interlock, Level
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A level that may not start another intervention yet, and the market that holds it."""

    name: str  # RULE[/INSTANCE]/LEVEL
    ticker: str
    touches: int
    over: Millis
    until: Millis

    def refusal(self) -> Refusal:
        """The reason, for the decision."""
        return Refusal(
            code=RefusalCode.INTERLOCK,
            what=f"start {self.name}",
            detail=f"{self._count_words()}; it waits for {words.duration(self.over)}",
        )

    def message(self) -> Message:
        """The page: something works against the guard."""
        return Message(
            urgency=Urgency.PAGE,
            key=f"{self.name}/interlock",
            repeats=Repeats.WHILE_SO,
            text=(
                f"{self.name} is beyond its limit again and waits: {self._count_words()}, so it "
                f"acts at most every {words.duration(self.over)} now. Something puts on what the "
                f"guard takes off: stop it, or close by hand."
            ),
        )

    def _count_words(self) -> str:
        return f"{self.touches} interventions in {self.ticker} within {words.duration(self.over)}"


def touch(memory: Memory, touched: Iterable[tuple[str, str]], at: Millis) -> Memory:
    """Memory in which interventions (name, ticker) have sent an order, each counted once."""
    running = {each.name for each in memory.running}
    by_ticker = dict(memory.touched)
    for name, ticker in touched:
        before = by_ticker.get(ticker, ())
        if name in running and all(one.name != name for one in before):
            by_ticker[ticker] = (*before, Touch(name=name, at=at))
    return replace(memory, touched=by_ticker)


def end(memory: Memory, name: str, at: Millis) -> Memory:
    """Memory in which the touches of an intervention count from its end."""
    return replace(
        memory,
        touched={
            ticker: tuple(replace(one, at=at) if one.name == name else one for one in touches)
            for ticker, touches in memory.touched.items()
        },
    )


def forget(
    touched: Mapping[str, tuple[Touch, ...]], before: Millis
) -> dict[str, tuple[Touch, ...]]:
    """The touches later than `before`."""
    kept = {t: tuple(one for one in all_of if one.at > before) for t, all_of in touched.items()}
    return {ticker: touches for ticker, touches in kept.items() if touches}


def held(rules: Interlock, memory: Memory, key: str, level: Level, at: Millis) -> Held | None:
    """What keeps a level from another intervention now; None where nothing does."""
    if level.pages:
        return None
    name = f"{key}/{level.name}"
    found: list[Held] = []
    for ticker, touches in memory.touched.items():
        own = [one.at for one in touches if one.name.rpartition("#")[0] == name]
        lately = sorted(one.at for one in touches)[-rules.count :]
        if len(lately) < rules.count or lately[-1] - lately[0] >= rules.over or not own:
            continue
        until = Millis(max(own) + rules.over)
        if at < until:
            found.append(
                Held(name=name, ticker=ticker, touches=rules.count, over=rules.over, until=until)
            )
    return max(found, key=lambda one: one.until, default=None)
