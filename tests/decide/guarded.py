"""A guard over a small obedient world: orders fill at the oracle one tick after they are sent.

Every tick puts the memory through the journal's codec, as a restart would, and goes on from what
came back: so each test here is also a test of a restart in the middle of whatever it plays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from seawall import units
from seawall.account import Blind, Book, Fill, Missing, Observation, RestingOrder, Transfer
from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.alarm import Phase
from seawall.decide import decide
from seawall.decide.memory import Command, Decision, Memory, Message, Rearm
from seawall.intervention import Intervention
from seawall.journal.codec import from_json, to_json
from seawall.policy import Mode, Policy
from seawall.rulefile import parse
from seawall.units import BaseQuantums, Millis, QuoteQuantums
from tests.see import AT, MARKETS, Number, book, decimal, priced, quantums, see, subticks

START = 1_000  # height 1001 opens a window: each of the first four ticks may send
WALLET = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
FLOAT = f"account: {{float: {{address: {WALLET}, floor: $50}}}}\n"


class Deposit(StrEnum):
    """What becomes of a deposit that was sent."""

    LANDS = "lands"
    FAILS = "fails"  # the sequence is used up and nothing arrived
    IS_LOST = "is lost"


def policy_of(text: str) -> Policy:
    """The policy of a rule file's text."""
    return parse(text).policy


def ladder(*levels: str, measure: str = "gross_exposure", head: str = "", **keys: str) -> str:
    """A rule file of one rule called `size`; levels in YAML flow style, mild to severe."""
    scope = keys.pop("scope", "{per: account}")
    lines = [f"measure: {measure}", f"scope: {scope}", *(f"{k}: {v}" for k, v in keys.items())]
    body = "\n    ".join(["- id: size", '  why: "Enough is enough."', *(f"  {x}" for x in lines)])
    return f"{head}rules:\n    {body}\n      levels:\n" + "".join(
        f"        - {x}\n" for x in levels
    )


@dataclass(slots=True)
class Guarded:
    """One account and its guard; plain numbers are dollars, coins and prices."""

    policy: Policy
    mode: Mode = Mode.LIVE
    equity: Decimal = Decimal(30_000)
    sizes: dict[str, Decimal] = field(default_factory=lambda: {"BTC-USD": Decimal("0.1")})
    prices: dict[str, Decimal] = field(default_factory=dict)
    float: Decimal | None = None
    orders: tuple[RestingOrder, ...] | Missing = ()
    books: Mapping[str, Book] | None = None
    fill: Number = 1  # share of each order that fills
    deposit: Deposit = Deposit.LANDS
    obeys_cancels: bool = True
    height: int = START
    at: Millis = AT
    late: Millis = Millis(0)  # what the agent's clock is ahead of the block time
    memory: Memory = field(default_factory=Memory)
    sequence: int = 7
    fills: tuple[Fill, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    pending: list[Action] = field(default_factory=list)
    shows_fills: bool = True
    decisions: list[Decision] = field(default_factory=list)
    extra: dict[str, object] = field(default_factory=dict)  # more words for `see`

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    def price(self, ticker: str) -> Decimal:
        return self.prices.get(ticker, MARKETS[ticker].oracle_dollars)

    def move(self, ticker: str, dollars: Number) -> None:
        """The oracle price moves; equity moves with it."""
        self.equity += self.sizes.get(ticker, Decimal(0)) * (decimal(dollars) - self.price(ticker))
        self.prices[ticker] = decimal(dollars)

    def trade(self, ticker: str, coins: Number) -> None:
        """The trader trades at the oracle, for free."""
        self.sizes[ticker] = self.sizes.get(ticker, Decimal(0)) + decimal(coins)

    def tick(
        self, *commands: Command, seconds: Number = 1, blocks: int = 1, late: Number | None = None
    ) -> Decision:
        """The next observation and what is decided on it; orders sent before fill first."""
        self._pass(seconds, blocks)
        if late is not None:
            self.late = Millis(int(decimal(late) * 1_000))
        self._settle()
        return self._decide(self.observation(), commands)

    def ticks(self, count: int, *, seconds: Number = 1) -> list[Decision]:
        return [self.tick(seconds=seconds) for _ in range(count)]

    def blind(self, *commands: Command, seconds: Number = 1) -> Decision:
        """A tick without state; the chain goes on."""
        self._pass(seconds, 1)
        self._settle()
        seen = Blind(seen_at=Millis(self.at + self.late), reasons=("node does not answer",))
        return self._decide(seen, commands)

    def rearm(self, key: str) -> Decision:
        return self.tick(Rearm(key=key))

    def restart(self, text: str | None = None, *, mode: Mode | None = None) -> None:
        """The guard starts again, perhaps with other rules or in another mode."""
        self.memory = through_the_journal(self.memory)
        self.policy = self.policy if text is None else policy_of(text)
        self.mode = mode or self.mode

    def observation(self) -> Observation:
        now = Millis(self.at + self.late)
        held = {t: (s, self.price(t)) for t, s in self.sizes.items() if s}
        known = {t: priced(m, self.price(t)) for t, m in MARKETS.items()}
        books = self.books
        if books is None:
            books = {m.ticker: book(m, seen_at=now) for m in known.values()}
        words: dict[str, object] = {
            "equity": self.equity,
            "positions": held,
            "markets": known,
            "float": self.float,
            "float_sequence": self.sequence,
            "orders": self.orders,
            "books": books,
            "fills": self.fills if self.shows_fills else Missing(reason="indexer down"),
            "transfers": self.transfers,
            "height": self.height,
            "at": self.at,
            "seen_at": now,
        }
        seen = see(**(words | self.extra))  # type: ignore[arg-type]
        wallet = seen.float_wallet
        return replace(
            seen, float_wallet=None if wallet is None else replace(wallet, address=WALLET)
        )

    def phases(self, key: str = "size") -> list[str]:
        """Phases of the levels of one instance, mild to severe."""
        held = self.memory.alarms.get(key)
        if held is None:
            rule = next(r for r in self.policy.rules if r.id == key.split("/", maxsplit=1)[0])
            return [Phase.CLEAR.value for _ in rule.levels]
        return [state.phase.value for state in held.levels]

    @property
    def running(self) -> list[str]:
        return [one.name for one in self.memory.running]

    @property
    def intervention(self) -> Intervention:
        (one,) = self.memory.running
        return one

    def _pass(self, seconds: Number, blocks: int) -> None:
        self.at = Millis(self.at + int(decimal(seconds) * 1_000))
        self.height += blocks

    def _settle(self) -> None:
        pending, self.pending = self.pending, []
        for action in pending:
            match action:
                case Reduce():
                    self._fill(action)
                case TopUp():
                    self._deposit(action)
                case Cancel():
                    self._cancel(action)
                case Backstop():
                    self._rest(action)
                case _:
                    assert_never(action)

    def _rest(self, action: Backstop) -> None:
        assert not isinstance(self.orders, Missing)
        stop = RestingOrder(
            subaccount=action.subaccount,
            ticker=action.ticker,
            side=action.side,
            quantums=action.quantums,
            subticks=action.subticks,
            client_id=action.client_id,
            order_flags=32,
            reduce_only=True,
            good_til_block_time=action.good_til_block_time,
            trigger_subticks=action.trigger_subticks,
            ours=True,
        )
        self.orders = (*self.orders, stop)

    def _fill(self, action: Reduce) -> None:
        market = priced(MARKETS[action.ticker], self.price(action.ticker))
        held = self.sizes.get(action.ticker, Decimal(0))
        wanted = int(action.quantums * decimal(self.fill))
        most = abs(quantums(market, held))
        size = units.round_down(min(wanted, most), market.step_base_quantums)
        if size <= 0 or self.height > action.good_til_block:
            return
        self.trade(action.ticker, market.coins(action.side.sign * size))
        at_oracle = subticks(market, self.price(action.ticker))
        done = Fill(
            subaccount=action.subaccount,
            ticker=action.ticker,
            side=action.side,
            quantums=BaseQuantums(size),
            subticks=at_oracle,
            fee=QuoteQuantums(0),
            height=self.height,
            client_id=action.client_id,
        )
        self.fills = (*self.fills, done)

    def _deposit(self, action: TopUp) -> None:
        if self.deposit is Deposit.IS_LOST:
            return
        self.sequence += 1
        if self.deposit is Deposit.FAILS:
            return
        assert self.float is not None
        dollars = units.usd(action.amount)
        self.float -= dollars
        self.equity += dollars
        landed = Transfer(subaccount=action.subaccount, amount=action.amount, height=self.height)
        self.transfers = (*self.transfers, landed)

    def _cancel(self, action: Cancel) -> None:
        if self.obeys_cancels and not isinstance(self.orders, Missing):
            self.orders = tuple(o for o in self.orders if o.client_id != action.client_id)

    def _decide(self, seen: Observation | Blind, commands: Sequence[Command]) -> Decision:
        memory, decision = decide(
            self.policy, self.memory, seen, mode=self.mode, commands=tuple(commands)
        )
        self.memory = through_the_journal(memory)
        assert from_json(Decision, to_json(decision)) == decision
        self.pending.extend(one.action for one in decision.actions)
        self.decisions.append(decision)
        return decision


def through_the_journal(memory: Memory) -> Memory:
    """Memory as a restart would find it; asserts that nothing is lost on the way."""
    restored = from_json(Memory, to_json(memory))
    assert restored == memory
    return restored


def guarded(
    text: str,
    *,
    sizes: Mapping[str, Number] | None = None,
    equity: Number = 30_000,
    float: Number | None = None,  # noqa: A002 - the word of the rule file
    fill: Number = 1,
    mode: Mode = Mode.LIVE,
    orders: tuple[RestingOrder, ...] = (),
) -> Guarded:
    """A guard with the rules of a text, over 0.1 BTC unless told otherwise."""
    return Guarded(
        policy=policy_of(text),
        mode=mode,
        equity=decimal(equity),
        sizes={t: decimal(size) for t, size in (sizes or {"BTC-USD": "0.1"}).items()},
        float=None if float is None else decimal(float),
        fill=fill,
        orders=orders,
    )


def cuts(decision: Decision) -> dict[str, Decimal]:
    """Coins that a decision sends to be closed, by ticker."""
    return {
        one.action.ticker: MARKETS[one.action.ticker].coins(one.action.quantums)
        for one in decision.actions
        if isinstance(one.action, Reduce)
    }


def would_cut(decision: Decision) -> dict[str, Decimal]:
    """Coins that a decision would close on paper, by ticker."""
    return {
        one.action.ticker: MARKETS[one.action.ticker].coins(one.action.quantums)
        for one in decision.on_paper
        if isinstance(one.action, Reduce)
    }


def deposits(decision: Decision) -> list[Decimal]:
    """Dollars that a decision sends."""
    return [units.usd(x.action.amount) for x in decision.actions if isinstance(x.action, TopUp)]


def cancelled(decision: Decision) -> list[int]:
    """Client ids of the orders that a decision cancels."""
    return [one.action.client_id for one in decision.actions if isinstance(one.action, Cancel)]


def texts(decision: Decision) -> list[str]:
    return [message.text for message in decision.messages]


def pages(decision: Decision) -> list[Message]:
    return [message for message in decision.messages if message.urgency == "page"]


def codes(decision: Decision) -> list[str]:
    """Why things were not done, the plan's reasons included."""
    plans = [plan for plan in (decision.plan, decision.would) if plan is not None]
    dropped = [refusal.code.value for plan in plans for refusal in plan.dropped]
    return [refusal.code.value for refusal in decision.refusals] + dropped
