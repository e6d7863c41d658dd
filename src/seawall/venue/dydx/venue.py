"""The venue of the real wires: state from a node, advice from feed and indexer, signed actions.

Where a venue plays prices (`step_url`), it owns the clocks: the agent's clock is the time of the
newest block, and the next block is made only when the guard has said that its tick is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from seawall import units
from seawall.account import PARENTS, Advice, Blind, Missing, Observation, Seen
from seawall.action import Action
from seawall.errors import MissingParameter, NoSuchSubaccount, VenueError
from seawall.units import Millis
from seawall.venue import Reply
from seawall.venue.dydx.broadcast import Broadcaster
from seawall.venue.dydx.chain_stops import ChainStops
from seawall.venue.dydx.connection import Connection, Keys, wall_clock
from seawall.venue.dydx.feed import SILENCE_S, Feed, Subscription
from seawall.venue.dydx.funding import FundingRates
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.indexer import Indexer
from seawall.venue.dydx.joined import differing
from seawall.venue.dydx.mirror import Change, Channel, Mirror
from seawall.venue.dydx.node import Block, Node, State, Wanted
from seawall.venue.dydx.parameters import Parameters
from seawall.venue.dydx.pool import Nodes
from seawall.venue.dydx.preflight import check_chain, check_family
from seawall.venue.dydx.records import stop_names
from seawall.venue.dydx.signatory import Signatory
from seawall.venue.dydx.steps import Steps

log = logging.getLogger(__name__)

PARAMETERS_AGE_MOST_S = 300.0
FEED_WAIT_S = 5.0  # in a played venue, for the advice of the node's block
PLAYED_SILENCE_S = 120.0  # a played venue waits for the guard, so silence is no fault
BACKFILL_PAUSE_S = 5.0


class DydxVenue:
    """A venue over the wires of dYdX v4; see seawall.venue.Venue for the contract.

    To be made, used and closed in one event loop.
    """

    def __init__(
        self,
        connection: Connection,
        keys: Keys | None = None,
        *,
        clock: Callable[[], Millis] = wall_clock,
    ) -> None:
        self._connection = connection
        self._keys = keys if keys is not None else Keys()
        self._signatory = Signatory(connection, self._keys)
        self._wall = clock
        self._is_played = connection.step_url is not None
        self._numbers = tuple(sorted({connection.parent, *connection.children}))
        self.knows_family = bool(connection.children)  # remembered, or listed since
        self._markets = connection.markets
        is_timeless = self._is_played or connection.at_any_age
        self.nodes = Nodes(connection.nodes, None if is_timeless else clock)
        self._indexer = Indexer(connection.indexers)
        self._broadcaster = Broadcaster([node.wire for node in self.nodes.all])
        self._steps = Steps(connection.step_url, connection.guard)
        self._mirror = Mirror(connection.owner, self._now, chain_id=connection.chain_id)
        self._mirror.guard(self._numbers)
        self._stops = ChainStops(connection.chain_id, connection.owner)
        self._feed = Feed(
            connection.feeds,
            self._mirror,
            on_change=self._noticed,
            on_live=self._subscribed,
            silence_s=PLAYED_SILENCE_S if self._is_played else SILENCE_S,
        )
        self._funding = FundingRates(self._indexer, self._now)
        self._parameters: Parameters | None = None
        self._parameters_at = 0.0
        self._state: State | None = None
        self._changed = asyncio.Event()  # something a tick is due for
        self._heard = asyncio.Event()  # anything at all
        self._funding_read: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._funding_read.set_result(None)
        self._backfills: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Open the feed, which is tried again where it cannot be reached.

        A played venue is told that this guard is there: raises VenueUnreachable where it is not.
        """
        self._feed.want(self._subscriptions(frozenset()))
        self._feed.start()
        await self._steps.tell({})

    async def preflight(self) -> None:
        """Check that this is the right chain and that the guarded account exists.

        Raises SettingsError, NoSuchSubaccount, or VenueUnreachable.
        """
        await check_chain(self.nodes, self._connection.chain_id)
        owner, parent = self._connection.owner, self._connection.parent
        await check_family(self.nodes, self._indexer, owner, parent, self._numbers)

    @property
    def subaccounts(self) -> tuple[int, ...]:
        """The subaccounts guarded now, with the children found so far."""
        return self._numbers

    @property
    def block_height(self) -> int:
        """The newest block that the feed or a node has shown."""
        return max(self._mirror.height, 0 if self._state is None else self._state.block.height)

    @property
    def grids(self) -> Mapping[str, Grid]:
        """Every market that the chain lists, by ticker; none before the first observation."""
        listings = () if self._parameters is None else self._parameters.listings.values()
        return {listing.grid.ticker: listing.grid for listing in listings}

    def watch(self, markets: Iterable[str]) -> None:
        """Read these markets too, even where nothing is held in them."""
        self._markets |= frozenset(markets)

    def go_on_from(self, height: int, markets: Iterable[str]) -> None:
        """Show what changed since a height at which these markets were held, seen by nobody."""
        self.watch(markets)
        self._mirror.keep_fills_from(height)

    async def observe(self) -> Seen:
        """State at one height with the newest advice, or Blind with the reason; never raises."""
        self._changed.clear()
        try:
            state = await self._read_state()
        except VenueError as error:
            return Blind(seen_at=self._now(), reasons=(str(error),))
        self._state = state
        tickers = self._tickers(state)
        self._mirror.watched = tickers
        self._feed.want(self._subscriptions(tickers))
        if self._is_played:
            await self._feed_shows(state.block.height, tickers)
            await self._funding.refresh(tickers)
        elif self._funding_read.done() and self._funding.due(tickers):
            self._funding_read = asyncio.create_task(self._funding.refresh(tickers))
        return self._observation(state)

    async def observe_with_rates(self) -> Seen:
        """The same where no feed is heard, once the funding rates that it lacked have been read."""
        try:
            self._mirror.apply_snapshot(
                Channel.MARKETS, "", {"markets": await self._indexer.markets()}
            )
        except (VenueError, NoSuchSubaccount) as error:
            log.info("event=current_rates_not_read reason=%s", error)
        seen = await self.observe()
        await asyncio.wait({self._funding_read})
        if isinstance(seen, Blind) or self._state is None:
            return seen
        return self._observation(self._state)

    async def send(self, action: Action) -> Reply:
        """Sign an action and send it to every node; a refusal or a lost answer is a reply."""
        parameters = self._parameters
        encoded = self._signatory.sign(
            action,
            account_number=None if parameters is None else parameters.owner_account.number,
            authenticator=None if parameters is None else parameters.key.authenticator,
            height=self.block_height,
            at=self._block_at,
        )
        if isinstance(encoded, Reply):
            return encoded
        return await self._broadcaster.send(encoded)

    async def wait_for_change(self, timeout: Millis) -> None:
        """Return when something changed since the last observation began, or after the timeout.

        In a played venue: when a block came after the one observed.
        """
        try:
            async with asyncio.timeout(timeout / units.SECOND):
                if not self._is_played:
                    await self._changed.wait()
                    return
                while self._state is None or self._mirror.height <= self._state.block.height:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Tell a played venue that the tick of `height` is done; does nothing elsewhere.

        `idle_until` is the next block time at which a tick could differ with every input at rest
        (None: never), so that calm blocks may be jumped over. Raises VenueUnreachable.
        """
        await self._steps.tell({"height": height, "idle_until": idle_until})

    async def refresh_parameters(self) -> None:
        """Look for new children and read the slow parameters again; raises VenueError."""
        await self._discover()
        await self._read_parameters()

    async def reconcile(self) -> None:
        """Renew the feed's picture of a subaccount that differs from the node's at one height.

        What it tells of our stops is held against the chain's; raises VenueError.
        """
        shown, state = self._mirror.sizes(), self._state
        if isinstance(shown, Missing) or state is None:
            return
        if shown.height == state.block.height:
            for number in differing(state.subaccounts, shown):
                log.warning("event=feed_differs subaccount=%d", number)
                self._feed.renew(self._subaccount_feed(number))
        slots = [(s.number, self.grids[p.ticker]) for s in state.subaccounts for p in s.positions]
        await self._stops.read(self.nodes, self._mirror.height, slots, self._mirror.orders())

    async def close(self) -> None:
        """Release sockets; idempotent."""
        background = [self._funding_read, *self._backfills.values()]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._steps.close()
        await self._feed.close()
        await self._broadcaster.close()
        await asyncio.gather(self._indexer.close(), self.nodes.close())

    @property
    def _block_at(self) -> Millis:
        seen = Millis(0) if self._state is None else self._state.block.at
        return max(self._mirror.block_at, seen)

    def _now(self) -> Millis:
        return self._block_at if self._is_played else self._wall()

    def _noticed(self, change: Change) -> None:
        self._heard.set()
        match change:
            case Change.NOTHING | Change.BOOK:
                return
            case Change.ACCOUNT | Change.PRICE | Change.BLOCK:
                self._changed.set()
            case _:
                assert_never(change)

    def _subscribed(self, subscription: Subscription) -> None:
        if subscription.channel is Channel.SUBACCOUNTS:
            number = int(subscription.name.rpartition("/")[2])
            before = self._backfills.get(number)
            if before is not None:
                before.cancel()
            self._backfills[number] = asyncio.create_task(self._backfill(number))

    async def _backfill(self, number: int) -> None:
        owner = self._connection.owner
        while True:
            try:
                fills, transfers = await asyncio.gather(
                    self._indexer.fills(owner, number), self._indexer.transfers(owner, number)
                )
                self._mirror.backfill(number, fills, transfers)
                self._heard.set()
            except Exception as error:  # noqa: BLE001 - without records fills stay unexplained
                log.warning("event=backfill_failed subaccount=%d reason=%r", number, error)
                await asyncio.sleep(BACKFILL_PAUSE_S)
            else:
                self._changed.set()
                return

    async def _discover(self) -> None:
        try:
            known = await self._indexer.subaccounts(self._connection.owner)
        except (VenueError, NoSuchSubaccount) as error:
            log.info("event=children_not_listed reason=%s", error)
            return
        self.knows_family = True
        family = {number for number in known if number % PARENTS == self._connection.parent}
        if new := sorted(family - set(self._numbers)):
            log.info("event=children_found numbers=%s", new)
            self._numbers = tuple(sorted({*self._numbers, *new}))
            self._mirror.guard(new)

    async def _read_parameters(self) -> None:
        connection, numbers = self._connection, self._numbers
        key = self._signatory.permit

        async def read(node: Node, block: Block) -> Parameters:
            return await node.parameters(
                owner=connection.owner,
                numbers=numbers,
                key=key,
                height=block.height,
            )

        read_parameters = await self.nodes.read(read, self._mirror.height)
        before = self._parameters
        if before is not None and read_parameters.key.is_unread:
            # The permission that was read last is still the best guess of what signs.
            read_parameters = replace(read_parameters, key=before.key)
        self._parameters = read_parameters
        self._parameters_at = asyncio.get_running_loop().time()
        self._mirror.know(listing.grid for listing in read_parameters.listings.values())
        names = stop_names(connection.chain_id, connection.owner, numbers, self.grids.values())
        self._mirror.recognise(names)

    async def _fresh_parameters(self) -> Parameters:
        age = asyncio.get_running_loop().time() - self._parameters_at
        if self._parameters is None:
            await self._discover()
        if self._parameters is None or age > PARAMETERS_AGE_MOST_S:
            await self._read_parameters()
        assert self._parameters is not None
        return self._parameters

    async def _read_state(self) -> State:
        try:
            return await self._read_state_with(await self._fresh_parameters())
        except MissingParameter:
            # Something was listed since the parameters were read.
            await self._read_parameters()
            return await self._read_state_with(await self._fresh_parameters())

    async def _read_state_with(self, parameters: Parameters) -> State:
        numbers = [parameters.perpetual_of(ticker) for ticker in self._tickers(self._state)]
        wanted = Wanted(
            owner=self._connection.owner,
            numbers=self._numbers,
            perpetuals=frozenset(number for number in numbers if number is not None),
            float_address=self._connection.float_address,
        )

        async def read(node: Node, block: Block) -> State:
            return await node.state(block, wanted, parameters)

        height, at = self._mirror.height, self._mirror.block_at
        told = Block(height=height, at=at) if height else None
        return await self.nodes.read(read, height, told=told)

    def _tickers(self, state: State | None) -> frozenset[str]:
        subaccounts = () if state is None else state.subaccounts
        held = {p.ticker for subaccount in subaccounts for p in subaccount.positions}
        return self._markets | held | self._mirror.order_tickers() | self._mirror.fill_tickers()

    def _subaccount_feed(self, number: int) -> Subscription:
        return Subscription(Channel.SUBACCOUNTS, f"{self._connection.owner}/{number}")

    def _subscriptions(self, tickers: frozenset[str]) -> list[Subscription]:
        wanted = [Subscription(Channel.BLOCK_HEIGHT), Subscription(Channel.MARKETS)]
        if self._parameters is not None:  # without them sizes cannot be read
            wanted += [self._subaccount_feed(number) for number in self._numbers]
            wanted += [Subscription(Channel.ORDER_BOOK, ticker) for ticker in sorted(tickers)]
        return wanted

    async def _feed_shows(self, height: int, tickers: frozenset[str]) -> None:
        try:
            async with asyncio.timeout(FEED_WAIT_S):
                while self._mirror.lacks(height, tickers) is not None:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            lacking = self._mirror.lacks(height, tickers)
            log.warning("event=feed_behind height=%d lacking=%s", height, lacking)

    def _observation(self, state: State) -> Observation:
        assert self._parameters is not None
        mirror = self._mirror
        return Observation(
            chain_id=self._connection.chain_id,
            owner=self._connection.owner,
            height=state.block.height,
            at=state.block.at,
            seen_at=self._now(),
            markets=state.markets,
            subaccounts=state.subaccounts,
            taker_fee_ppm=self._parameters.taker_fee_ppm,
            float_wallet=state.float_wallet,
            transfers_blocked_until=state.blocked_until,
            equity_tiers=self._parameters.equity_tiers,
            advice=Advice(
                books=mirror.books(),
                orders=self._stops.corrected(mirror.orders()),
                fills=mirror.fills(),
                transfers=mirror.transfers(),
                funding=self._funding.told(mirror.next_funding),
                indexer_sizes=mirror.sizes(),
                key_reach=self._parameters.key.reach,
                key_faults=self._parameters.key.faults,
                tried=mirror.tries.told(),
            ),
        )
