"""A preview as one screen of text: orders, cash, measures, what is not done, and what else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from seawall import plan, words
from seawall.action import Cancel, Leg, Plan, Refusal
from seawall.decide.preview import Change, Preview
from seawall.decide.telling import bound_words
from seawall.measures import MEASURES
from seawall.measures.spec import NoData, Value
from seawall.policy import Level
from seawall.units import usd

WIDTH = 100
HEIGHT = 24
LEFT_OUT_MOST = 4
WHOLE_FROM = 100  # dollars, from which a trigger is told without cents
RULES_ROOM = 24  # columns
NAME_ROOM = 40  # of what is not done, however long its reason


def sheet(preview: Preview, *title: str) -> list[str]:
    """At most 24 lines of 100 columns for five positions, the title's among them."""
    made = preview.plan
    lines = [*title]
    cancels = _cancels(preview)
    if not cancels and (made is None or not (made.legs or made.top_ups)):
        calm = "nothing to do: no acting level is beyond its trigger"
        is_kept = preview.refused or (made is not None and made.dropped)
        lines.append("nothing can be done now" if is_kept else calm)
    lines += cancels
    if made is not None:
        lines += _orders(preview, made.legs)
        lines += _planner(made)
        lines += [
            f"{_row('top up', f'subaccount {one.number}', words.dollars(usd(one.amount))):<76}"
            f"{_rules(one.asked_by)}"
            for one in preview.top_ups
        ]
    tail = [*_left_out(preview), *_stops(preview), *_alternatives(preview)]
    lines += _measures(preview, HEIGHT - len(lines) - len(tail))
    return [_cut(line) for line in (*lines, *tail)]


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _row(what: str, *cells: str) -> str:
    return f"{what:<20}" + "  ".join(cells)


def _cancels(preview: Preview) -> list[str]:
    """One line: how many orders are cancelled in which market, and by which rules."""
    places, names = Counter[str](), list[str]()
    for one in preview.actions:
        if isinstance(one.action, Cancel):
            places[f"{one.action.subaccount}/{one.action.ticker}"] += 1
            names += one.asked_by
    if not places:
        return []
    where = ", ".join(f"{count} in {place}" for place, count in sorted(places.items()))
    rules = _rules(names)
    return [f"{_row('cancel orders', where):<76}{rules}"]


def _orders(preview: Preview, legs: Sequence[Leg]) -> Iterable[str]:
    if not legs:
        return
    yield f"{'order':<18}{'size':>10}{'worst price':>13}{'expected fill':>24}{'cost':>9}  asked by"
    for leg in legs:
        market = preview.seen.markets[leg.ticker]
        name = f"{leg.side.lower()} {leg.subaccount}/{leg.ticker}"
        size = words.coins(market.coins(leg.quantums))
        filled = words.coins(market.coins(leg.expected_quantums))
        fill = f"{filled} for {words.cents(usd(leg.expected_quote))}"
        yield (
            f"{name:<18}{size:>10}{words.dollars(market.dollars(leg.worst_subticks)):>13}"
            f"{fill:>24}{words.cents(usd(leg.cost_vs_mid)):>9}  {_rules(leg.asked_by)}"
        )


def _planner(made: Plan) -> Iterable[str]:
    """Why it is the greedy plan, where it is: it may be dearer and reach less."""
    name, _, why = made.solver.partition(": ")
    if name == plan.GREEDY:
        yield _row("the greedy plan", why or "the planner failed")


def _rules(names: Iterable[str]) -> str:
    """Rules by name as far as there is room, and how many more."""
    rules = list(dict.fromkeys(name.split("/")[0] for name in names))
    told, shown = ", ".join(rules), len(rules)
    while len(told) > RULES_ROOM and shown > 1:
        shown -= 1
        told = f"{', '.join(rules[:shown])} +{len(rules) - shown}"
    return told


def _measures(preview: Preview, room: int) -> list[str]:
    """Those that a plan is for first, then those that stand beyond a trigger, then the others."""
    ordered = sorted(preview.changes, key=lambda one: (not one.acts, one.level is None))
    lines = [_change(one) for one in ordered]
    if len(lines) > room - 1:
        left = len(lines) - (room - 2)
        lines = [*lines[: room - 2], f"… and {left} more: --json has all"]
    head = f"{'measure':<44}{'before':>13}{'after':>13}  goal"
    return [head, *lines] if lines else []


def _change(one: Change) -> str:
    before, after = value_words(one, one.before), value_words(one, one.after)
    return f"{one.key:<44}{before:>13}{after:>13}  {_goal(one)}"


def value_words(one: Change, value: Value) -> str:
    """A value with its unit, or that there is none."""
    if isinstance(value, NoData):
        return "no data"
    return words.show(value, MEASURES[one.rule.measure.name].unit)


def _goal(one: Change) -> str:
    level = one.level or next((each for each in one.rule.levels if each.acts), one.rule.levels[0])
    target = level.target
    if not one.acts or target is None:
        return f"{level.name} at {bound_words(level.trigger, one.rule)}"
    return f"{bound_words(target, one.rule)}{_reached(one, level)}"


def _reached(one: Change, level: Level) -> str:
    assert level.target is not None
    if isinstance(one.after, Decimal) and level.target.holds(one.after):
        return ", reached"
    return ", not reached"


def _left_out(preview: Preview) -> list[str]:
    """What was dropped and why, and what the last gate stopped."""
    dropped = () if preview.plan is None else preview.plan.dropped
    lines = [_not_done(refusal) for refusal in (*dropped, *preview.refused)]
    if len(lines) > LEFT_OUT_MOST:
        left = len(lines) - (LEFT_OUT_MOST - 1)
        lines = [*lines[: LEFT_OUT_MOST - 1], f"… and {left} more: --json has all"]
    return lines


def _not_done(refusal: Refusal) -> str:
    """What is not done and why; the middle of a long name makes room for the reason."""
    why = refusal.detail.split(". ", maxsplit=1)[0]
    room = max(NAME_ROOM, WIDTH - len(f"not done: : {why}"))
    what = refusal.what
    if len(what) > room:
        head = (room - 1) * 2 // 3
        what = f"{what[:head]}…{what[head + 1 - room :]}"
    return f"not done: {what}: {why}"


def _stops(preview: Preview) -> Iterable[str]:
    """Where the stops on the chain should stand once the plan is done."""
    if not preview.stops:
        return
    parts = []
    for stop in preview.stops:
        trigger = preview.seen.markets[stop.ticker].dollars(stop.trigger)
        name = f"{stop.subaccount}/{stop.ticker}" if stop.subaccount else stop.ticker
        show = words.whole_dollars if trigger >= WHOLE_FROM else words.dollars
        parts.append(f"{name} {show(trigger)}")
    yield _row("then stops at", ", ".join(parts))


def _alternatives(preview: Preview) -> Iterable[str]:
    if not preview.alternatives:
        return
    yield f"{'instead of':<20}{'exchanged':>14}{'cost':>12}  targets reached"
    for one in preview.alternatives:
        closed, cost = words.cents(usd(one.closed)), words.cents(usd(one.cost))
        over = "" if one.is_in_budget else ", over the budget of hour or day"
        yield f"{one.name:<20}{closed:>14}{cost:>12}  {one.reached} of {one.wanted}{over}"
