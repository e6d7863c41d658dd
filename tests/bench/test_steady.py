"""The judge of `make soak`, fed with what a good and a bad run would show."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bench.steady import Fill, Sample, faults_of, journal_budget

OURS = frozenset({7})
SELL = Fill(
    client_id=7,
    height=30,
    market="BTC-USD",
    is_buy=False,
    size=Decimal("0.5"),
    before=Decimal("0.5"),
)


def steady(minutes: int = 60) -> list[Sample]:
    return [
        Sample(
            at_s=60.0 * n,
            rss_bytes=130_000_000,
            descriptors=40,
            cpu_s=1.0 * n,
            journal_bytes=30_000 * n,
            ticks=60 * n,
            stored=n,
        )
        for n in range(1, minutes + 1)
    ]


def wrong(samples: list[Sample], *fills: Fill) -> list[str]:
    return list(faults_of(samples, fills, OURS))


def test_a_steady_run_is_good() -> None:
    assert wrong(steady(), SELL) == []


@pytest.mark.parametrize(("factor", "is_wrong"), [("1.04", False), ("1.06", True)])
@pytest.mark.parametrize("what", ["rss_bytes", "descriptors"])
def test_growth_beyond_five_per_cent_is_wrong(what: str, factor: str, *, is_wrong: bool) -> None:
    late = [
        replace(one, **{what: int(getattr(one, what) * 100 * Decimal(factor)) // 100})
        if one.at_s > 2_400
        else one
        for one in [replace(one, descriptors=400) for one in steady()]
    ]

    assert [words.split()[0] for words in wrong(late)] == ([what] if is_wrong else [])


def test_what_a_start_takes_is_no_growth() -> None:
    cold = [replace(one, rss_bytes=1_000_000) if one.at_s < 600 else one for one in steady()]

    assert wrong(cold) == []


def test_one_reconnect_at_the_end_is_no_leak() -> None:
    samples = steady()
    samples[-1] = replace(samples[-1], descriptors=80)

    assert wrong(samples) == []


@pytest.mark.parametrize("events", [0, 3])
def test_a_journal_beyond_a_quiet_day_s_share_and_its_events_is_wrong(events: int) -> None:
    samples = steady()
    last = replace(samples[-1], stored=61 + events)
    most = 50_000_000 // 24 + events * 40_000
    assert journal_budget(last) == most
    samples[-1] = replace(last, journal_bytes=most)
    assert wrong(samples) == []

    samples[-1] = replace(last, journal_bytes=most + 1)

    assert [words.split()[1] for words in wrong(samples)] == ["journal"]


def test_a_guard_that_stopped_ticking_is_wrong() -> None:
    stuck = [replace(one, ticks=9) for one in steady()]

    assert wrong(stuck) == ["no tick succeeded after the first sample: still 9"]


@pytest.mark.parametrize(
    ("fill", "is_wrong"),
    [
        (SELL, False),
        (replace(SELL, size=Decimal("0.51")), True),  # it flips
        (replace(SELL, is_buy=True), True),
        (replace(SELL, before=Decimal(0)), True),
        (replace(SELL, before=Decimal("-0.5")), True),
        (replace(SELL, is_buy=True, before=Decimal("-0.5")), False),
        (replace(SELL, is_buy=True, client_id=8), False),  # somebody else's
        (replace(SELL, is_buy=True, client_id=None), False),
    ],
)
def test_an_order_of_ours_never_grows_a_position(fill: Fill, *, is_wrong: bool) -> None:
    assert bool(wrong(steady(), fill)) is is_wrong


def test_too_few_samples_are_no_verdict() -> None:
    assert "too few" in wrong(steady(7))[0]
