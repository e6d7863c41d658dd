"""Stops on the chain as a trader wants to see them: which rest, which should, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from seawall import action, backstop, words
from seawall.account import Missing, Observation, RestingOrder
from seawall.backstop import NoStop, Stop
from seawall.decide import stop_desk
from seawall.intervention import sizes
from seawall.measures.spec import Unit
from seawall.measures.view import View
from seawall.policy import Policy

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
    what = "has gone off" if order.is_triggered else "rests"
    until = datetime.fromtimestamp(order.good_til_block_time or 0, UTC).date()
    trigger = order.trigger_subticks or 0
    return f"{what}: {_order_words(order, trigger, order.subticks, seen)}, until {until}"


def _absent(one: StopReport, seen: Observation) -> str:
    if one.reason or one.wanted is None:
        return f"none: {one.reason}"
    return f"none; wanted: {_order_words(one.wanted, one.wanted.trigger, one.wanted.worst, seen)}"


def _order_words(stop: RestingOrder | Stop, trigger: int, worst: int, seen: Observation) -> str:
    market = seen.markets[stop.ticker]
    at = market.dollars(trigger)
    away = words.show(abs(at / market.oracle_dollars - 1), Unit.RATIO)
    size = words.coins(market.coins(stop.quantums))
    return (
        f"{stop.side.lower()} {size} at {words.dollars(at)} ({away} away), "
        f"{words.dollars(market.dollars(worst))} or better"
    )


def stop_objects(reports: Iterable[StopReport], seen: Observation) -> list[dict[str, object]]:
    """The same as JSON: dollars and coins as strings, moments in Unix seconds."""
    return [
        {
            "subaccount": one.subaccount,
            "market": one.market,
            "rests": [
                _order_object(order, order.trigger_subticks or 0, order.subticks, seen)
                | {"until": order.good_til_block_time, "has_gone_off": order.is_triggered}
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
        "worst_price": _text(market.dollars(worst)),
    }


def _text(value: Decimal) -> str:
    return f"{value:f}"
