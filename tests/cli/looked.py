"""Verbs that only look, called in this process over a venue that is a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from seawall.cli import main
from tests.cli.played import Venue, venue

Call = Callable[..., tuple[int, str, str]]
RULES = """\
equity: {buffer: $3_000}
scenarios:
  twin-gap: {BTC-USD: -10%, ETH-USD: -10%, "*": -15%, slippage: 150bps, both_signs: true}
  rally: {BTC-USD: 12%, ETH-USD: 20%}
rules:
  - {id: room, why: "Room.", measure: free_collateral, trigger: "< $25_000", do: [notify]}
  - id: band
    why: "Know the band."
    measure: liq_move
    levels:
      - {name: watch, trigger: "< 33%", clear: "> 40%", do: [notify]}
      - {name: act, trigger: "< 6%", clear: "> 40%", do: [page]}
  - {id: loss, why: "Loss.", measure: drawdown, trigger: ">= 12%", clear: "< 10%", do: [page]}
"""


def held_venue(folder: Path) -> Iterator[Venue]:
    """A venue whose first block stands, so that every look sees the same."""
    with venue(folder) as place:
        yield place


def called(
    place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Exit code, output and errors of a verb with the settings of a venue's first account."""
    for name, value in place.environment().items():
        if name.startswith("SEAWALL_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


def as_json(out: str) -> Mapping[str, Any]:
    """The one line of JSON that was printed."""
    said: Mapping[str, Any] = json.loads(out)
    return said
