"""The websocket: one connection that subscribes, notices gaps and silence, and comes back.

It brings the next tick forward and fills the mirror; it decides nothing. The stock client's socket
is not used: it blocks the loop, never reconnects, and does not check certificates.
Wire: ORDERS.md section 9.5.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from seawall.errors import MalformedAnswer, VenueError
from seawall.venue.dydx import fields
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.mirror import Change, Channel, Mirror
from seawall.venue.dydx.rpc import is_loopback

log = logging.getLogger(__name__)

PING_S = 5.0
OPEN_S = 5.0
CLOSE_S = 1.0
SILENCE_S = 10.0  # without a block the connection is given up
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 5.0
SUBSCRIBE_EVERY_S = 0.5  # the server closes at more than two a second for one channel and id


@dataclass(frozen=True, slots=True, order=True)
class Subscription:
    """A channel and its id; markets and block height have none."""

    channel: Channel
    name: str = ""

    @property
    def wire_name(self) -> str:
        """The id as the server writes it: the channel's own name where it has none."""
        return self.name or self.channel


class FeedFault(VenueError):
    """A reason to give up this connection and make another; it never leaves this module."""


@dataclass(slots=True)
class MessageIds:
    """Message ids of one connection: each is one more than the last, with two exceptions.

    `subscribed` carries the id of the moment of the request, so it may come late; an error does
    not advance the count, though the request it answers may have.
    """

    highest: int = -1
    asked: int = 0  # subscriptions whose ids may still be missing
    missing: set[int] = field(default_factory=set)

    def take(self, message_id: int) -> bool:
        """Whether the message is new; raises FeedFault for a gap."""
        if message_id in self.missing:
            self.missing.discard(message_id)
            return True
        if message_id <= self.highest:
            return False
        self.missing.update(range(self.highest + 1, message_id))
        self.highest = message_id
        if len(self.missing) > self.asked:
            raise FeedFault(f"messages {sorted(self.missing)} never came")
        return True


@dataclass(slots=True)
class _Live:
    """One connection's bookkeeping."""

    socket: ClientConnection
    sequence: MessageIds = field(default_factory=MessageIds)
    sent_at: dict[Subscription, float] = field(default_factory=dict)
    confirmed: set[Subscription] = field(default_factory=set)


class Feed:
    """Keeps a mirror up to date from the first host that answers.

    `on_change` is called for every message that matters, `on_live` for each confirmed
    subscription, since records of the time before it must be read elsewhere.
    """

    def __init__(
        self,
        urls: Sequence[str],
        mirror: Mirror,
        *,
        on_change: Callable[[Change], None],
        on_live: Callable[[Subscription], None],
        silence_s: float = SILENCE_S,
    ) -> None:
        assert urls
        self._urls = list(urls)
        self._mirror = mirror
        self._on_change = on_change
        self._on_live = on_live
        self._silence_s = silence_s
        self._wanted: dict[Subscription, None] = {}
        self._live: _Live | None = None
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._heard_block = 0.0
        self.connections = 0

    @property
    def is_live(self) -> bool:
        """Whether a connection is open now."""
        return self._live is not None

    def start(self) -> None:
        """Begin connecting, in the background."""
        assert self._task is None
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_report_end)

    def want(self, subscriptions: Sequence[Subscription]) -> None:
        """Make these the subscriptions, now and after every reconnection."""
        dropped = [known for known in self._wanted if known not in subscriptions]
        added = [new for new in subscriptions if new not in self._wanted]
        self._wanted = dict.fromkeys(subscriptions)
        for subscription in dropped:
            if subscription.channel is Channel.ORDER_BOOK:
                self._mirror.drop_book(subscription.name)
        if self._live is not None:
            for subscription in dropped:
                self._ask(self._live, subscription, "unsubscribe")
            for subscription in added:
                self._ask(self._live, subscription, "subscribe")

    def renew(self, subscription: Subscription) -> None:
        """Ask for a new snapshot of one subscription, where its picture is in doubt."""
        if self._live is not None and subscription in self._live.confirmed:
            self._ask(self._live, subscription, "unsubscribe")
            self._ask(self._live, subscription, "subscribe")

    async def close(self) -> None:
        """Close the connection and stop."""
        tasks = [*self._asking, *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        backoff = BACKOFF_FIRST_S
        while True:
            url = self._urls[0]
            heard = self._mirror.heard_at
            try:
                await self._converse(url)
            except (FeedFault, OSError, InvalidURI, InvalidHandshake, WebSocketException) as error:
                reason = str(error) or type(error).__name__
                log.warning("event=feed_lost url=%s reason=%s", url, reason)
            except Exception:  # whatever a stranger's message does, the next connection is tried
                log.exception("event=feed_lost url=%s", url)
            finally:
                self._live = None
                self._mirror.forget_live()
            self._urls.append(self._urls.pop(0))
            backoff = (
                BACKOFF_FIRST_S
                if self._mirror.heard_at != heard
                else min(backoff * 2, BACKOFF_MOST_S)
            )
            # Jitter keeps many guards from returning to a restarted host at once.
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))

    async def _converse(self, url: str) -> None:
        async with connect(
            url,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_S,
            open_timeout=OPEN_S,
            max_size=None,
            compression=None,
            proxy=None if is_loopback(url) else True,
        ) as socket:
            live = _Live(socket)
            self._live = live
            self.connections += 1
            self._heard_block = asyncio.get_running_loop().time()
            log.info("event=feed_connected url=%s", url)
            for subscription in self._wanted:
                self._ask(live, subscription, "subscribe")
            while True:
                self._take(live, await self._next(socket))

    async def _next(self, socket: ClientConnection) -> str | bytes:
        try:
            async with asyncio.timeout_at(self._heard_block + self._silence_s):
                return await socket.recv()
        except TimeoutError:
            raise FeedFault(f"no block for {self._silence_s:g} s") from None

    def _take(self, live: _Live, raw: str | bytes) -> None:
        try:
            message = fields.mapping(json.loads(raw), "message")
            kind = fields.text(message, "type")
            if kind == "error":
                self._refused(live, message)
                return
            if not live.sequence.take(fields.integer(message, "message_id")):
                return
            if kind in ("subscribed", "channel_data", "channel_batch_data"):
                self._apply(live, kind, message)
        except (ValueError, RecursionError, MalformedAnswer) as error:  # no JSON, no text, no end
            raise FeedFault(f"a message cannot be read: {error}") from error

    def _apply(self, live: _Live, kind: str, message: Fields) -> None:
        name = fields.text(message, "channel")
        if name not in Channel.__members__.values():
            return
        channel = Channel(name)
        said = fields.text(message, "id") if "id" in message else channel.value
        subscription = Subscription(channel, "" if said == channel else said)
        if subscription not in self._wanted:
            return
        contents = message.get("contents")
        if kind == "subscribed":
            live.sequence.asked = max(0, live.sequence.asked - 1)
            live.confirmed.add(subscription)
            change = self._mirror.apply_snapshot(
                channel, said, fields.mapping(contents, "contents")
            )
            self._told(change)
            self._on_live(subscription)
            return
        if subscription not in live.confirmed:
            return  # the snapshot comes first; what it misses is found by comparing with the node
        batch = (
            fields.sequence(contents, "contents") if kind == "channel_batch_data" else [contents]
        )
        for part in batch:
            self._told(self._mirror.apply_update(channel, said, fields.mapping(part, "contents")))

    def _told(self, change: Change) -> None:
        if change is Change.BLOCK:
            self._heard_block = asyncio.get_running_loop().time()
        self._on_change(change)

    def _refused(self, live: _Live, message: Fields) -> None:
        log.warning("event=feed_error message=%s", message.get("message"))
        # The server does not always say which; whatever is unconfirmed is asked for again, and
        # the ids that the failed requests took may stay missing.
        for subscription in self._wanted:
            if subscription not in live.confirmed:
                self._ask(live, subscription, "subscribe")

    def _ask(self, live: _Live, subscription: Subscription, verb: str) -> None:
        task = asyncio.create_task(self._send(live, subscription, verb))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _send(self, live: _Live, subscription: Subscription, verb: str) -> None:
        loop = asyncio.get_running_loop()
        if verb == "subscribe":
            free_at = live.sent_at.get(subscription, -SUBSCRIBE_EVERY_S) + SUBSCRIBE_EVERY_S
            live.sent_at[subscription] = max(free_at, loop.time())
            await asyncio.sleep(max(0.0, free_at - loop.time()))
            live.sequence.asked += 1
        else:
            live.confirmed.discard(subscription)
        request: dict[str, object] = {"type": verb, "channel": subscription.channel.value}
        if subscription.name:
            request["id"] = subscription.name
        if verb == "subscribe":
            request["batched"] = False
        # A connection that has just gone needs no request: the next one replays them all.
        with suppress(WebSocketException):
            await live.socket.send(json.dumps(request))


def _report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("event=feed_dead reason=%r", task.exception())
