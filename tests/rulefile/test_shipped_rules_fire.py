"""Each of the ten shipped rules fires in a small scenario played on the simulated venue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from seawall.account import Advice, KeyReach, Missing, Observation
from seawall.agent import Agent
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import load
from seawall.simulator.local import LocalVenue
from seawall.simulator.markets import BTC_USD, ETH_USD, SOL_USD, MarketSpec
from seawall.simulator.play import Player
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.setup import chain_on, fund, open_book
from seawall.units import HOUR, MINUTE, SECOND, BaseQuantums, Millis
from tests.rulefile.texts import SHIPPED
from tests.simulation.duel import at_once

OWNER = "trader"
START = Millis(1_700_000_000_000)  # 22:13 UTC
PRICES = {
    "BTC-USD": 100_000.0,
    "ETH-USD": 4_000.0,
    "SOL-USD": 200.0,
    "AVAX-USD": 20.0,
    "LINK-USD": 20.0,
}
AVAX = replace(SOL_USD, ticker="AVAX-USD", perpetual_id=7, clob_pair_id=7, market_id=7)
LINK = replace(SOL_USD, ticker="LINK-USD", perpetual_id=8, clob_pair_id=8, market_id=8)
SPECS: tuple[MarketSpec, ...] = (BTC_USD, ETH_USD, SOL_USD, AVAX, LINK)

Books = Mapping[str, int]  # ticker -> signed dollars


class SeesLess(LocalVenue):
    """A venue whose indexer lost a position, or whose key reaches only BTC."""

    loses_positions = False
    reaches_btc_only = False

    def look(self) -> Observation:
        seen = super().look()
        advice: Advice = seen.advice
        if self.reaches_btc_only:
            advice = replace(advice, key_reach=KeyReach(clob_pairs=frozenset({0})))
        sizes = advice.indexer_sizes
        if self.loses_positions and not isinstance(sizes, Missing):
            half = {slot: BaseQuantums(size // 2) for slot, size in sizes.quantums.items()}
            advice = replace(advice, indexer_sizes=replace(sizes, quantums=half))
        return replace(seen, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An account, what prices do to it within `lasts`, and which level of a rule must fire."""

    fires: str
    accounts: Mapping[int, tuple[int, Books]]  # subaccount -> dollars, positions
    fall: float = 0.0  # of every price, evenly over the first five minutes
    lasts: Millis = Millis(3 * MINUTE)
    block: Millis = SECOND
    funding: Mapping[str, str] = field(default_factory=dict)
    loses_positions: bool = False
    reaches_btc_only: bool = False


SCENES = (
    Scene(
        fires="account-drawdown/panic",
        accounts={0: (30_000, {"BTC-USD": 10_000, "ETH-USD": 9_000})},
        fall=0.8,
        lasts=Millis(8 * MINUTE),
    ),
    Scene(
        fires="day-loss/act",
        accounts={0: (30_000, {"BTC-USD": 10_000, "ETH-USD": 9_000})},
        fall=0.25,
        lasts=Millis(6 * MINUTE),
    ),
    Scene(fires="market-cap/act", accounts={0: (30_000, {"BTC-USD": 15_000})}),
    Scene(
        fires="alt-basket/act",
        accounts={0: (100_000, {"AVAX-USD": 4_500, "LINK-USD": -4_500})},
    ),
    Scene(fires="collateral-floor/act", accounts={0: (3_900, {"BTC-USD": 300})}),
    Scene(
        fires="liq-move/act",
        accounts={0: (100_000, {}), 128: (700, {"BTC-USD": 10_000})},
    ),
    Scene(
        fires="twin-gap-survival/act",
        accounts={0: (6_000, {"BTC-USD": 26_000}), 128: (1_000_000, {})},
    ),
    Scene(
        fires="funding-drain/act",
        accounts={0: (30_000, {"BTC-USD": 10_000})},
        funding={"BTC-USD": "0.0004"},
        lasts=Millis(3 * HOUR + MINUTE),
        block=Millis(5 * SECOND),
    ),
    Scene(
        fires="sources-disagree/watch",
        accounts={0: (30_000, {"BTC-USD": 5_000})},
        loses_positions=True,
    ),
    Scene(
        fires="key-reach/watch",
        accounts={0: (30_000, {"ETH-USD": 5_000})},
        reaches_btc_only=True,
    ),
)


def path_of(scene: Scene) -> Path:
    end = Millis(START + scene.lasts)
    lines = {}
    for ticker, price in PRICES.items():
        points = [Point(START, price)]
        if scene.fall:
            low = price * (1 - scene.fall)
            points.append(Point(Millis(START + 5 * MINUTE), low))
        lines[ticker] = Line(points)
    return Path(lines, start=START, end=end, name=scene.fires)


def fired(scene: Scene) -> set[str]:
    """RULE/LEVEL of every level that began to fire; the guard is live and looks at each block."""
    path = path_of(scene)
    chain = chain_on(path, markets=SPECS)
    for number, (dollars, books) in scene.accounts.items():
        fund(chain, OWNER, number, Decimal(dollars))
        open_book(chain, OWNER, number, {t: Decimal(d) for t, d in books.items()})
    for ticker, rate in scene.funding.items():
        chain.set_hourly_rate(ticker, Decimal(rate))
    venue = SeesLess(chain, OWNER)
    venue.loses_positions = scene.loses_positions
    venue.reaches_btc_only = scene.reaches_btc_only
    agent = Agent.resume(
        venue,
        Journal.open(":memory:"),
        load(SHIPPED).policy,
        digest="shipped",
        mode=Mode.LIVE,
        owner=OWNER,
    )
    player = Player(chain, path, scene.block)
    found: set[str] = set()
    while player.step() is not None:
        decision = at_once(agent.tick())
        found.update(
            f"{change.key.split('/')[0]}/{change.level}"
            for change in decision.transitions
            if change.after == "firing"
        )
        if scene.fires in found:
            break
    return found


@pytest.mark.parametrize("scene", SCENES, ids=[scene.fires for scene in SCENES])
def test_a_shipped_rule_fires_in_a_played_scenario(scene: Scene) -> None:
    assert scene.fires in fired(scene)


def test_every_shipped_rule_has_its_scenario() -> None:
    rules = [rule.id for rule in load(SHIPPED).policy.rules]

    assert [scene.fires.split("/")[0] for scene in SCENES] == rules


def test_a_calm_account_fires_nothing() -> None:
    calm = Scene(fires="", accounts={0: (30_000, {"BTC-USD": 5_000})})

    assert fired(calm) == set()
