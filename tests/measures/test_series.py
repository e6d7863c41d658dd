"""NAV: a flow is no profit, a spike is no peak, ruin is the end of a series."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.measures import series
from seawall.measures.series import PEAK_WINDOW, Series, Turn
from seawall.units import DAY, SECOND, Millis, QuoteQuantums
from tests.see import AT

START = 1_000_000
D = Decimal


def at(seconds: float) -> Millis:
    return Millis(AT + int(seconds * SECOND))


def started(equity: int = START) -> Series:
    return series.begin(QuoteQuantums(equity), AT)


def carry(
    one: Series,
    equity: int,
    seconds: float = 1,
    *,
    flow: int = 0,
    residual: int = 0,
    believed: bool = True,
) -> tuple[Series, Turn]:
    return series.carry(
        one, equity=equity, flow=flow, residual=residual, believed=believed, at=at(seconds)
    )


def carried(one: Series, *steps: tuple[float, int]) -> Series:
    """The series after equities at seconds."""
    for seconds, equity in steps:
        one, _ = carry(one, equity, seconds)
    return one


def test_the_first_observation_is_nav_one() -> None:
    one = started()

    assert (one.units, one.nav, one.peak) == (D(START), D(1), D(1))


def test_nav_follows_equity() -> None:
    assert carried(started(), (1, 900_000)).nav == Decimal("0.9")


# ---- flows


@pytest.mark.parametrize("flow", [500_000, -500_000, 1, -1, -899_999])
@pytest.mark.parametrize("equity", [900_000, 1_000_000, 1_234_567])
def test_a_flow_moves_units_and_not_nav(equity: int, flow: int) -> None:
    before = carried(started(), (1, equity))

    after, turn = carry(before, equity + flow, 2, flow=flow)

    assert turn is Turn.CARRIED
    assert after.nav == before.nav
    assert after.units != before.units


def test_a_flow_and_a_move_in_one_step_are_told_apart() -> None:
    # 10% are lost and half of what is left is taken out.
    after, _ = carry(started(), 450_000, flow=-450_000)

    assert after.nav == Decimal("0.9")
    assert after.units == START // 2


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(-500_000, 500_000)), max_size=20))
def test_flows_never_show_in_nav_whatever_the_order(steps: list[tuple[int, int]]) -> None:
    one, equity, growth = started(), START, Decimal(1)
    for number, (percent, wanted) in enumerate(steps, start=1):
        grown = equity * (100 + percent) // 100
        growth = growth * grown / equity
        flow = wanted if grown + wanted >= 1_000 else 0
        equity = grown + flow
        one, _ = carry(one, equity, number, flow=flow)

    assert abs(one.nav - growth) < Decimal("1e-12")


def test_all_withdrawn_keeps_the_nav_for_the_money_that_comes_back() -> None:
    lost = carried(started(), (1, 800_000))

    empty, turn = carry(lost, 0, 2, flow=-800_000)
    back, _ = carry(empty, 400_000, 3, flow=400_000)

    assert turn is Turn.CARRIED
    assert (empty.units, empty.nav, empty.is_ended) == (D(0), D("0.8"), False)
    assert carry(empty, 0, 4)[0] == empty
    assert (back.units, back.nav, back.peak) == (D(500_000), D("0.8"), D(1))
    assert carried(back, (4, 500_000)).nav == 1


def test_an_account_that_starts_empty_waits_at_nav_one() -> None:
    empty = started(0)

    funded, turn = carry(empty, 5_000, flow=5_000)

    assert not empty.is_ended
    assert turn is Turn.CARRIED
    assert (funded.units, funded.nav) == (D(5_000), D(1))


@pytest.mark.parametrize("equity", [0, -1])
def test_equity_at_or_below_zero_ends_the_series(equity: int) -> None:
    ended, turn = carry(started(), equity)

    assert turn is Turn.ENDED
    assert (ended.is_ended, ended.nav, ended.peak) == (True, D(0), D(1))
    assert carry(ended, 100, 2) == (ended, Turn.CARRIED)


def test_one_quantum_is_not_the_end() -> None:
    one, turn = carry(started(), 1)

    assert turn is Turn.CARRIED
    assert not one.is_ended


def test_the_next_deposit_begins_a_new_series() -> None:
    ended, _ = carry(started(), -1)

    begun, turn = carry(ended, 5_000, 2, flow=5_001)

    assert turn is Turn.BEGUN
    assert (begun.units, begun.nav, begun.peak, begun.generation) == (D(5_000), D(1), D(1), 2)


def test_a_deposit_that_does_not_cover_the_hole_begins_nothing() -> None:
    ended, _ = carry(started(), -10_000)

    assert carry(ended, -5_000, 2, flow=5_000) == (ended, Turn.CARRIED)


def test_a_deposit_into_a_ruin_that_was_not_seen_begins_a_new_series() -> None:
    begun, turn = carry(started(), 4_000, flow=5_000)

    assert turn is Turn.BEGUN
    assert begun.nav == 1


def test_a_series_that_starts_below_zero_is_ruined_from_the_start() -> None:
    one = started(-5)

    assert (one.is_ended, one.nav) == (True, D(0))


# ---- what is not marked


def test_no_nav_is_taken_where_the_observation_does_not_mark() -> None:
    assert carry(started(), 1, believed=False) == (started(), Turn.CARRIED)
    assert carry(started(), -1, believed=False) == (started(), Turn.CARRIED)


def test_a_flow_without_a_mark_is_issued_at_the_last_nav() -> None:
    before = carried(started(), (1, 800_000))

    after, _ = carry(before, 1, 2, flow=80_000, believed=False)

    assert after.units == before.units + 100_000
    assert after.nav == before.nav


def test_what_is_not_explained_waits_and_is_then_a_flow_at_the_nav_just_before_it() -> None:
    # 20% are taken out unseen; then the price takes a tenth of what is left.
    waiting, _ = carry(started(), 800_000, residual=-200_000)
    fallen, _ = carry(waiting, 720_000, 2, residual=-200_000)
    shown, _ = carry(fallen, 720_000, 3, flow=-200_000)

    assert (waiting.nav, fallen.nav) == (D(1), D(1))
    assert waiting.flow_nav == 1
    assert shown.units == 800_000
    assert shown.nav == Decimal("0.9")
    assert shown.flow_nav is None


def test_a_loss_in_the_step_of_an_unseen_flow_is_not_lost() -> None:
    # The price takes a tenth, and 100,000 leave unseen in the same step.
    waiting, _ = carry(started(), 800_000, residual=-100_000)
    shown, _ = carry(waiting, 800_000, 2, flow=-100_000)

    assert waiting.flow_nav == Decimal("0.9")
    assert shown.nav == Decimal("0.9")


def test_what_is_explained_otherwise_was_a_loss() -> None:
    waiting, _ = carry(started(), 800_000, residual=-200_000)
    told, _ = carry(waiting, 800_000, 2)

    assert told.nav == Decimal("0.8")
    assert told.flow_nav is None


def test_all_withdrawn_unseen_keeps_the_nav_of_then() -> None:
    waiting, _ = carry(started(), 0, residual=-900_000)
    shown, turn = carry(waiting, 0, 2, flow=-900_000)

    assert turn is Turn.CARRIED
    assert (shown.units, shown.nav, shown.is_ended) == (D(0), D("0.9"), False)


def test_an_unseen_change_under_a_price_that_is_not_believed_is_at_the_last_nav() -> None:
    before = carried(started(), (1, 800_000))

    waiting, _ = carry(before, 5, 2, residual=-400_000, believed=False)

    assert waiting.flow_nav == Decimal("0.8")


def test_what_was_accepted_is_a_flow_at_the_nav_just_before_it() -> None:
    before = carried(started(), (1, 800_000))
    waiting, _ = carry(before, 400_000, 2, residual=-400_000)

    after = series.accept(waiting, -400_000)

    assert after.units == START // 2
    assert carried(after, (3, 400_000)).nav == Decimal("0.8")
    assert series.accept(before, -400_000) == before
    assert series.accept(waiting, 0) == waiting


# ---- peak


def test_a_peak_is_a_nav_that_a_whole_minute_reached() -> None:
    risen = carried(started(), (1, 1_100_000), (60, 1_100_000))

    assert risen.peak == 1
    assert carried(risen, (60.999, 1_100_000)).peak == 1
    assert carried(risen, (61, 1_100_000)).peak == Decimal("1.1")


def test_a_spike_of_one_block_makes_no_peak() -> None:
    spiked = carried(started(), (1, 1_500_000), (2, 1_000_000), (200, 1_000_000))

    assert spiked.peak == 1


def test_one_price_after_a_gap_makes_no_peak() -> None:
    alone = carried(started(), (1, 1_000_000), (600, 1_500_000))

    assert alone.peak == 1
    assert carried(alone, (660, 1_500_000)).peak == Decimal("1.5")


def test_the_lowest_of_the_minute_is_the_peak_that_counts() -> None:
    dipped = carried(started(), (1, 1_050_000), (50, 1_020_000), (55, 1_050_000))

    assert carried(dipped, (61, 1_050_000)).peak == Decimal("1.02")
    assert carried(dipped, (114, 1_050_000)).peak == Decimal("1.02")
    assert carried(dipped, (115, 1_050_000)).peak == Decimal("1.05")


def test_a_peak_does_not_come_down() -> None:
    fallen = carried(started(), (1, 1_100_000), (62, 1_100_000), (63, 500_000), (200, 500_000))

    assert fallen.peak == Decimal("1.1")


@given(
    st.lists(
        st.tuples(st.integers(1, 90), st.integers(900_000, 1_100_000)), min_size=1, max_size=60
    )
)
def test_the_peak_is_that_of_the_definition(steps: list[tuple[int, int]]) -> None:
    one, now, seen = started(), 0, [(0, START)]
    peak = Decimal(1)
    for wait, equity in steps:
        now += wait
        seen.append((now, equity))
        one, _ = carry(one, equity, now)
        start = now - PEAK_WINDOW // SECOND
        in_force = [nav for second, nav in seen if second <= start][-1:]
        window = in_force + [nav for second, nav in seen if second > start]
        peak = max(peak, Decimal(min(window)) / START)

    assert one.peak == peak


@given(st.lists(st.integers(1, 400), max_size=400))
def test_the_window_stays_small_at_any_pace(waits: list[int]) -> None:
    one, now = started(), int(AT)
    for rise, wait in enumerate(waits):
        now += wait
        one, _ = series.carry(
            one, equity=START + rise, flow=0, residual=0, believed=True, at=Millis(now)
        )

    assert len(one.samples) <= PEAK_WINDOW // SECOND + 2
    assert list(one.samples) == sorted(one.samples, key=lambda sample: sample.nav)


def test_of_each_second_only_the_lowest_is_kept() -> None:
    fast = carried(started(), *((n / 4, START + n) for n in range(1, 400)))

    assert 60 <= len(fast.samples) <= 62


def test_a_nav_too_small_to_write_is_not_zero() -> None:
    dust, _ = carry(started(10**18), 1)

    assert dust.nav > 0
    assert carry(dust, 1_001, 2, flow=1_000)[0].units > 0


def test_a_rebase_makes_the_nav_now_the_peak() -> None:
    fallen = carried(started(), (1, 1_200_000), (70, 1_200_000), (71, 600_000))

    based = series.rebased(fallen, QuoteQuantums(500_000), at(72))

    assert fallen.peak == D("1.2")
    assert (based.peak, based.nav) == (D("0.5"), D("0.5"))
    assert carried(based, (73, 500_000), (200, 500_000)).peak == D("0.5")


def test_a_rebase_begins_anew_after_ruin_where_there_is_equity() -> None:
    ended, _ = carry(started(), -1)

    assert series.rebased(ended, QuoteQuantums(0), at(2)) == ended
    assert series.rebased(ended, QuoteQuantums(5_000), at(2)).nav == 1
    assert series.rebased(ended, QuoteQuantums(5_000), at(2)).generation == 2


def test_a_rebase_of_nothing_keeps_the_nav() -> None:
    empty, _ = carry(carried(started(), (1, 800_000)), 0, 2, flow=-800_000)

    based = series.rebased(empty, QuoteQuantums(0), at(3))

    assert (based.nav, based.peak) == (D("0.8"), D("0.8"))


# ---- the day


def test_the_day_starts_at_midnight_utc_with_the_nav_of_then() -> None:
    midnight = (AT // DAY + 1) * DAY
    one = carried(started(), (1, 900_000))
    day_one = one.day_nav
    before, _ = series.carry(
        one, equity=800_000, flow=0, residual=0, believed=True, at=Millis(midnight - 1)
    )
    after, _ = series.carry(
        before, equity=700_000, flow=0, residual=0, believed=True, at=Millis(midnight)
    )

    assert (day_one, before.day_nav, after.day_nav) == (D(1), D(1), D("0.7"))
