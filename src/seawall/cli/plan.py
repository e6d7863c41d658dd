"""`seawall plan`: what would be done now, or if prices moved, beside what people do by hand."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption
from seawall.errors import OperatorError

if TYPE_CHECKING:
    from seawall.account import Observation
    from seawall.action import Leg, Refusal
    from seawall.backstop import Stop
    from seawall.decide.preview import Change, Moves, Preview
    from seawall.settings import Settings
    from seawall.units import Ppm

EXAMPLE = 'write "BTC-USD -8%, ETH-USD -10%"'

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    address: Annotated[
        str, typer.Argument(metavar="[ADDRESS]", help="Whose account; default: the settings' own.")
    ] = "",
    *,
    rules: Annotated[Path, typer.Option(help="The rule file.")] = Path("config/rules.yaml"),
    if_moved: Annotated[
        str, typer.Option("--if", help='As if prices had moved: "BTC-USD -8%, ETH-USD -10%".')
    ] = "",
    settings: Annotated[
        Path | None, typer.Option(help="The settings file; default config/seawall.toml.")
    ] = None,
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what the guard would do now, without waiting for any `for`; nothing is sent.

    Costs are fees and slippage against the mid of the book. Beside the plan stands what closing
    the largest position, the same share of each, or the greedy plan would cost. Budgets, latches,
    cooldowns, a pause, what runs and the NAV come from the guard's journal, which is only read;
    without one, drawdown and day loss are counted from the state that is seen.

    Example: seawall plan --if "BTC-USD -8%, ETH-USD -10%"
    """
    from seawall.cli.recalled import recall
    from seawall.cli.sheet import sheet
    from seawall.decide.preview import preview
    from seawall.rulefile.fields import Known
    from seawall.rulefile.load import load
    from seawall.settings import load_settings

    moves = moves_of(if_moved)
    if address:
        os.environ["SEAWALL_ACCOUNT__ADDRESS"] = address
    chosen = load_settings(settings)
    loaded = load(rules, known=Known(owner=chosen.account.address))
    policy = replace(loaded.policy, cash_price=chosen.plan.cash_price)
    source = policy.float_source
    seen = asyncio.run(_look(chosen, None if source is None else source.address, moves))
    if missing := sorted(set(moves) - set(seen.markets)):
        raise OperatorError(f"--if: {', '.join(missing)}: no such market on {seen.chain_id}")
    known = recall(chosen.journal.path if journal is None else journal, chosen, loaded.digest)
    shown = preview(policy, seen, moves, known.kept)
    if as_json:
        print(json.dumps({**as_object(shown, moves), "journal": known.as_object()}, indent=2))
        return
    for line in sheet(shown, _title(shown, moves), known.line(), *_stale(seen)):
        print(line)


def moves_of(text: str) -> Mapping[str, Ppm]:
    """Moves by market in ppm; raises OperatorError for what is no move."""
    from seawall.rulefile.literals import LiteralError, ppm
    from seawall.units import PPM_ONE

    moves: dict[str, Ppm] = {}
    for part in (part for part in text.split(",") if part.strip()):
        market, _, move = part.strip().partition(" ")
        if market in moves:
            raise OperatorError(f"--if: {part.strip()!r}: {market} is moved twice; {EXAMPLE}")
        try:
            moves[market] = ppm(move.strip().removeprefix("+"))
        except LiteralError as error:
            raise OperatorError(f"--if: {part.strip()!r}: {error}; {EXAMPLE}") from None
        if moves[market] <= -PPM_ONE:
            raise OperatorError(f"--if: {part.strip()!r}: a price stays above zero; {EXAMPLE}")
    return moves


async def _look(settings: Settings, float_address: str | None, moves: Moves) -> Observation:
    from seawall.cli.look import observe

    return await observe(settings, markets=moves, float_address=float_address)


def _stale(seen: Observation) -> Iterator[str]:
    """Why nothing can be done on state of another time, and what to look at."""
    from seawall.limits import is_fresh
    from seawall.units import SECOND, Millis
    from seawall.words import duration

    if not is_fresh(seen):
        age = seen.seen_at - seen.at
        off = duration(Millis(abs(age) // SECOND * SECOND))
        wrong = "node, chain or clock is wrong (a simulated venue wants venue.step_url)"
        yield f"state is {off} {'old' if age > 0 else 'ahead of this clock'}: {wrong}"


def _title(shown: Preview, moves: Moves) -> str:
    from seawall import words

    moved = ", ".join(f"{ticker} {words.percent(move)}" for ticker, move in moves.items())
    when = f"if {moved}" if moved else "now"
    return f"{shown.seen.owner} at height {shown.seen.height}, {when}"


def as_object(shown: Preview, moves: Moves) -> dict[str, object]:
    """The whole preview, decimals as strings, money in dollars, sizes in coins."""
    from seawall.action import Cancel

    made = shown.plan
    dropped = () if made is None else made.dropped
    return {
        "owner": shown.seen.owner,
        "height": shown.seen.height,
        "if": {ticker: _text(Decimal(move).scaleb(-6)) for ticker, move in moves.items()},
        "solver": None if made is None else made.solver,
        "cancels": [
            {
                "subaccount": one.action.subaccount,
                "market": one.action.ticker,
                "client_id": one.action.client_id,
                "asked_by": list(one.asked_by),
            }
            for one in shown.actions
            if isinstance(one.action, Cancel)
        ],
        "orders": [] if made is None else [_leg(shown, leg) for leg in made.legs],
        "top_ups": [
            {
                "subaccount": one.number,
                "amount": _dollars(one.amount),
                "asked_by": list(one.asked_by),
            }
            for one in shown.top_ups
        ],
        "measures": [_change(one) for one in shown.changes],
        "not_done": [_refusal(one) for one in (*dropped, *shown.refused)],
        "backstops": [_stop(shown, stop) for stop in shown.stops],
        "alternatives": [
            {
                "name": one.name,
                "exchanged": _dollars(one.closed),
                "cost_vs_mid": _dollars(one.cost),
                "reached": one.reached,
                "targets": one.wanted,
                "in_budget": one.is_in_budget,
            }
            for one in shown.alternatives
        ],
    }


def _leg(shown: Preview, leg: Leg) -> dict[str, object]:
    market = shown.seen.markets[leg.ticker]
    return {
        "subaccount": leg.subaccount,
        "market": leg.ticker,
        "side": leg.side,
        "size": _text(market.coins(leg.quantums)),
        "worst_price": _text(market.dollars(leg.worst_subticks)),
        "expected_fill": _text(market.coins(leg.expected_quantums)),
        "expected_exchanged": _dollars(leg.expected_quote),
        "fee": _dollars(leg.fee),
        "cost_vs_oracle": _dollars(leg.cost_vs_oracle),
        "cost_vs_mid": _dollars(leg.cost_vs_mid),
        "asked_by": list(leg.asked_by),
    }


def _stop(shown: Preview, stop: Stop) -> dict[str, object]:
    market = shown.seen.markets[stop.ticker]
    return {
        "subaccount": stop.subaccount,
        "market": stop.ticker,
        "side": stop.side,
        "size": _text(market.coins(stop.quantums)),
        "trigger": _text(market.dollars(stop.trigger)),
        "worst_price": _text(market.dollars(stop.worst)),
    }


def _change(one: Change) -> dict[str, object]:
    from seawall.measures.spec import NoData

    def told(value: Decimal | NoData) -> str | None:
        return None if isinstance(value, NoData) else _text(value)

    target = None if one.level is None or one.level.target is None else one.level.target
    return {
        "rule": one.key,
        "measure": str(one.rule.measure),
        "level": None if one.level is None else one.level.name,
        "acts": one.acts,
        "before": told(one.before),
        "after": told(one.after),
        "target": None if target is None else f"{target.operator} {target.value:f}",
    }


def _refusal(one: Refusal) -> dict[str, object]:
    return {"code": one.code, "what": one.what, "detail": one.detail}


def _dollars(quote: int) -> str:
    from seawall.units import usd

    return _text(usd(quote))


def _text(value: Decimal) -> str:
    return f"{value:f}"
