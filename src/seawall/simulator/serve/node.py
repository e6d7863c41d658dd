"""The running venue behind its wires: the chain with its player, admission and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from seawall.simulator.book import Shape
from seawall.simulator.events import Block
from seawall.simulator.messages import Message
from seawall.simulator.play import AWAKE, Player
from seawall.simulator.serve.queries import Constants
from seawall.simulator.serve.score import Scoreboard
from seawall.simulator.state import State
from seawall.simulator.transactions import Admission
from seawall.units import Millis

NODE_VERSION = "9.8.1"


class NoSuchHeight(Exception):
    """A pinned read asks for a height that this node does not hold; the text is the node's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A block with the state and the books after it."""

    block: Block
    state: State
    shapes: Mapping[str, Shape]


class Node:
    """One chain as its clients see it; whoever holds it makes the blocks."""

    def __init__(self, player: Player, names: Mapping[str, str] | None = None) -> None:
        chain = player.chain
        self.player = player
        self.chain = chain
        self.shown_height: Callable[[int], int] = lambda newest: newest  # of pinned reads
        self.is_failing: Callable[[], bool] = lambda: False  # whether it may hide the newest block
        self.on_accepted: Callable[[tuple[Message, ...]], None] = lambda _: None
        self.shown_state: Callable[[State], State] = lambda state: state
        self.constants = Constants(settings=chain.settings, version=NODE_VERSION)
        self.admission = Admission(chain)
        self._fills_told = len(chain.history.fills)
        self.scores = Scoreboard(chain.committed, names or {})

    @property
    def state(self) -> State:
        """The newest committed state."""
        return self.chain.committed

    def at_height(self, height: int) -> State:
        """The committed state of a height, the newest for 0; raises NoSuchHeight."""
        newest = self.shown_height(self.chain.height)
        if height == 0 and newest == self.chain.height:
            return self.shown_state(self.state)
        height = height or newest
        if height > newest:
            raise NoSuchHeight(
                "cannot query with height in the future; please provide a valid height: "
                f"{height} (latest height: {newest}): invalid height"
            )
        state = self.chain.at_height(height)
        if state is None:
            raise NoSuchHeight(
                f"failed to load state at height {height}; version does not exist "
                f"(latest height: {newest}): invalid request"
            )
        return self.shown_state(state)

    @property
    def newest(self) -> Sealed:
        """The newest block as it stands, stage included."""
        shapes = {ticker: self.chain.book(ticker) for ticker in self.state.markets}
        return Sealed(block=self.chain.latest, state=self.state, shapes=shapes)

    def step(self, idle_until: Millis = AWAKE) -> Sealed | None:
        """Make the next block; None when there is none, for prices are over or the chain halts."""
        before = self.state
        block = self.player.step(idle_until)
        if block is None or block.height == before.height:
            return None
        self.admission.note(block)
        self.scores.note(block, before, self.state)
        return replace(self.newest, block=self._with_all_fills(block))

    def _with_all_fills(self, block: Block) -> Block:
        """The block with the fills that accidents added to it after it was sealed."""
        fills = tuple(fill for _, fill in self.chain.history.fills[self._fills_told :])
        self._fills_told += len(fills)
        return block if len(fills) == len(block.fills) else replace(block, fills=fills)
