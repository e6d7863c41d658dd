"""Every case file of the chain is answered by the product's own functions, or says who answers it.

Two are judged: the guard's margin engine and the simulated venue, which share no arithmetic. The
folder is SEAWALL_VECTORS, by default the one beside the checkout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from seawall import margin
from seawall.simulator import ruler
from tests.conformance import (
    account_adapters,
    ruler_adapters,
    unit_adapters,
    update_adapters,
    venue_adapters,
)
from tests.conformance.account_adapters import risk_of
from tests.conformance.ruler_adapters import NO_DEBT, OF_THE_DELTA, USDC_ONLY
from tests.conformance.update_adapters import NO_BALANCE
from tests.conformance.vectors import (
    ABSENT,
    FOLDER,
    Adapter,
    NotOurs,
    files,
    number,
    read,
    rows,
    table,
    text,
)


def _by_file(*modules: tuple[Adapter, ...]) -> dict[str, Adapter]:
    found = {f"margin/{adapter.__name__}": adapter for part in modules for adapter in part}
    updates = found["margin/can_update_subaccounts"]
    return {**found, "margin/update_subaccounts": updates}


GUARD, VENUE = "guard", "venue"
ADAPTERS: Mapping[str, Mapping[str, Adapter]] = {
    GUARD: _by_file(unit_adapters.ADAPTERS, account_adapters.ADAPTERS),
    VENUE: _by_file(venue_adapters.ADAPTERS, ruler_adapters.ADAPTERS, update_adapters.ADAPTERS),
}
OUT_OF_SCOPE = {
    "margin/big_rat_mul_ppm": "exact rationals are Python's own Fraction, nothing is rounded",
}
REDUCE_ONLY = "reduce_only/reduce_only"


class Silence(NamedTuple):
    """How many cases of a file a judge leaves out, by reason, where the file has so many cases."""

    cases: int
    left: Mapping[str, int]


# Everything that is left out, so that it cannot grow unseen; a longer file may have more of it.
NOT_OURS: Mapping[tuple[str, str], Silence] = {
    (GUARD, "margin/update_subaccounts"): Silence(
        40, {account_adapters.POOLS: 2, account_adapters.TWICE: 1, account_adapters.GATE: 5}
    ),
    (VENUE, "margin/asset_risk"): Silence(6, {USDC_ONLY: 2}),
    (VENUE, "margin/delta_open_interest"): Silence(3, {venue_adapters.ONE_MARKET: 1}),
    (VENUE, "margin/fillable_price"): Silence(9, {OF_THE_DELTA: 3}),
    (VENUE, "margin/quote_to_base_quantums"): Silence(11, {NO_DEBT: 3}),
    (VENUE, "margin/subaccount_block_limits"): Silence(4, {venue_adapters.ONCE_A_BLOCK: 1}),
    (VENUE, "margin/subaccount_risk"): Silence(9, {USDC_ONLY: 2}),
    (VENUE, "margin/can_update_subaccounts"): Silence(15, {USDC_ONLY: 0, NO_BALANCE: 0}),
    (VENUE, "margin/update_subaccounts"): Silence(
        40, {update_adapters.TWICE: 1, USDC_ONLY: 0, NO_BALANCE: 0}
    ),
}
ALL = Silence(0, {})

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)


def test_every_file_is_answered_or_says_why_not() -> None:
    answered = {*ADAPTERS[GUARD], *ADAPTERS[VENUE], *OUT_OF_SCOPE, REDUCE_ONLY}

    assert [file for file in files() if file not in answered] == []
    assert OUT_OF_SCOPE.keys() & {*ADAPTERS[GUARD], *ADAPTERS[VENUE]} == set()


@pytest.mark.parametrize(
    ("judge", "file"), [(judge, file) for judge in ADAPTERS for file in sorted(ADAPTERS[judge])]
)
def test_it_answers_what_the_chain_answers(judge: str, file: str) -> None:
    if file not in files():
        pytest.skip(f"{file}.json is not among the vectors of {FOLDER}")
    left = Counter[str]()
    cases = rows(read(file))

    for case in cases:
        try:
            ADAPTERS[judge][file](table(case["input"]), table(case["expected"]))
        except NotOurs as reason:
            left[str(reason)] += 1
        except Exception as failure:
            raise AssertionError(f"{file}: {case['name']}: {failure!r}") from failure

    known = NOT_OURS.get((judge, file), ALL)
    assert left.keys() <= known.left.keys()
    assert left.total() < len(cases)
    assert len(cases) != known.cases or left == Counter(known.left)


def test_reductions_below_initial_margin_are_judged_as_the_chain_does() -> None:
    content = table(read(REDUCE_ONLY))

    for case in rows(content["margin_transition_cases"]):
        old, new = table(case["old"]), table(case["new"])
        # The cases are below initial margin by construction and leave the new IMR out.
        before = [number(old[word]) for word in ("nc", "imr", "mmr")]
        after = [number(new["nc"]), number(new["nc"]) + 1, number(new["mmr"])]
        guard = margin.judge_update(risk_of(*before), risk_of(*after))
        venue = ruler.judge(ruler.Risk(*before), ruler.Risk(*after))

        assert {guard.value, venue.value} == {text(case["expected_result"])}, case["name"]
