"""`seawall venue`: a small dYdX of your own on this machine, for demos, drills and tests."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.account import Side
from seawall.errors import OperatorError
from seawall.units import Millis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.simulator.chain import ChainSettings
    from seawall.simulator.faults.schedule import Faults as Schedule
    from seawall.simulator.prices import Path as PricePath
    from seawall.simulator.script import Script
    from seawall.simulator.serve.launch import Cast
    from seawall.simulator.serve.server import Endpoints, ServeSettings

ACCOUNTS_MOST = 1_000
BAR = "30m"  # length of candles, where none is asked for
SEED = "seed:"
MILLIS_IN = {"s": 1_000, "m": 60_000, "h": 3_600_000}

app = typer.Typer(add_completion=False)


class Direction(StrEnum):
    """Which way the demo accounts are positioned."""

    LONG = "long"
    SHORT = "short"

    @property
    def side(self) -> Side:
        """The side of the orders that opened it."""
        return Side.BUY if self is Direction.LONG else Side.SELL


class Output(StrEnum):
    """Whether the start is told to people or to programs."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Where the prices come from, as given on the command line; nothing is a calm week from now."""

    scenario: Path | None = None
    folder: Path | None = None
    start: str | None = None
    end: str | None = None
    bar: str | None = None
    faults: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The path to play, what goes wrong on it by itself, and notes on what was left out."""

    path: PricePath
    faults: Schedule
    isolated: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


Scenario = Annotated[
    Path | None, typer.Option(help="Play this scenario file, or seed:7 for a drawn one.")
]
Folder = Annotated[
    Path | None, typer.Option(help="Play the candles of this folder, one file a market.")
]
From = Annotated[str | None, typer.Option("--from", help="Start of the candles, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="End of the candles, UTC.")]
Bar = Annotated[
    str | None, typer.Option(help=f"Merge finer candles to this length; default {BAR}.")
]
Faults = Annotated[
    str | None, typer.Option("--faults", help="A fault file, or seed:7 for drawn ones.")
]
Speed = Annotated[
    float, typer.Option(min=0, help="Blocks a second; 0 is as fast as attached guards allow.")
]
Accounts = Annotated[int, typer.Option(min=0, max=ACCOUNTS_MOST, help="How many demo accounts.")]
Equity = Annotated[str, typer.Option(help="Dollars of each demo account.")]
Leverage = Annotated[str, typer.Option(help="Their books, such as 8x; 0x is flat.")]
Float = Annotated[
    str, typer.Option("--float", help="Dollars of a float wallet; 0 is no such wallet.")
]
Seed = Annotated[int, typer.Option(help="Demo keys and calm prices come from it.")]
Host = Annotated[str, typer.Option(help="Loopback address to listen on.")]
GrpcPort = Annotated[int, typer.Option(help="Port of the node; 0 takes a free one.")]
HttpPort = Annotated[int, typer.Option(help="Port of the indexer; 0 takes a free one.")]
FeedLag = Annotated[int, typer.Option(min=0, help="Blocks that the websocket is behind the chain.")]
RestLag = Annotated[int, typer.Option(min=0, help="Blocks that REST is behind the websocket.")]
GuardTimeout = Annotated[
    str, typer.Option(help="Go on without a guard that is silent for so long.")
]
Hold = Annotated[bool, typer.Option("--hold", help="Wait for POST /seawall/start.")]
Tied = Annotated[bool, typer.Option("--tied", hidden=True, help="End when stdin, a pipe, ends.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Isolated = Annotated[
    list[str] | None,
    typer.Option("--isolated", help="A market that children hold alone; may be given again."),
]
Switches = Annotated[
    list[str] | None,
    typer.Option("--switch", help="Another chain, such as window-20; may be given again."),
]


@app.command()
def venue(
    *,
    scenario: Scenario = None,
    prices: Folder = None,
    start: From = None,
    end: To = None,
    bar: Bar = None,
    faults: Faults = None,
    speed: Speed = 1.0,
    accounts: Accounts = 2,
    equity: Equity = "10_000",
    leverage: Leverage = "0x",
    side: Annotated[Direction, typer.Option(help="Their side.")] = Direction.LONG,
    float_dollars: Float = "0",
    seed: Seed = 1,
    host: Host = "127.0.0.1",
    grpc_port: GrpcPort = 0,
    http_port: HttpPort = 0,
    feed_lag: FeedLag = 0,
    rest_lag: RestLag = 1,
    guard_timeout: GuardTimeout = "30s",
    hold: Hold = False,
    isolated: Isolated = None,
    switch: Switches = None,
    tied: Tied = False,
    as_json: AsJson = False,
) -> None:
    """Run a small dYdX on loopback, for any dYdX client; how to connect is printed at the start.

    Example: seawall venue --scenario config/scenarios/double-gap.yaml --leverage 8x --speed 60
    """
    from seawall.simulator.serve.server import ServeSettings

    run_venue(
        Prices(scenario=scenario, folder=prices, start=start, end=end, bar=bar, faults=faults),
        chosen(switch or (), isolated or ()),
        cast_of(accounts, side.side, seed, dollars=(equity, float_dollars), leverage=leverage),
        ServeSettings(
            host=host,
            grpc_port=grpc_port,
            http_port=http_port,
            speed=speed,
            feed_lag=feed_lag,
            rest_lag=rest_lag,
            guard_timeout_s=duration("--guard-timeout", guard_timeout) / 1_000,
            is_started=not hold,
        ),
        output=Output.JSON if as_json else Output.TEXT,
        ends_with_stdin=tied,
    )


def cast_of(
    accounts: int, side: Side, seed: int, *, dollars: tuple[str, str], leverage: str
) -> Cast:
    """Who is on the venue; `dollars` are of each account and of the float wallet."""
    from seawall.simulator.serve.launch import Cast

    equity, float_dollars = dollars
    return Cast(
        accounts=accounts,
        equity=number("--equity", equity, "$"),
        leverage=number("--leverage", leverage, "x"),
        side=side,
        float_dollars=number("--float", float_dollars, "$"),
        seed=seed,
    )


def run_venue(
    prices: Prices,
    chain: ChainSettings,
    cast: Cast,
    settings: ServeSettings,
    *,
    output: Output,
    ends_with_stdin: bool = False,
) -> None:
    """Serve a venue until it is interrupted; raises OperatorError for what it cannot play or bind.

    Once it listens it prints how to connect: one line of JSON, or text for people.
    """
    from seawall.simulator.faults.file import faults_of
    from seawall.simulator.faults.schedule import CALM
    from seawall.simulator.faults.schedule import Faults as Schedule
    from seawall.simulator.serve import launch
    from seawall.simulator.serve.server import check_loopback

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    check_loopback(settings.host)
    played = choose_path(prices, cast.seed)
    asked = CALM if prices.faults is None else faults_of(prices.faults)
    schedule = Schedule(faults=played.faults.faults + asked.faults)
    chain = replace(chain, isolated=chain.isolated | played.isolated)
    production = launch.produce(played.path, cast, schedule, chain)
    notes = played.notes + launch.notes_on(cast, schedule)

    def announce(endpoints: Endpoints) -> None:
        if output is Output.JSON:
            print(json.dumps(launch.as_object(production, endpoints, notes)), flush=True)
        else:
            print(launch.as_text(production, endpoints, notes), flush=True)

    serving = launch.serve(production, settings, announce, ends_with_stdin=ends_with_stdin)
    asyncio.run(serving)


def chosen(words: Sequence[str], isolated: Sequence[str] = ()) -> ChainSettings:
    """The chain with some things switched; raises OperatorError for a word it does not know.

    `isolated` are markets whose positions stand alone.
    """
    from seawall.simulator.switches import Switch, settings_of

    for word in words:
        if word not in tuple(Switch):
            raise OperatorError(f"--switch {word!r}: expected one of {', '.join(Switch)}")
    return replace(settings_of(map(Switch, words)), isolated=frozenset(isolated))


def choose_path(prices: Prices, seed: int) -> Played:
    """What to play: candles, a scenario, or a calm week from now; raises OperatorError."""
    from seawall.simulator.candles import load_candles
    from seawall.simulator.faults.schedule import CALM
    from seawall.simulator.markets import TICKERS
    from seawall.simulator.serve.launch import calm_path

    if prices.scenario is not None and prices.folder is not None:
        raise OperatorError("--scenario and --prices are two price paths: give one of them")
    if prices.folder is not None:
        candles = load_candles(prices.folder, TICKERS, duration("--bar", prices.bar or BAR))
        whole = candles.path()
        window = whole.window(moment("--from", prices.start), moment("--to", prices.end))
        return Played(path=window, faults=CALM, notes=candles.notes)
    for option, value in (("--from", prices.start), ("--to", prices.end), ("--bar", prices.bar)):
        if value is not None:
            raise OperatorError(f"{option} is for candles: give a folder of them with --prices")
    if prices.scenario is not None:
        script = choose_script(str(prices.scenario))
        return Played(path=script.path(), faults=script.faults, isolated=script.isolated)
    return Played(path=calm_path(seed, Millis(int(time.time()) * 1_000)), faults=CALM)


def choose_script(words: str) -> Script:
    """The scenario of a file, or of `seed:7`; raises OperatorError."""
    from seawall.simulator.drawn import drawn_script
    from seawall.simulator.script import load_script

    if not words.startswith(SEED):
        return load_script(Path(words))
    number = words.removeprefix(SEED)
    if not number.isdecimal():
        raise OperatorError(f"--scenario {words!r}: expected a file, or seed:7")
    return drawn_script(int(number))


def number(option: str, words: str, sign: str) -> Decimal:
    """A number of at least zero, with or without its sign; raises OperatorError."""
    plain = words.replace("_", "").replace(",", "").removeprefix(sign).removesuffix(sign)
    try:
        found = Decimal(plain)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found < 0:
        example = f"10_000 or '{sign}10_000'" if sign == "$" else f"8{sign}"
        raise OperatorError(f"{option} {words!r}: expected a number of at least 0, like {example}")
    return found


def duration(option: str, words: str) -> Millis:
    """Milliseconds of `30s`, `30m` or `1h`; raises OperatorError."""
    unit = MILLIS_IN.get(words[-1:])
    if unit is None or not words[:-1].isdecimal() or int(words[:-1]) == 0:
        raise OperatorError(f"{option} {words!r}: expected a duration above 0, like 30s or 30m")
    return Millis(int(words[:-1]) * unit)


def moment(option: str, words: str | None) -> Millis | None:
    """A moment in UTC, from ISO 8601; raises OperatorError."""
    if words is None:
        return None
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise OperatorError(
            f"{option} {words!r}: expected a time in UTC, like 2020-03-12T10:30"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return Millis(int(found.timestamp()) * 1_000)
