"""The venue in process on a bad day: between the chain and the agent stand a node and an indexer.

The same schedule drives `play.FaultyPlayer`, which does to the chain what is done to the chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from seawall.account import Blind, KeyReach, Observation, Seen
from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.simulator.ante import Ante
from seawall.simulator.faults import advice
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.local import LocalVenue
from seawall.simulator.messages import ACCEPTED, CheckResult, Message
from seawall.simulator.transactions import refuse_message
from seawall.units import SECOND, Millis, QuoteQuantums
from seawall.venue import Reply

KEPT = 128  # observations kept for whoever shows old ones
NO_REACH = KeyReach(subaccounts=frozenset(), clob_pairs=frozenset())
LOST = Reply(is_unknown=True, log="no answer within the deadline")
UNAVAILABLE = Reply(is_unknown=True, log="UNAVAILABLE: connection refused")
NO_AUTHENTICATOR = Reply(code=1, codespace="dydxaccountplus", log="authenticator not found")
SMART_OFF = Reply(code=4, codespace="dydxaccountplus", log="smart account is not active")
LOSING = {FaultKind.ACCEPTED_LOST, FaultKind.NODE_FROZEN}
BLINDING = {
    FaultKind.NODE_UNAVAILABLE: "node: UNAVAILABLE",
    FaultKind.NODE_SYNCING: "node: catching up",
}


class FaultyVenue(LocalVenue):
    """One owner's view of a chain through a node and an indexer that fail as scheduled.

    Its clock is the player's, plus `delay`. While no fault is in force it is a LocalVenue.
    """

    def __init__(
        self,
        player: FaultyPlayer,
        owner: str,
        *,
        parent: int = 0,
        float_address: str | None = None,
        delay: Millis = Millis(0),
        gas_fee: QuoteQuantums = QuoteQuantums(0),
    ) -> None:
        super().__init__(
            player.chain,
            owner,
            parent=parent,
            float_address=float_address,
            delay=delay,
            gas_fee=gas_fee,
        )
        self._player = player
        self._trouble = player.trouble
        self._agent_delay = delay
        self._float_wallet = float_address
        self._told: deque[Observation] = deque(maxlen=KEPT)
        self._calls = 0

    async def observe(self) -> Seen:
        """State and advice as node and indexer show them; Blind where the node shows nothing."""
        return self.see()

    def see(self) -> Seen:
        """What `observe` gives, for callers without an event loop."""
        truth = self.look()
        if not self._told or self._told[-1].height != truth.height:
            self._told.append(truth)
        seen_at = Millis(self._player.clock + self._agent_delay)
        trouble = self._trouble
        if not trouble.in_force and not advice.leaves_marks(trouble):
            return truth if truth.seen_at == seen_at else replace(truth, seen_at=seen_at)
        skew = trouble.of(FaultKind.CLOCK_SKEW)
        if skew is not None:
            seen_at = Millis(seen_at + skew.length_s * SECOND)
        slow = trouble.of(FaultKind.NODE_SLOW)
        if slow is not None:
            seen_at = Millis(seen_at + slow.length_s * SECOND)
        blind = self._blindness()
        if blind is not None:
            return Blind(seen_at=seen_at, reasons=(blind,))
        state = self._state()
        shown = advice.distort(truth.advice, tuple(self._told), trouble)
        if FaultKind.KEY_REVOKED in trouble.in_force:
            shown = replace(shown, key_reach=NO_REACH)
        return replace(state, seen_at=seen_at, advice=shown)

    async def send(self, action: Action) -> Reply:
        """Send through the node; what is lost is lost as the schedule says."""
        self._trouble.note(When.SEND, _moment(action))
        refused = self._refused(action)
        if refused is not None:
            return refused
        in_force = self._trouble.in_force
        if FaultKind.SEQUENCE_MISMATCH in in_force and isinstance(action, TopUp):
            self._use_sequence()
        if FaultKind.NODE_UNAVAILABLE in in_force or FaultKind.NODE_SYNCING in in_force:
            return UNAVAILABLE
        if FaultKind.NODE_DROPS in in_force and self._is_dropped():
            return LOST
        if FaultKind.BROADCAST_LOST in in_force:
            return LOST
        slow = self._trouble.of(FaultKind.NODE_SLOW)
        if slow is not None:
            self._trouble.later(slow.lag, self._delivery(action))
            return LOST
        reply = self.submit(action)
        if FaultKind.DELIVERED_TWICE in in_force:
            reply = self.submit(action)
        return LOST if FaultKind.ANSWER_LOST in in_force else reply

    def _check(self, message: Message, ante: Ante | None = None) -> CheckResult:
        """CheckTx; a node that loses transactions judges their form and hands them to nobody."""
        if self._trouble.in_force.keys() & LOSING:
            return refuse_message(message) or ACCEPTED
        return super()._check(message, ante)

    def _blindness(self) -> str | None:
        """Why the node shows nothing; None where it shows something."""
        for kind, reason in BLINDING.items():
            if kind in self._trouble.in_force:
                return reason
        if FaultKind.NODE_DROPS in self._trouble.in_force and self._is_dropped():
            return "node: no answer within the deadline"
        return None

    def _is_dropped(self) -> bool:
        self._calls += 1
        return self._calls % 2 == 1

    def _state(self) -> Observation:
        """The observation whose state the node shows: the newest, or an older one."""
        newest = self._told[-1]
        frozen = self._trouble.of(FaultKind.NODE_FROZEN)
        height = newest.height
        if frozen is not None:
            since = next(
                span.start
                for span in self._trouble.spans(FaultKind.NODE_FROZEN)
                if newest.height in span
            )
            height = min(height, since - 1)
        behind = self._trouble.of(FaultKind.NODE_BEHIND)
        if behind is not None:
            height = min(height, newest.height - behind.lag)
        return advice.as_of(tuple(self._told), height)

    def _refused(self, action: Action) -> Reply | None:
        """What permissioned keys say; top-ups are signed by the wallet's own key."""
        if isinstance(action, TopUp):
            return None
        if FaultKind.SMART_ACCOUNTS_OFF in self._trouble.in_force:
            return SMART_OFF
        return NO_AUTHENTICATOR if FaultKind.KEY_REVOKED in self._trouble.in_force else None

    def _use_sequence(self) -> None:
        if self._float_wallet is not None:
            self._player.chain.increment_sequence(self._float_wallet)

    def _delivery(self, action: Action) -> Callable[[], object]:
        return lambda: self.submit(action)


def _moment(action: Action) -> When:
    match action:
        case Cancel():
            return When.CANCEL
        case Reduce():
            return When.REDUCE
        case TopUp():
            return When.TOP_UP
        case Backstop():
            return When.BACKSTOP
