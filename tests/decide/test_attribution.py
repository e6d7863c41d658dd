"""Every change of a position has a maker, and a trader who works against a rule is told at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Fill, Side
from seawall.action import client_id, window_of
from seawall.decide.memory import Acknowledge, Cause, Decision, Panic, Urgency
from seawall.units import BaseQuantums, QuoteQuantums, Subticks
from tests.decide.guarded import Guarded, guarded, ladder, pages
from tests.see import BTC, CHAIN_ID, OWNER, quantums

CALM = ladder('{name: act, trigger: "> $900_000", clear: "< $1_000", do: [notify, flatten]}')
CUTS = ladder(
    '{name: act, trigger: "> $9_000", clear: "< $6_000", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
LOCKS = ladder(
    '{name: act, trigger: "> $9_000", clear: "< $6_000", latch: manual, '
    "do: [page, {reduce: {amount: 50%, max_slippage: 60bps}}, {lock: {max_slippage: 60bps}}]}"
)


def changed(decision: Decision) -> list[tuple[Cause, Decimal]]:
    """Who moved BTC, by how many coins."""
    return [(one.cause, BTC.coins(one.quantums)) for one in decision.changes]


def fill(
    world: Guarded, coins: str, *, kind: str = "LIMIT", number: int | None = 77, height: int = 0
) -> None:
    """A record of a fill in the block that comes next."""
    size = quantums(BTC, coins)
    one = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.BUY if size > 0 else Side.SELL,
        quantums=BaseQuantums(abs(size)),
        subticks=Subticks(1),
        fee=QuoteQuantums(0),
        height=height or world.height + 1,
        kind=kind,
        client_id=number,
    )
    world.fills = (*world.fills, one)


def ours(height: int) -> int:
    """The id of any guard's order that fills at a height."""
    return client_id(CHAIN_ID, OWNER, 0, BTC.clob_pair_id, window_of(height - 1))


def test_the_first_observation_changes_nothing() -> None:
    assert guarded(CALM).tick().changes == ()


def test_a_cut_of_the_guard_is_the_guards() -> None:
    world = guarded(CUTS)

    made = [world.tick(), *world.ticks(8)]

    assert [one for decision in made for one in changed(decision)] == [
        (Cause.GUARD, Decimal("-0.05"))
    ]
    assert not any("against" in m.text for decision in made for m in decision.messages)


def test_without_records_what_was_sent_is_the_guards() -> None:
    world = guarded(CUTS)
    world.shows_fills = False

    made = [world.tick(), world.tick()]

    assert changed(made[1]) == [(Cause.GUARD, Decimal("-0.05"))]


def test_without_records_what_others_did_waits_for_them() -> None:
    world = guarded(CALM)
    world.tick()

    # A panic from a second shell, while this guard hangs and its feed goes quiet.
    fill(world, "-0.1", number=ours(world.height + 1))
    world.trade("BTC-USD", "-0.1")
    world.shows_fills = False
    silent = world.ticks(60)
    world.shows_fills = True

    assert [one for decision in silent for one in changed(decision)] == []
    assert changed(world.tick()) == [(Cause.OTHER_GUARD, Decimal("-0.1"))]
    assert world.memory.unexplained == ()


def test_once_records_are_back_a_shrinking_waits_for_its_own_as_ever() -> None:
    world = guarded(CALM)
    world.tick()
    world.trade("BTC-USD", "-0.04")
    world.shows_fills = False
    world.ticks(60)
    world.shows_fills = True

    made = world.ticks(6)

    assert [changed(decision) for decision in made[:4]] == [[]] * 4
    assert [one for decision in made for one in changed(decision)] == [
        (Cause.TRADER, Decimal("-0.04"))
    ]


def test_records_that_go_missing_half_way_take_nothing_back() -> None:
    world = guarded(CALM)
    world.tick()
    world.trade("BTC-USD", "-0.04")
    fill(world, "-0.01", number=7)
    first = world.tick()
    world.shows_fills = False

    silent = world.ticks(3)
    fill(world, "-0.03", number=ours(world.height - 3), height=world.height - 3)
    world.shows_fills = True

    assert changed(first) == [(Cause.TRADER, Decimal("-0.01"))]
    assert [changed(decision) for decision in silent] == [[], [], []]
    assert changed(world.tick()) == [(Cause.OTHER_GUARD, Decimal("-0.03"))]


def test_a_fill_whose_market_is_not_read_waits_until_it_is() -> None:
    world = guarded(CALM)
    world.tick()
    fill(world, "-0.1", number=ours(world.height + 1))
    world.trade("BTC-USD", "-0.1")

    world.extra = {"markets": {}}  # nothing is held, and the fill was told since markets were asked
    unread = world.tick()
    world.extra = {}

    assert changed(unread) == []
    assert changed(world.tick()) == [(Cause.OTHER_GUARD, Decimal("-0.1"))]


@pytest.mark.parametrize("height", [1001, 1002, 1005, 1006, 1011, 1012])
def test_an_order_of_another_guard_is_known_by_its_id(height: int) -> None:
    world = guarded(CALM, sizes={"BTC-USD": "0.3"})
    world.height = height - 2
    world.tick()

    fill(world, "-0.1", number=ours(height))
    fill(world, "-0.05", number=ours(height + 6))
    fill(world, "-0.02", number=ours(height - 6))
    world.trade("BTC-USD", "-0.17")
    made = world.tick()

    assert made.height == height
    assert changed(made) == [
        (Cause.OTHER_GUARD, Decimal("-0.1")),
        (Cause.TRADER, Decimal("-0.07")),
    ]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("LIMIT", Cause.TRADER),
        ("LIQUIDATION", Cause.TRADER),  # it took the other side of somebody's liquidation
        ("LIQUIDATED", Cause.LIQUIDATION),
        ("DELEVERAGED", Cause.DELEVERAGING),
        ("OFFSETTING", Cause.DELEVERAGING),
    ],
)
def test_the_kind_of_a_fill_says_who(kind: str, cause: Cause) -> None:
    world = guarded(CALM)
    world.tick()

    fill(world, "-0.04", kind=kind, number=None)
    world.trade("BTC-USD", "-0.04")
    made = world.tick()

    assert changed(made) == [(cause, Decimal("-0.04"))]
    is_by_venue = cause is not Cause.TRADER
    assert [m.urgency for m in made.messages] == ([Urgency.PAGE] if is_by_venue else [])


def test_what_the_venue_took_is_repeated_until_it_is_acknowledged() -> None:
    world = guarded(CALM)
    world.tick()
    fill(world, "-0.04", kind="LIQUIDATED", number=None)
    world.trade("BTC-USD", "-0.04")
    world.tick()

    made = world.ticks(601)
    world.tick(Acknowledge(key="venue/0/BTC-USD"))

    assert [at for at, one in enumerate(made, start=1) if pages(one)] == [300, 600]
    assert "not acknowledged: Liquidation by the venue: 0/BTC-USD" in pages(made[299])[0].text
    assert not any(pages(one) for one in world.ticks(302))


def test_growth_is_the_traders_at_once_and_needs_no_record() -> None:
    world = guarded(CALM)
    world.tick()

    world.trade("BTC-USD", "0.02")

    assert changed(world.tick()) == [(Cause.TRADER, Decimal("0.02"))]
    assert changed(world.tick()) == []


def test_a_flip_is_the_traders_at_once() -> None:
    world = guarded(CALM)
    world.tick()

    world.trade("BTC-USD", "-0.15")

    assert changed(world.tick()) == [(Cause.TRADER, Decimal("-0.15"))]


def test_a_shrinking_waits_for_its_record() -> None:
    world = guarded(CALM)
    world.tick()

    world.trade("BTC-USD", "-0.04")
    assert changed(world.tick()) == []
    fill(world, "-0.04", kind="LIQUIDATED", number=None, height=world.height)

    assert changed(world.tick()) == [(Cause.LIQUIDATION, Decimal("-0.04"))]
    assert world.memory.unexplained == ()


def test_a_shrinking_without_a_record_is_the_traders_after_a_while() -> None:
    world = guarded(CALM)
    world.tick()
    world.trade("BTC-USD", "-0.04")

    made = world.ticks(8)

    assert [changed(decision) for decision in made] == [
        [],
        [],
        [],
        [],
        [],
        [(Cause.TRADER, Decimal("-0.04"))],
        [],
        [],
    ]


def test_a_record_that_comes_in_parts_is_counted_once() -> None:
    world = guarded(CALM)
    world.tick()
    world.trade("BTC-USD", "-0.04")
    fill(world, "-0.01", number=7)
    first = world.tick()
    fill(world, "-0.03", number=8, height=world.height)

    second = world.tick()

    assert changed(first) == [(Cause.TRADER, Decimal("-0.01"))]
    assert changed(second) == [(Cause.TRADER, Decimal("-0.03"))]
    assert changed(world.tick()) == []


def test_what_changed_while_blind_is_found_after() -> None:
    world = guarded(CALM)
    world.tick()
    fill(world, "-0.04", kind="LIQUIDATED", number=None)
    world.trade("BTC-USD", "-0.04")

    assert world.blind().changes == ()

    assert changed(world.tick()) == [(Cause.LIQUIDATION, Decimal("-0.04"))]


def test_who_adds_while_a_rule_fires_is_told_within_the_block() -> None:
    world = guarded(CUTS, fill=0)
    world.tick()

    world.trade("BTC-USD", "0.02")
    made = world.tick()

    (message,) = [m for m in made.messages if m.key == "trader/0/BTC-USD"]
    assert message.urgency is Urgency.NOTIFY
    assert "against size/act: 0/BTC-USD went from 0.1 to 0.12" in message.text
    assert "3 times in 30m" in message.text


def test_who_adds_to_what_is_locked_is_paged_and_cut_back() -> None:
    world = guarded(LOCKS)
    world.ticks(8)
    assert world.sizes["BTC-USD"] == Decimal("0.05")

    world.trade("BTC-USD", "0.02")
    made = world.tick()

    assert [m.key for m in pages(made)] == ["trader/0/BTC-USD"]
    assert "cut back" in pages(made)[0].text
    world.ticks(8)
    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_who_opens_after_a_panic_is_paged() -> None:
    world = guarded(CALM)
    world.tick(Panic())
    world.ticks(8)

    world.trade("BTC-USD", "-0.02")

    assert [m.key for m in pages(world.tick())] == ["trader/0/BTC-USD"]


def test_who_takes_off_while_a_rule_fires_is_left_in_peace() -> None:
    world = guarded(CUTS, fill=0)
    world.tick()

    fill(world, "-0.02")
    world.trade("BTC-USD", "-0.02")
    made = world.tick()

    assert changed(made) == [(Cause.TRADER, Decimal("-0.02"))]
    assert not [m for m in made.messages if m.key.startswith("trader/")]


def test_a_rule_with_another_market_in_scope_says_nothing() -> None:
    rules = CUTS.replace("scope: {per: account}", "scope: {per: market, markets: [BTC-USD]}")
    world = guarded(rules, fill=0, sizes={"BTC-USD": "0.1", "ETH-USD": "1"})
    world.tick()

    world.trade("ETH-USD", "1")
    made = world.tick()

    assert [one.ticker for one in made.changes] == ["ETH-USD"]
    assert not [m for m in made.messages if m.key.startswith("trader/")]


def test_a_guard_that_starts_again_neither_forgets_nor_repeats_a_change() -> None:
    world = guarded(CALM)
    world.tick()
    world.restart()
    world.trade("BTC-USD", "0.02")

    assert changed(world.tick()) == [(Cause.TRADER, Decimal("0.02"))]
    world.restart()
    assert changed(world.tick()) == []
