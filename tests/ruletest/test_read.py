"""Test files: what is unknown, empty or out of order is refused with its place and a remedy."""

from __future__ import annotations

import pytest

from seawall.rulefile import parse
from seawall.ruletest.read import parse_suite
from seawall.ruletest.script import STEP
from tests.ruletest.texts import ACCOUNT, problems, shipped, suite

HEAD = f"defaults:\n  account: {ACCOUNT}\ntests:\n  - name: a story\n"
STEP_TOO_LONG = (
    "5:11 `1m`: a step of 1s to 5s is expected; a tick adds at most 5s to a `for`, and "
    "what rests is skipped anyway"
)
QUIET = "    expect: [{at: 5s, quiet: true}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: []\n", "1:8 a list: `tests` is a list of tests, at least one"),
        (
            "rules: rules.yaml\n",
            "1:1 `tests`: missing in a test file; a file that tests nothing proves nothing",
        ),
        (
            HEAD + "    expect: []\n",
            "5:13 `expect`: empty, a test that expects nothing cannot fail",
        ),
        (HEAD, "4:5 `expect`: missing in a test; a test that expects nothing cannot fail"),
        (
            HEAD + "    expect: [{at: 5s}]\n",
            "5:14 `firing` or `quiet: true`: one of them must be said",
        ),
        (
            HEAD + "    expect: [{at: 5s, firing: {lose: act}}]\n",
            "5:32 `lose`: unknown rule, did you mean `loss`?",
        ),
        (
            HEAD + "    expect: [{at: 5s, firing: {loss: panic}}]\n",
            "5:38 `panic`: no level of loss, allowed: `watch`, `act`",
        ),
        (
            HEAD + "    expect: [{at: 5s, firing: {}}]\n",
            "5:31 `firing`: a table like {RULE: LEVEL}; for nothing say `quiet: true`",
        ),
        (
            HEAD + "    expect: [{at: 7s, quiet: true}]\n",
            "5:19 `7s`: not on a step of the test, which is 5s, did you mean `5s`?",
        ),
        (
            HEAD + "    expect: [{at: 10s, quiet: true}, {at: 5s, quiet: true}]\n",
            "5:43 `at`: times go forward, each once",
        ),
        (
            HEAD + "    expect: [{at: 5s, quiet: true, plan: [{flatten: all}, {top_up: 5}]}]\n",
            "5:60 `top_up`: parts stand in their order, cancel_orders, top_up, reduce, flatten",
        ),
        (
            HEAD + "    expect: [{at: 5s, quiet: true, plan: [{reduce: {BTC: 33%}}]}]\n",
            "5:53 `BTC`: unknown market, did you mean `BTC-USD`?",
        ),
        (
            HEAD + '    expect: [{at: 5s, quiet: true, measures: {drawdwon: "== 0%"}}]\n',
            "5:47 `drawdwon`: unknown measure, did you mean `drawdown`?",
        ),
        (HEAD + "    serie: {}\n" + QUIET, "5:5 `serie`: unknown key, did you mean `series`?"),
        (
            HEAD + "    series: {draw_down: 5%}\n" + QUIET,
            "5:14 `draw_down`: unknown measure, did you mean `drawdown`?",
        ),
        (
            HEAD + "    step: 1m\n" + QUIET,
            STEP_TOO_LONG,
        ),
        (
            HEAD + "    account: {usdc: 5}\n" + QUIET,
            "5:15 `usdc`: write `equity`: what the account is worth, positions included",
        ),
        (HEAD + "    flows: {7s: 5}\n" + QUIET, "5:13 `7s`: no step of the test after 0s"),
        (
            "tests:\n  - name: a story\n" + QUIET,
            "2:5 `account`: missing here and in `defaults`, like {equity: 23_000}",
        ),
        (
            HEAD + QUIET + "  - name: a story\n" + QUIET,
            "6:11 `a story`: a second test with this name",
        ),
    ],
)
def test_a_test_file_that_proves_nothing_is_refused(text: str, said: str) -> None:
    assert said in problems(text)


@pytest.mark.parametrize("where", ["defaults", "the test"])
def test_an_account_that_is_refused_is_not_also_missing(where: str) -> None:
    account = "account: {usdc: 20_000}"
    head = f"defaults: {{{account}}}\n" if where == "defaults" else ""
    own = "" if head else f"    {account}\n"
    text = f"{head}tests:\n  - name: a\n{own}    expect: [{{at: 5s, quiet: true}}]\n"

    said = [problem.split(" ", maxsplit=1)[1] for problem in problems(text)]

    assert said == [
        "`equity`: missing in `account`; what the account is worth, in dollars",
        "`usdc`: write `equity`: what the account is worth, positions included",
    ]


def test_a_measure_that_a_rule_brings_to_a_target_cannot_be_said() -> None:
    text = HEAD + "    series: {cap_use/BTC-USD: 5%}\n" + QUIET

    (said,) = problems(text, shipped())

    assert said == (
        "5:14 `cap_use/BTC-USD`: is moved by `until: target` of market-cap, so a series cannot say "
        "it; move price, size, funding or equity instead"
    )


def test_a_scenario_is_part_of_a_measures_name() -> None:
    wrong = HEAD + '    expect: [{at: 5s, quiet: true, measures: {stress_headroom/0: "> $0"}}]\n'

    (said,) = problems(wrong, shipped())

    assert said.startswith("5:47 `stress_headroom/0`: stress_headroom names a scenario")


def test_all_problems_are_said_at_once() -> None:
    text = HEAD + "    serie: {}\n    expect: [{at: 7s}]\n"

    assert len(problems(text)) == 3


def test_what_a_test_does_not_say_it_takes_from_the_defaults() -> None:
    text = suite("    series: {drawdown: 1%}\n    expect: [{at: 5s, quiet: true}]\n")

    (test,) = text.tests

    assert test.step == STEP
    assert test.account.holdings[0].equity == 20_000


WATCHED = """rules:
  - {id: account, why: w, measure: drawdown, trigger: ">= 6%", do: [notify]}
  - {id: each, why: w, measure: open_order_risk, trigger: "> $1", do: [notify]}
  - {id: part, why: w, measure: leverage, scope: {subaccounts: [0]}, trigger: "> 5x", do: [notify]}
  - id: basket
    why: w
    scope: {per: group, except: [BTC-USD]}
    measure: gross_exposure
    trigger: "> $1"
    do: [notify]
  - {id: band, why: w, measure: liq_move, trigger: "< 6%", do: [notify]}
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drawdown/0", "7%"),
        ("drawdown/account", "7%"),
        ("open_order_risk/DOGE-USD", "$2"),
        ("open_order_risk/0/BTC-USD", "$2"),
        ("leverage/128", "6x"),
        ("leverage/BTC-USD", "6x"),
        ("gross_exposure/alt-basket", "$2"),
        ("liq_move/BTC-USD", "5%"),
    ],
)
def test_a_series_of_an_instance_that_no_rule_watches_is_refused(name: str, value: str) -> None:
    text = HEAD + f"    series: {{{name}: {value}}}\n" + QUIET

    (said,) = problems(text, parse(WATCHED))

    assert said.startswith(f"5:14 `{name}`: no rule watches such an instance (")
    assert said.endswith(f"); `{name.partition('/')[0]}` is every one")


def test_a_series_of_an_instance_that_a_rule_watches_is_taken() -> None:
    names = "open_order_risk/BTC-USD: $2, leverage/0: 6x, gross_exposure/basket: $2"
    rest = "liq_move/0/BTC-USD: 5%, drawdown: 7%"
    text = HEAD + f"    series: {{{names}, {rest}}}\n" + QUIET

    parse_suite(text, parse(WATCHED).policy)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("day_loss: 0%", "no rule watches `day_loss`, so this moves nothing; allowed: `drawdown`"),
        ("net_exposure: $5", "moves nothing; did you mean `gross_exposure`?"),
        ("leverage/128: 6x", "the account has no subaccount 128, there is `0`"),
        ("liq_move/128/BTC-USD: 5%", "the account has no subaccount 128, there is `0`"),
        ("liq_move/0/ETH-USD: 5%", "subaccount 0 never holds ETH-USD, did you mean `BTC-USD`?"),
    ],
)
def test_a_series_that_moves_nothing_is_refused(name: str, said: str) -> None:
    rules = WATCHED.replace("scope: {subaccounts: [0]}", "scope: {}")
    text = HEAD + f"    series: {{{name}}}\n" + QUIET

    (problem,) = problems(text, parse(rules))

    assert said in problem


def test_a_series_of_what_the_account_comes_to_hold_is_taken() -> None:
    account = "{equity: 9_000, children: {128: {equity: 900, positions: {SOL-USD: {size: 5}}}}}"
    moves = "    sizes: {ETH-USD: [0, {hold: 1m}, 1]}\n"
    names = "liq_move/128/SOL-USD: 5%, liq_move/0/ETH-USD: 9%"
    text = HEAD + f"    account: {account}\n{moves}    series: {{{names}}}\n" + QUIET

    parse_suite(text, parse(WATCHED).policy)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("series: {drawdown: [0%, {wait: 3m}]}", "`wait`: unknown word of a series, did you mean"),
        ("series: {drawdown: [0%, {to: 5%, in: 3m}]}", "`in`: unknown key, did you mean `over`?"),
        ("series: {drawdown: [0, {to: 5%, over: 3m}]}", "`0`: the unit is missing"),
        ("sizes: {BTC-USD: $500}", "`$500`: a size is in coins, like `0.06`"),
        ("prices: {DOGE-USD: 1}", "unknown market, there are `BTC-USD`, `ETH-USD`, `SOL-USD`"),
        ("account: {equity: $23k}", "`23_000` or `-0.06`, did you mean `23_000`?"),
        ("account: {equity: 100_00}", "did you mean `10_000` or `100.00`?"),
        ("account: {equity: 23,000}", "`000`: unknown key, a comma ends what stands in braces"),
        ("start: noon", "`noon`: expected a time of day in UTC like `14:30Z`"),
    ],
)
def test_a_slip_of_a_test_file_is_named_once_with_what_was_meant(body: str, said: str) -> None:
    (problem,) = problems(HEAD + f"    {body}\n" + QUIET)

    assert said in problem


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("quiet: yes", "`yes`: expected `true` or `false`, did you mean `true`?"),
        ("fires: {loss: watch}", "`fires`: unknown key, did you mean `firing`?"),
        ("quiet: true, plan: [{flatten: true}]", "`true`: `flatten` takes `all` or a list"),
        ("quiet: true, plan: [{lock: [BTC-USD]}]", "like `locked: [BTC-USD]`"),
        ("quiet: true, plan: [{reduce: {BTC-USD: $500}}]", "`$500`: expected coins or a share"),
    ],
)
def test_a_slip_of_an_expectation_is_named_once_with_what_was_meant(words: str, said: str) -> None:
    (problem,) = problems(HEAD + f"    expect: [{{at: 5s, {words}}}]\n")

    assert said in problem
