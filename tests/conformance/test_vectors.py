"""Every case file of the chain is answered by the product's own functions, or says who answers it.

The folder is SEAWALL_VECTORS, by default the one beside the checkout.
"""

from __future__ import annotations

import pytest

from seawall import margin
from tests.conformance import account_adapters, unit_adapters, venue_adapters
from tests.conformance.account_adapters import NotOurs, can_update_subaccounts, risk_of
from tests.conformance.vectors import ABSENT, FOLDER, Adapter, files, read, rows, table, text
from tests.simulator.test_vectors import ADAPTERS as BY_THE_RULER

ADAPTERS: dict[str, Adapter] = {
    **{
        f"margin/{adapter.__name__}": adapter
        for adapter in (
            *unit_adapters.ADAPTERS,
            *account_adapters.ADAPTERS,
            *venue_adapters.ADAPTERS,
        )
    },
    "margin/update_subaccounts": can_update_subaccounts,
}
OUT_OF_SCOPE = {
    "margin/average_price_subticks": "what a fill exchanged is reported, never an average price",
    "margin/big_rat_mul_ppm": "exact rationals are Python's own Fraction, nothing is rounded",
}
# Answered by the venue's ruler, in tests/simulator/test_vectors.py.
BY_THE_VENUE = {f"margin/{name}" for name in BY_THE_RULER}
REDUCE_ONLY = "reduce_only/reduce_only"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)


def test_every_file_is_answered_or_says_why_not() -> None:
    answered = {*ADAPTERS, *BY_THE_VENUE, *OUT_OF_SCOPE, REDUCE_ONLY}

    assert [file for file in files() if file not in answered] == []


def test_what_is_out_of_scope_has_no_adapter() -> None:
    assert OUT_OF_SCOPE.keys() & (ADAPTERS.keys() | BY_THE_VENUE) == set()


@pytest.mark.parametrize("file", sorted(ADAPTERS))
def test_margin_is_what_the_chain_says(file: str) -> None:
    if file not in files():
        pytest.skip(f"{file}.json is not among the vectors of {FOLDER}")
    judged, left = 0, []

    for case in rows(read(file)):
        try:
            ADAPTERS[file](table(case["input"]), table(case["expected"]))
            judged += 1
        except NotOurs as reason:
            left.append(f"{case['name']}: {reason}")
        except Exception as failure:
            raise AssertionError(f"{file}: {case['name']}: {failure!r}") from failure

    assert judged > len(left)


def test_reductions_below_initial_margin_are_judged_as_the_chain_does() -> None:
    content = table(read(REDUCE_ONLY))

    for case in rows(content["margin_transition_cases"]):
        old, new = table(case["old"]), table(case["new"])
        before = risk_of(old["nc"], old["imr"], old["mmr"])
        # The cases are below initial margin by construction and leave the new IMR out.
        after = risk_of(new["nc"], int(str(new["nc"])) + 1, new["mmr"])
        verdict = margin.judge_update(before, after)

        assert verdict == text(case["expected_result"]), case["name"]
