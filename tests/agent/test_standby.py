"""Two guards whose books differ: at once they may both cut for one target, with a standby never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.action import Reduce
from seawall.policy import Policy
from seawall.rulefile import parse
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from tests.agent.crashes import OWNER, Guard, Points, advance, written
from tests.agent.test_two_guards import Pace, every
from tests.simulator.stage import MIDS, START

BOOK = {"BTC-USD": Decimal(60_000), "ETH-USD": Decimal(60_000)}
RULES = """
budgets: {per_hour: {notional: 100%, orders: 30}, per_day: {cost: 10%}}
rules:
  - id: leverage
    why: "No more than this of what I own."
    measure: leverage
    trigger: "> 5.5x"
    target: "<= 5x"
    do: [page, {reduce: {until: target, max_slippage: 100bps}}]
"""
FIRST: Policy = parse(RULES).policy
STANDBY = replace(FIRST, is_standby=True)
DEEP = 200  # times the account, so that no book takes what is to be sold in one window
HALVES: Policy = parse(RULES.replace("<= 5x", "<= 2x")).policy
SLICED = [HALVES, replace(HALVES, is_standby=True)]
BLIND_TO = ("BTC-USD", "ETH-USD")  # what the first and the second have no book of


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What both guards did together."""

    sold: dict[str, int]  # base quantums by ticker
    sends: list[int]  # reductions that each guard sent
    leverage: Decimal  # in the end
    pages: list[str]  # of the second, about its standing by


def play(
    folder: Path,
    policies: Sequence[Policy],
    paces: Sequence[Pace],
    *,
    delays: Sequence[int] = (0, 0),
    blocks: int = 60,
    scale: int = 1,
) -> Played:
    chain = Chain(start=START, mids=MIDS)
    setup.fund(chain, OWNER, 0, scale * Decimal(20_000))
    setup.open_book(chain, OWNER, 0, {ticker: scale * dollars for ticker, dollars in BOOK.items()})
    advance(chain)
    paths = [folder / f"{number}.db" for number in range(len(policies))]
    guards = []
    for path, policy, delay, hidden in zip(paths, policies, delays, BLIND_TO, strict=False):
        guards.append(Guard.over(chain, path, Points(), policy=policy, delay=delay))
        guards[-1].venue.hidden = frozenset({hidden})
    for block in range(blocks):
        for guard, looks in zip(guards, paces, strict=True):
            if looks(block):
                guard.tick()
        advance(chain)
    sold: dict[str, int] = {}
    for _, one in chain.history.fills:
        if one.subaccount.owner == OWNER:
            sold[one.ticker] = sold.get(one.ticker, 0) + one.quantums
    for guard in guards:
        guard.journal.close()
    journals = [written(path) for path in paths]
    sends = [sum(isinstance(x.action, Reduce) for x in one.sending) for one in journals]
    account = chain.committed.subaccount(OWNER, 0)
    specs = {one.spec.perpetual_id: one.spec for one in chain.committed.markets.values()}
    gross = Decimal(0)
    for held in account.held:
        spec = specs[held.perpetual_id]
        gross += held.quantums * Decimal(10) ** spec.atomic_resolution * MIDS[spec.ticker]
    return Played(
        sold=sold,
        leverage=gross * 10**6 / chain.committed.risk(account).nc,
        sends=sends,
        pages=[body for body in journals[-1].pages if '"standby"' in body],
    )


def alone(folder: Path) -> dict[str, int]:
    """What the first sells with nobody beside it."""
    folder.mkdir()
    return play(folder, [FIRST], [every(1)], delays=[0]).sold


def test_two_that_act_at_once_may_cut_two_markets_for_one_target(tmp_path: Path) -> None:
    made = play(tmp_path, [FIRST, FIRST], [every(1), every(1)])

    (once,) = alone(tmp_path / "alone")
    assert set(made.sold) > {once}


@pytest.mark.parametrize(
    ("paces", "delays"),
    [
        ((every(1), every(1)), (0, 0)),
        ((every(1), every(1)), (2_000, 0)),
        ((every(2), every(1)), (0, 900)),
        ((every(3), every(1)), (0, 0)),
        ((every(3, after=2), every(2)), (0, 0)),
        ((every(1, after=4), every(1)), (0, 0)),
        ((every(1), every(5, after=3)), (0, 0)),
        ((every(1), every(1, after=7)), (0, 0)),
    ],
)
def test_with_a_standby_they_sell_what_the_first_would_alone(
    tmp_path: Path, paces: tuple[Pace, Pace], delays: tuple[int, int]
) -> None:
    made = play(tmp_path, [FIRST, STANDBY], paces, delays=delays)

    assert made.sold == alone(tmp_path / "alone")
    assert made.sends[0] > 0
    assert made.sends[1] == 0
    assert made.pages == []


def test_where_the_first_is_gone_the_standby_gets_there(tmp_path: Path) -> None:
    made = play(tmp_path, [STANDBY], [every(1)], delays=[0])

    assert made.sold == alone(tmp_path / "alone")
    assert len(made.pages) == 1


@pytest.mark.parametrize("lives", [1, 3, 8, 13])
def test_where_the_first_dies_half_way_the_standby_ends_it(tmp_path: Path, lives: int) -> None:
    made = play(tmp_path, SLICED, [lambda block: block < lives, every(1)], blocks=90, scale=DEEP)

    assert made.sends[0] > 0
    assert made.sends[1] > 0
    assert len(made.pages) == 1
    assert Decimal("1.99") < made.leverage <= 2


def test_what_the_first_sells_window_by_window_is_left_to_it_to_the_end(tmp_path: Path) -> None:
    made = play(tmp_path, SLICED, [every(1), every(1)], blocks=90, scale=DEEP)

    assert made.sends[0] >= 10
    assert made.sends[1] == 0
    assert made.pages == []
    assert Decimal("1.99") < made.leverage <= 2


def test_a_first_that_finds_nobody_to_sell_to_is_not_taken_for_gone(tmp_path: Path) -> None:
    tight: Policy = parse(RULES.replace("100bps", "1bps")).policy

    made = play(tmp_path, [tight, replace(tight, is_standby=True)], [every(1), every(1)])

    assert made.sold == {}
    assert made.sends[0] >= 9
    assert made.sends[1] == 0


def test_what_the_first_has_sold_is_gone_from_the_standbys_budget_too(tmp_path: Path) -> None:
    few: Policy = parse(
        RULES.replace("<= 5x", "<= 2x").replace("100%", "20%").replace("page, ", "notify, ")
    ).policy
    (tmp_path / "alone").mkdir()

    alone = play(tmp_path / "alone", [few], [every(1)], delays=[0])
    made = play(tmp_path, [few, replace(few, is_standby=True)], [every(1), every(1)])

    assert alone.leverage > Decimal("4.5"), "its budget is used up first"
    assert made.sold == alone.sold
    assert made.sends[1] == 0
    assert made.pages == []
