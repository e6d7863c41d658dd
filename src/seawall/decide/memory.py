"""What one tick leaves for the next, and what it says it did: plain values, stored as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from seawall.account import BookLevel, Market, Side, Subaccount
from seawall.action import Action, Backstop, Cancel, Outcome, Plan, Reduce, Refusal
from seawall.alarm import LevelState, Phase
from seawall.budget import Spent
from seawall.decide.left import Left
from seawall.intervention import End, Intervention, Keep
from seawall.measures.ledger import Ledger
from seawall.measures.spec import Instance, Value
from seawall.policy import Mode
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A reduction that was sent and whose outcome is not known yet."""

    action_id: str
    action: Reduce
    market: Market  # as it was then; it may not be read any more once nothing is held in it
    height: int
    held: BaseQuantums  # signed size when it was decided
    oracle_quote: QuoteQuantums  # notional of the whole order at the oracle when it was decided
    mid_quote: QuoteQuantums  # the same at the reference price
    interventions: tuple[str, ...]
    levels: tuple[BookLevel, ...] = ()  # of the book that it was expected to meet, best first
    cost: QuoteQuantums = QuoteQuantums(0)  # expected, against the oracle, >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MidRange:
    """Lowest and highest mid of a market over a few seconds from `at`, twice, in subticks."""

    at: Millis
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Levels of a book that gave an order of ours nothing; not believed up to a window's end."""

    side: Side  # of the order
    levels: tuple[Subticks, ...]
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpSent:
    """A deposit that was sent and whose outcome is not known yet."""

    action_id: str
    before: Subaccount
    markets: Mapping[str, Market]  # of `before`, which need not be read any more
    amount: QuoteQuantums
    sequence: int
    timeout_height: int
    interventions: tuple[str, ...]
    float_before: QuoteQuantums = QuoteQuantums(0)  # in the float wallet when it was sent
    is_refused: bool = False  # no node took it: it can never land


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSent:
    """A cancel that was sent while its order is still shown."""

    action_id: str
    action: Cancel
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSent:
    """A backstop that was sent and is not seen to rest yet."""

    action_id: str
    action: Backstop


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """What is remembered of backstops; what rests is seen, not remembered."""

    sent: tuple[StopSent, ...] = ()
    placed: tuple[int, ...] = ()  # heights at which one was sent, of the last 100 blocks
    died_at: int | None = None  # height at which one was last seen not to have come to rest
    unseen: Mapping[tuple[int, str], int] = field(default_factory=dict)  # id that failed last
    bare: Mapping[tuple[int, str], Millis] = field(default_factory=dict)  # since when, block time
    renew_at: Millis | None = None  # the next renewal
    is_waiting: bool = False  # the chain's rate limit holds some back
    told: tuple[str, ...] = ()  # what a person has heard
    paper: tuple[Backstop, ...] = ()  # what a run on paper would have placed last


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """An intervention that sent an order in a market: when it first did, then when it ended."""

    name: str
    at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """A page that repeats until it is acknowledged; agent's clock."""

    text: str
    sent_at: Millis  # last
    said_at: Millis | None = None  # first
    is_acknowledged: bool = False
    lasts: bool = False  # a state, forgotten once it is over
    is_over: bool = False  # what it is about is not seen to be so now


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A pause by the operator; agent's clock."""

    until: Millis
    told_at: Millis | None = None  # None before the first page about it


class Cause(StrEnum):
    """Who changed a position."""

    GUARD = "guard"
    OTHER_GUARD = "another guard"
    BACKSTOP = "backstop"
    TRADER = "trader"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A part of a position's change from `before` to `after`, signed, and who made it."""

    subaccount: int
    ticker: str
    before: BaseQuantums
    after: BaseQuantums
    quantums: BaseQuantums
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A position that changed since a height, while records of its fills are waited for."""

    subaccount: int
    ticker: str
    before: BaseQuantums
    since: int
    asked_at: int  # height at which it was first seen
    ours: BaseQuantums  # signed size of our orders that were open then
    told: tuple[tuple[Cause, int], ...] = ()  # signed quantums, already said


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was done for one intervention so far; a cost > 0 is a loss against the oracle."""

    orders: int = 0  # with a fill
    quote: QuoteQuantums = QuoteQuantums(0)  # exchanged
    cost: QuoteQuantums = QuoteQuantums(0)
    deposited: QuoteQuantums = QuoteQuantums(0)
    end: End | None = None  # None while it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """The chain resumed after a gap: markets that have not yet shown a price of their own."""

    height: int
    oracle_prices: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One instance of a rule with the states of its levels, in order of severity."""

    rule: str
    instance: Instance
    levels: tuple[LevelState, ...]
    names: tuple[str, ...] = ()  # of the levels, to find them again in a rule file that changed

    @property
    def highest(self) -> int | None:
        """Index of the most severe level that is not clear; None where all are."""
        for index in range(len(self.levels) - 1, -1, -1):
            if self.levels[index].phase is not Phase.CLEAR:
                return index
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything a tick needs of the past. `at` is block time, `seen_at` the agent's clock."""

    tick: int = 0
    at: Millis | None = None
    seen_at: Millis | None = None
    height: int = 0
    ledger: Ledger | None = None
    alarms: Mapping[str, Alarm] = field(default_factory=dict)  # by RULE[/INSTANCE]
    running: tuple[Intervention, ...] = ()
    interventions: int = 0  # started so far
    touched: Mapping[str, tuple[Touch, ...]] = field(default_factory=dict)  # by ticker, lately
    tallies: Mapping[str, Tally] = field(default_factory=dict)  # by name, until they are told
    locks: Mapping[str, tuple[Keep, ...]] = field(default_factory=dict)  # RULE[/INSTANCE]/LEVEL
    sent: tuple[Sent, ...] = ()
    cancels: tuple[CancelSent, ...] = ()
    stops: Stops = field(default_factory=Stops)
    refused: tuple[str, ...] = ()  # refusals of the last tick, so that each is told once
    top_up: TopUpSent | None = None
    top_up_closed_until: Millis = Millis(0)
    spent: Spent = field(default_factory=Spent)
    pages: Mapping[str, PageState] = field(default_factory=dict)
    halt: Halt | None = None
    mids: Mapping[str, tuple[MidRange, ...]] = field(default_factory=dict)  # of the last minute
    doubts: Mapping[tuple[int, str], Doubt] = field(default_factory=dict)
    blind_since: Millis | None = None
    pause: Paused | None = None
    sizes: tuple[tuple[int, str, BaseQuantums], ...] | None = None  # None before the first
    unexplained: tuple[Unexplained, ...] = ()
    by_others: tuple[tuple[Millis, Change], ...] = ()  # what another guard cut, when it was told
    left: Left | None = None  # what a standby leaves to the first guard


class Urgency(StrEnum):
    """How soon a person should read a message."""

    NOTIFY = "notify"
    PAGE = "page"


class Repeats(StrEnum):
    """How long a page is repeated every five minutes."""

    UNTIL_READ = "until read"  # acknowledged, whatever became of what it is about
    WHILE_SO = "while so"  # and not acknowledged
    BY_ITSELF = "by itself"  # its text says when it is told again


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Words for a person; `key` is what they are about (RULE[/INSTANCE]/LEVEL or a condition)."""

    urgency: Urgency
    key: str
    text: str
    repeats: Repeats = Repeats.UNTIL_READ  # of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A level that changed its phase, with the value that did it."""

    key: str
    level: str
    before: str
    after: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An intervention that began this tick."""

    name: str
    why: str
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An intervention that ended this tick."""

    name: str
    end: End
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A rule's measure for one instance now, and its highest level that is not clear."""

    key: str
    value: Value
    level: str
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An action with its id, TICK.INDEX, and what it is in words."""

    id: str
    action: Action
    asked_by: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearm:
    """Release a latched level of RULE[/INSTANCE]; a rule alone releases all its instances."""

    kind: Literal["rearm"] = "rearm"
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Stop repeating pages: of RULE[/INSTANCE][/LEVEL], or all where the key is empty."""

    kind: Literal["ack"] = "ack"
    key: str = ""
    stops_flatten: bool = False  # ends one that is past its `give_up_after`, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebase:
    """Set the drawdown's peak to the NAV now."""

    kind: Literal["rebase"] = "rebase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panic:
    """Cancel every order, close every position, and stay latched until `rearm panic`."""

    kind: Literal["panic"] = "panic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Send nothing for a while, at most a day; a later one takes the place of an earlier one."""

    kind: Literal["pause"] = "pause"
    duration: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Repeat a page that the shell around the tick has sent, until it is acknowledged."""

    kind: Literal["report"] = "report"
    key: str
    text: str


Command = Rearm | Acknowledge | Rebase | Panic | Pause | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one tick saw in the values, what it decided, and what it did not do and why."""

    tick: int
    height: int
    at: Millis | None
    seen_at: Millis
    blind: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    transitions: tuple[Transition, ...] = ()
    started: tuple[Started, ...] = ()
    ended: tuple[Ended, ...] = ()
    plan: Plan | None = None
    would: Plan | None = None  # the plan of rules on paper
    actions: tuple[Numbered, ...] = ()
    on_paper: tuple[Numbered, ...] = ()  # what rules on paper would send
    refusals: tuple[Refusal, ...] = ()
    has_new_refusal: bool = False
    outcomes: tuple[Outcome, ...] = ()
    changes: tuple[Change, ...] = ()  # of positions
    messages: tuple[Message, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def is_eventful(self) -> bool:
        """Whether something happened that must be kept whole."""
        return bool(
            self.transitions
            or self.started
            or self.ended
            or self.actions
            or self.has_new_refusal
            or self.outcomes
            or self.changes
            or self.messages
            or self.commands
        )
