"""Every shipped scenario reads, plays to its end with its faults, and does what its name says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from seawall.account import Side
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.messages import SubaccountId
from seawall.simulator.play import NEVER
from seawall.simulator.script import Script, load_script

FOLDER = Path(__file__).resolve().parents[2] / "config" / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
TWIN = SubaccountId(owner="dydx1twin", number=0)


def staged(script: Script, leverage: int = 3) -> tuple[Chain, FaultyPlayer]:
    path = script.path()
    chain = setup.chain_on(path)
    setup.fund(chain, TWIN.owner, TWIN.number, Decimal(30_000))
    book = setup.equal_parts(Decimal(30_000), Decimal(leverage), path.tickers, Side.BUY)
    setup.open_book(chain, TWIN.owner, TWIN.number, book)
    return chain, FaultyPlayer(chain, path, script.faults, victim=TWIN)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_scenario_plays_to_its_end_and_every_fault_has_its_block(file: Path) -> None:
    script = load_script(file)
    chain, player = staged(script)
    money = chain.total_money()
    begun = set[FaultKind]()

    while player.step(NEVER) is not None:
        begun |= set(player.trouble.in_force)

    assert script.name == file.stem
    assert script.why.endswith(".")
    assert player.is_over
    fixed = {one.kind for one in script.faults.faults if one.when == "start"}
    assert begun >= fixed
    assert chain.total_money() == money


def test_the_scenarios_use_a_score_of_kinds_between_them() -> None:
    used = {one.kind for file in FILES for one in load_script(file).faults.faults}

    assert len(used) >= 20


def test_funding_is_paid_by_longs_where_prices_rest() -> None:
    script = load_script(FOLDER / "funding-trap.yaml")
    chain, player = staged(script)
    equity = chain.committed.risk(chain.committed.subaccount(TWIN.owner, 0)).nc

    while player.step(NEVER) is not None:
        pass

    paid = equity - chain.committed.risk(chain.committed.subaccount(TWIN.owner, 0)).nc
    # Six hours of 0.02%, 0.02% and 0.03% of $30,000 in each market, the first of them cheap.
    assert 90 * 10**6 < paid < 115 * 10**6
    assert chain.committed.markets["BTC-USD"].hourly_rate == 0
