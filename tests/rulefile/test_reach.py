"""Held markets that no rule reaches, names that are gone, and the book that caps allow."""

from __future__ import annotations

from decimal import Decimal

from seawall.rulefile import Known, book_allowed, load, parse, unknown_names, warnings_for
from tests.rulefile.texts import CUT, SHIPPED, one_rule, problems_of

HELD = ((0, "BTC-USD"), (128, "SOL-USD"))


def test_a_held_market_that_no_rule_reaches_is_named() -> None:
    by_market = parse(one_rule(scope="{markets: [BTC-USD]}", target='"<= $7_000"', do=CUT)).policy
    by_subaccount = parse(one_rule(scope="{subaccounts: [0]}", target='"<= $7_000"', do=CUT)).policy

    said = ("128/SOL-USD is held and no rule's scope reaches it",)
    assert warnings_for(by_market, HELD) == said
    assert warnings_for(by_subaccount, HELD) == said


def test_a_market_that_is_only_watched_is_named() -> None:
    policy = parse(one_rule()).policy

    assert warnings_for(policy, HELD[:1]) == (
        "0/BTC-USD is held and only watched: no rule that reaches it may reduce it",
    )


def test_a_market_that_is_never_traded_is_named() -> None:
    head = "account: {hands_off: {markets: [BTC-USD], subaccounts: [128]}}\n"
    policy = parse(one_rule(head=head, target='"<= $7_000"', do=CUT)).policy

    assert [line.split(":")[0] for line in warnings_for(policy, HELD)] == [
        "0/BTC-USD is held and hands_off",
        "128/SOL-USD is held and hands_off",
    ]


def test_the_considered_set_reaches_everything() -> None:
    assert warnings_for(load(SHIPPED).policy, HELD) == ()


def test_names_are_refused_where_the_caller_knows_them_and_only_there() -> None:
    text = one_rule(scope="{markets: [BTC-USD, SOL-USD], subaccounts: [0, 7]}")
    known = Known(markets=frozenset({"BTC-USD", "ETH-USD"}), subaccounts=frozenset({0, 128}))

    assert problems_of(text) == []
    assert problems_of(text, known) == [
        "rules.yaml:7:32 `SOL-USD`: the venue has no such market, there are `BTC-USD`, `ETH-USD`",
        "rules.yaml:7:59 `7`: the account has no such subaccount, there are `0`, `128`",
    ]
    assert unknown_names(parse(text).policy, known) == (
        "gross: the venue has no market SOL-USD",
        "gross: the account has no subaccount 7",
    )
    assert unknown_names(parse(text).policy, Known()) == ()


def test_the_float_wallet_may_not_be_the_guarded_owner() -> None:
    address = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
    text = one_rule(head=f"account: {{float: {{address: {address}}}}}\n")

    (problem,) = problems_of(text, Known(owner=address))

    assert problem.startswith(f"rules.yaml:1:28 `{address}`: the float wallet is the guarded owner")
    assert problems_of(text, Known(owner="dydx1other")) == []


def test_twelve_per_cent_on_a_ten_per_cent_gap_is_a_book_of_about_the_equity() -> None:
    book = book_allowed(load(SHIPPED).policy)

    assert book is not None
    assert round(book, 2) == Decimal("1.04")
    assert book_allowed(parse(one_rule()).policy) is None
