"""Arming: which rule sets may act, who lets them, and what a broken or hasty file does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seawall import arming
from seawall.account import Blind, Seen
from seawall.action import Action
from seawall.agent import Agent, Kind
from seawall.arming import Armoury, Reloaded, ReloadRow, RulesRow
from seawall.decide.memory import Memory, Message
from seawall.errors import NotArmed, RuleFileError, VenueUnreachable
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import load
from seawall.rulefile.load import Loaded
from seawall.units import Millis
from seawall.venue import Reply
from tests.decide.guarded import ladder
from tests.rulefile.texts import SHIPPED
from tests.see import AT, OWNER, see

CALM = ladder(
    '{name: act, trigger: "> $90_000", clear: "< $9_000", '
    "do: [page, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
HASTY = CALM.replace("$90_000", "$9_500")
BROKEN = CALM.replace("trigger", "triger")
LONG = {"BTC-USD": ("0.1", 100_000)}


@dataclass(slots=True)
class Shown:
    """A venue that shows what it is given, and notes what is sent."""

    seen: Seen = field(default_factory=lambda: see(equity=30_000, positions=LONG))
    sent: list[Action] = field(default_factory=list)
    looks: int = 0

    async def observe(self) -> Seen:
        self.looks += 1
        return self.seen

    async def send(self, action: Action) -> Reply:
        self.sent.append(action)
        return Reply()

    async def wait_for_change(self, timeout: Millis) -> None:
        del timeout

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        del height, idle_until

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class Post:
    """A guard with its journal and rule file."""

    path: Path
    journal: Journal
    venue: Shown
    agent: Agent
    armoury: Armoury

    def save(self, text: str) -> None:
        self.path.write_text(text)

    def ask(self, *, arms: bool = False) -> RulesRow:
        """A reload through the journal."""
        self.journal.append(arming.REQUEST, to_json(ReloadRow(arms=arms)))
        (row,) = asyncio.run(self.armoury.obey())
        return row

    def told(self) -> list[Message]:
        return told(self.journal)


def told(journal: Journal) -> list[Message]:
    return [from_json(Message, row.body or "") for row in journal.rows(Kind.MESSAGE)]


def start(path: Path, text: str, journal: Journal, *, mode: Mode = Mode.LIVE) -> Post:
    """A guard that runs the rules of a text, armed."""
    path.write_text(text)
    venue, loaded = Shown(), load(path)
    if mode is Mode.LIVE:
        admit(venue, journal, loaded, arms=True)
    agent = Agent.resume(
        venue, journal, loaded.policy, digest=loaded.digest, mode=mode, owner=OWNER
    )
    return Post(path, journal, venue, agent, Armoury(path, agent, OWNER))


def admit(
    venue: Shown, journal: Journal, loaded: Loaded, *, arms: bool = False, owner: str = OWNER
) -> Loaded:
    return asyncio.run(arming.admit(venue, journal, Memory(), loaded, owner=owner, arms=arms))


@pytest.fixture
def journal() -> Journal:
    return Journal.open(":memory:", clock=lambda: AT)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


def loaded_of(path: Path, text: str) -> Loaded:
    path.write_text(text)
    return load(path)


def test_a_first_live_start_of_rules_meant_for_more_stays_out_and_says_why(
    journal: Journal,
) -> None:
    venue = Shown(seen=see(equity=2_500, positions={"BTC-USD": ("0.02", 100_000)}))

    with pytest.raises(NotArmed) as refusal:
        admit(venue, journal, load(SHIPPED))

    said = str(refusal.value)
    assert refusal.value.exit_code == 3
    assert "is not armed and would act now: sells $1,200, cost about $" in said
    assert "collateral-floor/0/act: free_collateral " in said
    assert "sell 0.012 0/BTC-USD at $" in said
    assert "not at once: " in said
    assert "`seawall run --live --arm`" in said
    assert venue.sent == []
    assert not arming.is_armed(journal, OWNER, load(SHIPPED).digest)


def test_a_set_that_does_nothing_at_once_is_armed_by_its_first_live_start(
    journal: Journal, rules: Path
) -> None:
    loaded = loaded_of(rules, CALM)

    admit(Shown(), journal, loaded)

    assert arming.is_armed(journal, OWNER, loaded.digest)


def test_an_armed_set_starts_at_once_whatever_it_would_do(journal: Journal, rules: Path) -> None:
    loaded = loaded_of(rules, HASTY)
    admit(Shown(), journal, loaded, arms=True)
    venue = Shown()

    admit(venue, journal, loaded)

    assert venue.looks == 0


def test_a_set_is_armed_for_one_owner(journal: Journal, rules: Path) -> None:
    loaded = loaded_of(rules, HASTY)
    admit(Shown(), journal, loaded, arms=True)

    with pytest.raises(NotArmed):
        admit(Shown(), journal, loaded, owner="dydx1another")


def test_a_comment_is_no_other_set_and_a_number_is(journal: Journal, rules: Path) -> None:
    admit(Shown(), journal, loaded_of(rules, HASTY), arms=True)

    admit(Shown(), journal, loaded_of(rules, f"# calm day\n{HASTY}"))
    with pytest.raises(NotArmed):
        admit(Shown(), journal, loaded_of(rules, HASTY.replace("9_500", "9_501")))


def test_a_first_start_waits_for_state_and_gives_up_without(journal: Journal, rules: Path) -> None:
    venue = Shown(seen=Blind(seen_at=AT, reasons=("node does not answer",)))

    with pytest.raises(VenueUnreachable, match="node does not answer"):
        admit(venue, journal, loaded_of(rules, CALM))

    assert venue.looks > 10


def test_a_broken_file_at_start_leaves_the_last_set_in_force_and_pages(
    journal: Journal, rules: Path
) -> None:
    first = start(rules, CALM, journal)
    rules.write_text(BROKEN)

    loaded = arming.load_or_last(rules, journal, OWNER, Mode.LIVE)

    assert (loaded.policy, loaded.digest) == (first.agent.policy, first.agent.digest)
    (page,) = told(journal)
    assert page.urgency == "page"
    assert "`triger`: unknown key, did you mean `trigger`?" in page.text
    assert f"started with the set that was in force last, {loaded.digest[:12]}" in page.text


def test_a_broken_file_with_nothing_to_fall_back_on_is_refused(
    journal: Journal, rules: Path
) -> None:
    start(rules, CALM, journal, mode=Mode.DRY_RUN)  # on paper: never armed
    rules.write_text(BROKEN)

    with pytest.raises(RuleFileError):
        arming.load_or_last(rules, journal, OWNER, Mode.LIVE)
    with pytest.raises(RuleFileError):
        arming.load_or_last(rules, journal, "dydx1another", Mode.DRY_RUN)


def test_the_last_set_in_force_may_be_one_that_was_reloaded(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    post.save(CALM.replace("$90_000", "$80_000"))
    post.ask()

    last = arming.last_in_force(journal, OWNER, Mode.LIVE)

    assert last is not None
    assert last.digest == post.agent.digest == load(rules).digest


def test_a_reload_of_a_calm_set_is_in_force_at_once_and_told_in_words(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    post.save(CALM.replace("$90_000", "$80_000"))

    row = post.ask()

    assert row.end is Reloaded.IN_FORCE
    assert row.words == ("size/act trigger $90,000 -> $80,000",)
    assert post.agent.digest == load(rules).digest == row.digest
    assert arming.is_armed(journal, OWNER, row.digest)


def test_a_reload_that_would_act_stays_out_pages_and_says_what_it_would_cost(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    before = post.agent.policy
    post.save(HASTY)

    row = post.ask()

    assert row.end is Reloaded.KEPT_OUT
    assert row.words == (
        "size/act trigger $90,000 -> $9,500, would act now: sells $5,000, cost about $3",
    )
    assert post.agent.policy == before == row.policy
    (page,) = post.told()
    assert page.urgency == "page"
    assert "`seawall reload --arm`" in page.text
    assert not asyncio.run(post.agent.tick()).actions


def test_a_reload_that_is_armed_acts_at_the_next_tick(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    asyncio.run(post.agent.tick())
    post.save(HASTY)

    row = post.ask(arms=True)
    post.venue.seen = see(equity=30_000, positions=LONG, height=1_001, at=Millis(AT + 1_000))
    asyncio.run(post.agent.tick())

    assert row.end is Reloaded.IN_FORCE
    assert len(post.venue.sent) == 1


def test_a_broken_file_is_not_loaded_and_pages(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    before = post.agent.digest
    post.save(BROKEN)

    row = post.ask(arms=True)

    assert row.end is Reloaded.REFUSED
    assert post.agent.digest == before
    assert "the rule set in force stays in force" in post.told()[0].text


def test_without_state_a_new_set_stays_out(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    post.venue.seen = Blind(seen_at=AT, reasons=("node does not answer",))
    post.save(CALM.replace("$90_000", "$80_000"))

    assert post.ask().end is Reloaded.KEPT_OUT
    assert post.ask(arms=True).end is Reloaded.IN_FORCE


def test_on_paper_every_set_may_be_reloaded(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal, mode=Mode.DRY_RUN)
    post.save(HASTY)

    assert post.ask().end is Reloaded.IN_FORCE
    assert not arming.is_armed(journal, OWNER, post.agent.digest)


def test_another_float_wallet_needs_a_restart(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    wallet = "account: {float: {address: dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4}}\n"
    post.save(wallet + CALM)

    assert post.ask(arms=True).end is Reloaded.REFUSED
    assert "restart the guard" in post.told()[0].text


def test_a_signal_reloads_and_never_arms(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    post.save(HASTY)
    post.armoury.signal()
    post.armoury.signal()

    (row,) = asyncio.run(post.armoury.obey())

    assert (row.request, row.end) == (0, Reloaded.KEPT_OUT)
    assert asyncio.run(post.armoury.obey()) == ()


def test_a_request_from_before_the_start_is_not_obeyed(journal: Journal, rules: Path) -> None:
    journal.append(arming.REQUEST, to_json(ReloadRow(arms=True)))

    post = start(rules, CALM, journal)

    assert asyncio.run(post.armoury.obey()) == ()


def test_a_saved_file_is_checked_and_announced_once_and_not_taken_over(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    before = post.agent.digest
    assert post.armoury.look_at_file() is None

    post.save(HASTY + "# a later stamp\n")
    message = post.armoury.look_at_file()

    assert message is not None
    assert message.urgency == "notify"
    assert "was saved: size/act trigger $90,000 -> $9,500." in message.text
    assert "Not in force until `seawall reload`" in message.text
    assert post.armoury.look_at_file() is None
    assert post.agent.digest == before


def test_a_saved_file_that_is_broken_is_said_to_be(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)

    post.save(BROKEN)
    message = post.armoury.look_at_file()

    assert message is not None
    assert "`triger`: unknown key" in message.text


def test_what_would_act_is_told_with_the_difference_that_asks_for_it(
    journal: Journal, rules: Path
) -> None:
    other = ladder(
        '{name: watch, trigger: "> 9x", clear: "< 8x", do: [notify]}', measure="leverage"
    ).replace("id: size", "id: zest")
    both = CALM + other.split("rules:\n")[1].replace("per: account", "per: subaccount")
    post = start(rules, both, journal)
    post.save(both.replace("$90_000", "$9_500").replace("> 9x", "> 8.5x"))

    row = post.ask()

    assert row.end is Reloaded.KEPT_OUT
    assert [line for line in row.words if "would act now" in line] == [
        "size/act trigger $90,000 -> $9,500, would act now: sells $5,000, cost about $3"
    ]
    assert len(row.words) == 2
