"""What can be reached at all: the rows at their best, whatever today's books and budgets allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall import plan
from seawall.account import MarketStatus
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import UntilDemand
from seawall.policy import HandsOff
from seawall.scenario import Caps, DerivedCaps
from seawall.units import Ppm
from tests.plan.stage import until
from tests.see import BTC, ETH, Held, book, quote, scenario, see, view

HEDGED: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)}
BTC_SLOT, ETH_SLOT = (0, "BTC-USD"), (0, "ETH-USD")
FREE = HandsOff()


def hedged(*, both_signs: bool = False) -> View:
    """$30,000 of bitcoin against $20,000 of ether, and a gap of 10% in both."""
    gap = scenario(both_signs=both_signs)
    return view(see(equity=5_000, positions=HEDGED), scenarios=[gap])


def headroom(on: View, target: object, *tickers: str) -> UntilDemand:
    slots = [(0, ticker) for ticker in tickers]
    return until(on, "stress_headroom", f">= {target}", scenario="twin-gap", slots=slots)


# Down 10%: 5000 - 3000 + 2000 - 1.2% of 27,000 and 18,000 = 3460. Closing the bitcoin, for 5 bps,
# leaves 5000 - 15 + 2000 - 216 = 6769; the ether too 5000 - 25; the ether alone 5000 - 3000 - 334.
@pytest.mark.parametrize(
    ("target", "tickers", "is_reachable"),
    [
        (6_768, ("BTC-USD", "ETH-USD"), True),  # where closing all in scope ends at 4975
        (6_770, ("BTC-USD", "ETH-USD"), False),
        (6_768, ("BTC-USD",), True),
        (3_460, ("ETH-USD",), True),  # nothing needs to be done
        (3_461, ("ETH-USD",), False),  # every part of the hedge makes it worse
    ],
)
def test_a_part_of_the_scope_may_reach_what_all_of_it_does_not(
    target: int, tickers: tuple[str, ...], *, is_reachable: bool
) -> None:
    on = hedged()

    wanted = headroom(on, target, *tickers)

    assert plan.is_unreachable(on, wanted, 0, FREE) is not is_reachable


def test_both_signs_are_reached_by_one_mix_or_not_at_all() -> None:
    # One sign would close the bitcoin and leave the ether, the other the ether and not the bitcoin.
    on = hedged(both_signs=True)

    assert not plan.is_unreachable(on, headroom(on, 4_975, *on.observation.markets), 0, FREE)
    assert plan.is_unreachable(on, headroom(on, 4_995, *on.observation.markets), 0, FREE)


def test_a_fatal_move_may_be_reached_by_a_part_too() -> None:
    on = hedged()
    shared = {"scenario": "twin-gap", "slots": [ETH_SLOT]}
    whole = {**shared, "slots": [BTC_SLOT, ETH_SLOT]}

    assert plan.is_unreachable(on, until(on, "fatal_move", ">= 6", **shared), 0, FREE)  # type: ignore[arg-type]
    assert not plan.is_unreachable(on, until(on, "fatal_move", ">= 6", **whole), 0, FREE)  # type: ignore[arg-type]


def freed(on: View, target: object, **words: object) -> UntilDemand:
    return until(on, "free_collateral", f">= {target}", **words)  # type: ignore[arg-type]


def test_what_is_never_traded_is_not_counted() -> None:
    # IMR is 2% of $30,000 and $20,000; all of it and the fee of 5 bps leave 4975.
    on, wanted = hedged(), freed(hedged(), 4_970)
    settling = replace(BTC, status=MarketStatus.FINAL_SETTLEMENT)
    paused = replace(BTC, status=MarketStatus.PAUSED)

    def with_bitcoin(market: object) -> View:
        seen = on.observation
        return view(replace(seen, markets={**seen.markets, "BTC-USD": market}))  # type: ignore[dict-item]

    assert not plan.is_unreachable(on, wanted, 0, FREE)
    assert plan.is_unreachable(on, wanted, 0, HandsOff(markets=("BTC-USD",)))
    assert plan.is_unreachable(on, wanted, 0, HandsOff(subaccounts=(0,)))
    assert plan.is_unreachable(with_bitcoin(settling), wanted, 0, FREE)
    assert not plan.is_unreachable(with_bitcoin(paused), wanted, 0, FREE)  # it opens again
    without = freed(on, 4_370, slots=[ETH_SLOT])  # 5000 - 10 - 2% of 30,000 = 4390
    assert not plan.is_unreachable(on, without, 0, HandsOff(markets=("BTC-USD",)))


@pytest.mark.parametrize("slippage", [20_000, None])
def test_cash_counts_beside_all_that_is_in_scope(slippage: int | None) -> None:
    # A level that only tops up too: what it cannot do is left to a person, and it does the most.
    on = hedged()
    wanted = freed(on, 5_975, slippage=slippage)

    assert plan.is_unreachable(on, wanted, quote(999), FREE)
    assert not plan.is_unreachable(on, wanted, quote(1_000), FREE)


@pytest.mark.parametrize(("mid", "is_reachable"), [(100_000, True), (99_000, False)])
def test_it_must_be_reached_once_the_oracle_has_caught_up(mid: int, *, is_reachable: bool) -> None:
    seen = see(
        equity=5_000, positions=HEDGED, books={"BTC-USD": book(BTC, mid), "ETH-USD": book(ETH)}
    )
    on = view(seen)

    assert plan.is_unreachable(on, freed(on, 4_800), 0, FREE) is not is_reachable  # 4675 at 99,000


@pytest.mark.parametrize(("target", "is_reachable"), [("4389.99", True), ("4390.01", False)])
def test_what_is_out_of_scope_helps_not_by_a_cent(target: str, *, is_reachable: bool) -> None:
    on = hedged()

    wanted = freed(on, target, slots=[ETH_SLOT])  # 5000 - 10 - 2% of $30,000

    assert plan.is_unreachable(on, wanted, 0, FREE) is not is_reachable


def test_what_cannot_be_told_is_not_called_unreachable() -> None:
    on = hedged()
    elsewhere = Instance(subaccount=7)

    assert not plan.is_unreachable(on, freed(on, 10**6, instance=elsewhere), 0, FREE)
    assert not plan.is_unreachable(on, freed(on, 10**6, slots=[(7, "SOL-USD")]), quote(10**6), FREE)


@pytest.mark.parametrize("equity", [1, 15, 16, 5_000])
def test_a_cap_of_next_to_no_equity_is_reached_by_closing_everything(equity: int) -> None:
    # Closing the bitcoin takes $15, so with less no part of it is within any cap: all of it is.
    derived = DerivedCaps(
        max_drawdown=Ppm(120_000), scenario="twin-gap", shares={"*": Ppm(500_000)}
    )
    seen = see(equity=equity, positions={"BTC-USD": ("0.3", 100_000)})
    on = view(seen, caps=Caps(derived=derived), scenarios=[scenario()])

    wanted = until(on, "cap_use", "<= 0.9", instance=Instance(market="BTC-USD"))

    assert not plan.is_unreachable(on, wanted, 0, FREE)
