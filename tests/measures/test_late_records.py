"""A deposit beside a large trade hides in its slack; its record, come later, explains just that."""

from __future__ import annotations

import pytest

from seawall.measures.spec import NoData
from tests.measures.ticks import KIND, after, kinds, tick, transfer, value
from tests.see import HEIGHT, Held

FULL: Held = {"BTC-USD": ("1", 100_000)}
CUT: Held = {"BTC-USD": ("0.4", 100_000)}
LESS: Held = {"BTC-USD": ("0.1", 100_000)}
BEFORE = tick(0, 20_000, held=FULL)
PAID_AND_CUT = tick(1, 20_470, held=CUT)  # a deposit of $500, and $60,000 sold for $30
RECORD = transfer(500, HEIGHT + 1)


@pytest.mark.parametrize("late", [2, 200])
def test_the_record_of_a_top_up_beside_a_cut_may_come_later(late: int) -> None:
    told = tick(late, 20_470, held=CUT, transfers=(RECORD,))
    calm = tick(late + 1, 20_470, held=CUT, transfers=(RECORD,))

    kept, events = after(BEFORE, PAID_AND_CUT, told, calm)
    _, then = after(BEFORE, PAID_AND_CUT, told)

    assert kept.doubt("0") is None
    assert kinds(then) == [KIND.FLOW]
    assert events == ()
    assert kept.series["0"].nav < 1, "the deposit is no profit"
    assert not isinstance(value("drawdown", kept, calm), NoData)


def test_two_such_deposits_are_explained_one_by_one() -> None:
    again = tick(2, 20_955, held=LESS)  # another $500, and $30,000 sold for $15
    second = transfer(500, HEIGHT + 2)

    one, _ = after(BEFORE, PAID_AND_CUT, again, tick(3, 20_955, held=LESS, transfers=(RECORD,)))
    both, _ = after(
        BEFORE,
        PAID_AND_CUT,
        again,
        tick(3, 20_955, held=LESS, transfers=(RECORD,)),
        tick(4, 20_955, held=LESS, transfers=(RECORD, second)),
    )

    assert one.doubt("0") is None
    assert both.doubt("0") is None


@pytest.mark.parametrize(
    ("amount", "at"),
    [(2_000, 2), (-1_500, 2), (500, 400)],
    ids=["more than was excused", "the other way", "too late"],
)
def test_what_was_excused_explains_no_other_record(amount: int, at: int) -> None:
    told = tick(at, 20_470, held=CUT, transfers=(transfer(amount, HEIGHT + 1),))

    kept, events = after(BEFORE, PAID_AND_CUT, told)

    assert kept.doubt("0") is not None
    assert kinds(events) == [KIND.FLOW, KIND.UNEXPLAINED]
