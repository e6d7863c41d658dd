"""Money that moved is explained or the series waits: no withdrawal is ever a drawdown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Fill, Missing, Side
from seawall.measures import ledger
from seawall.measures.ledger import ACCOUNT, ACCOUNTED_MOST
from seawall.measures.spec import NoData
from tests.measures.ticks import FIRST, KIND, after, kinds, tick, transfer, value
from tests.see import (
    BTC,
    HEIGHT,
    PRICE_BAND,
    Held,
    Number,
    quantums,
    quote,
    subticks,
)


@pytest.mark.parametrize("amount", [-2_000, 2_000, -20, 20])
def test_a_flow_that_the_records_show_moves_no_measure(amount: int) -> None:
    moved = tick(1, 10_000 + amount, transfers=(transfer(amount, HEIGHT + 1),))

    kept, events = after(FIRST, moved)

    assert value("drawdown", kept, moved) == 0
    assert value("day_loss", kept, moved) == 0
    assert value("equity", kept, moved) == 10_000 + amount
    assert kinds(events) == [KIND.FLOW]


def test_a_withdrawal_that_is_not_shown_yet_is_no_drawdown_but_no_data() -> None:
    gone = tick(1, 8_000)

    kept, events = after(FIRST, gone)

    for name in ("equity", "drawdown", "day_loss", "funding_24h"):
        assert isinstance(value(name, kept, gone), NoData), name
    assert kinds(events) == [KIND.UNEXPLAINED]
    assert not events[0].pages
    assert "$2,000.00 left" in events[0].text


def test_once_it_is_shown_nothing_has_happened() -> None:
    gone = tick(1, 8_000)
    shown = tick(9, 7_900, held={"BTC-USD": ("0.1", 99_000)}, transfers=(transfer(-2_000, 1_001),))

    kept, events = after(FIRST, gone, shown)

    assert kinds(events) == [KIND.FLOW, KIND.EXPLAINED]
    # 100 of the 8,000 that stayed.
    assert value("drawdown", kept, shown) == Decimal("0.0125")


def test_a_record_is_counted_once_however_long_it_is_shown() -> None:
    record = (transfer(-2_000, HEIGHT + 1),)

    kept, events = after(
        FIRST,
        tick(1, 8_000, transfers=record),
        tick(2, 8_000, transfers=record),
        tick(3, 8_000, transfers=record),
    )

    assert events == ()
    assert kept.series[ACCOUNT].nav == 1
    assert kept.series[ACCOUNT].units == quote(8_000)


def test_two_equal_flows_of_one_block_are_two_flows() -> None:
    twice = (transfer(-1_000, HEIGHT + 1), transfer(-1_000, HEIGHT + 1))

    kept, _ = after(FIRST, tick(1, 8_000, transfers=twice))

    assert kept.doubt("0") is None
    assert kept.series["0"].nav == 1


def test_a_record_ahead_of_the_node_waits_for_the_node() -> None:
    early = (transfer(-2_000, HEIGHT + 2),)

    kept, events = after(FIRST, tick(1, 10_000, transfers=early))
    later, _ = ledger.advance(kept, tick(2, 8_000, transfers=early), price_band=PRICE_BAND)

    assert events == ()
    assert later.series["0"].nav == 1
    assert later.doubt("0") is None


def test_records_from_before_the_first_observation_are_in_it_already() -> None:
    old = (transfer(5_000, HEIGHT), transfer(5_000, 3))

    kept, events = after(replace(FIRST), tick(1, 10_000, transfers=old))

    assert events == ()
    assert kept.series["0"].units == quote(10_000)


def test_without_records_the_first_change_stops_the_series_for_good() -> None:
    absent = Missing(reason="indexer down")

    kept, _ = after(FIRST, tick(1, 8_000, transfers=absent), tick(2, 8_000, transfers=absent))

    assert kept.doubt(ACCOUNT) is not None
    assert kept.series[ACCOUNT].nav == 1


@pytest.mark.parametrize(("equity", "is_doubted"), [(9_975, False), ("9974.999999", True)])
def test_twenty_five_dollars_are_excused_and_a_quantum_more_is_not(
    equity: Number, *, is_doubted: bool
) -> None:
    kept, _ = after(FIRST, tick(1, equity))

    assert (kept.doubt("0") is not None) is is_doubted


@pytest.mark.parametrize(("equity", "is_doubted"), [(9_960, False), ("9959.999999", True)])
def test_one_per_cent_of_what_was_traded_is_excused_and_a_quantum_more_is_not(
    equity: Number, *, is_doubted: bool
) -> None:
    sold = tick(1, equity, held={"BTC-USD": ("0.06", 100_000)}, fills=Missing(reason="late"))

    kept, _ = after(FIRST, sold)

    assert (kept.doubt("0") is not None) is is_doubted


def test_a_bad_fill_is_a_loss_once_its_record_is_there() -> None:
    # 0.04 BTC sold 10% below the oracle: 400 lost and a fee of 2.
    sold: Held = {"BTC-USD": ("0.06", 100_000)}
    fill = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(BTC, "0.04"),
        subticks=subticks(BTC, 90_000),
        fee=quote(2),
        height=HEIGHT + 1,
    )
    waiting, _ = after(FIRST, tick(1, 9_598, held=sold))
    shown = tick(2, 9_598, held=sold, fills=(fill,))

    told, events = ledger.advance(waiting, shown, price_band=PRICE_BAND)
    at_once, _ = after(FIRST, tick(1, 9_598, held=sold, fills=(fill,)))

    assert waiting.doubt("0") is not None
    assert kinds(events) == [KIND.EXPLAINED]
    assert value("drawdown", told, shown) == Decimal("0.0402")
    assert at_once.series["0"].nav == told.series["0"].nav


def test_a_fill_explains_by_the_price_of_when_it_changed_hands() -> None:
    sold: Held = {"BTC-USD": ("0.06", 100_000)}
    moved: Held = {"BTC-USD": ("0.06", 50_000)}
    fill = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(BTC, "0.04"),
        subticks=subticks(BTC, 90_000),
        fee=quote(0),
        height=HEIGHT + 1,
    )

    kept, _ = after(FIRST, tick(1, 9_600, held=sold), tick(2, 6_600, held=moved, fills=(fill,)))

    assert kept.doubt("0") is None
    assert kept.series["0"].nav == Decimal("0.66")


def test_a_fill_of_another_subaccount_or_an_older_block_explains_nothing() -> None:
    sold: Held = {"BTC-USD": ("0.06", 100_000)}
    fill = Fill(
        subaccount=128,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(BTC, "0.04"),
        subticks=subticks(BTC, 90_000),
        fee=quote(0),
        height=HEIGHT + 1,
    )
    old = replace(fill, subaccount=0, height=HEIGHT)
    unread = replace(fill, subaccount=0, ticker="DOGE-USD")

    kept, _ = after(FIRST, tick(1, 9_600, held=sold, fills=(fill, old, unread)))

    assert kept.doubt("0") is not None


def test_a_position_that_went_with_its_market_keeps_its_last_mark() -> None:
    # The node reads held markets only, so a closed one is gone from the state.
    closed = tick(1, 9_990, held={})

    kept, events = after(FIRST, replace(closed, markets={}))

    assert events == ()
    assert kept.series["0"].nav == Decimal("0.999")


# ---- time


def test_it_pages_after_five_minutes_once() -> None:
    gone = tick(1, 8_000)
    kept, _ = after(FIRST, gone)
    said = []
    for number in (2, 300, 301, 302):
        kept, events = ledger.advance(kept, tick(number, 8_000), price_band=PRICE_BAND)
        said.append(kinds(events))

    assert said == [[], [], [KIND.STILL_UNEXPLAINED], []]


def test_the_page_says_what_can_be_done() -> None:
    _, events = after(FIRST, tick(1, 8_000), tick(301, 8_000))

    assert events[0].pages
    assert "seawall rebase" in events[0].text


def test_the_operator_can_accept_it() -> None:
    kept, _ = after(FIRST, tick(1, 8_000))
    late = (transfer(-2_000, HEIGHT + 1),)

    based = ledger.rebase(kept)
    told, events = ledger.advance(based, tick(2, 8_000, transfers=late), price_band=PRICE_BAND)

    assert based.doubt(ACCOUNT) is None
    assert based.series[ACCOUNT].peak == 1
    assert events == ()
    assert told.series[ACCOUNT].nav == 1
    assert told.doubt("0") is None


def test_money_that_came_back_explains_itself() -> None:
    kept, events = after(FIRST, tick(1, 8_000), tick(2, 10_000))

    assert kinds(events) == [KIND.EXPLAINED]
    assert kept.series[ACCOUNT].nav == 1


def test_a_change_that_is_partly_shown_stays_in_doubt() -> None:
    part = (transfer(-1_500, HEIGHT + 1),)

    kept, _ = after(FIRST, tick(1, 8_000), tick(2, 8_000, transfers=part))
    doubt = kept.doubt("0")

    assert doubt is not None
    assert doubt.residual == quote(-500)
    assert kept.series["0"].units == quote(8_500)
    assert kept.series[ACCOUNT].units == quote(8_500)


def test_the_next_loss_after_a_part_was_shown_is_not_lost_itself() -> None:
    # 2,000 leave at NAV 1, then a tenth of the position's worth is lost; records come in parts.
    fallen: Held = {"BTC-USD": ("0.1", 90_000)}
    part = (transfer(-1_500, HEIGHT + 1),)
    whole = (*part, transfer(-500, HEIGHT + 1))

    kept, _ = after(
        FIRST,
        tick(1, 8_000),
        tick(2, 7_000, held=fallen, transfers=part),
        tick(3, 7_000, held=fallen, transfers=whole),
    )

    assert kept.unexplained == {}
    assert kept.series[ACCOUNT].units == quote(8_000)
    assert kept.series[ACCOUNT].nav == Decimal("0.875")


def test_what_is_traded_while_in_doubt_widens_what_is_excused() -> None:
    # 40 left without a record; the sales that follow cost 1% of 10,000 at most.
    halved: Held = {"BTC-USD": ("0.05", 100_000)}
    late = Missing(reason="late")

    doubted, _ = after(FIRST, tick(1, 9_900, fills=late))
    kept, _ = ledger.advance(
        doubted, tick(2, 9_899, held=halved, fills=late), price_band=PRICE_BAND
    )
    freed, events = ledger.advance(kept, tick(3, 9_899, held={}, fills=late), price_band=PRICE_BAND)

    assert kept.doubt("0") is not None
    assert freed.doubt("0") is not None
    assert events == ()
    flipped, told = ledger.advance(
        freed,
        tick(4, 9_899, held={"BTC-USD": ("0.002", 100_000)}, fills=late),
        price_band=PRICE_BAND,
    )
    assert flipped.doubt("0") is None
    assert kinds(told) == [KIND.EXPLAINED]


def test_a_balance_of_a_position_itself_is_money_too() -> None:
    first = FIRST.subaccount(0)
    position = replace(first.positions[0], quote_balance=quote(300))
    owning = replace(FIRST, subaccounts=(replace(first, positions=(position,)),))
    smaller = replace(first, usdc=quote(-100), positions=(position,))

    kept, _ = after(owning, replace(owning, height=HEIGHT + 1, subaccounts=(smaller,)))

    doubt = kept.doubt("0")
    assert doubt is not None
    assert doubt.residual == smaller.usdc - first.usdc


def test_the_largest_doubt_speaks_for_the_account() -> None:
    child: Held = {"SOL-USD": (1, 200)}
    first = tick(0, 10_000, children={128: (5_000, child)})

    kept, _ = after(first, tick(1, 10_100, children={128: (1_000, child)}))

    doubt = kept.doubt(ACCOUNT)
    assert doubt is not None
    assert doubt.residual == quote(-4_000)


def test_memory_of_records_is_bounded() -> None:
    records = tuple(transfer(1, HEIGHT + 1 + n) for n in range(ACCOUNTED_MOST + 6))
    amount = len(records)

    seen = tick(amount + 1, 10_000 + amount, transfers=records)
    kept, _ = after(FIRST, seen)
    again, events = ledger.advance(
        kept, replace(seen, height=seen.height + 1), price_band=PRICE_BAND
    )

    assert len(kept.accounted) <= ACCOUNTED_MOST
    assert kept.series["0"].nav == 1
    assert events == ()
    assert again.series["0"].units == kept.series["0"].units
