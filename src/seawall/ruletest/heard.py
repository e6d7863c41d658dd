"""What the rules do in a story, in the words of a test file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seawall import words
from seawall.policy import Policy
from seawall.ruletest import actual
from seawall.ruletest.amounts import written
from seawall.ruletest.play import Moment, play
from seawall.ruletest.read import parse_suite
from seawall.ruletest.script import STEP, RuleTest
from seawall.ruletest.stories import BREATH, Story
from seawall.units import Millis

CHANGES_MOST = 20


def test_of(story: Story, expectations: Sequence[str]) -> str:
    """A story with its expectations as an item of `tests:`."""
    lines = [f"  - name: {story.name}"]
    lines += [f"    {line}" for line in story.body]
    lines.append("    expect:")
    lines += [f"      - {line}" for line in expectations]
    return "\n".join(lines) + "\n"


def played(policy: Policy, story: Story) -> RuleTest:
    """A story as a test that expects nothing yet."""
    text = "tests:\n" + test_of(story, ["{at: 0s, quiet: true}"])
    return parse_suite(text, policy).tests[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is true at a moment in words of a test file, messages where there is a word on them."""

    state: str
    messages: tuple[str, ...]
    has_moved: bool
    fired: tuple[str, ...] = ()  # RULE/LEVEL that began to fire

    def at(self, moment: Millis) -> str:
        """The expectation of this at a moment."""
        messages = f", messages: [{', '.join(self.messages)}]" if self._tells else ""
        return f"{{at: {words.duration(moment)}, {self.state}{messages}}}"

    def differs_from(self, other: Said) -> bool:
        """Whether the expectation of this fails where the other is true."""
        if self.state != other.state:
            return True
        return self._tells and self.messages != other.messages

    @property
    def _tells(self) -> bool:
        """Whether messages are expected: a level moved, or there are some."""
        return self.has_moved or bool(self.messages)


def listen(policy: Policy, test: RuleTest, stops: Sequence[Millis]) -> dict[Millis, Said]:
    """What the rules do at each tick of a story that is made."""
    return {one.at: _said(one, policy) for one in play(policy, test, stops)}


def _said(moment: Moment, policy: Policy) -> Said:
    firing = actual.firing(moment, policy)
    parts = ["quiet: true"]
    if firing:
        parts = [f"firing: {{{', '.join(f'{key}: {level}' for key, level in firing.items())}}}"]
    parts.append(f"plan: [{', '.join(_plan(actual.done(moment, policy)))}]")
    locked = actual.locked(moment)
    if locked:
        parts.append(f"locked: [{', '.join(locked)}]")
    return Said(
        state=", ".join(parts),
        messages=actual.messages(moment),
        has_moved=bool(moment.decision.transitions),
        fired=tuple(
            f"{one.key.split('/')[0]}/{one.level}"
            for one in moment.decision.transitions
            if one.after == "firing" and one.before != "clearing"
        ),
    )


def _plan(done: actual.Done) -> Iterator[str]:
    if done.cancels is not None:
        yield f"{{cancel_orders: {done.cancels}}}"
    if done.top_up:
        yield f"{{top_up: {written(done.top_up)}}}"
    cut = {name: one for name, one in done.cuts.items() if not one.is_flatten}
    if cut:
        sizes = ", ".join(f"{name}: {one.coins.normalize():f}" for name, one in cut.items())
        yield f"{{reduce: {{{sizes}}}}}"
    flat = [name for name, one in done.cuts.items() if one.is_flatten]
    if flat:
        yield f"{{flatten: [{', '.join(flat)}]}}"


def recorded(policy: Policy, story: Story) -> str:
    """A story with what changes in it expected, and the step before each change."""
    test = played(policy, story)
    rough = listen(policy, test, [Millis(story.ends + BREATH)])
    changes = list(_changes(rough))
    if len(changes) > CHANGES_MOST:
        changes = changes[: CHANGES_MOST - 4] + changes[-4:]
    stops = sorted({Millis(at) for one in changes for at in (one - STEP, one) if at >= 0})
    exact = listen(policy, test, stops)
    return test_of(story, [exact[at].at(at) for at in stops])


def _changes(heard: Mapping[Millis, Said]) -> Iterator[Millis]:
    before = ""
    for at, said in heard.items():
        if said.state != before or (said.has_moved and said.messages):
            yield at
        before = said.state
