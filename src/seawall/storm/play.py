"""One bad day, played: chain, trader, guards that die and come back, and who judges them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from seawall.agent import Agent, Kind, TickRow
from seawall.decide.holds import Holds
from seawall.decide.memory import Decision
from seawall.errors import JournalUnwritable
from seawall.intervention import End
from seawall.journal.codec import from_json
from seawall.measures.spec import Value
from seawall.policy import Mode
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.faults.local import FaultyVenue
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.messages import SubaccountId, UpdateLeverage
from seawall.simulator.play import AWAKE, NEVER
from seawall.simulator.setup import chain_on, fund, fund_wallet, open_book
from seawall.storm.case import CALM, CHAOS_BLOCKS, CHILD, FLOAT, OWNER, Case, GuardCase
from seawall.storm.ending import unfinished, unprotected, unresolved
from seawall.storm.fuse import Crashed, Fuse, FusedJournal
from seawall.storm.lookout import Lookout
from seawall.storm.model import Model
from seawall.storm.operator import write
from seawall.storm.referee import Broken, Referee
from seawall.storm.trader import Trader
from seawall.units import HOUR, Millis, Ppm

BLOCKS_MOST = 1_500  # faults that wait for a send may begin late, but not for ever
VICTIM = SubaccountId(owner=OWNER, number=0)
CHILD_OF_VICTIM = SubaccountId(owner=OWNER, number=CHILD)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a day ended; `broken` are the invariants that did not hold."""

    seed: int
    broken: tuple[Broken, ...]
    faults: Counter[str]
    blocks: int
    ticks: int
    sent: int
    hours: float
    deaths: tuple[str, ...]  # points at which a guard died


def at_once(work: Coroutine[object, object, T]) -> T:
    """The result of a coroutine that never waits: no event loop for each of many ticks."""
    try:
        work.send(None)
    except StopIteration as stopped:
        value: T = stopped.value
        return value
    raise AssertionError("it waited")


class Guard:
    """One guard of a case: its journal outlives it."""

    def __init__(
        self,
        name: str,
        case: Case,
        own: GuardCase,
        player: FaultyPlayer,
        referee: Referee,
        *,
        make: type[Agent],
    ) -> None:
        self.name = name
        self.own = own
        self._case = case
        self._player = player
        self._referee = referee
        self._make = make
        self.fuse = Fuse()
        self._disk = TemporaryDirectory(prefix="seawall-storm-") if own.spilling else None
        if self._disk is None:
            self.journal = FusedJournal.open(":memory:", clock=lambda: player.clock)
        else:
            spill = Path(self._disk.name) / "spill"
            self.journal = FusedJournal.beside(spill, lambda: player.clock)
        self.journal.fuse = self.fuse
        self._orders = list(case.orders)
        self.model = Model(case.policy)
        self.deaths: list[str] = []
        self.ends: dict[str, End] = {}
        self.fell_back: set[str] = set()
        self.values: dict[str, Value] = {}
        self.ticks = 0
        self._restarts = sorted(own.restarts, key=lambda one: one.block, reverse=True)
        self._away = 0
        self._back_at = 0
        self._looked = -own.every
        self._venue = FaultyVenue(
            player, OWNER, float_address=FLOAT, delay=own.delay, gas_fee=case.gas_fee
        )
        self.agent: Agent | None = None

    @property
    def idle_until(self) -> Millis:
        """The moment before which it has nothing to do; AWAKE while it dies or is away."""
        if self.agent is None or self._restarts or self.fuse.is_lit or self.own.lag:
            return AWAKE
        until = self.agent.idle_until()
        return NEVER if until is None else until

    def look(self, block: int, step: int) -> Decision | None:
        """One tick, if it is alive and due; what kills it is part of the day.

        `block` stands still while the chain halts, `step` does not.
        """
        self.journal.is_full = block in self.own.disk_full
        self.journal.is_spilling = block in self.own.spilling
        while (
            self._orders and block >= self._orders[0].block and write(self.journal, self._orders[0])
        ):
            self._referee.say(f"{self.name} is told {self._orders.pop(0).command}")
        if self._restarts and block >= self._restarts[-1].block:
            restart = self._restarts.pop()
            self._away = restart.away
            self.fuse.light(restart.steps)
            if restart.steps == 0:
                self._die(block, "between ticks")
        if self.agent is None and not self._start(block):
            return None
        if step - self._looked < self.own.every:
            return None
        self._looked = step
        assert self.agent is not None
        self.ticks += 1
        try:
            decision = at_once(self.agent.tick())
        except Crashed:
            self._die(block, self.fuse.point)
            return None
        self._judge(decision)
        return decision

    def _judge(self, decision: Decision) -> None:
        assert self.agent is not None
        lookout = self.agent.venue
        assert isinstance(lookout, Lookout)
        seen = lookout.seen
        assert seen is not None
        self._referee.ticked(self.name, decision, seen)
        if self.agent.memory.tick != decision.tick:
            return  # it could not be recorded, so it did not happen
        self._note_ends(decision)
        self.fell_back |= {
            f"{one.key}/{one.level}" for one in self.agent.memory.running if one.fallback
        }
        self._referee.obeyed(self.name, decision)
        for words in self.model.follow(decision, seen, self.agent.memory):
            self._referee.complain("alarm", f"{self.name}: {words}")

    def _note_ends(self, decision: Decision) -> None:
        self.values.update({one.key: one.value for one in decision.readings})
        for each in decision.ended:
            self.ends[each.name.rpartition("#")[0]] = each.end

    def close(self) -> None:
        """Judge what it left behind: its journal, and what it has not finished."""
        self.journal.verify()
        case, chain = self._case, self._player.chain
        for words in unfinished(
            self.agent,
            chain,
            case,
            ends=self.ends,
            values=self.values,
            fell_back=self.fell_back,
        ):
            self._referee.complain("unfinished", f"{self.name}: {words}")
        for words in unprotected(self.agent, chain, case):
            self._referee.complain("unprotected", f"{self.name}: {words}")
        if self.agent is not None:
            for words in unresolved(self.journal, self.agent.memory):
                self._referee.complain("unresolved", f"{self.name}: {words}")
        if self._orders:
            self._referee.complain("unfinished", f"{self.name} never took {self._orders[0]}")
        self.journal.close()
        if self._disk is not None:
            self._disk.cleanup()

    def _start(self, block: int) -> bool:
        """Come back, where it is time and the journal takes a row."""
        if block < self._back_at:
            return False
        self.journal.verify()
        lookout = Lookout(
            self._venue,
            self.fuse,
            lag=self.own.lag,
            sends=lambda action, seen: self._referee.sends(self.name, self.journal, action, seen),
        )
        try:
            self.agent = self._make.resume(
                lookout,
                self.journal,
                replace(self._case.policy, is_standby=self.own.is_standby),
                digest="drawn",
                mode=Mode.LIVE,
                owner=OWNER,
            )
        except JournalUnwritable:
            return False
        except Crashed:
            self._die(block, self.fuse.point)
            return False
        self._referee.started(self.name)
        last = self.journal.last(Kind.TICK)
        row = None if last is None or last.body is None else from_json(TickRow, last.body)
        if row is not None:
            self._note_ends(row.decision)
            self._referee.obeyed(self.name, row.decision)
        later = self.journal.last(Kind.HOLDS)
        is_later = last is not None and later is not None and later.seq > last.seq
        holds = from_json(Holds, later.body or "") if is_later and later is not None else None
        for words in self.model.restart(row, holds):
            self._referee.complain("alarm", f"{self.name} restarted: {words}")
        return True

    def _die(self, block: int, point: str) -> None:
        self.deaths.append(point)
        self._referee.died(self.name, point)
        self.agent = None
        self.fuse.put_out()
        self._back_at = block + self._away


def play(
    case: Case, *, make: type[Agent] = Agent, told: Callable[[str], None] | None = None
) -> Result:
    """Play a case to its end and judge it; `told` hears what happens, line by line."""
    player = stage(case)
    referee = Referee(player.chain, case, told)
    guards = [
        Guard(f"guard {number}", case, own, player, referee, make=make)
        for number, own in enumerate(case.guards, start=1)
    ]
    started = player.clock
    faults = _play(case, player, referee, guards)
    for guard in guards:
        guard.close()
    return Result(
        seed=case.seed,
        broken=tuple(referee.broken),
        faults=faults,
        blocks=player.blocks,
        ticks=sum(guard.ticks for guard in guards),
        sent=referee.sent,
        hours=(player.clock - started) / HOUR,
        deaths=tuple(point for guard in guards for point in guard.deaths),
    )


def _play(
    case: Case, player: FaultyPlayer, referee: Referee, guards: Sequence[Guard]
) -> Counter[str]:
    """Make blocks until all is calm for long enough; which faults began."""
    accounts = (VICTIM, CHILD_OF_VICTIM) if case.has_child else (VICTIM,)
    trader = Trader(player.chain, accounts, case.trader_seed, case.trades)
    trouble, end, idle = player.trouble, player.clock, AWAKE
    faults: Counter[str] = Counter()
    for step in count(1):
        was_halted = player.is_halted
        block = player.step(idle)
        assert block is not None, "the path has room for every halt"
        if not was_halted or not player.is_halted:
            faults.update(k.value for k, fault in trouble.in_force.items() if trouble.begins(fault))
            referee.saw(block)
        if trouble.block <= CHAOS_BLOCKS and not player.is_halted:
            trader.act()
        for guard in guards:
            guard.look(trouble.block, step)
        if trouble.block <= CHAOS_BLOCKS or not trouble.is_calm or player.is_halted:
            end, idle = Millis(player.clock + CALM), AWAKE
        else:
            idle = min(end, *(guard.idle_until for guard in guards))
        if player.clock >= end or trouble.block >= BLOCKS_MOST:
            break
    return faults


def stage(case: Case) -> FaultyPlayer:
    """The chain of a case before its first block: an account with a book, and a float wallet."""
    settings = ChainSettings(reduce_only=case.reduce_only, gate=case.gate, first_height=1_000)
    chain = chain_on(case.path, settings, case.markets)
    fund_wallet(chain, FLOAT, case.float_dollars)
    fund(chain, OWNER, 0, case.equity - case.child_equity)
    if case.has_child:
        fund(chain, OWNER, CHILD, case.child_equity)
    for account in (VICTIM, CHILD_OF_VICTIM):
        open_book(chain, OWNER, account.number, case.parts_of(account.number))
    for account in (VICTIM, CHILD_OF_VICTIM):
        parts = case.parts_of(account.number)
        _choose_leverage(chain, account, [one for one in case.leverage if one[0] in parts])
    return FaultyPlayer(chain, case.path, case.faults, victim=VICTIM)


def _choose_leverage(
    chain: Chain, account: SubaccountId, wanted: Sequence[tuple[str, Ppm]]
) -> None:
    """The owner's own initial fractions; the chain refuses what the account cannot bear."""
    for ticker, ppm in wanted:
        pair = chain.committed.markets[ticker].spec.clob_pair_id
        chain.check(UpdateLeverage(subaccount=account, entries=((pair, ppm),)))
