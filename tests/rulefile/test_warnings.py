"""What loads, and leaves the account less guarded than its owner may think."""

from __future__ import annotations

import pytest

from seawall.rulefile import parse
from tests.rulefile.texts import CUT, TWIN_GAP, one_rule

NO_BACKSTOP = "no `backstop`: if the guard dies, nothing on the chain closes a position"
TARGET = '"<= $7_000"'


def warned(text: str) -> list[str]:
    return [str(warning).removeprefix("rules.yaml:") for warning in parse(text).warnings]


def test_a_book_without_stops_on_the_chain() -> None:
    assert warned(one_rule(target=TARGET, do=CUT)) == [f"1:1 {NO_BACKSTOP}"]


def test_a_file_that_only_speaks() -> None:
    assert warned(one_rule())[1:] == ["1:1 no level acts: this file only sends messages"]


def test_cash_without_a_wallet() -> None:
    top_up = "[{top_up: {until: target, max: $500}}]"
    text = one_rule(measure="leverage", trigger='"> 10x"', target='"<= 8x"', do=top_up)
    wallet = "account: {float: {address: dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4}}\n"

    assert any(line.startswith("6:10 `top_up`: no `account") for line in warned(text))
    assert not any("top_up" in line for line in warned(wallet + text))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": TARGET, "clear": '"<= $6_000"', "do": CUT},
         ("`<= $6_000`: `clear` asks for more than `target` <= $7_000; a level that reached its "
         "target goes on firing until the market helps")),
        ({"trigger": '"< $9_000"'},
         "`< $9_000`: fires when gross_exposure gets better, did you mean `> $9_000`?"),
        ({"latch": "manual", "do": "[{flatten: {max_slippage: 12%}}]"},
         "`max_slippage` is 1200bps: more than a tenth of the price"),
        ({"measure": "drawdown", "trigger": '">= 9%"', "scope": "{subaccounts: [0, 128]}"},
         ("`drawdown`: is kept for the whole account and per subaccount, not for some of them "
         "together; write `per: subaccount`, or leave `subaccounts` out")),
    ],
)  # fmt: skip
def test_what_is_odd_and_not_wrong_is_a_warning(changes: dict[str, str], said: str) -> None:
    assert any(line.endswith(said) for line in warned(one_rule(**changes)))


@pytest.mark.parametrize(
    ("measure", "trigger", "end", "sooner"),
    [
        ("maintenance_usage", "> 150%", "100%", "> 60%"),
        ("maintenance_usage", ">= 100%", "100%", ">= 60%"),
        ("liq_move", "<= 0%", "0%", "<= 6%"),
        ("{fatal_move: twin-gap}", "<= 0x", "0x", "<= 0.6x"),
        ("maintenance_usage", "> 99%", "", ""),
        ("liq_move", "< 1%", "", ""),
    ],
)
def test_a_trigger_that_the_chain_is_faster_than(
    measure: str, trigger: str, end: str, sooner: str
) -> None:
    text = TWIN_GAP + one_rule(measure=measure, trigger=f'"{trigger}"')
    said = f"`{trigger}`: never before the chain liquidates, at {end}; fire well before it, like"

    assert any(f"{said} `{sooner}`" in line for line in warned(text)) is bool(end)


@pytest.mark.parametrize(
    ("off", "scope", "times"),
    [
        ("markets: [BTC-USD]", "{markets: [BTC-USD]}", 1),
        ("markets: [BTC-USD]", "{markets: [BTC-USD, ETH-USD], except: [ETH-USD]}", 1),
        ("markets: [BTC-USD]", "{markets: [BTC-USD, ETH-USD]}", 0),
        ("markets: [BTC-USD]", '{markets: "*"}', 0),
        ("subaccounts: [128]", "{subaccounts: [128]}", 1),
        ("subaccounts: [128]", "{subaccounts: [0, 128]}", 0),
    ],
)
def test_a_rule_that_may_only_cut_what_is_never_traded(off: str, scope: str, times: int) -> None:
    head = f"account: {{hands_off: {{{off}}}}}\n"
    line = "3:9 `gross`: everything in its scope is hands_off, so `reduce` does nothing there"

    cuts = warned(one_rule(head=head, scope=scope, target=TARGET, do=CUT))
    speaks = warned(one_rule(head=head, scope=scope))

    assert cuts.count(line) == times
    assert line not in speaks


def test_a_cooldown_of_a_level_that_has_nothing_to_cool_down_from() -> None:
    said = (
        "7:15 `cooldown`: `watch` moves neither cash nor size, so there is no intervention to wait "
        "after; `for` and `clear_for` slow its messages down"
    )

    assert said in warned(one_rule(cooldown="10m"))
    assert not any("cooldown" in line for line in warned(one_rule(cooldown="0s")))
    assert not any(
        "cooldown" in line for line in warned(one_rule(cooldown="10m", target=TARGET, do=CUT))
    )


def test_a_limit_that_limits_nothing() -> None:
    text = one_rule(head=TWIN_GAP + "limits: {max_drawdown: 12%}\n")

    assert "3:24 `max_drawdown` alone caps nothing, add `derive_caps`" in warned(text)


def test_a_clear_between_target_and_trigger_is_as_it_should_be() -> None:
    text = one_rule(target=TARGET, clear='"<= $8_000"', do=CUT)

    assert warned(text) == [f"1:1 {NO_BACKSTOP}"]


def test_a_clear_that_a_bare_flatten_does_not_heed() -> None:
    said = "`clear`: a bare `flatten` latches, so `act` stays until `rearm` all the same"
    settings = "[page, {flatten: {max_slippage: 200bps}}]"
    bare = {"clear": '"< $1_000"', "do": "[page, flatten]"}

    assert any(said in line for line in warned(one_rule(**bare)))
    assert not any(said in line for line in warned(one_rule(**bare, latch="manual")))
    assert not any(said in line for line in warned(one_rule(**(bare | {"do": settings}))))
