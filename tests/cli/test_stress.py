"""`seawall stress`: what scenarios would leave, as text, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from seawall import stress, units
from seawall.cli.picture import draw, picture_of
from seawall.cli.stress import stressed
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.policy import Policy
from seawall.scenario import Buffer, Scenario
from seawall.units import Ppm
from seawall.venue.dydx.survey import Survey
from tests.cli.looked import RULES, Call, as_json, called, held_venue
from tests.cli.played import Venue
from tests.see import Held, scenario, see

GOLDEN = Path(__file__).parent / "golden" / "stress.txt"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    yield from held_venue(tmp_path_factory.mktemp("venue"))


@pytest.fixture
def call(place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return partial(called, place, capsys, monkeypatch)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def test_every_scenario_is_told_in_dollars_with_the_nearest_death(
    place: Venue, rules: Path, call: Call
) -> None:
    code, out, err = call("stress", "--rules", str(rules))

    out = out.replace(place.said["accounts"][0]["address"], "ADDRESS")
    lines = [line for line in out.splitlines() if not line.startswith("note: ")]
    assert (code, err) == (0, "")
    assert lines == GOLDEN.read_text().splitlines()


def test_json_says_the_same_and_the_file_is_a_picture(
    rules: Path,
    tmp_path: Path,
    call: Call,
) -> None:
    file = tmp_path / "room.png"
    words = ("stress", "--rules", str(rules), "--json", "--plot", str(file))
    code, out, _ = call(*words)

    (account,) = as_json(out)["subaccounts"]
    assert code == 0
    assert account["headroom_today"] == "22680"
    assert account["nearest"]["market"] in ("BTC-USD", "ETH-USD")
    for one in account["scenarios"]:
        parts = sum(Decimal(part) for part in one["contributions"].values())
        assert Decimal(one["headroom"]) == 30_000 - 3_000 + parts, one["name"]
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (
            "scenarios: {gap: {BTCC-USD: -10%}}",
            (),
            "scenario gap: the venue has no market BTCC-USD",
        ),
        ("scenarios: {gap: {BTC-USD: -110%}}", (), "a price cannot fall by more than 100%"),
        ("scenarios: {gap: {BTC-USD: 2_000%}}", (), "a move of at most 1_000% is expected"),
        ("version: 1", (), "stress needs a rule file with `scenarios:`"),
        ("scenarios: {gap: {BTC-USD: -10%}}", ("--plot", "no/such/dir.png"), "cannot be written"),
        (
            "scenarios: {gap: {BTC-USD: -10%}}",
            ("--plot", "x.png", "--subaccount", "7"),
            "no such subaccount to draw: 7; there are 0",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_name(
    tmp_path: Path,
    call: Call,
    text: str,
    words: tuple[str, ...],
    message: str,
) -> None:
    file = tmp_path / "rules.yaml"
    rule = 'rules: [{id: low, why: "Low.", measure: equity, trigger: "< $1", do: [page]}]'
    file.write_text(f"{text}\n{rule}\n")

    code, out, err = call("stress", "--rules", str(file), *words)

    assert (code, out) == (2, "")
    assert message in err


POLICY = Policy(
    buffer=Buffer(parent=Decimal(1_000)),
    scenarios={
        one.name: one
        for one in (
            scenario(slippage="0.015", both_signs=True),
            scenario("rally", {"BTC-USD": "0.07", "ETH-USD": "0.11"}),
        )
    },
)


def looked() -> tuple[Survey, View]:
    """A long BTC, short ETH account with some SOL."""
    held: Held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": (-20, 4_000), "SOL-USD": (100, 200)}
    seen = see(equity=15_000, positions=held)
    survey = Survey(
        observation=seen,
        markets=frozenset(seen.markets),
        node_url="node",
        indexer_height=seen.height,
        paid={},
    )
    return survey, stressed(survey, POLICY).view


def drawn(figure: Figure, name: str) -> PathCollection:
    (found,) = [one for one in figure.axes[0].collections if one.get_gid() == name]
    assert isinstance(found, PathCollection)
    return found


def points(collection: PathCollection) -> list[list[float]]:
    return [[float(part) for part in pair] for pair in np.asarray(collection.get_offsets())]


def test_marks_and_today_are_where_the_numbers_say() -> None:
    survey, view = looked()
    said = stressed(survey, POLICY).as_object()["subaccounts"]
    assert isinstance(said, list)
    picture = picture_of(view, 0)
    figure = draw(picture)

    step = picture.step * 100
    today, marks = drawn(figure, "today"), drawn(figure, "scenarios")
    assert points(today) == [[0, 0]]
    assert picture.today.headroom == float(said[0]["headroom_today"])
    assert marks.get_array() is not None
    rooms = [float(room) for room in np.asarray(marks.get_array())]
    for one, at, room in zip(said[0]["scenarios"], points(marks), rooms, strict=True):
        wanted = [float(one["moves"][ticker]) * 100 for ticker in ("BTC-USD", "ETH-USD")]
        assert at == pytest.approx(wanted, abs=step), one["name"]
        assert room == pytest.approx(float(one["headroom"])), one["name"]
        edge = float(np.abs(picture.moves).max()) * 100
        assert max(map(abs, at)) < edge


def test_the_zero_line_is_where_the_integers_change_their_verdict() -> None:
    survey, view = looked()
    picture = picture_of(view, 0)
    zero = next(c for c in draw(picture).axes[0].collections if c.get_gid() == "zero")
    assert isinstance(zero, ContourSet)
    (line,) = zero.get_paths()
    vertices = np.asarray(line.vertices) / 100
    stand = view.footing(0)
    assert not isinstance(stand, NoData)
    seen = survey.observation

    def room(across: float, up: float) -> int:
        shocks = {"BTC-USD": Ppm(round(across * 1e6)), "ETH-USD": Ppm(round(up * 1e6))}
        moved = Scenario(name="", shocks=shocks)
        buffer = units.quote_up(Decimal(1_000))
        return stress.headroom(seen.subaccount(0), seen.markets, stand, moved, buffer)

    assert len(vertices) > 10
    step = picture.step
    for across, up in vertices:
        around = [room(across + x, up + y) for x in (-step, step) for y in (-step, step)]
        assert min(around) < 0 < max(around), (across, up)


def test_the_ground_is_the_exact_headroom_of_two_moves() -> None:
    survey, view = looked()
    picture = picture_of(view, 0)
    middle = len(picture.moves) // 2

    assert picture.rooms[middle][middle] == pytest.approx(picture.today.headroom)
    assert picture.moves[middle] == 0
    # A long BTC gains with BTC (across), a short ETH loses with ETH (up).
    assert picture.rooms[middle][-1] > picture.rooms[middle][0]
    assert picture.rooms[-1][middle] < picture.rooms[0][middle]
    assert survey.observation.owner in picture.title
