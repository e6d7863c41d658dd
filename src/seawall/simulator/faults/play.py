"""A player of bad days: what happens to the chain, its oracle, its books and its accounts.

Chain time stands still while the chain halts; `clock` is what time it is for everybody else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from seawall.account import MarketStatus, Side
from seawall.simulator.chain import Chain
from seawall.simulator.events import Block
from seawall.simulator.faults import accidents
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.faults.trouble import Trouble
from seawall.simulator.messages import SubaccountId
from seawall.simulator.play import AWAKE, Player
from seawall.simulator.prices import Path
from seawall.units import SECOND, Millis, QuoteQuantums

HALT_TICK = Millis(10_000)  # how far the clock moves at a time while there are no blocks
GATE_RENEWED_BLOCKS = 40  # the gate opens 50 blocks after what raised it
OUTAGE_S = 300  # a halt of five minutes raises the transfer gate
PLAIN_KEPT = 600
BOOK_KINDS = (FaultKind.BOOK_EMPTY, FaultKind.BOOK_ONE_SIDED, FaultKind.FILLS_PARTIAL)


class FaultyPlayer(Player):
    """Plays a path with a schedule of faults; `victim` is whose account accidents happen to."""

    def __init__(
        self,
        chain: Chain,
        path: Path,
        faults: Faults,
        *,
        victim: SubaccountId | None = None,
        block_time: Millis = SECOND,
    ) -> None:
        super().__init__(chain, path, block_time)
        self.trouble = Trouble(chain, faults)
        self._last = faults.last
        self._victim = victim
        self._halted_until: Millis | None = None
        self._clock = chain.time
        self._plain: deque[Mapping[str, float]] = deque(maxlen=PLAIN_KEPT)
        self._changed_books: frozenset[str] = frozenset()
        self._calm_depth = {
            ticker: market.spec.depth for ticker, market in chain.committed.markets.items()
        }

    @property
    def clock(self) -> Millis:
        """What time it is: chain time, or later while the chain halts."""
        return max(self._clock, self.chain.time)

    @property
    def is_halted(self) -> bool:
        """Whether the chain makes no blocks."""
        return self._halted_until is not None

    def step(self, idle_until: Millis = AWAKE) -> Block | None:
        """Make the next block, or let time pass in a halt; None when the path is over.

        In a halt the newest block is returned once more. Time does not jump before the schedule
        is over, so that the block of a fault is also its second.
        """
        if self._halted_until is not None:
            return self._wait_or_resume(self._halted_until)
        may_jump = self.trouble.is_calm and self.trouble.block > self._last
        return super().step(idle_until if may_jump else AWAKE)

    def _advance(self, at: Millis) -> Block:
        self.trouble.deliver()
        plain = self.path.prices(at)
        coming = self.trouble.at_block(self.trouble.block + 1)
        mids = plain
        if FaultKind.BOOK_PREMIUM in coming:
            premium = coming[FaultKind.BOOK_PREMIUM]
            factor = float(1 + premium.size)
            mids = {t: p * factor if premium.concerns(t) else p for t, p in plain.items()}
        oracle = self._oracle(coming)
        self._plain.append(plain)
        self.blocks += 1
        before = self.now
        block = self.chain.advance(at, mids, oracle)
        self._follow_rates(before, at)
        self._happen()
        return block

    def _oracle(self, coming: Mapping[FaultKind, Fault]) -> dict[str, Decimal | float]:
        """Oracle prices of the coming block where they are not the mid of one block ago."""
        was_premium = FaultKind.BOOK_PREMIUM in self.trouble.in_force
        if not coming and not was_premium:
            return {}
        told: dict[str, Decimal | float] = {}
        if was_premium and self._plain:
            told.update(self._plain[-1])
        lag = coming.get(FaultKind.ORACLE_LAGS)
        if lag is not None and self._plain:
            old = self._plain[max(len(self._plain) - 1 - lag.lag, 0)]
            told.update({t: p for t, p in old.items() if lag.concerns(t)})
        for ticker, market in self.chain.committed.markets.items():
            now = self._plain[-1][ticker] if self._plain else self.path.prices(self.now)[ticker]
            for kind in (FaultKind.ORACLE_WRONG, FaultKind.ORACLE_JUMP):
                fault = coming.get(kind)
                if fault is not None and fault.concerns(ticker):
                    told[ticker] = now * float(1 + fault.size)
            frozen = coming.get(FaultKind.ORACLE_FROZEN)
            if frozen is not None and frozen.concerns(ticker):
                told[ticker] = Decimal(market.price).scaleb(market.spec.oracle_exponent)
        return told

    def _happen(self) -> None:
        """What faults do between blocks: the stage first, since messages queue for the next."""
        in_force = self.trouble.in_force
        late = in_force.get(FaultKind.EXECUTION_LATE)
        self.chain.set_execution_delay(0 if late is None else late.lag)
        self.chain.set_starting(is_starting=FaultKind.NODE_RESTARTED in in_force)
        if in_force or self._changed_books:
            self._set_books(in_force)
        is_gate_old = self.trouble.block % GATE_RENEWED_BLOCKS == 0
        if self.trouble.take(FaultKind.GATE_UP) or (FaultKind.GATE_UP in in_force and is_gate_old):
            self.chain.record_outage()
        settled = self.trouble.take(FaultKind.MARKET_SETTLED)
        if settled is not None:
            self._settle(settled)
        if self._victim is not None:
            for kind in accidents.IN_ORDER:
                fault = self.trouble.take(kind)
                if fault is not None:
                    accidents.befall(self.chain, self._victim, fault)
        halt = self.trouble.take(FaultKind.CHAIN_HALT)
        if halt is not None:
            latest = Millis(self.path.end - self.block_time)
            until = min(latest, Millis(self.now + halt.length_s * SECOND))
            self._halted_until = until if until > self.now else None

    def _settle(self, fault: Fault) -> None:
        """Put a market under final settlement; the last one, where the fault names none."""
        known = tuple(self.chain.committed.markets)
        ticker = known[-1] if fault.ticker is None else fault.ticker
        if ticker in known:
            self.chain.set_status(ticker, MarketStatus.FINAL_SETTLEMENT)

    def _set_books(self, in_force: Mapping[FaultKind, Fault]) -> None:
        """Quotes and depths as the faults of this block want them, and back when they end."""
        if not self._changed_books and not any(kind in in_force for kind in BOOK_KINDS):
            return
        changed = set()
        for ticker, calm in self._calm_depth.items():
            sides, depth = frozenset(Side), calm
            for kind in BOOK_KINDS:
                fault = in_force.get(kind)
                if fault is None or not fault.concerns(ticker):
                    continue
                changed.add(ticker)
                if kind is FaultKind.BOOK_EMPTY:
                    sides = frozenset()
                elif kind is FaultKind.BOOK_ONE_SIDED:
                    sides &= {Side.SELL}
                else:
                    left = QuoteQuantums(int(calm.per_ten_bps * fault.size))
                    depth = replace(calm, per_ten_bps=left)
            if ticker in changed or ticker in self._changed_books:
                self.chain.set_quoting(ticker, sides)
                self.chain.set_depth(ticker, depth)
        self._changed_books = frozenset(changed)

    def _wait_or_resume(self, until: Millis) -> Block:
        """Let the clock run; at the end of the halt make one block at the prices of before it."""
        self._clock = Millis(min(self.clock + HALT_TICK, until))
        if self._clock < until:
            return self.chain.latest
        length_s = (until - self.chain.time) // SECOND
        self._halted_until = None
        self.blocks += 1
        before = self.now
        block = self.chain.advance(until, {})
        self._follow_rates(before, until)
        if length_s >= OUTAGE_S:
            self.chain.record_outage()
        self._happen()
        return block
