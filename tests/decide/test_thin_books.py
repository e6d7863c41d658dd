"""Thin books end to end: cuts in slices, planned anew in every window, and silent levels."""

from __future__ import annotations

from decimal import Decimal

from seawall.units import Millis
from tests.decide.guarded import Guarded, codes, cuts, guarded, ladder
from tests.see import BTC, Number, book, decimal, priced

TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", '
    "do: [page, {reduce: {until: target, max_slippage: 60bps}}]}"
)
Levels = tuple[tuple[Number, Number], ...]  # distance from the mid, coins


def tick(world: Guarded, levels: Levels) -> Decimal:
    """The next tick on a book of these levels: coins that are sent."""
    now = Millis(world.at + 1_000)
    its = priced(BTC, world.price("BTC-USD"))
    world.books = {"BTC-USD": book(its, levels=levels, seen_at=now)}
    return cuts(world.tick()).get("BTC-USD", Decimal(0))


def sent_by_window(world: Guarded, levels: Levels, windows: int) -> list[Decimal]:
    return [sum((tick(world, levels) for _ in range(6)), Decimal(0)) for _ in range(windows)]


def test_a_cut_larger_than_the_depth_goes_in_slices_of_what_is_believed_of_it() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.125"})  # $12,500: 0.045 is too much
    thin: Levels = (("0.0002", "0.02"), ("0.02", "5"))  # the second is beyond the bound

    sent = sent_by_window(world, thin, 4)

    assert sent == [Decimal(one) for one in ("0.016", "0.016", "0.013", "0")]
    assert world.sizes["BTC-USD"] == Decimal("0.08")
    assert len({started.name for d in world.decisions for started in d.started}) == 1


def test_each_slice_is_planned_on_the_prices_of_its_own_window() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.125"})
    thin: Levels = (("0.0002", "0.02"), ("0.02", "5"))

    first = sent_by_window(world, thin, 1)
    world.move("BTC-USD", 85_000)  # 0.109 are $9,265 now, and $8,000 are 0.09411
    second = next(sent for _ in range(12) if (sent := tick(world, thin)))

    assert first == [Decimal("0.016")]
    assert second == Decimal("0.005")  # a quarter of what is shown, in a fall of 15%
    later = sent_by_window(world, thin, 14)
    assert sum(later, second) == Decimal("0.0149")  # and not the 0.029 that was left before


def test_a_level_that_gave_nothing_is_not_planned_on_for_a_window() -> None:
    world = guarded(ladder(TRIM), fill=0)
    two: Levels = (("0.0002", "0.025"), ("0.001", "5"))  # 0.02 of the first are believed

    first, second, third = (sent_by_window(world, two, 1)[0] for _ in range(3))
    plans = [d.plan for d in world.decisions if cuts(d) and d.plan is not None]
    paid = [decimal(p.legs[0].expected_quote).scaleb(-6) for p in plans]

    assert first == second == third == Decimal("0.02")
    assert paid[0] == Decimal("0.02") * 99_980
    assert paid[1] == Decimal("0.02") * 99_900  # the second level, while the first is doubted
    assert paid[2] == Decimal("0.02") * 99_980  # now the second is


def test_where_every_level_gave_nothing_a_window_is_let_pass_and_said() -> None:
    world = guarded(ladder(TRIM), fill=0)
    one: Levels = (("0.0002", "0.05"),)

    sent = sent_by_window(world, one, 3)

    assert sent == [Decimal("0.02"), 0, Decimal("0.02")]
    assert any("NO_DEPTH" in codes(d) for d in world.decisions[6:12])
