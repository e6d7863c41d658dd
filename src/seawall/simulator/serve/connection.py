"""One websocket connection: its ids, its queue, its batches, its heartbeat.

`message_id` grows by one with every message; the server pings every 30 s and closes with 1011 when
no pong comes within 10 s. A reader that falls too far behind is cut off.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic
from typing import NamedTuple

from aiohttp import WSCloseCode, web

PING_EVERY_S = 30.0
PONG_WITHIN_S = 10.0
BATCH_EVERY_S = 0.25
SUBSCRIBES_A_SECOND = 2
BLUNDERS_A_SECOND = 2
PINGS_A_SECOND = 5
QUEUE_MOST = 20_000  # messages that wait for a slow reader


class Topic(NamedTuple):
    """What a subscription names; markets and block height are named after their channel."""

    channel: str
    name: str


class Delivery(Enum):
    """Whether news goes out at once or in batches."""

    AT_ONCE = "at once"
    BATCHED = "batched"


@dataclass(slots=True)
class Batch:
    """Contents that wait for the next flush, as JSON, of one version and child."""

    version: str
    child: int | None
    bodies: list[str] = field(default_factory=list)


class Allowance:
    """How often something may be done within a second, by key; `clock` gives seconds."""

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._done: dict[Hashable, deque[float]] = {}

    def takes(self, key: Hashable = None) -> bool:
        """Whether it may be done once more; what may not be done does not count."""
        now = self._clock()
        done = self._done.setdefault(key, deque())
        while done and done[0] <= now - 1:
            done.popleft()
        if len(done) >= self._most:
            return False
        done.append(now)
        return True


class Connection:
    """A client of the feed."""

    def __init__(self, socket: web.WebSocketResponse, name: str) -> None:
        self.name = name
        self.topics: dict[Topic, Delivery] = {}
        self.subscribing = Allowance(SUBSCRIBES_A_SECOND)  # by topic
        self.blundering = Allowance(BLUNDERS_A_SECOND)
        self.pinging = Allowance(PINGS_A_SECOND)
        self._socket = socket
        self._message_id = 0
        self._queue: asyncio.Queue[str | WSCloseCode] = asyncio.Queue(QUEUE_MOST)
        self._batches: dict[Topic, list[Batch]] = {}
        self._ponged = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Greet the client and start to write, flush and ping."""
        self._put(f'{{"type":"connected","connection_id":"{self.name}","message_id":0}}')
        loops = (self._write(), self._flush(), self._ping())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def close(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        """Stop writing and close the socket; idempotent."""
        mine = asyncio.current_task()
        for task in self._tasks:
            if task is not mine:
                task.cancel()
        await self._socket.close(code=code)

    def cut(self, code: int = WSCloseCode.INTERNAL_ERROR) -> None:
        """Close the connection as a server that crashed does, without waiting for it."""
        for task in self._tasks:
            task.cancel()
        self._tasks = [asyncio.create_task(self.close(code))]

    def expel(self, message: str) -> None:
        """Say what was done too often, and close the connection for it."""
        self.refuse(message)
        self._put(WSCloseCode.POLICY_VIOLATION)

    def pong(self) -> None:
        """Take note that the client answered a ping."""
        self._ponged.set()

    @property
    def newest_id(self) -> int:
        """The last id that was given to a message."""
        return self._message_id

    def take_id(self) -> int:
        """The next id, for an answer that comes later."""
        self._message_id += 1
        return self._message_id

    def subscribed(self, topic: Topic, contents: Mapping[str, object], message_id: int) -> None:
        """Confirm a subscription with its snapshot, under the id it had when it was asked for."""
        body = json.dumps(contents, separators=(",", ":"))
        self._put(f'{self._head("subscribed", topic, message_id)},"contents":{body}}}')

    def unsubscribed(self, topic: Topic) -> None:
        """Confirm that a subscription ended."""
        self._batches.pop(topic, None)
        self._put(f"{self._head('unsubscribed', topic)}}}")

    def refuse(self, message: str) -> None:
        """Say what was wrong with a message; the id does not advance."""
        error = {
            "type": "error",
            "message": message,
            "connection_id": self.name,
            "message_id": self._message_id,
        }
        self._put(json.dumps(error))

    def tell(self, topic: Topic, version: str, body: str, child: int | None) -> None:
        """Send contents (JSON) of a topic this client listens to."""
        if self.topics[topic] is Delivery.AT_ONCE:
            tail = "" if child is None else f',"subaccountNumber":{child}'
            self._put(
                f'{self._head("channel_data", topic)},"version":"{version}","contents":{body}'
                f"{tail}}}"
            )
            return
        batches = self._batches.setdefault(topic, [])
        if not batches or (batches[-1].version, batches[-1].child) != (version, child):
            batches.append(Batch(version=version, child=child))
        batches[-1].bodies.append(body)

    def _head(self, kind: str, topic: Topic, message_id: int | None = None) -> str:
        """The opening of a message, with the next id or a given one, without its closing brace."""
        number = self.take_id() if message_id is None else message_id
        return (
            f'{{"type":"{kind}","connection_id":"{self.name}","message_id":{number},'
            f'"channel":"{topic.channel}","id":{json.dumps(topic.name)}'
        )

    def _put(self, message: str | WSCloseCode) -> None:
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.cut(WSCloseCode.POLICY_VIOLATION)

    async def _write(self) -> None:
        try:
            while isinstance(message := await self._queue.get(), str):
                await self._socket.send_str(message)
            await self.close(message)
        except ConnectionError:
            return  # the reader is gone; its receive loop ends the connection

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(BATCH_EVERY_S)
            waiting, self._batches = self._batches, {}
            for topic, batches in waiting.items():
                for batch in batches:
                    tail = "" if batch.child is None else f',"subaccountNumber":{batch.child}'
                    self._put(
                        f"{self._head('channel_batch_data', topic)},"
                        f'"version":"{batch.version}","contents":[{",".join(batch.bodies)}]{tail}}}'
                    )

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self._ponged.clear()
            try:
                await self._socket.ping()
                async with asyncio.timeout(PONG_WITHIN_S):
                    await self._ponged.wait()
            except (TimeoutError, ConnectionError):
                await self.close(WSCloseCode.INTERNAL_ERROR)
                return
