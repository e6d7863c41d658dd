"""Scenario files: the shipped one plays as it says; a bad one is refused with every line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from seawall.account import Side
from seawall.errors import PriceFileError
from seawall.simulator import setup
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault
from seawall.simulator.play import NEVER, Player
from seawall.simulator.script import load_script
from seawall.units import MINUTE, Millis

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "scenarios" / "double-gap.yaml"

GOOD = """\
name: little
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000, ETH-USD: 4_000}
legs:
  - {name: gap, over: 1m30s, move: {BTC-USD: -10%, "*": -20%}}
  - {over: 2m}
  - {over: 1h, move: {BTC-USD: +10%}}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "x.yaml"
    file.write_text(text)
    return file


def test_moves_are_from_where_the_price_is(tmp_path: Path) -> None:
    path = load_script(write(tmp_path, GOOD)).path()

    def at(seconds: int) -> dict[str, float]:
        return path.prices(Millis(path.start + seconds * 1_000))

    assert at(0) == {"BTC-USD": 100_000, "ETH-USD": 4_000}
    assert at(45) == {"BTC-USD": 95_000, "ETH-USD": 3_600}
    assert at(150) == {"BTC-USD": 90_000, "ETH-USD": 3_200}
    assert at(210 + 3_600) == {"BTC-USD": 99_000, "ETH-USD": 3_200}
    assert path.end - path.start == (210 + 3_600) * 1_000
    assert path.next_change(Millis(path.start + 100_000)) == path.start + 210_000


def test_funding_holds_from_its_leg_until_another_names_it(tmp_path: Path) -> None:
    text = GOOD.replace("{over: 2m}", '{over: 2m, funding: {BTC-USD: 0.02%, "*": -0.01%}}')
    text = text.replace("{over: 1h,", "{over: 1h, funding: {ETH-USD: 0%},")
    path = load_script(write(tmp_path, text)).path()
    chain = setup.chain_on(path)
    player = Player(chain, path)

    def hourly() -> list[Decimal]:
        return [chain.committed.markets[t].hourly_rate * 100 for t in ("BTC-USD", "ETH-USD")]

    seen = []
    for seconds in (89, 90, 209, 210, 300):
        while chain.time < path.start + seconds * 1_000:
            player.step(NEVER)
        seen.append(hourly())

    first, last = [Decimal("0.02"), Decimal("-0.01")], [Decimal("0.02"), Decimal(0)]
    assert seen == [[Decimal(0), Decimal(0)], first, first, last, last]


def test_a_scenario_may_bring_its_faults(tmp_path: Path) -> None:
    rows = "faults:\n  - {kind: gate_up, first: 10, last: 20}\n"

    faults = load_script(write(tmp_path, GOOD + rows)).faults

    assert faults.faults == (Fault(kind=FaultKind.GATE_UP, first=10, last=20),)


PROBLEMS = {
    "fault": (GOOD + "faults:\n  - {kind: gate_pu, first: 1}\n", r":9:12 `gate_pu`: expected one"),
    "faults": (GOOD + "faults: 3\n", r":8:9 expected a list of faults"),
    "isolated": (GOOD + "isolated: X\n", r":8:11 expected a list of markets"),
    "alone": (GOOD + "isolated: [X]\n", r":8:12 `X` has no price: expected BTC-USD"),
    "rate": (
        GOOD.replace("{over: 2m}", "{over: 2m, funding: {X: 1%}}"),
        r":6:\d+ `X` has no price",
    ),
    "unknown key": (GOOD.replace("name: little", "title: x"), r":1:1 `title`: unknown key"),
    "missing key": (GOOD.replace("name: little\n", ""), r":1:1 `name` is missing"),
    "not a time": (GOOD.replace("2026-03-12T12:00:00Z", "noon"), r":2:8 `noon`: expected a time"),
    "price": (GOOD.replace("100_000", "-1"), r":3:19 `-1`: expected a price above 0"),
    "nan": (GOOD.replace("100_000", "nan"), r":3:19 `nan`: expected a price"),
    "move unit": (GOOD.replace("-10%", "-10"), r":5:46 `-10`: expected a move"),
    "all lost": (GOOD.replace("-10%", "-100%"), r":5:46 `-100%`: expected a move above -100%"),
    "duration": (GOOD.replace("1m30s", "90"), r":5:23 `90`: expected a duration above 0"),
    "no time": (GOOD.replace("over: 2m", "over: 0s"), r":6:12 `0s`: expected a duration"),
    "no over": (GOOD.replace("over: 2m", "name: x"), r":6:5 `over` is missing"),
    "market": (GOOD.replace("{BTC-USD: +10%}", "{XRP-USD: 1%}"), r":7:\d+ `XRP-USD` has no price"),
    "twice": (GOOD.replace("name: little", "name: a\nname: b"), r":2:1 `name` is written twice"),
    "legs": (
        GOOD.split("legs:", maxsplit=1)[0] + "legs: 7\n",
        r":4:7 expected a list of at least one leg",
    ),
    "root": ("- a\n- b\n", r":1:1 expected keys and values"),
    "empty": ("", r":1:1 the file is empty"),
    "not yaml": ("a: [1\nb: 2\n", r":2:\d+ .*not YAML"),
}


@pytest.mark.parametrize(("text", "message"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_bad_scenario_is_refused_with_line_and_column(
    tmp_path: Path, text: str, message: str
) -> None:
    file = write(tmp_path, text)

    with pytest.raises(PriceFileError, match=message) as refused:
        load_script(file)

    assert str(file) in str(refused.value)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("-10%", "-10").replace("1m30s", "90").replace("100_000", "0")

    with pytest.raises(PriceFileError) as refused:
        load_script(write(tmp_path, text))

    assert len(str(refused.value).splitlines()) == 3


def test_a_missing_scenario_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"cannot be read .*give a scenario file"):
        load_script(tmp_path / "absent.yaml")


def test_the_shipped_scenario_kills_an_unguarded_eight_times_long_at_its_second_gap() -> None:
    script = load_script(SHIPPED)
    path = script.path()
    chain = setup.chain_on(path)
    equity = Decimal(20_000)
    setup.fund(chain, "dydx1twin", 0, equity)
    book = setup.equal_parts(equity, Decimal(8), path.tickers, Side.BUY)
    setup.open_book(chain, "dydx1twin", 0, book)
    player = Player(chain, path)

    died_at: Millis | None = None
    while (block := player.step(NEVER)) is not None:
        if block.liquidations and died_at is None:
            died_at = block.time

    starts = {}
    begin = path.start
    for leg in script.legs:
        starts[leg.name] = begin
        begin = Millis(begin + leg.over)
    twin = chain.committed.subaccount("dydx1twin", 0)
    assert 25 * MINUTE <= path.end - path.start <= 40 * MINUTE
    assert died_at is not None
    assert starts["second gap"] < died_at < starts["aftershock"]
    assert twin.held == ()
    assert chain.committed.risk(twin).nc < 20_000 * 10**6 // 100
