"""A guard that dies at a named point and is started again on the same journal.

A point stands before and after each thing that leaves a mark outside of the process: a write of
the journal, and a call of the venue. Points are counted over a run, so a test visits them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Self

from seawall.account import Seen, Side
from seawall.action import Action, Outcome
from seawall.agent import Agent, Kind, TickRow
from seawall.decide.memory import Numbered
from seawall.journal.codec import from_json
from seawall.journal.queries import Reader
from seawall.journal.store import Entry, Journal
from seawall.policy import Mode, Policy
from seawall.rulefile import parse
from seawall.simulator import messages, setup
from seawall.simulator.chain import Chain
from seawall.simulator.local import LocalVenue
from seawall.simulator.messages import OrderId, PlaceOrder, SubaccountId
from seawall.units import Millis
from seawall.venue import Reply
from tests.simulation.duel import at_once
from tests.simulator.stage import MIDS, START

OWNER = "dydx1guarded"
FLOAT = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
EQUITY = Decimal(2_500)
NOTIONAL = Decimal(50_000)  # half a bitcoin
HALF = 25 * 10**8  # base quantums of what stays
TRADERS_ORDER = 7

RULES = f"""
account:
  float: {{address: {FLOAT}, floor: $50}}
scenarios:
  gap: {{"*": -10%, both_signs: true}}
backstop: {{scenario: gap, at: 60%, slippage: 500bps}}
budgets:
  per_hour: {{notional: 100%, orders: 30}}
  per_day: {{cost: 10%, top_up: $6_000}}
rules:
  - id: size
    why: "No more than this, and a person looks before it is more again."
    measure: gross_exposure
    trigger: "> $40_000"
    clear: "< $30_000"
    latch: manual
    do:
      - page
      - {{cancel_orders: risk_increasing}}
      - {{reduce: {{amount: 50%, max_slippage: 100bps}}}}
  - id: cash
    why: "Cash must not run out."
    measure: free_collateral
    scope: {{subaccounts: [0]}}
    trigger: "< $2_000"
    target: ">= $3_000"
    do: [notify, {{top_up: {{until: target, max: $3_000}}}}]
"""
POLICY: Policy = parse(RULES).policy


class Killed(BaseException):
    """The process is gone: nobody may catch this."""


@dataclass(slots=True)
class Points:
    """Points in the order in which they were reached; dies at number `kill_at`, once."""

    kill_at: int | None = None
    names: list[str] = field(default_factory=list)

    def reach(self, name: str) -> None:
        number = len(self.names)
        self.names.append(name)
        if number == self.kill_at:
            raise Killed(name)


class DyingJournal(Journal):
    """A journal whose process may end before or after any write."""

    points = Points()

    def append_all(
        self, entries: Sequence[Entry], *, durable: bool = False, at: Millis | None = None
    ) -> int:
        name = ", ".join(dict.fromkeys(kind for kind, _ in entries))
        self.points.reach(f"before writing {name}")
        seq = super().append_all(entries, durable=durable, at=at)
        self.points.reach(f"after writing {name}")
        return seq


class DyingVenue(LocalVenue):
    """A venue whose caller may end before or after any call; every send must stand in `journal`."""

    points = Points()
    journal: Path
    sent: list[Action]
    hidden: frozenset[str] = frozenset()  # markets whose books do not reach it

    async def observe(self) -> Seen:
        self.points.reach("before observing")
        seen = self.look()
        if self.hidden:
            books = {t: one for t, one in seen.advice.books.items() if t not in self.hidden}
            seen = replace(seen, advice=replace(seen.advice, books=books))
        self.points.reach("after observing")
        return seen

    async def send(self, action: Action) -> Reply:
        self.points.reach(f"before sending {action.kind}")
        with Reader.open(self.journal) as reader:
            rows = [from_json(Numbered, row.body or "") for row in reader.rows(Kind.SENDING)]
        assert action in [row.action for row in rows], "sent without a row before it"
        reply = self.submit(action)
        self.sent.append(action)
        self.points.reach(f"after sending {action.kind}")
        return reply


@dataclass(slots=True)
class Guard:
    """One guard with a journal of its own, started again when it dies."""

    venue: DyingVenue
    path: Path
    journal: DyingJournal
    points: Points
    policy: Policy = POLICY
    agent: Agent | None = None
    down: int = 0  # ticks that it does not live to see
    stays_down: int = 0  # ticks from its death to its next start

    @classmethod
    def over(
        cls,
        chain: Chain,
        path: Path,
        points: Points,
        *,
        policy: Policy = POLICY,
        delay: int = 0,
        stays_down: int = 0,
    ) -> Self:
        venue = DyingVenue(chain, OWNER, float_address=FLOAT, delay=Millis(delay))
        venue.points, venue.journal, venue.sent = points, path, []
        journal = _open(path, points)
        return cls(venue, path, journal, points, policy=policy, stays_down=stays_down)

    def tick(self) -> None:
        """One tick, a start before it where it is down; dying ends it for `stays_down` more."""
        if self.down:
            self.down -= 1
            return
        try:
            if self.agent is None:
                self.agent = at_once_resume(self)
            at_once(self.agent.tick())
        except Killed:
            self.agent = None
            self.journal.close()
            self.journal = _open(self.path, self.points)
            self.down = self.stays_down


def _open(path: Path, points: Points) -> DyingJournal:
    journal = DyingJournal.open(path, clock=lambda: START)
    journal.points = points
    return journal


def at_once_resume(guard: Guard) -> Agent:
    """The agent of a guard that starts."""
    return Agent.resume(
        guard.venue,
        guard.journal,
        guard.policy,
        digest="rules",
        mode=Mode.LIVE,
        owner=OWNER,
    )


def stage() -> Chain:
    """Half a bitcoin that is too much, an order for more of it, and too little cash."""
    chain = Chain(start=START, mids=MIDS)
    setup.fund(chain, OWNER, 0, EQUITY)
    setup.open_book(chain, OWNER, 0, {"BTC-USD": NOTIONAL})
    setup.fund_wallet(chain, FLOAT, Decimal(6_000))
    bid = PlaceOrder(
        order_id=OrderId(
            subaccount=SubaccountId(owner=OWNER, number=0),
            client_id=TRADERS_ORDER,
            order_flags=messages.LONG_TERM,
            clob_pair_id=0,
        ),
        side=Side.BUY,
        quantums=10**8,
        subticks=9_000_000_000,
        good_til_block_time=START // 1_000 + 86_400,
    )
    assert chain.check(bid).is_accepted
    advance(chain)
    return chain


def advance(chain: Chain, seconds: int = 1) -> None:
    """The next block at the same prices."""
    chain.advance(Millis(chain.time + seconds * 1_000), MIDS)


def play(
    chain: Chain,
    guards: Sequence[Guard],
    *,
    blocks: int = 14,
    late_blocks: int = 30,
    between: Callable[[int], None] = lambda _: None,
) -> None:
    """Blocks of a second while things happen, then of five while what failed is tried again."""
    for number in range(blocks + late_blocks):
        for guard in guards:
            guard.tick()
        between(number)
        advance(chain, 1 if number < blocks else 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a journal that verifies holds."""

    sending: Sequence[Numbered]
    outcomes: Sequence[Outcome]
    pages: Sequence[str]
    last: TickRow
    ticks: Sequence[TickRow]


def written(path: Path) -> Written:
    """A journal read whole."""
    with Reader.open(path) as reader:
        reader.verify()
        bodies = {
            kind: [row.body or "" for row in reader.rows(kind)]
            for kind in (Kind.SENDING, Kind.OUTCOME, Kind.MESSAGE, Kind.TICK)
        }
    ticks = [from_json(TickRow, body) for body in bodies[Kind.TICK]]
    return Written(
        sending=[from_json(Numbered, body) for body in bodies[Kind.SENDING]],
        outcomes=[from_json(Outcome, body) for body in bodies[Kind.OUTCOME]],
        pages=bodies[Kind.MESSAGE],
        last=ticks[-1],
        ticks=ticks,
    )
