"""The player: one-second blocks, and jumps that skip only what cannot matter."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.play import AWAKE, NEVER, Player
from seawall.simulator.prices import Line, Path, Point
from seawall.units import HOUR, MINUTE, SECOND, BaseQuantums, Millis
from tests.simulator.stage import ALICE, COIN, STEP, order

T0 = Millis(1_668_000_600_000)
AT = {"rest ends": Millis(T0 + 10 * MINUTE), "rests again": Millis(T0 + 11 * MINUTE)}


def path_of(end: Millis = Millis(T0 + 20 * MINUTE), low: float = 99_000.0) -> Path:
    """BTC rests for 10 minutes, falls for one, and rests; ETH and SOL always rest."""
    btc = Line([Point(AT["rest ends"], 100_000.0), Point(AT["rests again"], low)])
    still = {"ETH-USD": Line([Point(T0, 4_000.0)]), "SOL-USD": Line([Point(T0, 200.0)])}
    return Path({"BTC-USD": btc, **still}, start=T0, end=end)


def stage() -> tuple[Chain, Player]:
    path = path_of()
    chain = setup.chain_on(path)
    return chain, Player(chain, path)


def test_blocks_are_a_second_apart_while_somebody_watches() -> None:
    chain, player = stage()

    heights = []
    while player.step(AWAKE) is not None:
        heights.append((chain.height, chain.time))

    assert heights == [(n + 1, T0 + n * SECOND) for n in range(1, 20 * 60 + 1)]
    assert player.is_over
    assert player.progress == 1.0
    assert player.blocks == 20 * 60


def test_a_rest_is_jumped_to_one_block_before_the_price_moves() -> None:
    chain, player = stage()

    player.step(NEVER)

    assert chain.height == 2
    assert chain.time == AT["rest ends"] - SECOND
    player.step(NEVER)
    assert chain.time == AT["rest ends"]


def test_no_block_of_a_move_is_skipped() -> None:
    chain, player = stage()
    times = []

    while player.step(NEVER) is not None:
        times.append(chain.time)

    moving = [AT["rest ends"] + n * SECOND for n in range(61)]
    assert set(moving) <= set(times)
    assert len(times) < 70
    assert times[-1] == player.path.end


def test_a_jump_ends_before_a_guard_has_something_to_do() -> None:
    chain, player = stage()

    player.step(Millis(T0 + 90 * SECOND))

    assert chain.time == T0 + 89 * SECOND


def test_nothing_is_jumped_while_an_order_waits_or_a_book_refills() -> None:
    chain, player = stage()
    setup.fund(chain, ALICE.owner, 0, Decimal(1_000))
    assert chain.check(order(Side.SELL, STEP)).is_accepted

    times = []
    for _ in range(30):
        player.step(NEVER)
        times.append(chain.time - T0)

    single = [n for n, time in enumerate(times, start=1) if time == n * SECOND]
    assert single == list(range(1, len(single) + 1))
    assert len(single) >= 2
    assert not chain.is_quiet or times[-1] > 30 * SECOND


def test_nothing_is_jumped_while_somebody_is_up_for_liquidation() -> None:
    path = path_of(low=90_000.0)
    chain = setup.chain_on(path)
    setup.fund(chain, ALICE.owner, 0, Decimal(8_000))
    chain.assign(ALICE, "BTC-USD", BaseQuantums(COIN))
    player = Player(chain, path)

    quiet_while_at_risk = []
    while player.step(NEVER) is not None:
        account = chain.committed.subaccount(ALICE.owner, 0)
        if chain.committed.risk(account).is_liquidatable:
            quiet_while_at_risk.append(chain.is_quiet)

    assert quiet_while_at_risk
    assert not any(quiet_while_at_risk)
    assert chain.committed.subaccount(ALICE.owner, 0).held == ()


def test_a_jump_stops_before_the_hour_when_funding_is_told() -> None:
    path = path_of(end=Millis(T0 + 2 * HOUR))
    chain = setup.chain_on(path)
    player = Player(chain, path)

    stamps = []
    while (block := player.step(NEVER)) is not None:
        stamps += [block.time for tick in block.funding if tick.ticker == "BTC-USD"]

    assert stamps == [T0 // HOUR * HOUR + HOUR, T0 // HOUR * HOUR + 2 * HOUR]


def test_jumping_changes_no_price_and_no_depth() -> None:
    def depths(idle_until: Millis) -> dict[Millis, tuple[int, int]]:
        chain, player = stage()
        seen: dict[Millis, tuple[int, int]] = {}
        while player.step(idle_until) is not None:
            market = chain.committed.markets["BTC-USD"]
            seen[chain.time] = (market.price, chain.book("BTC-USD").k_ppm)
        return seen

    watched, jumped = depths(AWAKE), depths(NEVER)

    assert len(jumped) < len(watched)
    assert jumped == {at: watched[at] for at in jumped}


@pytest.mark.parametrize("idle_until", [AWAKE, NEVER])
def test_the_same_play_gives_the_same_hashes(idle_until: Millis) -> None:
    def run() -> str:
        chain, player = stage()
        while player.step(idle_until) is not None:
            pass
        return chain.latest.hash

    assert run() == run()


def test_a_chain_on_a_path_has_the_paths_markets_only() -> None:
    path = Path({"BTC-USD": Line([Point(T0, 5_000.0)])}, start=T0, end=Millis(T0 + MINUTE))

    chain = setup.chain_on(path)

    assert list(chain.committed.markets) == ["BTC-USD"]
    assert chain.time == T0


def test_a_book_is_opened_at_the_oracle_without_cost() -> None:
    chain, _ = stage()
    setup.fund(chain, ALICE.owner, 0, Decimal(10_000))

    parts = setup.equal_parts(Decimal(10_000), Decimal(6), ("BTC-USD", "SOL-USD"), Side.SELL)
    setup.open_book(chain, ALICE.owner, 0, parts)

    account = chain.committed.subaccount(ALICE.owner, 0)
    assert parts == {"BTC-USD": Decimal(-30_000), "SOL-USD": Decimal(-30_000)}
    assert {one.perpetual_id: one.quantums for one in account.held} == {
        0: -COIN * 3 // 10,
        5: -150 * 10**7,
    }
    assert chain.committed.risk(account).nc == 10_000 * 10**6
