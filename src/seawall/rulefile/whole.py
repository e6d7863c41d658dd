"""What only the whole file shows: caps nobody wrote, cash without a wallet, no way to act."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from seawall.measures.spec import Per
from seawall.policy import (
    Do,
    Flatten,
    HandsOff,
    Lock,
    Policy,
    ReduceAmount,
    ReduceUntil,
    Scope,
    TopUpUntil,
    word_of,
)
from seawall.rulefile.draft import RuleDraft
from seawall.rulefile.report import Place, Report
from seawall.scenario import ANY_MARKET, Scenario

T = TypeVar("T")


def check_against_blocks(rule: RuleDraft, policy: Policy, report: Report) -> None:
    """A rule whose measure needs a block that the file does not have, or that never moves."""
    ref = rule.measure_ref
    if ref is None or rule.measure is None:
        return
    needs = rule.measure.needs_rules_of
    if needs and not policy.caps.typed and policy.caps.derived is None:
        report.refuse(rule.measure_place, f"`{ref.name}`: needs {needs}, and the file has neither")
    scenario = policy.scenarios.get(ref.scenario or "")
    if scenario is None or not scenario.shocks:
        return
    if ref.name == "fatal_move" and not any(scenario.shocks.values()):
        report.refuse(
            rule.measure_place, f"`{scenario.name}`: moves no price, so no multiple of it is fatal"
        )
    if rule.scope is not None and _is_silent_about(scenario, rule.scope):
        report.refuse(
            rule.measure_place, f"`{scenario.name}`: says nothing about the markets in scope"
        )


def _is_silent_about(scenario: Scenario, scope: Scope) -> bool:
    """Whether a scenario moves none of the markets that a scope names."""
    if scope.markets is None or ANY_MARKET in scenario.shocks:
        return False
    return not any(scope.has_market(ticker) for ticker in scenario.shocks)


def _warn_of_partial_series(rules: tuple[RuleDraft, ...], report: Report) -> None:
    """NAV is kept per subaccount and for the whole account; a part of it has no data."""
    for rule in rules:
        if rule.measure is None or rule.scope is None or rule.scope.subaccounts is None:
            continue
        several = rule.scope.per is Per.ACCOUNT and len(rule.scope.subaccounts) > 1
        if several and rule.measure.name in ("drawdown", "day_loss"):
            report.warn(
                rule.measure_place,
                f"`{rule.measure.name}`: is kept for the whole account and per subaccount, not "
                "for some of them together; write `per: subaccount`, or leave `subaccounts` out",
            )


def warn_of_gaps(rules: tuple[RuleDraft, ...], policy: Policy, top: Place, report: Report) -> None:
    """Warnings: what loads, and leaves the account less guarded than its owner may think."""
    if policy.float_source is None:
        _warn_of_cash_without_wallet(rules, report)
    _warn_of_partial_series(rules, report)
    _warn_of_idle_cooldowns(rules, report)
    _warn_of_levels_that_stay(rules, report)
    _warn_of_what_is_hands_off(rules, policy.hands_off, report)
    if policy.backstop is None:
        report.warn(top, "no `backstop`: if the guard dies, nothing on the chain closes a position")
    if rules and not any(level.do.acts for rule in rules for level in rule.levels):
        report.warn(top, "no level acts: this file only sends messages")


def _warn_of_idle_cooldowns(rules: tuple[RuleDraft, ...], report: Report) -> None:
    """A cooldown runs from the end of an intervention, which only cash and size make."""
    work = (TopUpUntil, ReduceUntil, ReduceAmount, Flatten)
    for rule in rules:
        for level in rule.levels:
            is_idle = level.do.is_whole and not any(isinstance(do, work) for _, do in level.do)
            if is_idle and level.cooldown is not None and level.cooldown.value:
                report.warn(
                    level.cooldown.place,
                    f"`cooldown`: `{level.name}` moves neither cash nor size, so there is no "
                    "intervention to wait after; `for` and `clear_for` slow its messages down",
                )


def _warn_of_levels_that_stay(rules: tuple[RuleDraft, ...], report: Report) -> None:
    """A clear that ends nothing."""
    for rule in rules:
        for level in rule.levels:
            clear = level.clear
            if clear is not None and level.do.has_bare_flatten and level.latch is None:
                report.warn(
                    clear.place,
                    f"`clear`: a bare `flatten` latches, so `{level.name}` stays until `rearm` all "
                    "the same; write out its settings to let it clear",
                )


def _warn_of_what_is_hands_off(
    rules: tuple[RuleDraft, ...], hands_off: HandsOff, report: Report
) -> None:
    """A rule that would cut size, or pay cash, only where nothing is ever traded."""
    for rule in rules:
        scope = rule.scope
        if scope is None:
            continue
        by_market = _is_within(scope.markets, hands_off.markets, scope.excluded)
        by_number = _is_within(scope.subaccounts, hands_off.subaccounts, ())
        if not (by_market or by_number):
            continue
        idle: tuple[type[Do], ...] = (ReduceUntil, ReduceAmount, Flatten, Lock)
        if by_number:
            idle = (*idle, TopUpUntil)
        does = [do for level in rule.levels for _, do in level.do if isinstance(do, idle)]
        words = dict.fromkeys(f"`{word_of(do)}`" for do in does)
        if words:
            report.warn(
                rule.place,
                f"`{rule.id}`: everything in its scope is hands_off, so {', '.join(words)} does "
                "nothing there",
            )


def _is_within(named: Collection[T] | None, off: Collection[T], excluded: Collection[T]) -> bool:
    """Whether a scope names something, and all of it is hands_off."""
    left = [one for one in named or () if one not in excluded]
    return bool(left) and all(one in off for one in left)


def _warn_of_cash_without_wallet(rules: tuple[RuleDraft, ...], report: Report) -> None:
    for rule in rules:
        for level in rule.levels:
            for place, do in level.do:
                if isinstance(do, TopUpUntil):
                    report.warn(
                        place,
                        "`top_up`: no `account: {float: ...}` to take cash from, "
                        "this does nothing until there is one",
                    )
