"""A whole venue from few words: traders with money and positions on a price path, then served."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from seawall.account import Side
from seawall.errors import OperatorError
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.faults import accidents
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.faults.schedule import CALM, Faults
from seawall.simulator.keys import DemoKey, demo_key
from seawall.simulator.messages import SubaccountId
from seawall.simulator.play import Player
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.serve.server import Endpoints, Server, ServeSettings
from seawall.simulator.serve.shapes import Json, Value, iso, text
from seawall.simulator.setup import chain_on, fund_wallet, open_family
from seawall.simulator.state import Account
from seawall.units import DAY, MINUTE, Millis

WALLET_DOLLARS = Decimal(1_000)  # a trader's own wallet, for gas and deposits by hand
CALM_PRICES: Mapping[str, float] = {"BTC-USD": 100_000.0, "ETH-USD": 4_000.0, "SOL-USD": 200.0}
CALM_DAYS = 7
CALM_STEP = 0.0004  # standard deviation of a minute's move
TENTH = Decimal("0.1")
CALM_PULL = 0.98  # what is left of a deviation after a minute
FLOAT_NAME = "float"
HOLDING = (FaultKind.LIQUIDATION, FaultKind.DELEVERAGING, FaultKind.SECOND_TRADER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who is on the venue: equal traders with one book each, and a float wallet where it is > 0."""

    accounts: int = 2
    equity: Decimal = Decimal(10_000)
    leverage: Decimal = Decimal(0)
    side: Side = Side.BUY
    float_dollars: Decimal = Decimal(0)
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A venue that is set up and not yet served."""

    player: Player
    traders: tuple[DemoKey, ...]
    float_key: DemoKey | None

    @property
    def names(self) -> Mapping[str, str]:
        """Names of the traders by address."""
        return {key.address: key.name for key in self.traders}


def calm_path(seed: int, start: Millis) -> Path:
    """A quiet week around fixed prices; the same for the same seed and start."""
    lines: dict[str, Line] = {}
    end = Millis(start + CALM_DAYS * DAY)
    for ticker, price in CALM_PRICES.items():
        chance = random.Random(f"{seed}|{ticker}")
        deviation, points = 0.0, []
        for at in range(start, end + 1, MINUTE):
            points.append(Point(Millis(at), price * (1 + deviation)))
            deviation = CALM_PULL * deviation + chance.gauss(0, CALM_STEP)
        lines[ticker] = Line(points)
    return Path(lines, start=start, end=end, name="calm")


def produce(
    path: Path, cast: Cast, faults: Faults = CALM, settings: ChainSettings | None = None
) -> Production:
    """Set the stage at the start of a path: wallets, subaccounts, books in equal parts.

    Accidents among the faults happen to the first trader's subaccount 0. Raises OperatorError for a
    book that initial margin would not have let anybody open, and for a fault, or an isolated
    market, without prices.
    """
    chain = chain_on(path, settings)
    _check_tickers(faults, tuple(chain.committed.markets))
    traders = tuple(demo_key(cast.seed, f"trader-{n + 1}") for n in range(cast.accounts))
    for key in traders:
        fund_wallet(chain, key.address, WALLET_DOLLARS)
        open_family(chain, key.address, cast.equity, cast.leverage, cast.side)
    if traders and cast.leverage:
        _check_margin(chain, traders[-1], cast.leverage)
    float_key = demo_key(cast.seed, FLOAT_NAME) if cast.float_dollars else None
    if float_key is not None:
        fund_wallet(chain, float_key.address, cast.float_dollars)
    player = Player(chain, path)
    if faults.faults:
        victim = SubaccountId(owner=traders[0].address, number=0) if traders else None
        player = FaultyPlayer(chain, path, faults, victim=victim)
    return Production(player=player, traders=traders, float_key=float_key)


def notes_on(cast: Cast, faults: Faults) -> tuple[str, ...]:
    """Which accidents find nothing to happen to, with how the venue is set up."""
    asked = {one.kind for one in faults.faults}
    if cast.accounts == 0:
        lost = [kind for kind in accidents.IN_ORDER if kind in asked]
        why = "there is no trader to happen to (--accounts 0), so nothing does"
    elif not cast.leverage:
        lost = [kind for kind in HOLDING if kind in asked]
        why = "trader-1 starts without positions (--leverage 0): nothing happens while it is flat"
    else:
        return ()
    return tuple(f"fault {kind}: {why}" for kind in lost)


def _check_tickers(faults: Faults, played: tuple[str, ...]) -> None:
    unknown = sorted({one.ticker for one in faults.faults if one.ticker} - set(played))
    if unknown:
        raise OperatorError(
            f"fault of {', '.join(unknown)}: no such market here, so nothing would go wrong; "
            f"name one of {', '.join(played)}, or no ticker for all"
        )


def _check_margin(chain: Chain, key: DemoKey, leverage: Decimal) -> None:
    risks = [chain.committed.risk(one) for one in chain.committed.subaccounts_of(key.address)]
    if all(risk.nc >= risk.imr for risk in risks):
        return
    share = min(Decimal(risk.nc) / risk.imr for risk in risks if risk.imr)
    largest = (leverage * share).quantize(TENTH, ROUND_DOWN)
    raise OperatorError(
        f"--leverage {leverage:f}x is more than initial margin lets anybody open in these markets: "
        f"at most {largest:f}x"
    )


async def serve(
    production: Production,
    settings: ServeSettings,
    announce: Callable[[Endpoints], None],
    *,
    ends_with_stdin: bool = False,
) -> None:
    """Serve a venue until it is told to stop; raises OperatorError, KeyboardInterrupt for SIGINT.

    Both signals work where a shell has started it in the background, and so ignoring SIGINT. Where
    it ends with stdin, a pipe, it does not outlive the process that holds the other end.
    """
    stopped, signals = asyncio.Event(), list[signal.Signals]()

    def stop(number: signal.Signals) -> None:
        signals.append(number)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    server = Server(production.player, settings, production.names)
    async with server:
        announce(server.endpoints)
        if ends_with_stdin:
            _watch_stdin(stopped)
        told = asyncio.create_task(stopped.wait())
        played = asyncio.create_task(server.wait())
        await asyncio.wait((told, played), return_when=asyncio.FIRST_COMPLETED)
        if played.done():
            played.result()  # raises what broke the block maker
        await told  # prices that are over leave the venue up, for whoever reads how it ended
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def _watch_stdin(stopped: asyncio.Event) -> None:
    """Set `stopped` once the other end of stdin is closed."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 1):
            loop.remove_reader(stdin)
            stopped.set()

    loop.add_reader(stdin, read)


def as_object(production: Production, endpoints: Endpoints, notes: tuple[str, ...]) -> Json:
    """How to reach the venue, as one JSON object."""
    chain: Chain = production.player.chain
    path = production.player.path
    return {
        "node": endpoints.node,
        "indexer": endpoints.rest,
        "websocket": endpoints.websocket,
        "step": f"{endpoints.rest}/seawall/step",
        "start": f"{endpoints.rest}/seawall/start",
        "state": f"{endpoints.rest}/seawall/state",
        "chain_id": chain.chain_id,
        "usdc_denom": USDC_DENOM,
        "path": {"name": path.name, "start": iso(path.start), "end": iso(path.end)},
        "accounts": [_account(key, chain) for key in production.traders],
        "float": None if production.float_key is None else _key(production.float_key),
        "notes": list(notes),
    }


def as_text(production: Production, endpoints: Endpoints, notes: tuple[str, ...]) -> str:
    """How to reach the venue, for people."""
    chain, path = production.player.chain, production.player.path
    lines = [
        f"A simulated dYdX, chain {chain.chain_id}, on loopback only.",
        f"  node (gRPC)   {endpoints.node}",
        f"  indexer       {endpoints.rest}",
        f"  websocket     {endpoints.websocket}",
        f"  prices        {path.name}, {iso(path.start)} to {iso(path.end)}",
        "Any dYdX client connects, such as dydx-v4-client:",
        "  from functools import partial",
        "  from dydx_v4_client.network import NodeConfig, make_insecure",
        f'  node = partial(NodeConfig, "{chain.chain_id}", chaintoken_denom="adv4tnt",',
        f'                 usdc_denom="{USDC_DENOM}")',
        f'  network = make_insecure(node, "{endpoints.rest}", "{endpoints.websocket}",',
        f'                          "{endpoints.node}")',
        "Demo keys, public and worth nothing: never send anything of value to them.",
    ]
    for key in production.traders:
        lines += [f"  {key.name}  {key.address}/0", f"    {key.mnemonic}"]
        lines += [
            f"    child {one.id.number} holds {_held(one, chain)}, isolated"
            for one in _children(key, chain)
        ]
    if production.float_key is not None:
        key = production.float_key
        lines += [f"  {key.name}  {key.address}", f"    {key.mnemonic}"]
    lines += [f"note: {note}" for note in notes]
    lines.append("Ctrl-C stops it.")
    return "\n".join(lines)


def _key(key: DemoKey) -> dict[str, Value]:
    return {"name": key.name, "address": key.address, "mnemonic": key.mnemonic}


def _account(key: DemoKey, chain: Chain) -> Json:
    state = chain.committed
    children: list[Value] = [
        {"subaccount": one.id.number, "market": _held(one, chain), "equity": _equity(one, chain)}
        for one in _children(key, chain)
    ]
    equity = _equity(state.subaccount(key.address, 0), chain)
    return {**_key(key), "subaccount": 0, "equity": equity, "children": children}


def _children(key: DemoKey, chain: Chain) -> tuple[Account, ...]:
    return tuple(one for one in chain.committed.subaccounts_of(key.address) if one.id.number)


def _held(child: Account, chain: Chain) -> str:
    tickers = {m.spec.perpetual_id: t for t, m in chain.committed.markets.items()}
    return ", ".join(tickers[one.perpetual_id] for one in child.held)


def _equity(account: Account, chain: Chain) -> str:
    return text(Decimal(chain.committed.risk(account).nc).scaleb(-6))
