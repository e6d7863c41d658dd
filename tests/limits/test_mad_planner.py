"""A planner gone mad behind the gate, on a venue that ignores reduce-only: nothing flips or grows.

The venue here is the worst there is: every order that passes fills whole, whatever is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.account import Market, Observation, RestingOrder, Side
from seawall.action import (
    Action,
    Cancel,
    Leg,
    Plan,
    Reduce,
    TopUp,
    client_id,
    good_til_block,
    window_of,
)
from seawall.agent import Agent, Kind
from seawall.decide.memory import Panic
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.limits import Asked, Standing, judge
from seawall.measures.view import View
from seawall.plan import pricing
from seawall.policy import Bound, Mode, Operator, Page, Policy
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.local import LocalVenue
from seawall.simulator.setup import fund, open_book
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks
from tests.limits.asks import ALL, POLICY, RICH, cancel_of, filled, seen, sizes, top_up, with_orders
from tests.see import quote, resting
from tests.simulator.stage import blocks, chain_of, next_block

SEEN = seen()
TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD")


@st.composite
def mad_reductions(draw: st.DrawFn, on: Observation) -> Reduce:
    """An order of any side, size, price and id, right in most fields so that many get far."""
    subaccount, ticker = draw(st.sampled_from((*sizes(on), (0, "SOL-USD"), (7, "BTC-USD"))))
    market = on.markets[ticker]
    held = sizes(on).get((subaccount, ticker), 0)
    right = Side.SELL if held > 0 else Side.BUY
    side = draw(st.sampled_from((right, right, right, Side.BUY, Side.SELL)))
    steps = abs(held) // market.step_base_quantums
    step = draw(st.sampled_from((1, 1, 1, market.step_base_quantums)))
    size = draw(st.integers(-1, 2 * steps + 2)) * (market.step_base_quantums // step)
    oracle = int(pricing.oracle_subticks(market))
    price = oracle * draw(st.integers(930, 1_070)) // 1_000
    window = window_of(on.height) + draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    pair = draw(st.sampled_from((market.clob_pair_id,) * 4 + (0, 1, 99)))
    ours = client_id(on.chain_id, on.owner, subaccount, pair, window)
    return Reduce(
        subaccount=subaccount,
        ticker=ticker,
        clob_pair_id=pair,
        side=side,
        quantums=BaseQuantums(size),
        subticks=Subticks(price - price % market.subticks_per_tick),
        window=window,
        good_til_block=good_til_block(window),
        client_id=draw(st.sampled_from((ours, ours, ours, ours, 1))),
    )


@st.composite
def mad_deposits(draw: st.DrawFn, on: Observation) -> TopUp:
    """A deposit of any amount to anybody."""
    one = top_up(on, draw(st.integers(-10, 10_000)), subaccount=draw(st.sampled_from((0, 128, 7))))
    return replace(one, sequence=one.sequence + draw(st.sampled_from((0, 0, 0, 1))))


def mad_plans(on: Observation) -> st.SearchStrategy[list[Action]]:
    return st.lists(
        st.one_of(mad_reductions(on), mad_reductions(on), mad_deposits(on)), max_size=12
    )


def assert_only_shrank(before: Observation, after: Mapping[tuple[int, str], int]) -> None:
    """No position is larger than it was, none has changed sides, none is new."""
    for slot, size in after.items():
        was = sizes(before).get(slot, 0)
        assert abs(size) <= abs(was), slot
        assert size * was >= 0, slot


@given(
    plan=mad_plans(SEEN),
    sent=st.dictionaries(st.sampled_from(tuple(sizes(SEEN))), st.integers(0, 10**10), max_size=2),
    standing=st.sampled_from((Standing(spent=RICH), Standing(by_panic=True))),
)
def test_nothing_that_passes_flips_or_grows_a_position(
    plan: list[Action], sent: dict[tuple[int, str], int], standing: Standing
) -> None:
    asked = [Asked(action=one, free=ALL) for one in plan]
    standing = replace(standing, sent=sent)

    passed, refused = judge(asked, SEEN, POLICY, standing)

    assert len(passed) + len(refused) == len(plan)
    assert_only_shrank(SEEN, filled(SEEN, passed))
    reductions = [one for one in passed if isinstance(one, Reduce)]
    for slot, size in filled(SEEN, passed).items():
        most = max(0, abs(sizes(SEEN).get(slot, 0)) - sent.get(slot, 0))
        assert abs(sizes(SEEN).get(slot, 0)) - abs(size) <= most or slot not in sent
    assert len({(one.subaccount, one.ticker) for one in reductions}) == len(reductions)
    deposits = [one for one in passed if isinstance(one, TopUp)]
    assert len(deposits) <= 1
    assert all(one.subaccount in {0, 128} and one.amount > 0 for one in deposits)
    assert sum(one.amount for one in deposits) <= quote(5_950)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[RestingOrder, ...]:
    """Resting orders of every kind, many at one price."""
    places = st.sampled_from(((0, "BTC-USD"), (0, "ETH-USD"), (128, "SOL-USD"), (0, "SOL-USD")))
    orders = []
    for number in range(draw(st.integers(0, 8))):
        subaccount, ticker = draw(places)
        market = SEEN.markets[ticker]
        held = abs(sizes(SEEN).get((subaccount, ticker), market.step_base_quantums * 10))
        size = held * draw(st.integers(1, 12)) // 10
        price = int(market.oracle_dollars) * draw(st.sampled_from((99, 100, 101))) // 100
        one = resting(
            market,
            draw(st.sampled_from(tuple(Side))),
            1,
            price,
            subaccount=subaccount,
            client_id=number + 1,
            reduce_only=draw(st.booleans()),
        )
        orders.append(replace(one, quantums=BaseQuantums(size)))
    return tuple(draw(st.permutations(orders)))


def covered(orders: Sequence[RestingOrder], held: int) -> int:
    """What resting orders may close of a position, those that could flip it left out."""
    right = Side.SELL if held > 0 else Side.BUY
    opposing = [one for one in orders if one.side is right]
    total, ahead = sum(int(one.quantums) for one in opposing if one.reduce_only), 0
    for one in sorted(opposing, key=lambda one: (-right.sign * one.subticks, one.client_id)):
        if not one.reduce_only:
            ahead += one.quantums
            total += one.quantums if ahead <= abs(held) else 0
    return total


@given(orders=crowds(), data=st.data())
def test_no_cancel_that_passes_takes_a_protection_from_a_position(
    orders: tuple[RestingOrder, ...], data: st.DataObject
) -> None:
    on = with_orders(SEEN, *orders)
    asked = [cancel_of(one) for one in orders if data.draw(st.booleans())]

    passed, _ = judge([Asked(action=one) for one in asked], on, POLICY, Standing(spent=RICH))

    gone = {one.client_id for one in passed if isinstance(one, Cancel)}
    for slot, held in sizes(on).items():
        same = [one for one in orders if (one.subaccount, one.ticker) == slot]
        left = [one for one in same if one.client_id not in gone]
        assert covered(left, held) >= covered(same, held)
        adding = [one for one in same if one.side is (Side.BUY if held > 0 else Side.SELL)]
        asked_for = {one.client_id for one in asked}
        assert {one.client_id for one in adding} & asked_for <= gone  # what adds risk may go


@given(plan=mad_plans(SEEN), age=st.sampled_from((10_001, 60_000, 8 * 3_600_000)))
def test_on_stale_state_nothing_passes_but_a_panic_that_only_shrinks_what_was_known(
    plan: list[Action], age: int
) -> None:
    late = replace(SEEN, seen_at=Millis(SEEN.at + age))
    asked = [Asked(action=one, free=ALL) for one in plan]

    nothing, _ = judge(asked, late, POLICY, Standing(spent=RICH))
    passed, _ = judge(asked, late, POLICY, Standing(by_panic=True))

    assert nothing == ()
    assert all(isinstance(one, Reduce) for one in passed)  # and no deposit on old state
    assert_only_shrank(late, filled(late, passed))


@given(plan=mad_plans(SEEN))
def test_the_verdict_on_an_order_does_not_hang_on_what_was_refused_before_it(
    plan: list[Action],
) -> None:
    standing = Standing(spent=RICH)
    passed, _ = judge([Asked(action=one) for one in plan], SEEN, POLICY, standing)

    again, refused = judge([Asked(action=one) for one in passed], SEEN, POLICY, standing)

    assert again == passed
    assert refused == ()


def careless_chain() -> Chain:
    """A chain that ignores reduce-only, with an owner long, short, and short in a child."""
    chain = chain_of({}, ChainSettings(reduce_only=ReduceOnly.IGNORED))
    fund(chain, "mad", 0, Decimal(30_000))
    fund(chain, "mad", 128, Decimal(20_000))
    open_book(chain, "mad", 0, {"BTC-USD": Decimal(40_000), "ETH-USD": Decimal(-30_000)})
    open_book(chain, "mad", 128, {"SOL-USD": Decimal(-20_000)})
    return chain


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_on_a_venue_that_ignores_reduce_only_a_mad_planner_only_ever_shrinks(
    data: st.DataObject,
) -> None:
    chain = careless_chain()
    venue = LocalVenue(chain, "mad")
    next_block(chain)

    for _ in range(3):
        on = venue.look()
        plan = data.draw(st.lists(mad_reductions(on), max_size=8))
        passed, _ = judge([Asked(action=one) for one in plan], on, POLICY, Standing(spent=RICH))
        for one in passed:
            assert asyncio.run(venue.send(one)).is_accepted
        blocks(chain, 6)

        assert_only_shrank(on, sizes(venue.look()))


def mad_proposal(view: View, chance: Random) -> Plan:
    """Legs of both sides and every size, over whatever is held and more, twice each."""
    legs = []
    for subaccount in view.observation.subaccounts:
        for ticker in TICKERS * 2:
            market = view.observation.markets[ticker]
            side = chance.choice(list(Side))
            price = int(market.oracle_price * chance.uniform(0.9, 1.1))
            worst = bound(replace(market, oracle_price=price), side)
            legs.append(
                Leg(
                    expected_quantums=BaseQuantums(0),
                    subaccount=subaccount.number,
                    ticker=ticker,
                    side=side,
                    quantums=BaseQuantums(chance.randint(1, 6_000) * market.step_base_quantums),
                    worst_subticks=worst,
                    expected_quote=QuoteQuantums(0),
                    fee=QuoteQuantums(0),
                    cost_vs_oracle=QuoteQuantums(0),
                    cost_vs_mid=QuoteQuantums(0),
                    asked_by=("leverage/0#1",),
                )
            )
    chance.shuffle(legs)
    return Plan(legs=tuple(legs))


def bound(market: Market, side: Side) -> Subticks:
    """The oracle price as an order price, on the tick."""
    return pricing.bound(market, side, pricing.oracle_subticks(market), 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_whole_guard_with_a_mad_planner_only_ever_shrinks(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)

    def propose(view: View, *_: object, **__: object) -> Plan:
        return mad_proposal(view, chance)

    monkeypatch.setattr("seawall.plan.propose", propose)
    chain = careless_chain()
    next_block(chain)
    venue = LocalVenue(chain, "mad")
    alarmed = policy_that_always_reduces()
    journal = Journal.open(":memory:")
    guard = Agent.resume(venue, journal, alarmed, digest="mad", mode=Mode.LIVE, owner="mad")
    start = before = venue.look()

    for _ in range(40):
        asyncio.run(guard.tick())
        next_block(chain)
        now = venue.look()
        assert_only_shrank(before, sizes(now))
        before = now

    assert sizes(before) != sizes(start)  # it did get some through


@pytest.mark.parametrize("seed", range(3))
def test_a_panic_of_a_whole_mad_guard_on_stale_state_only_ever_shrinks(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State is 20 s old: a rule sends nothing, the operator's word does, and nothing grows."""
    chance = Random(seed)

    def propose(view: View, *_: object, **__: object) -> Plan:
        return mad_proposal(view, chance)

    monkeypatch.setattr("seawall.plan.propose", propose)
    chain = careless_chain()
    next_block(chain)
    venue = LocalVenue(chain, "mad", delay=Millis(20_000))
    journal = Journal.open(":memory:")
    guard = Agent.resume(
        venue, journal, policy_that_always_reduces(), digest="mad", mode=Mode.LIVE, owner="mad"
    )
    start = before = venue.look()

    for number in range(60):
        if number == 20:
            assert sizes(before) == sizes(start)
            journal.append(Kind.COMMAND, to_json(Panic()))
        asyncio.run(guard.tick())
        next_block(chain)
        now = venue.look()
        assert_only_shrank(before, sizes(now))
        before = now

    assert sizes(before) != sizes(start)


def policy_that_always_reduces() -> Policy:
    """Leverage above any that a mad planner would leave, watched without pause."""
    rule = POLICY.rules[0]
    target = Bound(operator=Operator.AT_MOST, value=Decimal("0.01"))
    trigger = Bound(operator=Operator.ABOVE, value=Decimal("0.02"))
    level = replace(rule.levels[0], trigger=trigger, target=target, clear=target)
    paging = replace(level, do=(Page(), *level.do))
    return replace(POLICY, rules=(replace(rule, levels=(paging,)),))
