"""Where a check turns: at the bound, just under, just over; both directions; allowed neighbours."""

from __future__ import annotations

import pytest

from seawall.errors import RuleFileError
from seawall.rulefile import load
from tests.rulefile.texts import CUT, one_rule, problems_of


def ladder(*triggers: str, measure: str = "drawdown") -> str:
    levels = "".join(
        f"\n      - {{name: l{number}, {trigger}, do: [notify]}}"
        for number, trigger in enumerate(triggers)
    )
    return f"rules:\n  - id: a\n    why: Why.\n    measure: {measure}\n    levels:{levels}\n"


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ('trigger: ">= 6%"', 'trigger: ">= 6.01%"'),
        ('trigger: ">= 6%"', 'trigger: "> 6%"'),
        ('trigger: ">= 6%"', 'trigger: ">= 6%", for: 1s'),
        ('trigger: ">= 6%", for: 10m', 'trigger: ">= 9%"'),
    ],
)
def test_a_higher_level_that_is_harder_or_later_loads(low: str, high: str) -> None:
    assert problems_of(ladder(low, high)) == []


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ('trigger: ">= 6%"', 'trigger: ">= 5.99%"', "a higher level is easier than a lower"),
        ('trigger: "> 6%"', 'trigger: ">= 6%"', "a higher level is easier than a lower"),
        ('trigger: ">= 6%"', 'trigger: ">= 6%"', "unreachable level"),
        ('trigger: ">= 6%", for: 2s', 'trigger: ">= 6%", for: 1s', "unreachable level"),
        ('trigger: ">= 6%"', 'trigger: "< 9%"', "opposite directions"),
    ],
)
def test_a_higher_level_that_is_not_harder_is_refused(low: str, high: str, said: str) -> None:
    (problem,) = problems_of(ladder(low, high))

    assert said in problem


def test_a_falling_ladder_climbs_downwards() -> None:
    falling = ladder('trigger: "< 9%"', 'trigger: "< 6%"', measure="liq_move")
    rising = ladder('trigger: "< 6%"', 'trigger: "< 9%"', measure="liq_move")

    assert problems_of(falling) == []
    assert "easier" in problems_of(rising)[0]


@pytest.mark.parametrize(
    ("trigger", "clear", "loads"),
    [
        ('"> $9_000"', '"<= $9_000"', True),
        ('">= $9_000"', '"< $9_000"', True),
        ('">= $9_000"', '"<= $9_000"', False),
        ('"> $9_000"', '"< $9_000.01"', False),
        ('"> $9_000"', '"< $9_000"', True),
        ('"< $9_000"', '">= $9_000"', True),
        ('"<= $9_000"', '">= $9_000"', False),
        ('"< $9_000"', '"> $8_999"', False),
    ],
)
def test_clear_and_trigger_may_touch_and_not_overlap(
    trigger: str, clear: str, *, loads: bool
) -> None:
    problems = problems_of(one_rule(trigger=trigger, clear=clear, measure="equity"))

    assert (problems == []) is loads


@pytest.mark.parametrize(
    ("trigger", "clear", "loads"),
    [
        ('">= 100%"', '"< 50%"', True),
        ('"> 100%"', '"< 50%"', False),
        ('"> 0%"', '"<= 0%"', True),
        ('"> 0%"', '"< 0%"', False),
        ('"< 0%"', '">= 0%"', False),
        ('"<= 0%"', '"> 100%"', False),
    ],
)
def test_what_a_measure_never_is_can_neither_fire_nor_clear(
    trigger: str, clear: str, *, loads: bool
) -> None:
    problems = problems_of(one_rule(measure="drawdown", trigger=trigger, clear=clear))

    assert (problems == []) is loads


def test_a_gain_is_a_day_loss_below_zero() -> None:
    assert problems_of(one_rule(measure="day_loss", trigger='"> 2%"', clear='"< -1%"')) == []


@pytest.mark.parametrize("ending", [{"clear": '"< $1"'}, {"latch": "manual"},
                                    {"target": '"<= $7_000"'}])  # fmt: skip
def test_an_acting_level_ends_by_clear_by_latch_or_by_target(ending: dict[str, str]) -> None:
    do = "[{reduce: {amount: 33%, max_slippage: 60bps}}]"

    assert problems_of(one_rule(do=do, **ending)) == []
    assert "no way out" in problems_of(one_rule(do=do))[0]


def test_orders_may_be_cancelled_while_the_inputs_are_not_trusted() -> None:
    cancel = "[page, {cancel_orders: risk_increasing}]"

    assert problems_of(one_rule(measure="input_age", trigger='"> 10s"', do=cancel,
                                clear='"< 5s"')) == []  # fmt: skip


def test_one_misspelt_key_hides_no_fault_behind_it() -> None:
    text = one_rule(do="[notify]").replace("trigger:", "triger:").replace("$9_000", "9_000")

    assert problems_of(text) == [
        "rules.yaml:5:5 `triger`: unknown key, did you mean `trigger`?",
        (
            "rules.yaml:5:13 `9_000`: the unit is missing, expected dollars like `$9_000`, "
            "did you mean `$9_000`?"
        ),
    ]


def test_what_stands_beside_levels_is_read_where_it_stands() -> None:
    levels = '\n      - {name: act, trigger: "> $9_000", do: [notify]}'
    text = one_rule(do="[notfy, {reduce: {until: target, max_slipage: 60bps}}]", levels=levels)

    said = "\n".join(problems_of(text))

    assert "`do`: belongs to a level, since this rule has `levels`" in said
    assert "`notfy`: unknown action, did you mean `notify`?" in said
    assert "`max_slipage`: unknown key, did you mean `max_slippage`?" in said


def test_a_misspelt_measure_is_judged_as_the_one_that_was_meant() -> None:
    problems = problems_of(one_rule(measure="drawdwon", trigger='">= 12x"'))

    assert len(problems) == 2
    assert "did you mean `drawdown`?" in problems[0]
    assert "wrong unit" in problems[1]


def test_a_refused_part_is_not_judged_again() -> None:
    (problem,) = problems_of(one_rule(target='"<= 7_000"', do=CUT))

    assert "the unit is missing" in problem


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone.yaml", "no such file"), (".", "cannot be read"), ("bad\0name", "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_path(name: str, words: str) -> None:
    with pytest.raises(RuleFileError, match=words):
        load(name)


def test_a_refusal_is_fit_for_a_terminal() -> None:
    (long,) = problems_of(one_rule(mode="x" * 9_000))
    (odd,) = problems_of(one_rule(mode='"\\e[2J"'))

    assert len(long) < 500
    assert odd.isprintable()
    assert "control character" in problems_of(one_rule(why='"\\e[2J"'))[0]
