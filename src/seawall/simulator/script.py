"""Scenario files: a price path written by hand, as moves in per cent over stretches of time.

```yaml
name: double-gap
why: "One sentence."
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000, ETH-USD: 4_000}
legs:
  - {name: gap, over: 90s, move: {BTC-USD: -6%, "*": -8%}}
  - {name: rest, over: 2m}
  - {name: drift, over: 6h, move: {"*": -3%}, volatility: 2%, correlation: 80%}
  - {name: crowded, over: 4h, funding: {BTC-USD: 0.02%}}
isolated: [ETH-USD]
faults:
  - {kind: oracle_lags, first: 120, last: 180}
```

A leg is a straight line from where the price is; a market it does not move rests. With a volatility
(standard deviation of an hour) every market wanders around its line and ends on it; the wanderings
share `correlation` of their variance. `seed:` of the file chooses them. `funding` is the rate per
hour from the leg's start until another leg names it again, > 0: longs pay. An `isolated` market is
held by a child subaccount of its own. `faults` are written as in a fault file (`faults.file`);
blocks are seconds. Every scalar is read as text and typed here; all problems of a file are reported
at once, with line and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path as FilePath

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from seawall.errors import PriceFileError, Problem
from seawall.simulator.faults.file import read_rows
from seawall.simulator.faults.schedule import CALM, Faults
from seawall.simulator.prices import Line, Path, Point, Rates
from seawall.simulator.wander import Bridge, wander
from seawall.units import Millis

EVERY_OTHER = "*"
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+)(s|m|h)")
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d+)?)%")
_FILE_KEYS = ("name", "why", "start", "seed", "prices", "isolated", "legs", "faults")
_LEG_KEYS = ("name", "over", "move", "volatility", "correlation", "funding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stretch of a scenario: how long it lasts and how far each market moves, a fraction."""

    name: str
    over: Millis
    moves: Mapping[str, Decimal]
    volatility: Decimal = Decimal(0)  # of an hour, a fraction
    correlation: Decimal = Decimal(0)  # shared part of the variance, 0 to 1
    funding: Mapping[str, Decimal] = field(default_factory=dict)  # per hour, > 0: longs pay


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A scenario as written."""

    name: str
    why: str
    start: Millis
    prices: Mapping[str, Decimal]
    legs: tuple[Leg, ...]
    seed: int = 1
    isolated: frozenset[str] = frozenset()  # tickers
    faults: Faults = CALM

    def path(self) -> Path:
        """The scenario as a price path."""
        lines: dict[str, Line] = {}
        end = Millis(self.start + sum(leg.over for leg in self.legs))
        for ticker, opening in self.prices.items():
            at, price = self.start, opening
            points = [Point(at, float(price))]
            for leg in self.legs:
                at = Millis(at + leg.over)
                move = leg.moves.get(ticker, leg.moves.get(EVERY_OTHER, Decimal(0)))
                before, price = price, price * (1 + move)
                points += wander(
                    Bridge(
                        start=Millis(at - leg.over),
                        end=at,
                        opening=float(before),
                        closing=float(price),
                    ),
                    float(leg.volatility),
                    float(leg.correlation),
                    f"{self.seed}|{at}",
                    ticker,
                )
                points.append(Point(at, float(price)))
            lines[ticker] = Line(points)
        return Path(lines, start=self.start, end=end, name=self.name, rates=self._rates())

    def _rates(self) -> tuple[Rates, ...]:
        """What funding rates become at the start of each leg that names some."""
        at, found = self.start, []
        for leg in self.legs:
            if leg.funding:
                others = leg.funding.get(EVERY_OTHER)
                hourly = {t: leg.funding.get(t, others) for t in self.prices}
                told = {t: rate for t, rate in hourly.items() if rate is not None}
                found.append(Rates(at=at, hourly=told))
            at = Millis(at + leg.over)
        return tuple(found)


def load_script(file: FilePath) -> Script:
    """Read a scenario file; raises PriceFileError with every problem, its line and its remedy."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceFileError(f"{file}: cannot be read ({error}): give a scenario file") from error
    try:
        root = YAML(pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise PriceFileError(f"{place} {error.problem}: not YAML") from error
    reader = _Reader(str(file))
    script = reader.script(root)
    if reader.problems or script is None:
        raise PriceFileError("\n".join(str(problem) for problem in reader.problems))
    return script


class _Reader:
    """Turns YAML nodes into values and collects what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def script(self, root: Node | None) -> Script | None:
        if root is None:
            self.problems.append(
                Problem(file=self.file, line=1, column=1, message="the file is empty")
            )
            return None
        keys = self._mapping(root, _FILE_KEYS, required=("name", "start", "prices", "legs"))
        start = self._moment(keys["start"]) if "start" in keys else None
        prices = self._prices(keys["prices"]) if "prices" in keys else {}
        legs = self._legs(keys["legs"], prices) if "legs" in keys else ()
        name = self._text(keys["name"]) if "name" in keys else ""
        why = self._text(keys["why"]) if "why" in keys else ""
        if start is None:
            return None
        seed = self._seed(keys["seed"]) if "seed" in keys else 1
        alone = self._tickers(keys["isolated"], prices) if "isolated" in keys else frozenset()
        faults, wrong = read_rows(self.file, keys["faults"]) if "faults" in keys else (CALM, ())
        self.problems.extend(wrong)
        if self.problems:
            return None
        return Script(
            name=name,
            why=why,
            start=start,
            prices=prices,
            legs=legs,
            seed=seed,
            isolated=alone,
            faults=faults,
        )

    def _complain(self, node: Node, message: str) -> None:
        mark = node.start_mark
        self.problems.append(
            Problem(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message)
        )

    def _mapping(
        self, node: Node, allowed: tuple[str, ...] | None, required: tuple[str, ...] = ()
    ) -> dict[str, Node]:
        """Keys and value nodes; unknown, repeated and missing keys are problems."""
        if not isinstance(node, MappingNode):
            self._complain(node, "expected keys and values")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            word = self._text(key)
            if allowed is not None and word not in allowed:
                self._complain(key, f"`{word}`: unknown key, expected one of {', '.join(allowed)}")
            elif word in found:
                self._complain(key, f"`{word}` is written twice: keep one")
            else:
                found[word] = value
        for word in required:
            if word not in found:
                self._complain(node, f"`{word}` is missing")
        return found

    def _text(self, node: Node) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value)
        self._complain(node, "expected a word")
        return ""

    def _moment(self, node: Node) -> Millis | None:
        word = self._text(node)
        try:
            moment = datetime.fromisoformat(word)
        except ValueError:
            self._complain(node, f"`{word}`: expected a time such as 2026-03-12T12:00:00Z")
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Millis(int(moment.timestamp()) * 1_000)

    def _prices(self, node: Node) -> dict[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for ticker, value in self._mapping(node, None).items():
            word = self._text(value).replace("_", "").replace(",", "")
            try:
                price = Decimal(word)
            except InvalidOperation:
                price = Decimal(0)
            if not price.is_finite() or price <= 0:
                self._complain(value, f"`{word}`: expected a price above 0, such as 100_000")
            prices[ticker] = price
        if not prices:
            self._complain(node, "no market: write at least one price, such as {BTC-USD: 100_000}")
        return prices

    def _tickers(self, node: Node, prices: Mapping[str, Decimal]) -> frozenset[str]:
        if not isinstance(node, SequenceNode):
            self._complain(node, "expected a list of markets, such as [SOL-USD]")
            return frozenset()
        for item in node.value:
            word = self._text(item)
            if word not in prices:
                self._complain(item, f"`{word}` has no price: expected {', '.join(prices)}")
        return frozenset(map(self._text, node.value))

    def _legs(self, node: Node, prices: Mapping[str, Decimal]) -> tuple[Leg, ...]:
        if not isinstance(node, SequenceNode) or not node.value:
            self._complain(node, "expected a list of at least one leg")
            return ()
        return tuple(self._leg(item, prices) for item in node.value)

    def _leg(self, node: Node, prices: Mapping[str, Decimal]) -> Leg:
        keys = self._mapping(node, _LEG_KEYS, required=("over",))
        over = self._duration(keys["over"]) if "over" in keys else Millis(0)
        name = self._text(keys["name"]) if "name" in keys else ""
        moves = self._by_market(keys["move"], prices) if "move" in keys else {}
        funding = self._by_market(keys["funding"], prices) if "funding" in keys else {}
        volatility = self._share(keys["volatility"]) if "volatility" in keys else Decimal(0)
        correlation = self._share(keys["correlation"]) if "correlation" in keys else Decimal(0)
        return Leg(
            name=name,
            over=over,
            moves=moves,
            volatility=volatility,
            correlation=correlation,
            funding=funding,
        )

    def _by_market(self, node: Node, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Fractions by market, `*` for every other."""
        found: dict[str, Decimal] = {}
        for ticker, value in self._mapping(node, None).items():
            if ticker != EVERY_OTHER and ticker not in prices:
                self._complain(
                    value, f"`{ticker}` has no price above: expected {', '.join(prices)} or *"
                )
            found[ticker] = self._percent(value)
        return found

    def _seed(self, node: Node) -> int:
        word = self._text(node)
        if not word.isdecimal():
            self._complain(node, f"`{word}`: expected a whole number of at least 0")
            return 1
        return int(word)

    def _share(self, node: Node) -> Decimal:
        share = self._percent(node)
        if not 0 <= share <= 1:
            self._complain(node, f"`{self._text(node)}`: expected 0% to 100%")
        return share

    def _duration(self, node: Node) -> Millis:
        word = self._text(node)
        parts = _DURATION.findall(word)
        length = sum(int(count) * _UNITS_MS[unit] for count, unit in parts)
        if "".join(count + unit for count, unit in parts) != word or length == 0:
            self._complain(node, f"`{word}`: expected a duration above 0, such as 90s or 2m")
        return Millis(length)

    def _percent(self, node: Node) -> Decimal:
        word = self._text(node)
        matched = _PERCENT.fullmatch(word)
        if matched is None or Decimal(matched[1]) <= -100:
            self._complain(node, f"`{word}`: expected a move above -100%, such as -6%")
            return Decimal(0)
        return Decimal(matched[1]) / 100
