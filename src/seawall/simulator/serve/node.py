"""The running venue behind its wires: the chain with its player, admission, memory and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from seawall.simulator.book import Shape
from seawall.simulator.events import Block
from seawall.simulator.play import AWAKE, Player
from seawall.simulator.serve.chronicle import Chronicle
from seawall.simulator.serve.queries import Constants
from seawall.simulator.serve.records import Noted, Records
from seawall.simulator.serve.score import Scoreboard
from seawall.simulator.serve.shapes import levels
from seawall.simulator.state import State
from seawall.simulator.transactions import Admission
from seawall.units import Millis, oracle_dollars

NODE_VERSION = "9.8.1"

Levels = list[tuple[str, str]]  # price and size, best first


class NoSuchHeight(Exception):
    """A pinned read asks for a height that this node does not hold; the text is the node's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A block with the states around it and what the indexer makes of it."""

    block: Block
    state: State
    noted: Noted


class Node:
    """One chain as its clients see it; whoever holds it makes the blocks."""

    def __init__(self, player: Player, names: Mapping[str, str] | None = None) -> None:
        chain = player.chain
        self.player = player
        self.chain = chain
        self.shown_height: Callable[[int], int] = lambda newest: newest  # of pinned reads
        self.constants = Constants(settings=chain.settings, version=NODE_VERSION)
        self.admission = Admission(chain)
        self.records = Records(chain.committed)
        self.chronicle = Chronicle(chain.committed)
        self._shown: dict[str, tuple[Shape, tuple[Levels, Levels]]] = {}  # books as text
        self.scores = Scoreboard(chain.committed, names or {})

    @property
    def state(self) -> State:
        """The newest committed state."""
        return self.chain.committed

    def at_height(self, height: int) -> State:
        """The committed state of a height, the newest for 0; raises NoSuchHeight."""
        newest = self.shown_height(self.chain.height)
        if height == 0 and newest == self.chain.height:
            return self.state
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
        return state

    def book(self, ticker: str) -> tuple[Levels, Levels]:
        """Bids and asks of a market at the newest block; the same object while it does not move."""
        shape = self.chain.book(ticker)
        shown = self._shown.get(ticker)
        if shown is None or shown[0] is not shape:
            market = self.state.markets[ticker]
            book = levels(market, shape.bids), levels(market, shape.asks)
            self._shown[ticker] = shown = (shape, book)
        return shown[1]

    def step(self, idle_until: Millis = AWAKE) -> News | None:
        """Make the next block; None when there is none, for prices are over or the chain halts."""
        before = self.state
        block = self.player.step(idle_until)
        if block is None or block.height == before.height:
            return None
        state = self.state
        self.admission.note(block)
        self.scores.note(block, before, state)
        noted = self.records.note(block, state)
        mids = {ticker: self._mid(ticker) for ticker in state.markets}
        self.chronicle.note(block, state, noted, mids)
        return News(block=block, state=state, noted=noted)

    def _mid(self, ticker: str) -> Decimal:
        """The house's mid in dollars per coin."""
        exponent = self.state.markets[ticker].spec.oracle_exponent
        return oracle_dollars(self.chain.book(ticker).mid, exponent)
