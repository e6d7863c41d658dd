"""What the chain takes of orders, against its own rule tried on every number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import margin, plan, units
from seawall.account import BookLevel, Market, Missing, Side, Subaccount
from seawall.measures.view import View
from seawall.plan import acceptance
from seawall.plan.acceptance import Order
from seawall.plan.demand import Means, Slot
from seawall.units import BaseQuantums, Millis
from tests.plan.stage import down_to
from tests.see import BTC, ETH, Held, Number, book, quantums, see, subticks, view

B, E = (0, "BTC-USD"), (0, "ETH-USD")
MARKETS = {  # few steps, so that each can be tried
    "BTC-USD": replace(BTC, step_base_quantums=quantums(BTC, "0.01")),
    "ETH-USD": replace(ETH, step_base_quantums=quantums(ETH, "0.1")),
}
LONG: Held = {"BTC-USD": ("0.9", 100_000)}  # IMR $1,800, MMR $1,080
SHORT: Held = {"BTC-USD": ("-0.9", 100_000)}
BOTH: Held = {"BTC-USD": ("0.4", 100_000), "ETH-USD": ("-12.5", 4_000)}


def order(
    slot: Slot, size: Number, *levels: tuple[Number, Number], side: Side = Side.SELL
) -> Order:
    """An order that meets these prices and coins."""
    market = MARKETS[slot[1]]
    return Order(
        slot=slot,
        market=market,
        side=side,
        quantums=quantums(market, size),
        levels=tuple(
            BookLevel(subticks(market, price), quantums(market, many)) for price, many in levels
        ),
        fee_ppm=500,
    )


def on(equity: Number, held: Held, custom: Mapping[str, Number] | Missing | None = None) -> View:
    seen = see(equity=equity, positions=held, books={}, custom_imf=custom)
    stepped = {
        ticker: replace(seen.markets[ticker], step_base_quantums=market.step_base_quantums)
        for ticker, market in MARKETS.items()
    }
    return view(replace(seen, markets={**seen.markets, **stepped}))


def taken(of: View, *orders: Order) -> dict[str, Decimal]:
    """Coins of each order that the chain does not take whole."""
    found = acceptance.refused(of, 0, orders)
    return {
        slot[1]: MARKETS[slot[1]].coins(BaseQuantums(size)).normalize()
        for slot, size in found.items()
    }


def by_trying(of: View, *orders: Order) -> dict[str, Decimal]:
    """The same for orders that come in this sequence, one fill after another on the account."""
    (account,), found = of.observation.subaccounts, dict[str, Decimal]()
    for each in orders:
        account, size = filled(of, account, each)
        if size < each.quantums:
            found[each.slot[1]] = each.market.coins(BaseQuantums(size)).normalize()
    return found


def filled(of: View, account: Subaccount, each: Order) -> tuple[Subaccount, int]:
    """The account after as much of an order as the chain takes, and how much that is."""
    market = of.observation.markets[each.slot[1]]
    step, size = market.step_base_quantums, 0
    for level in each.levels:
        most = min(level.quantums, each.quantums - size) // step
        after = [
            after_fill(account, market, each, level.subticks, n * step) for n in range(most + 1)
        ]
        before = margin.risk(account, of.observation.markets)
        count = next(
            n
            for n in range(most, -1, -1)
            if n == 0
            or margin.judge_update(before, margin.risk(after[n], of.observation.markets))
            is margin.Update.SUCCESS
        )
        account, size = after[count], size + count * step
        if count < most:
            break
    return account, size


def after_fill(
    account: Subaccount, market: Market, each: Order, price: int, size: int
) -> Subaccount:
    if not size:
        return account
    paid = units.fill_quote(price, size, market.quantum_conversion_exponent)
    fee = units.fee_quote(paid, each.fee_ppm)
    return margin.with_fill(account, market, each.side.sign * size, paid, fee)


@pytest.mark.parametrize(
    ("equity", "held", "orders"),
    [
        (2_000, LONG, [order(B, "0.9", (97_300, 9))]),
        (2_000, SHORT, [order(B, "0.9", (102_700, 9), side=Side.BUY)]),
        # Beyond the margin that is freed by the fee alone.
        (1_802, LONG, [order(B, "0.9", (98_030, 9))]),
        # What is taken of a level is whole steps, and what is left of one is no part of the next.
        (2_000, LONG, [order(B, "0.9", (99_900, "0.105"), (97_300, "0.099"), (97_200, 9))]),
        (2_000, LONG, [order(B, "0.9", (99_900, "0.005"), (97_300, 9))]),
        (2_000, LONG, [order(B, "0.15", (99_900, "0.1"), (97_300, 9))]),
        (2_000, LONG, [order(B, "0.55", (99_900, "0.1"), (97_300, 9))]),
        # Below initial margin NC/MMR may not fall: 1,500/1,080 of 1.2% is 1.67%.
        (1_500, LONG, [order(B, "0.9", (98_400, "0.1"), (98_380, "0.1"), (98_370, 9))]),
        (1_500, SHORT, [order(B, "0.9", (101_600, "0.1"), (101_640, 9), side=Side.BUY)]),
        # Above it by less than a dollar.
        ("1_800.5", LONG, [order(B, "0.9", (97_900, 9))]),
        # All of it; nothing of it; what is good of it.
        (2_000, LONG, [order(B, "0.9", (99_900, 9))]),
        (900, LONG, [order(B, "0.9", (97_000, 9))]),
        (900, LONG, [order(B, "0.9", (99_000, "0.4"), (97_000, 9))]),
    ],
)
def test_of_one_order_as_much_is_taken_as_the_chain_takes_to_the_last_step(
    equity: Number, held: Held, orders: Sequence[Order]
) -> None:
    there = on(equity, held)

    assert taken(there, *orders) == by_trying(there, *orders)


@pytest.mark.parametrize(
    ("bitcoin", "ether"),
    [((97_300, 9), (4_001, 99)), ((99_900, 9), (4_110, 99)), ((97_300, 9), (4_110, 99))],
)
def test_of_two_the_one_that_costs_more_than_it_frees_comes_first(
    bitcoin: tuple[Number, Number], ether: tuple[Number, Number]
) -> None:
    there = on(2_000, BOTH)
    orders = [order(B, "0.4", bitcoin), order(E, "12.5", ether, side=Side.BUY)]
    tries = [by_trying(there, *orders), by_trying(there, *orders[::-1])]

    found = taken(there, *orders)

    assert found
    assert found in tries
    assert found == taken(there, *orders[::-1])
    cut = [replace(one, quantums=cut_to(one, found)) for one in orders]
    assert by_trying(there, *cut) == by_trying(there, *cut[::-1]) == {}  # whichever comes first


def cut_to(one: Order, found: Mapping[str, Decimal]) -> int:
    return quantums(one.market, found[one.slot[1]]) if one.slot[1] in found else one.quantums


@pytest.mark.parametrize("price", [96_900, 97_000, 97_100, 97_200])
def test_what_one_order_leaves_free_is_there_for_the_next_to_the_last_step(price: int) -> None:
    there = on(2_000, BOTH)
    dearer = order(B, "0.4", (price, 9))
    other = order(E, "12.5", (4_105, 99), side=Side.BUY)

    assert taken(there, dearer, other) == by_trying(there, dearer, other)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_fill_is_judged_to_the_last_millionth_of_a_dollar(sign: int) -> None:
    held: Held = {"BTC-USD": (sign * Decimal("0.91"), "100_000.00127")}
    there = on(2_000, held)
    (account,), markets = there.observation.subaccounts, there.observation.markets
    one = order(
        B,
        "0.3",
        (100_000 - sign * 2_700, 9),
        side=Side.SELL if sign > 0 else Side.BUY,
    )
    one = replace(one, market=markets["BTC-USD"])
    after = margin.risk(
        after_fill(account, one.market, one, one.levels[0].subticks, one.quantums), markets
    )
    assert after.imr is not None
    exact = Decimal(2_000) + units.usd(after.imr - after.nc)

    assert taken(on(exact, held), one) == {}
    assert taken(on(exact - Decimal("0.000001"), held), one) == {"BTC-USD": Decimal("0.29")}


def test_a_margin_that_the_trader_raised_is_freed_as_it_was_raised() -> None:
    there = on(4_600, LONG, {"BTC-USD": "0.05"})
    within = order(B, "0.9", (95_500, 9))  # costs 4.55% and frees 5%
    beyond = order(B, "0.9", (94_900, 9))  # costs 5.15%

    assert taken(there, within) == by_trying(there, within) == {}
    assert taken(there, beyond) == by_trying(there, beyond) != {}


def test_a_dollar_below_initial_margin_a_fill_that_frees_less_is_judged_by_the_other_rule() -> None:
    # IMR $1,500, MMR $420: NC/MMR falls with more than 3.57 x 1.2% of cost, though 10% are freed.
    mixed: Held = {"BTC-USD": ("0.1", 100_000), "SOL-USD": (50, 200)}
    there = on("1_499.1", mixed, {"BTC-USD": "0.1"})
    step = replace(order(B, 0, (95_000, 9)), market=BTC, quantums=quantums(BTC, "0.0001"))

    assert taken(there, step) == by_trying(there, step) == {"BTC-USD": 0}
    assert taken(on("1_499.6", mixed, {"BTC-USD": "0.1"}), step) == {}  # it ends above


@pytest.mark.parametrize("sign", [1, -1])
def test_an_oracle_between_two_prices_of_the_book_is_taken_as_it_is(sign: int) -> None:
    market = replace(BTC, quantum_conversion_exponent=-4)  # a subtick is $1
    held: Held = {"BTC-USD": (sign * Decimal("0.9"), "100_000.5")}
    seen = see(equity=2_000, positions=held, books={}, markets={"BTC-USD": market})
    side = Side.SELL if sign > 0 else Side.BUY
    price = subticks(market, 100_000 - sign * 2_700)
    one = Order(
        slot=B,
        market=seen.markets["BTC-USD"],
        side=side,
        quantums=quantums(BTC, "0.9"),
        levels=(BookLevel(price, quantums(BTC, 9)),),
        fee_ppm=500,
    )

    assert 0 < acceptance.refused(view(seen), 0, [one])[B] < one.quantums


def test_of_a_subaccount_that_cannot_be_valued_the_chain_has_its_say() -> None:
    there = on(2_000, LONG, Missing(reason="no answer"))

    assert taken(there, order(B, "0.9", (97_300, 9))) == {}


@pytest.mark.parametrize(("age", "is_judged"), [(10_000, True), (10_001, False)])
def test_on_state_of_more_than_ten_seconds_the_chain_has_its_say(
    age: int, *, is_judged: bool
) -> None:
    seen = on(2_000, LONG).observation
    old = view(replace(seen, seen_at=Millis(seen.at + age)))

    assert (taken(old, order(B, "0.9", (97_300, 9))) != {}) is is_judged


def test_of_a_plan_only_orders_with_a_fresh_book_are_judged() -> None:
    there = view(see(equity=20_000, positions=BOTH, books={"ETH-USD": book(ETH)}))
    made = plan.propose(there, [down_to(("BTC-USD", 0), ("ETH-USD", 0))], Means())
    assert [leg.ticker for leg in made.legs] == ["BTC-USD", "ETH-USD"]

    judged = acceptance.orders_of(there, made)

    assert [one.slot for one in judged[0]] == [E]


def test_an_order_that_meets_nothing_is_refused_nothing() -> None:
    assert taken(on(2_000, LONG), order(B, "0.9")) == {}
