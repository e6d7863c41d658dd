"""What one demand may have of another's market or cash: what that one wants itself, and no more.

In one programme a dollar closed or deposited helps every row that feels it, whoever allows it. So
each demand leans on what is not its own by a column beside it, which is at most what is there and
at most what the others would do without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seawall.plan.ladder import Best, Ladder, Line
from seawall.plan.solver import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A market or a subaccount's cash that is not all a demand's own.

    `at` are its columns, `own` dollars of it that the demand may have in any case.
    """

    owner: str
    at: tuple[int, ...]
    own: float
    is_cash: bool = False

    def gain(self, line: Line) -> float:
        """What a dollar of it brings a row, before what it costs; 0 where it is another's row."""
        if line.kind != "goal" or line.owner != self.owner:
            return 0.0
        return float((line.coefficients if self.is_cash else line.gains)[self.at[0]])


def best(
    lines: Sequence[Line],
    price: Floats,
    most: Floats,
    let_go: Sequence[str],
    shares: Sequence[Share],
) -> Best | None:
    """The cheapest point at which nobody leans on more than is his; None where there is none."""
    wanted = _wanted_by_others(lines, price, most, let_go, shares)
    count, width = len(shares), len(price)
    within: list[Line] = []  # no more is leaned on than is there
    for at, share in enumerate(shares):
        there = np.zeros(width + count)
        there[list(share.at)], there[width + at] = 1.0, -1.0
        within.append(Line(coefficients=there, least=0.0, kind="share"))
    caps = [max(share.own, wanted[share.at]) for share in shares]
    found = Ladder(
        [*(_leaning(line, shares) for line in lines), *within],
        np.concatenate((price, np.zeros(count))),
    ).best(let_go, np.concatenate((most, caps)))
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


def _wanted_by_others(
    lines: Sequence[Line],
    price: Floats,
    most: Floats,
    let_go: Sequence[str],
    shares: Sequence[Share],
) -> Mapping[tuple[int, ...], float]:
    """Dollars of each market and cash without the goals of those whose own it is not."""
    outsiders: dict[tuple[int, ...], frozenset[str]] = {}
    for share in shares:
        outsiders[share.at] = outsiders.get(share.at, frozenset()) | {share.owner}
    found: dict[frozenset[str], Best | None] = {}
    for owners in outsiders.values():
        if owners not in found:
            others = [one for one in lines if one.kind != "goal" or one.owner not in owners]
            found[owners] = Ladder(others, price).best(let_go, most)
    wanted = {}
    for at, owners in outsiders.items():
        without = found[owners]
        wanted[at] = 0.0 if without is None else float(without.values[list(at)].sum())
    return wanted
