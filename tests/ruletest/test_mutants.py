"""Mutants: one change each, none that the rule file would refuse, none that changes nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from seawall.rulefile import digest
from seawall.ruletest.mutants import mutants_of
from tests.ruletest.texts import RULES, chasing, rules, shipped


def whats(text: str = RULES) -> list[str]:
    return [f"{one.level} {one.what}" for one in mutants_of(rules(text))]


def test_thresholds_move_both_ways_actions_go_and_durations_change() -> None:
    assert whats() == [
        "watch trigger 5% -> 5.5%",
        "watch trigger 5% -> 4.5%",
        "watch clear 4% -> 4.4%",
        "watch clear 4% -> 3.6%",
        "watch for 30s -> 0s",
        "watch clear_for 5m -> 0s",
        "watch for 30s -> 1m30s",
        "watch clear_for 5m -> 15m",
        "act trigger 10% -> 11%",
        "act trigger 10% -> 9%",
        "act clear 8% -> 8.8%",
        "act clear 8% -> 7.2%",
        "act page dropped",
        "act cancel_orders dropped",
        "act reduce dropped",
        "act for 1m -> 0s",
        "act for 1m -> 3m",
    ]


def test_a_latch_is_removed_and_a_flattens_patience_changed() -> None:
    text = RULES.replace("        for: 1m\n", "        latch: manual\n").replace(
        "{reduce: {amount: 50%, max_slippage: 60bps}}", "{flatten: {max_slippage: 60bps}}"
    )

    assert {
        "act latch removed",
        "act flatten dropped",
        "act give_up_after 1m30s -> 0s",
        "act give_up_after 1m30s -> 4m30s",
    } <= set(whats(text))


def test_the_patience_of_a_flatten_that_is_fallen_back_on_changes_too() -> None:
    text = chasing("free_collateral", "< $900", ">= $1_000", ">= $950", ", or_else: flatten")

    assert {
        "act give_up_after 1m30s -> 0s",
        "act give_up_after 1m30s -> 4m30s",
    } <= set(whats(text))


@pytest.mark.parametrize("latch", ["", "        latch: manual\n", '        latch: "00:00Z"\n'])
def test_the_latch_that_a_bare_flatten_brings_is_removed_too(latch: str) -> None:
    text = RULES.replace("        for: 1m\n", latch).replace(
        "{reduce: {amount: 50%, max_slippage: 60bps}}", "flatten"
    )
    (mutant,) = (one for one in mutants_of(rules(text)) if one.what == "latch removed")

    (level,) = (level for level in mutant.policy.rules[0].levels if level.name == "act")
    assert level.latch is None


def test_a_mutant_that_would_not_load_is_none() -> None:
    without_clear = RULES.replace('        clear: "< 8%"\n', "        latch: manual\n")

    assert "act latch removed" not in whats(without_clear)  # no way out


def test_a_threshold_of_zero_moves_by_a_part_of_its_neighbours() -> None:
    moved = [one.what for one in mutants_of(shipped()) if one.rule == "twin-gap-survival"]

    assert {"trigger $0 -> $50", "trigger $0 -> -$50"} <= set(moved)


def test_every_mutant_is_another_rule_set_at_the_line_of_its_change() -> None:
    loaded = shipped()
    mutants = list(mutants_of(loaded))

    digests = Counter(digest(one.policy) for one in mutants)

    assert len(mutants) > 120
    assert loaded.digest not in digests
    assert digests.most_common(1)[0][1] == 1
    page = next(one for one in mutants if one.name == "account-drawdown/panic page dropped")
    assert page.place.line == 76


@pytest.mark.parametrize("gone", ["trigger", "for"])
def test_only_what_is_written_is_changed(gone: str) -> None:
    assert any(gone in what for what in whats())
    assert not any("cooldown" in what for what in whats())
