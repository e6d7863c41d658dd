"""A bad day for tests: Alice is long BTC on a falling path, seen through a venue that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from seawall.account import Blind, Observation, Seen, Side
from seawall.action import Reduce, TopUp, client_id, good_til_block, window_of
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.faults.local import FaultyVenue
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.prices import Line, Path, Point
from seawall.units import HOUR, SECOND, BaseQuantums, Millis, QuoteQuantums, Subticks
from seawall.venue import Reply
from tests.simulator.stage import ALICE, COIN, DOLLAR, STEP, TICK

T0 = Millis(1_668_000_600_000)
FLOAT = "dydx1float"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A chain with its player and Alice's venue."""

    chain: Chain
    player: FaultyPlayer
    venue: FaultyVenue

    def play(self, blocks: int) -> list[Seen]:
        """Some blocks, looked at after each."""
        return [self.next() for _ in range(blocks)]

    def next(self) -> Seen:
        """One step and a look."""
        self.player.step()
        return self.venue.see()

    def look(self) -> Observation:
        """What is seen now, which is not nothing."""
        seen = self.venue.see()
        assert isinstance(seen, Observation)
        return seen

    def reduce(self, quantums: int = STEP, dollars: int = 80_000) -> Reply:
        """Sell a little, at a price that any book here pays."""
        window = window_of(self.chain.height)
        action = Reduce(
            subaccount=0,
            ticker="BTC-USD",
            clob_pair_id=0,
            side=Side.SELL,
            quantums=BaseQuantums(quantums),
            subticks=Subticks(dollars * TICK),
            window=window,
            good_til_block=good_til_block(window) + 6,
            client_id=client_id(self.chain.chain_id, ALICE.owner, 0, 0, window),
        )
        return asyncio.run(self.venue.send(action))

    def top_up(self, dollars: int = 100, *, ahead: int = 0) -> Reply:
        """Deposit from the float wallet with the sequence that is committed, or one ahead of it."""
        wallet = self.chain.committed.wallets[FLOAT]
        action = TopUp(
            subaccount=0,
            amount=QuoteQuantums(dollars * DOLLAR),
            sequence=wallet.sequence + ahead,
            account_number=wallet.account_number,
            timeout_height=self.chain.height + 20,
        )
        return asyncio.run(self.venue.send(action))

    @property
    def size(self) -> int:
        """Alice's BTC on the chain."""
        return self.chain.committed.subaccount(ALICE.owner, 0).quantums(0)


def day_of(*faults: Fault, falls_to: float = 99_000.0, dollars: int = 20_000) -> Day:
    """Alice with half a BTC; the price falls evenly over ten minutes, then rests for hours."""
    btc = Line([Point(T0, 100_000.0), Point(Millis(T0 + 600 * SECOND), falls_to)])
    still = {"ETH-USD": Line([Point(T0, 4_000.0)]), "SOL-USD": Line([Point(T0, 200.0)])}
    path = Path({"BTC-USD": btc, **still}, start=T0, end=Millis(T0 + 24 * HOUR))
    chain = setup.chain_on(path)
    setup.fund(chain, ALICE.owner, 0, Decimal(dollars))
    setup.fund_wallet(chain, FLOAT, Decimal(1_000))
    setup.fund_wallet(chain, ALICE.owner, Decimal(100))
    chain.assign(ALICE, "BTC-USD", BaseQuantums(COIN // 2))
    player = FaultyPlayer(chain, path, Faults(faults=faults), victim=ALICE)
    venue = FaultyVenue(player, ALICE.owner, float_address=FLOAT)
    return Day(chain=chain, player=player, venue=venue)


def observed(seen: Seen) -> Observation:
    """An observation, where one was expected."""
    assert not isinstance(seen, Blind)
    return seen
