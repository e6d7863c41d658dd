"""Where a proposal is a step short or past, which step the integers add or take back.

The book is $30,000 of BTC, $20,000 of ETH short and $10,000 of SOL, equity $10,000. A step of BTC
is $10, one of ETH $4 and one of SOL $20.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.account import Funding
from seawall.action import Plan
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import programme
from seawall.plan.demand import Demand, Means, Slot, UntilDemand
from seawall.plan.desk import Desk, desk_of
from seawall.plan.greedy import Guard
from tests.plan.stage import coins, down_to, exposure, guard, until
from tests.see import (
    BTC,
    CALM,
    ETH,
    MARKETS,
    SOL,
    Held,
    Number,
    book,
    quantums,
    quote,
    scenario,
    see,
    view,
)

BTC_SLOT, ETH_SLOT, SOL_SLOT = (0, "BTC-USD"), (0, "ETH-USD"), (0, "SOL-USD")
NET = replace(
    guard("net_exposure", "> 12000"), key="net", instance=Instance(markets=("BTC-USD", "ETH-USD"))
)
ALTS = Instance(markets=("ETH-USD", "SOL-USD"))
ALL = Instance(markets=tuple(MARKETS))


def account(*, btc_mid: Number = 100_000, btc_depth: Number = 900) -> View:
    paying = Funding(rate=Decimal("0.001"), p90_long=Decimal(0), p90_short=Decimal(0))
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (50, 200)}
    books = {
        "BTC-USD": book(BTC, btc_mid, levels=[("0.0002", btc_depth)]),
        "ETH-USD": book(ETH),
        "SOL-USD": book(SOL),
    }
    funding = {"BTC-USD": paying, "ETH-USD": CALM, "SOL-USD": CALM}
    return view(see(equity=10_000, positions=held, books=books, funding=funding))


def desk_on(
    on: View, *wanted: Demand, guards: tuple[Guard, ...] = (), means: Means | None = None
) -> Desk:
    return desk_of(on, wanted, means or Means(), scenarios=(), guards=guards)


def mended(
    desk: Desk,
    *cuts: tuple[str, Number],
    let_go: tuple[str, ...] = (),
    short: tuple[str, ...] = (),
) -> Plan | Guard | None:
    """What becomes of a proposal of so many coins, with these targets missed."""
    proposal = tuple((0, ticker, int(quantums(MARKETS[ticker], size))) for ticker, size in cuts)
    return programme.from_proposal(desk, proposal, let_go=let_go, short=short)


def sold(made: Plan | Guard | None, on: View) -> dict[str, Decimal]:
    assert isinstance(made, Plan)
    return coins(made, on)


def test_fifty_steps_are_added_and_no_more() -> None:
    on = account()
    desk = desk_on(on, exposure(on, "BTC-USD", 25_000))

    assert sold(mended(desk, ("BTC-USD", "0.045")), on) == {"BTC-USD": Decimal("0.05")}
    assert mended(desk, ("BTC-USD", "0.0449")) is None


@pytest.mark.parametrize(
    ("measure", "target", "instance", "cut", "then"),
    [
        # A dollar of SOL frees 5 cents of margin, one of BTC 2: but what is cut goes first.
        ("free_collateral", ">= 8500.5", None, "BTC-USD", {"BTC-USD": "0.0003"}),
        ("free_collateral", ">= 8500.5", None, None, {"SOL-USD": "0.1"}),
        # Net is $20,000: closing more of a short makes it more, whether it is cut or not.
        (
            "net_exposure",
            "<= 20000",
            ALL,
            "ETH-USD",
            {"ETH-USD": "0.01", "BTC-USD": "0.0004"},
        ),
        # No funding is paid for SOL.
        ("funding_24h", "<= 719.8", Instance(), "SOL-USD", {"SOL-USD": "0.1", "BTC-USD": "0.0001"}),
    ],
)
def test_a_step_is_added_where_it_helps_and_first_where_something_is_cut(
    measure: str, target: str, instance: Instance | None, cut: str | None, then: dict[str, str]
) -> None:
    on = account()
    small = {"BTC-USD": "0.0001", "ETH-USD": "0.01", "SOL-USD": "0.1"}
    desk = desk_on(on, until(on, measure, target, instance=instance))

    made = mended(desk, *([] if cut is None else [(cut, small[cut])]))

    assert sold(made, on) == {ticker: Decimal(size) for ticker, size in then.items()}


def test_a_step_too_many_is_taken_back_where_none_more_helps() -> None:
    on = account()
    net = until(on, "net_exposure", "<= 10020", instance=ALTS, slots=[SOL_SLOT])

    made = mended(desk_on(on, exposure(on, "SOL-USD", 9_990), net), ("SOL-USD", "0.2"))

    # Both hold with one step of $20: two take the net, $10,000 short of ether now, to $10,040.
    assert sold(made, on) == {"SOL-USD": Decimal("0.1")}


def test_no_step_is_added_beyond_what_the_book_offers() -> None:
    on = account(btc_depth="0.1")
    desk = desk_on(on, until(on, "leverage", "<= 4.9"))

    made = mended(desk, ("BTC-USD", "0.0999"), ("ETH-USD", "0.24"))

    # $11,038 have to go where closing them costs $7.70: all that BTC offers, then ETH.
    assert sold(made, on) == {"BTC-USD": Decimal("0.1"), "ETH-USD": Decimal("0.26")}


def test_a_step_for_a_target_is_of_its_own_positions_and_none_of_a_level_that_only_tops_up() -> (
    None
):
    on = account()
    other = exposure(on, "BTC-USD", 29_990)
    wanted = until(on, "leverage", "<= 5.998", slots=[ETH_SLOT])
    cash_alone = replace(wanted, max_slippage=None, slots=(BTC_SLOT, ETH_SLOT))

    made = mended(desk_on(on, wanted, other), ("BTC-USD", "0.0001"))

    assert sold(made, on) == {"BTC-USD": Decimal("0.0001"), "ETH-USD": Decimal("0.003")}
    assert mended(desk_on(on, cash_alone, other), ("BTC-USD", "0.0001")) is None


@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_handed_back_is_the_trigger_that_no_step_mends(*, is_first: bool) -> None:
    """ETH takes net up, and it and SOL are what the other is about: more ETH mends that one."""
    on = account()
    alts = replace(guard("net_exposure", "> 12000"), key="alts", instance=ALTS)
    wanted = until(on, "leverage", "<= 5.45", slots=[ETH_SLOT, SOL_SLOT])
    guards = (NET, alts) if is_first else (alts, NET)
    desk = desk_on(on, wanted, guards=guards)

    # $30,000 less $17,500 is more than $12,000; $17,500 less $5,480 is $20 more, five steps of ETH.
    made = mended(desk, ("ETH-USD", "0.625"), ("SOL-USD", "22.6"))

    assert isinstance(made, Guard)
    assert made.key == "net"


def test_a_trigger_is_judged_at_the_oracle_and_not_at_the_mid() -> None:
    on = account(btc_mid=101_500)
    wanted = until(on, "leverage", "<= 5.9", slots=[ETH_SLOT])
    desk = desk_on(on, wanted, guards=(NET,))

    made = mended(desk, ("ETH-USD", "0.49"))  # net is $11,960, at the mid $450 more

    assert isinstance(made, Plan)
    assert made.let_go == ()


def test_a_trigger_that_rounding_up_to_a_step_crosses_is_let_go_and_the_programme_asked_again() -> (
    None
):
    on = account()
    just = replace(NET, trigger=replace(NET.trigger, value=Decimal(12_003)))

    made = plan.propose(on, [exposure(on, "ETH-USD", 17_998)], Means(), guards=[just])

    assert coins(made, on) == {"ETH-USD": Decimal("0.501")}
    assert (made.solver, made.let_go) == (plan.solver.version(), ("net",))


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("70", (3, 2)),
        ("69.999999", (2, 2)),  # a step of each at most, and no more than it takes
        ("60", (2, 2)),
        ("59.999999", (2, 1)),
        ("20", (2, 1)),
    ],
)
def test_rounding_beyond_the_hour_s_budget_is_taken_back_step_by_step(
    left: str, kept: tuple[int, int]
) -> None:
    on = account()
    wanted = (exposure(on, "BTC-USD", 1), exposure(on, "SOL-USD", 1))
    desk = desk_on(on, *wanted, means=Means(notional_left=quote(left)))

    assert within(desk, 3, 2) == kept


def test_neither_what_is_fixed_nor_what_no_budget_binds_is_taken_back() -> None:
    on = account()
    means = Means(notional_left=quote(1))
    paging = exposure(on, "SOL-USD", 1)
    fixed = desk_on(on, down_to(("BTC-USD", "0.2997")), paging, means=means)
    free = desk_on(on, paging, means=replace(means, overdrawing=frozenset({paging.name})))

    assert within(fixed, 3, 2) == (3, 1)
    assert within(fixed, 4, 2) == (3, 1)
    assert within(free, 0, 2) == (0, 2)


def within(desk: Desk, btc: int, sol: int) -> tuple[int, int]:
    """Steps of BTC and of SOL that are kept of so many."""
    cuts: dict[Slot, int] = {
        BTC_SLOT: btc * BTC.step_base_quantums,
        SOL_SLOT: sol * SOL.step_base_quantums,
    }
    kept = programme._within_budget(desk, {s: cut for s, cut in cuts.items() if s in desk.rooms})
    return (
        kept.get(BTC_SLOT, 0) // BTC.step_base_quantums,
        kept.get(SOL_SLOT, 0) // SOL.step_base_quantums,
    )


def test_a_step_too_many_for_a_missed_target_is_taken_back_where_it_breaks_one_that_holds() -> None:
    on = account()
    pair = Instance(markets=("BTC-USD", "ETH-USD"))
    net = until(on, "net_exposure", "<= 12000", instance=pair, slots=[ETH_SLOT])  # 10,000 now
    missed = exposure(on, "ETH-USD", 10_000)
    fixed = down_to(("ETH-USD", "4.499"))
    desk, firm = desk_on(on, net, missed), desk_on(on, net, missed, fixed)
    one_too_many = ("ETH-USD", "0.501")  # $2,004

    assert sold(mended(desk, one_too_many, short=(missed.name,)), on) == {"ETH-USD": Decimal("0.5")}
    assert mended(desk, one_too_many) is None  # nothing was rounded up for what is missed
    assert mended(firm, one_too_many, short=(missed.name,)) is None  # it is asked for as it is
    assert sold(mended(desk, ("ETH-USD", "0.55"), short=(missed.name,)), on) == {
        "ETH-USD": Decimal("0.5")
    }
    assert mended(desk, ("ETH-USD", "0.551"), short=(missed.name,)) is None  # 51 steps


def test_of_two_hedges_a_step_is_taken_back_of_the_one_that_the_scenario_moves_more() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-2, 4_000), "SOL-USD": (-50, 200)}
    shocks = {"BTC-USD": "-0.1", "ETH-USD": "-0.05", "SOL-USD": "-0.2"}
    on = view(see(equity=10_000, positions=held), scenarios=[scenario("gap", shocks)])
    missed = [exposure(on, "ETH-USD", 1_000), exposure(on, "SOL-USD", 1_000)]
    cuts, names = (("ETH-USD", "0.5"), ("SOL-USD", "10")), tuple(one.name for one in missed)

    def room(least: str) -> UntilDemand:
        slots = [ETH_SLOT, SOL_SLOT]
        return until(on, "stress_headroom", f">= {least}", scenario="gap", slots=slots)

    as_it_is = mended(desk_on(on, room("0"), *missed), *cuts, short=names)
    assert isinstance(as_it_is, Plan)
    claim = as_it_is.claims[0]
    assert isinstance(claim.after, Decimal)
    made = mended(desk_on(on, room(f"{claim.after + 1}"), *missed), *cuts, short=names)

    assert sold(made, on) == {"ETH-USD": Decimal("0.5"), "SOL-USD": Decimal("9.9")}


def test_where_whole_steps_reach_not_all_the_nearest_is_sent_and_not_a_worse_plan() -> None:
    """In steps of $5,000 the net of $2,000 stays or becomes $3,000: never $1,000 or less."""
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-7, 4_000)}
    steps = {"BTC-USD": 500_000_000, "ETH-USD": 1_250_000_000}
    markets = {t: replace(MARKETS[t], step_base_quantums=step) for t, step in steps.items()}
    on = view(see(equity=10_000, positions=held, markets=markets))
    pair = Instance(markets=tuple(held))
    wanted = [
        until(on, "gross_exposure", "<= 52000", instance=pair),
        until(on, "net_exposure", "<= 1000", instance=pair),
    ]

    made = plan.propose(on, wanted, Means())

    assert made.solver == plan.solver.version()
    assert coins(made, on) == {"BTC-USD": Decimal("0.05"), "ETH-USD": Decimal("1.25")}
    assert [claim.reached for claim in made.claims] == [True, False]
    assert [refusal.what for refusal in made.dropped] == ["reach the target of net_exposure"]
    assert plan.recompute(on, wanted, Means(), made) == made


def test_a_target_that_is_missed_by_a_hair_is_no_reason_for_a_greedy_plan() -> None:
    """The book offers $10,000 of bitcoin; so many cents more than that are asked."""
    on = account(btc_depth="0.1")
    ether = exposure(on, "ETH-USD", 15_000)

    for cents in ("0.01", "0.03", "0.05"):  # 1, 3 and 5 parts per million
        wanted = [exposure(on, "BTC-USD", 20_000), ether]
        asked = replace(wanted[0].target, value=Decimal(20_000) - Decimal(cents))
        wanted[0] = replace(wanted[0], target=asked)

        made = plan.propose(on, wanted, Means())

        assert made.solver == plan.solver.version()
        assert coins(made, on) == {"BTC-USD": Decimal("0.1"), "ETH-USD": Decimal("1.25")}
        assert [claim.reached for claim in made.claims] == [False, True]
        assert [one.code.value for one in made.dropped] == ["NO_DEPTH"]
