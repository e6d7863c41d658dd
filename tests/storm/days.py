"""A day made by hand: one market falls, one rule cuts, and whatever else a test wants."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from seawall.rulefile.load import parse
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.wallets import Gate
from seawall.storm.case import EPOCH, FLOAT, ROOM, Case, GuardCase, Restart, with_backstop
from seawall.units import HOUR, SECOND, Millis, QuoteQuantums

BEGIN = Millis(EPOCH + 9 * HOUR)
RULES = f"""\
account: {{float: {{address: {FLOAT}, floor: $50}}}}
budgets: {{per_hour: {{notional: 2000%, orders: 200}}, per_day: {{cost: 50%, top_up: $9_000}}}}
rules:
  - id: leverage
    why: "8x is the plan."
    measure: leverage
    trigger: "> 9x"
    target: "<= 8x"
    for: 2s
    cooldown: 0s
    do: [notify, {{reduce: {{until: target, max_slippage: 150bps}}}}]
"""
ALONE = GuardCase(delay=Millis(300), lag=0, every=1, restarts=(), disk_full=range(0))


def falling(percent: float = 8, rules: str = RULES) -> Case:
    """A long of 8x in a market that falls for six minutes, guarded by one guard."""
    price = 60_000.0
    points = [Point(BEGIN, price), Point(Millis(BEGIN + 360 * SECOND), price * (1 - percent / 100))]
    path = Path({"BTC-USD": Line(points)}, start=BEGIN, end=Millis(BEGIN + ROOM), name="falling")
    return Case(
        seed=0,
        path=path,
        equity=Decimal(30_000),
        parts=(("BTC-USD", Decimal(240_000)),),
        float_dollars=Decimal(10_000),
        gas_fee=QuoteQuantums(0),
        rules=rules,
        policy=parse(rules).policy,
        faults=Faults(),
        reduce_only=ReduceOnly.HONOURED,
        gate=Gate.DEPOSITS_TOO,
        guards=(ALONE,),
        trades=0.0,
        trader_seed=0,
    )


def stopped(percent: float = 8) -> Case:
    """The same day with stops on the chain."""
    head = 'scenarios:\n  gap: {"*": -10%, over: 1h, slippage: 100bps, both_signs: true}\n'
    return with_backstop(falling(percent, head + RULES))


def with_child() -> Case:
    """The same fall for an account whose SOL is a child's, alone there, at 8x like its parent."""
    day = falling()
    lines = {
        ticker: Line([Point(BEGIN, price), Point(Millis(BEGIN + 360 * SECOND), price * 0.92)])
        for ticker, price in (("BTC-USD", 60_000.0), ("SOL-USD", 150.0))
    }
    half = Decimal(120_000)
    return replace(
        day,
        path=Path(lines, start=BEGIN, end=day.path.end, name="falling"),
        parts=(("BTC-USD", half), ("SOL-USD", half)),
        has_child=True,
    )


def with_fault(
    case: Case, kind: FaultKind, first: int, last: int, *, seconds: int | None = None
) -> Case:
    """The same day with one fault more in it."""
    fault = Fault(kind=kind, first=first, last=last, seconds=seconds)
    return replace(case, faults=Faults(faults=(*case.faults.faults, fault)))


def with_restarts(case: Case, *restarts: Restart) -> Case:
    """The same day with a guard that dies."""
    return replace(case, guards=(replace(ALONE, restarts=restarts),))
