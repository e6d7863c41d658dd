"""From the feed message of a block that breaks a rule to an order that the node has taken.

    python -m bench.reaction [--reactions 60] [--bare 300] [--polls 20] [--speed 20] [--json]

Over loopback sockets against a real `seawall venue` whose trader adds to the largest position every
few blocks, all in one run: the guard as it is (feed, pinned read at one height, plan, durable row,
signature, gRPC); a bare loop with no logic (feed, signature, gRPC); a script that asks the node
once a second, then signs and sends. Milliseconds from the arrival of the block's message; the
guard's also by stage. The venue's own work for a signed order is part of all three.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from seawall.account import Observation, Seen, Side
from seawall.action import Action, Reduce, good_til_block, window_of
from seawall.agent import Agent, TickRow
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile.load import parse
from seawall.units import BaseQuantums, Millis, Subticks
from seawall.venue import Reply
from seawall.venue.dydx.broadcast import broadcast_to
from seawall.venue.dydx.connection import Connection, Keys
from seawall.venue.dydx.keys import load_key
from seawall.venue.dydx.orders import Signer, sign_reduce
from seawall.venue.dydx.rpc import Wire
from seawall.venue.dydx.venue import DydxVenue

ROOT = Path(__file__).parents[1]
EVERY = 12  # blocks between two additions by hand: two windows, so that the one before is settled
FIRST = 36  # block of the first one, once the guard is warm
POLL_S = 1.0
BY_HAND = 1  # the account that the bare loop and the script trade
LIMIT = Decimal("3.05")
RULES = f"""\
budgets: {{per_hour: {{notional: 100000%, orders: 100_000}}, per_day: {{cost: 100%}}}}
rules:
  - id: leverage
    why: "What a hand adds is cut back at once."
    measure: leverage
    trigger: "> {LIMIT}x"
    target: "<= 3x"
    for: 0s
    cooldown: 0s
    do: [page, {{reduce: {{until: target, max_slippage: 200bps}}}}]
"""


@dataclass(slots=True)
class Watch:
    """Moments of one process, in seconds of one clock, and what they add up to."""

    arrived: dict[int, float] = field(default_factory=dict)  # of a block's message, by height
    marks: dict[str, float] = field(default_factory=dict)  # of the tick under way
    reactions: list[dict[str, float]] = field(default_factory=list)  # milliseconds by stage

    def note_message(self, raw: str | bytes) -> None:
        """Note when a block was first told."""
        text = raw if isinstance(raw, str) else raw.decode()
        if "v4_block_height" not in text:
            return
        contents = json.loads(text).get("contents", {})
        height = contents.get("blockHeight") or contents.get("height")
        if height is not None:
            self.arrived.setdefault(int(height), time.perf_counter())

    def mark(self, name: str) -> None:
        """Note a moment of this tick."""
        self.marks[name] = time.perf_counter()

    def note_order(self, height: int) -> None:
        """An order of a state at that height was taken: the stages of its tick."""
        began = self.arrived.get(height)
        if began is None:
            return
        names = ("asked", "seen", "decided", "recorded", "sent")
        moments = [began, *(self.marks[name] for name in names)]
        stages = ("wait", "read", "decide", "record", "send")
        spans = [1_000 * (b - a) for a, b in pairwise(moments)]
        total = 1_000 * (moments[-1] - began)
        self.reactions.append(dict(zip(stages, spans, strict=True)) | {"total": total})


class WatchedVenue(DydxVenue):
    """The venue of a guard, with a watch on its calls."""

    clock_of: Watch
    last_height = 0
    is_first = True

    async def observe(self) -> Seen:
        """As the venue does it."""
        self.clock_of.mark("asked")
        seen = await super().observe()
        self.clock_of.mark("seen")
        if isinstance(seen, Observation):
            self.last_height = seen.height
        self.is_first = True
        return seen

    async def send(self, action: Action) -> Reply:
        """As the venue does it; the first order of a tick is the reaction."""
        reply = await super().send(action)
        if self.is_first and isinstance(action, Reduce) and reply.is_accepted:
            self.is_first = False
            self.clock_of.mark("sent")
            self.clock_of.note_order(self.last_height)
        return reply


class WatchedAgent(Agent):
    """A guard with a watch on its journal."""

    def _record(self, row: TickRow) -> None:
        assert isinstance(self.venue, WatchedVenue)
        self.venue.clock_of.mark("decided")
        super()._record(row)
        self.venue.clock_of.mark("recorded")


@asynccontextmanager
async def venue_process(folder: Path, blocks: int, speed: float) -> AsyncIterator[dict[str, Any]]:
    """A venue at a speed, whose trader adds to the largest position all the time."""
    faults = "".join(
        f'  - {{kind: second_trader, first: {block}, last: {block}, amount: "0.06"}}\n'
        for block in range(FIRST, blocks, EVERY)
    )
    (folder / "faults.yaml").write_text(f"faults:\n{faults}")
    command = [sys.executable, "-m", "seawall.cli", "venue", "--json", "--tied"]
    command += ["--accounts", "2", "--equity", "300_000", "--leverage", "3x"]
    command += ["--speed", str(speed), "--faults", str(folder / "faults.yaml")]
    with subprocess.Popen(  # noqa: ASYNC220  # nothing else runs yet
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(await asyncio.to_thread(process.stdout.readline))
        finally:
            process.terminate()


def connection_of(said: dict[str, Any], account: int = 0) -> Connection:
    """How a guard reaches one of its accounts."""
    return Connection(
        chain_id=said["chain_id"],
        owner=said["accounts"][account]["address"],
        nodes=(said["node"],),
        indexers=(said["indexer"],),
        feeds=(said["websocket"],),
        at_any_age=True,  # prices play faster than our clock
    )


def keys_of(said: dict[str, Any], account: int = 0) -> Keys:
    """The own key of one of its traders."""
    os.environ["BENCH_KEY"] = said["accounts"][account]["mnemonic"]
    return Keys(trading=load_key("env:BENCH_KEY", "keys.trading"))


async def guarded(said: dict[str, Any], folder: Path, wanted: int, seconds: float) -> Watch:
    """The guard at work until it has reacted so often, or the time is over."""
    watch = Watch()
    venue: WatchedVenue
    venue = WatchedVenue(
        connection_of(said),
        keys_of(said),
        clock=lambda: venue._block_at,
    )
    venue.clock_of = watch
    take = venue._feed._take  # the moment of arrival is inside of the feed

    def taken(live: Any, raw: str | bytes) -> None:  # noqa: ANN401  # whatever the feed keeps
        watch.note_message(raw)
        take(live, raw)

    venue._feed._take = taken  # type: ignore[method-assign]
    policy = parse(RULES).policy
    until = time.monotonic() + seconds
    try:
        await venue.start()
        await venue.preflight()
        with Journal.open(folder / "journal.db") as journal:
            agent = WatchedAgent.resume(
                venue,
                journal,
                policy,
                digest="bench",
                mode=Mode.LIVE,
                owner=said["accounts"][0]["address"],
            )
            while len(watch.reactions) < wanted and time.monotonic() < until:
                await agent.tick()
                await venue.wait_for_change(Millis(1_000))
    finally:
        await venue.close()
    return watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Whoever signs without a guard."""

    wire: Wire
    signer: Signer
    owner: str

    async def sell(self, height: int, number: int) -> Reply:
        """One step of BTC, reduce-only, for the next block."""
        action = Reduce(
            subaccount=0,
            ticker="BTC-USD",
            clob_pair_id=0,
            side=Side.SELL,
            quantums=BaseQuantums(1_000_000),
            subticks=Subticks(9_000_000_000),
            window=window_of(height),
            good_til_block=good_til_block(window_of(height)),
            client_id=number,
        )
        return await broadcast_to(self.wire, sign_reduce(self.signer, self.owner, action))


@asynccontextmanager
async def listening(said: dict[str, Any]) -> AsyncIterator[ClientConnection]:
    """A feed of heights, and nothing else."""
    async with connect(said["websocket"], compression=None, proxy=None) as socket:
        await socket.send(json.dumps({"type": "subscribe", "channel": "v4_block_height"}))
        yield socket


async def bare(said: dict[str, Any], hand: Hand, count: int) -> list[float]:
    """Milliseconds of a loop that signs and sends at each block and thinks nothing."""
    found: list[float] = []
    watch = Watch()
    async with listening(said) as socket:
        while len(found) < count:
            raw = await socket.recv()
            began = time.perf_counter()
            before = len(watch.arrived)
            watch.note_message(raw)
            if len(watch.arrived) == before:
                continue
            reply = await hand.sell(max(watch.arrived), 0xBA4E0000 + len(found))
            if reply.is_accepted:
                found.append(1_000 * (time.perf_counter() - began))
    return found


async def polling(said: dict[str, Any], hand: Hand, venue: DydxVenue, count: int) -> list[float]:
    """Milliseconds of a script that looks once a second, and sells where leverage is too high."""
    found: list[float] = []
    watch = Watch()

    async def listen() -> None:
        async with listening(said) as socket:
            while True:
                watch.note_message(await socket.recv())

    ear = asyncio.create_task(listen())
    last_seen = 0
    try:
        for number in range(10 * count):
            await asyncio.sleep(POLL_S)
            seen = await venue.observe()
            if not isinstance(seen, Observation):
                continue
            # Whatever the trader did since the last look has waited for this one.
            broke = [h for h in watch.arrived if last_seen < h <= seen.height and is_hand(h)]
            last_seen = seen.height
            reply = await hand.sell(seen.height, 0xC0110000 + number)
            if reply.is_accepted:
                now = time.perf_counter()
                found += [1_000 * (now - watch.arrived[height]) for height in broke]
            if len(found) >= count:
                break
    finally:
        ear.cancel()
    return found


def is_hand(height: int) -> bool:
    """Whether the trader's order is in the block of that height; the first block has height 2."""
    return height >= FIRST + 2 and (height - FIRST - 2) % EVERY == 0


def summary(found: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    if len(found) < 2:
        return {}
    ordered = quantiles(found, n=100, method="inclusive")
    return {"p50": round(median(found), 2), "p99": round(ordered[98], 2)}


async def measure(asked: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All three, one after the other, before one venue."""
    seconds = (FIRST + asked.reactions * EVERY * 2) / asked.speed + 30
    blocks = int(asked.speed * (seconds + asked.polls * 3 + 60))
    async with venue_process(folder, blocks, asked.speed) as said:
        watch = await guarded(said, folder, asked.reactions, seconds)
        venue = DydxVenue(connection_of(said, BY_HAND), keys_of(said, BY_HAND))
        seen = await venue.observe()
        assert isinstance(seen, Observation), seen
        hand = hand_of(said, venue)
        loop = await bare(said, hand, asked.bare)
        polled = await polling(said, hand, venue, asked.polls)
        await venue.close()
    total = [one["total"] for one in watch.reactions]
    stages = ("wait", "read", "decide", "record", "send")
    guard, plain, script = summary(total), summary(loop), summary(polled)
    return {
        "reactions": len(total),
        "guard_ms": guard,
        "guard_stages_p50_ms": {
            name: round(median(one[name] for one in watch.reactions), 2) for name in stages
        },
        "bare_ms": plain,
        "polled_ms": script,
        "p50_times_bare": round(guard["p50"] / plain["p50"], 2),
        "p99_times_bare": round(guard["p99"] / plain["p99"], 2),
        "faster_than_polling": round(script["p50"] / guard["p50"], 1) if script else None,
    }


def hand_of(said: dict[str, Any], venue: DydxVenue) -> Hand:
    """The second trader, whom nobody guards."""
    key, parameters = keys_of(said, BY_HAND).trading, venue._parameters
    assert key is not None
    assert parameters is not None
    number = parameters.owner_account.number
    return Hand(
        wire=Wire(said["node"]),
        signer=Signer(chain_id=said["chain_id"], key=key, account_number=number),
        owner=said["accounts"][BY_HAND]["address"],
    )


def main() -> None:
    """Measure and print; with --json the last line is the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reactions", type=int, default=60)
    parser.add_argument("--bare", type=int, default=300)
    parser.add_argument("--polls", type=int, default=20)
    parser.add_argument("--speed", type=float, default=20.0, help="blocks a second")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-reaction-") as folder:
        numbers = asyncio.run(measure(asked, Path(folder)))
    for name, value in numbers.items():
        print(f"{name}: {value}")
    if asked.json:
        print(json.dumps(numbers))


if __name__ == "__main__":
    main()
