"""The transfer gate of the venue on the chain's own updates: whose pool it concerns, and how long.

The case's update type is the chain's; what a deposit message makes of it is `Gate`'s to say.
"""

from __future__ import annotations

import pytest

from seawall.simulator.wallets import Gate, GateState
from tests.conformance.arena import exchange_of, subaccount_id
from tests.conformance.vectors import ABSENT, FOLDER, Json, names, number, read, rows, table, text

FILES = ("margin/update_subaccounts", "margin/can_update_subaccounts")
GATED = ("Withdrawal", "Transfer")
BLOCKED = "WithdrawalsAndTransfersBlocked"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)


def judged() -> list[Json]:
    """Cases with a verdict for each update, on markets that the venue can hold."""
    found = [case for file in FILES for case in rows(read(file))]
    return [case for case in found if "per_update" in table(case["expected"])]


def is_blocked(given: Json) -> bool:
    """Whether the venue's gate refuses the updates of a case."""
    stored = rows(given["subaccounts"])
    exchange = exchange_of(given, [one for one in stored if _holds_usdc_only(one)])
    negative = {
        exchange.fund_of(int(key)): number(height)
        for key, height in table(given.get("negative_tnc_seen_at_block") or {}).items()
    }
    gate = GateState(rule=Gate.DEPOSITS_TOO, negative=negative)
    height = number(given.get("current_block", 0))
    touched = [subaccount_id(text(one["subaccount_id"])) for one in rows(given["updates"])]
    pools = set(map(exchange.pool_of, touched))
    return given["update_type"] in GATED and any(gate.is_up(pool, height) for pool in pools)


def _holds_usdc_only(account: Json) -> bool:
    return all(one["asset_id"] == 0 for one in rows(account["asset_positions"]))


def test_the_gate_blocks_what_the_chain_blocks_and_nothing_else() -> None:
    cases = judged()

    for case in cases:
        verdicts = names(table(case["expected"])["per_update"])
        assert is_blocked(table(case["input"])) is (BLOCKED in verdicts), case["name"]
    blocked = sum(BLOCKED in str(table(case["expected"])["per_update"]) for case in cases)
    assert blocked >= 5
    assert len(cases) > 2 * blocked
