"""The interlock: a trader who puts on what the guard takes off is noticed and slowed down."""

from __future__ import annotations

from decimal import Decimal

from tests.decide.guarded import Guarded, codes, cuts, guarded, ladder, pages

HEAD = (
    "budgets: {per_hour: {notional: 10000%, orders: 1000}, per_day: {cost: 90%}}\n"
    "interlocks: {max_interventions: {count: 3, per: market, over: 30m}}\n"
)
TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", cooldown: 10s, '
    "do: [notify, {reduce: {until: target, max_slippage: 60bps}}]}"
)


def fight(world: Guarded, rounds: int, *, seconds: int = 20) -> list[int]:
    """The trader opens again after every cut; counts the cuts of each round."""
    cut = []
    for _ in range(rounds):
        world.trade("BTC-USD", Decimal("0.1") - world.sizes["BTC-USD"])
        cut.append(sum(bool(cuts(decision)) for decision in world.ticks(seconds)))
    return cut


def market_rules(do: str = TRIM) -> str:
    return ladder(do, head=HEAD, scope="{per: market}")


def test_the_fourth_intervention_in_half_an_hour_waits_half_an_hour_and_pages() -> None:
    world = guarded(market_rules())

    assert fight(world, 5) == [1, 1, 1, 0, 0]
    told = [p for d in world.decisions for p in pages(d)]
    assert len(told) == 1
    assert told[0].text.startswith(
        "size/BTC-USD/act is beyond its limit again and waits: 3 interventions in BTC-USD within"
    )
    assert codes(world.last) == ["INTERLOCK"]
    ended_at = [d.at for d in world.decisions if d.ended][-1]
    started = next(d.at for _ in range(2_000) for d in [world.tick()] if d.started)

    assert ended_at is not None
    assert started is not None
    assert started - ended_at == 30 * 60_000


def test_another_market_is_not_held() -> None:
    world = guarded(market_rules(), sizes={"BTC-USD": "0.1", "ETH-USD": 1})
    fight(world, 5)

    world.trade("ETH-USD", 2)
    world.tick()
    world.ticks(6)

    assert world.sizes["ETH-USD"] == Decimal(2)


def test_levels_that_page_are_exempt() -> None:
    world = guarded(market_rules(TRIM.replace("notify", "page")))

    assert fight(world, 5) == [1, 1, 1, 1, 1]


def test_attempts_do_not_count() -> None:
    world = guarded(market_rules(), fill=0)
    world.ticks(60)
    assert len(world.memory.touched["BTC-USD"]) == 1
    world.fill = 1
    world.ticks(8)

    assert fight(world, 2) == [1, 1]


def test_interventions_of_long_ago_are_forgotten() -> None:
    world = guarded(market_rules())
    fight(world, 2)

    world.trade("BTC-USD", Decimal("-0.05"))
    world.tick()
    world.ticks(61, seconds=60)

    assert world.memory.touched == {}
    assert fight(world, 3) == [1, 1, 1]


def test_a_level_that_has_not_acted_yet_is_not_held_by_the_others() -> None:
    panic = '{name: panic, trigger: "> $15_000", latch: manual, do: [notify, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}'  # noqa: E501
    world = guarded(ladder(TRIM, panic, head=HEAD, scope="{per: market}"))
    fight(world, 4)

    world.trade("BTC-USD", "0.1")
    world.ticks(10)

    assert world.sizes["BTC-USD"] == 0


def test_on_paper_nothing_is_counted() -> None:
    world = guarded(ladder(TRIM, head=HEAD, scope="{per: market}", mode="dry-run"))

    world.ticks(200)

    assert world.memory.touched == {}
    assert len([one for d in world.decisions for one in d.started]) > 5
