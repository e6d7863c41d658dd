"""An acknowledged page is still true and no longer repeated; `--stop` ends what did not get flat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.decide import decide
from seawall.decide.commands import apply_commands
from seawall.decide.memory import Acknowledge, Memory, PageState
from seawall.intervention import End, Intervention
from seawall.measures.spec import Instance
from seawall.policy import Mode
from seawall.rulefile.load import load_text
from seawall.units import Millis
from tests.see import AT, see

RULES = """
rules:
  - id: loss
    why: "A loss."
    measure: equity
    trigger: "<= $50_000"
    do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]
    latch: manual
"""


def running(*, has_given_up: bool) -> Intervention:
    return Intervention(
        key="loss",
        rule="loss",
        instance=Instance(),
        level="act",
        rank=0,
        number=1,
        mode=Mode.LIVE,
        started_at=AT,
        progress_at=AT,
        has_given_up=has_given_up,
    )
