"""What every test starts from: no settings of the machine, and Hypothesis without a clock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st

# A busy machine is slow, not wrong; and the same commit gives the same verdict in CI.
settings.register_profile("seawall", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("seawall")


def mappings(shape: type) -> st.SearchStrategy[Mapping[object, object]]:
    """Small dicts for any Mapping[K, V]: our values hold no other kind."""
    key, value = get_args(shape)
    return st.dictionaries(st.from_type(key), st.from_type(value), max_size=3)


st.register_type_strategy(Mapping, mappings)
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SEAWALL_") and name != "SEAWALL_VECTORS":
            monkeypatch.delenv(name)
