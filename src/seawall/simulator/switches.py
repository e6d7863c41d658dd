"""What may be switched about a chain, by words: other versions of it, and what is known by reading.

The transfer gate refusing deposits and reduce-only left to the proposer are readings of the chain's
source, not of a test of it; the window of 20 and a node without custom leverage are older versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from seawall.simulator.chain import ChainSettings
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.wallets import Gate

LEVERAGE = "/dydxprotocol.clob.Query/Leverage"
OLDER_WINDOW = 20  # blocks, before protocol v9.5


class Switch(StrEnum):
    """One thing that is otherwise than on today's chain."""

    WINDOW_20 = "window-20"
    GATE_OFF = "gate-off"
    GATE_SPARES_DEPOSITS = "gate-spares-deposits"
    NO_LEVERAGE = "no-leverage-query"
    REDUCE_ONLY_IGNORED = "reduce-only-ignored"


def settings_of(switches: Iterable[Switch]) -> ChainSettings:
    """Today's chain with some things switched."""
    settings = ChainSettings()
    for one in switches:
        match one:
            case Switch.WINDOW_20:
                settings = replace(settings, short_block_window=OLDER_WINDOW)
            case Switch.GATE_OFF:
                settings = replace(settings, gate=Gate.OFF)
            case Switch.GATE_SPARES_DEPOSITS:
                settings = replace(settings, gate=Gate.SPARES_DEPOSITS)
            case Switch.NO_LEVERAGE:
                settings = replace(settings, not_served=frozenset({LEVERAGE}))
            case Switch.REDUCE_ONLY_IGNORED:
                settings = replace(settings, reduce_only=ReduceOnly.IGNORED)
            case _:
                assert_never(one)
    return settings
