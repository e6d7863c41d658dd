"""What of a position no budget binds: what demands that page want themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seawall.plan import unbound
from seawall.plan.demand import Means, Slot
from tests.plan.stage import until
from tests.plan.test_desk import SLOT, down_to, shown
from tests.see import BTC, Held, quantums, quote, see, view


def test_a_cut_frees_what_is_not_done_of_it_and_the_larger_of_two_demands_counts() -> None:
    on = shown(("0.001", 9))  # 0.4 are held
    some, more, lock = (
        replace(down_to(coins), name=name) for coins, name in (("0.3", "a"), ("0.1", "b"), (1, "c"))
    )

    def freed(*names: str) -> Mapping[Slot, int]:
        return unbound(on, [more, some, lock], Means(overdrawing=frozenset(names)))

    assert freed() == freed("c") == {}
    assert freed("a", "c") == {SLOT: quantums(BTC, "0.1")}
    assert freed("a", "b") == {SLOT: quantums(BTC, "0.3")}


def test_a_target_that_holds_that_cash_reaches_or_that_offers_only_cash_frees_nothing() -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "leverage", "<= 1")
    over = Means(overdrawing=frozenset({wanted.name}))

    assert unbound(on, [wanted], over) == {SLOT: quantums(BTC, "0.4")}
    assert unbound(on, [replace(wanted, max_slippage=None)], over) == {}
    assert unbound(on, [until(on, "leverage", "<= 1000")], over) == {}
    landing = replace(over, cash_in_flight=((0, quote(1_000_000)),))
    assert unbound(on, [wanted], landing) == {}


def test_a_target_frees_all_of_each_position_in_its_scope_long_or_short_and_no_other() -> None:
    held: Held = {"BTC-USD": ("-0.3", 100_000), "SOL-USD": (100, 200)}
    on = view(see(equity=10_000, positions=held))
    wanted = until(on, "leverage", "<= 1", slots=[SLOT, (0, "ETH-USD")])

    free = unbound(on, [wanted], Means(overdrawing=frozenset({wanted.name})))

    assert free == {SLOT: quantums(BTC, "0.3")}
