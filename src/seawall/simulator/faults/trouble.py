"""Which faults are in force at which block of a chain that is being played."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seawall.simulator.chain import Chain
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.units import SECOND, Millis

NOTHING: Mapping[FaultKind, Fault] = {}


class Trouble:
    """The live side of a schedule: it counts blocks, notes what was sent, and holds late ones."""

    def __init__(self, chain: Chain, faults: Faults) -> None:
        self._chain = chain
        self._origin = chain.height
        self._fixed = tuple(one for one in faults.faults if one.when is When.START)
        self._waiting = tuple(one for one in faults.faults if one.when is not When.START)
        self._since: dict[When, int] = {}
        self._known: tuple[int, Mapping[FaultKind, Fault]] = (-1, NOTHING)
        self._late: list[tuple[int, Callable[[], object]]] = []
        self._kinds = frozenset(one.kind for one in faults.faults)
        self._taken: set[int] = set()

    @property
    def block(self) -> int:
        """How many blocks have been played."""
        return self._chain.height - self._origin

    @property
    def height(self) -> int:
        """The chain's newest height."""
        return self._chain.height

    @property
    def is_calm(self) -> bool:
        """Whether nothing is in force now or under way."""
        return not self.in_force and not self._late

    @property
    def in_force(self) -> Mapping[FaultKind, Fault]:
        """The faults of this block; of one kind, the one written first."""
        block = self.block
        if self._known[0] != block:
            self._known = (block, self._at(block) or NOTHING)
        return self._known[1]

    def of(self, kind: FaultKind) -> Fault | None:
        """The fault of a kind that is in force; None where there is none."""
        return self.in_force.get(kind)

    def told(self, time: Millis) -> Millis:
        """A moment as it is told to an agent whose clock is off: behind by what that is ahead."""
        skew = self.of(FaultKind.CLOCK_SKEW)
        return time if skew is None else Millis(time - skew.length_s * SECOND)

    def at_block(self, block: int) -> Mapping[FaultKind, Fault]:
        """The faults of another block, as far as is known now."""
        return self._at(block)

    def spans(self, kind: FaultKind) -> tuple[range, ...]:
        """The heights at which faults of a kind are in force, as far as is known now."""
        return tuple(
            range(begin + one.first, begin + one.last + 1)
            for one, begin in self._begun()
            if one.kind is kind
        )

    def lag(self, kind: FaultKind) -> int:
        """How late faults of a kind are, in blocks; 0 where none has begun."""
        return max((one.lag for one, _ in self._begun() if one.kind is kind), default=0)

    def note(self, *moments: When) -> None:
        """Something happened that faults may wait for; only its first time counts."""
        for moment in moments:
            if moment not in self._since:
                self._since[moment] = self._chain.height
                self._known = (-1, NOTHING)

    def begins(self, fault: Fault) -> bool:
        """Whether this block is a fault's first."""
        return any(
            one is fault and begin + one.first == self._chain.height for one, begin in self._begun()
        )

    def take(self, kind: FaultKind) -> Fault | None:
        """The next fault of a kind that has begun and was not taken yet; None where there is none.

        For what happens once, between two blocks: it is not missed where its only block is the one
        that was just made, as with `when: reduce, first: 0`.
        """
        if kind not in self._kinds:
            return None
        height = self._chain.height
        for one, begin in self._begun():
            if one.kind is kind and begin + one.first <= height and id(one) not in self._taken:
                self._taken.add(id(one))
                return one
        return None

    def later(self, blocks: int, call: Callable[[], object]) -> None:
        """Have something done some blocks from now."""
        self._late.append((self._chain.height + blocks, call))

    def deliver(self) -> None:
        """Do what is due."""
        if self._late:
            height = self._chain.height
            due = [call for at, call in self._late if at <= height]
            self._late = [(at, call) for at, call in self._late if at > height]
            for call in due:
                call()

    def _at(self, block: int) -> dict[FaultKind, Fault]:
        height = self._origin + block
        found: dict[FaultKind, Fault] = {}
        for one, begin in self._begun():
            if begin + one.first <= height <= begin + one.last:
                found.setdefault(one.kind, one)
        return found

    def _begun(self) -> list[tuple[Fault, int]]:
        """Faults whose blocks are known, with the height they count from."""
        begun = [(one, self._origin) for one in self._fixed]
        if self._since:
            begun += [(o, self._since[o.when]) for o in self._waiting if o.when in self._since]
        return begun
