"""Whether the parts of a rule agree: directions, sides, reach, and a way out of every level.

Each check takes drafts and says what is wrong at the place of the word that is wrong. A part that
was refused before is not judged again.
"""

from __future__ import annotations

from decimal import Decimal

from seawall import words
from seawall.measures.spec import Family, Measure, Move, Unit
from seawall.policy import (
    Bound,
    Flatten,
    Lock,
    NoDataMode,
    Operator,
    ReduceAmount,
    ReduceUntil,
    TopUpUntil,
    word_of,
)
from seawall.rulefile.draft import LevelDraft, RuleDraft
from seawall.rulefile.fields import Found
from seawall.rulefile.report import Place, Report
from seawall.units import DAY

OF_THE_DAY = "day_loss"

# Drawdown is below zero only during the minute in which a new peak forms.
NEVER_BELOW_ZERO = frozenset(
    {
        "drawdown",
        "funding_24h",
        "gross_exposure",
        "net_exposure",
        "cap_use",
        "open_order_risk",
        "leverage",
        "margin_usage",
        "maintenance_usage",
        "fatal_move",
        "liq_move",
        "input_age",
        "source_gap",
        "oracle_gap",
        "outside_reach",
    }
)
LIQUIDATED_AT = {  # where the chain takes over, and a trigger well before it
    "maintenance_usage": (Decimal(1), "60%"),
    "liq_move": (Decimal(0), "6%"),
    "fatal_move": (Decimal(0), "0.6x"),
}
NEVER_ABOVE_ONE = frozenset({"drawdown", "day_loss"})  # all there is can be lost, no more


def check_rule(rule: RuleDraft, report: Report) -> None:
    """Every check of one rule and of its levels among each other."""
    measure = rule.measure
    if measure is None:
        return
    for level in rule.levels:
        _check_sides(level, measure, report)
        _check_moves(level, measure, report)
        _check_way_out(level, report)
        _check_reach(level, measure, report)
        _check_no_data(rule, level, report)
    _check_ladder(rule, measure, report)


def words_of_bound(bound: Bound, unit: Unit) -> str:
    """`>= 12%`: a bound as it is written."""
    return f"{bound.operator} {_literal(bound, unit)}"


def _literal(bound: Bound, unit: Unit) -> str:
    return words.exact(bound.value, unit).replace(",", "_")


def _value(found: Found[Bound] | None) -> Bound | None:
    return None if found is None else found.value


def _overlap(one: Bound, other: Bound) -> bool:
    """Whether some value satisfies two bounds of opposite directions."""
    lower, upper = (one, other) if one.operator.is_upward else (other, one)
    if lower.value == upper.value:
        return lower.holds(lower.value) and upper.holds(upper.value)
    return lower.value < upper.value


def _check_sides(level: LevelDraft, measure: Measure, report: Report) -> None:
    """Target and clear lie on the other side of the trigger, without a value in common."""
    trigger = _value(level.trigger)
    if trigger is None:
        return
    for key, found in (("target", level.target), ("clear", level.clear)):
        bound = _value(found)
        if found is None or bound is None:
            continue
        same_direction = bound.operator.is_upward == trigger.operator.is_upward
        if same_direction or _overlap(trigger, bound):
            report.refuse(
                found.place,
                f"`{words_of_bound(bound, measure.unit)}`: `{key}` is on the wrong side, the "
                f"level fires at {words_of_bound(trigger, measure.unit)}, so "
                f'{key} is "{_other_side(trigger)} ..."',
            )
    target, clear = _value(level.target), _value(level.clear)
    if level.clear is None or target is None or clear is None:
        return
    if target.operator.is_upward == clear.operator.is_upward and not clear.holds(target.value):
        report.warn(
            level.clear.place,
            f"`{words_of_bound(clear, measure.unit)}`: `clear` asks for more than `target` "
            f"{words_of_bound(target, measure.unit)}; a level that reached its target goes on "
            "firing until the market helps",
        )


def _other_side(trigger: Bound) -> str:
    return "<=" if trigger.operator.is_upward else ">="


def _check_moves(level: LevelDraft, measure: Measure, report: Report) -> None:
    """Goals that an action can reach: `until: target` needs a target and a measure that moves."""
    aims = False
    for place, do in level.do:
        match do:
            case ReduceUntil():
                aims, move = True, Move.REDUCE
            case TopUpUntil():
                aims, move = True, Move.TOP_UP
            case ReduceAmount() | Flatten() | Lock() if measure.family is Family.TRUST:
                report.refuse(
                    place,
                    f"`{word_of(do)}`: {measure.name} is about trust in what is seen; "
                    "such a level may notify, page and cancel",
                )
                continue
            case _:
                continue
        if move not in measure.moved_by:
            report.refuse(place, f"`{word_of(do)}`: {_cannot_move(move, measure)}")
        elif level.target is None:
            report.refuse(
                place, f"`{word_of(do)}`: says `until: target`, and the level has no `target`"
            )
        if isinstance(do, ReduceUntil) and do.or_else is None and measure.needs_or_else:
            report.refuse(
                place,
                f"`or_else`: missing, {measure.name} may be out of reach even with "
                "everything closed; write `or_else: page`, {amount: 50%} or `flatten`",
            )
    if level.target is not None and not measure.moved_by and not aims:
        report.refuse(
            level.target.place,
            f"`target`: no action can bring {measure.name} to a target, leave it out",
        )


def _cannot_move(move: Move, measure: Measure) -> str:
    if not measure.moved_by:
        instead = "; use `amount` or `flatten`" if measure.family is Family.PROFIT_AND_LOSS else ""
        return f"no action can bring {measure.name} to a target{instead}"
    able = " or ".join(f"`{each}`" for each in measure.moved_by)
    what = "cash" if move is Move.TOP_UP else "selling"
    return f"{what} cannot bring {measure.name} to a target, use {able}"


def _check_way_out(level: LevelDraft, report: Report) -> None:
    """An acting level ends by `clear`, by `target`, or by a latch."""
    if not level.do.acts or level.do.has_bare_flatten:
        return
    if any(isinstance(do, ReduceUntil | TopUpUntil) for _, do in level.do):
        return  # `until: target` without one is refused already
    if level.clear is None and level.target is None and level.latch is None:
        report.refuse(
            level.place,
            f"`{level.name}`: acts and has no way out, write `clear`, `target` or `latch: manual`",
        )


def _check_reach(level: LevelDraft, measure: Measure, report: Report) -> None:
    """A trigger that can come true and a level that can clear again."""
    trigger = _value(level.trigger)
    if level.trigger is None or trigger is None:
        return
    shown = words_of_bound(trigger, measure.unit)
    if not _can_hold(trigger, measure):
        report.refuse(
            level.trigger.place,
            f"`{shown}`: unreachable level, {measure.name} is never {_limit_of(trigger)}"
            f"{_as_a_loss(trigger, measure)}",
        )
        return
    if measure.name == OF_THE_DAY and level.hold >= DAY:
        report.refuse(
            level.trigger.place,
            f"`{shown}`: unreachable level, {measure.name} starts anew at 00:00Z and never holds "
            f"for {words.duration(level.hold)}",
        )
    if trigger.operator.is_upward != measure.worse_up:
        report.warn(
            level.trigger.place,
            f"`{shown}`: fires when {measure.name} gets better, did you mean "
            f"`{_mirrored(trigger)} {_literal(trigger, measure.unit)}`?",
        )
    _warn_of_too_late(level.trigger.place, trigger, measure, report)
    ending = level.clear if level.clear is not None else level.target
    bound = _value(ending)
    if ending is None and not _can_fail(trigger, measure):
        report.refuse(
            level.trigger.place,
            f"`{shown}`: level that can never clear, {measure.name} always satisfies its trigger"
            f"{_as_a_loss(trigger, measure)}",
        )
    elif ending is not None and bound is not None and not _can_hold(bound, measure):
        report.refuse(
            ending.place,
            f"`{words_of_bound(bound, measure.unit)}`: level that can never clear, "
            f"{measure.name} is never {_limit_of(bound)}",
        )


def _warn_of_too_late(place: Place, trigger: Bound, measure: Measure, report: Report) -> None:
    """A trigger that nothing meets before the chain has begun to liquidate."""
    if measure.name not in LIQUIDATED_AT or trigger.operator.is_upward != measure.worse_up:
        return
    end, sooner = LIQUIDATED_AT[measure.name]
    if trigger.value >= end if measure.worse_up else trigger.value <= end:
        report.warn(
            place,
            f"`{words_of_bound(trigger, measure.unit)}`: never before the chain liquidates, at "
            f"{words.exact(end, measure.unit)}; fire well before it, like "
            f"`{trigger.operator} {sooner}`",
        )


def _mirrored(bound: Bound) -> Operator:
    match bound.operator:
        case Operator.AT_LEAST:
            return Operator.AT_MOST
        case Operator.ABOVE:
            return Operator.BELOW
        case Operator.AT_MOST:
            return Operator.AT_LEAST
        case Operator.BELOW:
            return Operator.ABOVE


def _can_hold(bound: Bound, measure: Measure) -> bool:
    """Whether some value that the measure can take satisfies the bound."""
    if bound.operator.is_upward:
        return measure.name not in NEVER_ABOVE_ONE or bound.holds(Decimal(1))
    return measure.name not in NEVER_BELOW_ZERO or bound.holds(Decimal(0))


def _can_fail(bound: Bound, measure: Measure) -> bool:
    """Whether some value that the measure can take does not satisfy the bound."""
    if bound.operator.is_upward:
        return measure.name not in NEVER_BELOW_ZERO or not bound.holds(Decimal(0))
    return measure.name not in NEVER_ABOVE_ONE or not bound.holds(Decimal(1))


def _as_a_loss(trigger: Bound, measure: Measure) -> str:
    """The hint for a loss that was written as a negative number."""
    if not measure.worse_up or trigger.value >= 0:
        return ""
    loss = words.exact(-trigger.value, measure.unit).replace(",", "_")
    return f", did you mean `{trigger.operator.replace('<', '>')} {loss}`?"


def _limit_of(bound: Bound) -> str:
    return "above 100%" if bound.operator.is_upward else "below zero"


def _check_no_data(rule: RuleDraft, level: LevelDraft, report: Report) -> None:
    found = rule.no_data
    if found is not None and found.value is NoDataMode.FIRE and level.do.acts:
        report.refuse(
            found.place,
            f"`fire`: level `{level.name}` acts, and absence of a value may only "
            "notify or page; use `hold`",
        )


def _check_ladder(rule: RuleDraft, measure: Measure, report: Report) -> None:
    """Levels climb: one direction, each harder than the one below it, none in another's shadow."""
    below: LevelDraft | None = None
    for level in rule.levels:
        if _value(level.trigger) is None:
            continue
        if below is not None:
            _check_step(below, level, measure, report)
        below = level


def _check_step(below: LevelDraft, level: LevelDraft, measure: Measure, report: Report) -> None:
    low, high = _value(below.trigger), _value(level.trigger)
    if level.trigger is None or low is None or high is None:
        return
    shown, lower = words_of_bound(high, measure.unit), words_of_bound(low, measure.unit)
    if low.operator.is_upward != high.operator.is_upward:
        report.refuse(
            level.trigger.place,
            f"`{shown}`: the levels of one rule trigger in opposite "
            f"directions, `{below.name}` at {lower}",
        )
    elif low == high:
        if level.hold <= below.hold:
            report.refuse(
                level.trigger.place,
                f"`{shown}`: unreachable level, `{level.name}` fires no later "
                f"than `{below.name}` below it, which never has its turn",
            )
    elif not low.holds(high.value):
        report.refuse(
            level.trigger.place,
            f"`{shown}`: a higher level is easier than a lower, "
            f"`{below.name}` fires at {lower}; write the mildest level first",
        )
