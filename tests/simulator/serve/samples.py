"""Answers recorded from the real indexer, and how ours differ from them key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "dydx" / "indexer_samples"

Shape = Any  # JSON of any shape
Keys = dict[str, dict[str, set[str]]]  # the kinds of every key, by the place of its object


def sample(name: str, folder: str = "nautilus") -> Shape:
    """A recorded answer; those over HTTP are wrapped by their recorder."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no recordings of the real indexer at {SAMPLES}")
    recorded = json.loads((SAMPLES / folder / f"{name}.json").read_text())
    return recorded["result"] if name.startswith("http_") else recorded


def differences(real: Shape, ours: Shape) -> set[str]:
    """Keys that one of the two never has where both have an object, and keys of other kinds."""
    known, shown = _keys(real, "", {}), _keys(ours, "", {})
    found: set[str] = set()
    for place in set(known) & set(shown):
        found |= set(known[place]) ^ set(shown[place])
        for key in set(known[place]) & set(shown[place]):
            theirs, own = known[place][key] - {"NoneType"}, shown[place][key] - {"NoneType"}
            if theirs and own and not own <= theirs:
                found.add(f"{key}: {'/'.join(sorted(theirs))} and {'/'.join(sorted(own))}")
    return found


def _keys(shape: Shape, place: str, found: Keys) -> Keys:
    if isinstance(shape, list):
        for item in shape:
            _keys(item, f"{place}[]", found)
    elif isinstance(shape, dict) and _is_by_name(shape):
        for item in shape.values():
            _keys(item, f"{place}{{}}", found)
    elif isinstance(shape, dict):
        here = found.setdefault(place, {})
        for key, value in shape.items():
            here.setdefault(key, set()).add(type(value).__name__)
            _keys(value, f"{place}.{key}", found)
    return found


def _is_by_name(fields: Mapping[str, Shape]) -> bool:
    """Whether keys are names of markets or assets."""
    return bool(fields) and all(key.endswith("-USD") or key == "USDC" for key in fields)
