"""Stops of ours as they rest and as they are asked for, and the gate's codes for them."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import Observation, RestingOrder, Side
from seawall.action import STOP_LIFE, STOP_TIMEOUT_BLOCKS, Backstop, Cancel, stop_ids
from seawall.action import RefusalCode as Code
from seawall.limits import Standing
from seawall.policy import BackstopOrder, Policy
from seawall.units import Ppm
from tests.limits.asks import FRESH, POLICY, verdicts
from tests.see import AT, BTC, CHAIN_ID, OWNER, quantums, resting, subticks

WITH_STOPS = replace(
    POLICY, backstop=BackstopOrder(scenario="gap", at=Ppm(600_000), slippage=Ppm(50_000))
)
IDS = stop_ids(CHAIN_ID, OWNER, 0, 0)
NOW_S = AT // 1_000


def stop(on: Observation, **changes: object) -> Backstop:
    """A stop of the half bitcoin at 100,000: goes off at 95,000, no worse than 90,250."""
    right = Backstop(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        side=Side.SELL,
        quantums=quantums(BTC, "0.5"),
        trigger_subticks=subticks(BTC, 95_000),
        subticks=subticks(BTC, 90_250),
        good_til_block_time=(on.at + STOP_LIFE) // 1_000,
        timeout_height=on.height + STOP_TIMEOUT_BLOCKS,
        client_id=IDS[0],
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def rests(slot: int = 0, *, days: int = 14, **changes: object) -> RestingOrder:
    """One of our stops of the half bitcoin as it rests."""
    order = resting(
        BTC, Side.SELL, "0.5", 90_250, client_id=IDS[slot], reduce_only=True, order_flags=32
    )
    until = NOW_S + days * 86_400
    order = replace(order, good_til_block_time=until, trigger_subticks=subticks(BTC, 95_000))
    return replace(order, **changes)  # type: ignore[arg-type]


def codes(
    on: Observation,
    *actions: Backstop | Cancel,
    policy: Policy = WITH_STOPS,
    standing: Standing = FRESH,
) -> tuple[Code, ...]:
    return verdicts(on, *actions, policy=policy, standing=standing)[1]
