"""Health is the age of the last tick that succeeded, whatever else goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seawall.errors import OperatorError
from seawall.notify.pulse import SIZE, Pulse, PulseFile, encode, judge, pulse_path, read_pulse
from seawall.units import SECOND, Millis

NOW = Millis(1_700_000_000_000)
MOST = Millis(30 * SECOND)
WELL = Pulse(pid=7, tick=3, height=1_000, at=NOW, succeeded_at=NOW)


@pytest.mark.parametrize(
    ("pulse", "verdict", "says"),
    [
        (WELL, "well", "0.0 s ago at height 1000"),
        (replace(WELL, note="1 of notify.urls unknown"), "well", "1000; 1 of notify.urls unknown"),
        (replace(WELL, succeeded_at=Millis(NOW - MOST)), "well", "30.0 s ago"),
        (replace(WELL, succeeded_at=Millis(NOW - MOST - 1)), "unwell", "30.0 s are allowed"),
        (
            replace(WELL, succeeded_at=Millis(NOW - 60_000), reason="node down"),
            "unwell",
            "60.0 s ago at height 1000, 30.0 s are allowed: node down",
        ),
        (replace(WELL, succeeded_at=None, reason="node down"), "unwell", "yet: node down"),
        (replace(WELL, is_stopped=True), "unwell", "stopped on purpose"),
        (replace(WELL, succeeded_at=Millis(NOW + 4_000)), "well", "ago"),
        (replace(WELL, succeeded_at=Millis(NOW + 3_600_000)), "unwell", "in the future"),
    ],
)
def test_health_is_the_age_of_the_last_successful_tick(
    pulse: Pulse, verdict: str, says: str
) -> None:
    health = judge(pulse, NOW, MOST)

    assert health.is_well is (verdict == "well")
    assert says in health.words


def test_a_pulse_is_read_back_and_never_changes_its_size(tmp_path: Path) -> None:
    path = pulse_path(tmp_path / "seawall.db")
    file = PulseFile(path)
    long = replace(WELL, reason="ü" * 5_000)
    for pulse in (long, WELL):
        file.write(pulse)
        assert path.stat().st_size == SIZE
    file.close()

    assert read_pulse(path) == WELL
    assert len(encode(long)) == SIZE


def test_a_pulse_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = PulseFile(tmp_path / "gone" / "seawall.db.pulse")

    file.write(WELL)
    file.write(WELL)

    assert caplog.text.count("pulse_unwritten") == 1


@pytest.mark.parametrize("written", [None, b"", b"{}", b"not json", b"\xff\xfe"])
def test_what_is_no_pulse_is_refused(written: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "seawall.db.pulse"
    if written is not None:
        path.write_bytes(written)

    with pytest.raises(OperatorError):
        read_pulse(path)
