"""Wealth over time for the account and each subaccount: joins, moves inside, bad prices, ruin."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.measures import ledger
from seawall.measures.ledger import ACCOUNT
from seawall.measures.spec import Instance, NoData
from tests.measures.ticks import FIRST, KIND, after, kinds, tick, transfer, value
from tests.see import (
    BTC,
    ETH,
    HEIGHT,
    MARKETS,
    PRICE_BAND,
    Held,
    book,
    priced,
    quote,
)


def test_the_first_observation_opens_a_series_for_account_and_subaccount() -> None:
    kept, events = after(FIRST)

    assert kept.series.keys() == {ACCOUNT, "0"}
    assert all(one.nav == 1 for one in kept.series.values())
    assert events == ()


def test_a_price_move_is_profit_and_loss_and_needs_no_explanation() -> None:
    fallen = tick(1, 9_000, held={"BTC-USD": ("0.1", 90_000)})

    kept, events = after(FIRST, fallen)

    assert value("drawdown", kept, fallen) == Decimal("0.1")
    assert events == ()


def test_funding_is_profit_and_loss_and_needs_no_explanation() -> None:
    paying = replace(BTC, funding_index=100_000)  # 0.1 quantums per base quantum: $100
    funded = replace(
        FIRST,
        height=HEIGHT + 1,
        markets={**MARKETS, "BTC-USD": paying},
    )

    kept, events = after(FIRST, funded)

    assert kept.doubt("0") is None
    assert kept.series["0"].nav == Decimal("0.99")
    assert events == ()


def test_a_move_between_guarded_subaccounts_is_no_flow_of_the_account() -> None:
    child: Held = {"SOL-USD": (1, 200)}
    first = tick(0, 10_000, children={128: (1_000, child)})
    moved = tick(
        1,
        9_000,
        children={128: (2_000, child)},
        transfers=(transfer(-1_000, HEIGHT + 1, counterpart=128),),
    )

    kept, _ = after(first, moved)

    assert kept.series[ACCOUNT].units == quote(11_000)
    assert kept.series["0"].units == quote(9_000)
    assert kept.series["128"].units == quote(2_000)
    assert all(one.nav == 1 for one in kept.series.values())


def test_the_same_move_shown_from_both_sides_is_one_move() -> None:
    child: Held = {"SOL-USD": (1, 200)}
    first = tick(0, 10_000, children={128: (1_000, child)})
    both = (
        transfer(-1_000, HEIGHT + 1, counterpart=128),
        transfer(1_000, HEIGHT + 1, subaccount=128, counterpart=0),
    )

    kept, _ = after(first, tick(1, 9_000, children={128: (2_000, child)}, transfers=both))

    assert all(one.nav == 1 for one in kept.series.values())
    assert kept.unexplained == {}


def test_a_move_inside_that_is_not_shown_stops_the_two_and_not_the_account() -> None:
    child: Held = {"SOL-USD": (1, 200)}
    first = tick(0, 10_000, children={128: (1_000, child)})
    moved = tick(1, 9_000, children={128: (2_000, child)})

    kept, events = after(first, moved)

    assert kinds(events) == [KIND.UNEXPLAINED] * 2
    assert kept.doubt("0") is not None
    assert kept.doubt("128") is not None
    assert kept.doubt(ACCOUNT) is None
    assert value("drawdown", kept, moved) == 0
    assert isinstance(value("drawdown", kept, moved, Instance(subaccount=0)), NoData)


def test_a_child_that_is_discovered_brings_its_equity_without_a_profit() -> None:
    found = tick(1, 10_000, children={128: (1_000, {"SOL-USD": (1, 200)})})

    kept, _ = after(FIRST, found)

    assert kept.series[ACCOUNT].units == quote(11_000)
    assert kept.series["128"].nav == 1
    assert kept.unexplained == {}


@pytest.mark.parametrize("known", [None, 128])
def test_money_sent_to_a_child_that_is_discovered_later_leaves_and_comes_back(
    known: int | None,
) -> None:
    sent = (transfer(-1_000, HEIGHT + 1, counterpart=known),)
    told_again = (transfer(-1_000, HEIGHT + 1, counterpart=128),)
    child: Held = {"SOL-USD": (1, 200)}

    away, events = after(FIRST, tick(1, 9_000, transfers=sent))
    found, later = ledger.advance(
        away,
        tick(2, 9_000, children={128: (1_000, child)}, transfers=told_again),
        price_band=PRICE_BAND,
    )

    assert kinds(events) == [KIND.FLOW]
    assert later == ()
    assert away.series[ACCOUNT].units == quote(9_000)
    assert found.series[ACCOUNT].units == quote(10_000)
    assert found.unexplained == {}
    assert {one.nav for one in found.series.values()} == {Decimal(1)}


def test_a_child_that_is_no_longer_guarded_takes_its_equity_without_a_loss() -> None:
    first = tick(0, 10_000, children={128: (1_000, {"SOL-USD": (1, 200)})})

    kept, _ = after(first, tick(1, 10_000))

    assert kept.series[ACCOUNT].nav == 1
    assert kept.series.keys() == {ACCOUNT, "0"}


def test_a_child_that_cannot_be_valued_waits_and_the_parent_goes_on() -> None:
    child: Held = {"ETH-USD": (1, 4_000)}
    first = tick(0, 10_000, children={128: (1_000, child)})
    broken = tick(1, 9_000, held={"BTC-USD": ("0.1", 90_000)}, children={128: (1_000, child)})
    broken = replace(broken, markets={**broken.markets, "ETH-USD": priced(ETH, 0)})
    back = tick(2, 9_000, held={"BTC-USD": ("0.1", 90_000)}, children={128: (1_000, child)})

    kept, _ = after(first, broken)
    later, _ = ledger.advance(kept, back, price_band=PRICE_BAND)

    assert kept.series["0"].nav == Decimal("0.9")
    assert kept.series["128"].nav == 1
    assert kept.series[ACCOUNT].nav == 1
    assert isinstance(value("drawdown", kept, broken), NoData)
    assert abs(later.series[ACCOUNT].nav - Decimal(10_000) / 11_000) < Decimal("1e-14")


def test_a_child_that_is_found_broken_joins_when_it_can_be_valued() -> None:
    child: Held = {"ETH-USD": (1, 4_000)}
    broken = tick(1, 10_000, children={128: (1_000, child)})
    broken = replace(broken, markets={**broken.markets, "ETH-USD": priced(ETH, 0)})

    kept, _ = after(FIRST, broken)
    later, _ = ledger.advance(
        kept, tick(2, 10_000, children={128: (1_000, child)}), price_band=PRICE_BAND
    )

    assert "128" not in kept.series
    assert later.series[ACCOUNT].units == quote(11_000)


# ---- bad prices and ruin


def test_a_price_that_the_book_denies_is_neither_peak_nor_loss() -> None:
    spiked = tick(1, 11_000, held={"BTC-USD": ("0.1", 110_000)})
    denied = replace(
        spiked,
        advice=replace(spiked.advice, books={"BTC-USD": book(BTC, 100_000, seen_at=spiked.at)}),
    )

    kept, _ = after(FIRST, denied)

    assert kept.series[ACCOUNT].nav == 1
    assert isinstance(value("drawdown", kept, denied), NoData)


def test_ruin_ends_the_series_and_pages_and_a_deposit_begins_another() -> None:
    ruined = tick(1, -100, held={"BTC-USD": ("0.1", 50_000)})
    saved = tick(
        2,
        900,
        held={"BTC-USD": ("0.1", 50_000)},
        transfers=(transfer(1_000, HEIGHT + 2),),
    )

    kept, events = after(tick(0, 4_900), ruined)
    later, told = ledger.advance(kept, saved, price_band=PRICE_BAND)

    assert [(e.kind, e.pages) for e in events] == [(KIND.SERIES_ENDED, True)]
    assert value("drawdown", kept, ruined) == 1
    assert value("day_loss", kept, ruined) == 1
    assert kinds(told) == [KIND.FLOW, KIND.SERIES_BEGUN]
    assert told[1].pages
    assert value("drawdown", later, saved) == 0
    assert later.series[ACCOUNT].generation == 2


def test_an_account_that_came_back_without_a_deposit_starts_again_at_a_rebase() -> None:
    ruined = tick(1, -100, held={"BTC-USD": ("0.1", 50_000)})
    bounced = tick(2, 900, held={"BTC-USD": ("0.1", 60_000)})

    kept, _ = after(tick(0, 4_900), ruined, bounced)

    assert kept.series[ACCOUNT].is_ended
    assert ledger.rebase(kept).series[ACCOUNT].nav == 1


def test_with_several_subaccounts_each_ruin_is_told_apart() -> None:
    child: Held = {"ETH-USD": (1, 4_000)}
    first = tick(0, 10_000, children={128: (1_000, child)})
    ruined = tick(1, 10_000, children={128: (-100, {"ETH-USD": (1, 2_900)})})

    _, events = after(first, ruined)

    assert [(event.kind, event.key) for event in events] == [(KIND.SERIES_ENDED, "128")]


def test_the_ledger_stays_small() -> None:
    seen = [FIRST] + [
        tick(n, 10_000 + n, held={"BTC-USD": ("0.1", 100_000 + 10 * n)}) for n in range(1, 100)
    ]

    kept, _ = after(*seen)

    assert len(kept.series[ACCOUNT].samples) <= 62
