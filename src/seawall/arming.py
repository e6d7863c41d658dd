"""Which rule sets may act: armed sets by hash in the journal, reloads, and the last set in force.

A set that the journal does not know as armed is asked once what it would do at once. If that is
anything, it stays out until a person arms it: a typo sells nothing (RULES.md section 7).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from seawall.account import Blind, Observation
from seawall.agent import Agent, Kind, StartRow, told
from seawall.decide.at_once import AtOnce, at_once
from seawall.decide.memory import Acknowledge, Memory, Message, Urgency
from seawall.errors import JournalError, NotArmed, RuleFileError, VenueUnreachable
from seawall.journal.chain import Row
from seawall.journal.codec import from_json, to_json
from seawall.journal.queries import Reader
from seawall.journal.store import Journal
from seawall.policy import Mode, Policy
from seawall.rulefile.changes import differences
from seawall.rulefile.fields import Known
from seawall.rulefile.load import Loaded, load
from seawall.units import SECOND
from seawall.venue import Venue

log = logging.getLogger(__name__)

LOOKS_MOST = 30  # observations that a first start waits for, at most a second apart
ARMED = "armed"  # kinds of journal rows
REQUEST = "reload"
RULES = "rules"
BROKEN, KEPT = PAGES = ("rules/broken", "rules/reload")  # what pages about the file are about


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedRow:
    """A rule set that may act for an owner, and what was known when it was armed."""

    owner: str
    digest: str
    by: str  # "--arm", or why nobody had to be asked
    would: str  # what it would do at once, in words; empty for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRow:
    """Somebody asks the guard to read its rule file again."""

    arms: bool


class Reloaded(StrEnum):
    """What became of a reload."""

    IN_FORCE = "in force"
    KEPT_OUT = "kept out"
    REFUSED = "refused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesRow:
    """A reload and its end; `policy` is the set in force after it. `request` 0 is a signal."""

    request: int
    owner: str
    mode: Mode
    end: Reloaded
    digest: str
    policy: Policy
    words: tuple[str, ...]  # the differences, what it would do at once, or the faults of the file


def is_armed(journal: Reader, owner: str, digest: str) -> bool:
    """Whether the journal, or the one it replaced, knows the set as armed for this owner."""
    return any(
        (row := from_json(ArmedRow, body)).digest == digest and row.owner == owner
        for body in _bodies(journal, ARMED)
    )


def arm(journal: Journal, owner: str, digest: str, *, by: str, would: AtOnce) -> None:
    """Write down that a set may act, before it does."""
    row = ArmedRow(owner=owner, digest=digest, by=by, would=would.in_words())
    journal.append(ARMED, to_json(row), durable=True)


def last_in_force(journal: Reader, owner: str, mode: Mode) -> Loaded | None:
    """The rule set that was in force last for this owner in that mode; None where none was."""
    found: tuple[int, Loaded] | None = None
    for reader in _readers(journal):
        for seq, loaded in (*_started(reader, owner, mode), *_reloaded(reader, owner, mode)):
            if found is None or seq > found[0]:
                found = seq, loaded
        if found is not None:
            return found[1]
    return None


def _started(journal: Reader, owner: str, mode: Mode) -> Iterator[tuple[int, Loaded]]:
    for row in journal.rows(Kind.START):
        start = None if row.body is None else from_json(StartRow, row.body)
        if start is not None and start.owner == owner and start.mode is mode:
            yield row.seq, Loaded(policy=start.policy, digest=start.digest)


def _reloaded(journal: Reader, owner: str, mode: Mode) -> Iterator[tuple[int, Loaded]]:
    for row in journal.rows(RULES):
        rules = None if row.body is None else from_json(RulesRow, row.body)
        if rules is None or rules.end is not Reloaded.IN_FORCE:
            continue
        if rules.owner == owner and rules.mode is mode:
            yield row.seq, Loaded(policy=rules.policy, digest=rules.digest)


def _bodies(journal: Reader, kind: str) -> Iterator[str]:
    for reader in _readers(journal):
        for row in reader.rows(kind):
            if row.body is not None:
                yield row.body


def _readers(journal: Reader) -> Iterator[Reader]:
    yield journal
    if (predecessor := journal.predecessor()) is not None:
        yield predecessor


def load_or_last(path: Path, journal: Journal, owner: str, mode: Mode) -> Loaded:
    """The rule file; where it is broken, the set that was in force last, and a page.

    Raises RuleFileError where the journal knows no set of this owner either.
    """
    try:
        return load(path, known=Known(owner=owner))
    except RuleFileError as error:
        last = last_in_force(journal, owner, mode)
        if last is None:
            raise
        text = (
            f"{_short(error)} The guard started with the set that was in force last, "
            f"{last.digest[:12]}. Mend the file, then `seawall reload`."
        )
        _tell(journal, Message(urgency=Urgency.PAGE, key=BROKEN, text=text))
        return last


def _short(error: RuleFileError) -> str:
    """The first fault of a file, and how many more there are."""
    more = len(error.problems) - 1
    return f"{error.problems[0]}{f' (and {more} more)' if more else ''}."


def _tell(journal: Journal, message: Message) -> None:
    journal.append_all(told(message))
    log.warning("%s %s", message.urgency, message.text)


async def admit(
    venue: Venue, journal: Journal, memory: Memory, loaded: Loaded, *, owner: str, arms: bool
) -> Loaded:
    """The set to start with: this one, where it is armed, armed now, or does nothing at once.

    Otherwise the set that was in force last, and a page: a machine that reboots over a file that
    nobody has armed is still guarded, and so where there is no state to judge the file on. Where
    there is none, or its float wallet is another, raises NotArmed with what this set would do at
    once; VenueUnreachable where there is no state.
    """
    if is_armed(journal, owner, loaded.digest):
        return loaded
    last = last_in_force(journal, owner, Mode.LIVE)
    before = None if last is None else last.policy
    if last is not None and last.policy.float_source != loaded.policy.float_source:
        last = None  # its deposits could not be signed with the key at hand
    try:
        would = await _judged(venue, loaded.policy, memory, before)
    except VenueUnreachable as error:
        if last is None:
            raise
        return _kept(journal, last, loaded, f"{error}; `seawall reload` once it can be judged.")
    if would.may_act and not arms:
        if last is None:
            raise NotArmed(_stays_out(would, loaded.digest, "`seawall run --live --arm`"))
        why = _stays_out(would, loaded.digest, "`seawall reload --arm`")
        return _kept(journal, last, loaded, why)
    by = "--arm" if arms else "it does nothing at once"
    arm(journal, owner, loaded.digest, by=by, would=would)
    return loaded


async def _judged(venue: Venue, policy: Policy, memory: Memory, before: Policy | None) -> AtOnce:
    """What a set would do on the first observation that can tell, or on the last one waited for."""
    would: AtOnce | None = None
    reasons: tuple[str, ...] = ()
    for look in range(LOOKS_MOST + 1):
        if look:
            await venue.wait_for_change(SECOND)
        match await venue.observe():
            case Observation() as seen:
                would = at_once(policy, memory, seen, before)
                if would.levels or not would.unknown:
                    break
            case Blind() as blind:
                reasons = blind.reasons
    if would is None:
        raise VenueUnreachable(f"no state to judge the rule set on: {'; '.join(reasons)}")
    return would


def _kept(journal: Journal, last: Loaded, loaded: Loaded, why: str) -> Loaded:
    """The set that was in force last instead of the file's, and a page that says why."""
    kept = f"The guard started with the set that was in force last, {last.digest[:12]}."
    _tell(journal, Message(urgency=Urgency.PAGE, key=KEPT, text=f"{kept} Kept out: {why}"))
    return replace(last, policy=last.policy.with_settings_of(loaded.policy))


def _stays_out(would: AtOnce, digest: str, remedy: str) -> str:
    wanted = "If that is what you want" if would.levels else "Ask again with data, or arm it so"
    return "\n".join(
        [
            f"rule set {digest[:12]} is not armed and {would.in_words()}.",
            *(f"  {line}" for line in (*would.levels, *would.unknown)),
            *(f"  {action}" for action in would.actions),
            *([f"  not at once: {would.waits}"] if would.waits else []),
            f"Nothing was sent. {wanted}: {remedy}.",
        ]
    )


def _blamed(changed: tuple[str, ...], would: AtOnce) -> Iterator[str]:
    """The differences, what would be done at once told with the first of them that asks for it."""
    keys = [level.partition(":")[0].split("/") for level in would.levels]
    names = [name for key in keys for name in (f"{key[0]}/{key[-1]} ", f"{key[0]} ")]
    found = next((one for name in names for one in changed if f"{one} ".startswith(name)), None)
    if found is None:
        yield from (*changed, would.in_words())
        return
    yield from (f"{one}, {would.in_words()}" if one is found else one for one in changed)


class Armoury:
    """The rule file of a running guard: read again when asked, announced when it is saved."""

    def __init__(self, path: Path, agent: Agent, owner: str) -> None:
        self.path = path
        self.owner = owner
        self._agent = agent
        self._seen_through = agent.journal.head().seq
        self._signals = 0
        self._saved = _stamp(path)

    def signal(self) -> None:
        """Ask for a reload without arming, as SIGHUP does."""
        self._signals += 1

    async def obey(self) -> tuple[RulesRow, ...]:
        """Carry out the reloads asked for since the last call, in order."""
        asked = [(0, False)] * min(1, self._signals)
        self._signals = 0
        for row in self._agent.journal.rows(REQUEST, after=self._seen_through):
            self._seen_through = row.seq
            asked.append((row.seq, _arms(row)))
        return tuple([await self._answer(request, arms=arms) for request, arms in asked])

    def look_at_file(self) -> Message | None:
        """Announce a file that was saved since the last look; it is checked and not taken over."""
        stamp = _stamp(self.path)
        if stamp == self._saved:
            return None
        self._saved = stamp
        try:
            loaded = load(self.path, known=Known(owner=self.owner))
        except RuleFileError as error:
            text = f"{_short(error)} The rule set in force stays in force."
            message = Message(urgency=Urgency.NOTIFY, key="rules/saved", text=text)
        else:
            changed = "; ".join(differences(self._agent.policy, loaded.policy))
            text = (
                f"{self.path} was saved: {changed}. Not in force until `seawall reload`."
                if changed
                else f"{self.path} was saved and asks for what is in force."
            )
            message = Message(urgency=Urgency.NOTIFY, key="rules/saved", text=text)
        _tell(self._agent.journal, message)
        return message

    async def _answer(self, request: int, *, arms: bool) -> RulesRow:
        """Reload once; what that stumbles over is told, and not tried again by itself."""
        try:
            return await self._reload(request, arms=arms)
        except JournalError:
            raise
        except Exception as error:
            log.exception("reload failed")
            text = (
                f"A reload failed: {error!r}. The rule set in force stays in force. This is a "
                f"fault of Seawall: report it, and ask again."
            )
            return self._end(request, Reloaded.REFUSED, (), text)

    async def _reload(self, request: int, *, arms: bool) -> RulesRow:
        self._saved = _stamp(self.path)
        try:
            loaded = load(self.path, known=Known(owner=self.owner))
        except RuleFileError as error:
            lines = tuple(str(problem) for problem in error.problems)
            text = f"{_short(error)} Not loaded; the rule set in force stays in force."
            return self._end(request, Reloaded.REFUSED, lines, text)
        old = self._agent.policy
        if loaded.digest == self._agent.digest:
            return self._end(request, Reloaded.UNCHANGED, (), "")
        loaded = replace(loaded, policy=loaded.policy.with_settings_of(old))
        changed = differences(old, loaded.policy)
        if loaded.policy.float_source != old.float_source:
            text = "The float wallet changed: restart the guard. The rule set in force stays."
            return self._end(request, Reloaded.REFUSED, changed, text)
        if self._agent.mode is Mode.LIVE:
            changed, page = await self._admit(loaded, changed, arms=arms)
            if page:
                return self._end(request, Reloaded.KEPT_OUT, changed, page)
        self._agent.policy = loaded.policy
        self._agent.digest = loaded.digest
        return self._end(request, Reloaded.IN_FORCE, changed, "")

    async def _admit(
        self, loaded: Loaded, changed: tuple[str, ...], *, arms: bool
    ) -> tuple[tuple[str, ...], str]:
        """Arm a set unless it would act at once unasked: the differences, and why it stays out."""
        if is_armed(self._agent.journal, self.owner, loaded.digest):
            return changed, ""
        seen, would = await self._agent.venue.observe(), AtOnce()
        if isinstance(seen, Observation):
            would = at_once(loaded.policy, self._agent.memory, seen, self._agent.policy)
        elif not arms:
            text = "There is no state to judge the new rule set on. The old one stays in force."
            return changed, text
        if would.may_act:
            changed = tuple(_blamed(changed, would))
        if would.may_act and not arms:
            return changed, _stays_out(would, loaded.digest, "`seawall reload --arm`")
        by = "--arm" if arms else "it does nothing at once"
        arm(self._agent.journal, self.owner, loaded.digest, by=by, would=would)
        return changed, ""

    def _end(self, request: int, end: Reloaded, lines: tuple[str, ...], page: str) -> RulesRow:
        """Write down how a reload ended, and tell a person where it did not come into force."""
        row = RulesRow(
            request=request,
            owner=self.owner,
            mode=self._agent.mode,
            end=end,
            digest=self._agent.digest,
            policy=self._agent.policy,
            words=lines,
        )
        rows = [(RULES, to_json(row))]
        if end in (Reloaded.IN_FORCE, Reloaded.UNCHANGED):  # what was wrong with the file is mended
            rows += [(Kind.COMMAND, to_json(Acknowledge(key=key))) for key in PAGES]
        self._agent.journal.append_all(rows, durable=True)
        if page:
            _tell(
                self._agent.journal,
                Message(urgency=Urgency.PAGE, key=KEPT, text=page),
            )
        return row


def _arms(row: Row) -> bool:
    """Whether a request is to arm; not where another version wrote it in words of its own."""
    with suppress(ValueError):
        return row.body is not None and from_json(ReloadRow, row.body).arms
    return False


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is saved; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
