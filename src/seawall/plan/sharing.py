"""What one demand may have of another's market or cash: what that one wants itself, and no more.

In one programme a dollar closed or deposited helps every row that feels it, whoever allows it. So
each demand leans on what is not its own by a column beside it, which is at most what is there and
at most what the others would do without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seawall.plan.ladder import Best, Ladder, Line
from seawall.plan.solver import Few, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A market or a subaccount's cash that is not all a demand's own.

    `at` are its columns, `own` dollars of it that the demand may have in any case.
    """

    owner: str
    at: tuple[int, ...]
    own: float
    is_cash: bool

    def gain(self, line: Line) -> float:
        """What a dollar of it brings a row, before what it costs; 0 where it is another's row."""
        if line.kind != "goal" or line.owner != self.owner:
            return 0.0
        return float((line.coefficients if self.is_cash else line.gains)[self.at[0]])


def foreign(shares: Sequence[Share], width: int) -> Mapping[str, NDArray[np.bool_]]:
    """By intervention, which of the columns are none of its own."""
    found: dict[str, NDArray[np.bool_]] = {}
    for share in shares:
        if not share.own:
            its = found.setdefault(share.owner, np.zeros(width, dtype=bool))
            its[list(share.at)] = True
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A programme with what its demands may not have to themselves."""

    lines: Sequence[Line]
    price: Floats
    most: Floats
    shares: Sequence[Share]
    few: Few | None = None  # positions that may be cut

    def best(self, let_go: Sequence[str]) -> Best | None:
        """The cheapest point at which nobody leans on more than others want; None for none.

        What the fewest want themselves is settled first, without all who lean on it; what those
        few lean on in turn is known by then, or they have none of it.
        """
        outsiders: dict[tuple[int, ...], frozenset[str]] = {}
        for share in self.shares:
            outsiders[share.at] = outsiders.get(share.at, frozenset()) | {share.owner}
        wanted: dict[tuple[int, ...], float] = {}
        for owners in sorted({*outsiders.values()}, key=lambda one: (-len(one), sorted(one))):
            others = replace(
                self,
                lines=[
                    one for one in self.lines if not (one.kind == "goal" and one.owner in owners)
                ],
                shares=[one for one in self.shares if one.owner not in owners],
            )
            found = others._within(let_go, wanted)
            wanted |= {
                at: 0.0 if found is None else float(found.values[list(at)].sum())
                for at, its in outsiders.items()
                if its == owners
            }
        return self._within(let_go, wanted)

    def _within(
        self, let_go: Sequence[str], wanted: Mapping[tuple[int, ...], float]
    ) -> Best | None:
        """The cheapest point with no more leaned on than is there, nor than is wanted of it."""
        count, width = len(self.shares), len(self.price)
        there = np.zeros((count, width + count))
        for at, share in enumerate(self.shares):
            there[at, list(share.at)], there[at, width + at] = 1.0, -1.0
        caps = [max(one.own, wanted.get(one.at, 0.0)) for one in self.shares]
        lines = [_leaning(line, self.shares) for line in self.lines]
        lines += [Line(coefficients=one, least=0.0, kind="share") for one in there]
        price = np.concatenate((self.price, np.zeros(count)))
        beside = foreign(
            [replace(one, at=(width + at,)) for at, one in enumerate(self.shares)], width + count
        )
        ladder = Ladder(lines, price, beside, self.few)
        found = ladder.best(let_go, np.concatenate((self.most, caps)))
        return None if found is None else replace(found, values=found.values[:width])


def _leaning(line: Line, shares: Sequence[Share]) -> Line:
    """The row with what it gains from others' dollars moved to the columns beside them."""
    own, leaned = line.coefficients.copy(), np.zeros(len(shares))
    for at, share in enumerate(shares):
        gain = share.gain(line)
        if gain > 0:
            own[list(share.at)] -= gain
            leaned[at] = gain
    return replace(line, coefficients=np.concatenate((own, leaned)))
