"""`seawall status`: what the chain would say about an account, in dollars, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from seawall import words
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
from seawall.cli.report import rule_reports, subaccount_report, view_of
from seawall.cli.stops import stop_lines, stop_objects, stop_reports
from seawall.cli.words import clock
from seawall.measures.spec import NoData, Unit
from seawall.policy import Policy
from seawall.rulefile import Known, unknown_names, warnings_for
from seawall.scenario import ANY_MARKET

if TYPE_CHECKING:
    from seawall.account import Observation
    from seawall.cli.look import Remembered, Rules
    from seawall.cli.report import PositionReport, RuleReport, SubaccountReport
    from seawall.cli.stops import StopReport
    from seawall.margin import Band
    from seawall.measures.spec import Value
    from seawall.venue.dydx.survey import Survey, Surveyor

NO_DATA = "no data"

app = typer.Typer(add_completion=False)


@app.command()
def status(
    address: AddressArgument = None,
    *,
    rules: RulesOption = None,
    settings: SettingsOption = None,
    node: NodeOption = None,
    indexer: IndexerOption = None,
    chain_id: ChainOption = None,
    watch: WatchOption = False,
    every: EveryOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Show an account's margins, liquidation bands and rules; any address, no key.

    Margin is computed here, in the chain's own arithmetic, from a node's state at one height.

    Example: seawall status dydx1… --watch
    """
    from seawall.cli.look import remembered, rules_for, settings_for, show, surveyor

    chosen = settings_for(settings, address, node=node, indexer=indexer, chain_id=chain_id)
    wanted = rules_for(rules)
    known = remembered(chosen)

    def portray(survey: Survey) -> Status:
        return status_of(survey, wanted, known)

    def make() -> Surveyor:
        return surveyor(chosen, family=known.family)

    asyncio.run(show(make, portray, as_json=as_json, every_s=every if watch else None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One look at an account, for people and for programs."""

    survey: Survey
    place: str  # of the rules
    subaccounts: tuple[SubaccountReport, ...]
    rules: tuple[RuleReport, ...]
    stops: tuple[StopReport, ...]
    policy: Policy
    notes: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The look as text."""
        seen = self.survey.observation
        for note in self.notes:
            yield f"note: {note}"
        yield f"{seen.owner} at height {seen.height:,}, {clock(seen.at)}"
        for one in self.subaccounts:
            yield ""
            yield from _subaccount_lines(one)
        yield ""
        yield from _rule_lines(self.rules, self.place)
        yield ""
        yield "stops on the chain"
        yield from table(stop_lines(self.stops, seen, self.policy), is_left=True)
        yield ""
        yield "sources"
        yield from table(_source_cells(self.survey), is_left=True)

    def as_object(self) -> Mapping[str, object]:
        """The look as JSON: dollars, coins and ratios as strings, moments in Unix milliseconds."""
        seen = self.survey.observation
        return {
            "owner": seen.owner,
            "height": seen.height,
            "at": seen.at,
            "seen_at": seen.seen_at,
            "subaccounts": [_subaccount_object(one) for one in self.subaccounts],
            "rules": [_rule_object(one) for one in self.rules],
            "backstops": stop_objects(self.stops, seen),
            "sources": _sources(self.survey),
            "notes": list(self.notes),
        }


def status_of(survey: Survey, rules: Rules, known: Remembered) -> Status:
    """The status of what was seen, by a rule file and the NAV that a guard keeps."""
    seen = survey.observation
    policy = rules.policy or Policy()
    notes = [*survey.notes, *([rules.note] if rules.note else [])]
    if rules.policy is not None:
        held = [(s.number, p.ticker) for s in seen.subaccounts for p in s.positions]
        listed = Known(markets=survey.markets, subaccounts=None)
        notes += [*unknown_names(policy, listed), *warnings_for(policy, held)]
    view = view_of(seen, with_listed(policy, survey.markets), known.ledger)
    return Status(
        survey=survey,
        place=rules.place,
        subaccounts=tuple(subaccount_report(view, one, survey.paid) for one in seen.subaccounts),
        rules=rule_reports(view, policy),
        stops=stop_reports(view, policy),
        policy=policy,
        notes=tuple(notes),
    )


def with_listed(policy: Policy, markets: frozenset[str]) -> Policy:
    """The policy without scenarios that name a market which is not listed: nothing backs them."""
    listed = {
        name: scenario
        for name, scenario in policy.scenarios.items()
        if set(scenario.shocks) <= markets | {ANY_MARKET}
    }
    return replace(policy, scenarios=listed)


def _subaccount_lines(one: SubaccountReport) -> Iterator[str]:
    yield f"subaccount {one.number}" + (": LIQUIDATABLE" if one.is_liquidatable else "")
    buffer = words.dollars(one.buffer)
    yield from table(
        [
            ("equity", _dollars(one.equity), "leverage", shown(one.leverage, Unit.MULTIPLE)),
            ("IMR", _dollars(one.imr), "margin usage", shown(one.margin_usage, Unit.RATIO)),
            (
                "MMR",
                _dollars(one.mmr),
                "maintenance usage",
                shown(one.maintenance_usage, Unit.RATIO),
            ),
            (
                "free collateral",
                _dollars(one.free_before_buffer),
                f"after the buffer of {buffer}",
                _dollars(one.free_collateral),
            ),
        ]
    )
    if one.positions:
        yield ""
        heads = (
            *("market", "size", "notional", "liq. price", "band/coin", "move", "loss"),
            *("funding/day", "at worst", "paid 24h"),
        )
        yield from table([heads, *(_position_cells(position) for position in one.positions)])
    yield from (f"  no data: {reason}" for reason in one.reasons())


def _position_cells(one: PositionReport) -> tuple[str, ...]:
    return (
        one.market,
        words.coins(one.size),
        _about(one.notional),
        *_band_cells(one.band),
        _about(one.funding_24h),
        _about(one.funding_worst),
        _about(one.funding_paid),
    )


def _band_cells(band: Band | NoData) -> tuple[str, str, str, str]:
    """Price, dollars per coin, per cent, dollars of loss."""
    if isinstance(band, NoData):
        return (NO_DATA,) * 4
    if band.price_dollars is None:
        return (str(band.price), "-", "-", "-")
    return (
        words.price(band.price_dollars),
        words.price(band.band),
        words.show(band.move, Unit.RATIO),
        words.about(band.loss),
    )


def _rule_lines(rules: Iterable[RuleReport], place: str) -> Iterator[str]:
    yield f"rules of {place}"
    rows = [(one.key, one.measure, shown(one.value, one.unit), _levels(one)) for one in rules]
    if not rows:
        yield "  none"
        return
    yield from table(rows, is_left=True)
    for one in rules:
        if isinstance(one.value, NoData):
            yield f"  {one.key}: {one.value.reason}"


def _levels(one: RuleReport) -> str:
    """The highest level that is met and the next one ahead; all of them where no value is known."""
    said = [
        f"{level.name} {level.trigger.operator} {words.exact(level.trigger.value, one.unit)}"
        for level in one.levels
    ]
    if isinstance(one.value, NoData):
        return ", ".join(said)
    met = [f"{name}: MET" for name, level in zip(said, one.levels, strict=True) if level.is_met]
    ahead = [
        f"{name}: {words.show(level.distance, one.unit)} away"
        for name, level in zip(said, one.levels, strict=True)
        if level.distance is not None and not level.is_met
    ]
    return ", ".join((*met[-1:], *ahead[:1]))


def _source_cells(survey: Survey) -> Iterator[tuple[str, str]]:
    seen, advice = survey.observation, survey.observation.advice
    age = Decimal(seen.seen_at - seen.at).scaleb(-3)
    yield "node", f"{survey.node_url}, height {seen.height:,}, {words.seconds(age)} old"
    height = survey.indexer_height
    yield "indexer", _or_reason(height, "" if isinstance(height, Missing) else f"{height:,}")
    sizes = advice.indexer_sizes
    said = "" if isinstance(sizes, Missing) else f"read at height {sizes.height:,}"
    yield "positions there", _or_reason(sizes, said)
    yield "order books", _or_reason(_books(seen), "read, of every held market")
    yield "resting orders", _or_reason(advice.orders, "read")
    yield "funding rates", _or_reason(advice.funding, "read, of the trailing week")
    yield "funding payments", _or_reason(survey.paid, "read, of the last 24 hours")


def _books(seen: Observation) -> Missing | None:
    """What is missing of the books of held markets; None where all are there."""
    held = {position.ticker for one in seen.subaccounts for position in one.positions}
    absent = ", ".join(sorted(held - set(seen.advice.books)))
    return Missing(reason=f"the indexer shows no book of {absent}") if absent else None


def _or_reason(part: object, said: str) -> str:
    return f"{NO_DATA}: {part.reason}" if isinstance(part, Missing) else said


def _sources(survey: Survey) -> Mapping[str, object]:
    seen, advice = survey.observation, survey.observation.advice
    height, sizes = survey.indexer_height, advice.indexer_sizes
    return {
        "node": {"url": survey.node_url, "height": seen.height, "age_ms": seen.seen_at - seen.at},
        "indexer": _source(height, height=None if isinstance(height, Missing) else height),
        "positions": _source(sizes, height=None if isinstance(sizes, Missing) else sizes.height),
        "books": _source(_books(seen)),
        "orders": _source(advice.orders),
        "funding_rates": _source(advice.funding),
        "funding_payments": _source(survey.paid),
    }


def _source(part: object, **more: object) -> Mapping[str, object]:
    missing = part.reason if isinstance(part, Missing) else None
    return {"ok": missing is None, "reason": missing, **more}


def _subaccount_object(one: SubaccountReport) -> Mapping[str, object]:
    return {
        "number": one.number,
        "equity": number(one.equity),
        "imr": number(one.imr),
        "mmr": number(one.mmr),
        "margin_usage": number(one.margin_usage),
        "maintenance_usage": number(one.maintenance_usage),
        "leverage": number(one.leverage),
        "free_collateral": number(one.free_collateral),
        "free_collateral_before_buffer": number(one.free_before_buffer),
        "is_liquidatable": one.is_liquidatable,
        "reasons": list(one.reasons()),
        "positions": [_position_object(position) for position in one.positions],
    }


def _position_object(one: PositionReport) -> Mapping[str, object]:
    band = None if isinstance(one.band, NoData) else one.band
    price = None if band is None or band.price_dollars is None else band.price_dollars
    return {
        "market": one.market,
        "size": number(one.size),
        "notional": number(one.notional),
        "liquidation_price": None if price is None else number(price),
        "band": None if band is None else number(band.band),
        "liq_move": None if band is None else number(band.move),
        "loss": None if band is None else number(band.loss),
        "funding_24h": number(one.funding_24h),
        "funding_worst_24h": number(one.funding_worst),
        "funding_paid_24h": number(one.funding_paid),
    }


def _rule_object(one: RuleReport) -> Mapping[str, object]:
    return {
        "rule": one.rule,
        "instance": one.key,
        "measure": one.measure,
        "unit": one.unit.value,
        "value": number(one.value),
        "reason": one.value.reason if isinstance(one.value, NoData) else None,
        "levels": [
            {
                "level": level.name,
                "trigger": f"{level.trigger.operator} {level.trigger.value:f}",
                "distance": None if level.distance is None else number(level.distance),
                "is_met": level.is_met,
            }
            for level in one.levels
        ],
    }


def _about(value: Value) -> str:
    return NO_DATA if isinstance(value, NoData) else words.about(value)


def _dollars(value: Value) -> str:
    return NO_DATA if isinstance(value, NoData) else words.cents(value)
