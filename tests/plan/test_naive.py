"""What people do by hand, beside a plan: in fortieths of a position, until every target holds.

The book is $40,370 of BTC and $20,000 of SOL short, equity $20,000. Each is closed 2 bps off its
oracle and for a fee of 5 bps, so $1,000 closed costs $0.70.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.measures.view import View
from seawall.plan.demand import Demand, Means
from seawall.plan.naive import Alternative, alternatives
from tests.plan.stage import down_to, until, with_cash
from tests.see import Number, book, quote, see, view


def account(**depth: Number) -> View:
    seen = see(equity=20_000, positions={"BTC-USD": ("0.4037", 100_000), "SOL-USD": (-100, 200)})
    books = {
        ticker: book(seen.markets[ticker], levels=[("0.0002", depth.get(ticker[:3].lower(), 900))])
        for ticker in ("BTC-USD", "SOL-USD")
    }
    return view(replace(seen, advice=replace(seen.advice, books=books)))


def by_hand(
    on: View, wanted: list[Demand], means: Means | None = None
) -> tuple[Alternative, Alternative]:
    """Closing the largest, and a share of everything."""
    means = means or Means()
    made = plan.propose(on, wanted, means)
    ours, simple, largest, pro_rata = alternatives(on, wanted, means, made)
    assert ours.closed == sum(leg.expected_quote for leg in made.legs)
    names = [one.name for one in (ours, simple, largest, pro_rata)]
    assert names == ["this plan", "greedy", "close largest", "pro rata"]
    return largest, pro_rata


def dollars(*sold: tuple[str, Number]) -> int:
    """What coins of BTC and SOL exchange, 2 bps off the oracle."""
    prices = {"BTC": Decimal(99_980), "SOL": Decimal("200.04")}
    return quote(sum(prices[coin] * Decimal(str(size)) for coin, size in sold))


def test_both_close_fortieths_in_whole_steps_until_the_target_holds() -> None:
    on = account()

    largest, pro_rata = by_hand(on, [until(on, "leverage", "<= 2")])

    # $20,370 are to go: 21 fortieths of 0.4037 BTC, or 14 of it and of 100 SOL.
    assert largest.closed == dollars(("BTC", "0.2119"))
    assert pro_rata.closed == dollars(("BTC", "0.1412"), ("SOL", 35))
    assert largest.cost == pytest.approx(quote(Decimal("0.0007") * 21_190), abs=quote("0.02"))
    assert (largest.reached, largest.wanted, pro_rata.reached) == (1, 1, 1)


def test_the_next_largest_follows_and_what_is_never_enough_closes_all() -> None:
    on = account()

    largest, pro_rata = by_hand(on, [until(on, "leverage", "<= 0.5")])
    never, at_all = by_hand(on, [until(on, "leverage", "<= 0"), until(on, "equity", ">= 90000")])

    assert largest.closed == dollars(("BTC", "0.4037"), ("SOL", "52.5"))
    assert pro_rata.closed == dollars(("BTC", "0.3431"), ("SOL", 85))
    assert never.closed == at_all.closed == dollars(("BTC", "0.4037"), ("SOL", 100))
    assert (never.reached, never.wanted) == (1, 2)


def test_a_target_that_holds_already_keeps_none_from_the_others() -> None:
    on = account()

    largest, _ = by_hand(on, [until(on, "leverage", "<= 9"), until(on, "leverage", "<= 2")])

    assert largest.closed == dollars(("BTC", "0.2119"))
    assert largest.reached == 2


def test_a_hand_has_the_plan_s_cash_beside_what_is_under_way() -> None:
    on = account()
    means = replace(with_cash(4_000), cash_in_flight=((0, quote(3_000)),))

    largest, pro_rata = by_hand(on, [until(on, "leverage", "<= 2", cash=4_000)], means)

    # $27,000 of equity carries $54,000: $6,370 are to go.
    assert largest.closed == dollars(("BTC", "0.0706"))
    assert pro_rata.closed == dollars(("BTC", "0.0504"), ("SOL", "12.5"))


def test_what_a_level_fixes_is_closed_whatever_the_share() -> None:
    on = account()
    largest, pro_rata = by_hand(on, [down_to(("SOL-USD", 50)), until(on, "leverage", "<= 2")])

    assert largest.closed == dollars(("BTC", "0.1110"), ("SOL", 50))
    assert pro_rata.closed == dollars(("BTC", "0.1110"), ("SOL", 50))


def test_without_a_target_there_is_nothing_to_compare() -> None:
    on = account()

    assert alternatives(on, [], Means(), plan.propose(on, [], Means())) == ()
