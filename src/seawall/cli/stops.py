"""Stops on the chain as a trader wants to see them: which rest, which should, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from seawall import action, backstop, words
from seawall.account import Market, Missing, Observation, RestingOrder
from seawall.action import STOP_LIFE
from seawall.backstop import NoStop, Stop
from seawall.decide import stop_desk
from seawall.intervention import sizes
from seawall.measures.spec import Unit
from seawall.measures.view import View
from seawall.policy import Policy
from seawall.units import SECOND, Millis

NOT_ASKED_FOR = "none: the rules have no `backstop`; if the guard dies, nothing closes a position"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """One market: our stops that rest, the one a guard would want now, or why there is none."""

    subaccount: int
    market: str
    rests: tuple[RestingOrder, ...]
    wanted: Stop | None
    reason: str  # empty where one rests or would be placed


def stop_reports(view: View, policy: Policy) -> tuple[StopReport, ...]:
    """Every position, and every market in which a stop of ours is left over."""
    seen, orders = view.observation, view.observation.advice.orders
    known = () if isinstance(orders, Missing) else orders
    wanted: Mapping[tuple[int, str], Stop | NoStop] = {}
    if policy.backstop is not None and policy.backstop.scenario in policy.scenarios:
        wanted = backstop.wanted(policy.backstop, policy.scenarios, view)
    room, held = stop_desk.room(view, known), sizes(seen)
    found = []
    for slot in sorted({*held, *((one.subaccount, one.ticker) for one in known)}):
        market = seen.markets.get(slot[1])
        if market is None:
            continue
        ids = action.stop_ids(seen.chain_id, seen.owner, slot[0], market.clob_pair_id)
        there = [one for one in known if (one.subaccount, one.ticker) == slot]
        rests, stop = backstop.stops_of(there, ids), wanted.get(slot)
        reason = ""
        if isinstance(orders, Missing):
            reason = f"no data: {orders.reason}"
        elif slot[1] in policy.hands_off.markets or slot[0] in policy.hands_off.subaccounts:
            reason = "hands_off in the rule file"
        elif isinstance(stop, NoStop):
            reason = stop.detail
        elif not rests and stop is not None and room.get(slot[0], 0) <= 0:
            reason = stop_desk.LITTLE
        if slot in held or rests:
            found.append(
                StopReport(
                    subaccount=slot[0],
                    market=slot[1],
                    rests=rests,
                    wanted=stop if isinstance(stop, Stop) else None,
                    reason=reason,
                )
            )
    return tuple(found)


def describe(policy: Policy) -> Iterator[str]:
    """What the file's `backstop` asks for, a line each."""
    asked = policy.backstop
    if asked is None:
        yield NOT_ASKED_FOR
        return
    at = words.percent(asked.at)
    yield "backstop: something on the chain closes each position if the guard dies"
    yield (
        f"one reduce-only stop of the whole position, at {at} of the way to its own liquidation or "
        f"to the account's in scenario {asked.scenario}, whichever is nearer; no price worse than "
        f"{words.bps(asked.slippage)} beyond that"
    )
    yield (
        "good for 14 days and renewed at half; moved once it is off by more than a tenth in "
        "distance or size, never with a moment without; cancelled when the position is flat"
    )
    yield "left as it rests by a pause, by stale state, and by the guard's end"
    yield "one attempt at the book as it then is: what does not fill stays open"


def stop_lines(
    reports: Iterable[StopReport], seen: Observation, policy: Policy
) -> Iterator[tuple[str, str]]:
    """A place and what stands there, a row each; one row where no stop is asked for."""
    shown = [one for one in reports if one.rests or policy.backstop is not None]
    if not shown and policy.backstop is None:
        yield "all", NOT_ASKED_FOR
    for one in shown:
        name = f"{one.subaccount}/{one.market}"
        for order in one.rests:
            yield name, _rests(order, seen)
        if not one.rests:
            yield name, _absent(one, seen)


def _rests(order: RestingOrder, seen: Observation) -> str:
    until = datetime.fromtimestamp(order.good_til_block_time or 0, UTC).date()
    trigger = order.trigger_subticks or 0
    words_of_it = _order_words(order, trigger, order.subticks, seen)
    state = "has gone off, stood" if order.is_triggered else "rests"
    return f"{state} {_age_words(order, seen)}: {words_of_it}, until {until}"


def _age_words(order: RestingOrder, seen: Observation) -> str:
    """For how long it has stood: its end is a fixed time after its start."""
    return f"for {words.duration(Millis(_age(order, seen) * SECOND))}"


def _age(order: RestingOrder, seen: Observation) -> int:
    """Seconds since an order of ours was placed; 0 where its end says later than now."""
    began = (order.good_til_block_time or 0) * SECOND - STOP_LIFE
    return max(0, seen.at - began) // SECOND


def _absent(one: StopReport, seen: Observation) -> str:
    if one.reason or one.wanted is None:
        return f"none: {one.reason}"
    return f"none; wanted: {_order_words(one.wanted, one.wanted.trigger, one.wanted.worst, seen)}"


def _order_words(stop: RestingOrder | Stop, trigger: int, worst: int, seen: Observation) -> str:
    market = seen.markets[stop.ticker]
    away = _away(market, trigger)
    or_better = f"{words.dollars(market.dollars(worst))} or better"
    return f"{_what(stop, market, trigger)} ({away} away), {or_better}"


def _what(stop: RestingOrder | Stop, market: Market, trigger: int) -> str:
    size = words.coins(market.coins(stop.quantums))
    return f"{stop.side.lower()} {size} at {words.dollars(market.dollars(trigger))}"


def _away(market: Market, trigger: int) -> str:
    """How far the oracle price is from a trigger."""
    return words.show(abs(market.dollars(trigger) / market.oracle_dollars - 1), Unit.RATIO)


def stop_rows(
    reports: Iterable[StopReport], seen: Observation, policy: Policy
) -> Iterator[tuple[str, str, str, str, str]]:
    """The same in columns: name, state, order, distance of the trigger, and for how long."""
    for one in reports:
        name, market = f"backstop/{one.subaccount}/{one.market}", seen.markets[one.market]
        for order in one.rests:
            trigger = order.trigger_subticks or 0
            state = "has gone off" if order.is_triggered else "rests"
            what = _what(order, market, trigger)
            yield name, state, what, f"{_away(market, trigger)} away", _age_words(order, seen)
        if not one.rests and policy.backstop is not None:
            yield name, "none", *_missing(one, market), ""


def _missing(one: StopReport, market: Market) -> tuple[str, str]:
    """What is wanted where nothing rests, or why nothing is."""
    if one.reason or one.wanted is None:
        return "", one.reason
    trigger = one.wanted.trigger
    return f"wanted: {_what(one.wanted, market, trigger)}", f"{_away(market, trigger)} away"


def stop_objects(reports: Iterable[StopReport], seen: Observation) -> list[dict[str, object]]:
    """The same as JSON: dollars and coins as strings, moments in Unix seconds."""
    return [
        {
            "subaccount": one.subaccount,
            "market": one.market,
            "rests": [
                _order_object(order, order.trigger_subticks or 0, order.subticks, seen)
                | {"until": order.good_til_block_time, "has_gone_off": order.is_triggered}
                | {"age_s": _age(order, seen)}
                for order in one.rests
            ],
            "wanted": None
            if one.wanted is None
            else _order_object(one.wanted, one.wanted.trigger, one.wanted.worst, seen),
            "reason": one.reason or None,
        }
        for one in reports
    ]


def _order_object(
    stop: RestingOrder | Stop, trigger: int, worst: int, seen: Observation
) -> dict[str, object]:
    market = seen.markets[stop.ticker]
    return {
        "side": stop.side.value,
        "size": _text(market.coins(stop.quantums)),
        "trigger": _text(market.dollars(trigger)),
        "away": _text(abs(market.dollars(trigger) / market.oracle_dollars - 1)),
        "worst_price": _text(market.dollars(worst)),
    }


def _text(value: Decimal) -> str:
    return f"{value:f}"
