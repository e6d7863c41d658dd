"""The referee: what must hold of every send, every fill and every deposit of a bad day.

It shares no judgement with the guard. Of a send it knows the action, what the guard saw, and the
journal; of everything else, the chain. Its sums are lower bounds where the truth lies between two
numbers, so that what it calls broken is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seawall.account import Blind, Seen
from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.agent import Kind
from seawall.decide.memory import Decision, Numbered, Panic, Pause
from seawall.journal.codec import from_json
from seawall.journal.store import Journal
from seawall.simulator.chain import Chain
from seawall.simulator.events import Block, FillEvent, TransferEvent
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.messages import SubaccountId
from seawall.storm.case import FLOAT, OWNER, Case
from seawall.storm.purse import Purse
from seawall.storm.sends import Verdicts, is_panic
from seawall.storm.stops import StopWatch
from seawall.units import quote_up, usd

Told = Callable[[str], None]
Place = tuple[int, int, int]  # subaccount, clob pair, client id
BROKEN_MOST = 50
OUR_FAULTS = ("limits/", "planner/")  # keys of pages that tell of a fault of the guard's own
RULE_FAILED = "/failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An invariant that did not hold, at a height of the chain."""

    what: str
    words: str
    height: int


class Referee:
    """Watches one case; `broken` is what did not hold so far."""

    def __init__(self, chain: Chain, case: Case, told: Told | None) -> None:
        self._chain = chain
        self._case = case
        self._told = told
        self._verdicts = Verdicts(case)
        self._purses: dict[str, Purse] = {}
        self._rows: dict[str, tuple[int, list[Numbered]]] = {}
        self._ours: dict[Place, list[str]] = {}
        self._most: dict[Place, int] = {}
        self._filled: dict[Place, int] = {}
        self._stops: set[Place] = set()
        self._stop_watch = StopWatch(chain)
        self._deposits = 0
        self._paused_until: dict[str, int] = {}
        self.broken: list[Broken] = []
        self.sent = 0

    def complain(self, what: str, words: str) -> None:
        """Note an invariant that does not hold."""
        self.say(f"BROKEN {what}: {words}")
        if len(self.broken) < BROKEN_MOST:
            self.broken.append(Broken(what=what, words=words, height=self._chain.height))

    def say(self, words: str) -> None:
        """Tell whoever replays this day."""
        if self._told is not None:
            self._told(f"{self._chain.height} {words}")

    def started(self, guard: str) -> None:
        """A guard came (back) to life."""
        self.say(f"{guard} starts")
        self._purse(guard).restarted()

    def died(self, guard: str, point: str) -> None:
        """A guard died."""
        self.say(f"{guard} dies {point}")

    def ticked(self, guard: str, decision: Decision, seen: Seen | None) -> None:
        """A tick of a guard is done."""
        assert seen is not None
        for message in decision.messages:
            if message.key.startswith(OUR_FAULTS) or message.key.endswith(RULE_FAILED):
                self.complain("fault", f"{guard} {message.text}")
        if isinstance(seen, Blind):
            if decision.actions:
                self.complain("blind", f"{guard} acts without state")
            return
        self._purse(guard).saw(seen)
        self._verdicts.saw(guard, seen)
        if self._told is not None:
            for words in narrated(decision):
                self.say(f"{guard} {words}")

    def obeyed(self, guard: str, decision: Decision) -> None:
        """A tick with the operator's commands is recorded."""
        for command in decision.commands:
            match command:
                case Pause(duration=duration):
                    self._paused_until[guard] = decision.seen_at + duration
                case Panic():
                    self._paused_until[guard] = 0
                case _:
                    pass

    def sends(self, guard: str, journal: Journal, action: Action, seen: Seen) -> None:
        """A guard is about to send an action."""
        self.sent += 1
        self.say(f"{guard} sends {action}")
        row = self._row_of(guard, journal, action)
        if row is None:
            self.complain("no trace", f"{guard} sends {action} without a row")
        asked_by = () if row is None else row.asked_by
        # The tick that obeys a panic sends before it is known to have ended the pause.
        if seen.seen_at < self._paused_until.get(guard, 0) and not is_panic(asked_by):
            self.complain("paused", f"{guard} sends {action} though it is paused")
        for what, words in self._verdicts.of(guard, action, seen, asked_by):
            self.complain(what, f"{guard} {words}")
        if isinstance(seen, Blind):
            return
        purse = self._purse(guard)
        purse.saw(seen)
        match action:
            case Reduce():
                place = (action.subaccount, action.clob_pair_id, action.client_id)
                self._ours.setdefault(place, []).append(guard)
                self._most[place] = max(self._most.get(place, 0), action.quantums)
                for words in purse.reduces(action, seen, asked_by):
                    self.complain("budget", f"{guard} {words}")
            case TopUp():
                for words in purse.tops_up(action, seen):
                    self.complain("budget", f"{guard} {words}")
            case Backstop():
                self._stops.add((action.subaccount, action.clob_pair_id, action.client_id))
            case Cancel():
                pass

    def saw(self, block: Block) -> None:
        """A block was made: fills of our orders, deposits of our wallet."""
        for fill in block.fills:
            if fill.order_id is not None and fill.subaccount.owner == OWNER:
                self._judge_fill(fill, block)
        for moved in block.transfers:
            self._judge_transfer(moved)
        for what, words in self._stop_watch.saw(block):
            self.complain(what, words)
        self._judge_floor()

    def _judge_fill(self, fill: FillEvent, block: Block) -> None:
        assert fill.order_id is not None
        place = (fill.subaccount.number, fill.order_id.clob_pair_id, fill.order_id.client_id)
        if place not in self._ours and place not in self._stops:
            return
        self.say(f"fill {fill.side} {fill.quantums} {fill.ticker} at {fill.subticks}")
        for guard in self._ours.get(place, ()):
            self._purse(guard).filled(place, fill, block)
        self._filled[place] = self._filled.get(place, 0) + fill.quantums
        if place in self._most and self._filled[place] > self._most[place]:
            self.complain("twice", f"{place} filled {self._filled[place]} of {self._most[place]}")
        if self._case.reduce_only is ReduceOnly.IGNORED and not self._is_undisturbed:
            return  # between the look and the fill somebody else moved the position
        before = fill.position_before
        grows = before == 0 or (before > 0) == (fill.side.sign > 0)
        if grows or fill.quantums > abs(before):
            self.complain(
                "grows", f"{fill.side} {fill.quantums} {fill.ticker} from a position of {before}"
            )

    @property
    def _is_undisturbed(self) -> bool:
        """Whether nobody but one guard moves positions."""
        case = self._case
        return len(case.guards) == 1 and case.trades == 0 and not case.faults.faults

    def _judge_transfer(self, moved: TransferEvent) -> None:
        if moved.sender != FLOAT:
            return
        self._deposits += moved.amount
        if not isinstance(moved.recipient, SubaccountId) or moved.recipient.owner != OWNER:
            self.complain("float", f"the float wallet paid {moved.recipient}")
        budget = sum(purse.top_up_most for purse in self._purses.values())
        if self._deposits > budget:
            self.complain(
                "budget", f"${usd(self._deposits)} deposited, budgets allow ${usd(budget)}"
            )

    def _judge_floor(self) -> None:
        source = self._case.policy.float_source
        wallet = self._chain.committed.wallets.get(FLOAT)
        if source is None or wallet is None:
            return
        gas = wallet.sequence * self._case.gas_fee  # the floor is there for it
        if wallet.balance + gas < quote_up(source.floor):
            self.complain("floor", f"${usd(wallet.balance)} left in the float wallet")

    def _purse(self, guard: str) -> Purse:
        if guard not in self._purses:
            self._purses[guard] = Purse(self._case.policy)
        return self._purses[guard]

    def _row_of(self, guard: str, journal: Journal, action: Action) -> Numbered | None:
        """The `sending` row of an action that nothing was sent for yet; None where none is."""
        through, waiting = self._rows.get(guard, (0, []))
        for row in journal.rows(Kind.SENDING, after=through):
            assert row.body is not None
            waiting.append(from_json(Numbered, row.body))
            through = row.seq
        self._rows[guard] = (through, waiting)
        found = next((one for one in waiting if one.action == action), None)
        if found is not None:
            waiting.remove(found)
        return found


def narrated(decision: Decision) -> list[str]:
    """What a tick did, in a few words."""
    words = [
        f"{t.key}/{t.level}: {t.before} to {t.after} at {t.value}" for t in decision.transitions
    ]
    words += [f"starts {one.name}" for one in decision.started]
    words += [f"{one.name} ends {one.end}" for one in decision.ended]
    words += [f"outcome {one.action_id} {one.ending} {one.filled}" for one in decision.outcomes]
    words += [f"{message.urgency} {message.key}: {message.text}" for message in decision.messages]
    if decision.has_new_refusal:
        words += [f"refuses {one.code} {one.what}: {one.detail}" for one in decision.refusals]
    return words
