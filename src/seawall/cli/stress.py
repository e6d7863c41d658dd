"""`seawall stress`: what the scenarios of the rule file would leave of an account, in dollars."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall import stress as product
from seawall import units, words
from seawall.account import Missing
from seawall.cli.look import (
    AddressArgument,
    ChainOption,
    EveryOption,
    IndexerOption,
    JsonOption,
    NodeOption,
    RulesOption,
    SettingsOption,
    WatchOption,
    number,
    shown,
    table,
)
from seawall.cli.report import view_of
from seawall.cli.words import clock
from seawall.errors import OperatorError
from seawall.measures.spec import NoData, Unit
from seawall.measures.view import View
from seawall.policy import Policy
from seawall.rulefile import Known, unknown_names
from seawall.scenario import ANY_MARKET, Scenario

if TYPE_CHECKING:
    from seawall.account import Subaccount
    from seawall.stress import Nearest
    from seawall.venue.dydx.survey import Survey, Surveyor

app = typer.Typer(add_completion=False)


@app.command()
def stress(
    address: AddressArgument = None,
    *,
    rules: RulesOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw headroom over moves of BTC and ETH."),
    ] = None,
    subaccount: Annotated[
        int | None, typer.Option(help="Which subaccount to draw; default the first.")
    ] = None,
    settings: SettingsOption = None,
    node: NodeOption = None,
    indexer: IndexerOption = None,
    chain_id: ChainOption = None,
    watch: WatchOption = False,
    every: EveryOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Show what each scenario of the rule file would leave: headroom, by market; any address.

    Headroom is equity minus buffer minus maintenance margin after the scenario, its bad fills and
    its funding, in its worse sign; below zero the account would be liquidated.

    Example: seawall stress dydx1… --plot headroom.png
    """
    from seawall.cli.look import remembered, rules_for, settings_for, show, surveyor

    chosen = settings_for(settings, address, node=node, indexer=indexer, chain_id=chain_id)
    wanted = rules_for(rules)
    if wanted.policy is None or not wanted.policy.scenarios:
        reason = wanted.note or f"{wanted.place} has no scenarios"
        raise OperatorError(f"{reason}: stress needs a rule file with `scenarios:`")
    policy = wanted.policy
    known = remembered(chosen)

    def make() -> Surveyor:
        return surveyor(chosen, family=known.family)

    def portray(survey: Survey) -> Stressed:
        made = stressed(survey, policy)
        if plot is not None:
            from seawall.cli.picture import write

            write(made.view, _drawn(made, subaccount), plot)
        return made

    asyncio.run(show(make, portray, as_json=as_json, every_s=every if watch else None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One scenario over one subaccount in its worse sign; dollars, moves as fractions."""

    scenario: str
    sign: int  # +1 as written, -1 mirrored
    headroom: Decimal
    fatal_move: Decimal
    moves: Mapping[str, Decimal]
    contributions: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """One subaccount under all scenarios, in dollars; `today` is its headroom before any."""

    number: int
    equity: Decimal
    mmr: Decimal
    buffer: Decimal
    today: Decimal
    nearest: Nearest | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stressed:
    """One look at an account under its scenarios, for people and for programs."""

    view: View
    subaccounts: tuple[Under, ...]
    notes: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The look as text."""
        seen = self.view.observation
        for note in self.notes:
            yield f"note: {note}"
        yield f"{seen.owner} at height {seen.height:,}, {clock(seen.at)}"
        for one in self.subaccounts:
            yield ""
            yield from _lines(one)

    def as_object(self) -> Mapping[str, object]:
        """The look as JSON: dollars and fractions as strings, moments in Unix milliseconds."""
        seen = self.view.observation
        return {
            "owner": seen.owner,
            "height": seen.height,
            "at": seen.at,
            "seen_at": seen.seen_at,
            "subaccounts": [_object(one) for one in self.subaccounts],
            "notes": list(self.notes),
        }


def stressed(survey: Survey, policy: Policy) -> Stressed:
    """Every subaccount under every scenario.

    Raises OperatorError for a scenario that names a market which the venue does not list.
    """
    named = Policy(scenarios=policy.scenarios)
    if unknown := unknown_names(named, Known(markets=survey.markets)):
        raise OperatorError("\n".join(unknown))
    view = view_of(survey.observation, policy, None)
    notes, found = list(survey.notes), []
    rates = survey.observation.advice.funding
    if isinstance(rates, Missing):
        notes.append(f"{rates.reason}: `over` is charged at the most that the chain allows")
    for subaccount in survey.observation.subaccounts:
        under = _under(view, subaccount)
        if isinstance(under, NoData):
            notes.append(f"subaccount {subaccount.number} cannot be stressed: {under.reason}")
        else:
            found.append(under)
    return Stressed(view=view, subaccounts=tuple(found), notes=tuple(notes))


def _under(view: View, subaccount: Subaccount) -> Under | NoData:
    markets = view.observation.markets
    risk, stand = view.risk(subaccount.number), view.footing(subaccount.number)
    if isinstance(risk, NoData):
        return risk
    if isinstance(stand, NoData):
        return stand
    buffer = view.buffer_of(subaccount.number)

    def effect(scenario: Scenario) -> Effect:
        sign = product.worse_sign(stand, scenario)
        moved = dict.fromkeys((*stand.tickers, *(t for t in scenario.shocks if t != ANY_MARKET)))
        parts = product.contributions(stand, scenario, sign)
        room = product.headroom(subaccount, markets, stand, scenario, buffer)
        return Effect(
            scenario=scenario.name,
            sign=sign,
            headroom=units.usd(room),
            fatal_move=product.fatal_move(stand, scenario),
            moves={ticker: _move(scenario, ticker, sign) for ticker in moved},
            contributions={ticker: units.usd(part) for ticker, part in parts.items()},
        )

    return Under(
        number=subaccount.number,
        equity=units.usd(risk.nc),
        mmr=units.usd(risk.mmr),
        buffer=units.usd(buffer),
        today=units.usd(risk.nc - buffer - risk.mmr),
        nearest=product.nearest_fatal_market(subaccount, markets),
        effects=tuple(effect(scenario) for scenario in view.scenarios.values()),
    )


def _move(scenario: Scenario, ticker: str, sign: int) -> Decimal:
    """A price move as a fraction; no price falls by more than all of it."""
    return max(Decimal(sign * scenario.shock(ticker)).scaleb(-6), Decimal(-1))


def _drawn(made: Stressed, number: int | None) -> int:
    """The subaccount to draw; raises OperatorError where there is no such one."""
    numbers = [one.number for one in made.subaccounts]
    if not numbers:
        raise OperatorError("nothing to draw: " + "; ".join(made.notes))
    if number is not None and number not in numbers:
        known = ", ".join(str(one) for one in numbers)
        raise OperatorError(f"no such subaccount to draw: {number}; there are {known}")
    return numbers[0] if number is None else number


def _lines(one: Under) -> Iterator[str]:
    yield (
        f"subaccount {one.number}: equity {words.cents(one.equity)}, MMR {words.cents(one.mmr)}, "
        f"buffer {words.cents(one.buffer)}, headroom today {words.cents(one.today)}"
    )
    tickers = list(one.effects[0].contributions) if one.effects else []
    heads = ("scenario", "headroom", "shocks", "fatal at", *tickers)
    yield from table([heads, *_cells(one.effects, tickers)])
    yield f"  {_nearest_words(one)}"


def _cells(effects: Iterable[Effect], tickers: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for effect in effects:
        yield (
            effect.scenario,
            words.cents(effect.headroom) + (" BROKEN" if effect.headroom < 0 else ""),
            "as written" if effect.sign > 0 else "mirrored",
            shown(effect.fatal_move, Unit.MULTIPLE),
            *(words.cents(effect.contributions[ticker]) for ticker in tickers),
        )


def _nearest_words(one: Under) -> str:
    if one.nearest is None:
        return "no single market can liquidate it"
    band = one.nearest.band
    if band.price_dollars is None:
        return f"nearest fatal market: {one.nearest.ticker}, at every price of it: liquidatable now"
    coin = one.nearest.ticker.removesuffix("-USD")
    return (
        f"nearest fatal market: {one.nearest.ticker} at {words.price(band.price_dollars)}, "
        f"{words.price(band.band)} per {coin} away ({words.show(band.move, Unit.RATIO)}), "
        f"a loss of {words.cents(band.loss)}"
    )


def _object(one: Under) -> Mapping[str, object]:
    return {
        "number": one.number,
        "equity": number(one.equity),
        "mmr": number(one.mmr),
        "buffer": number(one.buffer),
        "headroom_today": number(one.today),
        "nearest": None if one.nearest is None else _nearest_object(one.nearest),
        "scenarios": [
            {
                "name": effect.scenario,
                "headroom": number(effect.headroom),
                "sign": effect.sign,
                "fatal_move": number(effect.fatal_move),
                "moves": {ticker: number(move) for ticker, move in effect.moves.items()},
                "contributions": {t: number(part) for t, part in effect.contributions.items()},
            }
            for effect in one.effects
        ],
    }


def _nearest_object(nearest: Nearest) -> Mapping[str, object]:
    band = nearest.band
    return {
        "market": nearest.ticker,
        "price": None if band.price_dollars is None else number(band.price_dollars),
        "band": number(band.band),
        "move": number(band.move),
        "loss": number(band.loss),
    }
