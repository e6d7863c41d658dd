"""The long run's days: what is drawn is a fault file that the venue takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import as_yaml, schedule
from seawall.simulator.faults.file import faults_of


@pytest.mark.parametrize("seed", [7, 11, 23])
def test_a_drawn_hour_is_read_back_as_drawn(seed: int, tmp_path: Path) -> None:
    file, faults = tmp_path / "faults.yaml", schedule(seed, 3_600)
    file.write_text(as_yaml(faults))

    assert list(faults_of(str(file)).faults) == faults
